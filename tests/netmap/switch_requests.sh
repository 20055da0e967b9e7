#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: netmap's requests are answered as netmap answers them: names, modes, numbers of rings and slots, options,
# information, extra buffers, listing, persistent ports, a port on two switches, vale-ctl attach by a netmap program. Cases are
# in switch_requests.c.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

switch_start --no-huge -m 256
for case in names numbers modes options info extra listing persistent wire; do
	timeout 60 "$VALE_BUILD/tests/netmap/switch-requests" "$SOCKET" $case || die "case $case"
	ok $case
	retry 15 sh -c "[ \$('$VALE_BUILD/app/vale-ctl' --socket $SOCKET list | grep -c vale) = 0 ]" ||
		die "$case left ports: $(ctl list)"
done
timeout 60 "$VALE_BUILD/tests/netmap/switch-requests" "$SOCKET" leave_wire || die "case leave_wire"
expect_eq "vale0:w0 vale0:w1 vale1:w0" "$(ctl -j list | json '" ".join(p["name"] for s in d["switches"] for p in s["ports"])')" \
	"ports that stay"
