/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bus_driver.h>
#include <bus_vdev_driver.h>
#include <dev_driver.h>
#include <ethdev_driver.h>
#include <rte_devargs.h>
#include <rte_errno.h>

#include "ethdev_port.h"
#include "vale_log.h"

#define OWNER_NAME "vale-switch"

/* all ports, owned or not */
#define FOREACH_PORT(p) \
	for ((p) = rte_eth_find_next(0); (p) < RTE_MAX_ETHPORTS; (p) = rte_eth_find_next((p) + 1))

/** A device that EAL probed at start and that was given back: its arguments, so that it can be made
 * again. */
struct spare {
	char name[RTE_DEV_NAME_MAX_LEN];
	char args[ETHDEV_ARGS_SZ];
	TAILQ_ENTRY(spare) next;
};
static TAILQ_HEAD(, spare) spares = TAILQ_HEAD_INITIALIZER(spares);

static struct rte_eth_dev_owner owner = {.name = OWNER_NAME};

static struct spare *
spare_find(const char *name)
{
	struct spare *s;

	TAILQ_FOREACH (s, &spares, next) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static void
spare_drop(struct spare *s)
{
	TAILQ_REMOVE(&spares, s, next);
	free(s);
}

static void
spare_add(const struct ethdev_device *d)
{
	struct spare *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return;
	snprintf(s->name, sizeof(s->name), "%s", d->name);
	snprintf(s->args, sizeof(s->args), "%s", d->args);
	TAILQ_INSERT_TAIL(&spares, s, next);
}

void
ethdev_device_fini(void)
{
	while (!TAILQ_EMPTY(&spares))
		spare_drop(TAILQ_FIRST(&spares));
}

static bool
port_is_ours(uint16_t port_id)
{
	struct rte_eth_dev_owner o;

	return rte_eth_dev_owner_get(port_id, &o) == 0 && o.id != RTE_ETH_DEV_NO_OWNER;
}

static int
take(uint16_t port_id, struct ethdev_device *d, char *why)
{
	int ret;

	if (owner.id == RTE_ETH_DEV_NO_OWNER && rte_eth_dev_owner_new(&owner.id) != 0) {
		snprintf(why, ETHDEV_WHY_SZ, "DPDK gives no owner's number for device %s", d->name);
		return -ENOMEM;
	}
	ret = rte_eth_dev_owner_set(port_id, &owner);
	if (ret < 0) {
		snprintf(why, ETHDEV_WHY_SZ, "device %s belongs to another user in this process",
			d->name);
		return -EBUSY;
	}
	d->port_id = port_id;
	return 0;
}

/** A free ethdev port of a device that was just made or found. */
static int
take_port_of(struct rte_device *dev, struct ethdev_device *d, char *why)
{
	uint16_t p;

	d->dev = dev;
	FOREACH_PORT(p)
	{
		if (rte_eth_devices[p].device == dev && !port_is_ours(p))
			return take(p, d, why);
	}
	snprintf(why, ETHDEV_WHY_SZ, "device %s has no free ethdev port", d->name);
	return -EBUSY;
}

/** A device that is there already: of EAL's start, else another endpoint's. */
static int
use_existing(const struct ethdev_args *args, uint16_t port_id, struct ethdev_device *d, char *why)
{
	struct rte_device *dev = rte_eth_devices[port_id].device;

	if (port_is_ours(port_id)) {
		snprintf(why, ETHDEV_WHY_SZ,
			"device %s is attached to another port: detach that, or choose another "
			"number at the end of its name",
			args->dev);
		return -EBUSY;
	}
	d->at_start = true;
	if (dev->devargs != NULL && dev->devargs->args != NULL)
		snprintf(d->args, sizeof(d->args), "%s", dev->devargs->args);
	return take_port_of(dev, d, why);
}

static bool
ports_spent(char *why)
{
	uint16_t used = 0;

	/* by name: dpdk ports are used in other processes and never finish probing in this one */
	for (uint16_t i = 0; i < RTE_MAX_ETHPORTS; i++)
		used += rte_eth_devices[i].data != NULL && rte_eth_devices[i].data->name[0] != '\0';
	if (used < RTE_MAX_ETHPORTS)
		return false;
	snprintf(why, ETHDEV_WHY_SZ,
		"all %u ethdev ports are in use (RTE_MAX_ETHPORTS of this DPDK, shared by dpdk and "
		"ethdev ports): detach one",
		RTE_MAX_ETHPORTS);
	return true;
}

/** Drivers answer -1 for most things; say what is most often wrong. */
static int
refuse_made(const struct ethdev_args *args, int ret, char *why)
{
	if (ret > 0 || ret == -ENODEV || ret == -EFAULT) {
		snprintf(why, ETHDEV_WHY_SZ,
			"no driver takes device %s: its name begins with the driver's "
			"(net_af_packet0, net_tap0; "
			"see `dpdk-pmdinfo.py` or DPDK's plugin folder)",
			args->dev);
		return -ENODEV;
	}
	if (ret == -EEXIST) {
		snprintf(why, ETHDEV_WHY_SZ,
			"a device %s exists already: choose another number at the end of its name",
			args->dev);
		return ret;
	}
	if (ports_spent(why))
		return -ENOMEM;
	snprintf(why, ETHDEV_WHY_SZ,
		"the driver refuses device %s with arguments '%.60s': check them, and the switch's "
		"log",
		args->dev, args->args);
	return ret == -1 ? -EINVAL : ret;
}

static int
cmp_name(const struct rte_device *dev, const void *name)
{
	return strcmp(dev->name, name);
}

static int
make_vdev(const struct ethdev_args *args, struct ethdev_device *d, char *why)
{
	struct rte_device *dev;
	struct rte_bus *bus;
	int ret;

	/* rte_dev_probe() would make it in all secondaries too */
	ret = rte_vdev_init(args->dev, args->args);
	if (ret != 0)
		return refuse_made(args, ret, why);
	bus = rte_bus_find_by_name("vdev");
	dev = bus == NULL ? NULL : bus->find_device(NULL, cmp_name, args->dev);
	if (dev == NULL) {
		snprintf(why, ETHDEV_WHY_SZ, "device %s was made and is not there", args->dev);
		return -ENODEV;
	}
	ret = take_port_of(dev, d, why);
	if (ret < 0)
		rte_vdev_uninit(args->dev);
	return ret;
}

/** Scan a bus for a device and let its driver take it, in this process alone. */
static int
plug(struct rte_devargs *da, struct rte_device **dev)
{
	int ret;

	*dev = NULL;
	if (da->bus->plug == NULL || da->bus->unplug == NULL)
		return -ENOTSUP;
	ret = da->bus->scan();
	if (ret < 0)
		return ret;
	*dev = da->bus->find_device(NULL, cmp_name, da->name);
	if (*dev == NULL)
		return -ENXIO;
	if (rte_dev_is_probed(*dev))
		return 0;
	ret = da->bus->plug(*dev);
	return ret > 0 ? -ENODEV : ret;
}

static int
make_other(
	struct rte_devargs *da, const struct ethdev_args *args, struct ethdev_device *d, char *why)
{
	struct rte_device *dev;
	int ret;

	if (rte_devargs_insert(&da) < 0) {
		rte_devargs_reset(da);
		free(da);
		return refuse_made(args, -ENOMEM, why);
	}
	ret = plug(da, &dev);
	if (ret < 0) {
		if (dev == NULL)
			rte_devargs_remove(da);
		if (ret != -ENXIO)
			return refuse_made(args, ret, why);
		snprintf(why, ETHDEV_WHY_SZ,
			"there is no device %s: look with `dpdk-devbind.py --status`", args->dev);
		return -ENODEV;
	}
	ret = take_port_of(dev, d, why);
	if (ret < 0)
		dev->bus->unplug(dev);
	return ret;
}

static int
make(const struct ethdev_args *args, struct ethdev_device *d, char *why)
{
	struct rte_devargs *da = calloc(1, sizeof(*da));
	int ret;

	if (da == NULL)
		return refuse_made(args, -ENOMEM, why);
	ret = rte_devargs_parsef(da, "%s,%s", args->dev, args->args);
	if (ret == 0 && da->bus != NULL && strcmp(da->bus->name, "vdev") != 0)
		return make_other(da, args, d, why);
	if (ret == 0)
		rte_devargs_reset(da);
	free(da);
	return ret < 0 ? refuse_made(args, ret, why) : make_vdev(args, d, why);
}

int
ethdev_device_open(const struct ethdev_args *args, struct ethdev_device *d, char *why)
{
	struct spare *s = spare_find(args->dev);
	struct ethdev_args again = *args;
	uint16_t port_id;
	int ret;

	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", args->dev);
	if (rte_eth_dev_get_port_by_name(args->dev, &port_id) == 0)
		return use_existing(args, port_id, d, why);
	if (s != NULL && args->args[0] == '\0') {
		snprintf(again.args, sizeof(again.args), "%s", s->args);
		d->at_start = true;
	}
	snprintf(d->args, sizeof(d->args), "%s", again.args);
	if (ports_spent(why))
		return -ENOMEM;
	ret = make(&again, d, why);
	if (ret == 0 && s != NULL)
		spare_drop(s);
	return ret;
}

static bool
has_other_port(const struct rte_device *dev)
{
	uint16_t p;

	FOREACH_PORT(p)
	{
		if (rte_eth_devices[p].device == dev)
			return true;
	}
	return false;
}

void
ethdev_device_close(struct ethdev_device *d)
{
	int ret;

	rte_eth_dev_owner_unset(d->port_id, owner.id);
	ret = rte_eth_dev_close(d->port_id);
	if (ret < 0)
		VALE_LOG(WARNING, "driver of device %s cannot close it: %s", d->name,
			rte_strerror(-ret));
	if (has_other_port(d->dev))
		return;
	ret = d->dev->bus->unplug(d->dev);
	if (ret < 0)
		VALE_LOG(WARNING, "device %s cannot be removed: %s", d->name, rte_strerror(-ret));
	else if (d->at_start)
		spare_add(d);
}

bool
ethdev_device_is_vdev(const struct ethdev_device *d)
{
	return strcmp(d->dev->bus->name, "vdev") == 0;
}
