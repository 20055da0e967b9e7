#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: programs written for netmap run under vale-exec, and other programs notice nothing.
#
# Steps:
#  1. Each case of pre-cases without hugepages; with them those about rings and ports, and all but the longest as
#     a distribution builds programs: optimized, checked, with 64-bit times.
#  2. Where the switch never sleeps, a sync makes no system call.
#  3. Programs that have nothing to do with netmap.
#  4. What vale-exec says when it cannot help.
#  5. The switch ends while a program waits: poll says so.
#
# NETMAP_HEADERS=netmap/sys compiles the cases against netmap's own headers instead of ours. VALE_TEST_MS is for how
# long the cases with threads go on (500), VALE_TEST_OPENS how often a port is opened and closed (100).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

x=$VALE_BUILD/app/vale-exec
pre=$VALE_BUILD/tests/netmap/pre-cases
fortified=$VALE_BUILD/tests/netmap/pre-cases-fortified
export VALE_SOCKET=$SOCKET

# refused STATUS TEXT COMMAND...
refused() {
	local want=$1 text=$2 status=0

	shift 2
	"$@" >"$WORK/refused.out" 2>"$WORK/refused.err" || status=$?
	expect_eq "$want" "$status" "$* is refused"
	grep -qF -- "$text" "$WORK/refused.err" || die "it did not say '$text': $(cat "$WORK/refused.err")"
}

# run PROGRAM TABLE CASE
run() {
	timeout 120 "$x" "$1" "$3" >"$WORK/case.out" 2>"$WORK/case.err" || die "$3: $(tail -n 2 "$WORK/case.out" "$WORK/case.err")"
	ok "$2: $3"
}

# all PROGRAM PATTERN: each case of PROGRAM whose "TABLE CASE" has it
all() {
	while read -r table name; do
		run "$1" "$table" "$name"
	done < <("$1" | grep -vE ' (orphan|no_calls)$' | grep -E -- "$2")
}

if [ -n "${NETMAP_HEADERS:-}" ]; then
	pre=$WORK/pre-foreign
	cc -O1 -D_GNU_SOURCE -pthread -w -I "$NETMAP_HEADERS" -o "$pre" "$(dirname "$0")"/pre_*.c || die "netmap's headers"
fi

# 1
switch_start --no-huge -m 256
all "$pre" .
switch_stop
switch_start -m 128
all "$pre" '^(ring|port) '
all "$fortified" '^(poll|process|thread) '
switch_stop

# 2
switch_start --no-huge -m 256 -- --idle poll
run "$pre" syscall no_calls
cat "$WORK/case.out"
switch_stop

# 3
switch_start --no-huge -m 256
expect_eq "$(ls /usr)" "$("$x" ls /usr)" "ls"
expect_eq 6 "$("$x" python3 -c '
import os, select, socket, subprocess
a, b = socket.socketpair()
p = select.poll(); p.register(a, select.POLLIN)
assert p.poll(10) == []
b.send(b"x"); assert p.poll(1000) == [(a.fileno(), select.POLLIN)]
assert select.select([a], [b], [], 1)[1] == [b]
e = select.epoll(); e.register(a, select.EPOLLIN); assert len(e.poll(1)) == 1
print(int(subprocess.check_output(["expr", "1", "+", "5"])))')" "python3 with poll, select, epoll and children"
expect_eq ok "$(SHELL=/bin/sh "$x" <<<'echo ok')" "without arguments: a shell"
expect_eq '{"switches":[]}' "$("$x" "$VALE_BUILD/app/vale-ctl" --socket "$SOCKET" -j list | tr -d ' \n')" "vale-ctl under vale-exec"

# 4
refused 3 "no switch at /run/none.sock" "$x" --socket /run/none.sock ls
refused 127 "there is no such program" "$x" no-such-program
printf 'int main(void) { return 0; }' | cc -x c -static -o "$WORK/static" - 2>/dev/null &&
	refused 126 "linked statically" "$x" "$WORK/static"
refused 2 "Usage" "$x" --no-such-option
"$x" --apparmor >"$WORK/local" || die "no rules for AppArmor"
grep -qF "$SOCKET rw," "$WORK/local" || die "the socket is not in the rules: $(cat "$WORK/local")"
if [ -x "$(command -v apparmor_parser)" ]; then
	{ echo '#include <tunables/global>'; echo 'profile x /usr/bin/x {'; cat "$WORK/local"; echo '}'; } >"$WORK/profile"
	apparmor_parser -QT "$WORK/profile" >"$WORK/parser.out" 2>&1 || die "AppArmor: $(cat "$WORK/parser.out")"
	ok "rules for AppArmor"
fi
# a program only has an errno; the reason is there for who asks
status=0
"$x" -v "$pre" open valea:none@ >"$WORK/why.out" 2>"$WORK/why.err" </dev/null || status=$?
expect_eq "1 EINVAL" "$status $(cat "$WORK/why.out")" "a wrong name"
grep -q "^vale-netmap: .*a character other than" "$WORK/why.err" || die "vale-exec -v does not tell why: $(cat "$WORK/why.err")"

# 5
timeout 60 "$x" "$pre" orphan >"$WORK/orphan.out" 2>&1 &
orphan=$!
wait_text "$WORK/orphan.out" waiting 10
switch_stop
wait $orphan || die "a program whose switch ended: $(cat "$WORK/orphan.out")"
ok "poll tells that the switch is gone"
