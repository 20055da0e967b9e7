#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: programs written for netmap run under vale-exec, and other programs notice nothing.
#
# Steps:
#  1. Each case of pre-cases, with and without hugepages.
#  2. Programs that have nothing to do with netmap.
#  3. What vale-exec says when it cannot help.
#  4. The switch ends while a program waits: poll says so.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

x=$VALE_BUILD/app/vale-exec
cases="bad_indices chains device epolling executing forking full indirect lengths open_close passing selecting sharing sleeper"
export VALE_SOCKET=$SOCKET

# refused STATUS TEXT COMMAND...
refused() {
	local want=$1 text=$2 status=0

	shift 2
	"$@" >"$WORK/refused.out" 2>"$WORK/refused.err" || status=$?
	expect_eq "$want" "$status" "$* is refused"
	grep -qF -- "$text" "$WORK/refused.err" || die "it did not say '$text': $(cat "$WORK/refused.err")"
}

# 1
for how in "--no-huge -m 256" "-m 128"; do
	# shellcheck disable=SC2086
	switch_start $how
	for c in $cases; do
		timeout 60 "$x" "$VALE_BUILD/tests/netmap/pre-cases" "$c" 2>"$WORK/case.err" ||
			die "$c ($how): $(tail -n 1 "$WORK/case.err")"
		ok "$c ($how)"
	done
	switch_stop
done

# 2
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

# 3
refused 3 "no switch at /run/none.sock" "$x" --socket /run/none.sock ls
refused 127 "there is no such program" "$x" no-such-program
printf 'int main(void) { return 0; }' | cc -x c -static -o "$WORK/static" - 2>/dev/null &&
	refused 126 "linked statically" "$x" "$WORK/static"
refused 2 "Usage" "$x" --no-such-option

# 4
timeout 60 "$x" "$VALE_BUILD/tests/netmap/pre-cases" orphan >"$WORK/orphan.out" 2>&1 &
orphan=$!
wait_text "$WORK/orphan.out" waiting 10
switch_stop
wait $orphan || die "a program whose switch ended: $(cat "$WORK/orphan.out")"
ok "poll tells that the switch is gone"
