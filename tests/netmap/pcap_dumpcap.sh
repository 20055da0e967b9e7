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
begin=$(date +%s.%N)
send -n 100 -R 500 -l 80
capture_end dumpcap
expect_eq "100 80 1" "$(fields "$WORK/a.pcapng" frame.len udp.checksum.status | sort | uniq -c | awk '{ print $1, $2, $3 }')" \
	"dumpcap: 100 frames, whole, with right checksums"
fields "$WORK/a.pcapng" frame.time_epoch >"$WORK/a.txt"
awk -v b="$begin" -v e="$(date +%s.%N)" '$1 < b - 0.01 || $1 > e || $1 < last { bad = 1 } NR == 1 { first = $1 }
	{ last = $1 } END { exit bad || last - first < 0.1 }' "$WORK/a.txt" ||
	die "times from $begin on were expected: $(head -n 3 "$WORK/a.txt" | tr '\n' ' ')"
ok "dumpcap: times as they were"
