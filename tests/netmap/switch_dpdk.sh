#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: frames pass between dpdk and netmap ports whole and in order, both ways, in one piece and in several; no mbuf
# is lost. A netmap program carries them, by exchange of buffers in one region, between a DPDK process on vale0 and one
# on vale1.
#
# Steps:
#  1. Frames of all kinds of length, there and back.
#  2. Jumbo frames: an mbuf chain becomes a chain of slots and an mbuf chain again.
#  3. list and show say what it is.
#  4. The carrier is killed under load: the DPDK processes go on, all mbufs come back.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

carrier_start() {
	"$VALE_BUILD/tests/netmap/switch-cases" "$SOCKET" bridge &
	CARRIER=$!
	ctl wait vale1:n
}

carrier_stop() {
	kill -"$1" "$CARRIER"
	wait "$CARRIER" 2>/dev/null || true
	port_goes vale0:n
	port_goes vale1:n
}

switch_start
free=$(mbufs_free)
peer_start a vale0:a
peer_start b vale1:b
carrier_start

# 1
for len in 60 61 64 65 127 128 512 1514 2000; do
	peer a tx vale0:a 0 500 $B $A $len
	peer b rx vale1:b 50 expect=500
	got_all 500 "$len bytes there"
	peer b tx vale1:b 0 500 $A $B $len
	peer a rx vale0:a 50 expect=500
	got_all 500 "$len bytes back"
done

# 2
for len in 2049 4096 9000 9216; do
	peer a tx vale0:a 0 100 $B $A $len
	peer b rx vale1:b 50 expect=100
	got_all 100 "$len bytes there"
	peer b tx vale1:b 0 100 $A $B $len
	peer a rx vale0:a 50 expect=100
	got_all 100 "$len bytes back"
done
for seg in 13 14 100; do
	peer a tx vale0:a 0 5 $B $A 2000 seg=$seg
	peer b rx vale1:b 50 expect=5
	got_all 5 "2000 bytes in segments of $seg"
	peer a tx vale0:a 0 5 $B $A 9216 seg=100
	peer b rx vale1:b 50 expect=5
	got_all 5 "9216 bytes in segments of 100"
done

# 3
expect_eq "netmap $CARRIER 1 True False" "$(ctl -j show vale0:n | json '"%s %s %s %s %s" % tuple(d[k] for k in ("kind", "pid", "queues", "link", "persistent"))')" \
	"show"

# 4
for i in 1 2 3 4 5; do
	peer_say a tx vale0:a 0 20000 $B $A 60
	sleep "0.0$i"
	carrier_stop KILL
	peer_wait a
	carrier_start
done
peer b rx vale1:b 200
peer a rx vale0:a 100
peer a tx vale0:a 0 300 $B $A 100
peer b rx vale1:b 50 expect=300
got_all 300 "after five kills"
carrier_stop TERM
clients_stop
mbufs_settle "$free" "afterwards"
