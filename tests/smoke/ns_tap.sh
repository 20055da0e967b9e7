#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: interfaces that net_tap makes work after they were moved into other namespaces.
#
# Steps:
#  1. Attach two taps, move them into A and B; the link stays up.
#  2. ping, IPv6 neighbour discovery, iperf3, offloads on and off.
#  3. MTU 9000, set where the taps are now.
#  4. Detach: the interfaces are gone; attach again under the same name.
#  5. An interface deleted from outside: its link goes down, and no worker spins.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

[ -c /dev/net/tun ] || skip "no /dev/net/tun"
IFACE=([A]=ta [B]=tb)

# tap NS IFACE N
tap() {
	ctl attach "vale0:$2" "net_tap$3,iface=$2"
	ip link set "$2" netns "$1"
	address "$1" "$2" "$3"
}

ip netns add A
ip netns add B
switch_start

# 1
tap A ta 1
tap B tb 2
sleep 0.5
expect_eq true "$(port vale0:ta link)" "the link of a tap that was moved"

# 2
everything tap

# 3
ip -n A link set ta mtu 9000
ip -n B link set tb mtu 9000
pings "9,000-byte frames" 100 10.7.0.2 -M do -s 8972

# 4
ctl detach vale0:ta
retry 15 sh -c '! ip -n A link show ta' || die "detach left ta behind"
ok "detach removes the tap"
tap A ta 1
neighbours_flush
pings "after detach and attach" 20 10.7.0.2

# 5
cpu_ticks() {
	awk '{ print $14 + $15 }' "/proc/$SWITCH_PID/stat"
}
ip netns exec A ip link del ta
wait_port vale0:ta link false 15
ok "a tap deleted from outside has its link down"
sleep 0.5
before=$(cpu_ticks)
sleep 2
spent=$(($(cpu_ticks) - before))
[ "$spent" -lt 20 ] || die "the switch spins: $spent ticks in two seconds"
ok "and costs nothing"
