#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: two stock dpdk-testpmd as memif clients, one sending and one receiving, by VALE names; what they counted
# is what the switch counted.
#
# Steps:
#  1. txonly on valea:0, rxonly on valea:1, for a second, flooded: nobody has said where the destination is.
#  2. The same to a static entry: known unicast.
#  3. Each time: testpmd's TX is the switch's rx, the switch's tx is testpmd's RX, and rx is tx plus drops.
#  4. The ports are of kind memif, with the client's pid, and go with it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

switch_start --no-huge
memif_start tx txonly valea:0
memif_start rx rxonly valea:1
wait_port valea:0 kind memif 5
wait_port valea:1 kind memif 5
expect_eq "${CLIENT_PID[tx]}" "$(port valea:0 pid)" "the client's process"

drops() {
	ctl -j stats | json 'sum(sum(p["drops"].values()) for p in d["ports"])'
}

# run_pair TEXT
run_pair() {
	testpmd_ask rx start
	testpmd_ask tx start
	sleep 1
	testpmd_ask tx stop
	sleep 0.3
	testpmd_ask rx stop
	sleep 0.2
	sent=$(testpmd_stat tx TX-packets)
	got=$(testpmd_stat rx RX-packets)
	[ "$got" -gt 10000 ] || die "$1: only $got frames arrived in a second"
	expect_eq "$sent" "$(port valea:0 rx_packets)" "$1: sent by testpmd, received by the switch"
	expect_eq "$got" "$(port valea:1 tx_packets)" "$1: delivered by the switch, received by testpmd"
	expect_eq "$(testpmd_stat tx TX-bytes)" "$(port valea:0 rx_bytes)" "$1: the same in bytes"
	expect_eq "$(testpmd_stat rx RX-bytes)" "$(port valea:1 tx_bytes)" "$1: the same in bytes"
	expect_eq "$sent" $((got + $(drops))) "$1: rx is tx plus drops"
	expect_eq 0 "$(port valea:0 tx_packets)" "$1: nothing came back"
}

run_pair flooded
ctl fdb valea add 02:00:00:00:00:00 valea:1
run_pair unicast

client_kill tx
port_goes valea:0
ok "the port goes with its client"
