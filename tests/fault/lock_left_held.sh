#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a lock of EAL's or ethdev's that a killed secondary held is released within a second, by name, and
# what it protects is whole.
#
# Steps:
#  1. Each lock alone: for reading, for writing, with a writer that waits. A secondary that holds it is killed. The
#     switch says that it released it, within a second; vale-ctl answers, the secondary is forgotten.
#     Meanwhile vale-ctl attaches a device, or detaches one, for which DPDK wants such locks: it succeeds within a second.
#  2. Locks nested in each other. While one is held by a process that lives, vale-ctl attach waits, others do not: a port
#     of the dead goes, requests are answered. It succeeds when the lock is free. So does a netmap program that attaches an
#     interface.
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

# device_request: attach a device, or detach the one that is there, in the background.
device_request() {
	if [ -z "$DEVICE" ]; then
		DEVICE=attached
		ctl attach valea:null net_null0,no-rx=1 >"$WORK/device.out" 2>&1 &
	else
		DEVICE=
		ctl detach valea:null >"$WORK/device.out" 2>&1 &
	fi
	DEVICE_JOB=$!
}
DEVICE=

# device_done TEXT: what was asked for is there.
device_done() {
	wait "$DEVICE_JOB" || die "$1: vale-ctl attach or detach: $(cat "$WORK/device.out")"
	if [ -n "$DEVICE" ]; then
		[ "$(port valea:null kind)" = ethdev ] || die "$1: no device is attached"
	else
		! ctl show valea:null >"$WORK/device.out" 2>&1 || die "$1: the device stays"
	fi
}

# held_and_killed TEXT MILLISECONDS WHAT...: where a machine with more to do keeps the switch's thread off its CPU, once
# more.
held_and_killed() {
	local text=$1 limit=$2 try

	shift 2
	for try in 1 2 3; do
		held_once "$text" "$limit" "$@"
		[ "$RELEASED_MS" -ge "$limit" ] || return 0
		echo "# $text: try $try: released after $RELEASED_MS ms"
	done
	die "$text: released after $RELEASED_MS ms"
}

# held_once TEXT MILLISECONDS WHAT...: sets RELEASED_MS, as the switch tells it: programs take long to start where there is
# more to do.
held_once() {
	local text=$1 limit=$2 before from took

	shift 2
	before=$(variable locks_released)
	shared_start "$@" || die "$text: $(cat "$WORK/shared.err")"
	device_request
	shared_kill
	from=$(date +%s%3N)
	until [ "$(variable locks_released)" -gt "$before" ]; do
		took=$(($(date +%s%3N) - from))
		[ "$took" -lt $((limit + 20000)) ] || die "$text: not released after $took ms"
	done
	RELEASED_MS=$(sed -n 's/.*released after \([0-9]*\) ms.*/\1/p' "$WORK/switch.err" | tail -n 1)
	device_done "$text"
	ok "$text: released after $RELEASED_MS ms; a device ${DEVICE:-detached} after $(($(date +%s%3N) - from)) ms"
}

# goes PORT MILLISECONDS TEXT
goes() {
	local from

	from=$(date +%s%3N)
	while ctl show "$1" >"$WORK/device.out" 2>&1; do
		[ $(($(date +%s%3N) - from)) -lt "$2" ] || die "$3: $1 stays"
	done
	ok "$3: $1 is gone after $(($(date +%s%3N) - from)) ms"
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
variable_settles locks_released $((before + 3)) 15 "the two around it, too"

peer_start c valea:c
ip link add nmif type veth peer name nmif1
shared_start hold mempools:w tailqs:w || die "$(cat "$WORK/shared.err")"
device_request
"$VALE_BUILD/tests/netmap/switch-requests" "$SOCKET" interface >"$WORK/netmap.out" 2>&1 &
netmap=$!
retry 5 ctl show vale7:a || die "no netmap program"
sleep 0.3
client_kill c
goes valea:c 10000 "while a device waits for locks"
# the end of c makes the switch look at locks, and take them from who has held them for so long; its port went before
awk -v holder="process $SHARED_PID " '
	index($0, holder) && /starts/ { held = 1 }
	held && /was left locked/ { late = 1 }
	/port valea:c lost its client/ { found = 1; exit }
	END { exit late || !found }' "$WORK/switch.err" || die "valea:c went only when locks were free"
ctl secondaries >"$WORK/secondaries"
traffic "while a device waits for locks"
shared_kill
device_done "after the holder's end"
wait "$netmap" || die "a netmap program cannot attach an interface: $(cat "$WORK/netmap.out")"
ok "the device, too, when the holder is dead, and a netmap program's interface"

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
