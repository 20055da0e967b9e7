# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of this folder, on top of ../lib.sh and ../multiproc/peer.sh: programs with a DPDK of their own, whose
# net_vale finds the switch by its socket.

export VALE_SOCKET=$SOCKET # where it is looked for without socket=
APART_NO_HUGE="--no-huge --no-shconf --no-telemetry -m 192"
APART_CPUS=0-$(($(nproc --all) - 1))

# apart_prefix NAME: EAL options of a primary process with hugepages of its own
apart_prefix() {
	echo "--file-prefix $PREFIX-$1 --huge-dir $HUGE -m 128 --no-telemetry"
}

# apart_peer NAME PORT... [-- --unconfigured]: a vale-peer without hugepages; its ports are called net_vale0, ...
apart_peer() {
	apart_peer_as "$APART_NO_HUGE" "$@"
}

# apart_peer_as EAL-OPTIONS NAME PORT...
apart_peer_as() {
	local options=$1 name=$2 i=0 vdevs=()

	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		vdevs+=("--vdev=net_vale$i,port=$1")
		i=$((i + 1))
		shift
	done
	[ $# -eq 0 ] || shift
	PEER_PROCESS=$options peer_run "$name" "0@($APART_CPUS)" "${vdevs[@]}" -- "$@"
	peer_read "$name" 30
	[ "$ANSWER" = "ok ready" ] || die "peer $name did not start: $ANSWER: $(tail -n 3 "$WORK/$name.err")"
}

# apart_testpmd EAL-OPTIONS NAME MODE PORT...: a stock testpmd; one of lib.sh's clients from then on.
apart_testpmd() {
	local options=$1 name=$2 mode=$3 i=0 vdevs=() fd

	shift 3
	for port in "$@"; do
		vdevs+=("--vdev=net_vale$i,port=$port")
		i=$((i + 1))
	done
	rm -f "$WORK/$name.in" "$WORK/$name.out" "$WORK/$name.err"
	mkfifo "$WORK/$name.in"
	exec {fd}<>"$WORK/$name.in"
	# line by line, or what it prints would come long after the prompt that follows it
	# shellcheck disable=SC2086
	stdbuf -oL dpdk-testpmd $options --no-pci --lcores "0@($APART_CPUS),1@($APART_CPUS)" -d "$PMD" \
		"${vdevs[@]}" -- -i --forward-mode="$mode" --total-num-mbufs=8192 \
		<"$WORK/$name.in" >"$WORK/$name.out" 2>"$WORK/$name.err" &
	CLIENT_PID[$name]=$!
	CLIENT_FD[$name]=$fd
	retry 30 sh -c "grep -qF 'testpmd>' $WORK/$name.out || ! kill -0 ${CLIENT_PID[$name]}"
	grep -qF 'testpmd>' "$WORK/$name.out" || die "testpmd $name did not start"
}

# link_is NAME PORT UP: within ten seconds
link_is() {
	local end=$((SECONDS + 10))

	until peer "$1" link "$2" && [ "$(value up)" = "$3" ]; do
		[ "$SECONDS" -lt "$end" ] || die "$1: the link of $2 is not $3"
		sleep 0.05
	done
}

# apart_forget NAME: what EAL leaves of a primary process with a prefix of its own
apart_forget() {
	rm -rf "/run/dpdk/$PREFIX-$1"
	rm -f "$HUGE/$PREFIX-$1"map_*
}
