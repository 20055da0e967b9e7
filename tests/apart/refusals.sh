#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what is refused to net_vale in a process of its own is refused in one line that says why; nothing stays
# behind; its MAC address is the switch's, and the switch's what mac= says.
#
# Steps:
#  1. No switch at the socket; a socket of another kind; a switch without room.
#  2. Names: held by each kind, an interface's, bad ones. Each time one line of net_vale's, and no port.
#  3. mac= shows in vale-ctl; without it the address derived from the name; a persistent port's own.
#  4. The request itself, as no net_vale would send it: bad names, group and zero addresses, a port reserved for another
#     user; a connection that is asked for and not used goes.
#  5. The operator takes the port: link down, it stays away; removed and attached again it is there.
#  6. The port goes with its process, also if a forked child keeps all its descriptors.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/apart/apart.sh
. "$(dirname "$0")/apart.sh"

here=$(dirname "$0")
switch_start --no-huge -- --max-switches 3 # no secondaries here: all are apart
apart_peer a valea:a
apart_peer b

# refused PATTERN DEVARGS: b's attach, in one line
refused() {
	local before

	before=$(grep -c net_vale: "$WORK/b.err" || true)
	peer_refused b "" attach "$2"
	tail -n 6 "$WORK/b.err" | grep -q "net_vale: .*$1" || die "$2: no '$1' in: $(tail -n 4 "$WORK/b.err")"
	expect_eq $((before + 1)) "$(grep -c net_vale: "$WORK/b.err")" "one line refuses $2"
}

only_a() {
	expect_eq '["valea:a"]' "$(ctl -j stats | json '[p["name"] for p in d["ports"]]')" "$1: there is one port still"
}

# 1
refused "no switch at /nowhere/vale.sock: No such file" net_vale1,port=valea:b,socket=/nowhere/vale.sock
python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); s.bind("/run/other.sock"); s.listen(); time.sleep(60)' &
other=$!
retry 15 test -S /run/other.sock
refused "no switch at /run/other.sock" net_vale1,port=valea:b,socket=/run/other.sock
kill $other
wait $other || true
refused "no switch at /run/other.sock: Connection refused" net_vale1,port=valea:b,socket=/run/other.sock
ctl create valeb:x
ctl create valec:x
refused "3 switches.*max_switches.*(ENOMEM)" net_vale1,port=valed:b
ctl destroy valeb:x
ctl destroy valec:x

# 2
refused "valea:a is held by process ${CLIENT_PID[a]}.*(EBUSY)" net_vale1,port=valea:a
ctl attach valea:n net_null_n
refused "valea:n is in use.*(EBUSY)" net_vale1,port=valea:n
ctl detach valea:n
refused "interface.*(EINVAL)" net_vale1,port=valea:lo
refused "port=foo: " net_vale1,port=foo
refused "port= is missing" net_vale1,queues=2
refused "queues=17: " net_vale1,port=valea:b,queues=17
refused "mac=01:00:00:00:00:01: not a unicast" net_vale1,port=valea:b,mac=01:00:00:00:00:01
refused "more than once" net_vale1,port=valea:b,port=valea:c
only_a "after refusals"

# 3
# mac_is WANT DEVARGS...: in the switch and in the program
mac_is() {
	peer b attach "net_vale1,port=$2"
	peer b info net_vale1
	expect_eq "$1 $1" "$(port "${2%%,*}" mac) $(value mac | tr A-F a-f)" "MAC address of $2"
	peer b detach net_vale1
}

mac_is 02:00:00:00:12:34 valea:m,mac=02:00:00:00:12:34
port_goes valea:m
ctl create valea:m
derived=$(port valea:m mac)
ctl destroy valea:m
mac_is "$derived" valea:m
port_goes valea:m
ctl create valea:m --mac 02:00:00:00:56:78
mac_is 02:00:00:00:56:78 valea:m
expect_eq null "$(port valea:m kind)" "a persistent port is there without a client"
ctl destroy valea:m

# 4
# request WANT ARGUMENTS...: the beginning of the answer
request() {
	local want=$1 got

	shift
	got=$(python3 "$here/open_request.py" "$SOCKET" "$@") || die "request $*: no answer"
	[ "${got#"$want"}" != "$got" ] || die "request $*: '$got', not '$want'"
	ok "request $*: $got"
}

request "0 ${derived//:/} 1" valea:m
request "0 020000000001 1" valea:m mac=020000000001
request "EINVAL - 0 valea:m: a group or zero" valea:m mac=010000000001
request "EINVAL - 0 valea:m: a group or zero" valea:m mac=000000000000
request "EINVAL - 0 the port name" "valea:$(printf '%027d' 0)"
request "ENXIO - 0" foo
request "EBUSY - 0 valea:a is held" valea:a
request "EINVAL - 0 valea:lo" valea:lo
ctl create valea:mine --owner 1234
chmod 666 "$SOCKET"
chmod 755 /run/vale
request "EACCES - 0 valea:mine is reserved for user 1234" valea:mine uid=1235
request "0 " valea:mine uid=1234
ctl destroy valea:mine
only_a "connections that are not used go"

# 5
ctl fdb valea add $A valea:a
ctl detach valea:a
port_goes valea:a
link_is a net_vale0 0
grep -q "net_vale: port valea:a was taken away: the operator detached this port$" "$WORK/a.err" || die "nothing said"
peer a tx net_vale0 0 0 $B $A 60
sleep 1.5
ctl show valea:a 2>"$WORK/said" && die "it came back though the operator had taken it"
ok "the operator took it: link down, and it stays away"
peer a stop net_vale0
peer_refused a "" start net_vale0
grep -q "net_vale: port valea:a is gone: remove the device" "$WORK/a.err" || die "start: nothing said"
peer a detach net_vale0
peer a attach net_vale0,port=valea:a
peer a tx net_vale0 0 10 $BROADCAST $A 60
wait_port valea:a rx_packets 10 15
ok "removed and attached again it is there"

# 6
peer a fork
child=$(value pid)
client_kill a
port_goes valea:a
kill -0 "$child" || die "the child has ended, too"
kill -KILL "$child"
ok "the port goes with its process, not with a child that keeps its descriptors"
