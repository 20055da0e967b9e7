#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The whole check, on a bare Debian 12: packages, hugepages, builds with gcc and clang, all tests,
# sanitizers, installation. Its last line says `N passed, N failed`; exit status 0 if none failed. Nothing
# is left but the packages, and the folders build/ and .deps/.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
# shellcheck source=devtools/host.sh
. devtools/host.sh

packages=(build-essential clang dpkg-dev meson ninja-build pkgconf libdpdk-dev dpdk-dev
	libcmocka-dev iproute2 iputils-ping iperf3 tcpdump ethtool procps python3 shellcheck
	qemu-system-x86 busybox-static libpcap0.8-dev tshark)
# what the most demanding test takes
memory_mb=1200

nb_passed=0
nb_failed=0
nb_runs=0
failed_steps=()
work=
ahead=

cleanup() {
	builds_ahead_end
	hugepages_restore
	[ -z "$work" ] || rm -rf "$work"
}

# step NAME COMMAND...: one thing that passes or fails; its output is shown when it fails.
step() {
	local name=$1 log

	shift
	log=$work/step.log
	say "$name"
	if "$@" >"$log" 2>&1; then
		nb_passed=$((nb_passed + 1))
		return 0
	fi
	tail -n 100 "$log"
	echo "FAILED: $name"
	nb_failed=$((nb_failed + 1))
	failed_steps+=("$name")
	return 1
}

# configure NAME COMPILER [meson options], unless it was. Warnings are errors without sanitizers only: with them gcc
# sees truncations that cannot happen.
configure() {
	local name=$1 compiler=$2

	shift 2
	[ -f "$work/$name/build.ninja" ] || CC=$compiler meson setup "$work/$name" "$@"
}

build() {
	configure "$@" && ninja -C "$work/$1"
}

# Most tests wait more than they compute. Meanwhile the other builds get on, with the CPU time that nobody else wants;
# whatever they have not done, or what failed, is left to the steps of these names.
builds_ahead_begin() {
	set -m # a process group of its own, which can be ended as one
	(
		chrt --idle --pid 0 $BASHPID || renice -n 19 -p $BASHPID
		build_clang
		build_asan
		build_tsan
	) >"$work/ahead.log" 2>&1 </dev/null &
	ahead=$!
	set +m
}

builds_ahead_end() {
	[ -n "$ahead" ] || return 0
	kill -TERM -- "-$ahead" 2>/dev/null || true
	wait "$ahead" 2>/dev/null || true
	ahead=
}

# run_tests NAME [meson test arguments]: each test counts, by meson's own log.
run_tests() {
	local name=$1 log=$work/$1/meson-logs/testlog.json wrapper=()

	shift
	# ThreadSanitizer cannot map its shadow where the kernel randomises addresses by more than 28 bits
	[ "$name" != tsan ] || wrapper=(setarch -R)
	[ -f "$work/$name/build.ninja" ] || return 0
	say "tests of the $name build"
	rm -f "$log"
	# a /run of their own: EAL leaves folders there even for unit tests
	unshare --mount sh -c 'mount -t tmpfs -o mode=755 none /run && exec "$@"' sh \
		"${wrapper[@]}" meson test -C "$work/$name" --print-errorlogs "$@" || true
	if [ -s "$log" ]; then
		nb_runs=$((nb_runs + 1))
		cp "$log" "$work/$name.$nb_runs.testlog.json"
	else
		nb_failed=$((nb_failed + 1))
		failed_steps+=("tests of the $name build did not run")
	fi
}

# The tests that are free of DPDK's own synchronisation, which ThreadSanitizer does not know: the FDB and
# those in suite tsan.
tsan_tests() {
	meson introspect --tests "$work/tsan" | python3 -c '
import json, sys
for t in json.load(sys.stdin):
    suites = [s.split(":")[-1] for s in t["suite"]]
    if "tsan" in suites or ("unit" in suites and t["name"] == "fdb"):
        print(t["name"])'
}

build_clang() {
	build clang clang --werror
}

