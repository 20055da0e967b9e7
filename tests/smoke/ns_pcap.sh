#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: net_pcap on interfaces, and a file that shows a switch's traffic.
#
# Steps:
#  1. Attach two veths by net_pcap; ping, IPv6 neighbour discovery, iperf3, offloads on and off.
#  2. A third port writes floods to a file: a broadcast ping appears in it, once.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

veths 1500
switch_start

# 1
ctl attach vale0:a net_pcap0,iface=va
ctl attach vale0:b net_pcap1,iface=vb
everything pcap

# 2
ctl attach vale0:file "net_pcap2,tx_pcap=$WORK/flood.pcap"
ip netns exec A ping -q -b -c 1 -W 1 -s 777 10.7.0.255 >/dev/null 2>&1 || true
sleep 0.3
ctl detach vale0:file
tcpdump -nn -r "$WORK/flood.pcap" 'icmp[icmptype] == icmp-echo' >"$WORK/flood.txt" 2>/dev/null
expect_eq 1 "$(grep -c 'length 785' "$WORK/flood.txt")" "the broadcast is in the file once"
