#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: two stock dpdk-testpmd as memif clients, one sending and one receiving, by VALE names; what they counted
# is what the switch counted.
#
# Steps:
#  1. txonly on valea:0, rxonly on valea:1, for a second, flooded: nobody has said where the destination is.
#  2. The same to a static entry: known unicast.
#  3. Each time: testpmd's TX is the switch's rx, the switch's tx is testpmd's RX, and rx is tx plus drops.
#  4. The ports are of kind memif, with the client's pid, and go with it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/multiproc/pair.inc
. "$(dirname "$0")/../multiproc/pair.inc"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

switch_start --no-huge
memif_start tx txonly valea:0
memif_start rx rxonly valea:1
wait_port valea:0 kind memif 15
wait_port valea:1 kind memif 15
expect_eq "${CLIENT_PID[tx]}" "$(port valea:0 pid)" "the client's process"

pair_run flooded 1 10000
ctl fdb valea add 02:00:00:00:00:00 valea:1
pair_run unicast 1 10000

client_kill tx
port_goes valea:0
ok "the port goes with its client"
