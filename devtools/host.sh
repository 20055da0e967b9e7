# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What quickstart.sh and check.sh need of the machine: packages and hugepages. Sourced by them.

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

say() {
	echo "== $*"
}

need_root() {
	[ "$(id -u)" = 0 ] || die "must run as root ($1); run: sudo $0"
}

# need_packages PACKAGE...: install those that are missing.
need_packages() {
	local p missing=()

	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed$' ||
			missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null ||
		die "missing packages and no apt-get (this is for Debian 12): ${missing[*]}"
	say "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update >/dev/null || die "the package lists cannot be had; run: apt-get update"
	apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null ||
		die "packages cannot be installed; run: apt-get install ${missing[*]}"
}

nr_hugepages=/proc/sys/vm/nr_hugepages
hugepages_before=

hugepages_free() {
	awk '/^HugePages_Free:/ { f = $2 } /^HugePages_Rsvd:/ { r = $2 } END { print f - r }' /proc/meminfo
}

# hugepages_try MB: see that so much is free, and remember what to put back. If that cannot be, hugepages_why says why.
hugepages_try() {
	local kb pages missing before

	kb=$(awk '/^Hugepagesize:/ { print $2 }' /proc/meminfo)
	[ -n "$kb" ] || { hugepages_why="this kernel has no hugepages (CONFIG_HUGETLBFS)"; return 1; }
	pages=$((($1 * 1024 + kb - 1) / kb))
	missing=$((pages - $(hugepages_free)))
	[ "$missing" -gt 0 ] || return 0
	before=$(cat $nr_hugepages)
	hugepages_before=$before
	{ echo 1 >/proc/sys/vm/compact_memory; } 2>/dev/null || true
	{ echo $((before + missing)) >$nr_hugepages; } 2>/dev/null || {
		hugepages_why="the number of hugepages cannot be changed here (a container?); on the host: echo $((before + missing)) > $nr_hugepages"
		hugepages_before=
		return 1
	}
	[ "$(hugepages_free)" -ge "$pages" ] && return 0
	hugepages_why="no memory for hugepages: $1 MB are needed, $(($(hugepages_free) * kb / 1024)) MB could be had; end other programs, or reboot with hugepages=$pages on the kernel's command line"
	return 1
}

hugepages_reserve() {
	hugepages_try "$1" || die "$hugepages_why"
}

# Put the number back, if it was raised.
hugepages_restore() {
	[ -n "$hugepages_before" ] || return 0
	echo "$hugepages_before" >$nr_hugepages
	hugepages_before=
}
