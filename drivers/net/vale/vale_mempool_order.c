/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A mempool in shared memory names its operations by index, and the index is the order in which a
 * process loaded its drivers: in a secondary the same index may call another driver. The switch
 * publishes its order; a secondary takes it over while it starts, before anybody in it can touch a
 * pool.
 *
 * That moment is EAL's probe of buses. A device is probed too late for that if it is plugged in
 * when the program already runs, and programs may use the switch's pools without a device of ours.
 * So the driver registers a bus without devices, which EAL probes before the vdevs.
 */
#include <errno.h>
#include <string.h>

#include <bus_driver.h>
#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_spinlock.h>
#include <rte_string_fns.h>

#include "vale_pmd.h"
#include "vale_pool.h"

/* The order was taken over, or was the same: nothing moves any more. */
static bool in_order;

static int
no_alloc(struct rte_mempool *mp)
{
	VALE_PMD_LOG(ERR,
		"pool %s: the switch has mempool operations of which this process has not "
		"loaded the driver; load the same DPDK drivers in both",
		mp->name);
	return -ENOTSUP;
}

static void
no_free(struct rte_mempool *mp __rte_unused)
{
}

static int
no_enqueue(struct rte_mempool *mp __rte_unused, void *const *obj __rte_unused,
	unsigned int n __rte_unused)
{
	return -ENOTSUP;
}

static int
no_dequeue(
	struct rte_mempool *mp __rte_unused, void **obj __rte_unused, unsigned int n __rte_unused)
{
	return -ENOTSUP;
}

static unsigned int
no_count(const struct rte_mempool *mp __rte_unused)
{
	return 0;
}

/** Stands where the switch has operations that this process lacks. */
static const struct rte_mempool_ops stub_ops = {
	.alloc = no_alloc,
	.free = no_free,
	.enqueue = no_enqueue,
	.dequeue = no_dequeue,
	.get_count = no_count,
};

static const struct rte_mempool_ops *
find_ops(const struct rte_mempool_ops_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->num_ops; i++)
		if (strcmp(t->ops[i].name, name) == 0)
			return &t->ops[i];
	return NULL;
}

static bool
is_published(const struct vale_mempool_ops_names *names, const char *name)
{
	for (uint32_t i = 0; i < names->nb; i++)
		if (strcmp(names->name[i], name) == 0)
			return true;
	return false;
}

static bool
same_order(const struct vale_mempool_ops_names *names)
{
	const struct rte_mempool_ops_table *t = &rte_mempool_ops_table;

	if (t->num_ops < names->nb)
		return false;
	for (uint32_t i = 0; i < names->nb; i++)
		if (strcmp(names->name[i], t->ops[i].name) != 0)
			return false;
	return true;
}

/** The switch's operations at the switch's indices. */
static void
place_published(struct rte_mempool_ops_table *t, const struct rte_mempool_ops_table *old,
	const struct vale_mempool_ops_names *names)
{
	const struct rte_mempool_ops *ops;

	for (uint32_t i = 0; i < names->nb; i++) {
		ops = find_ops(old, names->name[i]);
		t->ops[i] = ops != NULL ? *ops : stub_ops;
		strlcpy(t->ops[i].name, names->name[i], sizeof(t->ops[i].name));
	}
	t->num_ops = names->nb;
}

/** Behind them what this process has besides, as far as there is room. */
static void
place_own(struct rte_mempool_ops_table *t, const struct rte_mempool_ops_table *old,
	const struct vale_mempool_ops_names *names)
{
	for (uint32_t i = 0; i < old->num_ops; i++) {
		if (is_published(names, old->ops[i].name))
			continue;
		if (t->num_ops == RTE_MEMPOOL_MAX_OPS_IDX) {
			VALE_PMD_LOG(WARNING,
				"mempool operations '%s' cannot be used: the table "
				"is full with those of the switch",
				old->ops[i].name);
			continue;
		}
		t->ops[t->num_ops++] = old->ops[i];
	}
}

static void
reorder(const struct vale_mempool_ops_names *names)
{
	/* EAL's main thread, or a test's: not reentrant, and too much for a small stack */
	static struct rte_mempool_ops_table old;
	struct rte_mempool_ops_table *t = &rte_mempool_ops_table;

	rte_spinlock_lock(&t->sl);
	old = *t;
	place_published(t, &old, names);
	place_own(t, &old, names);
	rte_spinlock_unlock(&t->sl);
	VALE_PMD_LOG(DEBUG, "mempool operations put in the switch's order");
}

/** The switch's order; NULL with *err if there is none that we understand. */
static const struct vale_mempool_ops_names *
published(int *err)
{
	const struct rte_memzone *mz = rte_memzone_lookup(VALE_MEMPOOL_OPS_MZ_NAME);
	const struct vale_mempool_ops_names *names;

	if (mz == NULL) {
		*err = -ENOENT;
		return NULL;
	}
	names = mz->addr;
	*err = mz->len < sizeof(*names) || names->version != VALE_DPDK_SHM_VERSION ||
			       names->nb > RTE_DIM(names->name)
		       ? -EPROTO
		       : 0;
	return *err == 0 ? names : NULL;
}

int
vale_mempool_order_check(void)
{
	const struct vale_mempool_ops_names *names;
	int ret;

	if (in_order)
		return 0;
	names = published(&ret);
	if (names == NULL)
		return ret;
	if (!same_order(names))
		return -EBUSY;
	in_order = true;
	return 0;
}

/** EAL probes buses: memory is there, the application has not begun. */
static int
order_bus_probe(void)
{
	const struct vale_mempool_ops_names *names;
	int err;

	if (rte_eal_process_type() != RTE_PROC_SECONDARY)
		return 0;
	vale_locate_primary();
	names = published(&err);
	if (names == NULL)
		return 0; /* another primary, or no switch yet: said when a device is probed */
	err = vale_pool_register();
	if (err < 0)
		VALE_PMD_LOG(
			ERR, "mempool operations '%s': %s", VALE_POOL_OPS_NAME, rte_strerror(-err));
	if (!same_order(names))
		reorder(names);
	in_order = true;
	vale_own_pools_watch();
	/* Makes ethdev find its shared data now, so that no later probe has to look it up. */
	rte_eth_dev_allocated("vale");
	return 0;
}

static int
order_bus_scan(void)
{
	return 0;
}

static struct rte_device *
order_bus_find_device(const struct rte_device *start __rte_unused, rte_dev_cmp_t cmp __rte_unused,
	const void *data __rte_unused)
{
	return NULL;
}

static struct rte_bus order_bus = {
	.scan = order_bus_scan,
	.probe = order_bus_probe,
	.find_device = order_bus_find_device,
};

RTE_REGISTER_BUS(vale_mempool_order, order_bus);
