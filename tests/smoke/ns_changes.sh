#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what may happen to an interface before, while and after it is attached by its name: the switch follows, and
# gives it back as it was. It needs no hugepages.
#
# Steps:
#  1. Names: one too long for a port, 9 characters in a name of 15, one that a persistent port had first.
#  2. An interface that is down is attached, and works once it is up. Promiscuous mode is on meanwhile, and off afterwards;
#     where it was on before, it stays on.
#  3. The same interface a second time, by its name, by another switch, by devargs: EBUSY; nothing changes.
#  4. Renamed while attached: it works on, cannot be attached by its new name, and is given back under it.
#  5. Moved to another namespace, deleted, its peer's namespace deleted, with -a and with -h: the link is down, the
#     port can be detached, nothing is left, and a new interface of that name can be attached.
#  6. netmap's letters: -n, -l, -g, -r, -p, -P, -e, and what does not go together.
#  7. A switch that is killed with all of that attached; the next one attaches it again and gives it back as it was.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

# refused ERRNO PATTERN ARGUMENTS
refused() {
	local errno=$1 pattern=$2

	shift 2
	ctl "$@" >"$WORK/refused.out" 2>"$WORK/refused.err" && die "$*: was not refused"
	grep -q "$pattern.*($errno)\$" "$WORK/refused.err" || die "$*: $(cat "$WORK/refused.err")"
	ok "refused: $*: $(cat "$WORK/refused.err")"
}

usage() {
	local status=0

	ctl "$@" >"$WORK/usage.out" 2>&1 || status=$?
	[ "$status" = 2 ] || die "vale-ctl $*: exit $status, not 2: $(cat "$WORK/usage.out")"
	ok "usage: vale-ctl $*"
}

promiscuous() {
	ip -d -j link show "$1" | json 'd[0]["promiscuity"] > 0'
}

# By hand, as an administrator sets it: the flag, which is not the count of those who want it.
promiscuous_flag() {
	ip -j link show "$1" | json '"PROMISC" in d[0]["flags"]'
}

# The far end of an interface that came up takes a moment to see it.
settle() {
	retry 15 ip netns exec A ping -q -c 1 -W 1 10.7.0.2 || die "$1: A does not reach B"
}

host_pings() {
	ping -q -c 3 -i 0.05 -W 2 "$1" >"$WORK/host.out" 2>&1
}

veths 1500
ip addr add 10.7.0.100/24 dev va
switch_start --no-huge

# 1
ip link add enp0s31f6abcde type veth peer name far
refused EINVAL "15 characters" attach vale0:enp0s31f6abcde
ip link del far
ctl create vale0:enp0s31f6
refused ENODEV "no interface is called enp0s31f6" attach vale0:enp0s31f6
ip link add enp0s31f6 type veth peer name far
ctl -a vale0:enp0s31f6
expect_eq true "$(port vale0:enp0s31f6 persistent)" "a name of 15 characters, a port that was there first"
ctl -d vale0:enp0s31f6
ctl destroy vale0:enp0s31f6
ip link del far

# 2
ip link set va down
ctl attach vale0:va
ctl attach vale0:vb
expect_eq false "$(port vale0:va link)" "an interface that is down is a port without link"
ip link set va up
wait_port vale0:va link true 15
neighbours_flush
settle "up at last"
pings "up at last" 5 10.7.0.2
expect_eq true "$(promiscuous va)" "promiscuous while attached"
ctl detach vale0:va
retry 15 sh -c "! ip -d link show va | grep -q 'promiscuity [1-9]'" || die "va stays promiscuous"
ip link set va promisc on
ctl attach vale0:va
ctl detach vale0:va
expect_eq true "$(promiscuous_flag va)" "what was promiscuous before stays so"
ip link set va promisc off

# 3
ctl attach vale0:va
refused EBUSY "va" attach vale0:va
refused EBUSY "on the switch as vale0:va" attach vale1:va
refused EBUSY "on the switch as vale0:va" -h vale1:va
refused EBUSY "on the switch as vale0:va" attach vale0:x net_af_packet5,iface=va
neighbours_flush
pings "after refusals" 5 10.7.0.2

