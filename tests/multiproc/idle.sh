#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a switch costs nothing when nothing moves, with many netmap and memif ports attached, and is awake soon.
#
# Steps:
#  1. 32 netmap and 32 memif ports; nothing is sent: under 1 % of a core, all threads of the switch together.
#  2. The worker sleeps; a frame comes: it is there soon (the median; on a quiet machine 100 us are not needed, a
#     busy one is allowed VALE_TEST_WAKE_US, 500), none is lost. VALE_TEST_WAKES sets how many frames (200).
#  3. The same while `idle` is set to and fro all the time: none is lost, none waits.
#  4. A switch that polls uses a core, which shows that step 1 can fail.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

wakes=${VALE_TEST_WAKES:-200}
limit_us=${VALE_TEST_WAKE_US:-500}
last=$(($(nproc --all) - 1))

# nanoseconds that all threads of the switch have run
cpu_ns() {
	cat "/proc/$SWITCH_PID/task/"*/schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# thousandths of a core over SECONDS
cpu_share() {
	local before after

	before=$(cpu_ns)
	sleep "$1"
	after=$(cpu_ns)
	echo $(((after - before) / ($1 * 1000000)))
}

ports_open() {
	coproc PORTS { exec taskset -c 0 "$VALE_BUILD/tests/multiproc/idle-ports" "$SOCKET" "/run/vale/memif/$PREFIX.sock" 32 32; }
	read -r -t 30 -u "${PORTS[0]}" line
	expect_eq ready "$line" "64 ports"
}

switch_start --no-huge --lcores "126@0,127@$last"
ports_open
expect_eq 64 "$(ctl -j list | json 'sum(len(s["ports"]) for s in d["switches"])')" "ports"
sleep 0.5
share=$(cpu_share 3)
[ "$share" -lt 10 ] || die "an idle switch with 64 ports uses $share thousandths of a core"
ok "idle: $share thousandths of a core"

# wake KIND PAUSE_MS: sets answer
wake() {
	echo "wake $1 $wakes $2" >&"${PORTS[1]}"
	read -r -t 60 -u "${PORTS[0]}" answer
	echo "$answer"
	expect_eq 0 "$(echo "$answer" | json 'd["lost"]')" "$1: frames lost"
}

for kind in netmap memif; do
	wake "$kind" 2
	expect_eq true "$(echo "$answer" | json "d['median_us'] < $limit_us")" "$kind: awake within $limit_us us"
done

set_to_and_fro() {
	while :; do
		ctl set idle poll
		ctl set idle sleep
	done >/dev/null
}

set_to_and_fro &
setter=$!
for kind in netmap memif; do
	wake "$kind" 1
done
kill "$setter"
wait "$setter" || true

ctl set idle poll >/dev/null
share=$(cpu_share 1)
[ "$share" -gt 50 ] || die "a switch that polls uses $share thousandths of a core only"
ok "polling: $share thousandths of a core"
# bash forgets the number once it has ended
pid=$PORTS_PID
eval "exec ${PORTS[1]}>&-"
wait_gone "$pid" 10 || die "the client does not end"
