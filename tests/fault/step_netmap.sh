#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a netmap program that is killed after any instruction of what it does with its port costs nobody anything.
#
# Steps, for open, register, mmap, txsync, rxsync, poll, close, and for a sync of rings that another program goes on using:
#  1. A program is killed after its n-th instruction. n grows by some, from another beginning each time; with
#     VALE_STEP_EVERY=1 by 1 always, which takes hours.
#  2. Its port is gone, and the next program has the same name at once. Two other ports exchange frames, none is lost. Who
#     shares a ring with it goes on. The switch has as many descriptors and regions as before, and no more memory.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

every=()
[ -z "${VALE_STEP_EVERY:-}" ] || every=(--every)
renice -n -10 -p $$ >/dev/null 2>&1 || true
switch_start --no-huge -m 256
"$VALE_BUILD/tests/fault/netmap-fault" "$SOCKET" "$SWITCH_PID" "${every[@]}" "$@" 2>"$WORK/netmap-fault.err" ||
	die "$(tail -n 5 "$WORK/netmap-fault.err")"
ok "nobody noticed"
