#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: secondaries that are killed under full load, at random, cost the others nothing.
#
# Environment: VALE_TEST_KILLS, how many (100). VALE_TEST_GONE_MS, how long a port of the dead may stay at most (2000: it
# is 100 ms on a machine with a CPU for each that runs here, and the longest is told).
#
# Steps:
#  1. a sends numbered frames to b. Meanwhile three others, of many kinds, send and receive all they can: to a sink that
#     never reads, by broadcast (that reaches b as well), to each other. All three are killed at random moments.
#  2. After each kill its port goes in time, and another process attaches under the name at once. After each three, not one of
#     the frames from a to b is lost, bad or out of order.
#  3. At the end, when the others have gone too, all mbufs are back, and all of the heap: what the killed took with
#     rte_malloc(), which as long as any secondary lives is only counted. It is told by what is in use: what is free may
#     be less than before, as pages that are free as a whole go back to the system.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

KILLS=${VALE_TEST_KILLS:-100}
GONE_MS=${VALE_TEST_GONE_MS:-2000}
NB_VICTIMS=3
FRAMES=2400
RING_SIZE=4096 # four that nobody reads fill up
SINK=02:00:00:00:00:55
# testpmd sends to 02:00:00:00:00:ID of its port, so these are others
A=02:00:00:00:01:0a
B=02:00:00:00:01:0b
C=02:00:00:00:01:0c
LCORES_AT=20
declare -A VICTIM
GONE_MAX=0
n=0

now_us() {
	echo "${EPOCHREALTIME/./}"
}

variable() {
	ctl -j get "$1" | json "d[\"$1\"]"
}

heap_is_back() {
	[ "$(variable orphan_bytes) $(variable client_heap)" = "0 0" ]
}

# victim_pmd I MODE VDEVS... [-- OPTIONS]: stock testpmd, forwarding from the start.
victim_pmd() {
	local i=$1 mode=$2 at=$((LCORES_AT + 2 * $1)) k=0 vdevs=()

	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		vdevs+=("--vdev=net_vale_v${i}_$k,port=$1")
		k=$((k + 1))
		shift
	done
	[ $# -eq 0 ] || shift
	# without commands testpmd runs until it reads something
	sleep 1000 | exec_victim "$i" stdbuf -oL dpdk-testpmd --proc-type secondary --file-prefix "$PREFIX" --no-pci \
		--lcores "$at@0-1,$((at + 1))@0-1" -d "$PMD" "${vdevs[@]}" -- --forward-mode="$mode" "$@"
}

# victim_peer I PORT COMMAND...: vale-peer, with one command that never ends.
victim_peer() {
	local i=$1 port=$2 at=$((LCORES_AT + 2 * $1))

	shift 2
	exec_victim "$i" "$PEER" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "$at@0-1" -d "$PMD" \
		"--vdev=net_vale_v$i,port=$port" <<<"$*"
}

exec_victim() {
	local i=$1

	shift
	"$@" >"$WORK/victim$i.out" 2>"$WORK/victim$i.err"
}

# victim_start I KIND: in the background. Ports are valea:vI, and for two kinds others.
victim_start() {
	local i=$1

	echo "$2" >"$WORK/victim$i.kind"
	case $2 in
	txonly) victim_pmd "$i" txonly "valea:v$i" ;;
	rxonly) victim_pmd "$i" rxonly "valea:v$i" ;;
	io) victim_pmd "$i" io "valea:v$i" "valeb:v$i" ;;
	macswap) victim_pmd "$i" macswap "valea:v$i" ;;
	chains) victim_peer "$i" "valea:v$i" "tx valea:v$i 0 4000000000 $SINK $C 3000 seg=500" ;;
	copies) victim_peer "$i" "valea:v$i" "tx valea:v$i 0 4000000000 $SINK $C 300 kind=own" ;;
	# b's ring holds half a second of it, if b should not get its turn for so long
	flood) victim_peer "$i" "valea:v$i" "tx valea:v$i 0 4000000000 $BROADCAST $C 30 gap=4000" ;;
	swap) victim_peer "$i" "valea:v$i" "macswap valea:v$i 600000" ;;
	esac 2>/dev/null &
	JOB[$i]=$!
}
declare -A JOB

