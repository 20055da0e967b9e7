#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a frame costs a program that has no rings to the switch: TSC cycles per frame in rte_eth_tx_burst() and
# rte_eth_rx_burst(), bursts of 32, of net_vale in a process of its own and of DPDK's net_memif with the same rings, and
# the rate of a program that sends and receives in turn. The worker has the last CPU, the program the first. As a
# secondary, for comparison. No limits are checked.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/apart/apart.sh
. "$(dirname "$0")/apart.sh"

MS=${VALE_BENCH_MS:-1000}
ROUNDS=${VALE_BENCH_ROUNDS:-3}
APART_CPUS=0

# bench NAME TX RX LEN
bench() {
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		peer "$1" bench "$2" "$3" $B "$MS" "$4"
		echo "$1, $4 bytes: $ANSWER"
	done
}

switch_start -- --idle poll
memif=/run/vale/memif/$PREFIX.sock,socket-abstract=no,role=client,rsize=10
for len in 60 1500; do
	apart_peer net_vale valea:x valea:y
	ctl fdb valea add $B valea:y
	bench net_vale net_vale0 net_vale1 $len
	client_stop net_vale
	port_goes valea:y
	PEER_PROCESS=$APART_NO_HUGE peer_run net_memif 0@0 --vdev=net_memif0,id=0,secret=valea:x,socket=$memif \
		--vdev=net_memif1,id=1,secret=valea:y,socket=$memif --
	peer_read net_memif 30
	wait_port valea:x link true 15
	wait_port valea:y link true 15
	ctl fdb valea add $B valea:y
	bench net_memif net_memif0 net_memif1 $len
	client_stop net_memif
	port_goes valea:y
	NEXT_LCORE=1
	peer_run secondary 1@0 --vdev=net_vale0,port=valea:x --vdev=net_vale1,port=valea:y --
	peer_read secondary 30
	ctl fdb valea add $B valea:y
	bench secondary valea:x valea:y $len
	client_stop secondary
	port_goes valea:y
done
