#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: A secondary that is killed after any instruction of what it does with its port costs nobody anything.
#
# Steps, for attach, allocating, sending, receiving, freeing, start and detach, single segments and chains:
#  1. A secondary is killed after its n-th instruction. n grows by 1 where frames and mbufs change hands, by primes
#     elsewhere; with the argument --every by 1 always, which takes hours.
#  2. Two other ports exchange frames, none is lost; mbufs_free is back where it was, exactly; another
#     process attaches under the same name at once, sends, and receives.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

switch_start -- --mbufs 4096
"$VALE_BUILD/tests/fault/port-fault" --proc-type secondary --file-prefix "$PREFIX" --no-pci --no-telemetry \
	--log-level error -d "$PMD" --lcores "101@(0-1)" -- "$SOCKET" "$@" 2>"$WORK/port-fault.err" ||
	die "$(tail -n 5 "$WORK/port-fault.err")"
ok "nobody noticed"
