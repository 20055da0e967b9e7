#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: attach refuses what it cannot do, with a sentence and nothing left behind, and detach gives an
# interface back as it was.
#
# Steps:
#  1. Attach and detach 20 times; descriptors, flags and offloads are as before.
#  2. Refusals: no such interface, loopback, unknown driver, bad arguments, a device twice, a port twice.
#  3. A device given to EAL at start is attached by its name, given back, and attached again.
#  4. As many ports as DPDK has ethdevs: the next is refused with ENOMEM.
#  5. The interface goes away while attached: the switch lives, the link is down, detach works.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

# refused ERRNO PATTERN PORT DEVARGS
refused() {
	ctl attach "$3" "$4" 2>"$WORK/refused.err" && die "attach $3 $4 was not refused"
	grep -q "($1)\$" "$WORK/refused.err" || die "attach $3 $4: not $1: $(cat "$WORK/refused.err")"
	grep -q "$2" "$WORK/refused.err" || die "attach $3 $4: no '$2': $(cat "$WORK/refused.err")"
	ok "refused: $3 $4: $(cat "$WORK/refused.err")"
}

# state: of va and of its peer, as far as attach may change it.
state() {
	ip -o link show va | sed 's/ qlen.*//'
	ethtool -k va
	ip netns exec A ethtool -k veth0
	find "/proc/$SWITCH_PID/fd" -type l -lname 'socket:*' | wc -l
}

veths 1500
switch_start --vdev net_af_packet7,iface=vb

# 1
ethtool -K va gro on
state >"$WORK/before.txt"
for _ in $(seq 20); do
	ctl attach vale0:a net_af_packet0,iface=va
	ctl detach vale0:a
done
state >"$WORK/after.txt"
diff "$WORK/before.txt" "$WORK/after.txt" || die "va is not as it was"
ok "20 times attached and detached, va is as it was"

# 2
refused ENODEV "no interface is called nosuch" vale0:x net_af_packet0,iface=nosuch
refused EINVAL "loopback" vale0:x net_af_packet0,iface=lo
refused ENODEV "no driver" vale0:x net_nosuch0,iface=va
refused EINVAL "arguments" vale0:x net_af_packet0,iface=va,qpairs=0
refused EINVAL "iface=IF" vale0:x net_af_packet0,ifcae=va
ctl attach vale0:a net_af_packet0,iface=va
refused EBUSY "attached to another port" vale0:x net_af_packet0
refused EBUSY "held by another client" vale0:a net_af_packet1,iface=vb
expect_eq 1 "$(ctl -j list | json 'sum(len(s["ports"]) for s in d["switches"])')" "one port is there"

# 3
for _ in 1 2 3; do
	ctl attach vale0:b net_af_packet7
	neighbours_flush
	pings "a device of EAL's start" 20 10.7.0.2
	ctl detach vale0:b
done

# 4
spent=
for i in $(seq 0 40); do
	ctl attach "vale1:$i" "net_null$i" 2>"$WORK/spent.err" || { spent=$i; break; }
done
[ -n "$spent" ] || die "more than 40 ethdev ports"
grep -q 'RTE_MAX_ETHPORTS.*(ENOMEM)$' "$WORK/spent.err" || die "$(cat "$WORK/spent.err")"
ok "port $spent is refused: $(cat "$WORK/spent.err")"
for i in $(seq 0 $((spent - 1))); do ctl detach "vale1:$i"; done

# 5
ip link del va
wait_port vale0:a link false 15
ok "the link is down when its interface is gone"
ctl detach vale0:a
netns_pair C va 10.7.0.3
ctl attach vale0:a net_af_packet0,iface=va
expect_eq true "$(port vale0:a link)" "attached again to a new interface of that name"

# an interface is on a switch once
ip link add vq0 type veth peer name vq1
ctl attach vale2:q net_af_packet7,iface=vq0
twice=$(ctl attach vale2:r net_af_packet8,iface=vq0 2>&1) && die "one interface was attached twice"
[[ $twice == *"vale2:q"*"(EBUSY)" ]] || die "$twice"
ok "an interface cannot be attached twice: $twice"
ctl detach vale2:q
ctl attach vale2:r net_af_packet8,iface=vq0
ok "after detach it can, under another name"
