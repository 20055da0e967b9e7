#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: netmap programs that write nonsense into their region, or die, hurt nobody: frames of others arrive whole and in
# order, what is refused is counted by its reason, the switch ends well. What each does is in hostile_cases.c.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

# counted CASE "PORT COUNTER +N"...: run it, and see that exactly these counters moved since the last one
counted() {
	local name=$1

	shift
	run "$name"
	expect_changes "$name" "$@"
	counters_go_on
}

run() {
	timeout 60 "$VALE_BUILD/tests/netmap/hostile-cases" "$SOCKET" "$1" || die "case $1"
	ctl list >/dev/null || die "the switch does not answer after $1"
}

switch_start --no-huge -m 256
for p in a b; do ctl create vale0:$p; done
counters_mark
counted wrong_head "vale0:a rx_packets +27" "vale0:a drops.bad_slot +22" "vale0:b tx_packets +3" "vale0:b drops.dst_full +2"
counted bad_buffer "vale0:a rx_packets +14" "vale0:a drops.bad_slot +13" "vale0:b tx_packets +1"
counted bad_receive_buffer "vale0:a rx_packets +6" "vale0:b tx_packets +2" "vale0:b drops.dst_full +4"
counted doubled_buffer "vale0:a rx_packets +1000" "vale0:b tx_packets +1000"
counted endless_chain "vale0:a rx_packets +20" "vale0:a drops.bad_slot +20"
for case in taken_pages mad_neighbour killed noise_requests; do
	run $case
	ok $case
done
for p in a b; do retry 15 ctl destroy vale0:$p; done
expect_eq '[]' "$(ctl -j list | json 'd["switches"]')" "no port is left"
