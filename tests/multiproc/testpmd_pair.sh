#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: two stock dpdk-testpmd, one sending and one receiving, by VALE names; what they counted is what the
# switch counted.
#
# Steps:
#  1. txonly on valea:0, rxonly on valea:1, for a second, flooded: nobody has said where the destination is.
#  2. The same to a static entry: known unicast.
#  3. Each time: testpmd's TX is the switch's rx, the switch's tx is testpmd's RX, and rx is tx plus drops.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"
# shellcheck source=tests/multiproc/pair.inc
. "$(dirname "$0")/pair.inc"

switch_start
testpmd_start tx txonly valea:0
testpmd_start rx rxonly valea:1

pair_run flooded 1 10000
ctl fdb valea add 02:00:00:00:00:00 valea:1
pair_run unicast 1 10000
