#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: every example in the documentation does what it says.
# Steps: for each block of README.md and docs/*.md, with a fresh switch on the default prefix: run
# `sh` blocks as scripts, and the commands of `console` blocks one by one; programs that stay (the switch,
# testpmd, tcpdump) run in the background, must come up, and end with the block.
# Left to check.sh itself: the README's two commands, building and installing.
. "$(dirname "$0")/../lib.sh"

top=$(cd "$(dirname "$0")/../.." && pwd)
PREFIX=vale
SOCKET=/run/vale/vale.sock
export PATH=$VALE_BUILD/app:$PATH
BACKGROUND=()

# Programs find net_vale by themselves: it stands where this DPDK loads drivers from.
install_pmd() {
	local dir=$1

	mkdir "$WORK/plugins"
	cp -a "$dir/." "$WORK/plugins/"
	cp "$PMD" "$WORK/plugins/"
	mount --bind "$WORK/plugins" "$dir"
}

fresh_switch() {
	[ -z "$SWITCH_PID" ] || switch_stop || die "the switch did not end"
	switch_start
}

# A program that stays: in the background, with an input that does not end.
background() {
	local log=$WORK/bg$1.out

	shift
	sleep 1000 | bash -c "$1" >"$log" 2>&1 &
	BACKGROUND+=($!)
	case $1 in
	*vale-switch*) retry 20 grep -qx 'vale-switch: ready' "$log" || { cat "$log"; die "$1"; } ;;
	*testpmd*) retry 20 grep -q 'testpmd>' "$log" || { cat "$log"; die "$1"; } ;;
	*) sleep 1; kill -0 $! || { cat "$log"; die "$1"; } ;;
	esac
	ok "$1"
}

end_background() {
	pkill -TERM -x -f '.*dpdk-testpmd.*' || true
	pkill -x tcpdump || true
	retry 10 bash -c '! pgrep -f dpdk-testpmd' || pkill -KILL -f dpdk-testpmd || true
	pkill -TERM -x vale-switch || true
	pkill -x sleep || true
	retry 10 bash -c '! pgrep -x vale-switch' || die "a switch does not end"
	wait "${BACKGROUND[@]}" 2>/dev/null || true
	# a testpmd of its own group leaves its folder, as DPDK's primaries do
	rm -rf /run/dpdk/rte
	BACKGROUND=()
}

run_console() {
	local command n=0

	if grep -q '^vale-switch' "$1"; then
		switch_stop || die "the switch did not end"
	fi
	while IFS= read -r command; do
		n=$((n + 1))
		case $command in
		./quickstart.sh* | ./check.sh* | meson\ * | *nr_hugepages*) continue ;;
		vale-switch* | *dpdk-testpmd* | tcpdump*) background "$n" "$command" ;;
		*) bash -e -c "$command" >"$WORK/command.out" 2>&1 </dev/null ||
			{ cat "$WORK/command.out"; die "$command"; }
			ok "$command" ;;
		esac
	done <"$1"
	if grep -Eq '^vale-switch|dpdk-testpmd|tcpdump' "$1"; then
		[ -z "$SWITCH_PID" ] || switch_stop || die "the switch did not end"
		end_background
	fi
}

plugins=$(dirname "$(find /usr/lib -path '*dpdk/pmds-*/librte_net_null.so' | head -n 1)")
[ -d "$plugins" ] || die "this DPDK has no folder of plugins"
install_pmd "$plugins"
for doc in "$top/README.md" "$top"/docs/*.md; do
	rm -rf "$WORK/blocks"
	mkdir "$WORK/blocks"
	python3 "$top/tests/smoke/doc_blocks.py" "$doc" "$WORK/blocks" >/dev/null
	for block in "$WORK"/blocks/*; do
		[ -s "$block" ] || continue
		echo "== ${doc##*/} block ${block##*/}"
		fresh_switch
		if [ "${block##*.}" = sh ]; then
			bash -e "$block" >"$WORK/command.out" 2>&1 </dev/null ||
				{ cat "$WORK/command.out"; die "${doc##*/}: $(cat "$block")"; }
			ok "${doc##*/} ${block##*/}"
		else
			run_console "$block"
		fi
	done
done
[ "$NB_OK" -ge 10 ] || die "only $NB_OK examples found"
