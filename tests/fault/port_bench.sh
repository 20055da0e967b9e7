#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what crash safety costs a client and the switch, in cycles for a frame, against a build without it.
#
# Environment: VALE_BENCH_BEFORE, the build directory to compare with (without it this one is measured alone): one set up
# with `meson setup DIR -Dbare_pool=true`, or another commit's; VALE_BENCH_RUNS, of each (9); VALE_BENCH_SECONDS, for each (2).
#
# Steps:
#  1. A client with one lcore, on CPU 0, sends on one port and receives on another, bursts of 64 frames of 60 bytes. The
#     switch's worker has CPU 1. Client: cycles that pass for a frame. Worker: CPU time of the switch for a frame.
#  2. The builds alternate; medians are printed, and the medians of the differences of neighbours.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

RUNS=${VALE_BENCH_RUNS:-9}
NOW=$VALE_BUILD

# cpu_ns: of all threads of the switch.
cpu_ns() {
	cat "/proc/$SWITCH_PID/task/"*/schedstat | awk '{ n += $1 } END { print n }'
}

# run NAME BUILD
run() {
	local before used out

	VALE_BUILD=$2
	switch_start --lcores "0@0,1@1"
	before=$(cpu_ns)
	out=$(taskset -c 0 "$NOW/tests/fault/port-bench" --proc-type=secondary --file-prefix="$PREFIX" --no-pci \
		--lcores 10@0 -d "$WORK/pmd-$1/librte_net_vale.so" --vdev=net_vale0,port=valea:0 \
		--vdev=net_vale1,port=valea:1 -- "${VALE_BENCH_SECONDS:-2}" 2>"$WORK/bench.err" | tail -n 1)
	used=$(($(cpu_ns) - before))
	echo "$out" | awk -v used="$used" '{ printf "%.1f %.1f %.2f\n", $1, used * $3 / 1e9 / $2, $3 / $1 / 1e6 }' \
		>>"$WORK/bench.$1"
	switch_stop
}

median() {
	awk -v c="$2" '{ print $c }' "$WORK/bench.$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

builds=("now $NOW")
[ -z "${VALE_BENCH_BEFORE:-}" ] || builds=("before $VALE_BENCH_BEFORE" "${builds[@]}")
for entry in "${builds[@]}"; do
	read -r name build <<<"$entry"
	mkdir -p "$WORK/pmd-$name"
	cp "$build/drivers/librte_net_vale.so" "$WORK/pmd-$name/"
done
for ((r = 0; r < RUNS; r++)); do
	for entry in "${builds[@]}"; do
		# shellcheck disable=SC2086
		run $entry
	done
done
VALE_BUILD=$NOW
# difference COLUMN
difference() {
	paste -d " " "$WORK/bench.before" "$WORK/bench.now" | awk -v c="$1" '{ print $(c + 3) - $c }' | sort -n |
		awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
for entry in "${builds[@]}"; do
	read -r name build <<<"$entry"
	echo "$name: client $(median "$name" 1) cycles/frame, switch $(median "$name" 2) cycles/frame," \
		"$(median "$name" 3) Mframes/s (medians of $RUNS)"
done
[ -z "${VALE_BENCH_BEFORE:-}" ] ||
	echo "now costs: client $(difference 1) cycles/frame, switch $(difference 2) cycles/frame (medians of differences)"
ok "measured"
