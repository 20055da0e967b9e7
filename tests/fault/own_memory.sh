#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: memory that a secondary made itself is freed when it has ended, so that it starts again under the same
# names; nobody else's is.
#
# Which of several living processes made a memzone nobody tells; of pools net_vale does.
#
# Steps:
#  1. A process with a pool, a ring and a memzone of its own is killed, 20 times, and started again at once.
#  2. The same with a process that exits and frees nothing; without a port; without net_vale.
#  3. Another process's pool of a similar name, and a ring that it made meanwhile, stay.
#  4. heap_free comes back to what it was; what could not be freed is counted.
#  5. Pieces of the heap without a name, and hashes, are back when nobody lives; the hash's name is free again.
#     While another lives client_heap tells of them.
#  6. But not as long as a child of fork() lives that uses them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/fault/shared.sh
. "$(dirname "$0")/shared.sh"

ROUNDS=${VALE_TEST_ROUNDS:-20}

# rounds N TEXT: N lives of one process under the same names.
rounds() {
	local i

	for ((i = 0; i < $1; i++)); do
		shared_start "${MAKE:-make}" own || die "$2, start $i: $(tail -n 2 "$WORK/shared.err")"
		shared_kill
		# it is told apart by its end alone; a program takes longer than this to start
		variable_settles secondaries "$LIVING_PEERS" 15 "$2, end $i" >/dev/null
		sleep 0.1
	done
	ok "$2: $1 times the same names"
}

switch_start
ctl set verbose 2
LIVING_PEERS=0
free=$(variable heap_free)
expect_eq 0 "$(variable orphan_bytes)" "nothing is left behind yet"

# 1
SHARED_EAL=("--vdev=net_vale0,port=valea:own")
rounds "$ROUNDS" "killed"

# 2
for i in 1 2 3 4 5; do
	shared_start make own quit || die "exits, start $i: $(tail -n 2 "$WORK/shared.err")"
	wait "$SHARED_PID"
	sleep 0.2
done
ok "exits without freeing: 5 times the same names"
SHARED_EAL=()
rounds 5 "killed, without a port"
keep=$PMD
PMD=/usr/lib/x86_64-linux-gnu/librte_ring.so.23
[ -e "$PMD" ] || PMD=$(ldconfig -p | awk '/librte_ring.so.23/ { print $NF; exit }')
rounds 3 "killed, without net_vale"
PMD=$keep
variable_settles heap_free "$free" 15 "heap_free is as before"
expect_eq 0 "$(variable orphan_bytes)" "nothing is left behind"

# 3
SHARED_EAL=("--vdev=net_vale0,port=valea:x")
shared_start make own_1 || die "$(tail -n 2 "$WORK/shared.err")"
other=$SHARED_PID
sleep 1.2 # until it has been seen
LIVING_PEERS=1
SHARED_EAL=("--vdev=net_vale0,port=valea:own")
MAKE=pool rounds 5 "killed beside another, which might have made the rest"
variable_settles orphan_bytes 0 15 "nothing is in doubt"
MAKE="make" rounds 1 "killed beside another, with a ring and a memzone"
[ "$(variable orphan_bytes)" -ge 100000 ] || die "orphan_bytes: $(variable orphan_bytes)"
ok "what may be either's is kept, and counted: $(variable orphan_bytes) bytes"
[ -d "/proc/$other" ] || die "the other has gone"
SHARED_EAL=()
shared_start find own_1 quit || die "the other's memory is gone: $(tail -n 2 "$WORK/shared.err")"
wait "$SHARED_PID"
ok "the other's pool, ring and memzone stay"
kill -KILL "$other"
wait "$other" 2>/dev/null || true

# 4
variable_settles secondaries 0 15 "no secondary lives"
variable_settles heap_free "$free" 15 "heap_free is as before"
expect_eq 0 "$(variable orphan_bytes)" "nothing is left behind"

# 5
shared_start hold || die "$(tail -n 2 "$WORK/shared.err")"
other=$SHARED_PID
shared_start leak 3000000 || die "$(tail -n 2 "$WORK/shared.err")"
shared_kill
variable_settles secondaries 1 15 "one lives"
retry 15 sh -c "[ \"\$($VALE_BUILD/app/vale-ctl --socket $SOCKET -j get client_heap | tr -dc 0-9)\" -ge 3000000 ]" ||
	die "client_heap is $(variable client_heap)"
ok "what another left is told while it lives: client_heap is $(variable client_heap)"
kill -KILL "$other"
wait "$other" 2>/dev/null || true
variable_settles client_heap 0 15 "and gone when nobody lives"
for i in 1 2 3 4 5; do
	shared_start leak 3000000 || die "$(tail -n 2 "$WORK/shared.err")"
	shared_kill
done
variable_settles secondaries 0 15 "no secondary lives"
variable_settles orphan_bytes 0 15 "pieces of the heap are back"
[ "$(variable heap_free)" -ge "$free" ] || die "heap_free is $(variable heap_free), not $free"
for i in 1 2 3; do
	shared_start hash own || die "hash, start $i: $(tail -n 2 "$WORK/shared.err")"
	shared_kill
	variable_settles secondaries 0 15 "hash, end $i" >/dev/null
	retry 15 grep -q "RTE_HASH is freed" "$WORK/switch.err" "$WORK/switch.out" || die "the hash is not freed"
	sleep 0.2
done
ok "hashes are back, their names, too: 3 times the same"
variable_settles orphan_bytes 0 15 "nothing is left behind"

# 6
shared_start fork 200000 || die "$(tail -n 2 "$WORK/shared.err")"
child=$(head -n 1 "$WORK/shared.out")
shared_kill
variable_settles secondaries 0 15 "no secondary is known"
retry 15 sh -c "[ \"\$($VALE_BUILD/app/vale-ctl --socket $SOCKET -j get orphan_bytes | tr -dc 0-9)\" -ge 200000 ]" ||
	die "orphan_bytes is $(variable orphan_bytes)"
sleep 3
[ "$(variable orphan_bytes)" -ge 200000 ] || die "a child's memory is taken away: $(variable orphan_bytes)"
ok "a child that nobody watches keeps its parent's memory, which is counted"
kill -TERM "$child"
retry 15 sh -c "[ \"\$($VALE_BUILD/app/vale-ctl --socket $SOCKET -j get orphan_bytes | tr -dc 0-9)\" -eq 0 ]" ||
	die "orphan_bytes is $(variable orphan_bytes)"
ok "it ends, and the memory is back"
