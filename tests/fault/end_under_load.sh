#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: SIGTERM ends the switch soon, whatever its clients do and however short of CPU it is.
#
# Steps: VALE_END_ROUNDS times (3), with VALE_END_LOAD (3) endless loops on the same CPUs:
#  1. A switch, by turns with and without memory for secondaries, and with one and two workers. Netmap programs that
#     flood as fast as they can, one for each of VALE_END_FLOODS (8) ports; memif clients, one that floods; a secondary.
#  2. Some are stopped, some killed, all at random; the rest goes on sending, or all netmap programs are killed at once.
#  3. At a random moment SIGTERM: the switch has ended within VALE_END_MS (5000), with status 0, and left no file.
# Then, with a device on the switch, whose driver wants DPDK's locks when it goes:
#  4. A secondary that holds the heap's lock is killed, and SIGTERM: the same.
#  5. A secondary that holds it is stopped: the switch ends as soon, with status 1, says why, and leaves no file.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/../memif/memif.sh"
# shellcheck source=tests/fault/shared.sh
. "$(dirname "$0")/shared.sh"

rounds=${VALE_END_ROUNDS:-3}
floods=${VALE_END_FLOODS:-8}
max_ms=${VALE_END_MS:-5000}
RANDOM=${VALE_END_SEED:-$$}
echo "seed ${VALE_END_SEED:-$$}"
export VALE_SOCKET=$SOCKET
declare -a LOAD FLOOD

now_ms() {
	date +%s%3N
}

all_attached() {
	[ "$(ctl -j list | json 'sum(len(s["ports"]) for s in d["switches"])')" -ge "$1" ]
}

floods_start() {
	local i

	FLOOD=()
	for ((i = 0; i < floods; i++)); do
		"$VALE_BUILD/app/vale-gen" -i "valef:$i" -f tx -l 1500 >"$WORK/flood.out" 2>&1 &
		FLOOD+=($!)
	done
}

# One in four is stopped, one in four killed.
disturb() {
	local pid

	for pid in "$@"; do
		case $((RANDOM % 4)) in
		0) kill -STOP "$pid" 2>/dev/null || true ;;
		1) kill -KILL "$pid" 2>/dev/null || true ;;
		esac
	done
}

forget() {
	kill -KILL "$@" 2>/dev/null || true
	wait "$@" 2>/dev/null || true
}

# end_switch STATUS TEXT: sets TOOK.
end_switch() {
	local begin status=0 left

	begin=$(now_ms)
	TOOK=0
	kill -TERM "$SWITCH_PID"
	until ! kill -0 "$SWITCH_PID" 2>/dev/null || grep -q '^State:.Z' "/proc/$SWITCH_PID/status"; do
		TOOK=$(($(now_ms) - begin))
		if [ "$TOOK" -gt "$max_ms" ]; then
			[ -z "${VALE_END_HANG:-}" ] || "$VALE_END_HANG" "$SWITCH_PID"
			die "$2: the switch has not ended after $TOOK ms"
		fi
		sleep 0.01
	done
	TOOK=$(($(now_ms) - begin))
	wait "$SWITCH_PID" || status=$?
	SWITCH_PID=
	[ "$status" = "$1" ] || die "$2: it ended with status $status"
	left=$(left_files)
	[ -z "$left" ] || die "$2: files left behind: $left"
}

# held_by SIGNAL STATUS TEXT: who holds the heap's lock gets the signal, then the switch ends.
held_by() {
	switch_start
	ctl attach valea:null net_null0,no-rx=1
	shared_start hold heap: || die "$(cat "$WORK/shared.err")"
	kill "-$1" "$SHARED_PID"
	end_switch "$2" "$3"
	forget "$SHARED_PID"
	ok "$3: the switch ends after $TOOK ms, with status $2"
}

one_round() {
	local i=$1 eal=() ports=$((floods + 3)) name

	[ $((i / 2 % 2)) = 0 ] || eal+=(--lcores "125@(0-$CPU_LAST),126@(0-$CPU_LAST),127@(0-$CPU_LAST)")
	[ $((i % 2)) = 0 ] || eal+=(--no-huge)
	switch_start "${eal[@]}"
	floods_start
	flow_start echo echo valef:e
	flow_start ping ping valef:p 100000 1000
	memif_start m txonly valef:m
	client_say m start
	if [ $((i % 2)) = 0 ]; then
		client_start d "0@(0-$CPU_LAST),1@(0-$CPU_LAST)" valef:d -- --forward-mode=txonly
		client_say d start
		ports=$((ports + 1))
	fi
	retry 40 all_attached $ports || die "not all clients attached: $(ctl list)"
	disturb "${FLOOD[@]}" "${FLOW_PID[@]}" "${CLIENT_PID[@]}"
	if [ $((i % 3)) = 2 ]; then
		kill -KILL "${FLOOD[@]}" 2>/dev/null || true
	else
		sleep "0.$((RANDOM % 400 + 100))"
	fi
	end_switch 0 "round $i"
	[ "$TOOK" -le "$worst" ] || worst=$TOOK
	forget "${FLOOD[@]}" "${FLOW_PID[@]}"
	FLOW_PID=()
	for name in "${!CLIENT_PID[@]}"; do
		client_kill "$name"
	done
	rm -rf "/run/dpdk/$PREFIX"-* # of clients that were killed
	find "$HUGE" -type f -delete
	echo "round $i: $TOOK ms"
}

CPU_LAST=$(($(nproc --all) - 1))
LOAD=()
for ((i = 0; i < ${VALE_END_LOAD:-3}; i++)); do
	bash -c 'while :; do :; done' &
	LOAD+=($!)
done
worst=0
for ((i = 0; i < rounds; i++)); do
	one_round $i
done
forget "${LOAD[@]}"
ok "$rounds times the switch ended, the slowest in $worst ms"
held_by KILL 0 "a dead process held a lock"
held_by STOP 1 "a stopped process holds a lock"
grep -q "ending without a word to clients.*heap.*is held by a process that is stopped" "$WORK/switch.err" ||
	die "it is not said why: $(cat "$WORK/switch.err")"
