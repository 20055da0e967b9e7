#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a client whose process the switch cannot watch, for want of a descriptor, is as safe to lose: its connection's
# end is its end.
#
# Steps:
#  1. A secondary attaches a port while the switch has descriptors for that, and none for a pidfd. It holds mbufs, and frames
#     wait in its ring.
#  2. It is killed: its port goes, a process with its lcore ids takes the name, all mbufs are back.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"

# leave_descriptors N: the switch gets so many more.
leave_descriptors() {
	prlimit --pid "$SWITCH_PID" --nofile="$(find "/proc/$SWITCH_PID/fd" -mindepth 1 -printf '%f\n' | sort -n |
		awk -v want="$1" '{ used[$1] = 1 } END { for (n = 0; want > 0; n++) want -= !(n in used); print n }')":
}

switch_start
free=$(mbufs_free)
peer_start b valea:b
lcore=$NEXT_LCORE
peer_start c
sleep 0.3
# as few as a connection, doorbells and what else an attach takes
for ((n = 2; n < 10; n++)); do
	leave_descriptors $n
	peer_say c attach net_vale_c,port=valea:c
	peer_read c 20
	[ "$ANSWER" = "${ANSWER#error}" ] && break
done
prlimit --pid "$SWITCH_PID" --nofile=1024:
grep -q "process ${CLIENT_PID[c]} cannot be watched" "$WORK/switch.err" || die "it is watched: $(cat "$WORK/switch.err")"
ok "its process cannot be watched"
peer c hold 100
ctl fdb valea add $C valea:c
peer b tx valea:b 0 200 $C $B 100
wait_port valea:c tx_packets 200 5
client_kill c
port_goes valea:c
NEXT_LCORE=$lcore
peer_start d valea:c
ok "killed: the name and the lcore ids are free"
client_kill b
client_kill d
mbufs_settle "$free" "and all mbufs are back"
