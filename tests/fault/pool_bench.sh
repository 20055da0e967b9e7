#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what a pool with operations `vale` costs, against a stock one.
# Steps:
# 1. get and put bursts of 32, alternating between both kinds, as the switch and as a client
. "$(dirname "$0")/../lib.sh"

"$VALE_BUILD/tests/fault/pool-bench" --file-prefix "$PREFIX" --no-pci --no-telemetry -m 128 -l 0 --log-level=error
ok "measured"
