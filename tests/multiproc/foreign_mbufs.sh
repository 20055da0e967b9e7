#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: mbufs that are not the switch's alone never reach another process: they are copied, and counted.
#
# Steps:
#  1. Of the switch's pool, data at odd places too: travel as they are.
#  2. Of another pool, clones, external memory, held by the sender as well: copied, one by one, content right; the
#     receiver finds mbufs of the switch's pool that are its own.
#  3. Short ones, ones of 1,500 bytes and chains; unicast and flooded.
#  4. Nothing leaks: in the sender's own pool, in the switch's.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

n=300
switch_start
free=$(mbufs_free)
peer_start a valea:a
peer_start b valea:b
ctl fdb valea add $B valea:b
own=0

# pass KIND COPIED: frames of all lengths, each of which must be counted so often
pass() {
	local len dst want

	for len in 60 1500 5000; do
		for dst in $B $BROADCAST; do
			peer a reset valea:a
			peer a tx valea:a 0 $n $dst $A $len kind="$1"
			peer b rx valea:b 50 expect=$n
			got_all $n "$1, $len bytes to $dst"
			want=$(($2 * n))
			peer a xstats valea:a
			answer_has "$want of them copied" tx_copied=$want tx_no_mbuf=0 tx_good_packets=$n
		done
	done
	peer a free
	[ "$1" != own ] || own=$(value own)
}

for kind in plain headroom; do
	pass $kind 0
done
for kind in own clone ext ref2; do
	pass $kind 1
done
expect_eq 1023 "$own" "the sender's own pool is full again"
sees_nothing b valea:b "nothing came twice"
peer a tx valea:a 0 64 $B $A 3000 kind=own seg=7 burst=2
peer b rx valea:b 50 expect=64
got_all 64 "many tiny segments of another pool"
mbufs_settle "$free" "afterwards"

# a copy that cannot be made
ctl set quota "$free" # one client is to take all
peer b hold 60000
peer a reset valea:a
counters_mark
peer a tx valea:a 0 500 $B $A 60 kind=own
peer a xstats valea:a
got=$(value tx_copied)
none=$(value tx_no_mbuf)
expect_eq 500 $((got + none)) "without mbufs each frame is copied or counted as tx_no_mbuf"
[ "$none" -gt 0 ] || die "$got copies were made without mbufs"
peer b rx valea:b 50 expect=$got
answer_has "those copied arrive" packets="$got" bad=0 in_order=yes
peer a free
expect_eq 1023 "$(value own)" "none of the dropped ones leaked"
peer b release
mbufs_settle "$free" "at the end"
