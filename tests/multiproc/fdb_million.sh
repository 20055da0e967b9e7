#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a million addresses, if asked for, fit, and are listed, flushed and forgotten without making others wait.
#
# Steps:
#  1. --fdb-size 1048576: a port speaks with a million addresses; all are there, listed in order and each once.
#  2. The control thread spends 20 ms at most on an answer of that list, so nobody waits longer.
#  3. A flush leaves none, and takes 50 ms at most.
#  4. Another million; their port's client is killed: port and addresses are gone, in 100 ms at most.
# Its own time counts, as the machine may be busy.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

million=1000000

# milliseconds that the control thread, which answers all requests, has run
control_ms() {
	local task

	for task in "/proc/$SWITCH_PID/task/"*; do
		[ "$(cat "$task/comm")" = vale-control ] || continue
		awk '{ printf "%d\n", $1 / 1000000 }' "$task/schedstat"
	done
}

# spent_within MS SINCE TEXT
spent_within() {
	local spent=$(($(control_ms) - $2))

	[ "$spent" -le "$1" ] || die "$3: the control thread needed $spent ms"
	ok "$3: $spent ms of the control thread"
}

ask() {
	echo "$*" >&"${PORTS[1]}"
	read -r -t 60 -u "${PORTS[0]}" answer
	echo "# $* $answer"
}

no_port() {
	ctl -j list | json 'd["switches"]' | grep -qx '\[\]'
}

switch_start --no-huge -- --fdb-size 1048576 --max-switches 1
coproc PORTS { exec "$VALE_BUILD/tests/multiproc/idle-ports" "$SOCKET" "/run/vale/memif/$PREFIX.sock" 0 1; }
read -r -t 30 -u "${PORTS[0]}" line
expect_eq ready "$line" "a port"

ask fill $million
pages=32
since=$(control_ms)
ctl -j fdb valea >"$WORK/fdb.json"
spent_within $((20 * pages)) "$since" "list in $pages pages"
expect_eq "[$million, true]" "$(json '[len(d["entries"]), (lambda m: all(a < b for a, b in zip(m, m[1:])))([e["mac"] for e in d["entries"]])]' \
	<"$WORK/fdb.json")" "a million addresses, in order, each once"
since=$(control_ms)
ctl fdb valea flush
spent_within 50 "$since" "flush"
expect_eq 0 "$(ctl -j fdb valea | json 'len(d["entries"])')" "none is left"

ask fill $million
since=$(control_ms)
kill -KILL "$PORTS_PID"
retry 15 no_port || die "the port stays"
spent_within 100 "$since" "end of a port with a million addresses"
