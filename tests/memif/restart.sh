#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a stock testpmd that is killed in the middle of traffic leaves nothing behind, and the next one has its name
# at once, again and again.
#
# Steps: VALE_RESTARTS times (20).
#  1. testpmd on valea:t, in rxonly or txonly mode and running; kill -9; the next one is started without waiting.
#     Copying and zero-copy by turns.
#  2. All the while memif-flow pings across valea: nothing is damaged, it never waits for a second, it is not parted from.
#  3. Descriptors and mappings of the switch are as many as before.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

times=${VALE_RESTARTS:-20}

switch_holds() {
	find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l
	grep -c '/memfd:' "/proc/$SWITCH_PID/maps" || true
}

switch_start --no-huge
flow_start echo echo valea:e
wait_text "$WORK/echo.out" "ok ready" 5
flow_start ping ping valea:p 100000 1000
wait_port valea:p kind memif 5
before=$(switch_holds)

for ((i = 1; i <= times; i++)); do
	mode=rxonly zero=no
	[ $((i % 2)) = 0 ] || mode=txonly
	[ $((i % 4)) -lt 2 ] || zero=yes
	memif_start t$i $mode valea:t,zero-copy=$zero
	wait_port valea:t pid "${CLIENT_PID[t$i]}" 5
	client_say t$i start
	retry 5 sh -c "grep -q 'packets/burst' $WORK/t$i.out"
	sleep 0.05
	kill -KILL "${CLIENT_PID[t$i]}"
	client_forget t$i
done
ok "$times clients killed, each name taken again"
port_goes valea:t

kill -0 "${FLOW_PID[ping]}" || die "the ping has ended: $(cat "$WORK/ping.out")"
kill -TERM "${FLOW_PID[ping]}"
wait_gone "${FLOW_PID[ping]}" 5
ANSWER=$(cat "$WORK/ping.out")
echo "$ANSWER"
answer_has "the good clients beside them" bad=0 disorder=0 parted=0
[ "$(value worst_ms)" -lt 1500 ] || die "the longest wait was $(value worst_ms) ms"
port_goes valea:p
flow_start ping ping valea:p 100000
wait_port valea:p kind memif 5
held() {
	[ "$(switch_holds)" = "$before" ]
}
retry 5 held || die "the switch holds $(switch_holds), $before before"
ok "descriptors and mappings as before"
flow_stop ping
flow_stop echo
