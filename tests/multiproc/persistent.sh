#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a persistent port is a name that is kept: counters, static entries and its MAC address survive its
# clients; what was learned there does not.
#
# Steps:
#  1. create: no kind, no pid; twice is refused; --mac.
#  2. A client attaches, and has the address; frames are counted; it goes, by exit and by kill -9; counters and static entries stay.
#  3. Other kinds attach to the same name. Netmap and memif clients that are killed leave it as they found it.
#  4. destroy: not under a client, not twice, not an ephemeral port; then everything is gone.
#  5. An ephemeral port can be made persistent while it is in use.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/../memif/memif.sh"

# refused ERRNO VALE-CTL-ARGUMENTS
refused() {
	local want=$1 status=0

	shift
	ctl "$@" 2>"$WORK/ctl.error" || status=$?
	[ $status = 1 ] || die "vale-ctl $*: status $status"
	grep -q "($want)$" "$WORK/ctl.error" || die "vale-ctl $*: $(cat "$WORK/ctl.error"), not $want"
	ok "vale-ctl $*: $want"
}

mac=02:aa:bb:cc:dd:01
switch_start

# 1
ctl create valea:k --mac $mac
expect_eq "true null null $mac" "$(port valea:k persistent) $(port valea:k kind) $(port valea:k pid) $(port valea:k mac)" \
	"created, without a client"
refused EEXIST create valea:k
peer_start a valea:a
ctl fdb valea add $D valea:k
peer a tx valea:a 0 30 $D $A 60
wait_port valea:k drops.port_gone 30 15
ok "frames to it are counted while nobody is there"

# 2
peer_start k valea:k
peer k info valea:k
answer_has "its client has its address" mac="${mac^^}"
expect_eq "dpdk ${CLIENT_PID[k]} true" "$(port valea:k kind) $(port valea:k pid) $(port valea:k persistent)" "attached"
peer a tx valea:a 0 40 $D $A 60
peer k rx valea:k 50 expect=40
got_all 40 "it receives by its static entry"
peer k tx valea:k 0 50 $A $B 60
peer a rx valea:a 50 expect=50
got_all 50 "and sends"
state='" ".join(str(p[k]) for p in d["ports"] if p["name"] == "valea:k" for k in ("rx_packets", "tx_packets", "kind", "pid"))'
client_stop k
wait_port valea:k kind null 15
expect_eq "50 40 None None" "$(ctl -j stats | json "$state")" "after an exit its counters stay"
entries='" ".join(e["mac"] + "=" + e["port"] for e in sorted(d["entries"], key=lambda e: e["mac"]))'
expect_eq "$A=valea:a $D=valea:k" "$(ctl -j fdb valea | json "$entries")" "the static entry stays, what was learned goes"
peer_start k valea:k
peer a tx valea:a 0 5 $D $A 60
peer k rx valea:k 50 expect=5
got_all 5 "a new client is found by the old entry"
client_kill k
wait_port valea:k kind null 15
expect_eq "50 45 None None" "$(ctl -j stats | json "$state")" "after kill -9 its counters go on"
expect_eq "$mac" "$(port valea:k mac)" "and its address"

# 3
ctl attach valea:k net_null0,no-rx=1
expect_eq ethdev "$(port valea:k kind)" "another kind attaches"
peer a tx valea:a 0 7 $D $A 60
wait_port valea:k tx_packets 52 15
ok "and receives"
refused EBUSY destroy valea:k
ctl detach valea:k
expect_eq "null true" "$(port valea:k kind) $(port valea:k persistent)" "detached, kept"

# killed_keeps NAME KIND FRAMES SUM: its client, that has attached, gets frames, which makes SUM in all, and is killed.
killed_keeps() {
	wait_port valea:k kind "$2" 10
	retry 10 sh -c "$VALE_BUILD/app/vale-ctl --socket $SOCKET -j show valea:k | grep -q '\"link\": *true'" || die "$2: no link"
	peer a tx valea:a 0 "$3" $D $A 60
	wait_port valea:k tx_packets "$4" 15
	client_kill "$1"
	wait_port valea:k kind null 15
	expect_eq "50 $4 None None" "$(ctl -j stats | json "$state")" "after kill -9 of a $2 client its counters go on"
	expect_eq "$mac true $A=valea:a $D=valea:k" "$(port valea:k mac) $(port valea:k persistent) $(ctl -j fdb valea | json "$entries")" \
		"and so do its address and its static entry"
}

mkfifo "$WORK/gen.in"
exec {gen_fd}<>"$WORK/gen.in"
VALE_SOCKET=$SOCKET "$VALE_BUILD/app/vale-gen" -i valea:k -f rx -w 0 >"$WORK/gen.out" 2>&1 &
CLIENT_PID[gen]=$!
CLIENT_FD[gen]=$gen_fd
killed_keeps gen netmap 6 58
memif_start m rxonly valea:k
client_say m start
killed_keeps m memif 8 66

# 4
ctl destroy valea:k
refused ENXIO show valea:k
refused ENXIO destroy valea:k
expect_eq "$A=valea:a" "$(ctl -j fdb valea | json "$entries")" "its static entry went with it"
refused EINVAL destroy valea:a

# 5
ctl create valea:a
expect_eq "true dpdk" "$(port valea:a persistent) $(port valea:a kind)" "made persistent in use"
client_stop a
wait_port valea:a kind null 15
expect_eq 96 "$(port valea:a rx_packets)" "kept, with its counters"
ctl destroy valea:a
expect_eq 0 "$(ctl -j list | json 'len(d["switches"])')" "with its last port the switch goes"
ctl create valea:a
expect_eq 0 "$(port valea:a rx_packets)" "a new port of that name starts from nothing"
ctl destroy valea:a
