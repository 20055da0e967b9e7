#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a lock of EAL's or ethdev's that a killed secondary held is released within a second, by name, and
# what it protects is whole.
#
# Steps:
#  1. Each lock alone: for reading, for writing, with a writer that waits. A secondary that holds it is killed. The
#     switch says that it released it, within a second; vale-ctl answers, the secondary is forgotten.
#  2. Locks nested in each other.
#  3. A heap in the middle of a split is mended; nothing of it is lost.
#  4. A heap's lock with memory_hotplug_lock, as when shared memory grows: it is given time.
#  5. While living processes hold locks shortly, without a break, none is taken from them.
#  6. After all that a new secondary starts and attaches, shared memory grows, traffic passes, nothing was lost.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/fault/shared.sh
. "$(dirname "$0")/shared.sh"

# held_and_killed TEXT MILLISECONDS WHAT...
held_and_killed() {
	local text=$1 limit=$2 before from took

	shift 2
	before=$(variable locks_released)
	shared_start "$@" || die "$text: $(cat "$WORK/shared.err")"
	shared_kill
	from=$(date +%s%3N)
	until [ "$(variable locks_released)" -gt "$before" ]; do
		took=$(($(date +%s%3N) - from))
		[ "$took" -lt "$limit" ] || die "$text: not released after $took ms"
	done
	ok "$text: released after $(($(date +%s%3N) - from)) ms"
}

# said TEXT: the switch has.
said() {
	grep -qF -- "$1" "$WORK/switch.err" || die "the switch did not say '$1'"
	ok "it says: $1"
}

switch_start
ctl set verbose 2
peer_start a valea:a
peer_start b valea:b
ctl fdb valea add $B valea:b
traffic "before"

# 1
for lock in hotplug:r hotplug:w hotplug:wait memzones:r memzones:w memzones:wait tailqs:r tailqs:w tailqs:wait \
	mempools:r mempools:w timers: heap: ethdev: array:r array:w; do
	held_and_killed "$lock" 1000 hold $lock
done
for name in memory_hotplug_lock "lock of memzones" "lock of tailqs" "lock of mempools" "lock of timers" "heap socket_0" \
	"ethdev's ownership lock" "array of memzones"; do
	said "$name was left"
done
held_and_killed "three readers" 1000 hold hotplug:r hotplug:r hotplug:r
said "memory_hotplug_lock was left locked for reading (3 times)"
traffic "after each lock"

# 2
before=$(variable locks_released)
held_and_killed "nested, the first" 1000 hold mempools:w memzones:w heap:
variable_settles locks_released $((before + 3)) 2 "the two around it, too"

# 3
free=$(variable heap_free)
held_and_killed "half-split heap" 1000 break-heap
said "heap socket_0 was half-changed, and has been mended"
lost=$((free - $(variable heap_free)))
[ "$lost" -le 155904 ] || die "$lost bytes of the heap are lost"
ok "the heap has as much free as before, but $lost bytes"

# 4
held_and_killed "growth" 3000 hold heap: hotplug:w
said "may have been killed while shared memory grew or shrank"
sleep 1

# 5
before=$(variable locks_released)
for i in 1 2 3; do
	for k in 1 2; do
		"$SHARED" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "$((40 + k))@0-1" -d "$PMD" \
			-- hammer 1500 >"$WORK/hammer$k.out" 2>&1 &
		eval "hammer$k=\$!"
	done
	sleep 0.7
	shared_start hold || die "$(cat "$WORK/shared.err")"
	shared_kill
	# shellcheck disable=SC2154
	wait "$hammer1" && wait "$hammer2" || die "hammer: $(tail -n 3 "$WORK"/hammer?.out)"
done
expect_eq "$before" "$(variable locks_released)" "no lock was taken from the living"

# 6
shared_start grow 300000000 || die "shared memory does not grow: $(cat "$WORK/shared.err")"
wait "$SHARED_PID"
ok "shared memory grows"
peer_start c valea:c
ok "a secondary starts and attaches"
traffic "after all"
