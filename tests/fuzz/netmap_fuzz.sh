#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: programs that own a region and write anything into it, and any request, hurt nobody but themselves.
#
# Steps, VALE_FUZZ_S seconds (12), with the seed VALE_FUZZ_SEED (the time):
#  1. A short run, so that memory and descriptors are at their working size.
#  2. netmap-fuzz: two ports exchange numbered frames and lose none; attackers write at random from two threads and are
#     killed; one sends frames with a secret behind them, one looks at each byte that it gets; one foretells what
#     becomes of each wrong slot, by reason; requests that are wrong in one respect get their errno, others are noise.
#  3. No port is left, and the switch has as many descriptors, mappings and threads as before, and no more memory.
#     It answers, and ends well.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

seconds=${VALE_FUZZ_S:-12}
seed=${VALE_FUZZ_SEED:-$(date +%s)}

fuzz() {
	nice -n 8 "$VALE_BUILD/tests/fuzz/netmap-fuzz" "$SOCKET" "$@" >"$WORK/fuzz.out" 2>"$WORK/fuzz.err" || {
		kill -0 "$SWITCH_PID" 2>/dev/null || echo "the switch has ended" >&2
		die "netmap-fuzz $*: $(cat "$WORK/fuzz.out" "$WORK/fuzz.err")"
	}
}

# what the switch holds: descriptors, mappings but for those of its allocator, threads
held() {
	echo "$(find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l) descriptors," \
		"$(grep -c 'memfd:vale-netmap' "/proc/$SWITCH_PID/maps" || true) regions," \
		"$(find "/proc/$SWITCH_PID/task" -mindepth 1 -maxdepth 1 | wc -l) threads"
}

anon_kb() {
	awk '/^RssAnon/ { print $2 }' "/proc/$SWITCH_PID/status"
}

no_ports() {
	[ "$(ctl -j list | json 'sum(len(s["ports"]) for s in d["switches"])')" = 0 ]
}

held_is() {
	[ "$(held)" = "$1" ]
}

# elsewhere workers have CPUs of their own; here nine busy processes share two with them
renice -n -10 -p $$ >/dev/null 2>&1 || true
switch_start --no-huge -m 256 -- --socket-mode 666 --idle sleep
chmod 755 /run/vale
before=$(held)

# 1
fuzz 1.5 "$seed"
retry 10 no_ports || die "ports stay: $(ctl list)"
kb=$(anon_kb)

# 2
fuzz "$seconds" "$seed"
cat "$WORK/fuzz.out"
ok "frames of others arrived whole, each refusal was as foretold"

# 3
retry 10 no_ports || die "ports stay: $(ctl list)"
ok "no port is left"
retry 10 held_is "$before" || die "the switch holds $(held), and $before at first"
ok "the switch holds $before, as at first"
now=$(anon_kb)
[ "$now" -le $((kb + 4096)) ] || die "the switch grew from $kb to $now kB"
ok "the switch did not grow: $kb kB, $now kB"
