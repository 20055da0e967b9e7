# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of this folder, on top of ../lib.sh: vale-peer processes, each driven by lines. They are clients
# like testpmd's (CLIENT_PID, client_kill, client_stop), and have lcore ids of their own by themselves.

PEER=$VALE_BUILD/tests/multiproc/vale-peer
declare -A PEER_FD
# What process a peer is, as EAL options: a secondary of the switch unless PEER_PROCESS says otherwise.
PEER_SECONDARY="--proc-type secondary --file-prefix $PREFIX"
NEXT_LCORE=1

# MAC addresses for the frames of tests.
A=02:00:00:00:00:0a
B=02:00:00:00:00:0b
C=02:00:00:00:00:0c
D=02:00:00:00:00:0d
BROADCAST=ff:ff:ff:ff:ff:ff

# next_lcore [N]: sets LCORES to the next N free ids (1), on any CPU.
next_lcore() {
	local i

	LCORES=
	for ((i = 0; i < ${1:-1}; i++)); do
		LCORES=${LCORES:+$LCORES,}$NEXT_LCORE@0-$(($(nproc --all) - 1))
		NEXT_LCORE=$((NEXT_LCORE + 1))
	done
}

# peer_start NAME PORT... [-- --unconfigured]: the ports are VALE names with net_vale's other arguments, if any.
peer_start() {
	local name=$1 i=0 vdevs=() fd

	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		# ids of devices are the process's own, but no two processes' here are the same
		vdevs+=("--vdev=net_vale${NEXT_LCORE}_$i,port=$1")
		i=$((i + 1))
		shift
	done
	[ $# -eq 0 ] || shift
	next_lcore
	peer_run "$name" "$LCORES" "${vdevs[@]}" -- "$@"
	peer_read "$name" 30
	[ "$ANSWER" = "ok ready" ] || die "peer $name did not start: $ANSWER: $(tail -n 3 "$WORK/$name.err")"
}

# peer_run NAME LCORES EAL-OPTIONS... -- OPTIONS: start it, and do not wait for its first answer.
peer_run() {
	local name=$1 lcores=$2 fd

	shift 2
	rm -f "$WORK/$name.in" "$WORK/$name.answers"
	mkfifo "$WORK/$name.in" "$WORK/$name.answers"
	exec {fd}<>"$WORK/$name.in"
	CLIENT_FD[$name]=$fd
	exec {fd}<>"$WORK/$name.answers"
	PEER_FD[$name]=$fd
	# shellcheck disable=SC2086
	"$PEER" ${PEER_PROCESS:-$PEER_SECONDARY} --no-pci --lcores "$lcores" -d "$PMD" "$@" \
		<"$WORK/$name.in" >"$WORK/$name.answers" 2>"$WORK/$name.err" &
	CLIENT_PID[$name]=$!
}

# peer_read NAME SECONDS: sets ANSWER to its next line; empty if it died or says nothing for so long.
peer_read() {
	local end=$((SECONDS + $2)) part=

	ANSWER=
	# what was read of a line when the time is up is not lost
	until IFS= read -r -t 0.2 -u "${PEER_FD[$1]}" part; do
		ANSWER+=$part
		[ "$SECONDS" -lt "$end" ] || return 0
		kill -0 "${CLIENT_PID[$1]}" 2>/dev/null || return 0
	done
	ANSWER+=$part
}

# peer_say NAME COMMAND...: and let it work; peer_wait NAME fetches the answer.
peer_say() {
	local name=$1

	shift
	echo "$*" >&"${CLIENT_FD[$name]}"
}

# peer_wait NAME: sets ANSWER; an error ends the test.
peer_wait() {
	peer_read "$1" 90
	case "$ANSWER" in
	"ok "*) ;;
	*) die "peer $1: '$ANSWER'" ;;
	esac
}

# peer NAME COMMAND...: sets ANSWER; an error ends the test.
peer() {
	peer_say "$@"
	peer_wait "$1"
}

# peer_refused NAME TEXT COMMAND...: the answer must be an error that has TEXT.
peer_refused() {
	local name=$1 text=$2

	shift 2
	peer_say "$name" "$@"
	peer_read "$name" 60
	case "$ANSWER" in
	"error "*"$text"*) ;;
	*) die "peer $name: $*: '$ANSWER' instead of an error with '$text'" ;;
	esac
}

# value KEY: from ANSWER.
value() {
	case " $ANSWER " in
	*" $1="*) ;;
	*) die "no '$1' in '$ANSWER'" ;;
	esac
	local rest=" $ANSWER "
	rest=${rest#*" $1="}
	echo "${rest%% *}"
}

# answer_has TEXT KEY=VALUE...: in ANSWER, all of them.
answer_has() {
	local text=$1 pair

	shift
	for pair in "$@"; do
		case " $ANSWER " in
		*" $pair "*) ;;
		*) die "$text: no $pair in '$ANSWER'" ;;
		esac
	done
	ok "$text"
}

