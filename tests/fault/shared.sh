# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of this folder that kill secondaries, on top of ../lib.sh and ../multiproc/peer.sh: vale-shared.

SHARED=$VALE_BUILD/tests/fault/vale-shared

# shared_start COMMAND...: sets SHARED_PID; returns 1 if it did not come to the end of what it was told.
shared_start() {
	next_lcore
	: >"$WORK/shared.out"
	"$SHARED" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "$LCORES" -d "$PMD" \
		"${SHARED_EAL[@]}" -- "$@" >"$WORK/shared.out" 2>"$WORK/shared.err" &
	SHARED_PID=$!
	retry 15 sh -c "grep -qx done $WORK/shared.out || ! kill -0 $SHARED_PID"
	grep -qx done "$WORK/shared.out"
}
SHARED_EAL=()

shared_kill() {
	kill -KILL "$SHARED_PID"
	wait "$SHARED_PID" 2>/dev/null || true
}

# variable NAME: of the switch.
variable() {
	ctl -j get "$1" | json "d[\"$1\"]"
}

# variable_settles NAME VALUE SECONDS TEXT
variable_settles() {
	local end=$((SECONDS + $3)) got=

	until got=$(variable "$1") && [ "$got" = "$2" ]; do
		[ "$SECONDS" -lt "$end" ] || die "$4: $1 is $got, not $2"
		sleep 0.05
	done
	ok "$4"
}

# traffic TEXT: between peers a and b, on valea:a and valea:b.
traffic() {
	send_recv a b valea:b valea:a 0 64 $B $A 100
	got_all 64 "$1: traffic passes"
}
