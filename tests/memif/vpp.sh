#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: VPP and libmemif's example, built elsewhere, as memif clients. Not part of the suite, because neither is in
# Debian:
#
#	VPP_BIN=DIR [VPP_PLUGINS=DIR] [LIBMEMIF_BIN=DIR] VALE_BUILD=... tests/memif/vpp.sh
#
# VPP_BIN has vpp and vppctl, VPP_PLUGINS memif_plugin.so and ping_plugin.so, LIBMEMIF_BIN icmp_responder. That has no
# option for a secret, so a few lines loaded before it give one (VALE_SECRET).
#
# Steps:
#  1. Two VPPs, copying and zero-copy: they ping each other in frames of 64 to 9,000 bytes, in polling and in interrupt
#     mode, on 1 and on 4 queues.
#  2. The switch is restarted: VPP comes back by itself.
#  3. A VPP that is killed: its port goes. A secret that is held: VPP says why.
#  4. A namespace with a tap pings VPP, and libmemif's icmp_responder.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

[ -n "${VPP_BIN:-}" ] || skip "VPP_BIN is not set"
plugins=${VPP_PLUGINS:-$VPP_BIN/../lib/x86_64-linux-gnu/vpp_plugins}
declare -A VPP_PID

# vpp_start NAME: it sleeps for a moment in each round, so that two of them and the switch share few CPUs.
vpp_start() {
	mkdir -p "$WORK/$1"
	"$VPP_BIN/vpp" "unix { nodaemon cli-listen $WORK/$1/cli.sock poll-sleep-usec 100 runtime-dir $WORK/$1 log $WORK/$1/log }" \
		"memory { main-heap-size 256M } buffers { buffers-per-numa 16384 page-size 4K }" \
		"statseg { size 32M page-size 4K } api-segment { prefix $1 }" \
		"plugins { path $plugins plugin default { disable } plugin memif_plugin.so { enable } plugin ping_plugin.so { enable } }" \
		>"$WORK/$1.out" 2>"$WORK/$1.err" &
	VPP_PID[$1]=$!
	retry 30 vpp "$1" show version || die "VPP $1 does not start"
}

# vpp NAME COMMAND...
vpp() {
	local name=$1

	shift
	timeout 60 "$VPP_BIN/vppctl" -s "$WORK/$name/cli.sock" "$@" 2>&1 | tr -d '\r'
}

vpp_kill() {
	kill -KILL "${VPP_PID[$1]}"
	wait "${VPP_PID[$1]}" 2>/dev/null || true
}

# vpp_port NAME PORT ADDRESS [OPTIONS...]: interface memif1/0 on PORT.
vpp_port() {
	local name=$1 port=$2 address=$3

	shift 3
	vpp "$name" create memif socket id 1 filename "$MEMIF" >"$WORK/vpp.said"
	vpp "$name" create interface memif id 0 socket-id 1 slave secret "$port" "$@" >>"$WORK/vpp.said"
	vpp "$name" set interface mtu packet 9000 memif1/0 >>"$WORK/vpp.said"
	vpp "$name" set interface ip address memif1/0 "$address/24" >>"$WORK/vpp.said"
	vpp "$name" set interface state memif1/0 up >>"$WORK/vpp.said"
	wait_port "$port" kind memif 10
}

vpp_unport() {
	vpp "$1" delete interface memif memif1/0 >"$WORK/vpp.said"
	vpp "$1" delete memif socket id 1 >>"$WORK/vpp.said"
}

# vpp_pings NAME ADDRESS SIZE TEXT: 3 pings; the first may be lost to ARP.
vpp_pings() {
	vpp "$1" ping "$2" repeat 3 interval 1 size "$3" >"$WORK/vpp.ping"
	grep -qE '[23] received' "$WORK/vpp.ping" || die "$4: $(cat "$WORK/vpp.ping")"
	ok "$4: $(grep received "$WORK/vpp.ping")"
}

switch_start --no-huge -- --verbose 2
vpp_start v1
vpp_start v2
vpp v1 show version | head -n 1

