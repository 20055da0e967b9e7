#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: an application sees no difference: the same program does the same things as a secondary of the switch
# and in a process of its own without hugepages, and every answer is the same.
#
# Steps: once as secondaries, once apart:
#  1. What a port says of itself: queues, limits, MTU, driver, MAC address, link, names of statistics.
#  2. Frames of all lengths around every border, to 9,216 bytes, in segments of odd lengths and mbufs of all sorts.
#  3. Lengths that are refused are counted by the same names.
#  4. Queues: 16 to 16, 16 to 4, 3 to 5, 16 opened as 4.
#  5. MTUs that are taken and not; stop and start, what came meanwhile is thrown away; statistics, and their reset.
#  6. Receive interrupts: no frame, no wake; a frame that comes, one that is there already; each of 16 queues, and of
#     4 that look after 16 rings.
#  7. Hot plug: attach, detach, refused names.
# Then: what was answered is compared line by line, and no frame was lost, damaged or out of order.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/apart/apart.sh
. "$(dirname "$0")/apart.sh"

# start NAME PORT[,ARGUMENTS]: a peer with one port
start() {
	if [ "$mode" = apart ]; then
		apart_peer "$@"
	else
		peer_start "$@"
	fi
}

# eth PORT [DEVICE]: what the ethdev of a VALE name is called (in a process of its own by its device)
eth() {
	if [ "$mode" = apart ]; then
		echo "${2:-net_vale0}"
	else
		echo "$1"
	fi
}

# note TEXT: ANSWER, without what is another each time, and without the segments of a frame, which are the sender's in
# the group and no longer than the receiver's mbufs apart
note() {
	echo "$1: $ANSWER" | sed -E 's/ (latency_us|slept_us|full|ms|run|id|segs)=[0-9]+//g; s/name=\S*//; s/ (first|last)=[0-9]+//g' \
		>>"$WORK/$mode.said"
}

# want TEXT KEY=VALUE...: quietly, in ANSWER
want() {
	local text=$1 pair

	shift
	note "$text"
	for pair in "$@"; do
		case " $ANSWER " in
		*" $pair "*) ;;
		*) die "$mode: $text: no $pair in '$ANSWER'" ;;
		esac
	done
}

# pass N TEXT TX...: s sends, r receives all of it
pass() {
	local n=$1 text=$2

	shift 2
	peer s tx "$(eth valea:s)" "$@"
	peer r rx "$(eth valea:r)" 1000 "expect=$n" "good=$n"
	want "$text" packets="$n" in_order=yes bad=0 odd=0
}

describe() {
	peer s info "$(eth valea:s)"
	want info rxq=1 max_rxq=1 max_pktlen=9216 max_mtu=9202 driver=net_vale mac="$(port valea:s mac | tr a-f A-F)"
	peer s link "$(eth valea:s)"
	want link up=1 mbps=100000
	peer s xstats "$(eth valea:s)"
	ANSWER=$(echo "$ANSWER" | sed 's/=[0-9]*//g')
	note "xstats"
}

frames() {
	local len kind

	for len in 60 2047 2048 2049 2175 2176 2177 4352 4353 9000 9215 9216; do
		pass 100 "$len bytes" 0 100 $B $A $len
	done
	for len in 14 15 37; do
		peer s tx "$(eth valea:s)" 0 100 $B $A $len
		peer r rx "$(eth valea:r)" 1000 expect=100 want=100
		want "$len bytes" packets=100 bytes=$((100 * len)) bad=0 odd=0
	done
	for len in 13 14 100 2048; do
		pass 10 "9216 bytes in segments of $len" 0 10 $B $A 9216 seg=$len
	done
	pass 2 "3000 bytes in segments of 1" 0 2 $B $A 3000 seg=1
	for kind in own clone ext ref2 headroom; do
		pass 200 "mbufs: $kind" 0 200 $B $A 100 kind=$kind
		pass 20 "long mbufs: $kind" 0 20 $B $A 5000 kind=$kind
	done
	peer s free
	case "$ANSWER" in *"own=1023"*) ;; *) die "$mode: mbufs are lost: $ANSWER" ;; esac
}

