#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Unpack Debian's kernel for virtual machines into a folder, for tests with guests. It is not installed: that would
# make it this machine's own.
# Usage: guest-kernel.sh FOLDER; does nothing when the kernel is there already.
set -euo pipefail

dir=$1
kernel_of() {
	find "$dir/boot" -name 'vmlinuz-*' 2>/dev/null | head -n 1
}

[ -z "$(kernel_of)" ] || exit 0
command -v apt-get >/dev/null || { echo "no apt-get: Debian's kernel for virtual machines cannot be had" >&2; exit 1; }
mkdir -p "$dir"
cd "$dir"

# fetch PACKAGE...: the lists of packages may be old, or missing
fetch() {
	apt-get -qq download "$@" 2>fetch.err && return
	apt-get -qq update 2>>fetch.err && apt-get -qq download "$@" 2>>fetch.err && return
	echo "packages cannot be downloaded: $*: $(tail -n 1 fetch.err)" >&2
	exit 1
}

fetch linux-image-cloud-amd64
fetch "$(dpkg-deb -f linux-image-cloud-amd64_*.deb Depends | grep -o 'linux-image-[^ ,]*' | head -n 1)"
rm linux-image-cloud-amd64_*.deb
rm -rf new
dpkg-deb -x linux-image-[0-9]*.deb new
rm linux-image-*.deb fetch.err
# of its modules what a virtual network card needs; the kernel last, whose being there means that all is
mkdir -p lib boot
(cd new && cp -r --parents lib/modules/*/kernel/{drivers/virtio,net/core,drivers/net/net_failover.ko,drivers/net/virtio_net.ko} ..)
mv new/boot/vmlinuz-* boot/
rm -rf new
