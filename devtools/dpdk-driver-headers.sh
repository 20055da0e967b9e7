#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Objective: put the driver headers of exactly the installed DPDK into DIR, and the private ones with
# which a unit test compares our picture of EAL's shared memory.
#
# Debian's libdpdk-dev lacks them (ethdev_driver.h, bus_vdev_driver.h, ...), although
# its libraries export what they declare. They come from the source package of the
# installed version, by a private source list, so that the system's apt is not touched.
#
# usage: dpdk-driver-headers.sh DIR
set -eu

die() {
	echo "dpdk-driver-headers: $*" >&2
	exit 1
}

[ $# -eq 1 ] || die "usage: dpdk-driver-headers.sh DIR"
dir=$1
version=$(dpkg-query -W -f '${Version}' libdpdk-dev 2>/dev/null) ||
	die "libdpdk-dev is not installed; run: apt-get install libdpdk-dev"

if [ "$(cat "$dir/version" 2>/dev/null)" = "$version" ] && [ -f "$dir/rte_os_shim.h" ]; then
	exit 0
fi
command -v dpkg-source >/dev/null ||
	die "dpkg-source is missing; run: apt-get install dpkg-dev"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/lists/partial" "$tmp/src"

# The mirrors that the system uses, asked for sources.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ -f "$list" ] || continue
	sed -n 's/^deb[[:space:]]/deb-src /p' "$list"
done >"$tmp/sources.list"
for list in /etc/apt/sources.list.d/*.sources; do
	[ -f "$list" ] || continue
	awk 'BEGIN { RS = ""; FS = "\n" } {
		uris = suites = comps = ""
		for (i = 1; i <= NF; i++) {
			if ($i ~ /^URIs:/) uris = substr($i, 6)
			if ($i ~ /^Suites:/) suites = substr($i, 8)
			if ($i ~ /^Components:/) comps = substr($i, 12)
		}
		nu = split(uris, u, " "); ns = split(suites, s, " ")
		for (a = 1; a <= nu; a++)
			for (b = 1; b <= ns; b++)
				print "deb-src [trusted=no] " u[a] " " s[b] comps
	}' "$list"
done | sed 's/ \[trusted=no\]//' | grep -i debian >>"$tmp/sources.list" || true
[ -s "$tmp/sources.list" ] || die "no package source found in /etc/apt"

apt() {
	apt-get -qq -o Dir::Etc::SourceList="$tmp/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State::Lists="$tmp/lists" -o Dir::Cache::pkgcache= \
		-o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}
apt update >"$tmp/log" 2>&1 || die "cannot read the package sources: $(tail -n 1 "$tmp/log")"
(cd "$tmp/src" && apt source --download-only "dpdk=$version") >"$tmp/log" 2>&1 ||
	die "the source of dpdk $version cannot be had: $(tail -n 1 "$tmp/log")"
(cd "$tmp/src" && dpkg-source --no-check -x ./*.dsc tree) >"$tmp/log" 2>&1 ||
	die "the source of dpdk $version cannot be unpacked: $(tail -n 1 "$tmp/log")"

rm -rf "$dir"
mkdir -p "$dir"
find "$tmp/src/tree/lib" "$tmp/src/tree/drivers/bus" \
	\( -name '*_driver.h' -o -name 'ethdev_vdev.h' -o -name 'ethdev_pci.h' \
	-o -name 'eal_memcfg.h' -o -name 'malloc_heap.h' -o -name 'malloc_elem.h' \
	-o -name 'ethdev_private.h' -o -path '*/linux/include/rte_os_shim.h' \) \
	-exec cp {} "$dir/" \;
[ -f "$dir/ethdev_driver.h" ] || die "the source of dpdk $version has no ethdev_driver.h"
echo "$version" >"$dir/version"
