#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: Debian's own tcpdump captures on a VALE port, and is itself on everything else.
#
# Steps:
#  1. tcpdump -w on valea:1: all frames of vale-gen are in the file, whole, in order, with the time they had,
#     and tshark finds every checksum right.
#  2. A filter, a snapshot length, nanoseconds.
#  3. As text, no longer root after the start; frames of several slots; SIGINT ends it.
#  4. tcpdump on lo, and reading files, as ever.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/netmap/gen.inc
. "$(dirname "$0")/gen.inc"
# shellcheck source=tests/netmap/pcap.inc
. "$(dirname "$0")/pcap.inc"
[ -x "$(command -v tcpdump)" ] && [ -x "$(command -v tshark)" ] || skip "no tcpdump or no tshark"

switch_start
chmod 755 "$WORK"

capture_start valea:1 tcpdump -ni valea:1 -c 200 -Z root -w "$WORK/a.pcap"
begin=$(date +%s.%N)
send -n 200 -R 500 -l 100 -s 10.0.0.1:2000-10.0.0.4:2010
capture_end "tcpdump -w"
end=$(date +%s.%N)
fields "$WORK/a.pcap" frame.time_epoch frame.len frame.cap_len eth.dst udp.dstport ip.checksum.status \
	udp.checksum.status >"$WORK/a.txt"
expect_eq 200 "$(wc -l <"$WORK/a.txt")" "tcpdump -w: 200 frames"
expect_eq "100 100 ff:ff:ff:ff:ff:ff 1234 1 1" "$(cut -f2- "$WORK/a.txt" | sort -u | tr '\t' ' ')" \
	"tcpdump -w: whole, and every checksum right"
awk -v b="$begin" -v e="$end" '$1 < b - 0.01 || $1 > e + 0.01 || $1 < last { bad = 1 } NR == 1 { first = $1 }
	{ last = $1 } END { exit bad || last - first < 0.2 }' "$WORK/a.txt" ||
	die "times between $begin and $end were expected: $(cut -f1 "$WORK/a.txt" | tr '\n' ' ')"
ok "tcpdump -w: times as they were"
fields "$WORK/a.pcap" data.data >"$WORK/seq.txt"
awk '{ n = strtonum("0x" substr($1, 17, 16)); if (n != NR - 1) exit 1 }' "$WORK/seq.txt" 2>/dev/null ||
	python3 -c '
import sys
for i, line in enumerate(open(sys.argv[1])):
    assert int(line[16:32], 16) == i, (i, line)' "$WORK/seq.txt" || die "frames are missing or out of order"
ok "tcpdump -w: every number, in order"

capture_start valea:1 tcpdump -ni valea:1 -c 10 -Z root -s 50 --time-stamp-precision=nano -w "$WORK/b.pcap" \
	"udp src port 2005 and host 10.0.0.2"
send -n 550 -R 2000 -s 10.0.0.1:2000-10.0.0.5:2010
capture_end "a filter"
expect_eq "60 50 10.0.0.2 2005" "$(fields "$WORK/b.pcap" frame.len frame.cap_len ip.src udp.srcport | sort -u | tr '\t' ' ')" \
	"a filter and a snapshot length"
fields "$WORK/b.pcap" frame.time_epoch | grep -qv '000$' || die "nanoseconds were asked for"
ok "nanoseconds"

# a filter that cannot be compiled is refused as ever
timeout 20 "$EXEC" tcpdump -ni valea:1 "no such filter" >"$WORK/cap.out" 2>"$WORK/cap.err" && die "the filter was taken"
grep -q "syntax error" "$WORK/cap.err" || die "not a syntax error: $(cat "$WORK/cap.err")"
ok "a wrong filter is refused"

capture_start valea:1 tcpdump -lni valea:1 -e -v
send -n 3 -R 100 -l 5000 -S 02:00:00:00:00:77
wait_text "$WORK/cap.out" "02:00:00:00:00:77" 10
retry 10 test "$(grep -c 'length 5000' "$WORK/cap.out")" = 3 || true
expect_eq 3 "$(grep -c 'length 5000' "$WORK/cap.out")" "as text, frames of several slots"
tcpdump_pid=$(pgrep -x tcpdump)
expect_eq "$(id -u tcpdump 2>/dev/null || echo 0)" "$(awk '/^Uid:/ { print $2 }' "/proc/$tcpdump_pid/status")" \
	"it is no longer root"
kill -INT "$tcpdump_pid"
capture_end "SIGINT"
grep -q "^3 packets captured" "$WORK/cap.err" || die "no summary: $(cat "$WORK/cap.err")"
ok "SIGINT ends it with a summary"

timeout 20 "$EXEC" tcpdump -ni lo -c 1 -Z root udp port 9 >"$WORK/lo.out" 2>"$WORK/lo.err" &
lo=$!
wait_text "$WORK/lo.err" "listening on lo" 10
retry 10 sh -c "echo x | bash -c 'cat >/dev/udp/127.0.0.1/9'; sleep 0.1; ! kill -0 $lo" || die "nothing on lo"
wait "$lo" || die "tcpdump -i lo under vale-exec: $(cat "$WORK/lo.err")"
grep -q "127.0.0.1.9: UDP" "$WORK/lo.out" || die "$(cat "$WORK/lo.out")"
ok "lo as ever"
expect_eq 10 "$("$EXEC" tcpdump -nr "$WORK/b.pcap" 2>/dev/null | wc -l)" "files as ever"
timeout 20 "$EXEC" tcpdump -ni nosuch0 >"$WORK/cap.out" 2>"$WORK/cap.err" && die "nosuch0 was opened"
grep -qi "no such device" "$WORK/cap.err" || die "$(cat "$WORK/cap.err")"
timeout 20 "$EXEC" tcpdump -ni vale-x:1 >"$WORK/cap.out" 2>"$WORK/cap.err" && die "vale-x:1 was opened"
grep -q "letters, digits and _" "$WORK/cap.err" || die "$(cat "$WORK/cap.err")"
ok "wrong names are refused"
