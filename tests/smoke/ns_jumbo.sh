#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: 9,000-byte frames pass between namespaces, and a frame that the receiver cannot take is dropped and
# counted, not cut.
#
# Steps:
#  1. MTU 9000 on both sides: pings of 8,972 bytes unfragmented, iperf3.
#  2. B's MTU becomes 1500 while attached: 10 long pings are 10 too_long at the sender; short ones pass.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

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
