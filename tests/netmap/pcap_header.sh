#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: no function of libpcap's that takes a handle goes unwrapped: its header is compared with what the
# adapter exports. A later libpcap with a new function fails here.
set -euo pipefail

lib=$VALE_BUILD/lib/libvale-pcap.so
[ -e "$lib" ] || { echo "skipped: built without libpcap"; exit 77; }
header=$(echo '#include <pcap/pcap.h>' | ${CC:-cc} -E -P - 2>/dev/null) || { echo "skipped: no header"; exit 77; }
taking=$(tr '\n' ' ' <<<"$header" | grep -oE '[a-z_0-9]+ ?\( ?(const )?pcap_t \*[^;{]*;' | sed 's/ *(.*//' | sort -u)
wrapped=$(nm -D --defined-only "$lib" | awk '{ print $3 }' | sort -u)
real=$(nm -D --defined-only "$(ldconfig -p | awk '/libpcap.so.0.8/ { print $NF; exit }')" | awk '{ print $3 }' |
	sed 's/@.*//' | sort -u)

[ "$(wc -l <<<"$taking")" -ge 45 ] || { echo "FAILED: only $(wc -l <<<"$taking") functions found in the header"; exit 1; }
left=$(comm -23 <(comm -12 <(echo "$taking") <(echo "$real")) <(echo "$wrapped"))
[ -z "$left" ] || { echo "FAILED: not wrapped:" "$left"; exit 1; }
echo "ok 1 - all $(wc -l <<<"$taking") functions that take a handle are wrapped"
wrong=$(comm -23 <(echo "$wrapped") <(echo "$real"))
[ -z "$wrong" ] || { echo "FAILED: wrapped, and libpcap has no such function:" "$wrong"; exit 1; }
echo "ok 2 - nothing else is exported"
