#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a client that lives and hoards mbufs gets its quota and starves nobody.
#
# Steps, each with frames from a to b all the time, of which none may be lost:
#  1. A client takes what it can get and keeps it. It gets no more than its quota; what it cannot send for want of mbufs it
#     counts itself.
#  2. A client receives and frees nothing. It gets no more than its quota, the rest is counted as no_mbuf or dst_full. It
#     frees a few, fewer than its lcore cache keeps, and receives as many again.
#  3. A client never reads. Its ring fills, the rest is counted as dst_full.
#  4. Clients with memory of their own: a netmap program and a memif client that never read, and a net_vale in a process
#     of its own that frees nothing, until its own pool is empty. Their rings fill, the rest is counted as dst_full.
#  5. The first three die, and every mbuf is back, while the others sit on full rings: of the pool they hold none.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/../memif/memif.sh"

QUOTA=2048
FRAMES=4000
HOARDER=

# exchange TEXT COMMAND...: frames from a to b while COMMAND runs, none is lost.
exchange() {
	local text=$1

	shift
	peer_say b rx valea:b 3000 expect=$FRAMES good=$FRAMES
	peer_say a tx valea:a 0 $FRAMES $B $A 100 burst=8 gap=1500
	"$@"
	peer_wait a
	peer_wait b
	[ "$(value packets)" = $FRAMES ] || die "$text: $ANSWER; $(ctl show valea:a; ctl show valea:b)"
	got_all $FRAMES "$text: the others lost nothing"
}

drops() {
	echo $(($(port "$1" drops.no_mbuf) + $(port "$1" drops.dst_full)))
}

# hold: as many as it can get
hold() {
	peer h hold 16384
	[ "$(value got)" -le $QUOTA ] || die "a client holds $(value got) mbufs, its quota is $QUOTA"
	[ "$(value got)" -ge $((QUOTA / 4)) ] || die "a client gets $(value got) mbufs of $QUOTA"
	ok "a client that takes what it can get has $(value got) mbufs, of a quota of $QUOTA"
}

hoarder_start() {
	next_lcore
	exec {HOARDER_FD}<> <(:)
	"$VALE_BUILD/tests/fault/vale-hoard" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores "$LCORES" \
		-d "$PMD" --vdev=net_vale_hoard,port=valea:r <&"$HOARDER_FD" >"$WORK/hoard.out" 2>"$WORK/hoard.err" &
	HOARDER=$!
	retry 20 grep -q held "$WORK/hoard.out" || die "vale-hoard does not start: $(cat "$WORK/hoard.err")"
}

# dropped PORT MORE-THAN
dropped() {
	[ "$(drops "$1")" -gt "$2" ]
}

# feed PORT MAC TEXT: more than anybody may have; what does not arrive is counted.
feed() {
	local before

	before=$(drops "$1")
	peer s tx valea:s 0 8192 "$2" "$D" 60 gap=500
	retry 10 dropped "$1" "$before" || die "$3: nothing is counted as dropped: $(ctl show "$1")"
	ok "$3: $(($(drops "$1") - before)) of 8192 frames are counted as dropped"
}

# hoarded N: the N-th word of what vale-hoard said last.
hoarded() {
	tail -n 1 "$WORK/hoard.out" | cut -d " " -f "$1"
}

hoarded_is() {
	[ "$(hoarded 4)" -eq "$1" ]
}

# secondary PID: what vale-ctl tells about it.
secondary() {
	ctl -j secondaries | json "' '.join(f'{s[\"name\"]} {s[\"state\"]} {s[\"mbufs\"]} {s[\"quota\"]} {\",\".join(s[\"ports\"])}'
		for s in d['secondaries'] if s['pid'] == $1)"
}

