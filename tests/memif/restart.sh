#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a stock testpmd that is killed in the middle of traffic leaves nothing behind, and the next one has its name
# at once, again and again.
#
# Steps: VALE_RESTARTS times (20).
#  1. testpmd with frames on their way; kill -9; the next one is started without waiting. By turns copying and zero-copy,
#     on 1, 2 and 4 queues, sending 64 to 9,000 bytes to all of valea, and both ways between valeb:t and valeb:u.
#  2. All the while memif-flow pings across valea: nothing is damaged, it never waits for VALE_WORST_MS (3000), it is not
#     parted from.
#  3. Descriptors, mappings and memory of the switch are as many as before.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

times=${VALE_RESTARTS:-20}
worst_ms=${VALE_WORST_MS:-3000}
sizes=(64 1500 "2000,48" "2000,2000,2000,2000,1000")

switch_holds() {
	find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l
	grep -c '/memfd:' "/proc/$SWITCH_PID/maps" || true
}

switch_start --no-huge
flow_start echo echo valea:e
wait_text "$WORK/echo.out" "ok ready" 5
flow_start ping ping valea:p 100000 1000
wait_port valea:p kind memif 15
before=$(switch_holds)

# The switch's own memory in KB; what it shares with clients is not among it.
own_memory() {
	awk '$1 == "RssAnon:" { print $2 }' "/proc/$SWITCH_PID/status"
}

# kill_one I: start the I-th client, and kill it once it has moved frames.
kill_one() {
	local i=$1 q=$((1 << $1 % 3)) zero=no port=valea:t size=${sizes[$1 / 2 % 4]}

	[ $((i / 4 % 2)) = 0 ] || zero=yes
	if [ $((i % 2)) = 0 ]; then
		memif_start "t$i" txonly valea:t,zero-copy=$zero -- --rxq=$q --txq=$q --txpkts="$size"
	else
		port=valeb:u
		memif_start "t$i" flowgen valeb:t,zero-copy=$zero valeb:u -- --rxq=$q --txq=$q
	fi
	wait_port $port pid "${CLIENT_PID[t$i]}" 30
	client_say "t$i" start
	retry 30 sh -c "grep -q 'packets/burst' $WORK/t$i.out"
	sleep 0.05
	kill -KILL "${CLIENT_PID[t$i]}"
	client_forget "t$i"
	rm -f "$WORK/t$i."*
}

for ((i = 1; i <= times; i++)); do
	kill_one $i
	[ $i != 4 ] || memory=$(own_memory)
	[ $((i % 100)) != 0 ] || echo "$i killed, $(own_memory) KB"
done
ok "$times clients killed, each name taken again"
port_goes valea:t
port_goes valeb:u
grown=$(($(own_memory) - memory))
[ "$grown" -lt 2048 ] || die "the switch's memory grew by $grown KB"
ok "its own memory grew by $grown KB to $(own_memory) KB"

kill -0 "${FLOW_PID[ping]}" || die "the ping has ended: $(cat "$WORK/ping.out")"
kill -TERM "${FLOW_PID[ping]}"
wait_gone "${FLOW_PID[ping]}" 20 || die "the ping does not end"
ANSWER=$(cat "$WORK/ping.out")
echo "$ANSWER"
answer_has "the good clients beside them" bad=0 disorder=0 parted=0
[ "$(value worst_ms)" -lt "$worst_ms" ] || die "the longest wait was $(value worst_ms) ms"
port_goes valea:p
flow_start ping ping valea:p 100000
wait_port valea:p kind memif 15
held() {
	[ "$(switch_holds)" = "$before" ]
}
retry 15 held || die "the switch holds $(switch_holds), $before before"
ok "descriptors and mappings as before"
flow_stop ping
flow_stop echo
