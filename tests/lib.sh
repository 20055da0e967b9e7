# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Helpers for tests that run real processes. A test is a bash script that begins with
#
#	. "$(dirname "$0")/../lib.sh"
#
# which runs the script again in namespaces of its own: mounts, network and processes. There /run is an empty
# tmpfs and the only hugetlbfs is the test's. So two tests never meet, and whatever happens to a test, the
# kernel removes all it had made when its last process has gone. That a test leaves nothing
# behind is still checked at its end, because it is the switch that must clean up after itself.
#
# Environment: VALE_BUILD, the build directory (set by meson test).
# Exit status: 0 passed, 77 skipped (with the reason), else failed.
#
# Variables for the test: PREFIX (--file-prefix), SOCKET (control socket), WORK (a folder for files),
# PMD (the plugin, for -d), VALE_BUILD, SWITCH_PID.
set -euo pipefail

skip() {
	echo "skipped: $*"
	exit 77
}

die() {
	echo "FAILED: $*" >&2
	# told again behind the logs, of which a test runner shows the end only
	[ ! -d "${WORK:-}" ] || echo "FAILED: $*" >>"$WORK/reasons" 2>/dev/null || true
	exit 1
}

[ -n "${VALE_BUILD:-}" ] || die "VALE_BUILD is not set; run it with: meson test -C build"
[ "$(id -u)" = 0 ] || skip "not root: namespaces and hugetlbfs cannot be mounted"

if [ -z "${VALE_TEST_INSIDE:-}" ]; then
	export VALE_TEST_INSIDE=$$
	# with --kill-child, nothing outlives this process, not even when it is killed
	exec unshare --mount --net --pid --fork --kill-child=KILL --mount-proc \
		bash "$0" "$@"
fi

PREFIX=vt$VALE_TEST_INSIDE
SOCKET=/run/vale/$PREFIX.sock
WORK=/run/vale-test
HUGE=$WORK/huge
PMD=$WORK/pmd/librte_net_vale.so
SWITCH_PID=
declare -A CLIENT_PID CLIENT_FD
NB_OK=0

# ---- the test's world -------------------------------------------------------------------

setup_world() {
	mount -t tmpfs -o mode=755 none /run
	mkdir -p "$WORK/pmd" "$HUGE" /run/lock
	chmod 700 "$WORK"
	umount -a -t hugetlbfs 2>/dev/null || true
	mount -t hugetlbfs none "$HUGE"
	# EAL loads no plugin from below a folder that everybody may write to
	cp "$VALE_BUILD/drivers/librte_net_vale.so" "$PMD"
	ip link set lo up
	unset XDG_RUNTIME_DIR RUNTIME_DIRECTORY NOTIFY_SOCKET VALE_SOCKET
}

# Sets LIVING to the processes of this test but for its own shell. Not to be called in a subshell, which would
# be one.
living() {
	ps -e -o pid=,stat=,comm=,args= >"$WORK/processes"
	LIVING=$(awk -v me=$$ '$1 != me && $2 !~ /^Z/ && $3 != "ps"' "$WORK/processes")
}

left_files() {
	find /run/dpdk /run/vale "$HUGE" -mindepth 1 ! -type d 2>/dev/null
	find "/run/dpdk/$PREFIX" -maxdepth 0 2>/dev/null || true
}

show_logs() {
	local f

	for f in "$WORK"/*.out "$WORK"/*.err; do
		[ -s "$f" ] || continue
		echo "---- last lines of ${f##*/}" >&2
		tail -n 30 "$f" >&2
	done
}

# The end of every test: stop what runs, and see that nothing is left.
finish() {
	local status=$? left

	trap - EXIT
	set +e
	if [ "$status" = 0 ]; then
		clients_stop
		[ -z "$SWITCH_PID" ] || switch_stop || status=1
		left=$(left_files)
		[ -z "$left" ] || { echo "FAILED: files left behind: $left" >&2; status=1; }
		living
		[ -z "$LIVING" ] || { echo "FAILED: processes left behind: $LIVING" >&2; status=1; }
	fi
	if [ "$status" != 0 ] && [ "$status" != 77 ]; then
		show_logs
		cat "$WORK/reasons" >&2 2>/dev/null
	fi
	exit "$status"
}

# ---- results ----------------------------------------------------------------------------

# ok TEXT: a step that was checked and found right.
ok() {
	NB_OK=$((NB_OK + 1))
	echo "ok $NB_OK - $*"
}

# expect_eq WANT GOT TEXT
expect_eq() {
	[ "$1" = "$2" ] || die "$3: expected '$1', got '$2'"
	ok "$3"
}

# retry SECONDS COMMAND...: until it succeeds.
retry() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# wait_text FILE TEXT SECONDS
wait_text() {
	retry "$3" grep -qF -- "$2" "$1" || die "'$2' did not appear in ${1##*/} within $3 s"
}

wait_gone() {
	retry "$2" bash -c "! kill -0 $1 || grep -q '^State:.Z' /proc/$1/status"
}

# json EXPRESSION: from the JSON document on standard input, named d, in Python. Strings are printed as they
# are, null as null.
json() {
	python3 -c '
import json, sys
d = json.load(sys.stdin)
v = eval(sys.argv[1])
print(v if isinstance(v, str) else json.dumps(v))' "$1"
}

# ---- the switch -------------------------------------------------------------------------

