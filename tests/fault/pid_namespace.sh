#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a secondary in a PID namespace of its own, as in a container, is not taken for a process of the same number.
#
# (Two secondaries that call themselves by the same number DPDK itself does not start.)
#
# Steps:
#  1. A secondary of ours, and one in a namespace below, which calls itself by the number of a third process of ours; both have
#     a port and hold mbufs. vale-ctl names both by numbers that mean something here.
#  2. The third process ends: the inner secondary keeps its mbufs and its port, which works. Ours is killed: its mbufs are back.
#  3. The inner one is killed: its port goes, all mbufs are back.
#  4. The same with one that has no port, and a pool and memory of its own: kept, then freed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/fault/shared.sh
. "$(dirname "$0")/shared.sh"

HELD=600

# inner NUMBER COMMAND...: run in a PID namespace of its own, where it has this number; with our /proc, as DPDK in a
# container without one.
inner() {
	local number=$1

	shift
	# shellcheck disable=SC2016
	exec unshare --pid --fork --kill-child=KILL sh -c '
		[ "$1" -le 2 ] || echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid
		shift
		exec 3<&0 # what runs in the background has no input otherwise
		"$@" <&3 &
		wait' inner "$number" "$@"
}

# inner_peer_start NAME NUMBER PORT
inner_peer_start() {
	local name=$1 number=$2 fd

	next_lcore
	rm -f "$WORK/$name.in" "$WORK/$name.answers"
	mkfifo "$WORK/$name.in" "$WORK/$name.answers"
	exec {fd}<>"$WORK/$name.in"
	CLIENT_FD[$name]=$fd
	exec {fd}<>"$WORK/$name.answers"
	PEER_FD[$name]=$fd
	(inner "$number" "$PEER" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "$LCORES" -d "$PMD" \
		"--vdev=net_vale_$name,port=$3" <"$WORK/$name.in" >"$WORK/$name.answers" 2>"$WORK/$name.err") &
	CLIENT_PID[$name]=$!
	peer_read "$name" 30
	[ "$ANSWER" = "ok ready" ] || die "peer $name did not start: $ANSWER: $(tail -n 3 "$WORK/$name.err")"
}

pids() {
	ctl -j secondaries | json '" ".join(str(s["pid"]) for s in sorted(d["secondaries"], key=lambda s: s["pid"]))'
}

# number_inside PID: as it calls itself.
number_inside() {
	awk '/^NSpid:/ { print $NF }' "/proc/$1/status"
}

holds() {
	[ "$(mbufs_free)" -le $((free - $1)) ] || die "$2: $(mbufs_free) mbufs are free, of $free"
	ok "$2"
}

# mbufs_settle_above N TEXT
mbufs_settle_above() {
	local end=$((SECONDS + 5))

	until [ "$(mbufs_free)" -ge "$1" ]; do
		[ "$SECONDS" -lt "$end" ] || die "$2: $(mbufs_free) mbufs are free, of $free"
		sleep 0.1
	done
	ok "$2"
}

switch_start
ctl set verbose 2
free=$(mbufs_free)

# decoy: sets DECOY to a process of ours that is no secondary.
decoy() {
	sleep 1000 &
	DECOY=$!
}

decoy_ends() {
	kill "$DECOY"
	wait "$DECOY" 2>/dev/null || true
	sleep 1.5 # the switch looks at processes a few times a second
}

# 1
peer_start h valea:h
decoy
inner_peer_start c "$DECOY" valea:c
inside=$(port valea:c pid)
expect_eq "$DECOY" "$(number_inside "$inside")" "it calls itself $DECOY, and is $inside here"
peer h hold $HELD
peer c hold $HELD
expect_eq "$(printf '%s\n' "${CLIENT_PID[h]}" "$inside" | sort -n | xargs)" "$(pids)" "vale-ctl secondaries names both"
holds $((2 * HELD)) "both hold mbufs"

# 2
decoy_ends
holds $((2 * HELD)) "the other process of that number has ended: nobody lost a mbuf"
client_kill h
mbufs_settle_above $((free - 2 * HELD + 64)) "ours is killed: its mbufs are back"
holds $HELD "the inner one has its own still"
expect_eq "$inside" "$(pids)" "and is known"
peer_start a valea:a
ctl fdb valea add $C valea:c
peer_say c rx valea:c 500 expect=64 want=64
peer_say a tx valea:a 0 64 $C $A 100 gap=1000
peer_wait a
peer_wait c
[ "$(value packets)" = 64 ] || die "its port does not work: $ANSWER"
ok "its port works"
client_stop a

# 3
kill -KILL "$inside"
wait_text "$WORK/switch.err" "process $inside (vale-peer) has ended" 5
retry 15 sh -c "! $VALE_BUILD/app/vale-ctl --socket $SOCKET show valea:c" || die "the inner one's port stays"
client_forget c
mbufs_settle "$free" "the inner one is killed"
variable_settles secondaries 0 15 "nobody is left"

# 4
heap=$(variable heap_free)
decoy
next_lcore
: >"$WORK/inner.out"
(inner "$DECOY" "$SHARED" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "$LCORES" -d "$PMD" -- make own \
	>"$WORK/inner.out" 2>"$WORK/inner.err") &
inner_shell=$!
wait_text "$WORK/inner.out" "done" 15
variable_settles secondaries 1 15 "one without a port"
inside=$(pids)
expect_eq "$DECOY" "$(number_inside "$inside")" "it calls itself $DECOY, and is $inside here"
decoy_ends
expect_eq "$inside" "$(pids)" "the other process of that number has ended"
shared_start find own quit || die "its memory is gone: $(tail -n 2 "$WORK/shared.err")"
wait "$SHARED_PID"
ok "its memory is there"
kill -KILL "$inside"
variable_settles secondaries 0 15 "it is killed"
variable_settles heap_free "$heap" 15 "its memory is back"
wait "$inner_shell" 2>/dev/null || true
