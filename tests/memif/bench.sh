#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# How fast one worker moves frames from one memif client to another. The client does next to nothing, so that the
# worker is what is measured; it has the last CPU to itself, the client the first. No limits are checked.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

switch_start --no-huge -- --idle poll
for len in 60 512 1514 9216; do
	best=0
	for i in 1 2 3; do
		"$MEMIF_FLOW" "$MEMIF" bench valea:x valea:y 1 $len 0 >"$WORK/bench.out"
		rate=$(sed -n 's/.*delivered_mpps=//p' "$WORK/bench.out")
		best=$(awk -v a="$best" -v b="$rate" 'BEGIN { print (a > b ? a : b) }')
	done
	echo "$len bytes: $best million frames a second"
done