# 4
ip link set va down
ip link set va name vnew
ip link set vnew up
wait_port vale0:va link true 15
neighbours_flush
settle "renamed"
pings "renamed" 5 10.7.0.2
refused EBUSY "on the switch as vale0:va" attach vale1:vnew
ctl detach vale0:va
retry 15 sh -c "! ip -d link show vnew | grep -q 'promiscuity [1-9]'" || die "a renamed interface stays promiscuous"
host_pings 10.7.0.1 || die "a renamed interface is not given back: $(cat "$WORK/host.out")"
ok "a renamed interface is given back"
ip link set vnew down
ip link set vnew name va
ip link set va up

# 5
ip netns add C
for letter in -a -h; do
	ctl $letter vale0:va
	ip link set va netns C
	wait_port vale0:va link false 15
	ctl -d vale0:va
	ip -n C link set va netns 1 || ip -n C link set va netns $$
	ip link set va up
	ctl $letter vale0:va
	wait_port vale0:va link true 15
	ok "$letter: moved away and come back, attached again"
	ip link del va
	wait_port vale0:va link false 15
	netns_pair "D$letter" va 10.7.0.1
	[ "$letter" = -h ] || refused EBUSY "va" attach vale0:va
	ctl -d vale0:va
	ctl $letter vale0:va
	wait_port vale0:va link true 15
	ok "$letter: deleted and made anew, attached again"
	ip netns del "D$letter"
	wait_port vale0:va link false 15
	ctl -d vale0:va
	ip link show | grep vale-h && die "$letter: the host's tap is left"
	ip netns add A2
	ip link del va 2>/dev/null || true
	netns_pair "E$letter" va 10.7.0.1
	ip netns del A2
done
expect_eq '["vale0:vb"]' "$(ctl -j stats | json '[p["name"] for p in d["ports"]]')" "no port is left of what went"

# 6
ctl -n vale0:p
expect_eq true "$(port vale0:p persistent)" "-n makes a persistent port"
ctl -l >"$WORK/l.out"
ctl list | diff - "$WORK/l.out" || die "-l is not list"
ctl -g vale0:p >"$WORK/g.out"
grep -q "vale0:p" "$WORK/g.out" || die "-g: $(cat "$WORK/g.out")"
ctl -r vale0:p
ctl show vale0:p 2>/dev/null && die "-r leaves the port"
for letter in -p -P -e; do
	ctl $letter vale0:vb 2>"$WORK/polling.err" || die "$letter fails"
	grep -q "polling is the workers' business" "$WORK/polling.err" || die "$letter: $(cat "$WORK/polling.err")"
done
ctl -h >"$WORK/help.out"
grep -q "attach" "$WORK/help.out" || die "-h alone prints no help"
ok "-l, -g, -r, -p, -P, -e and -h alone"
usage -n vale0:p -r vale0:p
usage -n
usage -x vale0:p
usage -a
refused ENXIO "no port vale0:p" -r vale0:p
refused ENXIO "eth0" -n eth0

# 7
ctl -h vale0:va
ctl create vale0:tt --tap
switch_kill
ip link show tt >"$WORK/tt.out" 2>&1 && die "the tap outlives the switch"
ip link show | grep vale-h && die "the host's tap outlives the switch"
rm -rf "/run/dpdk/$PREFIX" "$SOCKET" "/run/vale/memif/$PREFIX.sock"
switch_start --no-huge
ctl -h vale0:va
ctl -a vale0:vb
ctl create vale0:tt --tap
wait_port vale0:va link true 15
ip addr replace 10.7.0.100/24 dev va
host_pings 10.7.0.2 || die "-h after a kill: $(cat "$WORK/host.out")"
ok "a new switch takes what a killed one had"
ctl -d vale0:va
ctl -a vale0:va
switch_kill
rm -rf "/run/dpdk/$PREFIX" "$SOCKET" "/run/vale/memif/$PREFIX.sock"
switch_start --no-huge
ctl -a vale0:va
ctl -d vale0:va
host_pings 10.7.0.1 || die "after two kills the host stays cut off: $(cat "$WORK/host.out")"
ok "and gives it back, filters of the killed ones and all"
expect_eq "" "$(tc qdisc show dev va | grep clsact || true)" "no filter is left"
expect_eq 0 "$(ip -d -j link show va | json 'd[0]["promiscuity"]')" "promiscuous mode neither"