refused_frames() {
	counters_mark
	peer s tx "$(eth valea:s)" 0 20 $B $A 9217
	peer s tx "$(eth valea:s)" 0 30 $B $A 13
	peer r rx "$(eth valea:r)" 60
	want "refused lengths" packets=0
	ANSWER=$(counters_changed | grep -v _bytes | sort | tr '\n' ' ')
	note "refused lengths"
	[ "$ANSWER" = "valea:s drops.runt +30 valea:s drops.too_long +20 valea:s rx_packets +50 " ] ||
		die "$mode: refused lengths: $ANSWER"
}

# pairs TX RX NR: NR of the RX queues opened
pairs() {
	start s valea:s,queues=$1
	start r valea:r,queues=$2
	[ "$3" = "$2" ] || peer r reconf "$(eth valea:r)" $3
	peer r info "$(eth valea:r)"
	note "$1 to $2, $3 open: info"
	peer r tx "$(eth valea:r)" 0 1 $BROADCAST $B 60
	peer s rx "$(eth valea:s)" 20 expect=1 want=1
	peer s tx "$(eth valea:s)" all $(($1 * 160)) $B $A 100 gap=200
	peer r rx "$(eth valea:r)" 1000 expect=$(($1 * 160)) good=$(($1 * 160))
	want "$1 to $2 queues, $3 open" packets=$(($1 * 160)) in_order=yes bad=0 wrong_queue=0 streams=$1
	peer s tx "$(eth valea:s)" all $(($1 * 20)) $B $A 9216 gap=200 burst=10
	peer r rx "$(eth valea:r)" 1000 expect=$(($1 * 20)) good=$(($1 * 20))
	want "$1 to $2 queues, $3 open, 9216 bytes" packets=$(($1 * 20)) in_order=yes bad=0 wrong_queue=0
	client_stop s
	client_stop r
	port_goes valea:s
	port_goes valea:r
}

settings() {
	local mtu

	peer r stats "$(eth valea:r)"
	note "stats"
	peer r reset "$(eth valea:r)"
	peer r stats "$(eth valea:r)"
	want "stats after reset" ipackets=0 ibytes=0 opackets=0
	peer r stop "$(eth valea:r)"
	for mtu in 68 1500 9202; do
		peer r mtu "$(eth valea:r)" $mtu
		peer r info "$(eth valea:r)"
		want "MTU $mtu" mtu=$mtu
	done
	for mtu in 67 9203; do
		peer_refused r Invalid mtu "$(eth valea:r)" $mtu
	done
	peer s tx "$(eth valea:s)" 0 100 $B $A 100
	sleep 0.1
	peer r start "$(eth valea:r)"
	peer r rx "$(eth valea:r)" 100
	want "what came while it was stopped" packets=0
	pass 100 "after it was started again" 0 100 $B $A 100
	peer r stats "$(eth valea:r)"
	want "stats of these alone" ipackets=100 ibytes=10000
}

# is_asleep NAME: its main thread waits, and no longer for a command
is_asleep() {
	[[ $(cat "/proc/${CLIENT_PID[$1]}/wchan") == *poll* ]]
}

# woken TEXT TX...: r sleeps, s sends one frame
woken() {
	local text=$1

	shift
	peer_say r rxintr "$(eth valea:r)" 5000
	retry 20 is_asleep r || die "$mode: $text: r does not sleep"
	peer s tx "$(eth valea:s)" "$@"
	peer_wait r
	[ "$(value latency_us)" -lt 3000000 ] || die "$mode: $text: came late: $ANSWER"
	want "$text" woke=1 packets=1 bad=0 wrong_queue=0
}

