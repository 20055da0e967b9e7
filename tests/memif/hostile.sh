#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: a client that does everything wrong that a client can do harms nobody: two good clients on the same switch
# lose nothing but to floods, get nothing damaged, and are never parted from.
#
# Steps: VALE_HOSTILE_S seconds (50), VALE_HOSTILE_SEED (any), VALE_WORST_MS (3000).
#  1. memif-flow pings across valea with numbered, checked frames of all lengths, sleeping in between.
#  2. Beside it, one wrong thing at a time: all that can be wrong in the handshake, and memory that goes away
#     (refusals.py); frames and buffers at every limit (frames.py). Each is refused for its reason.
#  3. memif-hostile, beside it on valea and on valeb: random descriptors, memory, buffers, regions that shrink, full
#     eventfds, half-way handshakes, random messages, killed at any moment. Who errs in frames alone is not parted from.
#  4. Nothing damaged, nothing out of order, never longer than that without a frame; what is lost the switch has
#     counted as dst_full. The reasons to part were all met.
#  5. All that the hostile clients had is given back: ports, descriptors, mappings.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/../multiproc/peer.sh"
# shellcheck source=tests/memif/memif.sh
. "$(dirname "$0")/memif.sh"

here=$(dirname "$0")
seconds=${VALE_HOSTILE_S:-50}
seed=${VALE_HOSTILE_SEED:-$RANDOM}
worst_ms=${VALE_WORST_MS:-3000}

switch_fds() {
	find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l
}

switch_regions() {
	grep -c '/memfd:\|hugetlb' "/proc/$SWITCH_PID/maps" || true
}

# two workers: what one delivers to another's port is under attack, too
switch_start --no-huge --lcores "126@($MEMIF_CPUS),1@($MEMIF_CPUS),2@($MEMIF_CPUS)" -- --verbose 2
fds=$(switch_fds)
regions=$(switch_regions)

# 1
ctl create valea:e # its counters outlive the client
ctl create valea:p
flow_start echo echo valea:e
wait_text "$WORK/echo.out" "ok ready" 5
flow_start ping ping valea:p 100000
wait_port valea:p kind memif 15

# 2
python3 "$here/refusals.py" "$MEMIF" || die "one wrong thing in the handshake"
python3 "$here/frames.py" "$MEMIF" "$VALE_BUILD/app/vale-ctl" --socket "$SOCKET" || die "one wrong frame or buffer"
kill -0 "$SWITCH_PID" || die "the switch is gone"
ok "one wrong thing at a time"
said=$(wc -l <"$WORK/switch.err")

# 3
echo "seed $seed"
"$MEMIF_HOSTILE" "$MEMIF" "$seconds" "$seed" valea:x valea:y valea:z valeb:x valeb:y >"$WORK/hostile.out" \
	2>"$WORK/hostile.err" || die "memif-hostile failed"
ANSWER=$(cat "$WORK/hostile.out")
echo "$ANSWER"
[[ $(value descriptors) == */0/*/* ]] || die "parted from a client for its frames alone"

# 4
kill -TERM "${FLOW_PID[ping]}"
wait_gone "${FLOW_PID[ping]}" 20 || die "the ping does not end"
ANSWER=$(cat "$WORK/ping.out")
echo "$ANSWER"
answer_has "good clients: nothing damaged, in order, not parted from" bad=0 disorder=0 parted=0
[ "$(value good)" -gt $((seconds * 100)) ] || die "only $(value good) frames returned"
ok "frames returned all the time"
# what was on its way at the end is not lost
full=$(($(port valea:e drops.dst_full) + $(port valea:p drops.dst_full)))
[ "$(value lost)" -le $((full + 16)) ] || die "$(value lost) frames lost, $full counted as dst_full"
ok "lost is what the switch counted"
[ "$(value worst_ms)" -lt "$worst_ms" ] || die "the longest wait was $(value worst_ms) ms"
ok "no wait of more than $worst_ms ms"
kill -0 "$SWITCH_PID" || die "the switch is gone"
tail -n +$((said + 1)) "$WORK/switch.err" >"$WORK/storm.err"
# in a shorter run chance may pass one over
[ "$seconds" -lt 10 ] || for reason in "lost its memory" "head is further" "offers no buffer" "too many clients" \
		"bytes" "is not expected" "held by process"; do
	grep -q "$reason" "$WORK/storm.err" || die "no client was parted from for: $reason"
done
ok "every reason to part was met at random, too"

# 5
flow_stop echo
ctl destroy valea:p
retry 15 ctl destroy valea:e
gone() {
	[ "$(ctl -j list | json 'sum(len(s["ports"]) for s in d["switches"])')" = 0 ]
}
retry 10 gone || die "ports stay: $(ctl list)"
no_regions() {
	[ "$(switch_regions)" = "$regions" ]
}
few_fds() {
	[ "$(switch_fds)" -le "$fds" ]
}
retry 10 no_regions || die "$(switch_regions) regions stay mapped, $regions before"
retry 10 few_fds || die "$(switch_fds) descriptors, $fds before"
ok "ports, regions and descriptors are given back"
