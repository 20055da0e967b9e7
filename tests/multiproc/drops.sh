#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: each reason for a drop is provoked with exactly so many frames: its counter shows exactly these, all others stand
# still, and what was received, floods expanded, is what was delivered plus what was dropped.
#
# Steps: no_dst, runt, too_long, bad_desc, hairpin, dst_full, no_mbuf, port_gone.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

switch_start -- --ring-size 1024
free=$(mbufs_free)
ctl set quota "$free" # one client is to take all

# pcap FILE N LEN: a capture of N broadcasts of LEN bytes
pcap() {
	python3 - "$@" <<'PY'
import struct, sys
name, n, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
frame = (b"\xff" * 6 + bytes.fromhex("02000000ee01") + b"\x88\xb5" + bytes(length))[:length]
with open(name, "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for i in range(n):
        f.write(struct.pack("<IIII", i, 0, length, length) + frame)
PY
}

# no_dst
peer_start a valea:a
counters_mark
peer a tx valea:a 0 61 $BROADCAST $A 60
expect_changes "no_dst: alone on a switch" "valea:a rx_packets +61" "valea:a drops.no_dst +61"
peer a tx valea:a 0 62 $B $A 60
expect_changes "no_dst: unknown unicast too" "valea:a rx_packets +123" "valea:a drops.no_dst +123"

peer_start b valea:b
ctl fdb valea add $B valea:b

# runt
counters_mark
peer a raw valea:a mbuf 63 len=13
expect_changes "runt: 13 bytes, by a client that lies" "valea:a rx_packets +63" "valea:a drops.runt +63"
pcap "$WORK/runt.pcap" 64 13
counters_mark
ctl attach valea:p "net_pcap0,rx_pcap=$WORK/runt.pcap"
wait_port valea:p rx_packets 64 15
expect_changes "runt: 13 bytes, from a capture" "valea:p rx_packets +64" "valea:p drops.runt +64"
ctl detach valea:p
counters_mark
peer a tx valea:a 0 65 $B $A 13
expect_changes "runt: 13 bytes, by a client" "valea:a rx_packets +65" "valea:a drops.runt +65"
counters_mark
peer a tx valea:a 0 66 $B $A 14
peer b rx valea:b 50 expect=66
answer_has "14 bytes are a frame" packets=66 bytes=$((66 * 14))
expect_changes "and no drop" "valea:a rx_packets +66" "valea:b tx_packets +66"

# too_long
counters_mark
peer a raw valea:a mbuf 67 len=9217
expect_changes "too_long: 9217 bytes, by a client that lies" "valea:a rx_packets +67" "valea:a drops.too_long +67"
pcap "$WORK/long.pcap" 68 9300
counters_mark
ctl attach valea:p "net_pcap0,rx_pcap=$WORK/long.pcap"
wait_port valea:p rx_packets 68 15
expect_changes "too_long: 9300 bytes, from a capture" "valea:p rx_packets +68" "valea:p drops.too_long +68"
ctl detach valea:p
pcap "$WORK/longest.pcap" 69 9216
counters_mark
ctl attach valea:p "net_pcap0,rx_pcap=$WORK/longest.pcap"
wait_port valea:p rx_packets 69 15
FLOODED=69 expect_changes "9216 bytes are a frame" "valea:p rx_packets +69" "valea:a tx_packets +69" \
	"valea:b tx_packets +69"
ctl detach valea:p
peer a rx valea:a 50
peer b rx valea:b 50

# bad_desc
counters_mark
peer a raw valea:a 0 70
peer a raw valea:a 0xdead00000040 71
peer a raw valea:a 0xffffffffffffffff 72
expect_changes "bad_desc: words that point nowhere" "valea:a rx_packets +213" "valea:a drops.bad_desc +213"
peer a tx valea:a 0 10 $B $A 60
peer b rx valea:b 50 expect=10
got_all 10 "good ones after them arrive"

# hairpin
peer a tx valea:a 0 1 $B $A 60
peer b rx valea:b 20 expect=1
counters_mark
peer a tx valea:a 0 73 $A $C 60
expect_changes "hairpin" "valea:a rx_packets +73" "valea:a drops.hairpin +73"

# dst_full
counters_mark
peer a tx valea:a 0 $((1024 + 74)) $B $A 60 gap=500
expect_changes "dst_full: a ring of 1024 holds 1024" "valea:a rx_packets +1098" "valea:b tx_packets +1024" \
	"valea:b drops.dst_full +74"
peer b rx valea:b 50 expect=1024
got_all 1024 "and these it got"

# one receiver that is full does not hold up another
peer_start c valea:c
counters_mark
for i in 1 2 3 4 5 6 7 8 9 10 11; do
	peer a tx valea:a 0 100 $BROADCAST $A 60 gap=500
	peer c rx valea:c 50 want=100 expect=100
	[ "$(value packets) $(value in_order)" = "100 yes" ] || die "the other receiver: $ANSWER"
done
FLOODED=1100 expect_changes "dst_full: flooded, one full and one not" "valea:a rx_packets +1100" \
	"valea:b tx_packets +1024" "valea:b drops.dst_full +76" "valea:c tx_packets +1100"
peer b rx valea:b 50 expect=1024
got_all 1024 "the full one got what it could hold"

# no_mbuf: a flood to two takes a copy, and there is none. What the worker has in its own cache goes first.
peer_start two valeb:0 valeb:1 valeb:2
n=75
peer two hold 60000
for i in $(seq 30); do
	peer two release $n
	counters_mark
	peer two tx valeb:0 0 $n $BROADCAST $A 60
	peer two rx valeb:1 50
	peer two rx valeb:2 50
	changed=$(counters_changed)
	peer two hold 60000
	! grep -qx "valeb:0 drops.no_mbuf +$n" <<<"$changed" || break
done
peer two release $n
counters_mark
peer two tx valeb:0 0 $n $BROADCAST $A 60
# the last receiver may have the originals; which one that is, is not promised
last=$(counters_changed | awk '$2 == "tx_packets" { print $1 }')
FLOODED=$n expect_changes "no_mbuf: no copy can be made" "valeb:0 rx_packets +$n" "valeb:0 drops.no_mbuf +$n" \
	"$last tx_packets +$n"
peer two rx "$last" 50 expect=$n
got_all $n "one receiver got the originals"
peer two release
client_stop two

# port_gone
ctl create valea:kept
ctl fdb valea add $D valea:kept
counters_mark
peer a tx valea:a 0 76 $D $A 60
expect_changes "port_gone: a kept name without a client" "valea:a rx_packets +76" "valea:kept drops.port_gone +76"
peer c attach net_valek,port=valea:kept
counters_mark
peer a tx valea:a 0 77 $D $A 60
expect_changes "with a client: delivered" "valea:a rx_packets +77" "valea:kept tx_packets +77"
counters_mark
peer c detach valea:kept
expect_changes "what a client leaves unread was delivered all the same, and is not counted twice"
peer a tx valea:a 0 78 $D $A 60
expect_changes "port_gone: without it again" "valea:a rx_packets +78" "valea:kept drops.port_gone +78"

mbufs_settle "$free" "at the end"
