#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: two switches never mix, even with the same port names and the same addresses.
#
# Steps:
#  1. valea and valeb, three ports each, one process with a foot in both. Broadcasts stay where they are.
#  2. The same address on both: each has its own table, and a frame goes by its own switch's.
#  3. A flush, an attach and a detach on one leave the other alone.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

n=60
switch_start
peer_start a valea:0
peer_start b valeb:0
peer_start both valea:1 valeb:1
peer_start ends valea:2 valeb:2

# 1
counters_mark
peer a tx valea:0 0 $n $BROADCAST $A 100
for p in 1 2; do
	name=$([ $p = 1 ] && echo both || echo ends)
	peer "$name" rx valea:$p 50 expect=$n
	got_all $n "a broadcast on valea reaches valea:$p"
	sees_nothing "$name" valeb:$p "and not valeb:$p"
done
sees_nothing b valeb:0 "nor valeb:0"
FLOODED=$n expect_changes "counters of valeb stand still" "valea:0 rx_packets +$n" "valea:1 tx_packets +$n" \
	"valea:2 tx_packets +$n"

# 2
peer ends tx valeb:2 0 1 $BROADCAST $A 60
peer b rx valeb:0 20 expect=1
peer both rx valeb:1 50
expect_eq "valea:0 valeb:2" "$(for s in valea valeb; do
	ctl -j fdb $s | json "next(e['port'] for e in d['entries'] if e['mac'] == '$A')"
done | tr '\n' ' ' | sed 's/ $//')" "one address, learned on both, on each in its place"
peer both tx valea:1 0 $n $A $C 60
peer both tx valeb:1 0 $n $A $C 60
peer a rx valea:0 50 expect=$n
got_all $n "valea's A is at valea:0"
peer ends rx valeb:2 50 expect=$n
got_all $n "valeb's A is at valeb:2"
sees_nothing b valeb:0 "nobody else has them"
sees_nothing ends valea:2 "nobody else has them"

# 3
ctl fdb valea flush
expect_eq 0 "$(ctl -j fdb valea | json 'len(d["entries"])')" "valea is flushed"
expect_eq 2 "$(ctl -j fdb valeb | json 'len(d["entries"])')" "valeb is not"
client_stop a
peer ends detach valea:2
peer both tx valeb:1 0 $n $A $C 60
peer ends rx valeb:2 50 expect=$n
got_all $n "valeb works on when valea's ports go"
