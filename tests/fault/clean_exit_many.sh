#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: secondaries that come and go in good order, many times, take nothing with them.
#
# Environment: VALE_TEST_EXITS, how many (60).
#
# Steps:
#  1. Two at a time a secondary attaches, sends and receives, and exits with status 0, while a sends numbered frames to b.
#  2. Not one of these is lost; at the end mbufs_free and heap_free are what they were, no port and no file is left.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

EXITS=${VALE_TEST_EXITS:-60}
FRAMES=4000

variable() {
	ctl -j get "$1" | json "d[\"$1\"]"
}

# life I: of one secondary. To the peers its frames are too short to be numbered.
life() {
	printf "%s\n" "tx valea:c$1 0 64 $B $C 30" "rx valea:c$1 1" quit |
		"$PEER" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "$((20 + $1))@0-1" -d "$PMD" \
			"--vdev=net_vale_c$1,port=valea:c$1" >"$WORK/life$1.out" 2>"$WORK/life$1.err"
}

lives() {
	local pids=() i

	for i in 0 1; do
		life $i &
		pids+=($!)
	done
	for i in 0 1; do
		wait "${pids[$i]}" || die "exit $n of c$i: status $?: $(tail -n 3 "$WORK/life$i.err")"
		[ "$(grep -c '^ok' "$WORK/life$i.out")" = 3 ] || die "exit $n of c$i: $(cat "$WORK/life$i.out")"
		n=$((n + 1))
	done
}

n=0
switch_start -- --mbufs 16384 --ring-size 4096
free=$(mbufs_free)
peer_start a valea:a
peer_start b valea:b
ctl fdb valea add $B valea:b
lives
unread=2
heap=$(variable heap_free)
while [ $n -lt "$EXITS" ]; do
	from=$n
	nb=$((EXITS - n < 10 ? EXITS - n : 10))
	# all of a's and of theirs; a machine with more to do may let either wait for long
	peer_say b rx valea:b 8000 want=$((FRAMES + 64 * (nb + unread)))
	unread=0
	peer_say a tx valea:a 0 $FRAMES $B $A 100 burst=8 gap=4000
	while [ $((n - from)) -lt $nb ]; do
		lives
	done
	peer_wait a
	peer_wait b
	[ "$(value in_order) $(value bad) $(($(value packets) - $(value alien)))" = "yes 0 $FRAMES" ] ||
		die "exits $from to $n: $ANSWER; $(ctl show valea:b)"
done
ok "$n clean exits: all with status 0, not one frame of the others is lost"
retry 15 sh -c "[ \"\$($VALE_BUILD/app/vale-ctl --socket $SOCKET -j stats | python3 -c '
import json, sys
print(len(json.load(sys.stdin)[\"ports\"]))')\" = 2 ]" || die "ports stay: $(ctl list)"
ok "their ports have gone"
expect_eq "$heap" "$(variable heap_free)" "no heap is lost"
client_stop a
client_stop b
mbufs_settle "$free" "after $n exits"
