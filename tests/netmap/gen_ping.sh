#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: vale-gen's ping and pong through a switch.
#
# Steps:
#  1. pong on valea:1; ping sends 300 requests: all are answered, and percentiles are in order.
#  2. The same in bursts, and as text.
#  3. Two pongers: each request counts once. None: all are lost, exit 1.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/netmap/gen.inc
. "$(dirname "$0")/gen.inc"

# ping ARGUMENTS...: a reply that takes more than a second counts as lost; a machine that lets one wait for so long gets two
# more tries.
ping() {
	local try

	for try in 1 2 3; do
		! "$GEN" -i valea:0 -f ping "$@" >"$WORK/ping.out" 2>"$WORK/ping.err" || return 0
		echo "# try $try: $(cat "$WORK/ping.out" "$WORK/ping.err")"
	done
	die "ping $*"
}

switch_start
gen_start pong -i valea:1 -f pong -n 0 -j
wait_port valea:1 kind netmap 10

ping -n 300 -j
expect_eq '[300, 300, 0]' "$(gen_json ping '[d["requests"], d["frames"], d["lost"]]')" "300 requests, 300 replies"
ordered='[d["latency_ns"][k] for k in ("min", "p50", "p90", "p99", "p99_9", "max")]'
expect_eq true "$(gen_json ping "$ordered == sorted($ordered)")" "percentiles in order"
expect_eq true "$(gen_json ping '500 < d["latency_ns"]["min"] <= d["latency_ns"]["mean"] <= d["latency_ns"]["max"] < 10**10')" \
	"times that can be true"
expect_eq true "$(gen_json ping 'd["latency_ns"]["p50"] < d["latency_ns"]["max"]')" "half of 300 is not the slowest"

ping -n 320 -b 32 -j
expect_eq '[320, 320]' "$(gen_json ping '[d["requests"], d["frames"]]')" "in bursts of 32"
ping -n 20 -R 100
for word in 'ping: 20 requests, 20 replies, 0 lost' 'round trip in us: min' '50%' '90%' '99%' '99.9%' max; do
	grep -qF -- "$word" "$WORK/ping.out" || die "'$word' is not in: $(cat "$WORK/ping.out")"
done
ok "the summary has all percentiles"

gen_start pong2 -i valea:2 -f pong -j
wait_port valea:2 kind netmap 10
ctl fdb valea flush
ping -n 50 -R 200 -j
expect_eq '[50, 50]' "$(gen_json ping '[d["requests"], d["frames"]]')" "two pongers: each request counts once"
gen_int pong2 0
gen_int pong 0
expect_eq true "$(gen_json pong 'd["frames"] >= 690')" "the ponger counts its answers"

status=0
"$GEN" -i valea:0 -f ping -n 1 -j >"$WORK/ping.out" 2>"$WORK/ping.err" || status=$?
expect_eq '1 [1, 1, null, false]' \
	"$status $(gen_json ping '[d["requests"], d["lost"], d["latency_ns"], d["reached"]]')" "nobody answers"
