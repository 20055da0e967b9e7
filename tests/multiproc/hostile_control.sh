#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: whatever a client says on the control socket, the switch lives, serves the others and loses nothing.
#
# Steps:
#  1. One connection that holds a port and waits for another, in both orders.
#  2. A group address, and the zero address, as a port's own.
#  3. No descriptors left in the middle of an attach with 16 queues.
#  4. 300 messages that are no requests: the log has ten of them, and how many more there were.
#  5. No descriptors left for new clients: they are turned away, and the switch does not spin.
. "$(dirname "$0")/../lib.sh"

switch_start
hostile() {
	python3 "$(dirname "$0")/hostile_control.py" "$SOCKET" "$@"
}

no_ports() {
	retry 15 bash -c "[ \"\$('$VALE_BUILD/app/vale-ctl' --socket '$SOCKET' -j list)\" = '{\"switches\":[]}' ]" ||
		die "ports are left: $(ctl list)"
}

# 1
expect_eq "0 EBUSY" "$(hostile attach_wait)" "who holds a port cannot wait on the same connection"
no_ports
expect_eq "EBUSY" "$(hostile wait_attach)" "who waits cannot attach"
no_ports
ctl attach valea:never net_null0,no-rx=1
ctl detach valea:never
ok "the name that was waited for can be used"

# 2
expect_eq "EINVAL EINVAL" "$(hostile group_mac)" "group and zero addresses are refused"

# 3
used=$(find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l)
prlimit --pid "$SWITCH_PID" --nofile=$((used + 12)):
expect_eq "EMFILE" "$(hostile queues)" "an attach without enough descriptors is refused"
no_ports
prlimit --pid "$SWITCH_PID" --nofile=1024:
expect_eq "0" "$(hostile queues)" "with enough it is not"
no_ports

# 4
expect_eq "done" "$(hostile junk)" "who sends what is no request is hung up on"
nb=$(grep -c "sent what is not a request" "$WORK/switch.err")
[[ $nb -ge 10 && $nb -le 30 ]] || die "$nb lines of 300 are in the log"

# 5
prlimit --pid "$SWITCH_PID" --nofile=$((used + 4)):
hostile many 2 >/dev/null &
crowd=$!
sleep 0.3
cpu_ticks() {
	awk '{ print $14 + $15 }' "/proc/$SWITCH_PID/stat"
}
before=$(cpu_ticks)
sleep 1
spent=$(($(cpu_ticks) - before))
[ "$spent" -lt 20 ] || die "the switch spins: $spent ticks in a second"
ok "clients too many cost nothing ($spent ticks in a second)"
wait "$crowd"
prlimit --pid "$SWITCH_PID" --nofile=1024:
expect_eq "0" "$(hostile queues)" "afterwards clients are served again"
no_ports
retry 8 grep -q "more messages were no requests" "$WORK/switch.err" || die "nobody says how many lines are left out"
nb=$(grep -c "sent what is not a request" "$WORK/switch.err")
more=$(sed -n 's/.*vale-switch: \([0-9]*\) more messages were no requests.*/\1/p' "$WORK/switch.err" | awk "{ n += \$1 } END { print n }")
expect_eq 300 $((nb + more)) "of 300 lines $nb are in the log, and that there were $more more"
[ "$(wc -c <"$WORK/switch.err")" -lt 20000 ] || die "the log is flooded"
ok "the log is not flooded"
