#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a setting costs a busy switch (paired.py): paired.sh idle poll sleep. VALE_BUILD is the build directory.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

export PREFIX SOCKET PMD VALE_BUILD
switch_start --lcores 126@0,127@1 --no-pci -- --mbufs 32768
python3 "$(dirname "$0")/paired.py" "$@"
