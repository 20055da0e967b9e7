# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the tests of this folder, on top of ../lib.sh and ../multiproc/peer.sh: stock dpdk-testpmd as memif client, in a
# process and memory of its own.

MEMIF=/run/vale/memif/$PREFIX.sock
MEMIF_CPUS=0-$(($(nproc --all) - 1))

# memif_vdev I PORT: the argument for a client's I-th port, a VALE name with net_memif's other arguments, if any.
memif_vdev() {
	echo "--vdev=net_memif$1,id=$1,role=client,socket-abstract=no,socket=$MEMIF,secret=$2"
}

# memory of testpmd: ordinary, and, for zero-copy, where net_memif wants them, hugepages
MEMIF_ORDINARY="--no-huge --no-shconf -m 192"
MEMIF_HUGE="--in-memory --single-file-segments -m 64 --huge-dir $HUGE"

# memif_start NAME MODE PORT... [-- testpmd options]: forwarding in MODE once it is told `start`. It is one of
# lib.sh's clients from then on. With hugepages where a port has zero-copy=yes.
memif_start() {
	local name=$1 mode=$2 i=0 vdevs=() fd memory=$MEMIF_ORDINARY nb_mbufs=16384

	shift 2
	case "$*" in
	*zero-copy=yes*) memory=$MEMIF_HUGE nb_mbufs=8192 ;;
	esac
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		vdevs+=("$(memif_vdev $i "$1")")
		i=$((i + 1))
		shift
	done
	[ $# -eq 0 ] || shift
	rm -f "$WORK/$name.in" "$WORK/$name.out" "$WORK/$name.err"
	mkfifo "$WORK/$name.in"
	exec {fd}<>"$WORK/$name.in"
	# line by line, or what it prints would come long after the prompt that follows it
	# shellcheck disable=SC2086
	stdbuf -oL dpdk-testpmd $memory --no-telemetry --no-pci --file-prefix "$PREFIX-$name" \
		--lcores "0@($MEMIF_CPUS),1@($MEMIF_CPUS)" --log-level pmd.net.memif:info "${vdevs[@]}" \
		-- -i --forward-mode="$mode" --total-num-mbufs=$nb_mbufs "$@" \
		<"$WORK/$name.in" >"$WORK/$name.out" 2>"$WORK/$name.err" &
	CLIENT_PID[$name]=$!
	CLIENT_FD[$name]=$fd
	retry 30 sh -c "grep -qF 'testpmd>' $WORK/$name.out || ! kill -0 ${CLIENT_PID[$name]}"
	grep -qF 'testpmd>' "$WORK/$name.out" || die "testpmd $name did not start"
}

MEMIF_FLOW=$VALE_BUILD/tests/memif/memif-flow
MEMIF_HOSTILE=$VALE_BUILD/tests/memif/memif-hostile
declare -A FLOW_PID

# flow_start NAME COMMAND...: memif-flow in the background; what it says is in $WORK/NAME.out.
flow_start() {
	local name=$1

	shift
	"$MEMIF_FLOW" "$MEMIF" "$@" >"$WORK/$name.out" 2>"$WORK/$name.err" &
	FLOW_PID[$name]=$!
}

# flow_stop NAME
flow_stop() {
	kill -KILL "${FLOW_PID[$1]}" 2>/dev/null || true
	wait "${FLOW_PID[$1]}" 2>/dev/null || true
	unset "FLOW_PID[$1]"
}
