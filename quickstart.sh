#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# From nothing to moving frames, on a bare Debian 12: packages, build, hugepages; then the switch runs, with the
# example of vale(4): stock tcpdump looks at valea:1 while a generator sends on valea:0. Then one stock dpdk-testpmd
# sends to another by VALE name, some frames are shown on a tap interface, and the rate is printed; for that
# there must be hugepages, all else goes without. Nothing is left but the packages, and the folders build/ and .deps/ (DPDK's driver headers). Can be run again.
set -euo pipefail
cd "$(dirname "$0")"
top=$PWD
# shellcheck source=devtools/host.sh
. devtools/host.sh

unset VALE_SOCKET
packages=(build-essential dpkg-dev meson ninja-build pkgconf libdpdk-dev dpdk-dev libcmocka-dev
	iproute2 procps python3 tcpdump libpcap0.8-dev)
# 16,384 frame buffers are plenty for two ports
memory_mb=192
mbufs=16384

# ---- inside: namespaces for mounts, network and processes, so that all ends with this script ----

work=
switch=
senders=()
eal=()

wait_for() {
	local end=$((SECONDS + $2))

	until eval "$1" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

show_and_die() {
	cat "$work"/*.log >&2
	die "$@"
}

inside_end() {
	local status=$? pid

	trap - EXIT
	for pid in "${senders[@]}" $switch; do
		kill -TERM "$pid" 2>/dev/null || true
		wait_for "! kill -0 $pid" 10 || kill -KILL "$pid"
		wait "$pid" 2>/dev/null || true
	done
	umount "$work/huge" 2>/dev/null || true
	rm -rf "$work"
	exit $status
}

# cpu_of K: a CPU of its own for the K-th client, if there are enough of them; else any. The switch has the last one.
cpu_of() {
	local cpus

	mapfile -t cpus < <(taskset -cp $$ | sed 's/.*: //; s/,/\n/g' |
		awk -F- '{ for (c = $1; c <= ($2 == "" ? $1 : $2); c++) print c }')
	if [ ${#cpus[@]} -gt 3 ]; then
		echo "${cpus[$1]}"
	else
		local IFS=,
		echo "(${cpus[*]})"
	fi
}

# testpmd NAME VALE-PORT K MODE [OPTIONS]: the K-th client, in the background.
testpmd() {
	local name=$1 port=$2 lcore=$((2 * $3)) mode=$4 cpu

	cpu=$(cpu_of "$3")
	shift 4
	dpdk-testpmd --proc-type secondary --no-pci --file-prefix vale \
		--lcores "$lcore@$cpu,$((lcore + 1))@$cpu" -d "$work/librte_net_vale.so" \
		--vdev "net_vale0,port=$port" -- --forward-mode "$mode" --auto-start "$@" \
		<"$work/stdin" >"$work/$name.log" 2>&1 &
	senders+=($!)
	wait_for "ctl show $port" 20 || show_and_die "$name did not attach to $port"
}

ctl() {
	"$top/build/app/vale-ctl" "$@"
}

field() {
	ctl -j show "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}

inside() {
	mount -t tmpfs -o mode=755 none /run # sockets and DPDK's runtime folder go with this script
	work=$(mktemp -d /run/vale-quickstart.XXXXXX)
	trap inside_end EXIT
	trap 'exit 1' INT TERM HUP
	if ! grep -q ' hugetlbfs ' /proc/mounts; then
		mkdir "$work/huge"
		mount -t hugetlbfs none "$work/huge"
	fi
	cp build/drivers/librte_net_vale.so "$work/"
	mkfifo "$work/stdin"
	exec 9<>"$work/stdin" # testpmd ends when its standard input does

	[ -n "$VALE_QUICKSTART_HUGE" ] || eal=(--no-huge)
	say "starting the switch: build/app/vale-switch ${eal[*]:+${eal[*]} }-- --mbufs $mbufs"
	build/app/vale-switch "${eal[@]}" -- --mbufs $mbufs >"$work/switch.log" 2>&1 &
	switch=$!
	wait_for "grep -q 'vale-switch: ready' $work/switch.log || ! kill -0 $switch" 20 || true
	grep -q 'vale-switch: ready' "$work/switch.log" || show_and_die "the switch did not start"
	cat "$work/switch.log"
	manual_page
	[ -z "$VALE_QUICKSTART_HUGE" ] || dpdk_programs
}

# The example of vale(4): tcpdump -ni valea:1 & pkt-gen -i valea:0 -f tx &
manual_page() {
	say "tcpdump looks at valea:1, a generator sends on valea:0, as in the manual page vale(4):"
	echo "   vale-exec tcpdump -ni valea:1 -c 5 & vale-gen -i valea:0 -f tx -n 100 -R 1000"
	timeout 20 "$top/build/app/vale-exec" tcpdump -ni valea:1 -c 5 2>"$work/tcpdump.log" &
	senders+=($!)
	wait_for "ctl show valea:1" 10 || show_and_die "tcpdump did not attach to valea:1"
	"$top/build/app/vale-gen" -i valea:0 -f tx -n 100 -R 1000 >"$work/gen.log" 2>&1 ||
		show_and_die "the generator does not send"
	wait "${senders[0]}" || show_and_die "no frames arrived at valea:1"
	senders=()
	say "both have gone, and with them their ports and the switch valea: vale-ctl list"
	ctl list
	say "as fast as it goes, from valea:0 to valea:1"
	"$top/build/app/vale-gen" -i valea:1 -f rx -w 0 >"$work/rx.log" 2>&1 &
	senders=($!)
	wait_for "ctl show valea:1" 10 || show_and_die "the receiver did not attach to valea:1"
	ctl fdb valea add 02:00:00:00:00:01 valea:1
	"$top/build/app/vale-gen" -i valea:0 -f tx -D 02:00:00:00:00:01 >"$work/tx.log" 2>&1 &
	senders+=($!)
	rate
	kill -INT "${senders[@]}"
	wait "${senders[@]}" || true
	senders=()
}

dpdk_programs() {
	say "one dpdk-testpmd receives on valea:1, another sends to it on valea:0"
	testpmd receiver valea:1 1 rxonly
	# the ids of DPDK's ports count through the group: the receiver's is 0, the sender's 1
	testpmd sender valea:0 0 txonly --eth-peer "1,$(field valea:1 mac)"

	say "a tap interface as port valea:tap0: vale-ctl attach valea:tap0 net_tap0,iface=vtap0"
	ctl attach valea:tap0 net_tap0,iface=vtap0 || show_and_die "no tap interface"
	ip link set vtap0 up

	say "tcpdump on the tap; nobody has seen the receiver speak yet, so its frames are flooded"
	timeout 20 tcpdump -i vtap0 -nn -e -c 5 2>"$work/tcpdump.log" ||
		show_and_die "no frames arrived at the tap interface"

	say "now the switch is told where the receiver is: frames go to valea:1 alone, uncopied"
	ctl fdb valea add "$(field valea:1 mac)" valea:1
	rate
	ctl stats
}

# Frames delivered to the receiver over two seconds.
rate() {
	local before after

	sleep 0.5
	before=$(field valea:1 tx_packets)
	sleep 2
	after=$(field valea:1 tx_packets)
	[ "$after" -gt "$before" ] || show_and_die "no frames reached valea:1"
	awk -v n=$((after - before)) 'BEGIN { printf "rate: %.2f million frames a second from valea:0 to valea:1\n", n / 2e6 }'
	[ "$(nproc)" -gt 3 ] || echo "($(nproc) CPU for three threads that never sleep, so they wait for each other; with four it is far more)"
}

# ---- outside: what the machine needs ----------------------------------------------------

outside() {
	need_root "it installs packages, reserves hugepages and makes a tap interface"
	need_packages "${packages[@]}"

	say "building into build/"
	[ -f build/build.ninja ] || meson setup build >build.log 2>&1 ||
		{ cat build.log >&2; rm -f build.log; die "meson setup failed"; }
	rm -f build.log
	ninja -C build || die "the build failed"

	if ctl version >/dev/null 2>&1; then
		switch=$(ctl -j version | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
		die "another vale-switch is running, pid $switch; end it first: kill $switch"
	fi
	[ -c /dev/net/tun ] || modprobe tun 2>/dev/null || true
	[ -c /dev/net/tun ] || die "no /dev/net/tun: this kernel has no tap interfaces; run: modprobe tun"
	trap hugepages_restore EXIT
	trap 'exit 1' INT TERM HUP
	huge=yes
	hugepages_try $memory_mb || { huge=; say "no hugepages, so without DPDK programs: $hugepages_why"; hugepages_restore; }
	VALE_QUICKSTART=inside VALE_QUICKSTART_HUGE=$huge unshare --mount --net --pid --fork --kill-child=TERM --mount-proc \
		"$top/quickstart.sh"
	hugepages_restore
	say "done; all has been ended and removed again"
}

if [ "${VALE_QUICKSTART:-}" = inside ]; then
	inside
else
	outside
fi
