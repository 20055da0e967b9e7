#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: 9,000-byte frames pass between namespaces, and a frame that the receiver cannot take is dropped and
# counted, not cut.
#
# Steps:
#  1. MTU 9000 on both sides: pings of 8,972 bytes unfragmented, iperf3.
#  2. B's MTU becomes 1500 while attached: 10 long pings are 10 too_long at the sender; short ones pass.
#  3. A's interface sends a kilobyte a second, and its driver's ring is full: what does not fit is dst_full, and the
#     worker goes on: others lose nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

veths 9000
switch_start
ctl attach vale0:a net_af_packet0,iface=va
ctl attach vale0:b net_af_packet1,iface=vb

# 1
pings "9,000-byte frames" 100 10.7.0.2 -M do -s 8972
pings "9,000-byte frames, IPv6" 20 fd07::2 -M do -s 8952
everything "MTU 9000"

# 2
ip link set vb mtu 1500
sleep 0.5
before=$(port vale0:a drops.too_long)
ip netns exec A ping -q -c 10 -i 0.01 -W 1 -M do -s 8972 10.7.0.2 >/dev/null || true
sleep 0.3
expect_eq 10 "$(($(port vale0:a drops.too_long) - before))" "10 frames too long for vb are counted at a"
pings "short frames" 20 10.7.0.2

# 3. Without a queue of the kernel's only a NIC whose link is paused would hold frames.
ctl detach vale0:a
ctl attach vale0:a net_af_packet0,iface=va,qdisc_bypass=0
tc qdisc replace dev va root tbf rate 8kbit burst 20k limit 50mb
peer_start s vale0:s vale0:c
peer_start d vale0:d
ctl fdb vale0 add $A vale0:a
ctl fdb vale0 add $D vale0:d
peer s tx vale0:s 0 2000 $A $B 9000 burst=8 gap=200
peer_say d rx vale0:d 500 first=3000 good=500
peer s tx vale0:c 0 500 $D $C 100 burst=8 gap=200
peer_wait d
[ "$(value last)" = 499 ] || die "the worker stands still: $ANSWER; $(ctl show vale0:a)"
[ "$(port vale0:a drops.dst_full)" -gt 500 ] || die "nothing is counted: $(ctl show vale0:a)"
ok "$(port vale0:a drops.dst_full) frames are more than a stalled interface takes; the worker goes on"
tc qdisc del dev va root