# got_all N TEXT: ANSWER is that of an rx which found exactly N numbered frames, whole, in order, in mbufs that are
# the receiver's alone.
got_all() {
	answer_has "$2" packets="$1" in_order=yes bad=0 alien=0 odd=0
}

# send_recv FROM TO RX-PORT TX-PORT QUEUE N TX...: FROM does `tx TX-PORT QUEUE N TX...`, TO receives N frames on RX-PORT,
# however long that takes, and then nothing more. Sets ANSWER to the receiver's.
send_recv() {
	local from=$1 to=$2 port=$3

	shift 3
	peer "$from" tx "$@"
	peer "$to" rx "$port" 50 expect="$3"
}

# sees_nothing NAME PORT TEXT
sees_nothing() {
	peer "$1" rx "$2" 150
	answer_has "$3" packets=0
}

# port_goes PORT: soon, its client having gone
port_goes() {
	local end=$((SECONDS + 15))

	while ctl show "$1" >"$WORK/port_goes" 2>&1; do
		[ "$SECONDS" -lt "$end" ] || die "$1 stays, though its client has gone"
		sleep 0.02
	done
}

# mbufs_free: in the switch's pool.
mbufs_free() {
	ctl -j get mbufs_free | json 'd["mbufs_free"]'
}

# mbufs_settle N TEXT: all mbufs come back, those in lcore caches too, once their processes have gone.
mbufs_settle() {
	local end=$((SECONDS + 15)) got=

	until got=$(mbufs_free) && [ "$got" = "$1" ]; do
		[ "$SECONDS" -lt "$end" ] || die "$2: $got mbufs free, not $1"
		sleep 0.1
	done
	ok "$2: all $1 mbufs are free"
}

# counters: every number of every port, one a line: `valea:0 rx_packets 5`, `valea:0 drops.runt 0`.
counters() {
	ctl -j stats | python3 -c '
import json, sys
for p in json.load(sys.stdin)["ports"]:
    for k in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes"):
        print(p["name"], k, p[k])
    for k, v in p["drops"].items():
        print(p["name"], "drops." + k, v)'
}

# counters_mark: remember them. counters_changed: those that changed since, as `valea:0 rx_packets +5`. Counters
# may be 100 ms old.
counters_mark() {
	sleep 0.15
	counters >"$WORK/counters.before"
}

# counters_go_on: nothing happened since the last look, which is the mark for the next.
counters_go_on() {
	mv "$WORK/counters.after" "$WORK/counters.before"
}

counters_changed() {
	sleep 0.15
	counters >"$WORK/counters.after"
	awk 'NR == FNR { old[$1 " " $2] = $3; next }
		$3 - old[$1 " " $2] != 0 { print $1, $2, "+" $3 - old[$1 " " $2] }' \
		"$WORK/counters.before" "$WORK/counters.after"
}

# expect_changes TEXT "PORT COUNTER +N"...: since counters_mark these counters of frames changed, each by exactly
# so much, and no other; and what the switches received, floods expanded by FLOODED copies, is what they delivered and
# dropped.
expect_changes() {
	local text=$1

	shift
	counters_changed | grep -v _bytes | sort >"$WORK/changes" || true
	printf "%s\n" "$@" | sed "/^$/d" | sort >"$WORK/changes.wanted"
	diff "$WORK/changes.wanted" "$WORK/changes" >"$WORK/changes.diff" ||
		die "$text: wanted (<) and found (>): $(cat "$WORK/changes.diff")"
	awk -v flooded="${FLOODED:-0}" '
		$2 == "rx_packets" { rx += $3 }
		$2 == "tx_packets" || $2 ~ /^drops/ { out += $3 }
		END { exit rx + flooded != out }' "$WORK/changes" ||
		die "$text: rx with floods expanded is not tx plus drops: $(tr '\n' ',' <"$WORK/changes")"
	ok "$text"
}

# ---- stock testpmd ----------------------------------------------------------------------

# testpmd_start NAME MODE PORT...: forwarding in MODE once it is told `start`.
testpmd_start() {
	local name=$1 mode=$2

	shift 2
	next_lcore 2
	client_start "$name" "$LCORES" "$@" -- --forward-mode="$mode"
}

# testpmd_ask NAME COMMAND: what it prints in answer is in $WORK/NAME.said. When it is done its prompt comes, without
# a newline behind it.
testpmd_ask() {
	local from

	from=$(stat -c %s "$WORK/$1.out")
	client_say "$1" "$2"
	retry 20 sh -c "tail -c +$((from + 1)) $WORK/$1.out | grep -q 'testpmd> $'" ||
		die "testpmd $1 does not answer: $2"
	tail -c +$((from + 1)) "$WORK/$1.out" >"$WORK/$1.said"
}

# testpmd_stat NAME FIELD: e.g. RX-packets, over all its ports.
testpmd_stat() {
	testpmd_ask "$1" "show port stats all"
	awk -v field="$2:" '{ for (i = 1; i < NF; i++) if ($i == field) n += $(i + 1) }
		END { printf "%.0f\n", n }' "$WORK/$1.said"
}
