#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The suite, or VALE_BENCH, in a world of its own (../lib.sh): nothing that it starts outlives it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

export PYTHONDONTWRITEBYTECODE=1 PREFIX SOCKET WORK PMD VALE_BUILD
python3 "$(dirname "$0")/${VALE_BENCH:-bench.py}" "$@"
