#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a switch that was killed starts again although a client of it lives on and keeps its memory.
#
# Steps:
#  1. A testpmd sends; the switch is killed.
#  2. The switch starts again, under the same prefix, and names the orphan with the memory it holds.
#  3. A new client attaches to the same VALE name and works, beside the orphan.
#  4. The switch ends with a live client: status 0, nothing of its own left.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

switch_start
client_start orphan 0@0,1@0 valea:0
client_say orphan "set fwd txonly"
client_say orphan start
wait_text "$WORK/orphan.out" "txonly packet forwarding" 10
switch_kill

switch_start
grep -q "pid ${CLIENT_PID[orphan]}, still holds [0-9]* MB of hugepages" "$WORK/switch.err" ||
	die "the orphan is not named"
ok "restarted beside an orphan, which is named"

client_start heir 2@0,3@0 valea:0
expect_eq "${CLIENT_PID[heir]}" "$(port valea:0 pid)" "the new client has the name"
client_say heir "set fwd txonly"
client_say heir start
retry 10 sh -c "'$VALE_BUILD/app/vale-ctl' --socket $SOCKET -j show valea:0 |
	grep -q '\"rx_packets\": *[1-9]'" || die "the switch receives nothing from the new client"
ok "and its frames arrive"
client_kill orphan

switch_stop
ok "the switch ends while a client lives"
client_kill heir
