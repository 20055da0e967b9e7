#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what must be refused is refused, with the right errno and a sentence that helps; nothing stays behind.
#
# Steps:
#  1. Names: held (EBUSY), an interface's (EINVAL), bad ones (netmap's errnos; EINVAL for what the manual forbids).
#  2. Another DPDK, another release, another layout, too many queues: both sides are named.
#  3. lcore ids that overlap another process's or the switch's: the ids proposed work.
#  4. No switch at the socket, in a primary process and a secondary; wrong arguments.
#  5. vale-ctl's exit codes, and errors as JSON.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

here=$(dirname "$0")
switch_start
peer_start a valea:a

# request ERRNO TEXT NAME [KEY=VALUE]: over the socket, as net_vale would
request() {
	local want=$1 text=$2 got

	shift 2
	got=$(python3 "$here/attach_request.py" "$SOCKET" "$@") || die "attach request $*: no answer"
	[ "${got%% *}" = "$want" ] || die "attach request $*: '$got', not $want"
	case "$got" in
	*"$text"*) ok "request $*: $got" ;;
	*) die "attach request $*: '$got' does not say '$text'" ;;
	esac
}

# ctl_fails STATUS PATTERN ARGUMENTS...
ctl_fails() {
	local want=$1 pattern=$2 status=0

	shift 2
	"$VALE_BUILD/app/vale-ctl" "$@" >"$WORK/ctl.said" 2>"$WORK/ctl.error" || status=$?
	[ "$status" = "$want" ] || die "vale-ctl $*: status $status, not $want"
	[ ! -s "$WORK/ctl.said" ] || die "vale-ctl $*: something on stdout"
	[ "$(wc -l <"$WORK/ctl.error")" = 1 ] || die "vale-ctl $*: not one line: $(cat "$WORK/ctl.error")"
	grep -qe "$pattern" "$WORK/ctl.error" || die "vale-ctl $*: no '$pattern' in: $(cat "$WORK/ctl.error")"
	ok "vale-ctl $*: $(cat "$WORK/ctl.error")"
}

only_a() {
	expect_eq '["valea:a"]' "$(ctl -j stats | json '[p["name"] for p in d["ports"]]')" "$1: there is one port still"
}

# 1
request 0 "" valea:free
port_goes valea:free
request EBUSY valea:a valea:a
peer_start b
peer_refused b "" attach net_vale1,port=valea:a
grep -q "valea:a.*(EBUSY)" "$WORK/b.err" || die "net_vale does not say EBUSY: $(tail -n 3 "$WORK/b.err")"
ok "net_vale says so: EBUSY"
ctl_fails 1 "valea:a.*(EBUSY)$" --socket "$SOCKET" attach valea:a net_null0
request EINVAL interface valea:lo
ctl_fails 1 "interface.*(EINVAL)$" --socket "$SOCKET" create valea:lo
while read -r errno name; do
	request "$errno" "" "${name//~/ }"
	[ "$errno" != 0 ] || port_goes "$name"
	[ "$errno" = 0 ] || ctl_fails 1 "($errno)$" --socket "$SOCKET" create "${name//~/ }"
