#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a setting costs a busy switch (paired.py): paired.sh idle poll sleep. VALE_BUILD is the build directory.
exec env VALE_BENCH=paired.py bash "$(dirname "$0")/world.sh" "$@"
