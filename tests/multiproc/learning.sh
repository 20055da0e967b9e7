#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Objective: the switch learns, forgets and obeys.
#
# Steps:
#  1. A's frames to B flood until B has spoken; then C sees none of them.
#  2. B's address moves to C's port, and back.
#  3. Group addresses as source are not learned; their frames are forwarded.
#  4. A frame whose destination is where it came from is dropped: hairpin.
#  5. Static entries: found without having spoken, not moved by what is learned, not flushed with a port's, deleted.
#  6. Flush: of a port, of all.
#  7. Ageing, by `vale-ctl set` and by --ageing: what is silent is forgotten, what speaks is not.
#  8. With its port an address goes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/multiproc/peer.sh
. "$(dirname "$0")/peer.sh"

n=40

# fdb_port MAC: where it is, `None` if nowhere
fdb_port() {
	ctl -j fdb valea | json "next((e['port'] for e in d['entries'] if e['mac'] == '$1'), 'None')"
}

# to_all TEXT, to_b_only TEXT, to_c_only TEXT: n frames from A to B
to_all() {
	peer a tx valea:a 0 $n $B $A 100
	peer b rx valea:b 50 expect=$n
	got_all $n "$1: B receives"
	peer c rx valea:c 50 expect=$n
	got_all $n "$1: C receives as well"
}

to_b_only() {
	peer a tx valea:a 0 $n $B $A 100
	peer b rx valea:b 50 expect=$n
	got_all $n "$1: B receives"
	sees_nothing c valea:c "$1: C sees none"
}

# speak NAME MAC: one frame to A
speak() {
	peer "$1" tx "valea:$1" 0 1 $A "$2" 60
	peer a rx valea:a 20 expect=1
}

switch_start
peer_start a valea:a
peer_start b valea:b
peer_start c valea:c

# 1
to_all "unknown"
speak b $B
got_all 1 "B's answer reaches A"
sees_nothing c valea:c "B's answer to A, who has spoken, stays from C"
to_b_only "learned"
expect_eq valea:a "$(fdb_port $A)" "A is in the table"
expect_eq valea:b "$(fdb_port $B)" "B is in the table"

# 2
speak c $B
peer a tx valea:a 0 $n $B $A 100
peer c rx valea:c 50 expect=$n
got_all $n "moved: C receives"
sees_nothing b valea:b "moved: B sees none"
expect_eq valea:c "$(fdb_port $B)" "B has moved in the table"
speak b $B
to_b_only "moved back"

# 3
table() {
	ctl -j fdb valea | json '" ".join(sorted(e["mac"] + "=" + e["port"] for e in d["entries"]))'
}
before=$(table)
for group in 03:00:00:00:00:01 $BROADCAST; do
	peer c tx valea:c 0 5 $A $group 60
	peer a rx valea:a 50 expect=5
	got_all 5 "frames from group address $group are forwarded"
	expect_eq "$before" "$(table)" "it is not learned"
done

# 4
counters_mark
peer b tx valea:b 0 $n $B $D 60
expect_changes "hairpin" "valea:b rx_packets +$n" "valea:b drops.hairpin +$n"
sees_nothing a valea:a "hairpin: A sees none"
sees_nothing b valea:b "hairpin: nor does B"
expect_eq valea:b "$(fdb_port $D)" "its source is learned all the same"
ctl fdb valea del $D

# 5
ctl fdb valea add $D valea:c
peer a tx valea:a 0 $n $D $A 60
peer c rx valea:c 50 expect=$n
got_all $n "static: C receives"
sees_nothing b valea:b "static: B sees none"
speak b $D
expect_eq valea:c "$(fdb_port $D)" "a static entry is not moved"
ctl fdb valea flush
expect_eq "valea:c True" "$(ctl -j fdb valea | json '" ".join("%s %s" % (e["port"], e["static"]) for e in d["entries"])')" \
	"flush leaves the static entry, and nothing else"
ctl fdb valea del $D
expect_eq None "$(fdb_port $D)" "deleted"

# 6
to_all "flushed"
speak b $B
ctl fdb valea flush valea:b
expect_eq "None valea:a" "$(fdb_port $B) $(fdb_port $A)" "flush of one port"
to_all "flushed by port"

# 7
ctl set ageing 3
speak b $B
expect_eq "valea:b valea:a" "$(fdb_port $B) $(fdb_port $A)" "both are known"
# B speaks until the switch has forgotten A, who does not
for ((i = 0; i < 80; i++)); do
	table=$(table)
	[[ $table == *"$A"* ]] || break
	peer b tx valea:b 0 1 $A $B 60
	sleep 0.2
done
peer a rx valea:a 50
peer b rx valea:b 50
peer c rx valea:c 50
expect_eq "$B=valea:b" "$table" "B, who spoke, is known when A, who did not, is forgotten"
to_b_only "refreshed"
empty() {
	[ -z "$(table)" ]
}
retry 20 empty || die "after silence the table has $(table)"
ok "after silence the table is empty"
to_all "aged"

# 8
ctl set ageing 300
speak b $B
speak c $C
peer a rx valea:a 50
client_stop c
port_goes valea:c
expect_eq "None valea:b" "$(fdb_port $C) $(fdb_port $B)" "C's address went with its port"

# 7, again
clients_stop
switch_stop
switch_start -- --ageing 2
expect_eq 2 "$(ctl -j get ageing | json 'd["ageing"]')" "--ageing"
peer_start a valea:a
peer_start b valea:b
speak b $B
expect_eq valea:b "$(fdb_port $B)" "learned"
retry 20 empty || die "--ageing 2: not forgotten: $(table)"
ok "--ageing 2: forgotten"
