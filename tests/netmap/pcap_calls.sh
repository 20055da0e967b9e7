#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: libpcap's calls on VALE ports, one by one. What is checked is in pcap_calls.c.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

export VALE_SOCKET=$SOCKET
switch_start
timeout 60 "$VALE_BUILD/app/vale-exec" "$VALE_BUILD/tests/netmap/pcap-calls" vale0:a vale0:b "$WORK/calls.pcap" ||
	die "pcap-calls"
ok "all calls"