# 1
for copy in no-zero-copy ""; do
	for queues in 1 4; do
		# shellcheck disable=SC2086
		vpp_port v1 vale0:v1 10.9.0.1 $copy rx-queues $queues tx-queues $queues
		# shellcheck disable=SC2086
		vpp_port v2 vale0:v2 10.9.0.2 $copy rx-queues $queues tx-queues $queues
		expect_eq "$queues" "$(port vale0:v1 queues)" "VPP's queues"
		for mode in polling interrupt adaptive; do
			for v in v1 v2; do
				vpp $v set interface rx-mode memif1/0 $mode >"$WORK/vpp.said"
				[ ! -s "$WORK/vpp.said" ] || die "rx-mode $mode: $(cat "$WORK/vpp.said")"
			done
			for size in 56 8900; do
				vpp_pings v1 10.9.0.2 $size "${copy:-zero-copy}, $queues queues, $mode, $size bytes"
			done
		done
		expect_eq "{}" "$(ctl -j show vale0:v1 | json '{k: v for k, v in d["drops"].items() if v and k != "no_dst"}')" "no drops"
		vpp_unport v1
		vpp_unport v2
		port_goes vale0:v1
		port_goes vale0:v2
	done
done

# 2
vpp_port v1 vale0:v1 10.9.0.1
vpp_port v2 vale0:v2 10.9.0.2
vpp_pings v1 10.9.0.2 56 "before the switch ends"
switch_stop
switch_start --no-huge -- --verbose 2
wait_port vale0:v1 kind memif 15
wait_port vale0:v2 kind memif 15
vpp_pings v1 10.9.0.2 8900 "with a new switch"
switch_kill
rm -rf "/run/dpdk/$PREFIX" "$SOCKET" "$MEMIF"
switch_start --no-huge -- --verbose 2
wait_port vale0:v1 kind memif 15
wait_port vale0:v2 kind memif 15
vpp_pings v1 10.9.0.2 56 "after kill -9 of the switch"

# 3
vpp v2 create interface memif id 1 socket-id 1 slave secret vale0:v1 >"$WORK/vpp.said"
vpp v2 set interface state memif1/1 up >>"$WORK/vpp.said"
retry 10 sh -c "'$VPP_BIN/vppctl' -s '$WORK/v2/cli.sock' show memif | grep -q 'held by'" ||
	die "VPP is not told who holds the name: $(vpp v2 show memif)"
ok "refused: $(vpp v2 show memif memif1/1 | grep -o 'remote-disc-reason.*')"
vpp v2 delete interface memif memif1/1 >"$WORK/vpp.said"
vpp_kill v2
port_goes vale0:v2
ok "a VPP that is killed takes its port with it"

# 4
ctl create vale0:tap0 --tap
# icmp_responder ends with an assertion at anything but ARP and ICMP
sysctl -qw net.ipv6.conf.tap0.disable_ipv6=1
ip addr add 10.9.0.9/24 dev tap0
ip link set tap0 up
ping -q -c 5 -i 0.1 -W 2 10.9.0.1 >"$WORK/ping.out" || die "the host pings VPP: $(cat "$WORK/ping.out")"
ok "the host pings VPP"
if [ -n "${LIBMEMIF_BIN:-}" ]; then
	cat >"$WORK/secret.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libmemif.h>
#include <stdio.h>
#include <stdlib.h>

int
memif_create(memif_conn_handle_t *conn, memif_conn_args_t *args, memif_connection_update_t *on_connect,
	memif_connection_update_t *on_disconnect, memif_on_interrupt_t *on_interrupt, void *ctx)
{
	__typeof__(memif_create) *real = dlsym(RTLD_NEXT, "memif_create");

	snprintf((char *)args->secret, sizeof(args->secret), "%s", getenv("VALE_SECRET"));
	return real(conn, args, on_connect, on_disconnect, on_interrupt, ctx);
}
C
	cc -shared -fPIC -I "${LIBMEMIF_INCLUDE:?}" -o "$WORK/secret.so" "$WORK/secret.c" -ldl
	LD_PRELOAD=$WORK/secret.so VALE_SECRET=vale0:lm "$LIBMEMIF_BIN/icmp_responder" -s "$MEMIF" -a 10.9.0.8 \
		-m 02:00:00:00:00:08 >"$WORK/lm.out" 2>"$WORK/lm.err" &
	lm=$!
	wait_port vale0:lm kind memif 10
	"$LIBMEMIF_BIN/icmp_responder" -v | head -n 1
	ping -q -c 5 -i 0.1 -W 2 10.9.0.8 >"$WORK/ping.out" || die "the host pings libmemif: $(cat "$WORK/ping.out")"
	ping -q -c 5 -i 0.1 -W 2 -s 1400 10.9.0.8 >"$WORK/ping.out" || die "long: $(cat "$WORK/ping.out")"
	vpp_pings v1 10.9.0.8 56 "VPP pings libmemif"
	ok "the host pings libmemif's icmp_responder"
	kill -KILL $lm
	wait $lm 2>/dev/null || true
	port_goes vale0:lm
	ok "which takes its port with it"
fi
vpp_kill v1
rm -rf "${WORK:?}/v1" "$WORK/v2"
