#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: frames of 14 to 9,216 bytes from a dpdk port to a memif client and from it to a dpdk port, whole and in
# order, whatever pieces they are in.
#
# Steps: vale-peer on valea:a, a stock testpmd that carries frames between valea:m and valeb:m, vale-peer on valeb:b.
#  1. Numbered frames of all lengths from a arrive at b, and from b at a: in one mbuf, and in chains.
#  2. Short frames after long ones: net_memif leaves NEXT behind in its descriptors.
#  3. The same with buffers of 256 bytes (37 for a long frame), and in rings of 128 descriptors.
#  4. Longer than all buffers of a ring: too_long.
#  5. On 1, 4 and 16 queues.
#  6. All mbufs come back.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

# carry NAME ARGS [-- testpmd options]: between valea:m and valeb:m, with ARGS for both.
carry() {
	local name=$1 args=$2

	shift 2
	memif_start "$name" io "valea:m$args" "valeb:m$args" "$@"
	wait_port valea:m kind memif 15
	wait_port valeb:m kind memif 15
	testpmd_ask "$name" start
}

carried_to_and_fro() {
	local len=$1 n=$2 text=$3

	shift 3
	send_recv a b valeb:b valea:a 0 "$n" $B $A "$len" "$@"
	got_all "$n" "$text: $n frames of $len bytes"
	expect_eq $((n * len)) "$(value bytes)" "their bytes"
	send_recv b a valea:a valeb:b 0 "$n" $A $B "$len" "$@"
	got_all "$n" "$text: and back"
}

switch_start -- --mbufs 16384
free=$(mbufs_free)
ctl set quota 16384 # a frame in segments of 13 bytes is 154 mbufs
peer_start a valea:a
peer_start b valeb:b

# 1
carry t ""
for len in 60 1514 2047 2048 2049 4096 9000 9216; do
	carried_to_and_fro $len 100 "plain"
done
for len in 14 15 37; do
	send_recv a b valeb:b valea:a 0 100 $B $A $len
	answer_has "100 frames of $len bytes" packets=100 bytes=$((100 * len)) bad=0 odd=0
done
for seg in 13 14 100; do
	carried_to_and_fro 2000 30 "in segments of $seg" seg=$seg
done

# 2
carried_to_and_fro 9216 200 "every descriptor a part of a chain"
carried_to_and_fro 60 1000 "short after long"
client_stop t
port_goes valea:m

# 3
carry u ",bsize=256,rsize=7"
for len in 60 255 256 257 1514 9216; do
	carried_to_and_fro $len 1 "256-byte buffers"
done
for i in 1 2 3 4 5 6; do
	# 11 descriptors each
	carried_to_and_fro 2600 5 "round the ring, $i"
done
client_stop u
port_goes valea:m

# 4
carry v ",bsize=256,rsize=5"
peer a tx valea:a 0 1 $B $A 9216
wait_port valea:a drops.too_long 1 10
ok "32 buffers of 256 bytes: too_long"
carried_to_and_fro 8192 1 "all 32 buffers"
client_stop v
port_goes valea:m

# 5
for q in 1 4 16; do
	peer_start s$q valea:s,queues=$q
	peer_start r$q valeb:r,queues=$q
	carry w$q "" -- --rxq=$q --txq=$q
	peer s$q tx valea:s all $((q * 50)) $BROADCAST $C 1000 burst=10
	peer r$q rx valeb:r 50 expect=$((q * 50))
	got_all $((q * 50)) "flooded, on $q queues"
	peer r$q tx valeb:r 0 1 $C $D 60
	peer s$q rx valea:s 20 expect=1
	peer s$q tx valea:s all $((q * 50)) $D $C 9216 burst=10
	peer r$q rx valeb:r 50 expect=$((q * 50))
	got_all $((q * 50)) "9216 bytes on $q queues"
	answer_has "each on its queue" wrong_queue=0 streams=$q
	client_stop w$q
	client_stop s$q
	client_stop r$q
	port_goes valeb:r
	port_goes valeb:m
done

# 6
client_stop a
client_stop b
mbufs_settle "$free" "at the end"
