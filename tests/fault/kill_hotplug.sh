#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a secondary that is killed at any moment of a hot plug, of a hot unplug or of its exit costs the others nothing.
# (EAL's threads take part in these, so that they are not stepped by instructions; step_port has the driver's part of them.)
#
# Environment: VALE_TEST_KILLS, how many (12).
#
# Steps:
#  1. A process with a port plugs another one and unplugs it, over and over, or exits, and is killed at a random moment.
#     A persistent port among those it plugs keeps its counters and its address.
#  2. After each kill its ports go, and another plugs under the same names at once.
#  3. Meanwhile frames go from a to b, of which none is lost. At the end all mbufs are back.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

KILLS=${VALE_TEST_KILLS:-12}
MAC=02:aa:bb:cc:dd:01

# plug_forever: commands for vale-peer.
plug_forever() {
	local i

	for ((i = 0; i < 500; i++)); do
		echo "attach net_vale_plug,port=valea:plug"
		echo "tx valea:plug 0 1 $D $C 60"
		echo "detach valea:plug"
		echo "attach net_vale_kept,port=valea:kept"
		echo "tx valea:kept 0 1 $D $C 60"
		echo "detach valea:kept"
	done
}

# victim_start COMMANDS: sets VICTIM; it is ready when it has its own port.
victim_start() {
	"$PEER" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "50@0-1" -d "$PMD" \
		"--vdev=net_vale_victim,port=valea:v" <"$1" >"$WORK/victim.out" 2>"$WORK/victim.err" &
	VICTIM=$!
	retry 20 grep -q "^ok ready" "$WORK/victim.out" || die "the victim does not start: $(tail -n 3 "$WORK/victim.err")"
}

clients_go() {
	local p

	for p in valea:v valea:plug valea:kept; do
		retry 15 sh -c "! $VALE_BUILD/app/vale-ctl --socket $SOCKET -j show $p 2>/dev/null | grep -q '\"pid\": *[0-9]'" ||
			die "kill $n: $p stays: $(ctl show $p)"
	done
}

switch_start -- --mbufs 16384 --ring-size 4096
free=$(mbufs_free)
plug_forever >"$WORK/plug"
echo quit >"$WORK/quit"
peer_start a valea:a
peer_start b valea:b
peer_start next valea:next
ctl fdb valea add $B valea:b
ctl fdb valea add $D valea:next
ctl create valea:kept --mac $MAC
rx=0
for ((n = 0; n < KILLS; n++)); do
	if [ $((n % 6)) = 0 ]; then
		peer_say b rx valea:b 8000 good=$((6 * 400)) expect=$((6 * 400))
		peer_say a tx valea:a 0 $((6 * 400)) $B $A 100 burst=8 gap=5000
	fi
	case $((n % 3)) in
	0 | 1) commands=plug ;;
	2) commands=quit ;;
	esac
	victim_start "$WORK/$commands"
	sleep "0.$(printf '%03d' $((RANDOM % (n % 3 == 2 ? 60 : 600))))"
	kill -KILL "$VICTIM" 2>/dev/null || true
	wait "$VICTIM" 2>/dev/null || true
	clients_go
	peer next attach "net_vale_next0,port=valea:v"
	peer next attach "net_vale_next1,port=valea:plug"
	peer next attach "net_vale_next2,port=valea:kept"
	for p in valea:v valea:plug valea:kept; do
		peer next detach $p
	done
	[ "$(port valea:kept persistent) $(port valea:kept mac)" = "true $MAC" ] || die "kill $n: $(ctl show valea:kept)"
	now=$(port valea:kept rx_packets)
	[ "$now" -ge "$rx" ] || die "kill $n: valea:kept had $rx frames and has $now"
	rx=$now
	if [ $((n % 6)) = 5 ] || [ $((n + 1)) = "$KILLS" ]; then
		peer_wait a
		peer_wait b
		[ "$(value in_order) $(value bad) $(value packets)" = "yes 0 $((6 * 400))" ] ||
			die "until kill $n: $ANSWER; $(ctl show valea:b)"
	fi
done
[ "$rx" -gt 0 ] || die "the persistent port was never used"
ok "$n kills in hot plug, hot unplug and exit: the others lost nothing, all names are free at once"
ok "a persistent port keeps its address and its counters ($rx frames)"
for name in a b next; do
	client_stop $name
done
ctl destroy valea:kept
mbufs_settle "$free" "after $n kills"
