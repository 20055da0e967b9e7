#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: clients of every kind on one switch reach each other: a namespace by tap, a namespace by an attached veth, a
# netmap program, a memif client and a DPDK secondary, all of them stock programs.
#
# Steps:
#  1. Each sends one broadcast: each of the others gets it, once.
#  2. Each sends one frame to each of the others: that one gets it, once, and nobody else does, for all were learned.
#  3. Each time the counters of all ports are just that, and add up.
#  4. With addresses, the namespaces ping each other, the memif client and the secondary, by ARP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/../memif/memif.sh"

[ -c /dev/net/tun ] || skip "no /dev/net/tun"
command -v tcpdump >/dev/null || skip "no tcpdump"
export VALE_SOCKET=$SOCKET
members=(tap veth netmap memif dpdk)
declare -A MAC ID PORT=([tap]=vale0:ta [veth]=vale0:vb [netmap]=vale0:n [memif]=vale0:m [dpdk]=vale0:d)
declare -A NS=([tap]=A [veth]=B) IFACE=([tap]=ta [veth]=veth0) CAPTURE

# Nothing but what the test sends: no IPv6, and no addresses at first.
quiet_namespace() {
	ip netns exec "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
}

# capture MEMBER COMMAND...: tcpdump in the background; a line a frame that came in is in $WORK/MEMBER.got.
capture() {
	local name=$1

	shift
	"$@" --immediate-mode -nelt >"$WORK/$name.got" 2>"$WORK/$name.cap.err" &
	CAPTURE[$name]=$!
	wait_text "$WORK/$name.cap.err" "listening on" 15
}

# send_one MEMBER MAC: one frame.
send_one() {
	local from=$1 to=$2

	case "$from" in
	tap | veth)
		ip netns exec "${NS[$from]}" python3 - "${IFACE[$from]}" "$to" "${MAC[$from]}" <<'PYTHON'
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
s.send(b"".join(bytes.fromhex(a.replace(":", "")) for a in sys.argv[2:4]) + b"\x88\xb5" + bytes(50))
PYTHON
		;;
	netmap)
		"$VALE_BUILD/app/vale-gen" -i "${PORT[netmap]}" -f tx -n 1 -l 64 -S "${MAC[netmap]}" -D "$to" \
			>"$WORK/gen.out" 2>&1 || die "vale-gen: $(cat "$WORK/gen.out")"
		;;
	memif | dpdk)
		testpmd_ask "$from" "stop"
		testpmd_ask "$from" "set eth-peer ${ID[$from]} $to"
		testpmd_ask "$from" "start tx_first 1"
		;;
	esac
}

# got MEMBER: `SOURCE DESTINATION` of each frame that it has received, a line each, sorted.
got() {
	case "$1" in
	memif | dpdk)
		tail -c +"${SEEN[$1]}" "$WORK/$1.out" | sed -nE 's/.*src=([0-9A-F:]{17}) - dst=([0-9A-F:]{17}).*/\1 \2/p'
		;;
	*)
		tail -c +"${SEEN[$1]}" "$WORK/$1.got" | sed -nE 's/^([0-9a-f:]{17}) > ([0-9a-f:]{17}|Broadcast).*/\1 \2/p'
		;;
	esac | tr A-F a-f | sed "s/[Bb]roadcast/$BROADCAST/" | sort
}

declare -A SEEN
mark() {
	local m f

	for m in "${members[@]}"; do
		f=$WORK/$m.got
		[ -e "$f" ] || f=$WORK/$m.out
		SEEN[$m]=$(($(stat -c %s "$f") + 1))
	done
	counters_mark
}

# has_got MEMBER N: so many frames, or more.
has_got() {
	[ "$(got "$1" | wc -l)" -ge "$2" ]
}

# expect_got MEMBER LINE...: just these.
expect_got() {
	local who=$1 want

	shift
	want=$(printf '%s\n' "$@" | sort)
	retry 10 has_got "$who" $# || true
	[ "$(got "$who")" = "$want" ] || die "$who got: '$(got "$who")' instead of '$want'"
}

