#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: who gets one thing wrong is refused by DISCONNECT, with the errno and a sentence, and only who does.
#
# Steps:
#  1. A name held by a dpdk port or by an operator's; a limit that is spent.
#  2. Stock testpmd hears the reason; told to detach, it hears that, too, and comes back when its port is started.
#  3. Who has no right to the socket is refused by the kernel; a group that is named has it.
#  4. A port that is reserved for a user: another user is refused, and told why.
#  5. A user who opens more connections than there may be half-way loses his own, not another's.
#  6. A switch that has no descriptors left turns clients away, and takes them again when it has.
# What can be wrong in the handshake itself: hostile.sh.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

switch_start -- --max-ports 3

# 1
# memif_refused PORT TEXT
memif_refused() {
	if "$MEMIF_FLOW" "$MEMIF" ping "$1" 1 >"$WORK/refused.out" 2>&1; then
		die "$1 was not refused"
	fi
	grep -q "$2" "$WORK/refused.out" || die "$1: '$(cat "$WORK/refused.out")' instead of '$2'"
	ok "$1: $2"
}
peer_start a valea:a
memif_refused valea:a "held by process ${CLIENT_PID[a]}"
ctl create valea:b
ctl create valea:c
memif_refused valea:d "3 ports, as many as max_ports allows"
flow_start echo echo valea:b
wait_port valea:b kind memif 15
ok "a persistent port takes a memif client"
peer_refused a "" attach net_vale9,port=valea:b
ok "which a dpdk client then cannot have"
flow_stop echo
wait_port valea:b kind null 15

# 2
memif_start t io valea:a
wait_text "$WORK/t.err" "Disconnect received: valea:a is held by process ${CLIENT_PID[a]}" 5
client_stop t
memif_start u io valea:b
wait_port valea:b kind memif 15
ctl detach valea:b
wait_text "$WORK/u.err" "Disconnect received:" 5
wait_port valea:b kind null 15
testpmd_ask u "port stop 0"
testpmd_ask u "port start 0"
wait_port valea:b kind memif 15
ok "testpmd is told why, and comes back"
client_stop u
client_stop a
switch_stop

# 3
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$WORK/flow" "$MEMIF" "$@" >"$WORK/nobody.out" 2>&1 || true
}
# others may not be able to reach the build folder
chmod 711 "$WORK"
install -m 755 "$MEMIF_FLOW" "$WORK/flow"
switch_start --no-huge
as_nobody bench valea:x valea:y 0.1 60
grep -q "Permission denied" "$WORK/nobody.out" || die "nobody: $(cat "$WORK/nobody.out")"
switch_stop
[ ! -e "$(dirname "$MEMIF")" ] || die "the folder for memif stays"
switch_start --no-huge -- --socket-group 65534
as_nobody bench valea:x valea:y 0.1 60
grep -q "^ok" "$WORK/nobody.out" || die "nobody, of the group: $(cat "$WORK/nobody.out")"
setpriv --reuid=65534 --regid=65534 --clear-groups test -w "$(dirname "$MEMIF")" || die "net_memif would not connect"
if setpriv --reuid=65534 --regid=65534 --clear-groups rm -f "$MEMIF" 2>"$WORK/rm.err"; then
	die "a client can remove the socket"
fi
switch_stop
switch_start --no-huge -- --socket-owner 65534
as_nobody bench valea:x valea:y 0.1 60
grep -q "^ok" "$WORK/nobody.out" || die "nobody, the owner: $(cat "$WORK/nobody.out")"
ok "owner, group and mode are in force"
switch_stop

# 4
as_user() {
	local uid=$1

	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups "$WORK/flow" "$MEMIF" "$@" >"$WORK/user.out" 2>&1
}
switch_start -- --socket-mode 0666
ctl create valea:mine --owner 4711
as_user 4712 ping valea:mine 1 && die "a port reserved for another was given away"
grep -q "valea:mine is reserved for user 4711" "$WORK/user.out" || die "refused otherwise: $(cat "$WORK/user.out")"
ok "user 4712: $(cat "$WORK/user.out")"
as_user 4711 echo valea:mine &
echo=$!
wait_port valea:mine kind memif 15
ok "the owner gets it"
pkill -KILL -P "$echo" || kill -KILL "$echo"
wait "$echo" 2>/dev/null || true

# 5
PYTHONPATH=$(dirname "$0") python3 - "$MEMIF" <<'PYTHON' || die "a user pushes out another's connections"
import os
from memif_client import ACK, Client, Refused

early = Client()
told, tell = os.pipe()
wait, hold = os.pipe()
if os.fork() == 0:
    os.close(hold)
    os.setuid(4712)
    crowd = [Client("valea:c") for _ in range(100)]
    turned_away = 0
    for c in crowd[:37]:
        try:
            c.hear(ACK)
        except Refused as e:
            turned_away += "too many clients" in e.args[1]
    os.write(tell, bytes([turned_away]))
    os.read(wait, 1)  # until the parent closes its end
    os._exit(0)
assert os.read(told, 1) == bytes([37]), "not his oldest were turned away"
late = [Client("valea:r%d" % i) for i in range(10)]
early.up()
late[0].init()
os.close(hold)
os.wait()
PYTHON
ok "a crowd of another user's half-way is in nobody's way"

# 6
sleep 0.3 # until the switch has closed all of those
before=$(find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l)
prlimit --pid "$SWITCH_PID" --nofile=$((before + 20))
PYTHONPATH=$(dirname "$0") python3 - "$MEMIF" <<'PYTHON' || die "a switch without descriptors does not turn clients away"
import sys
from memif_client import Client
clients = []
try:
    for _ in range(40):
        clients.append(Client("valea:r"))
    sys.exit(1)
except AssertionError:  # closed without a word, for which there was no descriptor
    print(len(clients), "clients half-way, one more was turned away")
PYTHON
grep -q "no descriptor for another memif client.*ulimit -n" "$WORK/switch.err" || die "the log does not say so"
"$MEMIF_FLOW" "$MEMIF" bench valea:x valea:y 0.1 60 >"$WORK/after.out" || die "nobody gets in any more: $(cat "$WORK/after.out")"
ok "no descriptors left: turned away, and all is well when there are some again"
