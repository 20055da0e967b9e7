#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: the benchmark suite does not rot: every row runs, delivers frames, and loses none.
#
# Steps:
#  1. Each row for a fraction of a second. What it measures on a busy machine means nothing and is not looked at.
set -euo pipefail
"$(dirname "$0")/run" --smoke
