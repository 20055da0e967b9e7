#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: netmap's own programs and tests, built by the user against netmap's own headers, on this switch.
#
# usage: VALE_BUILD=build NETMAP_BIN=folder NETMAP_TESTS=netmap/utils/tests bash tests/netmap/netmap_suite.sh
# folder: pkt-gen, bridge, ctrl-api-test (with -DCONFIG_NETMAP_EXTMEM), functional, functional-legacy, fd_server, fd_server-legacy, vale-ctl, test_lib
#
# Steps:
#  1. pkt-gen: tx to rx, ping to pong, two threads on two rings.
#  2. bridge between two switches.
#  3. ctrl-api-test, each case by itself on a persistent port.
#  4. The integration tests for VALE ports, each on a fresh fd_server, with programs on both APIs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

[ -d "${NETMAP_BIN:-}" ] || skip "NETMAP_BIN is not a folder of netmap's programs"
export VALE_SOCKET=$SOCKET
x=$VALE_BUILD/app/vale-exec
failed=0

# By VALE and persistent ports 1 to 50; by refusing correctly the last four.
api_cases="1 3 5 8 10 11 12 13 19 20 21 22 41 42 43 46 50 24 25 27 34"
tests="001 002 004 005 007 009 010 011 021 022"

# run TEXT COMMAND...: within a minute, with status 0
run() {
	local text=$1 status=0

	shift
	timeout 60 "$@" >"$WORK/run.out" 2>"$WORK/run.err" || status=$?
	if [ "$status" = 0 ]; then
		ok "$text"
	else
		echo "not ok - $text (status $status)"
		tail -n 12 "$WORK/run.out" "$WORK/run.err"
		failed=$((failed + 1))
	fi
}

# background COMMAND...: BG is its process
background() {
	timeout 60 "$@" >"$WORK/bg.out" 2>&1 &
	BG=$!
	sleep 1
}

background_end() {
	kill -INT "$BG" 2>/dev/null || true
	wait "$BG" || true
}

# integration TEST FUNCTIONAL: with frames of 150 bytes, on a switch and an fd_server of its own
integration() {
	local status=0

	switch_stop
	switch_start --no-huge -m 256
	FUNCTIONAL=$2 timeout 60 "$x" bash -c '
		"$FUNCTIONAL" -o || exit 99
		bash "$0" -n 93 -l 150; s=$?
		"$FUNCTIONAL" -c; exit $s' "$NETMAP_TESTS/$1" >"$WORK/run.out" 2>"$WORK/run.err" || status=$?
	if [ "$status" = 0 ]; then
		ok "$1 with $2"
	else
		echo "not ok - $1 with $2 (status $status)"
		tail -n 12 "$WORK/run.out" "$WORK/run.err"
		failed=$((failed + 1))
	fi
}

switch_start --no-huge -m 256

# 1
background "$x" "$NETMAP_BIN/pkt-gen" -i valea:1 -f rx
run "pkt-gen -f tx" "$x" "$NETMAP_BIN/pkt-gen" -i valea:0 -f tx -n 1000000 -w 1
sleep 1.2
background_end
grep -qE 'Received [1-9]' "$WORK/bg.out" && ok "pkt-gen -f rx: $(grep -E '^Received' "$WORK/bg.out")" || failed=$((failed + 1))
background "$x" "$NETMAP_BIN/pkt-gen" -i valea:1 -f pong
run "pkt-gen -f ping" "$x" "$NETMAP_BIN/pkt-gen" -i valea:0 -f ping -n 100000 -w 1
background_end
# pkt-gen reckons by whole seconds; without any it prints -1
rtt=$(grep -ho 'RTT over.*min [1-9].*' "$WORK/run.out" "$WORK/run.err") && ok "$rtt" || failed=$((failed + 1))
run "pkt-gen -f tx with two threads" "$x" "$NETMAP_BIN/pkt-gen" -i valea:2 -f tx -n 200000 -p 2 -c 2 -C 1024,1024,2,2 -w 1

# 2
background "$x" "$NETMAP_BIN/bridge" -i valea:b -i valeb:b -w 1
bridge=$BG
background "$x" "$NETMAP_BIN/pkt-gen" -i valeb:1 -f rx
run "pkt-gen through bridge" "$x" "$NETMAP_BIN/pkt-gen" -i valea:0 -f tx -n 100000 -R 50000 -w 1
sleep 1.2
background_end
grep -qE 'Received [1-9]' "$WORK/bg.out" && ok "behind bridge: $(grep -E '^Received' "$WORK/bg.out")" || failed=$((failed + 1))
BG=$bridge
background_end

# 3
run "a persistent port" "$x" "$NETMAP_BIN/vale-ctl" -n api0
for n in $api_cases; do
	# a terminal: with standard error in a file, perror changes errno, and two cases compare it
	run "ctrl-api-test $n" script -qec "$x $NETMAP_BIN/ctrl-api-test -i api0 -j $n" "$WORK/typescript"
done

# 4
if [ -d "${NETMAP_TESTS:-}" ]; then
	export PATH=$NETMAP_BIN:$PATH
	for api in "" -legacy; do
		for n in $tests; do
			t=$(basename "$NETMAP_TESTS/$n"_*)
			integration "$t" "functional$api"
		done
	done
fi

[ "$failed" = 0 ] || die "$failed of netmap's programs and tests failed"
