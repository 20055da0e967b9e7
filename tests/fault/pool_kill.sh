#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: Secondaries that are killed at random, bound by the pool, cost nobody anything: no mbuf is lost or there
# twice, nobody hangs. Without recovery mbufs are lost.
# Steps:
# 1. three secondaries allocate, free, send and receive, and one after the other is killed, 50 times
# 2. the same with recovery left out: it must fail
. "$(dirname "$0")/../lib.sh"

fault() {
	"$VALE_BUILD/tests/fault/pool-fault" --file-prefix "$PREFIX" --no-pci --no-telemetry -m 48 \
		--lcores "0@(0-1)" --log-level=error -- kill "$@"
}

fault || die "killed processes left a mark"
ok "every mbuf is there once"
! fault --no-reap 2>"$WORK/no-reap.err" || die "recovery was left out, and nothing was missed"
grep -q "mbufs are lost" "$WORK/no-reap.err" || die "it failed for another reason than lost mbufs"
ok "without recovery it fails: $(tail -n 1 "$WORK/no-reap.err")"
# the test's own files, which a program that ends by a failure does not remove
rm -rf "/run/dpdk/$PREFIX"
find "$HUGE" -type f -delete