done <<-'END'
	ENXIO VALE0:a
	ENXIO Vale0:a
	ENXIO foo
	ENOMEM vale0
	ENOMEM vale~0:a
	ENOMEM vale-0:a
	ENOMEM vale.0:a
	ENOMEM vale0:1234567890123456
	ENOMEM vale123456789012:a
	EINVAL vale:x
	EINVAL vale0:
	EINVAL val:a
	EINVAL vale0:a:b
	EINVAL vale0:a~b
	EINVAL vale0:a-b
	EINVAL vale0:a{1
	EINVAL vale0:1234567890
	0 vale_0:A_9
	0 vale0:123456789
END
request ENXIO "" ""
only_a "after bad names"

# 2
request EPROTO "DPDK 21.11.1" valea:b dpdk="DPDK 21.11.1"
request EPROTO "DPDK 22.11" valea:b dpdk="DPDK 21.11.1"
request EPROTO 99.1 valea:b vale=99.1
request EPROTO "layout 77" valea:b shm=77
request EINVAL 17 valea:b queues=17
only_a "after wrong versions"

# 3
# overlap NAME LCORES ID USER: must be refused for ID, held by USER; what is proposed must work
overlap() {
	local proposed

	peer_run "$1" "$2" --vdev="net_vale_$1,port=valeb:$1"
	peer_read "$1" 30
	peer "$1" ports
	[ "$(value nb)" = 0 ] || die "lcores $2 are not refused"
	grep -q "lcore id $3 is in use by $4.*--lcores [0-9@,]* (EBUSY)" "$WORK/$1.err" ||
		die "lcores $2: $(grep net_vale "$WORK/$1.err")"
	ok "lcores $2: id $3 is in use by $4"
	proposed=$(sed -n 's/.*net_vale.*--lcores \([0-9@,]*\).*/\1/p' "$WORK/$1.err")
	client_stop "$1"
	peer_run "$1" "$proposed" --vdev="net_vale_$1,port=valeb:$1"
	peer_read "$1" 30
	peer "$1" ports
	answer_has "--lcores $proposed, as proposed, work" nb=1
	client_stop "$1"
}

overlap x 1@0 1 "process ${CLIENT_PID[a]}"
overlap y 127@0 127 "the switch"
overlap z 40@0,1@1,41@0 1 "process ${CLIENT_PID[a]}"
port_goes valeb:z
only_a "after overlaps"

# 4
# without a switch at the default socket; with one, they are tests/apart's
"$PEER" --no-huge --no-pci --no-shconf --lcores 50@0 -d "$PMD" --vdev net_vale0,port=valea:0 \
	</dev/null >"$WORK/primary.said" 2>&1 || true
grep -q "net_vale: port valea:0: no switch at /run/vale/vale.sock: No such file" "$WORK/primary.said" ||
	die "in a primary: $(cat "$WORK/primary.said")"
ok "in a primary process it looks for the default socket"
"$PEER" --proc-type secondary --file-prefix "$PREFIX" --no-pci --lcores 62@0 -d "$PMD" \
	--vdev net_vale0,port=valea:0,socket=/run/vale/none.sock </dev/null >"$WORK/secondary.said" 2>&1 || true
grep -q "net_vale: port valea:0: no switch at /run/vale/none.sock: No such file" "$WORK/secondary.said" ||
	die "in a secondary: $(cat "$WORK/secondary.said")"
ok "a secondary, too, goes where socket= says"

# pmd_refused PATTERN DEVARGS
pmd_refused() {
	peer_refused b "" attach "$2"
	tail -n 4 "$WORK/b.err" | grep -q "net_vale: .*$1" || die "$2: no '$1' in: $(tail -n 4 "$WORK/b.err")"
	ok "refused: $2"
}

pmd_refused "no switch at /nowhere/vale.sock" net_vale2,port=valea:b,socket=/nowhere/vale.sock
pmd_refused "port=foo: .*valea:0" net_vale2,port=foo
pmd_refused "port= is missing" net_vale2,queues=2
pmd_refused "queues=0: " net_vale2,port=valea:b,queues=0
pmd_refused "mac=01:00:00:00:00:01: not a unicast" net_vale2,port=valea:b,mac=01:00:00:00:00:01
pmd_refused "cannot be understood" net_vale2,port=valea:b,colour=red
peer b attach net_vale2,port=valea:b
ok "the same device without mistakes attaches"
peer b detach valea:b
only_a "after wrong arguments"

# 5
ctl list >"$WORK/said" || die "list: $?"
ok "vale-ctl list: 0"
ctl_fails 1 "valea:no.*(ENXIO)$" --socket "$SOCKET" show valea:no
ctl_fails 1 "(E[A-Z]*)$" --socket "$SOCKET" destroy valea:no
ctl_fails 1 "(E[A-Z]*)$" --socket "$SOCKET" detach valea:no
ctl_fails 2 "nonsense" --socket "$SOCKET" nonsense
ctl_fails 2 "" --socket "$SOCKET" create
ctl_fails 3 "/nowhere" --socket /nowhere list
status=0
ctl -j create valea:lo >"$WORK/said" 2>"$WORK/error" || status=$?
expect_eq "1 EINVAL" "$status $(json 'd["error"] if d["message"] else ""' <"$WORK/said")" "-j: the refusal is a document"
