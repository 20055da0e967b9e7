#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: with several workers all is as with one: learning, order from each queue to each destination, private
# copies, exact counters.
#
# Steps, with 2 and with 3 workers:
#  1. Flood until learned, then unicast; a MAC that moves.
#  2. 8 queues to 8, and to 3: order within each queue.
#  3. Three senders, on different workers, into one receiver with one queue at the same time: each in order, all there.
#  4. Broadcasts of several senders at once: every receiver gets each, whole; counters exact.
#  5. Ports that come and go under that.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

cpus=0-$(($(nproc --all) - 1))

learn() {
	peer a tx valea:a 0 40 $B $A 100
	peer b rx valea:b 50 expect=40
	got_all 40 "$1: unknown, flooded to B"
	peer c rx valea:c 50 expect=40
	got_all 40 "$1: and to C"
	peer b tx valea:b 3 1 $A $B 60
	peer a rx valea:a 20 expect=1
	peer a tx valea:a 0 40 $B $A 100
	peer b rx valea:b 50 expect=40
	got_all 40 "$1: learned, to B"
	sees_nothing c valea:c "$1: C sees none"
	peer c tx valea:c 0 1 $A $B 60
	peer a rx valea:a 20 expect=1
	peer a tx valea:a 5 40 $B $A 100
	peer c rx valea:c 50 expect=40
	got_all 40 "$1: moved, to C"
	sees_nothing b valea:b "$1: B sees none"
}

order() {
	ctl fdb valea add $B valea:b
	peer a tx valea:a all 6400 $B $A 100 gap=100
	peer b rx valea:b 50 expect=6400
	got_all 6400 "$1: 8 queues to 8"
	answer_has "$1: each in its queue" wrong_queue=0 streams=8
	peer_start d valea:d,queues=3
	ctl fdb valea add $D valea:d
	peer a tx valea:a all 6400 $D $A 100 gap=100
	peer d rx valea:d 50 expect=6400
	got_all 6400 "$1: 8 queues to 3"
	answer_has "$1: each in its queue" wrong_queue=0 streams=8
	client_stop d
}

# into_one TEXT: from all of a's and b's queues, to c's one
into_one() {
	ctl fdb valea add $C valea:c
	peer_start e valea:e,queues=2
	counters_mark
	# all of it fits into c's ring, so that none is lost whoever waits for a CPU
	for round in 1 2 3 4 5; do
		peer_say c rx valea:c 50 expect=4032
		peer_say a tx valea:a all 1344 $C $A 200
		peer_say b tx valea:b all 1344 $C $B 200
		peer_say e tx valea:e all 1344 $C $D 200
		for name in a b e c; do peer_wait $name; done
		got_all 4032 "$1: three senders into one queue, $round"
		answer_has "$1: all streams, $round" streams=18
	done
	expect_changes "$1: counted" "valea:a rx_packets +6720" "valea:b rx_packets +6720" "valea:e rx_packets +6720" \
		"valea:c tx_packets +20160"
	client_stop e
}

flood() {
	counters_mark
	# a and b read only afterwards, c may wait for a CPU: a ring holds 4,096
	peer_say c rx valea:c 50 expect=4032
	peer_say a tx valea:a all 2016 $BROADCAST $A 1000 gap=2000
	peer_say b tx valea:b all 2016 $BROADCAST $B 1000 gap=2000
	peer_start x
	peer x cycle 50 net_vale_x,port=valeb:x,queues=16
	for name in a b; do peer_wait $name; done
	peer_wait c
	got_all 4032 "$1: floods of two senders at once"
	for name in a b; do
		peer $name rx valea:$name 50 expect=2016
		got_all 2016 "$1: $name has the other's"
	done
	FLOODED=4032 expect_changes "$1: counted" "valea:a rx_packets +2016" "valea:b rx_packets +2016" \
		"valea:a tx_packets +2016" "valea:b tx_packets +2016" "valea:c tx_packets +4032"
	client_stop x
}

for workers in 2 3; do
	lcores=119@$cpus
	for ((i = 0; i < workers; i++)); do lcores=$lcores,$((120 + i))@$cpus; done
	switch_start --lcores "$lcores" -- --ring-size 4096 --mbufs 32768
	free=$(mbufs_free)
	threads=$(cat "/proc/$SWITCH_PID/task/"*/comm | grep -c '^vale-worker' || true)
	expect_eq $workers "$threads" "$workers workers"
	peer_start a valea:a,queues=8
	peer_start b valea:b,queues=8
	peer_start c valea:c
	learn "$workers workers"
	order "$workers workers"
	into_one "$workers workers"
	flood "$workers workers"
	expect_eq 0 "$(ctl -j stats | json 'sum(sum(p["drops"].values()) for p in d["ports"])')" "$workers workers: no drops"
	clients_stop
	mbufs_settle "$free" "$workers workers"
	switch_stop
done