for ns in A B; do ip netns add $ns && quiet_namespace $ns; done
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
switch_start
ctl create vale0:ta --tap
ip link set ta netns A
ip -n A link set ta up
ip link add vb type veth peer name veth0 netns B
ip -n B link set veth0 up
ip link set vb up
ctl attach vale0:vb
capture tap ip netns exec A tcpdump -i ta -Q in
capture veth ip netns exec B tcpdump -i veth0 -Q in
capture netmap "$VALE_BUILD/app/vale-exec" tcpdump -i vale0:n
memif_start memif rxonly vale0:m -- --burst=1
next_lcore 2
client_start dpdk "$LCORES" vale0:d -- --forward-mode=rxonly --burst=1
for m in memif dpdk; do
	testpmd_ask $m "set verbose 1"
	testpmd_ask $m "show port info all"
	ID[$m]=$(sed -nE 's/.*Infos for port ([0-9]+) .*/\1/p' "$WORK/$m.said") # ids count through the group
	MAC[$m]=$(sed -n 's/^MAC address: //p' "$WORK/$m.said" | tr A-F a-f)
done
MAC[tap]=$(ip -n A -j link show ta | json 'd[0]["address"]')
MAC[veth]=$(ip -n B -j link show veth0 | json 'd[0]["address"]')
MAC[netmap]=$(port vale0:n mac)
for m in "${members[@]}"; do wait_port "${PORT[$m]}" link true 10; done
for m in memif dpdk; do testpmd_ask $m start; done

# 1 and 3
for from in "${members[@]}"; do
	mark
	send_one "$from" $BROADCAST
	for to in "${members[@]}"; do
		[ "$from" = "$to" ] || expect_got "$to" "${MAC[$from]} $BROADCAST"
	done
	changes=("${PORT[$from]} rx_packets +1")
	for to in "${members[@]}"; do
		[ "$from" = "$to" ] || changes+=("${PORT[$to]} tx_packets +1")
	done
	FLOODED=3 expect_changes "$from to all: the four others, once each" "${changes[@]}"
done

# 2 and 3
mark
for from in "${members[@]}"; do
	for to in "${members[@]}"; do
		[ "$from" = "$to" ] || send_one "$from" "${MAC[$to]}"
	done
done
changes=()
for to in "${members[@]}"; do
	lines=()
	for from in "${members[@]}"; do
		[ "$from" = "$to" ] || lines+=("${MAC[$from]} ${MAC[$to]}")
	done
	expect_got "$to" "${lines[@]}"
	ok "$to: one frame of each of the four others"
	changes+=("${PORT[$to]} rx_packets +4" "${PORT[$to]} tx_packets +4")
done
expect_changes "each to each: 20 frames, and no copy more" "${changes[@]}"

# 4
ip -n A addr add 10.7.0.1/24 dev ta
ip -n B addr add 10.7.0.2/24 dev veth0
pings_from() {
	ip netns exec "$1" ping -q -c 5 -i 0.05 -W 2 "$2" >"$WORK/ping.out" || die "$1 to $3: $(cat "$WORK/ping.out")"
	ok "namespace $1 pings $3"
}
pings_from A 10.7.0.2 "the other"
pings_from B 10.7.0.1 "the other"
# icmpecho answers ARP for any address, so one at a time
for m in memif dpdk; do
	testpmd_ask $m stop
	testpmd_ask $m "set fwd icmpecho"
	testpmd_ask $m start
	pings_from A 10.7.0.3 "$m"
	pings_from B 10.7.0.3 "$m"
	testpmd_ask $m stop
	testpmd_ask $m "set fwd rxonly"
	testpmd_ask $m start
	ip -n A neigh flush all
	ip -n B neigh flush all
done
for m in tap veth netmap; do
	kill "${CAPTURE[$m]}"
	wait "${CAPTURE[$m]}" || true
done
