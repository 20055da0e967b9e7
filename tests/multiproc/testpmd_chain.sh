#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a chain of stock testpmd in io mode over three switches passes numbered frames whole and in order.
#
#   vale-peer valea:s -> valea:0 testpmd valeb:0 -> valeb:1 testpmd valec:0 -> valec:r vale-peer
#
# Steps:
#  1. Frames from one end to the other, and back again; of one piece, then chains.
#  2. Each switch counted each frame once, and dropped none.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

# at a time, and how often: no more than a ring holds, so that a testpmd that waits for a CPU makes nobody drop
frames=4000
times=5
switch_start -- --ring-size 4096 --mbufs 16384
peer_start s valea:s
peer_start r valec:r
testpmd_start one io valea:0 valeb:0
testpmd_start two io valeb:1 valec:0
# done when they forward: what came before is thrown away by testpmd
testpmd_ask one start
testpmd_ask two start

# pass FROM PORT TO PORT DST SRC N LEN TEXT
pass() {
	peer_say "$1" tx "$2" 0 "$7" "$5" "$6" "$8" gap=100
	peer "$3" rx "$4" 50 expect="$7"
	got_all "$7" "$9"
	peer_wait "$1"
}

for ((i = 1; i <= times; i++)); do
	pass s valea:s r valec:r $B $A $frames 60 "there, $i times $frames frames"
done
for p in valea:0 valeb:1 valec:r; do
	wait_port $p tx_packets $((times * frames)) 10
done
ok "each switch delivered each frame once"
for ((i = 1; i <= times; i++)); do
	pass r valec:r s valea:s $A $B $frames 60 "back, $i times $frames frames"
done
pass s valea:s r valec:r $B $A 2000 9216 "there, chains"
expect_eq 0 "$(ctl -j stats | json 'sum(sum(p["drops"].values()) for p in d["ports"])')" "no drops"
