#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: frames between netmap ports, by a client that speaks the protocol itself: with and without hugepages, with one
# worker and two. What a case checks is in switch_cases.c; here, that every frame was counted once.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

# run CASE
run() {
	timeout 60 "$VALE_BUILD/tests/netmap/switch-cases" "$SOCKET" "$1" || die "case $1"
}

# counted CASE "PORT COUNTER +N"...: run it, and see that exactly these counters moved since the last one
counted() {
	local name=$1

	shift
	run "$name"
	expect_changes "$name" "$@"
	counters_go_on
}

all_cases() {
	local p

	for p in a b c; do ctl create vale0:$p; done
	counters_mark
	FLOODED=2035 counted lengths "vale0:a rx_packets +2035" "vale0:b tx_packets +2035" "vale0:c tx_packets +2035"
	FLOODED=287 counted no_byte_more "vale0:a rx_packets +287" "vale0:b tx_packets +287" "vale0:c tx_packets +287"
	FLOODED=1 counted runts "vale0:a rx_packets +6" "vale0:a drops.runt +5" "vale0:b tx_packets +1" "vale0:c tx_packets +1"
	FLOODED=1 counted too_long "vale0:a rx_packets +5" "vale0:a drops.too_long +4" "vale0:b tx_packets +1" \
		"vale0:c tx_packets +1"
	ctl fdb vale0 flush
	FLOODED=2 counted learning "vale0:a rx_packets +3" "vale0:a drops.hairpin +1" "vale0:a tx_packets +2" \
		"vale0:b rx_packets +1" "vale0:b tx_packets +2" "vale0:c rx_packets +1" "vale0:c tx_packets +2"
	counted stream "vale0:a rx_packets +100000" "vale0:b tx_packets +100000"
	FLOODED=4100 counted full "vale0:a rx_packets +4100" "vale0:b tx_packets +2046" "vale0:b drops.dst_full +2054" \
		"vale0:c tx_packets +4023" "vale0:c drops.dst_full +77"
	FLOODED=202 counted chains "vale0:a rx_packets +204" "vale0:a drops.bad_slot +1" "vale0:a drops.too_long +1" \
		"vale0:b tx_packets +202" "vale0:c tx_packets +202"
	FLOODED=1023 counted chain_full "vale0:a rx_packets +1023" "vale0:b tx_packets +1021" "vale0:b drops.dst_full +2" \
		"vale0:c tx_packets +1020" "vale0:c drops.dst_full +3"
	counted rings
	FLOODED=600 counted sleep_and_wake "vale0:a rx_packets +600" "vale0:b tx_packets +600" "vale0:c tx_packets +600"
	counted last_words "vale0:a rx_packets +60000" "vale0:b tx_packets +60000"
	counted reopen
	counted shared_port
	counted ring_subsets
	counted extra_buffers "vale0:a rx_packets +1" "vale0:b tx_packets +1"
	counted shared_region
	counted offsets "vale0:a rx_packets +203" "vale0:a drops.bad_slot +1" "vale0:a drops.too_long +1" \
		"vale0:b tx_packets +201"
	counted headers "vale0:a rx_packets +1" "vale0:a tx_packets +2" "vale0:b rx_packets +2" "vale0:b tx_packets +1"
	for p in a b c; do retry 15 ctl destroy vale0:$p; done
	expect_eq '[]' "$(ctl -j list | json 'd["switches"]')" "no port is left"
}

switch_start --no-huge -m 256
all_cases
switch_stop
cpus="0-$(($(nproc --all) - 1))"
switch_start --lcores "126@($cpus),1@($cpus),2@($cpus)"
all_cases
