#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: the sockets let in whom they should, and whom they let in may do what is theirs.
#
# Steps:
#  1. Owner, group and mode of the control socket and of memif's, as given.
#  2. Another user may look, and nothing else.
#  3. A port reserved for a user (create --owner): others are refused with a reason, the owner and root are not, and
#     the owner may detach it.
#  4. A socket for a virtual machine has the permissions of the control socket, and is the port's owner's.
#  5. Without permission on the socket there is no talking at all.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

here=$(dirname "$0")
alice=12001
bob=12002
team=12100

# as UID COMMAND...
as() {
	local uid=$1

	shift
	setpriv --reuid "$uid" --regid "$team" --clear-groups "$@"
}

# ctl_as UID ARGUMENTS
ctl_as() {
	local uid=$1

	shift
	as "$uid" timeout 20 "$WORK/bin/vale-ctl" --socket "$SOCKET" "$@"
}

# refused UID ERRNO PATTERN ARGUMENTS
refused() {
	local uid=$1 errno=$2 pattern=$3

	shift 3
	ctl_as "$uid" "$@" >"$WORK/refused.out" 2>"$WORK/refused.err" && die "user $uid: $*: was not refused"
	grep -q "$pattern.*($errno)\$" "$WORK/refused.err" || die "user $uid: $*: $(cat "$WORK/refused.err")"
	ok "user $uid: $(cat "$WORK/refused.err")"
}

# request UID ERRNO PATTERN NAME: attach as net_vale would
request() {
	local got

	got=$(as "$1" /usr/bin/python3 "$WORK/bin/attach_request.py" "$SOCKET" "$4") || die "no answer: $got"
	[ "${got%% *}" = "$2" ] || die "user $1 attaches $4: '$got', not $2"
	[[ $got == *$3* ]] || die "user $1 attaches $4: '$got' does not say '$3'"
	ok "user $1 attaches $4: $got"
}

# Other users may not be able to reach the build folder.
chmod 711 "$WORK"
mkdir -m 755 "$WORK/bin"
install -m 755 "$VALE_BUILD/app/vale-ctl" "$here/../multiproc/attach_request.py" "$WORK/bin/"

# 1
switch_start -- --socket-owner $bob --socket-group $team --socket-mode 0666
expect_eq "$bob:$team 666" "$(stat -c '%u:%g %a' "$SOCKET")" "owner, group and mode of the socket"

memif=/run/vale/memif
expect_eq "$bob:$team 666" "$(stat -c '%u:%g %a' "$memif/$PREFIX.sock")" "and of the memif socket"
expect_eq "$bob:$team 1777" "$(stat -c '%u:%g %a' "$memif")" "whose folder lets the same people in, and nobody remove it"

# 2
ctl create vale0:free
ctl create vale0:mine --owner $alice
ctl attach vale0:null net_null0
expect_eq 3 "$(ctl_as $bob -j list | json 'len(d["switches"][0]["ports"])')" "another user sees the ports"
for verb in "show vale0:free" "stats" "fdb vale0" "get" "version" "wait vale0:null"; do
	# shellcheck disable=SC2086
	ctl_as $bob $verb >"$WORK/read.out" || die "another user cannot: $verb"
done
ok "and may read"
refused $bob EPERM "only root and the user that runs the switch (uid 0)" create vale0:x
refused $bob EPERM "not uid $bob" destroy vale0:free
refused $bob EPERM "only root" attach vale0:x net_null1
refused $bob EPERM "only root" create vale0:x --tap
refused $bob EPERM "only root" -h vale0:lo
refused $bob EPERM "only root" set ageing 1
refused $bob EPERM "only root" fdb vale0 add 02:00:00:00:00:01 vale0:free
refused $bob EPERM "only root" fdb vale0 del 02:00:00:00:00:01
refused $bob EPERM "only root" fdb vale0 flush
refused $bob EPERM "the owner" detach vale0:null
expect_eq 3 "$(ctl -j list | json 'len(d["switches"][0]["ports"])')" "nothing changed"

# 3
ctl show vale0:mine | grep -q "^reserved for *user $alice\$" || die "show does not tell whose the port is"
request $bob EACCES "reserved for user $alice" vale0:mine
request $alice 0 "" vale0:mine
request 0 0 "" vale0:mine
request $bob 0 "" vale0:free
request $bob 0 "" vale0:new
ctl attach vale0:mine net_null1
refused $bob EPERM "the owner of vale0:mine" detach vale0:mine
ctl_as $alice detach vale0:mine || die "the owner cannot detach"
expect_eq null "$(port vale0:mine kind)" "the owner may detach what is his"
refused $alice EPERM "only root" destroy vale0:mine

# 4
ctl create vale1:vm --vhost "$WORK/vm.sock" --vhost-server --owner $alice
expect_eq "$alice:$team 666" "$(stat -c '%u:%g %a' "$WORK/vm.sock")" "owner, group and mode of a machine's socket"
ctl destroy vale1:vm
[ ! -e "$WORK/vm.sock" ] || die "the machine's socket is left behind"

# 5
switch_stop || die "the switch did not end well"
switch_start
expect_eq "0:0 600" "$(stat -c '%u:%g %a' "$SOCKET")" "by default the socket is closed to others"
expect_eq "0:0 600" "$(stat -c '%u:%g %a' "$memif/$PREFIX.sock")" "and so is memif's"
ctl_as $alice list >"$WORK/closed.out" 2>"$WORK/closed.err" && die "a closed socket lets others in"
grep -q "no permission.*--socket-group (EACCES)\$" "$WORK/closed.err" || die "$(cat "$WORK/closed.err")"
ok "they are told so: $(cat "$WORK/closed.err")"
