#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: rings or memory: that depends on whose secondary a process is, and on nothing else; whoever is on the switch
# reaches all others.
#
# Steps: one switch with hugepages, one without.
#  1. A secondary of the switch: rings (kind dpdk). A primary of another prefix, one without hugepages, a secondary of
#     that other primary: memory (kind memif). All four reach each other, 60 to 9,216 bytes.
#  2. A hot plug in the other primary's group is refused; its secondary is killed: its port goes, its primary's stays.
#  3. A secondary of the one switch attaches to the other: memory there, and rings still here.
#  4. socket= that names the switch of one's own group by another path: rings.
#  5. Stock testpmd of another prefix to stock testpmd as secondary: all is counted on both sides; hot plug there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/multiproc/pair.inc
. "$(dirname "$0")/../multiproc/pair.inc"
# shellcheck source=tests/apart/apart.sh
. "$(dirname "$0")/apart.sh"

switch_start
"$VALE_BUILD/app/vale-switch" --no-huge --file-prefix "$PREFIX-2" -- --mbufs 8192 --max-switches 4 --max-ports 16 --socket /run/vale/second.sock \
	--memif-socket /run/vale/second-memif.sock >"$WORK/second.out" 2>"$WORK/second.err" &
second=$!
retry 20 grep -qx 'vale-switch: ready' "$WORK/second.out" || die "the second switch did not become ready"

# 1
peer_start sec valea:sec
other=$(apart_prefix other)
apart_peer_as "$other" pri valea:pri
apart_peer own valea:own
NEXT_LCORE=20
next_lcore
PEER_PROCESS="--proc-type secondary --file-prefix $PREFIX-other" peer_run guest "$LCORES" \
	--vdev=net_vale5,port=valea:guest --
peer_read guest 30
expect_eq "ok ready" "$ANSWER" "a secondary of the other primary"
for name in sec:dpdk pri:memif own:memif guest:memif; do
	expect_eq "${name#*:} ${CLIENT_PID[${name%:*}]}" "$(port valea:${name%:*} kind) $(port valea:${name%:*} pid)" \
		"${name%:*} is ${name#*:}"
done
declare -A ETH=([sec]=valea:sec [pri]=net_vale0 [own]=net_vale0 [guest]=net_vale5)
i=0
for from in sec pri own guest; do
	i=$((i + 1))
	for len in 60 1500 9000; do
		peer $from tx "${ETH[$from]}" 0 60 $BROADCAST 02:00:00:00:00:0$i $len
		for to in sec pri own guest; do
			[ $to != $from ] || continue
			peer $to rx "${ETH[$to]}" 1000 expect=60 good=60
			[ "$(value packets) $(value bad) $(value odd) $(value in_order)" = "60 0 0 yes" ] ||
				die "$from to $to, $len bytes: $ANSWER"
		done
	done
done
ok "four kinds of processes, each reaches all others"

# 2
# DPDK has all processes of the group plug it, and the first of them has the name
peer_refused guest busy attach net_vale6,port=valea:guest2
port_goes valea:guest2
peer guest ports
answer_has "a hot plug in a group of several processes is refused, and leaves nothing" nb=1
client_kill guest
port_goes valea:guest
peer pri ports
answer_has "its primary has its own port still" nb=1 names=net_vale0
send_recv own sec valea:sec net_vale0 0 50 $BROADCAST $A 100
got_all 50 "and all others theirs"

# 3
peer sec attach net_vale7,port=valez:x,socket=/run/vale/second.sock
SOCKET=/run/vale/second.sock wait_port valez:x kind memif 5
expect_eq "${CLIENT_PID[sec]}" "$(SOCKET=/run/vale/second.sock port valez:x pid)" "a secondary on another switch: memory"
apart_peer z valez:z,socket=/run/vale/second.sock
send_recv z sec net_vale7 net_vale0 0 100 $BROADCAST $A 5000
got_all 100 "frames of that switch"
peer own rx net_vale0 50
send_recv own sec valea:sec net_vale0 0 100 $BROADCAST $A 5000
got_all 100 "and of this"
peer sec detach net_vale7
peer sec ports
answer_has "detached" nb=1 names=valea:sec

# 4
ln -s "$SOCKET" "$WORK/alias.sock"
peer sec attach net_vale8,port=valea:alias,socket=$WORK/alias.sock
answer_has "by another path it is the same switch" name=valea:alias
expect_eq dpdk "$(port valea:alias kind)" "and the same group"
peer sec detach valea:alias
clients_stop
kill -TERM $second
wait $second || die "the second switch ended with status $?"
apart_forget other

# 5
apart_testpmd "$(apart_prefix tp)" tx txonly valea:0
testpmd_start rx rxonly valea:1
ctl fdb valea add 02:00:00:00:00:00 valea:1
pair_run "another prefix to a secondary" 0.5 10000
testpmd_ask tx "port attach net_vale1,port=valea:5,queues=2"
wait_port valea:5 kind memif 15
testpmd_ask tx "port detach 1"
port_goes valea:5
ok "hot plug in testpmd"
client_kill tx
port_goes valea:0
ok "killed in its bursts or not, its port goes"
apart_forget tp
