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

# A program that stays: in the background, with an input that does not end, until it says that it is up.
background() {
	local log=$WORK/bg$1.out up command=${2% &}

	case $command in
	*vale-switch*) up='^vale-switch: ready$' ;;
	*testpmd*) up='testpmd>' ;;
	*tcpdump*) up='listening on' ;;
	esac
	sleep 1000 | bash -c "$command" >"$log" 2>&1 &
	BACKGROUND+=($!)
	retry 30 grep -q "$up" "$log" || { cat "$log"; die "$command"; }
	ok "$command"
}

# The programs themselves: a pattern for whole command lines would find the shell that looks for it.
none_runs() {
	! pgrep -x "$1"
}

# end_all PROGRAM...: and wait for it.
end_all() {
	local name

	for name in "$@"; do
		pkill -TERM -x "$name" || true
	done
	for name in "$@"; do
		retry 15 none_runs "$name" || die "$name does not end"
	done
}

end_background() {
	end_all dpdk-testpmd tcpdump
	[ -z "$SWITCH_PID" ] || switch_stop || die "the switch did not end"
	end_all vale-switch sleep
	wait "${BACKGROUND[@]}" 2>/dev/null || true
	# a testpmd of its own group leaves its folder, as DPDK's primaries do
	rm -rf /run/dpdk/rte
	BACKGROUND=()
}

# What a generator sent beside a capture must have been seen.
captures_saw_frames() {
	! grep -q '^vale-gen' "$1" || ! grep -q tcpdump "$1" ||
		grep -q '^[1-9][0-9]* packets captured' "$WORK"/bg*.out || die "no frame was captured: $(cat "$WORK"/bg*.out)"
}

run_console() {
	local command n=0

	rm -f "$WORK"/bg*.out
	if grep -q '^vale-switch' "$1"; then
		switch_stop || die "the switch did not end"
	fi
	while IFS= read -r command; do
		n=$((n + 1))
		case $command in
		./quickstart.sh* | ./check.sh* | meson\ * | *nr_hugepages*) continue ;;
		vale-switch* | *dpdk-testpmd* | *tcpdump*) background "$n" "$command" ;;
		*) bash -e -c "$command" >"$WORK/command.out" 2>&1 </dev/null ||
			{ cat "$WORK/command.out"; die "$command"; }
			ok "$command" ;;
		esac
	done <"$1"
	if grep -Eq '^vale-switch|dpdk-testpmd|tcpdump' "$1"; then
		end_background
		captures_saw_frames "$1"
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
