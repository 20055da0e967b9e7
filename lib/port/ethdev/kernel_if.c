/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ethdev_port.h"
#include "vale_log.h"

/** What makes one long frame of several received ones. */
static const char *const joining_features[KERNEL_IF_FEATURES] = {
	"rx-gro",
	"rx-lro",
	"rx-gro-hw",
};

static int
if_ioctl(const char *name, unsigned long req, struct ifreq *ifr)
{
	int fd, ret;

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = ioctl(fd, req, ifr) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int
kernel_if_flags(const char *name)
{
	struct ifreq ifr = {0};
	int ret = if_ioctl(name, SIOCGIFFLAGS, &ifr);

	return ret < 0 ? ret : (unsigned short)ifr.ifr_flags;
}

int
kernel_if_mtu(const char *name)
{
	struct ifreq ifr = {0};
	int ret = if_ioctl(name, SIOCGIFMTU, &ifr);

	return ret < 0 ? ret : ifr.ifr_mtu;
}

int
kernel_if_mac(const char *name, uint8_t mac[6])
{
	struct ifreq ifr = {0};
	int ret = if_ioctl(name, SIOCGIFHWADDR, &ifr);

	if (ret == 0)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return ret;
}

int
kernel_if_set_mtu(const char *name, int mtu)
{
	struct ifreq ifr = {.ifr_mtu = mtu};

	return if_ioctl(name, SIOCSIFMTU, &ifr);
}

int
kernel_if_find(struct kernel_if *k, const char *name)
{
	int mtu = kernel_if_mtu(name);

	memset(k, 0, sizeof(*k));
	k->guard_fd = k->promisc_fd = -1;
	if (mtu < 0)
		return mtu;
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->index = if_nametoindex(name);
	k->mtu = mtu;
	return 0;
}

static void
guard_peer(struct kernel_if *k)
{
	k->guard_fd = xdp_guard_attach(k->index);
	if (k->guard_fd >= 0)
		return;
	VALE_LOG(NOTICE,
		"cannot keep the peer of %s from sending frames longer than its MTU (XDP: %s): "
		"switch its segmentation off with `ethtool -K PEER tso off gso off`",
		k->name, strerror(-k->guard_fd));
	k->guard_fd = -1;
}

void
kernel_if_prepare(struct kernel_if *k)
{
	static const bool off[KERNEL_IF_FEATURES];
	int ret;

	if (k->name[0] == '\0')
		return;
	/* first what it was: a program on a veth switches GRO on */
	ret = if_features_get(k->name, joining_features, k->was_on, KERNEL_IF_FEATURES);
	if (if_driver_is(k->name, "veth"))
		guard_peer(k);
	if (ret == 0)
		ret = if_features_set(k->name, joining_features, off, KERNEL_IF_FEATURES);
	k->changed = ret == 0;
	if (ret < 0)
		VALE_LOG(NOTICE,
			"cannot switch receive offloads of %s off (%s): frames that the kernel "
			"joined are dropped as too_long",
			k->name, strerror(-ret));
}

/* Whether the interface is there; its name becomes what it is called now. The index tells it from
 * another one that took its name. */
static bool
find_again(struct kernel_if *k)
{
	char name[IFNAMSIZ];

	if (if_nametoindex(k->name) == k->index)
		return true;
	if (!k->follow || if_indextoname(k->index, name) == NULL)
		return false;
	VALE_LOG(INFO, "interface %s is called %s now", k->name, name);
	snprintf(k->name, sizeof(k->name), "%s", name);
	return true;
}

int
kernel_if_see_all(struct kernel_if *k)
{
	struct packet_mreq mreq = {.mr_ifindex = (int)k->index, .mr_type = PACKET_MR_PROMISC};
	/* of no protocol: it receives nothing */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) == 0) {
		k->promisc_fd = fd;
		return 0;
	}
	err = errno;
	close(fd);
	return -err;
}

void
kernel_if_restore(struct kernel_if *k)
{
	if (k->guard_fd >= 0)
		close(k->guard_fd);
	if (k->promisc_fd >= 0)
		close(k->promisc_fd);
	k->guard_fd = k->promisc_fd = -1;
	if (k->changed && find_again(k))
		if_features_set(k->name, joining_features, k->was_on, KERNEL_IF_FEATURES);
	k->changed = false;
}

bool
kernel_if_refresh(struct kernel_if *k, bool gone)
{
	int flags, mtu;

	if (!find_again(k))
		return gone;
	flags = kernel_if_flags(k->name);
	mtu = kernel_if_mtu(k->name);
	if (mtu > 0)
		k->mtu = mtu;
	return flags >= 0 && (flags & IFF_UP) && (flags & IFF_RUNNING);
}

int
kernel_if_monitor_open(void)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	err = errno;
	close(fd);
	return -err;
}

void
kernel_if_monitor_drain(int fd)
{
	char buf[4096];
	ssize_t n;

	/* what changed is read from the interface itself, so that a lost message (ENOBUFS) loses
	 * nothing */
	do
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
	while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS)));
}