# Unit tests are all that runs with these.
build_asan() {
	local targets

	configure asan gcc -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 || return 1
	mapfile -t targets < <(ninja -C "$work/asan" -t targets all | sed -n 's/^\(tests\/unit\/test_[a-z0-9_]*\): .*/\1/p')
	[ ${#targets[@]} -gt 0 ] && ninja -C "$work/asan" "${targets[@]}"
}

build_tsan() {
	local t

	configure tsan gcc -Db_sanitize=thread -Db_lundef=false || return 1
	for t in $(tsan_tests); do
		ninja -C "$work/tsan" "tests/unit/test_$t" || return 1
	done
}

run_tsan() {
	local tests

	[ -f "$work/tsan/build.ninja" ] || return 0
	mapfile -t tests < <(tsan_tests)
	[ ${#tests[@]} -gt 0 ] || return 0
	run_tests tsan --no-rebuild --timeout-multiplier 5 "${tests[@]}"
}

# What stock programs and people look for must be where they look.
check_install() {
	local root=$work/root plugins missing=0 f

	DESTDIR=$root meson install -C "$work/gcc" --no-rebuild || return 1
	plugins=$(PKG_CONFIG_PATH=$(dirname "$(find "$root" -name vale-switch.pc)") \
		pkg-config --variable=plugindir vale-switch) || return 1
	for f in bin/vale-switch bin/vale-ctl bin/vale-gen bin/vale-exec share/man/man8/vale-switch.8 \
			share/man/man8/vale-ctl.8 share/man/man1/vale-gen.1 share/man/man1/vale-exec.1 \
			libvale-netmap.so libvale-pcap.so libnetmap.a libvale_netmap_client.a \
			include/net/netmap.h include/net/netmap_user.h include/libnetmap.h include/vale_netmap_client.h \
			lib/systemd/system/vale-switch.service; do
		[ -n "$(find "$root" -path "*/$f")" ] || { echo "not installed: $f"; missing=1; }
	done
	for f in "$root/etc/default/vale-switch" "$root$plugins/librte_net_vale.so"; do
		[ -e "$f" ] || { echo "not installed: ${f#"$root"}"; missing=1; }
	done
	return $missing
}

check_shell() {
	local scripts

	mapfile -t scripts < <(find . -name '*.sh' -not -path './.deps/*' -not -path './build*')
	# variables and arguments of sourced files are used elsewhere; `ping -M do` is no loop
	shellcheck -x -S warning -e SC1010,SC2034,SC2120 "${scripts[@]}" .ci/run
}

# Sum of all that meson ran and of the steps above.
count_tests() {
	python3 - "$work" <<'PY'
import glob, json, sys
n = {"passed": 0, "failed": 0, "skipped": 0}
for name in sorted(glob.glob(sys.argv[1] + "/*.testlog.json")):
    for line in open(name):
        t = json.loads(line)
        r = t["result"]
        kind = "passed" if r in ("OK", "EXPECTEDFAIL") else "skipped" if r == "SKIP" else "failed"
        n[kind] += 1
        if kind != "passed":
            build = name.split("/")[-1].split(".")[0]
            print(f"{kind}: {t['name']} ({build}, {r})", file=sys.stderr)
print(n["passed"], n["failed"], n["skipped"])
PY
}

report() {
	local passed failed skipped counts s

	counts=$(count_tests) || die "meson's test logs cannot be read"
	read -r passed failed skipped <<<"$counts"
	for s in "${failed_steps[@]}"; do
		echo "failed: $s" >&2
	done
	passed=$((passed + nb_passed))
	failed=$((failed + nb_failed))
	if [ "$skipped" -gt 0 ]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[ "$failed" = 0 ]
}

need_root "it installs packages, reserves hugepages and makes network namespaces"
need_packages "${packages[@]}"
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
work=$(mktemp -d /var/tmp/vale-check.XXXXXX)
hugepages_reserve $memory_mb

step "shellcheck" check_shell
step "kernel of virtual machines" devtools/guest-kernel.sh .deps/guest-kernel
step "build with gcc" build gcc gcc --werror
step "installation" check_install
step "quickstart" ./quickstart.sh
builds_ahead_begin
run_tests gcc --no-rebuild --no-suite bench --no-suite timed
builds_ahead_end
step "build with clang" build_clang
step "build with AddressSanitizer and UndefinedBehaviorSanitizer" build_asan
step "build with ThreadSanitizer" build_tsan
# those that look at how long something takes have the machine to themselves
run_tests gcc --no-rebuild --suite timed
run_tests clang --no-rebuild --suite unit
run_tests asan --no-rebuild --suite unit --timeout-multiplier 4
run_tsan
report
