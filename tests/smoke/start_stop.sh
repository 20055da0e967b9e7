#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: vale-switch starts, says so, refuses what it must with one line that helps, ends cleanly,
# and starts again after it was killed.
#
# Steps:
#  1. Start with defaults; ready line, attach command, readiness to the service manager.
#  2. A second one under the same prefix, and one on the same socket, are refused.
#  3. SIGTERM, then SIGINT: exit 0, no file left.
#  4. kill -9, then start again: files of the dead one are removed.
#  5. One lcore alone; --no-huge; a single CPU.
#  6. Wrong usage: exit 2 and one line.
#  7. No hugetlbfs, too few hugepages: exit 1 and the command that mends it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

switch=$VALE_BUILD/app/vale-switch

# refused STATUS PATTERN ARGUMENTS: it must end with STATUS and one line on stderr that has PATTERN.
refused() {
	local want=$1 pattern=$2 status=0

	shift 2
	timeout 30 "$switch" "$@" >"$WORK/refused.out" 2>"$WORK/refused.err" || status=$?
	[ "$status" = "$want" ] || die "vale-switch $*: status $status, not $want"
	[ "$(wc -l <"$WORK/refused.err")" = 1 ] || die "vale-switch $*: not one line on stderr"
	grep -qe "$pattern" "$WORK/refused.err" || die "vale-switch $*: no '$pattern' in $(cat "$WORK/refused.err")"
	[ ! -s "$WORK/refused.out" ] || die "vale-switch $*: something on stdout"
	ok "refused: vale-switch $*"
}

nothing_left() {
	local left

	left=$(left_files)
	[ -z "$left" ] || die "$1 left behind: $left"
	ok "$1: nothing left behind"
}

# 1
python3 - "$WORK/notify" "$WORK/notified" <<'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
open(sys.argv[2], "w").close()
with open(sys.argv[2], "a") as out:
    while True:
        state = s.recv(256).decode()
        print(state, file=out, flush=True)
        if state.startswith("STOPPING"):
            break
PY
retry 10 test -e "$WORK/notified" || die "no notify socket"
export NOTIFY_SOCKET=$WORK/notify
switch_start
unset NOTIFY_SOCKET
grep -qe "^dpdk-testpmd .*--file-prefix $PREFIX .*--lcores [^ ]*@.*net_vale0,port=valea:0" \
	"$WORK/switch.out" || die "no command line that attaches testpmd"
[ -S "$SOCKET" ] || die "no control socket"
wait_text "$WORK/notified" READY=1 5
ok "ready, announced, and the service manager knows"

# 2
refused 1 "in use by vale-switch, pid $SWITCH_PID; .*kill $SWITCH_PID\$" --file-prefix "$PREFIX"
refused 1 "is served by vale-switch, pid $SWITCH_PID" --file-prefix "${PREFIX}x" -- --socket "$SOCKET"

# 3
switch_stop
wait_text "$WORK/notified" STOPPING=1 5
ok "SIGTERM ends it with status 0"
nothing_left SIGTERM
switch_start
kill -INT "$SWITCH_PID"
wait_gone "$SWITCH_PID" 15 || die "SIGINT does not end it"
wait "$SWITCH_PID" || die "after SIGINT it ended with status $?"
SWITCH_PID=
nothing_left SIGINT

# 4
switch_start
switch_kill
[ -n "$(left_files)" ] || die "kill -9 left nothing to clean up, which makes this test pointless"
switch_start
grep -q "removed what an earlier run" "$WORK/switch.err" || die "it did not say that it cleaned up"
switch_stop
nothing_left "restart after kill -9"

# 5
switch_start --lcores 5@0
switch_stop
nothing_left "one lcore"
switch_start --no-huge
grep -q "^dpdk-testpmd .*net_memif0.*secret=valea:0" "$WORK/switch.out" || die "--no-huge: no command that attaches"
switch_stop
nothing_left "--no-huge"
taskset -c 0 "$switch" --file-prefix "$PREFIX" -- --mbufs 4096 >"$WORK/one.out" 2>&1 &
SWITCH_PID=$!
wait_text "$WORK/one.out" "vale-switch: ready" 30
switch_stop
nothing_left "one CPU"

# 6
refused 2 "must be a number from 1 to 1024" -- --batch 0
refused 2 "vale-switch -- --batch" --batch 64
refused 2 "power of two" -- --ring-size 1000
refused 2 "absolute path" -- --memif-socket x.sock
refused 2 "configuration" -- --config /etc/vale.conf
refused 2 "always the primary" --proc-type secondary
refused 2 "CPU 1023 in" --lcores 1@1023
refused 2 "lcore ids up to" -l 1000
refused 2 "unknown" --no-such-option
for where in "--help" "-- --help"; do
	# shellcheck disable=SC2086
	"$switch" $where | grep -q "^usage: vale-switch" || die "vale-switch $where shows no help"
done
"$switch" --version | grep -q "^vale-switch [0-9]" || die "no version"
ok "help and version"

# 7
refused 1 "hugepages are needed .* echo [0-9]* > /proc/sys/vm/nr_hugepages\$" \
	--file-prefix "$PREFIX" -m 100000000
touch "$WORK/file"
refused 1 "is no socket" --file-prefix "$PREFIX" -- --socket "$WORK/file"
umount "$HUGE"
refused 1 "mount -t hugetlbfs none /dev/hugepages\$" --file-prefix "$PREFIX"