# switch_start [EAL options] [-- switch options]: and wait until it is ready.
switch_start() {
	local opts="--mbufs 8192" eal=() switch_args=()

	while [ $# -gt 0 ] && [ "$1" != -- ]; do eal+=("$1"); shift; done
	[ $# -eq 0 ] || shift
	switch_args=("$@")
	case " ${switch_args[*]-} " in *" --mbufs"*) opts= ;; esac
	rm -f "$WORK/switch.out" "$WORK/switch.err" # an earlier one's, which was ready, too
	# shellcheck disable=SC2086
	"$VALE_BUILD/app/vale-switch" --file-prefix "$PREFIX" "${eal[@]}" -- $opts "${switch_args[@]}" \
		>"$WORK/switch.out" 2>"$WORK/switch.err" &
	SWITCH_PID=$!
	retry 30 sh -c "grep -qx 'vale-switch: ready' $WORK/switch.out || ! kill -0 $SWITCH_PID"
	grep -qx 'vale-switch: ready' "$WORK/switch.out" || die "the switch did not become ready"
}

# End the switch and see that it ends well.
switch_stop() {
	local status=0

	kill -TERM "$SWITCH_PID" 2>/dev/null
	wait_gone "$SWITCH_PID" 15 || { echo "FAILED: the switch does not end" >&2; return 1; }
	wait "$SWITCH_PID" || status=$?
	SWITCH_PID=
	[ "$status" = 0 ] || { echo "FAILED: the switch ended with status $status" >&2; return 1; }
}

switch_kill() {
	kill -KILL "$SWITCH_PID"
	wait "$SWITCH_PID" 2>/dev/null || true
	SWITCH_PID=
}

# ctl ARGUMENTS: vale-ctl on this test's switch.
ctl() {
	timeout 20 "$VALE_BUILD/app/vale-ctl" --socket "$SOCKET" "$@"
}

# port PORT FIELD: one field of a port, e.g. port valea:0 rx_packets, port valea:0 drops.no_dst
port() {
	local field=${2//./\"][\"}

	ctl -j show "$1" | json "d[\"$field\"]"
}

# wait_port PORT FIELD VALUE SECONDS
wait_port() {
	local end=$((SECONDS + $4)) got=

	until got=$(port "$1" "$2" 2>/dev/null) && [ "$got" = "$3" ]; do
		[ "$SECONDS" -lt "$end" ] || die "$1: $2 is '$got', not '$3' after $4 s"
		sleep 0.05
	done
}

# ---- clients ----------------------------------------------------------------------------

# client_start NAME LCORES VDEVS [-- testpmd options]: a stock dpdk-testpmd as secondary, in the
# background, waiting for commands. VDEVS: VALE ports, `valea:0` or `valea:0,queues=2`, in one word each.
client_start() {
	local name=$1 lcores=$2 i=0 vdevs=() fd

	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		vdevs+=("--vdev=net_vale$i,port=$1")
		i=$((i + 1))
		shift
	done
	[ $# -eq 0 ] || shift
	rm -f "$WORK/$name.in" "$WORK/$name.out" "$WORK/$name.err"
	mkfifo "$WORK/$name.in"
	exec {fd}<>"$WORK/$name.in"
	# line by line, or what it prints would come long after the prompt that follows it
	stdbuf -oL dpdk-testpmd --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "$lcores" \
		-d "$PMD" "${vdevs[@]}" -- -i "$@" \
		<"$WORK/$name.in" >"$WORK/$name.out" 2>"$WORK/$name.err" &
	CLIENT_PID[$name]=$!
	CLIENT_FD[$name]=$fd
	retry 30 sh -c "grep -qF 'testpmd>' $WORK/$name.out || ! kill -0 ${CLIENT_PID[$name]}"
	grep -qF 'testpmd>' "$WORK/$name.out" || die "testpmd $name did not start"
}

# client_say NAME COMMAND: one line for testpmd.
client_say() {
	echo "$2" >&"${CLIENT_FD[$1]}"
}

client_kill() {
	# it may have ended by itself, when its switch did
	kill -KILL "${CLIENT_PID[$1]}" 2>/dev/null || true
	client_forget "$1"
}

# client_stop NAME: let testpmd quit.
client_stop() {
	client_say "$1" stop
	client_say "$1" quit
	wait_gone "${CLIENT_PID[$1]}" 15 || kill -KILL "${CLIENT_PID[$1]}" 2>/dev/null || true
	client_forget "$1"
}

client_forget() {
	local fd=${CLIENT_FD[$1]}

	wait "${CLIENT_PID[$1]}" 2>/dev/null || true
	exec {fd}>&-
	unset "CLIENT_PID[$1]" "CLIENT_FD[$1]"
}

clients_stop() {
	local name

	for name in "${!CLIENT_PID[@]}"; do
		client_stop "$name"
	done
}

# ---- network namespaces -----------------------------------------------------------------

# netns_pair NS IFACE ADDRESS: a namespace NS with a veth `veth0` (ADDRESS/24), whose other end is IFACE here.
netns_pair() {
	ip netns add "$1"
	ip link add "$2" type veth peer name veth0 netns "$1"
	ip netns exec "$1" ip link set lo up
	ip netns exec "$1" ip addr add "$3/24" dev veth0
	ip netns exec "$1" ip link set veth0 up
	ip link set "$2" up
}

setup_world
trap finish EXIT
