#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what netmap programs with virtio-net headers leave undone is carried to others with headers, and finished for
# those without, netmap programs and the host (a tap). What a header claims is checked. Cases are in vnet_cases.c.
#
# Steps:
#  1. TCP of up to 64 KB and open checksums, over IPv4 and IPv6, with options and tags: unchanged where there are headers,
#     cut and with right checksums where there are none. Each counts as one frame, on all sides.
#  2. Headers that lie: bad_slot.
#  3. Random headers, on memory that changes meanwhile, and ports whose header length changes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

run() {
	timeout 100 "$VALE_BUILD/tests/netmap/vnet-cases" "$SOCKET" "$1" >"$WORK/said" || die "case $1"
}

switch_start --no-huge -m 256
for p in a b c; do ctl create vale0:$p; done
ctl create vale0:tap0 --tap
sysctl -qw net.ipv6.conf.tap0.disable_ipv6=1
ip link set tap0 mtu 9000 up
wait_port vale0:tap0 link true 15

# 1
counters_mark
run all_kinds
FLOODED=168 expect_changes "84 frames of all kinds" "vale0:a rx_packets +84" "vale0:b tx_packets +84" \
	"vale0:c tx_packets +84" "vale0:tap0 tx_packets +84" "vale0:b rx_packets +1" "vale0:a tx_packets +1"
[ "$(port vale0:a rx_bytes)" = "$(port vale0:tap0 tx_bytes)" ] || die "bytes from a are not those to the tap"
[ "$(port vale0:a rx_bytes)" = "$(port vale0:c tx_bytes)" ] || die "bytes from a are not those to c"

# 2
counters_mark
run lies
n=$(cat "$WORK/said")
FLOODED=2 expect_changes "$n lies" "vale0:a rx_packets +$((n + 1))" "vale0:a drops.bad_slot +$n" \
	"vale0:b tx_packets +1" "vale0:c tx_packets +1" "vale0:tap0 tx_packets +1"

# 3
run random_headers
[ "$(port vale0:a drops.bad_slot)" -gt 100 ] || die "random headers were not refused"
ok "random headers: $(port vale0:a drops.bad_slot) refused, the switch lives"
for p in a b c tap0; do retry 15 ctl destroy vale0:$p; done
switch_stop || die "the switch did not end well"
