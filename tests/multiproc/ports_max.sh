#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a DPDK group has as many dpdk ports as RTE_MAX_ETHPORTS allows; the next is refused by that name.
#
# Steps:
#  1. Processes attach ports, eight each, until one is refused: with ENOMEM, and RTE_MAX_ETHPORTS in the sentence; its number
#     is that of the ports there are.
#  2. The last port works; so do the first and one in another process.
#  3. An ethdev port is refused likewise.
#  4. After one has gone, by detach and by kill -9, there is room for one.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

switch_start

nb_ports() {
	ctl -j stats | json 'len(d["ports"])'
}

# 1
nb=0
full=
for p in 0 1 2 3 4 5 6 7; do
	peer_start p$p
	for i in 0 1 2 3 4 5 6 7; do
		peer_say p$p attach net_vale${p}_$i,port=valea:$nb
		peer_read p$p 20
		case "$ANSWER" in
		"ok name=valea:$nb "*) nb=$((nb + 1)) ;;
		*) full=p$p; break 2 ;;
		esac
	done
done
[ -n "$full" ] || die "$nb ports and no end: raise the number of processes in this test"
expect_eq "$nb" "$(nb_ports)" "$nb ports, then one is refused"
grep -q "RTE_MAX_ETHPORTS.*(ENOMEM)" "$WORK/$full.err" ||
	die "RTE_MAX_ETHPORTS and ENOMEM are not named: $(tail -n 2 "$WORK/$full.err")"
grep -qw "all $nb ethdev ports" "$WORK/$full.err" || die "$nb, the limit, is not named"
ok "the refusal names RTE_MAX_ETHPORTS, its number and ENOMEM"
[ "$nb" -gt 20 ] || die "only $nb ports"

# 2
last=$((nb - 1))
holder=p$((last / 8))
peer p0 tx valea:0 0 50 $BROADCAST $A 100
for port in 1 $last; do
	peer p$((port / 8)) rx valea:$port 50 expect=1
	got_all 50 "valea:$port receives a broadcast of valea:0"
done
peer "$holder" tx valea:$last 0 50 $A $B 100
peer p0 rx valea:0 50 expect=50
got_all 50 "valea:0 receives from valea:$last"

# 3
status=0
ctl attach valea:e net_null0 2>"$WORK/attach.err" || status=$?
expect_eq 1 $status "an ethdev port is refused"
grep -q "RTE_MAX_ETHPORTS.*(ENOMEM)$" "$WORK/attach.err" || die "$(cat "$WORK/attach.err")"
ok "by the same name"

# 4
peer p0 detach valea:3
peer "$full" attach net_valex,port=valea:x
ok "after a detach one more attaches"
peer_refused "$full" "" attach net_valey,port=valea:y
ok "and no second one"
client_kill p1
port_goes valea:8
for i in 0 1 2 3 4 5 6 7; do
	peer "$full" attach net_valez$i,port=valeb:$i
done
ok "after a process of eight ports was killed, eight more attach"
expect_eq "$nb" "$(nb_ports)" "and then there are as many as before"
peer "$full" tx valeb:0 0 50 $BROADCAST $A 100
peer "$full" rx valeb:7 50 expect=50
got_all 50 "they work"
