#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: two namespaces on veths, attached by net_af_packet, use the switch as they would use a wire.
#
# Steps:
#  1. Attach both; the link is up, the peer's segmentation offload is gone, as frames must not exceed the MTU.
#  2. ping (none of 100 lost), IPv6 neighbour discovery, iperf3 over IPv4 and IPv6, with offloads on and off.
#  3. IPv4 datagrams in fragments; frames with a VLAN tag.
#  4. Frames sent by this namespace's own stack are none of the switch's; nothing loops.
#  5. An idle port costs nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

veths 1500
switch_start

# 1
ctl attach vale0:a net_af_packet0,iface=va
ctl attach vale0:b net_af_packet1,iface=vb
expect_eq true "$(port vale0:a link)" "link is up"
ip netns exec A ethtool -k veth0 | grep -q '^tcp-segmentation-offload: off' ||
	die "the peer still sends super-frames"
ok "the peer cuts its own segments"

# 2
everything af_packet

# 3
pings "in three fragments" 20 10.7.0.2 -s 4000
pings "in seven fragments" 20 10.7.0.2 -s 9100
pings "IPv6 in three fragments" 20 fd07::2 -s 4000
ip netns exec B timeout 10 tcpdump -c 20 -nn -e -U -w "$WORK/vlan.pcap" -i veth0 vlan 7 \
	2>"$WORK/tcpdump.err" &
wait_text "$WORK/tcpdump.err" "listening on" 5
ip netns exec A python3 - <<'PY'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("veth0", 0))
head = b"\xff" * 6 + s.getsockname()[4] + bytes.fromhex("81000007" "88b5")
for _ in range(20):
    s.send(head + b"x" * 1500)
PY
wait $! || die "frames of VLAN 7 did not arrive"
expect_eq 20 "$(tcpdump -nn -e -r "$WORK/vlan.pcap" 2>/dev/null | grep -c 'length 1518: vlan 7,')" \
	"20 full-size frames of VLAN 7 arrive with their tag"

# 4
before=$(port vale0:a rx_packets)
ip addr add 10.9.0.1/24 dev va
ping -q -c 5 -i 0.01 -W 1 10.9.0.2 >/dev/null || true
sleep 0.3
[ "$(($(port vale0:a rx_packets) - before))" -lt 5 ] || die "the switch received what va sent"
ok "frames that va sends are not received from it"
before=$(port vale0:b tx_packets)
sleep 0.5
[ "$(($(port vale0:b tx_packets) - before))" -lt 20 ] || die "frames go round"
ok "nothing loops"

# 5
ticks() {
	awk '{ print $14 + $15 }' "/proc/$SWITCH_PID/stat"
}
before=$(ticks)
sleep 2
[ "$(($(ticks) - before))" -le 4 ] || die "$(($(ticks) - before)) ticks in 2 s without traffic"
ok "an idle switch sleeps"
for reason in no_mbuf dst_full; do
	expect_eq 0 "$(port vale0:a drops.$reason)" "no $reason at vale0:a"
done
