#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a switch that ends or is killed under traffic takes no secondary with it, and comes back beside orphans.
#
# Environment: VALE_TEST_RESTARTS, how many (10).
#
# Steps, the switch ending in good order and by kill -9 in turn:
#  1. A testpmd floods, a vale-peer sends and receives; the switch goes.
#  2. Both see link down, send and receive nothing, and do not crash.
#  3. The next switch starts while they live, and names them. A new secondary exchanges frames.
#  4. The orphans exit by themselves, with the status of a program whose primary has gone (vale-peer: 0).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

RESTARTS=${VALE_TEST_RESTARTS:-10}

# exits_well NAME: on its own, with status 0. Stock testpmd may notice that its primary has gone, and then ends with 1.
exits_well() {
	local pid=${CLIENT_PID[$1]} status=0

	[ "$1" = p ] || client_say "$1" stop
	client_say "$1" quit
	wait_gone "$pid" 15 || die "orphan $1 does not end"
	wait "$pid" || status=$?
	[ $status = 0 ] || { [ $status = 1 ] && grep -q "Primary process is no longer active" "$WORK/$1.err" "$WORK/$1.out"; } ||
		die "orphan $1 ended with status $status: $(tail -n 5 "$WORK/$1.err")"
	client_forget "$1"
}

# However the switch ended, they find their ports by name.
orphans_are_quiet() {
	wait_text "$WORK/p.err" "net_vale: port valea:p" 5
	peer_say p link valea:p
	peer_read p 10
	[[ $ANSWER = "ok up=0"* ]] || die "the link of an orphan: '$ANSWER'"
	peer p tx valea:p 0 0 $BROADCAST $A 60
	peer p rx valea:p 50
	[ "$(value packets)" = 0 ] || die "without a switch an orphan receives: $ANSWER"
	# testpmd may be about to end
	client_say pmd "show port info all"
	retry 15 grep -q "Link status: down\|Primary process is no longer" "$WORK/pmd.out" "$WORK/pmd.err" ||
		die "testpmd sees no link down"
}

round() {
	NEXT_LCORE=1 # those of the last round have gone
	peer_start p valea:p
	testpmd_start pmd txonly valea:f
	testpmd_ask pmd start
	peer_say p rx valea:p 1000 want=2000 expect=2000
	peer_wait p
	[ "$(value packets)" -ge 2000 ] || die "no traffic: $ANSWER"
	if [ $((n % 2)) = 0 ]; then switch_kill; else switch_stop; fi
	orphans_are_quiet
	switch_start
	grep -q "pid ${CLIENT_PID[p]}, still holds [0-9]* MB of hugepages" "$WORK/switch.err" ||
		die "the orphan is not named: $(cat "$WORK/switch.err")"
	exits_well p
	exits_well pmd
}

switch_start
for ((n = 0; n < RESTARTS; n++)); do
	round
done
ok "$n restarts under traffic: orphans see link down, are quiet, are named, and exit by themselves"
peer_start a valea:a
peer_start b valea:b
ctl fdb valea add $B valea:b
send_recv a b valea:b valea:a 0 64 $B $A 100
got_all 64 "after $n restarts traffic passes"
