/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_ether.h>

#include "ethdev_port.h"

/* VLAN tag, put back by the driver */
#define TAG_LEN 4
#define RING_FRAME_UNIT 2048
#define RING_BLOCK_SZ 65536
/* bytes of a ring: what the kernel may receive while a worker is away for some milliseconds */
#define RING_SZ (8 << 20)
#define RING_FRAME_SZ_DEFAULT 2048

/* drivers' names for the interface that they stand on, the one that they receive from first */
static const char *const iface_keys[] = {"iface", "rx_iface", "rx_iface_in", "tx_iface"};

/** The value of `key=`, NULL if it is not given. *len is its length. */
static const char *
arg_value(const char *args, const char *key, size_t *len)
{
	size_t key_len = strlen(key);
	const char *p = args;

	while (p != NULL && *p != '\0') {
		if (strncmp(p, key, key_len) == 0 && p[key_len] == '=') {
			p += key_len + 1;
			*len = strcspn(p, ",");
			return p;
		}
		p = strchr(p, ',');
		if (p != NULL)
			p++;
	}
	return NULL;
}

static bool
arg_given(const char *args, const char *key)
{
	size_t len;

	return arg_value(args, key, &len) != NULL;
}

static int
arg_copy(const char *args, const char *key, char *buf, size_t sz)
{
	size_t len;
	const char *v = arg_value(args, key, &len);

	if (v == NULL)
		return -ENOENT;
	if (len >= sz)
		return -ENAMETOOLONG;
	memcpy(buf, v, len);
	buf[len] = '\0';
	return 0;
}

static int args_append(struct ethdev_args *a, const char *fmt, ...) __rte_format_printf(2, 3);

