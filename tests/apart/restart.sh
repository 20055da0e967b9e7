#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: the switch is killed and started again under traffic, and programs apart come back by themselves: link
# down meanwhile, nothing damaged, counters go on.
#
# Steps: VALE_APART_RESTARTS times (4) a switch is killed by -9, or ended by turns:
#  1. Stock testpmd sends from a process with hugepages of its own to one without: when the switch dies their links go
#     down and both live; when it is back, links are up, frames arrive, and counters have only grown.
#  2. Two vale-peers send numbered frames of 60 to 9,216 bytes all the time: none is damaged or out of order.
#  3. A program that sleeps on a receive interrupt meanwhile is woken when the switch is back, then by a frame.
# Then:
#  4. Another program has the name when the switch is back: said in one line, tried on, and had when that one ends.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/apart/apart.sh
. "$(dirname "$0")/apart.sh"

times=${VALE_APART_RESTARTS:-4}

# testpmd_link NAME up|down
testpmd_link() {
	local end=$((SECONDS + 10))

	until testpmd_ask "$1" "show port info 0" && grep -q "^Link status: $2" "$WORK/$1.said"; do
		[ "$SECONDS" -lt "$end" ] || die "$1: link is not $2: $(grep Link "$WORK/$1.said")"
		sleep 0.1
	done
}

switch_start --no-huge
apart_testpmd "$(apart_prefix tx)" tx txonly valea:0
apart_testpmd "$APART_NO_HUGE" rx rxonly valea:1,queues=2
apart_peer s valeb:s valec:s
apart_peer r valeb:r
apart_peer w valec:w
testpmd_ask rx start
testpmd_ask tx start

# has_more NAME FIELD THAN
has_more() {
	[ "$(testpmd_stat "$1" "$2")" -gt "$3" ]
}

retry 10 has_more rx RX-packets 1000 || die "no traffic between the testpmds"
for ((i = 1; i <= times; i++)); do
	got=$(testpmd_stat rx RX-packets)
	sent=$(testpmd_stat tx TX-packets)
	# the ring holds some, then the sender waits for the switch
	peer_say s tx net_vale0 0 3000 $BROADCAST $A $((60 + (i * 2289) % 9157)) burst=8
	peer_say r rx net_vale0 2000 first=20000
	sleep 0.2
	if [ $((i % 2)) = 1 ]; then
		switch_kill
	else
		switch_stop || die "the switch does not end well"
	fi
	testpmd_link tx down
	testpmd_link rx down
	[ "$(grep -c "link state change event" "$WORK/rx.out")" -gt 0 ] || die "no event"
	peer_say w rxintr net_vale0 20000
	switch_start --no-huge
	testpmd_link tx up
	testpmd_link rx up
	retry 10 has_more rx RX-packets $((got + 1000)) || die "restart $i: no traffic afterwards"
	retry 10 has_more tx TX-packets $((sent + 1000)) || die "restart $i: nothing is sent afterwards"
	peer_wait s
	peer_wait r
	answer_has "restart $i: numbered frames" bad=0 in_order=yes alien=0 odd=0
	[ "$(value packets)" -gt 0 ] || die "none arrived"
	peer_wait w
	answer_has "restart $i: who slept meanwhile is woken when the switch is back" woke=1 packets=0
	link_is w net_vale0 1
	link_is s net_vale1 1
	peer_say w rxintr net_vale0 20000
	sleep 0.1
	peer s tx net_vale1 0 1 $BROADCAST $A 60
	peer_wait w
	answer_has "restart $i: and then by a frame" woke=1 packets=1
done
for name in tx rx; do
	[ "$(grep -c "net_vale: .*is attached again$" "$WORK/$name.err")" = "$times" ] || die "$name: not $times times back"
	[ "$(grep -c "net_vale:" "$WORK/$name.err")" = $((2 * times)) ] || die "$name: $(grep net_vale: "$WORK/$name.err")"
done
ok "two lines for each restart: gone, and attached again"

# 4
kill -STOP "${CLIENT_PID[r]}"
switch_kill
switch_start --no-huge
apart_peer thief valeb:r
kill -CONT "${CLIENT_PID[r]}"
retry 10 grep -q "net_vale: the switch refuses: valeb:r is held by process ${CLIENT_PID[thief]}.*(EBUSY); trying on" \
	"$WORK/r.err" || die "it is not said why: $(tail -n 3 "$WORK/r.err")"
sleep 2
expect_eq 1 "$(grep -c "EBUSY" "$WORK/r.err")" "who has the name is said once"
link_is r net_vale0 0
client_kill thief
link_is r net_vale0 1
peer s tx net_vale0 0 100 $BROADCAST $A 1000
peer r rx net_vale0 50 expect=100
got_all 100 "when that ends the name is had"
client_stop tx
client_stop rx
apart_forget tx
