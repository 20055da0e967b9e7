#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: the second example of VALE's manual page: two switches, two virtual machines on each. Stock QEMU joins by
# vhost-user. The pairs have the same IP and MAC addresses, so that a frame on the wrong switch would be answered.
#
# Steps:
#  1. Four machines start: on vale1 QEMU listens and the switch connects, on vale2 the switch listens.
#  2. Machines of one switch ping each other and carry TCP. Its long segments and open checksums pass the switch whole to
#     a machine that takes them, and are finished for one that does not (vm2b) and for the host by a tap. One has two
#     queues; a tap's frames, spread by flow, reach machines that use fewer queues than their port has.
#  3. Broadcasts on vale1 reach no machine of vale2, and a peer is the one of the same switch.
#  4. The switch is restarted under them: they ping again, in both roles; one machine is killed: its link is down.
#
# shellcheck source=tests/vm/vm.inc
. "$(dirname "$0")/vm.inc"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

create_ports() {
	ctl create vale1:a --vhost "$WORK/vm1a.sock"
	ctl create vale1:b --vhost "$WORK/vm1b.sock"
	ctl create vale2:a --vhost "$WORK/vm2a.sock" --vhost-server
	ctl create vale2:b --vhost "$WORK/vm2b.sock" --vhost-server --mac 02:00:00:00:00:bb
}

# machine NAME N MODE [QUEUES [CARD OPTIONS]]: QEMU's end of $WORK/NAME.sock. Without message-signalled interrupts: emulated ones of
# QEMU 7.2 dereference what only KVM has (kvm_virtio_pci_irqfd_use() in hw/virtio/virtio-pci.c).
machine() {
	local name=$1 n=$2 mode=$3 queues=${4:-1} card=${5:+,$5}

	vm_start "$name" "10.7.0.$n/24" -smp "$queues" \
		-chardev "socket,id=net,path=$WORK/$name.sock,$mode" \
		-netdev "vhost-user,id=net,chardev=net,queues=$queues" \
		-device "virtio-net-pci,netdev=net,mac=02:00:00:00:07:0$n,mq=on,vectors=0,romfile=$card"
}

links_up() {
	local p

	for p in vale1:a vale1:b vale2:a vale2:b; do
		wait_port "$p" link true "$1"
	done
}

# pings TEXT FROM: none of ten may be lost, once neighbours know each other
pings() {
	vm_run "$2" 30 "ping -q -c 10 -i 0.05 -W 5 10.7.0.2"
	grep -q "10 packets received, 0% packet loss" <<<"$VM_SAID" || die "$1: $2: $VM_SAID"
	ok "$1: $2: 10 pings, none lost"
}

# pings_soon TEXT FROM SECONDS: once the first answer has come
pings_soon() {
	vm_run "$2" "$(($3 + 5))" "n=0; until ping -q -c 1 -W 1 10.7.0.2 >/dev/null; do n=\$((n + 1)); [ \$n -lt $3 ] || exit 1; done"
	pings "$1" "$2"
}

# tcp TEXT FROM TO MB: random bytes by TCP arrive as they were sent
tcp() {
	local sum

	vm_begin "$3" "nc -l -p 5000 | md5sum"
	local seq=$VM_SEQ
	vm_run "$2" 30 "dd if=/dev/urandom of=/tmp/sent bs=64k count=$((16 * $4)) 2>/dev/null; md5sum </tmp/sent"
	sum=$VM_SAID
	vm_run "$2" 60 "until nc -w 30 10.7.0.2 5000 </tmp/sent; do sleep 0.2; done"
	vm_end "$3" "$seq" 60 "nc -l" || die "$1: $3: $VM_SAID"
	expect_eq "$sum" "$VM_SAID" "$1: $4 MB from $2 to $3 by TCP"
}

# quiet PORT: no frame goes there for a second
quiet() {
	local before

	before=$(port "$1" tx_packets)
	sleep 1
	[ "$before" = "$(port "$1" tx_packets)" ]
}

# received NAME: frames, in VM_SAID
received() {
	vm_run "$1" 10 "cat /sys/class/net/eth0/statistics/rx_packets"
}

tcp_wrong() {
	# Tcp: InErrs, of checksums too
	vm_run "$1" 10 "awk '/^Tcp:/ { n = \$14 } END { print n }' /proc/net/snmp"
}

# sizes PORT rx|tx: remember bytes and packets; average PORT rx|tx: bytes a frame since then, in AVERAGE
sizes() {
	sleep 0.15
	SIZES="$(port "$1" "$2_bytes") $(port "$1" "$2_packets")"
}
average() {
	local old=$SIZES

	sizes "$1" "$2"
	AVERAGE=$(awk -v old="$old" '{ split(old, o); print int(($1 - o[1]) / ($2 - o[2])) }' <<<"$SIZES")
}

vm_prepare
switch_start

# 1
create_ports
machine vm1a 1 server=on,wait=off
machine vm1b 2 server=on,wait=off 2
machine vm2a 1 reconnect=1
machine vm2b 2 reconnect=1 1 guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off
for m in vm1a vm1b vm2a vm2b; do
	vm_wait_ready "$m" 90
done
links_up 10
ok "four machines run"
vm_run vm1b 10 "ls /sys/class/net/eth0/queues | grep -c rx"
expect_eq 2 "$VM_SAID" "receive queues of vm1b"

# 2
for m in vm1a vm2a; do
	pings_soon "the machines of one switch" "$m" 20