held() {
	feed valea:r "$R" "never frees"
	retry 15 hoarded_is "$QUOTA" || die "a client that frees nothing has got $(hoarded 4) mbufs, its quota is $QUOTA"
	[ "$(hoarded 2)" -eq "$QUOTA" ] || die "it holds $(hoarded 2)"
	ok "a client that frees nothing has $(hoarded 2) mbufs, its quota"
	grep -q "holds its quota of $QUOTA mbufs" "$WORK/hoard.err" || die "it is not told: $(cat "$WORK/hoard.err")"
	expect_eq "vale-hoard attached $QUOTA $QUOTA valea:r" "$(secondary "$HOARDER")" "vale-ctl secondaries tells it"
	printf . >&"$HOARDER_FD"
	retry 15 hoarded_is $((QUOTA + 16)) || die "it freed 16 and has got $(($(hoarded 4) - QUOTA)) more"
	[ "$(hoarded 2)" -eq "$QUOTA" ] || die "it holds $(hoarded 2)"
	ok "it frees 16 and gets 16"
}

unread() {
	feed valea:u "$U" "never reads"
}

# The others: attached, and stopped before the first frame, or hoarding.
own_start() {
	VALE_SOCKET=$SOCKET "$VALE_BUILD/app/vale-gen" -i valea:n -f rx >"$WORK/netmap.out" 2>&1 &
	NETMAP=$!
	flow_start memif echo valea:m
	exec {OWN_FD}<> <(:)
	"$VALE_BUILD/tests/fault/vale-hoard" --no-huge --no-shconf --no-telemetry -m 64 --no-pci --lcores "0@(0-1)" -d "$PMD" \
		"--vdev=net_vale0,port=valea:p,socket=$SOCKET" <&"$OWN_FD" >"$WORK/own.out" 2>"$WORK/own.err" &
	OWN=$!
	for port in n m p; do
		retry 20 ctl wait valea:$port --timeout 1 || die "valea:$port does not attach: $(cat "$WORK/own.err")"
	done
	retry 20 grep -q held "$WORK/own.out" || die "vale-hoard does not start: $(cat "$WORK/own.err")"
	kill -STOP $NETMAP "${FLOW_PID[memif]}"
}

# full PORT MAC TEXT: what does not fit is counted, as dst_full and as nothing else.
full() {
	feed "valea:$1" "$2" "$3"
	expect_eq "$(drops "valea:$1")" "$(port "valea:$1" drops.dst_full)" "$3: all of them as dst_full"
}

own_pool_empty() {
	full p "$P" "net_vale in a process of its own never frees"
	tail -n 1 "$WORK/own.out" | grep -q "^held 2047 " || die "its own pool is not empty: $(tail -n 1 "$WORK/own.out")"
}

R=02:00:00:00:00:77
N=02:00:00:00:00:11
M=02:00:00:00:00:12
P=02:00:00:00:00:13
U=02:00:00:00:00:88
# rings that hold what comes while a receiver is off its CPU
switch_start -- --mbufs 24576 --ring-size 4096
free=$(mbufs_free)
ctl set quota $QUOTA
expect_eq $QUOTA "$(ctl -j get quota | json 'd["quota"]')" "the quota is $QUOTA"
for name in a b s h u; do
	peer_start $name valea:$name
done
hoarder_start
own_start
for entry in "$B valea:b" "$R valea:r" "$U valea:u" "$N valea:n" "$M valea:m" "$P valea:p"; do
	# shellcheck disable=SC2086
	ctl fdb valea add $entry
done

exchange "a client takes all it gets" hold
exchange "a client frees nothing" held
exchange "a client reads nothing" unread
exchange "a netmap program reads nothing" full n "$N" "a netmap program never reads"
exchange "a memif client reads nothing" full m "$M" "a memif client never reads"
exchange "a net_vale with a pool of its own frees nothing" own_pool_empty
client_kill h
client_kill u
kill -KILL "$HOARDER"
wait "$HOARDER" 2>/dev/null || true
for name in a b s; do
	client_stop $name
done
mbufs_settle "$free" "they are gone, and the others live"
expect_eq "netmap memif memif" "$(port valea:n kind) $(port valea:m kind) $(port valea:p kind)" "which still have their ports"
kill -KILL $NETMAP $OWN
wait $NETMAP $OWN 2>/dev/null || true
flow_stop memif
retry 15 sh -c "$VALE_BUILD/app/vale-ctl --socket $SOCKET secondaries | grep -qx 'no secondary processes'" ||
	die "they are listed: $(ctl secondaries)"
ok "nobody is listed"