static int
args_append(struct ethdev_args *a, const char *fmt, ...)
{
	size_t used = strlen(a->args);
	va_list ap;
	int n;

	if (used > 0 && used + 1 < sizeof(a->args))
		a->args[used++] = ',';
	va_start(ap, fmt);
	n = vsnprintf(a->args + used, sizeof(a->args) - used, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= sizeof(a->args) - used ? -ENAMETOOLONG : 0;
}

static int
split(const char *text, struct ethdev_args *a, char *why)
{
	size_t len;

	/* the bus may be named, as EAL allows */
	if (strncmp(text, "vdev:", 5) == 0)
		text += 5;
	len = strcspn(text, ",");
	if (len == 0 || len >= sizeof(a->dev)) {
		snprintf(why, ETHDEV_WHY_SZ,
			"device arguments '%.64s' do not begin with a device's name: try "
			"net_af_packet0,iface=IF",
			text);
		return -EINVAL;
	}
	memcpy(a->dev, text, len);
	a->dev[len] = '\0';
	text += len;
	if (*text == ',')
		text++;
	snprintf(a->args, sizeof(a->args), "%s", text);
	return 0;
}

/** Arguments for an interface that was named by the port alone. */
static int
from_iface(const char *iface, struct ethdev_args *a, char *why)
{
	if (kernel_if_flags(iface) < 0) {
		snprintf(why, ETHDEV_WHY_SZ,
			"no interface is called %s here: without device arguments the part after "
			"the "
			"colon must be one of `ip link`; else: vale-ctl attach PORT "
			"net_tap0,iface=t0",
			iface);
		return -ENODEV;
	}
	snprintf(a->dev, sizeof(a->dev), "net_af_packet_%s", iface);
	snprintf(a->args, sizeof(a->args), "iface=%s", iface);
	return 0;
}

/**
 * A ring whose frames hold the longest that we forward, and a VLAN tag: whatever the interface's
 * MTU, the kernel joins fragments. A frame that fills its place was cut. Blocks hold a whole number
 * of frames, because the driver takes the ring for one array.
 */
static int
complete_af_packet(struct ethdev_args *a)
{
	uint32_t frame_sz, per_block, frames;

	/* whoever chose one of them chose the others' defaults */
	if (arg_given(a->args, "framesz") || arg_given(a->args, "blocksz") ||
		arg_given(a->args, "framecnt"))
		return 0;
	frame_sz = RTE_ALIGN_CEIL(
		VALE_FRAME_LEN_MAX + ETHDEV_RING_RX_OFF + TAG_LEN + 1, RING_FRAME_UNIT);
	per_block = (RING_BLOCK_SZ / frame_sz) & ~1u;
	frames = RING_SZ / frame_sz / per_block * per_block;
	return args_append(
		a, "framesz=%u,blocksz=%u,framecnt=%u", frame_sz, frame_sz * per_block, frames);
}

uint32_t
ethdev_args_frame_sz(const struct ethdev_driver *driver, const char *args)
{
	char text[16];

	if (driver->name == NULL || strcmp(driver->name, "net_af_packet") != 0)
		return 0;
	if (arg_copy(args, "framesz", text, sizeof(text)) < 0)
		return RING_FRAME_SZ_DEFAULT;
	return strtoul(text, NULL, 10);
}

void
ethdev_args_iface(const char *args, char iface[IFNAMSIZ])
{
	unsigned int i;

	iface[0] = '\0';
	for (i = 0; i < RTE_DIM(iface_keys) && iface[0] == '\0'; i++) {
		if (arg_copy(args, iface_keys[i], iface, IFNAMSIZ) < 0)
			iface[0] = '\0';
	}
}

static int
check_iface(const struct ethdev_args *a, char *why)
{
	int flags = kernel_if_flags(a->iface);

	if (flags < 0) {
		snprintf(why, ETHDEV_WHY_SZ,
			"no interface is called %s in the switch's network namespace: look with "
			"`ip link`",
			a->iface);
		return -ENODEV;
	}
	if (flags & IFF_LOOPBACK) {
		snprintf(why, ETHDEV_WHY_SZ,
			"%s is a loopback interface, which would return every frame to the switch: "
			"use a veth or a tap",
			a->iface);
		return -EINVAL;
	}
	return 0;
}

/** The interface that a device stands on, if its driver does so; checked if it must exist. */
static int
find_iface(struct ethdev_args *a, char *why)
{
	unsigned int i;
	int ret;

	if (!a->driver->kernel_if)
		return 0;
	for (i = 0; i < RTE_DIM(iface_keys); i++) {
		ret = arg_copy(a->args, iface_keys[i], a->iface, sizeof(a->iface));
		if (ret == -ENAMETOOLONG) {
			snprintf(why, ETHDEV_WHY_SZ,
				"the interface's name in '%.64s' is over %u characters", a->args,
				IFNAMSIZ - 1);
			return -EINVAL;
		}
		if (ret == 0)
			break;
	}
	if (a->driver->owns_if)
		return 0;
	if (a->iface[0] != '\0')
		return check_iface(a, why);
	/* without any arguments it may be a device of EAL's start; net_pcap also takes files */
	if (a->args[0] == '\0' || !a->driver->needs_iface)
		return 0;
	snprintf(why, ETHDEV_WHY_SZ, "device %s needs an interface: %s,iface=IF", a->dev, a->dev);
	return -EINVAL;
}

static int
complete(struct ethdev_args *a, char *why)
{
	int ret = 0;

	if (a->iface[0] == '\0')
		return 0;
	if (strcmp(a->driver->name, "net_af_packet") == 0) {
		ret = complete_af_packet(a);
	} else if (strcmp(a->driver->name, "net_af_xdp") == 0 &&
		   !arg_given(a->args, "force_copy")) {
		/* without copies the driver blocks in poll() when it is short of buffers */
		ret = args_append(a, "force_copy=1");
	}
	if (ret < 0)
		snprintf(why, ETHDEV_WHY_SZ, "the arguments of device %s are too long", a->dev);
	return ret;
}

int
ethdev_args_parse(const char *text, const char *iface, struct ethdev_args *out, char *why)
{
	int ret;

	memset(out, 0, sizeof(*out));
	ret = text[0] == '\0' ? from_iface(iface, out, why) : split(text, out, why);
	if (ret < 0)
		return ret;
	out->driver = ethdev_driver_of_device(out->dev);
	ret = find_iface(out, why);
	if (ret < 0)
		return ret;
	return complete(out, why);
}
