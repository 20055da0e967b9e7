/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ethdev_port.h"
#include "vale_log.h"
#include "vale_switch.h"

/*
 * An interface of this system that is attached by its name alone: the switch chooses the driver,
 * and takes the interface away from the kernel's stack, or gives the stack a port of its own.
 */

/* What a page holds beside all headers, net_af_xdp's buffer: beyond it frames would be lost. */
#define XDP_MTU_MAX 1500

/** What the host's port is called: PPP_h, without the beginning of PPP where that is too long. */
static int
host_name(const struct vale_name *name, struct vale_name *host, char *why)
{
	static const char suffix[] = "_h";
	size_t used = strlen(name->sw) + strlen(":") + strlen(suffix);
	const char *ppp = name->port, *reason;
	char text[3 * VALE_NAME_SZ];
	int ret;

	if (used + strlen(ppp) >= VALE_NAME_SZ && used + 1 < VALE_NAME_SZ)
		ppp += used + strlen(ppp) - (VALE_NAME_SZ - 1);
	snprintf(text, sizeof(text), "%s:%s%s", name->sw, ppp, suffix);
	ret = vale_name_parse(text, host, &reason);
	if (ret < 0)
		snprintf(why, ETHDEV_WHY_SZ, "the host's port cannot be called %s: %s", text,
			reason);
	return ret;
}

/** Arguments of net_af_xdp for an interface, if that driver serves it well. */
static bool
xdp_args(const char *iface, char *args)
{
	int queues = if_nb_queues(iface);
	int mtu = kernel_if_mtu(iface);
	int fd;

	if (mtu < 0 || mtu > XDP_MTU_MAX || queues < 1 || queues > VALE_QUEUES_MAX)
		return false;
	/* without the interface's own support each frame would be copied once more than by a packet
	 * socket */
	fd = xdp_guard_attach(if_nametoindex(iface));
	if (fd < 0)
		return false;
	close(fd);
	snprintf(args, VALE_CTL_DEVARGS_SZ, "net_af_xdp_%s,iface=%s,queue_count=%d", iface, iface,
		queues);
	return true;
}

/** By net_af_xdp, else by net_af_packet. *how is the kind of socket. */
static int
plug_interface(
	const struct vale_name *name, bool xdp, struct ethdev_ep **e, const char **how, char *why)
{
	char args[VALE_CTL_DEVARGS_SZ];
	int ret = -ENOTSUP;

	if (xdp && xdp_args(name->port, args)) {
		*how = "AF_XDP";
		ret = ethdev_plug(name, args, e, why);
		if (ret < 0)
			VALE_LOG(NOTICE, "interface %s: not by AF_XDP, but by AF_PACKET: %s",
				name->port, why);
	}
	if (ret < 0) {
		*how = "AF_PACKET";
		ret = ethdev_plug(name, "", e, why);
	}
	return ret;
}

/** The tap is the stack's way to the switch and nothing else: it speaks for nobody. */
static void
silence(const char *tap, int mtu)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", tap);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "1", 1) < 0)
			VALE_LOG(NOTICE, "cannot switch IPv6 off on %s: %s", tap, strerror(errno));
		close(fd);
	}
	if (kernel_if_set_mtu(tap, mtu) < 0)
		VALE_LOG(NOTICE, "cannot give %s the MTU %d", tap, mtu);
}

static int
plug_host(const struct vale_name *host, struct ethdev_ep *nic, char *why)
{
	char tap[IFNAMSIZ], args[VALE_CTL_DEVARGS_SZ];
	uint8_t mac[6] = {0};
	struct ethdev_ep *e;
	int ret;

	snprintf(tap, sizeof(tap), "vale-h%u", nic->kif.index);
	kernel_if_mac(nic->kif.name, mac);
	snprintf(args, sizeof(args), "net_tap_%s,iface=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x", tap,
		tap, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	ret = ethdev_plug(host, args, &e, why);
	if (ret < 0)
		return ret;
	silence(tap, (int)nic->kif.mtu);
	ret = host_stack_join(&nic->stack, nic->kif.index, if_nametoindex(tap));
	if (ret < 0) {
		snprintf(why, ETHDEV_WHY_SZ,
			"%s: the kernel connects its stack to no tap (BPF on clsact: %s); it needs "
			"sch_ingress and cls_bpf",
			host->full, strerror(-ret));
		vale_switch_detach(ethdev_switches(), &e->ep);
		return ret;
	}
	nic->host = e;
	e->nic = nic;
	return 0;
}

static void
cut(struct ethdev_ep *nic)
{
	int ret = host_stack_cut(&nic->stack, nic->kif.index);

	if (ret < 0)
		VALE_LOG(WARNING,
			"interface %s stays in use by this system, too: its stack cannot be cut "
			"off "
			"(BPF on clsact: %s)",
			nic->kif.name, strerror(-ret));
}

int
ethdev_attach_interface(const struct vale_name *name, bool with_host, char *said, char *why)
{
	struct vale_name host;
	struct ethdev_ep *e;
	const char *how;
	int ret = 0;

	if (with_host)
		ret = host_name(name, &host, why);
	if (ret == 0 && with_host)
		ret = vale_switch_may_attach(ethdev_switches(), &host, true, why);
	if (ret == 0)
		ret = plug_interface(name, !with_host, &e, &how, why);
	if (ret < 0)
		return ret;
	if (!with_host) {
		cut(e);
		snprintf(said, VALE_CTL_TEXT_SZ, "%s is interface %s, by %s", name->full,
			name->port, how);
		return 0;
	}
	ret = plug_host(&host, e, why);
	if (ret < 0) {
		vale_switch_detach(ethdev_switches(), &e->ep);
		return ret;
	}
	snprintf(said, VALE_CTL_TEXT_SZ, "%s is interface %s, by %s; %s is this host", name->full,
		name->port, how, host.full);
	return 0;
}

void
ethdev_interface_release(struct ethdev_ep *e)
{
	struct ethdev_ep *host = e->host, *nic = e->nic;

	e->host = e->nic = NULL;
	host_stack_restore(&e->stack);
	if (host != NULL) {
		host->nic = NULL;
		vale_switch_detach(ethdev_switches(), &host->ep);
	}
	/* the host's port alone was taken: what is left is an interface without it */
	if (nic != NULL) {
		nic->host = NULL;
		host_stack_restore(&nic->stack);
		cut(nic);
	}
}