done
sizes vale1:b tx
tcp "vale1" vm1a vm1b 4
average vale1:b tx
[ "$AVERAGE" -gt 1600 ] || die "frames to vm1b have $AVERAGE bytes on average: long segments are cut"
ok "long segments pass whole: $AVERAGE bytes a frame"
expect_eq 0 "$(port vale1:b drops.dst_full)" "nothing was lost at vale1:b"
tcp_wrong vm1b
expect_eq 0 "$VM_SAID" "vm1b finds no segment wrong"

# vm2b takes nothing unfinished
sizes vale2:a rx
tcp "vale2" vm2a vm2b 2
average vale2:a rx
[ "$AVERAGE" -gt 1600 ] || die "vm2a sends $AVERAGE bytes a frame: it cuts its segments itself"
tcp_wrong vm2b
expect_eq 0 "$VM_SAID" "vm2b finds no segment wrong"
received vm2b
[ "$VM_SAID" -gt "$(($(port vale2:b tx_packets) * 3 / 2))" ] ||
	die "vm2b got $VM_SAID frames of $(port vale2:b tx_packets): they are not cut"
ok "vm2a sends $AVERAGE bytes a frame; $(port vale2:b tx_packets) frames to vm2b are $VM_SAID there"

# from the same machine to the host
ctl create vale1:tap1 --tap
ip addr add 10.7.0.9/24 dev tap1
ip link set tap1 up
# the end of its input would be the end of the connection
mkfifo "$WORK/host.in"
exec {HOST_IN}<>"$WORK/host.in"
/bin/busybox nc -l -p 5002 <&"$HOST_IN" | md5sum >"$WORK/host.sum" &
HOST=$!
tcpdump -Z root -U -n -i tap1 -s 0 -w "$WORK/tap1.pcap" src 10.7.0.1 and tcp 2>"$WORK/tcpdump.err" &
DUMP=$!
retry 15 grep -q listening "$WORK/tcpdump.err"
sizes vale1:a rx
vm_run vm1a 60 "md5sum </tmp/sent; until nc -w 30 10.7.0.9 5002 </tmp/sent; do sleep 0.2; done"
average vale1:a rx
wait "$HOST"
exec {HOST_IN}>&-
expect_eq "$VM_SAID" "$(cat "$WORK/host.sum")" "4 MB from vm1a to the host by TCP"
sleep 0.2
kill -INT "$DUMP"
wait "$DUMP" || true
tcpdump -nvv -r "$WORK/tap1.pcap" >"$WORK/tap1.txt" 2>/dev/null
[ "$(grep -c "cksum.*(correct)" "$WORK/tap1.txt")" -gt 2500 ] || die "too few segments at the tap"
! grep -q "incorrect\|bad cksum" "$WORK/tap1.txt" || die "wrong checksums at the tap: $(grep -m 1 incorrect "$WORK/tap1.txt")"
longest=$(sed -n 's/.*, length \([0-9]*\)$/\1/p' "$WORK/tap1.txt" | sort -n | tail -n 1)
[ "$longest" -le 1460 ] || die "a segment of $longest bytes at the tap"
[ "$AVERAGE" -gt 1600 ] || die "vm1a sends $AVERAGE bytes a frame: it cuts its segments itself"
ok "at the tap all checksums are right, in segments of $longest bytes at most; vm1a sent $AVERAGE bytes a frame"
ctl destroy vale1:tap1

# flows of one sender are spread over a port's queues, of which vm1a uses one, vm1b two
ctl create vale1:tap0 --tap
ip link set tap0 up
for i in 11 12 13 14 15 16 17 18; do
	ip addr add "10.7.0.$i/24" dev tap0
	for to in 1 2; do
		out=$(ping -q -c 2 -i 0.05 -W 5 -I "10.7.0.$i" "10.7.0.$to") || die "10.7.0.$i reaches no machine: $out"
	done
done
ok "eight addresses of the host reach both machines"
ctl destroy vale1:tap0

# 3
for m in vm1a vm2a; do
	vm_run "${m%a}b" 10 "(hostname | nc -l -p 5001 >/dev/null) & true"
	vm_run "$m" 20 "nc 10.7.0.2 5001 </dev/null"
	expect_eq "${m%a}b" "$VM_SAID" "who answers $m is the machine of its switch"
done
retry 20 quiet vale2:a || die "vale2 does not come to rest"
received vm2a
before=$VM_SAID
seen=$(port vale2:a tx_packets)
rx=$(port vale1:b tx_packets)
vm_run vm1a 20 "arping -q -c 5 -w 6 -I eth0 10.7.0.99; true"
[ "$(port vale1:b tx_packets)" -ge "$((rx + 5))" ] || die "broadcasts of vm1a do not reach vm1b"
expect_eq "$seen" "$(port vale2:a tx_packets)" "vale2 delivers nothing of vale1's"
received vm2a
expect_eq "$before" "$VM_SAID" "and vm2a receives nothing"

# 4
switch_stop || die "the switch did not end well"
switch_start
create_ports
links_up 30
for m in vm1a vm2a; do
	pings_soon "after a restart of the switch" "$m" 30
done
switch_kill
switch_start
create_ports
links_up 30
for m in vm1a vm2a; do
	pings_soon "after the switch was killed" "$m" 30
done
kill -KILL "${VM_PID[vm2b]}"
wait_port vale2:b link false 15
ok "a machine that ended has its link down"
vm_stop_all
for p in vale1:a vale1:b vale2:a vale2:b; do
	ctl destroy "$p"
done
switch_stop || die "the switch did not end well"
left=$(find "$WORK" -name '*2?.sock')
[ -z "$left" ] || die "sockets of the switch are left: $left"
ok "no socket of the switch is left"
