#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Takes each check of mutations.txt out, builds that switch, and sees that the fuzzer fails within a minute. No part of
# the tests: it takes a quarter of an hour. As root, from anywhere:
#
#	tests/fuzz/mutate.sh [--build-only] [NAME...]
#
# Environment: MUTATE_DIR, a folder for the copy of the tree and the switches, which are built once
# (/var/tmp/vale-mutate); VALE_FUZZ_SEED. Prints `NAME SECONDS`, or `NAME survived`; exit status 1 if one did.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
dir=${MUTATE_DIR:-/var/tmp/vale-mutate}
build_only=
survived=0

[ "${1:-}" != --build-only ] || { build_only=1; shift; }

prepare() {
	mkdir -p "$dir/bin"
	[ ! -d "$dir/tree" ] || return 0
	# with its build folder, if there is one, which saves building all of it again
	cp -a "$tree" "$dir/tree"
	[ -d "$dir/tree/build" ] || meson setup "$dir/tree/build" "$dir/tree" >"$dir/setup.log"
	ninja -C "$dir/tree/build" app/vale-switch app/vale-ctl tests/fuzz/netmap-fuzz drivers/librte_net_vale.so \
		>>"$dir/setup.log"
	cp "$dir/tree/build/app/vale-switch" "$dir/bin/none"
}

# mutant NAME FILE SCRIPT
mutant() {
	local copy=$dir/tree/$2

	[ ! -x "$dir/bin/$1" ] || return 0
	sed "$3" "$tree/$2" >"$dir/mutated"
	! cmp -s "$dir/mutated" "$tree/$2" || { echo "$1: nothing to take out in $2" >&2; return 1; }
	cp "$dir/mutated" "$copy"
	# what is not used any more without the check is no error
	if ninja -C "$dir/tree/build" app/vale-switch >"$dir/build.log" 2>&1; then
		cp "$dir/tree/build/app/vale-switch" "$dir/bin/$1"
	else
		echo "$1: does not compile; see $dir/build.log" >&2
	fi
	cp "$tree/$2" "$copy"
}

# try NAME: run the fuzzer on that switch
try() {
	local start

	[ -x "$dir/bin/$1" ] || { survived=1; return 0; }
	cp "$dir/bin/$1" "$dir/tree/build/app/vale-switch"
	start=$(date +%s.%N)
	if VALE_BUILD=$dir/tree/build VALE_FUZZ_S=${VALE_FUZZ_S:-50} bash "$tree/tests/fuzz/netmap_fuzz.sh" \
			>"$dir/$1.log" 2>&1 </dev/null; then
		echo "$1 survived"
		survived=1
	else
		echo "$1 $(echo "$(date +%s.%N) $start" | awk '{ printf "%.1f", $1 - $2 }') s:" \
			"$(grep -m 1 -E 'FAILED: .*errno|the switch has ended|FAILED: attacker' "$dir/$1.log" |
				sed 's/.*FAILED: //')"
	fi
}

wanted() {
	[ $# -gt 1 ] || return 0
	case " ${*:2} " in *" $1 "*) return 0 ;; esac
	return 1
}

prepare
while read -r name file script; do
	case $name in '' | '#'*) continue ;; esac
	wanted "$name" "$@" || continue
	mutant "$name" "$file" "$script" || survived=1
	[ -n "$build_only" ] || try "$name"
done <"$here/mutations.txt"
exit $survived
