#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what vale-gen refuses it refuses in one line, with the right exit code; signals end it with a summary.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/netmap/gen.inc
. "$(dirname "$0")/gen.inc"

# refused STATUS WORDS ARGUMENTS...
refused() {
	local status=0 want=$1 words=$2

	shift 2
	timeout 20 "$GEN" "$@" >"$WORK/refused.out" 2>"$WORK/refused.err" || status=$?
	[ "$status" = "$want" ] || die "vale-gen $*: exit $status, not $want: $(cat "$WORK/refused.err")"
	[ "$(wc -l <"$WORK/refused.err")" = 1 ] || die "vale-gen $*: not one line: $(cat "$WORK/refused.err")"
	grep -qF -- "$words" "$WORK/refused.err" || die "vale-gen $*: '$words' is not in: $(cat "$WORK/refused.err")"
	[ ! -s "$WORK/refused.out" ] || die "vale-gen $*: it also said: $(cat "$WORK/refused.out")"
	ok "vale-gen $*: refused"
}

refused 3 "start one with: vale-switch" -i valea:0 -f rx
"$GEN" -h >"$WORK/help.out" || die "-h fails"
for letter in i f n l b R s d S D p w T j a C W o B N z Z; do
	grep -qE -- "-${letter}[ ,]" "$WORK/help.out" || die "-h does not say -$letter"
done
ok "-h names all letters"

switch_start
refused 2 "which port?" -f rx
refused 2 "what to do?" -i valea:0
refused 2 "-f xx" -i valea:0 -f xx
refused 2 "-n x" -i valea:0 -f tx -n x
refused 2 "-n -1" -i valea:0 -f tx -n -1
refused 2 "-l 41" -i valea:0 -f tx -l 41
refused 2 "-l 9217" -i valea:0 -f tx -l 9217
refused 2 "58 bytes" -i valea:0 -f ping -l 57
refused 2 "-b 0" -i valea:0 -f tx -b 0
refused 2 "-R fast" -i valea:0 -f tx -R fast
refused 2 "-R 1kk" -i valea:0 -f tx -R 1kk
refused 2 "-s 10.0.0" -i valea:0 -f tx -s 10.0.0
refused 2 "-d 10.0.0.1:70000" -i valea:0 -f tx -d 10.0.0.1:70000
refused 2 "-D 02:00" -i valea:0 -f tx -D 02:00
refused 2 "group address" -i valea:0 -f tx -S 01:00:00:00:00:01
refused 2 "-p 17" -i valea:0 -f tx -p 17
refused 2 "one thread" -i valea:0 -f ping -p 2
refused 2 "-C 1,2,3,4,5" -i valea:0 -f tx -C 1,2,3,4,5
refused 2 "-w soon" -i valea:0 -f tx -w soon
refused 2 "-T 0" -i valea:0 -f tx -T 0
refused 2 "-q" -i valea:0 -f tx -q
refused 2 "is pkt-gen's" -i valea:0 -f tx -6
refused 2 "'more'" -i valea:0 -f tx more
refused 2 "netmap: or vale" -i eth0 -f tx
refused 2 "leave the ring out" -i valea:0-0 -f tx -p 2
refused 1 "(EINVAL)" -i valea:0/T@999 -f tx
refused 1 "(ENXIO)" -i netmap:nosuch0 -f tx

# with ports of one ring, two threads are too many
gen_start one -i valea:1 -f rx -j
wait_port valea:1 kind netmap 10
refused 1 "" -i valea:1 -f rx -p 2
gen_int one 0
expect_eq 'rx null true' "$(gen_json one '" ".join((d["function"], json.dumps(d["count"]), json.dumps(d["reached"])))')" \
	"stopped by SIGINT without a count: a summary, exit 0"
gen_start two -i valea:1 -f rx -n 5 -T 100
wait_port valea:1 kind netmap 10
wait_text "$WORK/two.out" "0 frames" 10
gen_int two 1
grep -q '^received 0 frames' "$WORK/two.out" || die "no summary: $(cat "$WORK/two.out")"
ok "stopped before the count was reached: a summary, exit 1"
"$GEN" -i valea:1 -f rx -W -n 1 >"$WORK/empty.out" && die "-W: no frame, and exit 0"
ok "-W ends at once"

# the operator takes the port
gen_start gone -i valea:1 -f rx
wait_port valea:1 kind netmap 10
ctl detach valea:1
gen_end gone 1
grep -qF '(ENXIO)' "$WORK/gone.err" || die "it does not say why it ended: $(cat "$WORK/gone.err")"
ok "a port that is taken away ends it, and it says so"
