#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what vale-gen sends is what the switch counts and what vale-gen receives.
#
# Steps, for several lengths, bursts and threads:
#  1. a receiver that waits for COUNT frames on valea:1, a sender with a limited rate on valea:0.
#  2. Both end with 0; frames, bytes, numbers and the switch's counters agree; none is lost.
#  3. Without a limit: what arrived and what the switch dropped is what was sent.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/netmap/gen.inc
. "$(dirname "$0")/gen.inc"

switch_start

# pair TEXT COUNT LENGTH STREAMS SENDER-OPTIONS...
pair() {
	local text=$1 count=$2 len=$3 streams=$4

	shift 4
	# a ring that holds all of it, should this machine have no time for the receiver
	gen_start rx -i valea:1 -f rx -n "$count" -j -C 4096
	wait_port valea:1 kind netmap 10
	"$GEN" -i valea:0 -f tx -n "$count" -l "$len" -j "$@" >"$WORK/tx.out" 2>"$WORK/tx.err" ||
		die "$text: the sender failed: $(cat "$WORK/tx.err")"
	gen_end rx 0
	expect_eq "[$count, $((count * len)), true]" "$(gen_json tx '[d["frames"], d["bytes"], d["reached"]]')" \
		"$text: sent"
	expect_eq "[$count, $((count * len)), true]" "$(gen_json rx '[d["frames"], d["bytes"], d["reached"]]')" \
		"$text: received"
	expect_eq "{'streams': $streams, 'received': $count, 'lost': 0, 'out_of_order': 0, 'other': 0}" \
		"$(gen_json rx 'str(d["sequence"])')" "$text: every number once and in order"
}

pair "60 bytes" 4000 60 1 -R 10k
pair "a burst given" 4000 60 1 -R 10k -b 64
pair "1514 bytes, written in full" 4000 1514 1 -R 10k -o 4
pair "ranges of addresses" 4000 64 1 -R 10k -s 10.0.0.1:2000-10.0.0.9:3000 -d 10.1.0.1-10.1.0.255
pair "random addresses" 4000 64 1 -R 10k -z -Z
pair "9000 bytes, in several slots" 800 9000 1 -R 4k
pair "two threads" 4000 60 2 -R 10k -p 2

# what a loaded machine makes of the rate may be less, but never more
pps=$(gen_json tx 'd["pps"]')
[ "$pps" -gt 100 ] && [ "$pps" -lt 11000 ] || die "10,000 pps were asked for, there were $pps"
ok "no faster than the rate: $pps of 10000"

ctl create valea:1
gen_start rx -i valea:1 -f rx -j
wait_port valea:1 kind netmap 10
delivered=$(port valea:1 tx_packets)
dropped=$(port valea:1 drops.dst_full)
"$GEN" -i valea:0 -f tx -n 500000 -j >"$WORK/tx.out" 2>"$WORK/tx.err" || die "$(cat "$WORK/tx.err")"
settled valea:1
gen_int rx 0
delivered=$(($(port valea:1 tx_packets) - delivered))
dropped=$(($(port valea:1 drops.dst_full) - dropped))
expect_eq 500000 "$(gen_json tx 'd["frames"]')" "as fast as it goes: sent"
expect_eq 500000 $((delivered + dropped)) "as fast as it goes: delivered and dropped"
expect_eq "$delivered" "$(gen_json rx 'd["frames"]')" "as fast as it goes: received what was delivered"
lost=$(gen_json rx 'd["sequence"]["lost"]')
[ "$lost" -le "$dropped" ] || die "the receiver misses $lost frames, the switch dropped $dropped"
ok "the receiver misses no more than the switch dropped ($lost of $dropped)"
