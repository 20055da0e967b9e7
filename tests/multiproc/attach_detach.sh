#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: ports that come and go on a switch cost those that stay not one frame, nor their order, and leave nothing
# behind.
#
# Steps:
#  1. Two processes exchange numbered frames, both ways, below what they can carry.
#  2. Meanwhile a third attaches and detaches a port of the same switch VALE_TEST_CYCLES (1000) times by hot plug, on
#     queues 1 to 16.
#  3. Cycles count that ended before the exchange did; every frame arrived, in order, nothing was dropped; mbufs, heap and ids are as before.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

cycles=${VALE_TEST_CYCLES:-1000}
# at a time each way: as many as a ring holds, so that none is lost whoever waits for a CPU
frames=8000
switch_start -- --ring-size 8192 --mbufs 24576
free=$(mbufs_free)
peer_start a valea:a
peer_start a2 valea:a2
peer_start b valea:b
peer_start b2 valea:b2
peer_start c
ctl fdb valea add $A valea:a2
ctl fdb valea add $B valea:b2

# Both senders are still at it.
traffic_goes_on() {
	! read -r -t 0 -u "${PEER_FD[a]}" && ! read -r -t 0 -u "${PEER_FD[b]}"
}

# round QUEUES: ports come and go as long as frames do; adds to NB_CYCLES those that ended before the frames did.
round() {
	peer_say b2 rx valea:b2 50 expect=$frames
	peer_say a2 rx valea:a2 50 expect=$frames
	peer_say a tx valea:a 0 $frames $B $C 200 burst=16 gap=1000
	peer_say b tx valea:b 0 $frames $A $D 200 burst=16 gap=1000
	while peer c cycle 5 "net_vale0,port=valea:x,queues=$1" && traffic_goes_on; do
		NB_CYCLES=$((NB_CYCLES + 5))
	done
	for name in a b a2 b2; do
		peer_wait $name
		case $name in
		?) [ "$(value sent)" = $frames ] || die "$name sent $(value sent)" ;;
		*) [ "$(value packets) $(value in_order) $(value bad) $(value odd) $(value first) $(value last)" = \
			"$frames yes 0 0 0 $((frames - 1))" ] || die "$name received: $ANSWER" ;;
		esac
	done
}

heap=$(ctl -j get heap_free | json 'd["heap_free"]')
for queues in 1 16; do
	NB_CYCLES=0
	for ((i = 1; NB_CYCLES < cycles / 2; i++)); do
		round $queues
	done
	ok "$((i - 1)) times $frames frames both ways, all in order, while $NB_CYCLES ports with $queues queues came and went"
done
expect_eq 0 "$(ctl -j stats | json 'sum(sum(p["drops"].values()) for p in d["ports"])')" "no drops"
expect_eq 4 "$(ctl -j stats | json 'len(d["ports"])')" "no port is left over"
expect_eq "$heap" "$(ctl -j get heap_free | json 'd["heap_free"]')" "the group's heap is as before"
peer c attach net_vale0,port=valea:x
answer_has "the port id is as before" id=4
mbufs_settle "$free" "at the end"