interrupts() {
	local i

	peer r rxintr "$(eth valea:r)" 200
	want "no frame, no wake" woke=0 packets=0
	for i in $(seq 20); do
		woken "wake $i" 0 1 $B $A 60
	done
	sleep 0.15 # counters may be 100 ms old
	i=$(port valea:r tx_packets)
	peer s tx "$(eth valea:s)" 0 3 $B $A 60
	wait_port valea:r tx_packets $((i + 3)) 20
	peer r rxintr "$(eth valea:r)" 5000
	want "woken by what is there" woke=1 packets=3
	peer r rxintr "$(eth valea:r)" 200
	want "asleep after it" woke=0 packets=0
}

interrupts_many() {
	local q

	start s valea:s,queues=16
	start r valea:r,queues=16
	for q in $(seq 0 15); do
		woken "queue $q of 16" "$q" 1 $B $A 60
	done
	peer r reconf "$(eth valea:r)" 4
	for q in $(seq 0 15); do
		woken "queue $q of 16, 4 open" "$q" 1 $B $A 60
	done
	peer r rxintr "$(eth valea:r)" 200
	want "no frame, no wake, 4 open" woke=0 packets=0
	client_stop s
	client_stop r
	port_goes valea:s
	wait_port valea:r kind null 15
}

plugging() {
	peer s attach net_vale8,port=valea:8,queues=2
	note attach
	peer s ports
	want "two ports" nb=2
	peer r tx "$(eth valea:r)" 0 50 $BROADCAST $A 100
	peer s rx "$(eth valea:8 net_vale8)" 1000 expect=50 good=50
	want "flooded to the new one" packets=50 bad=0
	peer_refused s "" attach net_vale9,port=valea:r
	grep -q "valea:r is held by process ${CLIENT_PID[r]}.*(EBUSY)" "$WORK/s.err" || die "$mode: no reason given"
	peer_refused s "" attach net_vale9,port=valea:lo
	grep -q "valea:lo.*interface.*(EINVAL)" "$WORK/s.err" || die "$mode: no reason given"
	peer s detach "$(eth valea:8 net_vale8)"
	port_goes valea:8
	peer s ports
	want "one port" nb=1
	peer s cycle 20 net_vale8,port=valea:8
	note cycle
	port_goes valea:8
}

all_of_it() {
	mode=$1
	start s valea:s
	start r valea:r
	expect_eq "$2" "$(port valea:r kind)" "$mode: kind"
	expect_eq "${CLIENT_PID[r]}" "$(port valea:r pid)" "$mode: process"
	ctl fdb valea add $B valea:r
	describe
	frames
	ok "$mode: frames of all lengths, in mbufs of all sorts"
	refused_frames
	settings
	ok "$mode: settings"
	interrupts
	ok "$mode: receive interrupts"
	plugging
	ok "$mode: hot plug"
	client_stop s
	client_stop r
	port_goes valea:s
	port_goes valea:r
	pairs 16 16 16
	pairs 16 4 4
	pairs 3 5 5
	pairs 16 16 4
	ok "$mode: queues"
	# static, so that no frame is needed to learn it
	ctl create valea:r
	ctl fdb valea add $B valea:r
	interrupts_many
	ctl destroy valea:r
	ok "$mode: receive interrupts of many queues"
}

switch_start -- --mbufs 16384
ctl set quota 16384 # a frame in segments of one byte is thousands of mbufs
all_of_it group dpdk
all_of_it apart memif
# the one thing that differs, as documented: what its ports are called
sed -i 's/names=net_vale0,net_vale8$/names=valea:s,valea:8/; s/names=net_vale0$/names=valea:s/' "$WORK/apart.said"
diff "$WORK/group.said" "$WORK/apart.said" >"$WORK/diff" || die "answers differ: $(head -n 20 "$WORK/diff")"
nb=$(wc -l <"$WORK/group.said")
[ "$nb" -gt 80 ] || die "only $nb answers were compared"
ok "$nb answers are the same in both"
