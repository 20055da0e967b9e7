#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: `vale-ctl attach PORT` without device arguments takes an interface of this system, and netmap's letters
# -a, -h and -d do what they do there: -a takes it from the host's stack, with -h that stays connected through the
# switch, with its addresses where they are.
#
# Steps:
#  1. -a of two veths: it is said by which driver; their namespaces reach each other, the host reaches nobody.
#  2. -d: the interfaces are as they were, and the host reaches its neighbour again.
#  3. -h: the namespaces and the host all reach each other, with TCP and with offloads; the host's port counts.
#  4. The host's port alone is detached: the interface stays, the host is cut off. -d gives it back.
#  5. Refusals; a switch that is killed leaves the host connected.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

# state: of an interface, as far as attach may change it.
state() {
	ip -d link show "$1" | sed 's/ qlen.*//; s/ promiscuity.*//'
	tc qdisc show dev "$1"
	ip -4 addr show dev "$1"
	ethtool -k "$1"
}

host_pings() {
	ping -q -c 5 -i 0.05 -W 2 "$1" >"$WORK/host.out" 2>&1
}

# B has no route to A but by the switch; the host's own address is on va.
veths 1500
ip addr add 10.7.0.100/24 dev va
host_pings 10.7.0.1 || die "the host does not reach A before the test begins"
switch_start
state va >"$WORK/va.before"
state vb >"$WORK/vb.before"

# 1
said=$(ctl -a vale0:va)
[[ $said == "vale0:va is interface va, by AF_XDP"* || $said == "vale0:va is interface va, by AF_PACKET"* ]] ||
	die "what was taken how: '$said'"
ok "$said"
ctl attach vale0:vb
neighbours_flush
pings "attached by name" 20 10.7.0.2
host_pings 10.7.0.1 && die "-a leaves the host's stack on va"
ip neigh flush dev va
ok "-a takes the interface from the host"
ip -n A link set veth0 mtu 1500
iperf "attached by name" 10.7.0.2

# 2
ctl -d vale0:va
ctl detach vale0:vb
state va >"$WORK/va.after"
state vb >"$WORK/vb.after"
diff "$WORK/va.before" "$WORK/va.after" || die "va is not as it was"
diff "$WORK/vb.before" "$WORK/vb.after" || die "vb is not as it was"
host_pings 10.7.0.1 || die "the host does not reach A: $(cat "$WORK/host.out")"
ok "-d gives the interfaces back as they were"

# 3
first=$(ctl -a vale0:va)
ctl -d vale0:va
expect_eq "$first" "$(ctl -a vale0:va)" "attached again in the same way"
ctl -d vale0:va
said=$(ctl -h vale0:va)
expect_eq "vale0:va is interface va, by AF_PACKET; vale0:va_h is this host" "$said" "-h says what is where"
ctl attach vale0:vb
wait_port vale0:va_h link true 15
host_pings 10.7.0.1 || die "-h: the host does not reach A: $(cat "$WORK/host.out")"
host_pings 10.7.0.2 || die "-h: the host does not reach B: $(cat "$WORK/host.out")"
ok "-h: the host reaches both"
[ "$(port vale0:va_h rx_packets)" -ge 10 ] || die "the host's frames do not come by its port"
ok "by its port"
pings "beside the host" 20 10.7.0.2
neighbours_flush
pings "to the host" 20 10.7.0.100
iperf3 -s -1 >"$WORK/iperf-server.out" 2>&1 &
retry 15 sh -c "ss -Hltn sport = 5201 | grep -q ." || die "iperf3 -s does not listen"
for opt in "" -R; do
	[ -z "$opt" ] || iperf3 -s -1 >"$WORK/iperf-server.out" 2>&1 &
	retry 15 sh -c "ss -Hltn sport = 5201 | grep -q ."
	# shellcheck disable=SC2086
	timeout 20 ip netns exec B iperf3 -J -t 1 -c 10.7.0.100 $opt >"$WORK/iperf.out" ||
		die "iperf3 $opt: $(tail -n 5 "$WORK/iperf.out")"
	rate=$(json 'int(d["end"]["sum_received"]["bits_per_second"] / 1e6)' <"$WORK/iperf.out")
	[ "$rate" -gt 10 ] || die "TCP with the host $opt: only $rate Mbit/s"
	ok "TCP with the host $opt: $rate Mbit/s"
done
before=$(port vale0:vb tx_packets)
sleep 0.5
[ "$(($(port vale0:vb tx_packets) - before))" -lt 20 ] || die "frames go round"
ok "nothing loops"

# 4
ctl -d vale0:va_h
host_pings 10.7.0.1 && die "the host is still connected"
ip neigh flush dev va
neighbours_flush
pings "without the host" 10 10.7.0.2
ctl -d vale0:va
ctl -d vale0:vb
state va >"$WORK/va.after"
diff "$WORK/va.before" "$WORK/va.after" || die "va is not as it was after -h"
host_pings 10.7.0.1 || die "the host does not reach A after -h"
ok "the interface is back"
expect_eq '[]' "$(ctl -j list | json 'd["switches"]')" "no port is left"

# 5
for letter in -a -h; do
	ctl $letter vale0:nosuch 2>"$WORK/refused.err" && die "$letter takes what is not there"
	grep -q "(ENODEV)\$" "$WORK/refused.err" || die "$letter: $(cat "$WORK/refused.err")"
done
ctl create vale0:va_h
ctl attach vale0:va_h net_null0
ctl -h vale0:va 2>"$WORK/refused.err" && die "-h takes a port that is in use"
grep -q "va_h.*(EBUSY)\$" "$WORK/refused.err" || die "-h: $(cat "$WORK/refused.err")"
host_pings 10.7.0.1 || die "a refused -h leaves the host cut off"
ok "refused: $(cat "$WORK/refused.err")"
ctl detach vale0:va_h
ctl -h vale0:va
switch_kill
if retry 3 host_pings 10.7.0.1; then
	ok "a switch that was killed leaves the host connected"
else
	# filters, where the kernel has no tcx: as docs/host-and-nics.md says
	tc qdisc del dev va clsact
	host_pings 10.7.0.1 || die "the host stays cut off"
	ok "a switch that was killed leaves filters, which can be deleted"
fi
rm -rf "${HUGE:?}"/* "/run/dpdk/$PREFIX" "$SOCKET" "/run/vale/memif/$PREFIX.sock"
