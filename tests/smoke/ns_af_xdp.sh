#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: namespaces on veths that are attached by net_af_xdp.
#
# Steps:
#  1. Attach both ends by net_af_xdp; ping, IPv6 neighbour discovery, iperf3, offloads on and off.
#  2. Detach one: its XDP program is gone; attach it by net_af_packet; both kinds talk to each other.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

veths 1500
switch_start

# 1
ctl attach vale0:a net_af_xdp0,iface=va
ctl attach vale0:b net_af_xdp1,iface=vb
everything af_xdp

# 2
ctl detach vale0:b
ip link show vb | grep -q prog/xdp && die "detach left an XDP program on vb"
ok "detach takes the XDP program away"
ctl attach vale0:b net_af_packet1,iface=vb
neighbours_flush
pings "af_xdp to af_packet" 100 10.7.0.2
iperf "af_xdp to af_packet" 10.7.0.2
