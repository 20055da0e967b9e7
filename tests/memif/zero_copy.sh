#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: zero-copy clients, whose frames lie anywhere in regions of their own memory, and copying ones reach each
# other, on 1 and several queues, in short and long frames.
#
# Steps: stock testpmd, txonly to rxonly, half a second each; what they counted is what the switch counted.
#  1. Zero-copy to zero-copy; zero-copy to copying; copying to zero-copy.
#  2. The same in frames of 9,000 bytes in five segments.
#  3. On 4 queues.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/multiproc/pair.inc
. "$(dirname "$0")/../multiproc/pair.inc"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

# run_pair TEXT: and both go again.
run_pair() {
	wait_port valea:0 kind memif 15
	wait_port valea:1 kind memif 15
	pair_run "$1" 0.5 1000 ${2:+"$2"}
	expect_eq 0 "$(port valea:0 drops.bad_desc)" "$1: no bad descriptor"
	client_kill tx
	client_kill rx
	port_goes valea:0
	port_goes valea:1
}

switch_start --no-huge
# 1
memif_start tx txonly valea:0,zero-copy=yes
memif_start rx rxonly valea:1,zero-copy=yes
grep -q "^VmFlags:.* ht" "/proc/$SWITCH_PID/smaps" || die "no region of hugepages"
run_pair "zero-copy to zero-copy"
memif_start tx txonly valea:0,zero-copy=yes
memif_start rx rxonly valea:1
run_pair "zero-copy to copying"
memif_start tx txonly valea:0
memif_start rx rxonly valea:1,zero-copy=yes
run_pair "copying to zero-copy"
# 2
memif_start tx txonly valea:0,zero-copy=yes -- --txpkts=2000,2000,2000,2000,1000
memif_start rx rxonly valea:1,zero-copy=yes
# net_memif counts bytes of chains, too, that did not fit into its ring and are sent again
run_pair "9000 bytes" 9000
# 3
memif_start tx txonly valea:0,zero-copy=yes -- --rxq=4 --txq=4
memif_start rx rxonly valea:1,zero-copy=yes -- --rxq=4 --txq=4
run_pair "4 queues"
