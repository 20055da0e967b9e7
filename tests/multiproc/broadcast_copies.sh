#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a broadcast reaches all but its source, each as a copy of its own: what one receiver writes into its
# frames shows in nobody else's.
#
# Steps:
#  1. A sends broadcasts; a stock testpmd in macswap mode rewrites its copies and sends them back to A.
#  2. Only when they are back do B and C look at theirs: untouched. A sees the rewritten ones: they fail the sum.
#  3. The same with chains; with multicast; with testpmd being first and last of the receivers.
#  4. All mbufs come back.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

n=100
switch_start

# check LEN DST TEXT
check() {
	counters_mark
	peer a tx valea:a 0 $n "$2" $A "$1"
	peer a rx valea:a 50 expect=$n
	answer_has "$3: the swapped ones are back, and look it" packets=$n bad=$n
	peer b rx valea:b 50 expect=$n
	got_all $n "$3: B's are untouched"
	peer c rx valea:c 50 expect=$n
	got_all $n "$3: C's are untouched"
	FLOODED=$((2 * n)) expect_changes "$3: all but the source, each once" "valea:a rx_packets +$n" \
		"valea:b tx_packets +$n" "valea:c tx_packets +$n" "valea:m tx_packets +$n" \
		"valea:m rx_packets +$n" "valea:a tx_packets +$n"
}

# check_all TEXT
check_all() {
	check 100 $BROADCAST "$1, broadcast"
	check 9216 $BROADCAST "$1, broadcast in chains"
	check 100 01:00:5e:00:00:01 "$1, multicast"
}

free=$(mbufs_free)
testpmd_start swap macswap valea:m
testpmd_ask swap start
peer_start a valea:a
peer_start b valea:b
peer_start c valea:c
check_all "testpmd attached first"
client_stop swap
testpmd_start swap macswap valea:m
testpmd_ask swap start
check_all "testpmd attached last"
clients_stop
mbufs_settle "$free" "afterwards"
