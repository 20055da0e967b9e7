#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# coverage.sh BUILD: which lines of lib/port/memif a run of memif_hostile does not reach. BUILD is a build folder made with
#
#	meson setup BUILD -Db_coverage=true -Dc_args=-fprofile-update=atomic
#
# Prints each of them. Fails if one is among them that refuses something a client can bring about; what only a lack of
# memory, of descriptors or of AIO contexts brings about is listed here, and may stay.
set -euo pipefail

build=$(realpath "${1:?usage: coverage.sh BUILD}")
here=$(realpath "$(dirname "$0")")
may_stay='no memory|fs.aio-max-nr|regions of all clients|all clients together|cannot look at its descriptor|the switch is ending'

find "$build" -path '*port_memif*.gcda' -delete
ninja -C "$build" app/vale-switch app/vale-ctl drivers/librte_net_vale.so tests/memif/memif-flow \
	tests/memif/memif-hostile >"$build/coverage.log"
VALE_BUILD=$build bash "$here/hostile.sh"
objects=$(find "$build" -path '*port_memif*.gcda' | head -n 1)
objects=${objects%/*}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cd "$out"
for f in "$objects"/port_memif*.gcda; do
	# each source seen from each object: a header's lines count once, where any reached them
	(cd "$build" && gcov -o "$objects" -t "$f" 2>/dev/null) >"$out/${f##*/}.txt"
done
cat "$out"/*.txt | awk -F: -v blocks="$out/blocks" '
	$2 + 0 == 0 { if ($3 == "Source") file = $4 }
	file ~ /port\/memif\// {
		n = split(file, part, "/")
		name = part[n]
		text = $0
		sub(/^[^:]*:[^:]*:/, "", text)
		line[name, $2 + 0] = text
	}
	file ~ /port\/memif\// && $1 !~ /-/ {
		key = name SUBSEP $2 + 0
		all[key] = 1
		if ($1 !~ /[#=]/)
			hit[key] = 1
	}
	END {
		for (k in all) {
			total++
			if (k in hit)
				continue
			missed++
			split(k, at, SUBSEP)
			print at[1] ":" at[2] ": " line[k]
			# a statement may go on in the next lines
			print at[1] ":" at[2] ": " line[k] line[at[1], at[2] + 1] line[at[1], at[2] + 2] >blocks
		}
		printf "%d of %d lines not reached\n", missed, total > "/dev/stderr"
	}' | sort -t: -k1,1 -k2,2n | tee "$out/missed"
# a refusal is what gives a reason, or counts
if grep -E 'refuse\(|why,|wrong =|memif_port_fault\(|bad->' "$out/blocks" | grep -vE "$may_stay"; then
	echo "FAILED: refusals that were not reached"
	exit 1
fi
