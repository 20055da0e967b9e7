#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: `vale-ctl create PORT --tap` gives the host an interface on the switch, for as long as the port lives.
#
# Steps:
#  1. Create two; their interfaces are there, with the ports' MAC addresses.
#  2. Moved into namespaces A and B, they ping each other.
#  3. A name that an interface has already, or a port: refused, and nothing is left.
#  4. detach takes the interface and keeps the name; destroy takes both, in one go.
#  5. The switch ends: the interfaces are gone.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/smoke/netns.inc
. "$(dirname "$0")/netns.inc"

[ -c /dev/net/tun ] || skip "no /dev/net/tun"

# refused ERRNO PATTERN ARGUMENTS
refused() {
	local errno=$1 pattern=$2

	shift 2
	ctl "$@" 2>"$WORK/refused.err" && die "$*: was not refused"
	grep -q "($errno)\$" "$WORK/refused.err" || die "$*: not $errno: $(cat "$WORK/refused.err")"
	grep -q "$pattern" "$WORK/refused.err" || die "$*: no '$pattern': $(cat "$WORK/refused.err")"
	ok "refused: $*: $(cat "$WORK/refused.err")"
}

mac_of() {
	ip -j link show "$1" | json 'd[0]["address"]'
}

ip netns add A
ip netns add B
switch_start

# 1
ctl create vale0:ta --tap --mac 02:00:00:00:00:0a
ctl create vale0:tb --tap
expect_eq 02:00:00:00:00:0a "$(mac_of ta)" "the interface has the MAC address asked for"
expect_eq "$(port vale0:tb mac)" "$(mac_of tb)" "or the port's own"
expect_eq true "$(port vale0:ta persistent)" "the port is persistent"

# 2
ip link set ta netns A
ip link set tb netns B
address A ta 1
address B tb 2
# moved, they were gone for a moment
wait_port vale0:ta link true 15
wait_port vale0:tb link true 15
pings "between created taps" 20 10.7.0.2

# 3
ip link add tc type veth peer name td
refused EEXIST "an interface tc exists" create vale0:tc --tap
refused EEXIST "persistent already" create vale0:ta --tap
ctl attach vale0:n net_null0
refused EBUSY "in use" create vale0:n --tap
refused EINVAL "interface" create vale0:tc
expect_eq '["vale0:n", "vale0:ta", "vale0:tb"]' \
	"$(ctl -j stats | json '[p["name"] for p in d["ports"]]')" "no more ports than before"
! ip link show n >"$WORK/n.out" 2>&1 || die "an interface n was left behind"

# 4
ctl detach vale0:ta
retry 15 sh -c '! ip -n A link show ta' || die "detach left ta behind"
expect_eq "true null" "$(port vale0:ta persistent) $(port vale0:ta kind)" "detach keeps the name"
ctl destroy vale0:ta
ctl create vale0:ta --tap
ip link show ta >"$WORK/ta.out" || die "ta was not made again"
ctl destroy vale0:ta
ip link show ta >"$WORK/ta.out" 2>&1 && die "destroy left ta behind"
ctl destroy vale0:tb
retry 15 sh -c '! ip -n B link show tb' || die "destroy left tb behind"
ok "destroy takes the interface with it"

# 5
ctl create vale0:te --tap
switch_stop || die "the switch did not end well"
ip link show te >"$WORK/te.out" 2>&1 && die "te is left behind"
ok "the interface ends with the switch"
