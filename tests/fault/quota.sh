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
#  4. They die, and every mbuf is back.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

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
	local before rx

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

R=02:00:00:00:00:77
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
for entry in "$B valea:b" "$R valea:r" "$U valea:u"; do
	# shellcheck disable=SC2086
	ctl fdb valea add $entry
done

exchange "a client takes all it gets" hold
exchange "a client frees nothing" held
exchange "a client reads nothing" unread
client_kill h
client_kill u
kill -KILL "$HOARDER"
wait "$HOARDER" 2>/dev/null || true
for name in a b s; do
	client_stop $name
done
mbufs_settle "$free" "they are gone"
retry 15 sh -c "$VALE_BUILD/app/vale-ctl --socket $SOCKET secondaries | grep -qx 'no secondary processes'" ||
	die "they are listed: $(ctl secondaries)"
ok "nobody is listed"
