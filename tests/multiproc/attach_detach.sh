#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: ports that come and go on a switch cost those that stay not one frame, nor their order, and leave nothing
# behind.
#
# Steps:
#  1. Two processes exchange numbered frames, both ways, below what they can carry.
#  2. Meanwhile a third attaches and detaches a port of the same switch VALE_TEST_CYCLES (1000) times by hot plug, on
#     queues 1 to 16.
#  3. The exchange outlasted that, every frame arrived, in order, nothing was dropped; mbufs, heap and ids are as before.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

cycles=${VALE_TEST_CYCLES:-1000}
# what arrives while a process waits for its CPU must fit into its ring
switch_start -- --ring-size 8192 --mbufs 16384
free=$(mbufs_free)
peer_start a valea:a
peer_start a2 valea:a2
peer_start b valea:b
peer_start b2 valea:b2
peer_start c
ctl fdb valea add $A valea:a2
ctl fdb valea add $B valea:b2

round() {
	local n=$1 frames=$2 queues=$3

	peer_say b2 rx valea:b2 600 first=5000
	peer_say a2 rx valea:a2 600 first=5000
	peer_say a tx valea:a 0 "$frames" $B $C 200 burst=16 gap=600
	peer_say b tx valea:b 0 "$frames" $A $D 200 burst=16 gap=600
	peer c cycle "$n" "net_vale0,port=valea:x,queues=$queues"
	took=$(value ms)
	peer_read a 0
	[ -z "$ANSWER" ] || die "the traffic ended before $n cycles did: $ANSWER"
	for name in a b; do
		peer_wait $name
		expect_eq "$frames" "$(value sent)" "$name sent, while $n ports with $queues queues came and went in $took ms"
	done
	for name in a2 b2; do
		peer_wait $name
		got_all "$frames" "$name received, in order"
		answer_has "$name missed none" first=0 last=$((frames - 1))
	done
}

heap=$(ctl -j get heap_free | json 'd["heap_free"]')
for queues in 1 16; do
	# 16 frames in 0.7 ms: long enough for cycles of 4 ms, and half a second without a CPU fits into a ring
	round $((cycles / 2)) $((cycles / 2 * 60 + 20000)) $queues
done
expect_eq 0 "$(ctl -j stats | json 'sum(sum(p["drops"].values()) for p in d["ports"])')" "no drops"
expect_eq 4 "$(ctl -j stats | json 'len(d["ports"])')" "no port is left over"
expect_eq "$heap" "$(ctl -j get heap_free | json 'd["heap_free"]')" "the group's heap is as before"
peer c attach net_vale0,port=valea:x
answer_has "the port id is as before" id=4
mbufs_settle "$free" "at the end"
