#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a secondary that is killed at any instant of EAL's start hangs nobody and costs no more than the
# 152 KB of heap that EAL takes for it.
#
# Environment: VALE_TEST_KILLS, how many (100).
#
# Steps:
#  1. A secondary is killed after random times from its exec on, in batches of ten; while it starts another process does,
#     too, now and then, and is killed as well.
#  2. After each batch the switch answers, and a new secondary starts, attaches and gets traffic, within seconds.
#  3. At the end heap_free has lost at most 152 KB a kill, shared memory grows, and no file of the dead is left.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/fault/shared.sh
. "$(dirname "$0")/shared.sh"

KILLS=${VALE_TEST_KILLS:-100}
HEAP_LOSS=155904

# launch: a secondary with a port, that does nothing once it has started; sets VICTIM.
launch() {
	"$SHARED" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "90@0-1,91@0-1" -d "$PMD" \
		--vdev=net_vale0,port=valea:v -- hold </dev/null >"$WORK/victim.out" 2>&1 &
	VICTIM=$!
}

# start_time: sets START_MS to how long it takes until it is ready.
start_time() {
	local from

	from=$(date +%s%3N)
	launch
	retry 20 grep -qx done "$WORK/victim.out" || die "it does not start: $(tail -n 2 "$WORK/victim.out")"
	START_MS=$(($(date +%s%3N) - from))
	kill_victim "$VICTIM"
}

kill_victim() {
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

switch_start
ctl set verbose 2
free=$(variable heap_free)
peer_start a valea:a
peer_start b valea:b
ctl fdb valea add $B valea:b
traffic "before"
start_time
echo "a secondary takes $START_MS ms to start"

for ((n = 0; n < KILLS; )); do
	for ((i = 0; i < 10 && n < KILLS; i++, n++)); do
		launch
		first=$VICTIM
		sleep "$(printf '0.%03d' $((RANDOM % (START_MS < 999 ? START_MS : 999))))"
		if [ $((RANDOM % 4)) = 0 ]; then
			launch
			kill_victim "$first"
			sleep "$(printf '0.%03d' $((RANDOM % 100)))"
			kill_victim "$VICTIM"
			n=$((n + 1))
		else
			kill_victim "$first"
		fi
	done
	from=$(date +%s%3N)
	ctl list >/dev/null || die "after $n kills the switch does not answer"
	peer_start "c$n" "valea:c"
	peer "c$n" tx valea:c 0 8 $B $C 100
	peer b rx valea:b 50 expect=8
	answer_has "after $n kills a new secondary starts, attaches and sends" packets=8
	client_kill "c$n"
	took=$(($(date +%s%3N) - from))
	[ "$took" -lt 15000 ] || die "after $n kills that took $took ms"
	traffic "after $n kills"
done
echo "locks released: $(variable locks_released)"

client_stop a
client_stop b
variable_settles secondaries 0 15 "no secondary lives"
lost=$((free - $(variable heap_free)))
[ "$lost" -le $((KILLS * HEAP_LOSS)) ] || die "$lost bytes of heap are lost in $KILLS kills"
ok "$lost bytes of heap are lost in $KILLS kills; orphan_bytes: $(variable orphan_bytes)"
shared_start grow 300000000 || die "shared memory does not grow: $(cat "$WORK/shared.err")"
wait "$SHARED_PID"
ok "shared memory grows"
left=$(find "/run/dpdk/$PREFIX" -name 'mp_socket_*' -o -name 'fbarray_*_[0-9]*_*' | grep -v '_[0-9]*k-[0-9]*-[0-9]*$' || true)
expect_eq "" "$left" "no file of the dead is left"
