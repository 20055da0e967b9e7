#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a hot plug in one secondary is that secondary's own business: EAL spreads devices through the group,
# and no ghost of it may appear in the switch or in another secondary.
#
# Steps:
#  1. Stock testpmd one: `port attach net_vale1,port=valea:5`. It works there; testpmd two and vale-peer have what they had.
#  2. Testpmd two attaches a device of the same name net_vale1, as valea:6. Both live, each with its own.
#  3. Testpmd one detaches its net_vale1: two's stays, and carries frames.
#  4. Two detaches its own. All the time vale-peer's traffic loses nothing.
#  5. A port that is refused leaves nothing behind, and the name can be tried again.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

switch_start
peer_start p valea:2 valeb:p
testpmd_start one rxonly valea:0
testpmd_start two rxonly valea:1

# testpmd_ports NAME: the VALE names it has, sorted, in one line
testpmd_ports() {
	testpmd_ask "$1" "show port summary all"
	grep -o 'vale[a-z0-9]*:[a-z0-9]*' "$WORK/$1.said" | sort | tr '\n' ' ' | sed 's/ $//'
}

names() {
	ctl -j stats | json '" ".join(p["name"] for p in d["ports"])'
}

# testpmd_id NAME PORT: its ethdev id
testpmd_id() {
	testpmd_ask "$1" "show port summary all"
	awk -v port="$2" '{ for (i = 1; i <= NF; i++) if ($i == port) print $1 }' "$WORK/$1.said"
}

# unchanged TEXT: vale-peer has its ports and all of its frames
unchanged() {
	peer p ports
	answer_has "$1: vale-peer has its ports and no other" nb=2 names=valea:2,valeb:p
	peer p tx valea:2 0 200 $BROADCAST $A 100
	kill -0 "$SWITCH_PID" || die "$1: the switch has gone"
}

ports_before=$(testpmd_ports two)
expect_eq "valea:1" "$ports_before" "two has its port"

# 1
testpmd_ask one "port attach net_vale1,port=valea:5"
expect_eq "valea:0 valea:5" "$(testpmd_ports one)" "one has its new port"
expect_eq "valea:1" "$(testpmd_ports two)" "two has no ghost of it"
expect_eq "valea:0 valea:1 valea:2 valea:5 valeb:p" "$(names)" "the switch has it once"
expect_eq "${CLIENT_PID[one]}" "$(port valea:5 pid)" "it is one's"
unchanged "attach in one"
wait_port valea:5 tx_packets 200 15
ok "it receives"

# 2
testpmd_ask two "port attach net_vale1,port=valea:6"
expect_eq "valea:0 valea:5" "$(testpmd_ports one)" "one still has its own net_vale1"
expect_eq "valea:1 valea:6" "$(testpmd_ports two)" "two has a net_vale1 of its own"
expect_eq "${CLIENT_PID[two]}" "$(port valea:6 pid)" "it is two's"
unchanged "the same name in two"

# 3
id=$(testpmd_id one valea:5)
testpmd_ask one "port detach $id"
expect_eq "valea:0" "$(testpmd_ports one)" "one has detached"
expect_eq "valea:1 valea:6" "$(testpmd_ports two)" "two keeps its net_vale1"
expect_eq "valea:0 valea:1 valea:2 valea:6 valeb:p" "$(names)" "the switch has lost one port"
before=$(port valea:6 tx_packets)
unchanged "detach in one"
wait_port valea:6 tx_packets $((before + 200)) 15
ok "two's port goes on receiving"

# 4
id=$(testpmd_id two valea:6)
testpmd_ask two "port detach $id"
expect_eq "valea:1" "$(testpmd_ports two)" "two has detached"
expect_eq "valea:0 valea:1 valea:2 valeb:p" "$(names)" "the switch has lost the other"
unchanged "detach in two"

# 5
testpmd_ask one "port attach net_vale1,port=valea:2"
grep -q "EBUSY" "$WORK/one.err" || die "a name held is not refused with EBUSY"
expect_eq "valea:0" "$(testpmd_ports one)" "a refused port leaves nothing behind"
testpmd_ask one "port attach net_vale1,port=valea:7"
expect_eq "valea:0 valea:7" "$(testpmd_ports one)" "its device name is free"
