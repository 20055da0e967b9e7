#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: tshark's dumpcap, which waits in select, captures on a VALE port.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/netmap/gen.inc
. "$(dirname "$0")/gen.inc"
# shellcheck source=tests/netmap/pcap.inc
. "$(dirname "$0")/pcap.inc"
[ -x "$(command -v dumpcap)" ] && [ -x "$(command -v tshark)" ] || skip "no dumpcap or no tshark"

switch_start
capture_start valea:1 dumpcap -q -i valea:1 -f "udp dst port 1234" -c 100 -w "$WORK/a.pcapng"
send -n 100 -R 500 -l 80
capture_end dumpcap
expect_eq "100 80 1" "$(fields "$WORK/a.pcapng" frame.len udp.checksum.status | sort | uniq -c | awk '{ print $1, $2, $3 }')" \
	"dumpcap: 100 frames, whole, with right checksums"
