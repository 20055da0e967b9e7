#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: ports with many queues: queue k goes to queue k modulo n, in order; one queue is spread by flow; floods go to
# queue 0.
#
# Steps:
#  1. 16 to 16, 16 to 4, 4 to 16, 16 to 1, 3 to 5: each frame in its queue, each queue's frames in order.
#  2. 1 to 16: flows are spread, each flow stays in one queue, in order.
#  3. Floods go to queue 0.
#  4. A receiver that opens 4 of its 16 queues gets all frames on those.
#  5. 17 queues are refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

switch_start -- --mbufs 16384
free=$(mbufs_free)

# repeat N TEXT: with commas between
repeat() {
	seq "$1" | sed "s/.*/$2/" | paste -sd,
}

# 1
# pairs TX RX PER-RX-QUEUE: what each receive queue must have got of 160 frames per transmit queue
pairs() {
	local s=s$1_$2 r=r$1_$2

	peer_start $s valea:s,queues=$1
	peer_start $r valea:r,queues=$2
	peer $r tx valea:r 0 1 $BROADCAST $B 60
	peer $s rx valea:s 20 expect=1
	peer $s tx valea:s all $(($1 * 160)) $B $A 100 gap=200
	peer $r rx valea:r 50 expect=$(($1 * 160))
	got_all $(($1 * 160)) "$1 to $2 queues"
	answer_has "each frame in queue k modulo $2, each queue in order" wrong_queue=0 streams=$1 queues=$3
	client_stop $s
	client_stop $r
	port_goes valea:r
}

pairs 16 16 "$(repeat 16 160)"
pairs 16 4 640,640,640,640
pairs 4 16 160,160,160,160,"$(repeat 12 0)"
# a sender with several queues and a receiver with one
peer_start s16 valea:s,queues=16
peer_start r1 valea:r
ctl fdb valea add $B valea:r
peer s16 tx valea:s all 960 $B $A 100
peer r1 rx valea:r 50 expect=960
got_all 960 "16 to 1 queue"
answer_has "all streams in order" streams=16 queues=960
clients_stop
pairs 3 5 160,160,160,0,0

# 2
peer_start s1 valea:s
peer_start r16 valea:r,queues=16
ctl fdb valea add $B valea:r
used=0
for flow in $(seq 10 41); do
	peer s1 tx valea:s 0 20 $B 02:00:00:00:01:$flow 100
	peer r16 rx valea:r 20 expect=20
	[ "$(value packets) $(value in_order) $(value bad)" = "20 yes 0" ] || die "flow $flow: $ANSWER"
	queue=$(value queues | tr ',' '\n' | awk '$1 == 20 { print NR - 1 }')
	[ -n "$queue" ] || die "flow $flow is spread over queues: $ANSWER"
	echo "$queue"
done >"$WORK/queues"
used=$(sort -u "$WORK/queues" | wc -l)
[ "$used" -ge 8 ] || die "32 flows use only $used of 16 queues"
ok "32 flows of one queue, each in one of $used queues"

# 3
peer s1 tx valea:s 0 100 $BROADCAST $A 100
peer r16 rx valea:r 50 expect=100
got_all 100 "flooded"
answer_has "to queue 0" "queues=100,$(repeat 15 0)"
peer r16 tx valea:r 7 100 $BROADCAST $C 100
peer s1 rx valea:s 50 expect=100
got_all 100 "flooded from queue 7"

# 4
peer r16 reconf valea:r 4
peer r16 info valea:r
answer_has "4 of 16 queues open" rxq=4 max_rxq=16
client_stop s1
peer_start s16 valea:s,queues=16
peer s16 tx valea:s all 2048 $B $A 100 gap=200
peer r16 rx valea:r 50 expect=2048
got_all 2048 "all frames come on these"
answer_has "queue k modulo 4" wrong_queue=0 queues=512,512,512,512
peer r16 reconf valea:r 16
peer s16 tx valea:s all 2048 $B $A 100 gap=200
peer r16 rx valea:r 50 expect=2048
got_all 2048 "all 16 open again"
answer_has "queue k to queue k" wrong_queue=0 "queues=$(repeat 16 128)"

# 5
peer_refused s16 "" attach net_vale9,port=valea:q,queues=17
grep -q "queues=17: not a number of queue pairs from 1 to 16" "$WORK/s16.err" || die "17 queues: no reason given"
ok "17 queues are refused"
mbufs_settle "$free" "at the end"
