#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a secondary that exits takes its own ports and nothing else; kill -9 frees a name at once.
#
# Steps:
#  1. While two processes exchange frames, a third with three ports exits cleanly, aborts, is killed; testpmd quits. Its
#     ports go; the exchange loses nothing; switch and others stay.
#  2. After a clean exit and after kill -9 the name is free at once, ten times each.
#  3. A process without rte_eal_cleanup (abort) leaves nothing in the switch either.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

# all of them fit into a ring, so that none is lost whoever waits for a CPU
frames=8000
switch_start -- --ring-size 8192 --mbufs 16384
free=$(mbufs_free)
peer_start a valea:a valeb:a
peer_start b valea:b
ctl fdb valea add $B valea:b

# exchange N: b is to receive as many
exchange() {
	peer_say b rx valea:b 50 expect=$1
	peer_say a tx valea:a 0 $frames $B $A 100 burst=8 gap=1500
}

exchanged() {
	peer_wait a
	peer_wait b
	got_all $frames "$1: the others lost nothing"
}

ports_go() {
	local end=$((SECONDS + 3))

	until [ "$(ctl -j stats | json '" ".join(p["name"] for p in d["ports"])')" = "valea:a valea:b valeb:a" ]; do
		[ "$SECONDS" -lt "$end" ] || die "$1: its ports stay"
		sleep 0.02
	done
	ok "$1: its ports have gone, and no other"
	kill -0 "$SWITCH_PID" || die "the switch has gone"
}

# 1
for way in quit abort kill; do
	peer_start c valea:c valea:c2 valeb:c,queues=16
	peer c tx valea:c 0 50 $BROADCAST $C 60
	exchange $((frames + 50))
	sleep 0.2
	case $way in
	quit) client_stop c ;;
	abort)
		peer_say c abort
		wait_gone "${CLIENT_PID[c]}" 10 || die "it does not abort"
		client_forget c
		;;
	kill) client_kill c ;;
	esac
	ports_go "$way"
	# the 50 broadcasts of C that came in between are B's as well
	peer_wait a
	peer_wait b
	[ "$(value in_order) $(value bad) $(value packets)" = "yes 0 $((frames + 50))" ] || die "$way: $ANSWER"
	ok "$way: the others lost nothing"
	peer a rx valea:a 20
	peer a rx valeb:a 20
done
testpmd_start pmd rxonly valea:c valeb:c
testpmd_ask pmd start
exchange $frames
sleep 0.2
client_stop pmd
ports_go "testpmd quits"
exchanged "testpmd quits"
peer a ports
answer_has "a has its ports" nb=2 names=valea:a,valeb:a
peer a link valea:a
answer_has "their link is up" up=1

# 2
for way in quit kill; do
	for i in $(seq 10); do
		peer_start c$i valea:c
		if [ $way = quit ]; then client_stop c$i; else client_kill c$i; fi
	done
	ok "$way: ten times the same name at once"
	ports_go $way
done

# 3
for name in a b; do
	client_stop $name
done
retry 15 sh -c "[ \"\$($VALE_BUILD/app/vale-ctl --socket $SOCKET -j list | tr -d ' \n')\" = '{\"switches\":[]}' ]" ||
	die "switches are left: $(ctl list)"
ok "no switch is left"
# what those took with them who were killed is found again later; those who left in order have given everything back
[ "$(mbufs_free)" -gt $((free - 3000)) ] || die "$((free - $(mbufs_free))) mbufs are missing"
peer_start a valea:a
ok "and it goes on"
