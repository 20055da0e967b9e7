#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: what a netmap program may depends on its user.
#
# Steps:
#  1. Who may not connect to the switch is told by vale-exec, and whose group may, may.
#  2. A port reserved for a user (create --owner): his programs and root's attach, another's is refused, with the reason
#     for who asks.
#  3. Memory and a port of one user are not another's to join.
#  4. A user has a limit of memory: a program that wants more is refused, with numbers; other users are not.
#  5. What changes the switch for others is the operator's.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

alice=12001
bob=12002
team=12100
pre=$WORK/bin/pre-cases

# as UID GROUP COMMAND...
as() {
	local uid=$1 gid=$2

	shift 2
	VALE_SOCKET=$SOCKET setpriv --reuid "$uid" --regid "$gid" --clear-groups "$@"
}

# opens UID PORT [EXTRA]
opens() {
	as "$1" $team "$WORK/app/vale-exec" "$pre" open "${@:2}" </dev/null >"$WORK/open.out" 2>"$WORK/open.err" ||
		die "user $1 cannot open $2: $(cat "$WORK/open.out" "$WORK/open.err")"
	ok "user $1 opens $2"
}

# refused UID ERRNO PATTERN PORT [EXTRA]
refused() {
	as "$1" $team "$WORK/app/vale-exec" -v "$pre" open "${@:4}" </dev/null >"$WORK/open.out" 2>"$WORK/open.err" &&
		die "user $1 opened $4"
	expect_eq "$2" "$(cat "$WORK/open.out")" "user $1 does not open $4"
	grep -qE -- "$3" "$WORK/open.err" || die "user $1, $4: '$3' is not in: $(cat "$WORK/open.err")"
	ok "user $1: $(cat "$WORK/open.err")"
}

# Other users may not be able to reach the build folder.
chmod 711 "$WORK"
mkdir -m 755 "$WORK/app" "$WORK/lib" "$WORK/bin"
install -m 755 "$VALE_BUILD/app/vale-exec" "$VALE_BUILD/app/vale-gen" "$WORK/app/"
install -m 755 "$VALE_BUILD/lib/libvale-netmap.so" "$WORK/lib/"
install -m 755 "$VALE_BUILD/tests/netmap/pre-cases" "$WORK/bin/"

# 1
switch_start --no-huge -m 256 -- --socket-group $team --socket-mode 0660
expect_eq "0:$team 660" "$(stat -c '%u:%g %a' "$SOCKET")" "group and mode of the socket"
status=0
as $bob $bob "$WORK/app/vale-exec" "$pre" open vale0:x 2>"$WORK/out.err" </dev/null || status=$?
expect_eq 3 "$status" "who is not in the group does not get in"
grep -q -- "--socket-group and --socket-mode" "$WORK/out.err" || die "vale-exec does not say why: $(cat "$WORK/out.err")"
opens $bob vale0:x

# 2
ctl create vale0:mine --owner $alice
refused $bob EACCES "reserved for user $alice" vale0:mine
opens $alice vale0:mine
opens 0 vale0:mine
as $bob $team "$WORK/app/vale-gen" -i vale0:mine -f rx -n 1 2>"$WORK/gen.err" && die "vale-gen got in"
grep -q "reserved for user $alice.*(EACCES)\$" "$WORK/gen.err" || die "vale-gen does not say why: $(cat "$WORK/gen.err")"
ok "vale-gen: $(cat "$WORK/gen.err")"

# 3
mkfifo "$WORK/hold"
as $alice $team "$WORK/app/vale-exec" "$pre" open vale0:a <"$WORK/hold" >"$WORK/hold.out" &
holder=$!
exec 9>"$WORK/hold"
wait_text "$WORK/hold.out" open 10
refused $bob EACCES "belongs to user $alice" vale0:a
opens $alice vale0:a
exec 9>&-
wait $holder || die "it ended with $?"

# 4
mkfifo "$WORK/hold4"
as $bob $team "$WORK/app/vale-exec" -v "$pre" hoard vale1:p <"$WORK/hold4" >"$WORK/hoard.out" 2>"$WORK/hoard.err" &
holder=$!
exec 9>"$WORK/hold4"
wait_text "$WORK/hoard.out" ports 120
if grep -q "^200 ports" "$WORK/hoard.out"; then
	echo "this machine has memory for more ports than there may be: the limit was not reached"
else
	grep -q "ports, then ENOMEM" "$WORK/hoard.out" || die "$(cat "$WORK/hoard.out")"
	grep -qE "user $bob has [0-9]+ MB of netmap memory and wants [0-9]+ MB more, of [0-9]+ MB" "$WORK/hoard.err" ||
		die "no reason: $(cat "$WORK/hoard.err")"
	ok "a user's limit: $(cat "$WORK/hoard.out"): $(tail -n 1 "$WORK/hoard.err")"
fi
opens $alice vale2:other
exec 9>&-
wait $holder || die "it ended with $?"
opens $bob vale2:again

# 5
refused_ctrl() {
	as $bob $team "$WORK/app/vale-exec" "$pre" persistent >"$WORK/out.out" 2>"$WORK/out.err" && die "bob made a port"
	grep -q "errno 1)" "$WORK/out.err" || die "not EPERM: $(cat "$WORK/out.err")"
}
refused_ctrl
ok "persistent ports are the operator's"
