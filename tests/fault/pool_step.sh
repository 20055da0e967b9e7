#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: A process that is killed after any instruction of what it does with the pool costs nobody anything. Without
# recovery mbufs are lost.
# Steps:
# 1. a child of a secondary joins, gets and puts, receives and frees; it is killed after n instructions
# 2. the last of these, receiving and freeing, with recovery left out: it must fail
. "$(dirname "$0")/../lib.sh"

fault() {
	"$VALE_BUILD/tests/fault/pool-fault" --file-prefix "$PREFIX" --no-pci --no-telemetry -m 48 \
		--lcores "0@(0-1)" --log-level=error -- step "$@"
}

fault || die "killed processes left a mark"
ok "every mbuf is there once"
! fault --no-reap --from 3 2>"$WORK/no-reap.err" || die "recovery was left out, and nothing was missed"
grep -q "mbufs are lost" "$WORK/no-reap.err" || die "it failed for another reason than lost mbufs"
ok "without recovery it fails: $(tail -n 1 "$WORK/no-reap.err")"
# the test's own files, which a program that ends by a failure does not remove
rm -rf "/run/dpdk/$PREFIX"
find "$HUGE" -type f -delete
