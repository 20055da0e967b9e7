#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: frames of all lengths up to 9,216 bytes pass, as chains of any shape, on 1 to 16 queues; longer ones are
# refused by name.
#
# Steps:
#  1. Lengths around every border: shortest, one buffer, two buffers, longest.
#  2. The longest in segments of 1, 13 (less than a header), 14, 100 bytes.
#  3. On 1, 2, 4, 16 queue pairs.
#  4. dev_info tells the limits; an MTU within can be set, one beyond cannot.
#  5. 9,217 bytes: the switch drops them as too_long.
#  6. All mbufs come back.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

switch_start -- --mbufs 16384
free=$(mbufs_free)
ctl set quota 16384 # a frame in segments of one byte is 9,216 mbufs
peer_start a valea:a
peer_start b valea:b
ctl fdb valea add $B valea:b

# 1
for len in 2047 2048 2049 2175 2176 2177 4351 4352 4353 8192 9000 9215 9216; do
	send_recv a b valea:b valea:a 0 100 $B $A $len
	got_all 100 "100 frames of $len bytes"
	expect_eq $((100 * len)) "$(value bytes)" "their bytes"
done
for len in 14 15 37; do
	send_recv a b valea:b valea:a 0 100 $B $A $len
	answer_has "100 frames of $len bytes" packets=100 bytes=$((100 * len)) bad=0 odd=0
done
peer a tx valea:a 0 50 $BROADCAST $A 9216
peer b rx valea:b 50 expect=50
got_all 50 "flooded"

# 2
for seg in 13 14 100; do
	send_recv a b valea:b valea:a 0 30 $B $A 2000 seg=$seg
	got_all 30 "2000 bytes in segments of $seg"
	send_recv a b valea:b valea:a 0 10 $B $A 9216 seg=$seg
	got_all 10 "9216 bytes in segments of $seg"
done
send_recv a b valea:b valea:a 0 2 $B $A 3000 seg=1
got_all 2 "3000 bytes in segments of 1"
mbufs_settle "$free" "1 queue"

# 3
for q in 2 4 16; do
	peer_start s$q valeb:s,queues=$q
	peer_start r$q valeb:r,queues=$q
	peer r$q tx valeb:r 0 1 $BROADCAST $B 60
	peer s$q rx valeb:s 20 expect=1
	peer s$q tx valeb:s all $((q * 50)) $B $A 9216 burst=10
	peer r$q rx valeb:r 50 expect=$((q * 50))
	got_all $((q * 50)) "9216 bytes on $q queues"
	answer_has "each on its queue" wrong_queue=0 streams=$q segs=5
	client_stop s$q
	client_stop r$q
	port_goes valeb:r
done

# 4
peer a info valea:a
answer_has "limits" max_pktlen=9216 max_mtu=9202
peer a stop valea:a
for mtu in 68 1500 9202; do
	peer a mtu valea:a $mtu
	peer a info valea:a
	answer_has "MTU $mtu" mtu=$mtu
done
for mtu in 67 9203; do
	peer_refused a "Invalid" mtu valea:a $mtu
	ok "no MTU $mtu"
done
peer a start valea:a

# 5
counters_mark
peer a tx valea:a 0 70 $B $A 9217
expect_changes "9217 bytes: too_long" "valea:a rx_packets +70" "valea:a drops.too_long +70"
sees_nothing b valea:b "none arrives"

# 6
mbufs_settle "$free" "at the end"