# victim_ready I: wait until it has its port; sets VICTIM[I] to its pid.
victim_ready() {
	local i=$1

	until VICTIM[$i]=$(port "valea:v$i" pid 2>/dev/null) && [ "${VICTIM[$i]}" != null ]; do
		kill -0 "${JOB[$i]}" 2>/dev/null ||
			die "$(cat "$WORK/victim$i.kind") does not start: $(tail -n 3 "$WORK/victim$i.err")"
		sleep 0.02
	done
}

# has_ended PID: all of its threads.
has_ended() {
	local stat

	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	[[ $stat == *") Z "* ]]
}

# victim_kill I: and see its port go.
victim_kill() {
	local i=$1 start ms dead=

	start=$(now_us)
	kill -KILL "${VICTIM[$i]}"
	while "$VALE_BUILD/app/vale-ctl" --socket "$SOCKET" show "valea:v$i" >/dev/null 2>&1; do
		[ $(($(now_us) - start)) -lt 10000000 ] || die "valea:v$i stays, though its client was killed"
		[ -n "$dead" ] || ! has_ended "${VICTIM[$i]}" || dead=$((($(now_us) - start) / 1000))
	done
	ms=$((($(now_us) - start) / 1000))
	[ $ms -le "$GONE_MS" ] || die "valea:v$i of $(cat "$WORK/victim$i.kind") went only after $ms ms," \
		"its process after ${dead:-as many}; load: $(cat /proc/loadavg)"
	[ $ms -le $GONE_MAX ] || GONE_MAX=$ms
	peer next attach "net_vale_next,port=valea:v$i"
	peer next detach "valea:v$i"
	pkill -KILL -P "${JOB[$i]}" 2>/dev/null || true
	wait "${JOB[$i]}" 2>/dev/null || true
	n=$((n + 1))
}

kinds=(txonly flood rxonly io flood macswap chains copies swap flood txonly)
switch_start -- --mbufs 40960 --ring-size $RING_SIZE
free=$(mbufs_free)
peer_start a valea:a
peer_start b valea:b
peer_start sink valea:sink
peer_start next valea:next
ctl fdb valea add $B valea:b
ctl fdb valea add $SINK valea:sink
for ((i = 0; i < 32; i++)); do
	ctl fdb valea add "$(printf '02:00:00:00:00:%02x' $i)" valea:sink
done
while [ $n -lt "$KILLS" ]; do
	from=$n
	what=
	for ((i = 0; i < NB_VICTIMS; i++)); do
		kind=${kinds[(n + i) % ${#kinds[@]}]}
		what+=" $kind"
		victim_start $i "$kind"
	done
	for ((i = 0; i < NB_VICTIMS; i++)); do
		victim_ready $i
	done
	# its ring is full of what was flooded meanwhile
	peer b rx valea:b 5 want=$RING_SIZE
	peer_say b rx valea:b 3000 first=8000 good=$FRAMES
	peer_say a tx valea:a 0 $FRAMES $B $A 100 burst=8 gap=2000
	for i in $(shuf -i 0-$((NB_VICTIMS - 1))); do
		sleep "0.0$((RANDOM % 90 + 10))"
		victim_kill "$i"
	done
	peer_wait a
	peer_wait b
	# floods came in between: those of a client, which are too short to be numbered
	[ "$(value in_order) $(value bad) $(($(value packets) - $(value alien)))" = "yes 0 $FRAMES" ] ||
		die "kills $from to $n,$what: $ANSWER; $(ctl show valea:b); $(ctl show valea:a); load: $(cat /proc/loadavg)"
done
ok "$n kills under load: not one frame is lost or out of order, all names are free at once"
ok "a port was there for $GONE_MAX ms at most after its process was killed"
left=$(variable client_heap)
for name in a b sink next; do
	client_stop $name
done
mbufs_settle "$free" "after $n kills"
retry 10 heap_is_back || die "orphan_bytes is $(variable orphan_bytes), client_heap $(variable client_heap)"
ok "after $n kills: nothing of the heap is in use by clients, of $left bytes while others lived"
