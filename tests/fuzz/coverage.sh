#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Which lines of the switch's netmap port does the fuzzer not reach? Prints those, `FILE:LINE: text`, but for those that
# only a machine without memory or descriptors reaches (unreached.txt). No part of the tests. As root:
#
#	tests/fuzz/coverage.sh [SECONDS]
#
# Environment: COVERAGE_DIR, a folder for the copy of the tree (/var/tmp/vale-coverage). Exit status 1 if lines remain.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
dir=${COVERAGE_DIR:-/var/tmp/vale-coverage}
files="arena bind control from_client nmport region register requests rings sleepers to_client vnet"

mkdir -p "$dir"
if [ ! -d "$dir/tree" ]; then
	mkdir "$dir/tree"
	(cd "$tree" && git ls-files -z --cached | tar -c --null -T -) | tar -x -C "$dir/tree"
	# the driver headers of DPDK that were fetched already
	[ ! -d "$tree/.deps" ] || cp -a "$tree/.deps" "$dir/tree"
	meson setup "$dir/tree/build" "$dir/tree" -Db_coverage=true -Doptimization=0 >"$dir/setup.log"
fi
ninja -C "$dir/tree/build" app/vale-switch app/vale-ctl tests/fuzz/netmap-fuzz drivers/librte_net_vale.so \
	>>"$dir/setup.log"
find "$dir/tree/build" -name '*.gcda' -delete
VALE_BUILD=$dir/tree/build VALE_FUZZ_S=${1:-60} bash "$dir/tree/tests/fuzz/netmap_fuzz.sh"

# gcov finds sources from where the compiler ran
cd "$dir/tree/build"
objects=lib/libvale_switch_core.a.p
left=0
for f in $files; do
	gcov -o "$objects" "$objects/port_netmap_$f.c.gcda" >"$dir/gcov.log" 2>&1
	while IFS=: read -r _ line text; do
		text=$(sed 's/^[[:space:]]*//' <<<"$text")
		! grep -qxF -- "$f.c: $text" "$here/unreached.txt" || continue
		echo "$f.c:$((line)): $text"
		left=1
	done < <(grep '^ *#####:' "$f.c.gcov" || true)
done
exit $left
