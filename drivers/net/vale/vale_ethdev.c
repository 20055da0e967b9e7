/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_string_fns.h>

#include "vale_control_proto.h"
#include "vale_pmd.h"
#include "vale_pool.h"

/*
 * The switch allocated the ethdev, so that its port id is taken in all processes of the group; but
 * only this process uses it, and works on a copy of its data. So nothing that an application does
 * or is killed in shows to others, and nothing changes under an application whose port was taken
 * away.
 *
 * One per port id, never freed: ethdev reads it after the driver has let go of a port.
 */
static struct local_data {
	struct rte_eth_dev_data data;
	void *rx_queues[VALE_DPDK_QUEUES_MAX];
	void *tx_queues[VALE_DPDK_QUEUES_MAX];
} local_data[RTE_MAX_ETHPORTS];

static struct local_data *
local_of(const struct rte_eth_dev *eth_dev)
{
	return &local_data[eth_dev - rte_eth_devices];
}

static bool
is_gone(const struct vale_dev *dev)
{
	return atomic_load_explicit(&dev->gone, memory_order_acquire);
}

/* ---- configuration ---- */

/** ethdev frees the queue arrays of a device without queues of a kind; they are not its to free. */
static void
restore_queue_arrays(struct rte_eth_dev *eth_dev)
{
	struct local_data *l = local_of(eth_dev);

	if (l->data.rx_queues != l->rx_queues)
		rte_free(l->data.rx_queues);
	if (l->data.tx_queues != l->tx_queues)
		rte_free(l->data.tx_queues);
	l->data.rx_queues = l->rx_queues;
	l->data.tx_queues = l->tx_queues;
}

static int
dev_configure(struct rte_eth_dev *eth_dev)
{
	restore_queue_arrays(eth_dev);
	if (!is_gone(vale_dev_of(eth_dev)))
		eth_dev->rx_pkt_burst =
			eth_dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_CHECKSUM
				? vale_rx_burst_cksum
				: vale_rx_burst;
	return 0;
}

static bool
link_is_up(const struct vale_dev *dev)
{
	return !is_gone(dev) &&
	       atomic_load_explicit(&dev->slot->link_up, memory_order_relaxed) != 0;
}

static int
link_update(struct rte_eth_dev *eth_dev, int wait_to_complete __rte_unused)
{
	vale_alike_set_link(eth_dev, link_is_up(vale_dev_of(eth_dev)));
	return 0;
}

/**
 * Frames that nobody asked for: all that came while the port was stopped, and those in queues
 * that are no longer polled.
 */
static void
drain_stale(struct vale_dev *dev, uint16_t nb_used)
{
	uint16_t i = dev->was_stopped ? 0 : nb_used;

	for (; i < dev->slot->nb_queues; i++)
		vale_rx_drain(&dev->slot->rxq[i]);
}

static int
dev_start(struct rte_eth_dev *eth_dev)
{
	struct vale_dev *dev = vale_dev_of(eth_dev);
	uint16_t nb_used = eth_dev->data->nb_rx_queues;

	if (is_gone(dev)) {
		VALE_PMD_LOG(
			ERR, "port %s is gone: remove the device, then attach it again", dev->name);
		return -ENODEV;
	}
	/* relaxed: the switch may spread a few more frames the old way */
	atomic_store_explicit(&dev->slot->nb_rxq_used, nb_used, memory_order_relaxed);
	drain_stale(dev, nb_used);
	dev->was_stopped = false;
	atomic_store_explicit(&dev->slot->started, 1, memory_order_relaxed);
	vale_alike_set_queue_states(eth_dev, RTE_ETH_QUEUE_STATE_STARTED);
	vale_alike_set_link(eth_dev, link_is_up(dev));
	return 0;
}

static int
dev_stop(struct rte_eth_dev *eth_dev)
{
	struct vale_dev *dev = vale_dev_of(eth_dev);

	dev->was_stopped = true;
	if (!is_gone(dev))
		atomic_store_explicit(&dev->slot->started, 0, memory_order_relaxed);
	vale_alike_set_queue_states(eth_dev, RTE_ETH_QUEUE_STATE_STOPPED);
	vale_alike_set_link(eth_dev, false);
	return 0;
}

static int
rx_queue_setup(struct rte_eth_dev *eth_dev, uint16_t queue, uint16_t nb_desc __rte_unused,
	unsigned int socket __rte_unused, const struct rte_eth_rxconf *conf,
	struct rte_mempool *pool __rte_unused)
{
	/* Frames come in mbufs of the senders; the pool given is not needed. */
	if (queue >= vale_dev_of(eth_dev)->slot->nb_queues)
		return -EINVAL;
	if (conf->rx_deferred_start)
		return -ENOTSUP;
	eth_dev->data->rx_queues[queue] = &vale_dev_of(eth_dev)->slot->rxq[queue];
	return 0;
}

static int
tx_queue_setup(struct rte_eth_dev *eth_dev, uint16_t queue, uint16_t nb_desc __rte_unused,
	unsigned int socket __rte_unused, const struct rte_eth_txconf *conf)
{
	if (queue >= vale_dev_of(eth_dev)->slot->nb_queues)
		return -EINVAL;
	if (conf->tx_deferred_start)
		return -ENOTSUP;
	eth_dev->data->tx_queues[queue] = &vale_dev_of(eth_dev)->slot->txq[queue];
	return 0;
}

static void
rxq_info_get(
	struct rte_eth_dev *eth_dev, uint16_t queue __rte_unused, struct rte_eth_rxq_info *info)
{
	const struct vale_dpdk_slot *slot = vale_dev_of(eth_dev)->slot;

	info->mp = (struct rte_mempool *)(uintptr_t)slot->pool_addr;
	info->nb_desc = slot->nb_desc;
	info->scattered_rx = 1;
}

static void
txq_info_get(
	struct rte_eth_dev *eth_dev, uint16_t queue __rte_unused, struct rte_eth_txq_info *info)
{
	info->nb_desc = vale_dev_of(eth_dev)->slot->nb_desc;
}

static int
dev_infos_get(struct rte_eth_dev *eth_dev, struct rte_eth_dev_info *info)
{
	const struct vale_dpdk_slot *slot = vale_dev_of(eth_dev)->slot;

	vale_alike_info(info, slot->nb_queues, slot->nb_desc);
	return 0;
}

/* ---- life ---- */

/** Functions of a port that nothing is behind. */
static void
install_no_bursts(struct rte_eth_dev *eth_dev)
{
	struct rte_eth_fp_ops *fp = &rte_eth_fp_ops[eth_dev - rte_eth_devices];

	eth_dev->rx_pkt_burst = vale_no_burst;
	eth_dev->tx_pkt_burst = vale_no_burst;
	eth_dev->rx_queue_count = vale_no_queue_count;
	eth_dev->rx_descriptor_status = vale_no_descriptor_status;
	eth_dev->tx_descriptor_status = vale_no_descriptor_status;
	/* A stopped port has ethdev's own, which complain. */
	if (fp->tx_pkt_burst != vale_tx_burst)
		return;
	fp->rx_pkt_burst = vale_no_burst;
	fp->tx_pkt_burst = vale_no_burst;
	fp->rx_queue_count = vale_no_queue_count;
	fp->rx_descriptor_status = vale_no_descriptor_status;
	fp->tx_descriptor_status = vale_no_descriptor_status;
}

static void
install_bursts(struct rte_eth_dev *eth_dev)
{
	eth_dev->rx_pkt_burst = vale_rx_burst;
	eth_dev->tx_pkt_burst = vale_tx_burst;
	eth_dev->rx_queue_count = vale_rx_queue_count;
	eth_dev->rx_descriptor_status = vale_rx_descriptor_status;
	eth_dev->tx_descriptor_status = vale_tx_descriptor_status;
}

/**
 * Let go of the shared slot: from here on names, counters and addresses come from a copy, and the
 * switch may use the slot again.
 */
static void
leave_slot(struct vale_dev *dev)
{
	struct rte_eth_dev *eth_dev = dev->eth_dev;
	bool quiet;

	if (dev->slot == dev->copy)
		return;
	install_no_bursts(eth_dev);
	quiet = vale_gates_close(eth_dev->data->port_id);
	memcpy(dev->copy, dev->slot, sizeof(*dev->copy));
	dev->slot = dev->copy;
	eth_dev->data->mac_addrs = (struct rte_ether_addr *)dev->slot->mac;
	if (quiet)
		vale_client_detach(dev);
	else
		VALE_PMD_LOG(WARNING,
			"port %s: a thread was held up within a burst; the switch "
			"keeps the port's memory until this process ends",
			dev->name);
}

void
vale_ethdev_gone(struct vale_dev *dev)
{
	struct rte_eth_dev *eth_dev = dev->eth_dev;

	atomic_store_explicit(&dev->gone, true, memory_order_release);
	leave_slot(dev);
	vale_alike_set_link(eth_dev, false);
	vale_rx_intr_wake_all(dev);
	/* last: the application may remove the device here, and dev with it */
	rte_eth_dev_callback_process(eth_dev, RTE_ETH_EVENT_INTR_LSC, NULL);
}

static void
free_dev(struct vale_dev *dev)
{
	vale_rx_intr_fini(dev);
	vale_client_close(dev);
	vale_client_close_fds(dev);
	free(dev->copy);
	free(dev);
}

static int
dev_close(struct rte_eth_dev *eth_dev)
{
	struct vale_dev *dev = vale_dev_of(eth_dev);

	if (dev == NULL)
		return 0;
	vale_client_unwatch(dev);
	atomic_store_explicit(&dev->gone, true, memory_order_release);
	leave_slot(dev);
	eth_dev->data->mac_addrs = NULL;
	eth_dev->data->dev_private = NULL;
	eth_dev->process_private = NULL;
	eth_dev->intr_handle = NULL;
	free_dev(dev);
	return 0;
}

static const struct eth_dev_ops vale_dev_ops = {
	.dev_configure = dev_configure,
	.dev_start = dev_start,
	.dev_stop = dev_stop,
	.dev_close = dev_close,
	.link_update = link_update,
	.promiscuous_enable = vale_alike_accept_mode,
	.promiscuous_disable = vale_alike_accept_mode,
	.allmulticast_enable = vale_alike_accept_mode,
	.allmulticast_disable = vale_alike_accept_mode,
	.mac_addr_set = vale_alike_mac_addr_set,
	.mtu_set = vale_alike_mtu_set,
	.stats_get = vale_stats_get,
	.stats_reset = vale_stats_reset,
	.xstats_get = vale_xstats_get,
	.xstats_reset = vale_stats_reset,
	.xstats_get_names = vale_xstats_get_names,
	.dev_infos_get = dev_infos_get,
	.rxq_info_get = rxq_info_get,
	.txq_info_get = txq_info_get,
	.rx_queue_setup = rx_queue_setup,
	.rx_queue_intr_enable = vale_rx_queue_intr_enable,
	.rx_queue_intr_disable = vale_rx_queue_intr_disable,
	.tx_queue_setup = tx_queue_setup,
};

/** A copy of the ethdev's data for this process, with its queues set up and the port not started.
 */
static void
fill_data(struct rte_eth_dev *eth_dev, const struct rte_eth_dev_data *shared, struct vale_dev *dev)
{
	struct local_data *l = local_of(eth_dev);
	struct vale_dpdk_slot *slot = dev->slot;

	memcpy(&l->data, shared, sizeof(l->data));
	l->data.port_id = slot->port_id;
	l->data.rx_queues = l->rx_queues;
	l->data.tx_queues = l->tx_queues;
	l->data.nb_rx_queues = l->data.nb_tx_queues = slot->nb_queues;
	l->data.mac_addrs = (struct rte_ether_addr *)slot->mac;
	l->data.dev_private = dev;
	l->data.dev_started = 0;
	l->data.dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	eth_dev->data = &l->data;
	for (uint16_t i = 0; i < slot->nb_queues; i++) {
		l->rx_queues[i] = &slot->rxq[i];
		l->tx_queues[i] = &slot->txq[i];
		slot->rxq[i].event_fd = dev->event_fd[i];
		slot->txq[i].kick_fd = dev->kick_fd[i];
	}
	/* Programs that never start a port (testpmd as a secondary) go by these. */
	vale_alike_set_queue_states(eth_dev, RTE_ETH_QUEUE_STATE_STARTED);
	vale_alike_set_link(eth_dev, true);
}

static void
fill_eth_dev(struct rte_eth_dev *eth_dev, struct rte_vdev_device *vdev, struct vale_dev *dev)
{
	eth_dev->device = &vdev->device;
	eth_dev->dev_ops = &vale_dev_ops;
	eth_dev->process_private = dev;
	eth_dev->intr_handle = dev->rxq_intr;
	install_bursts(eth_dev);
}

/**
 * Give the port id back in this process. As rte_eth_dev_release_port(), but for ethdev's lock: it
 * is shared by the group, and a process killed with it held would stop all others.
 */
static void
release_local(struct rte_eth_dev *eth_dev)
{
	rte_eth_dev_callback_process(eth_dev, RTE_ETH_EVENT_DESTROY, NULL);
	eth_dev->state = RTE_ETH_DEV_UNUSED;
	eth_dev->device = NULL;
	eth_dev->process_private = NULL;
	eth_dev->intr_handle = NULL;
	eth_dev->dev_ops = NULL;
	eth_dev->data->name[0] = '\0'; /* our copy: ethdev must not find it by name */
}

static struct vale_dev *
alloc_dev(void)
{
	struct vale_dev *dev = calloc(1, sizeof(*dev));

	if (dev == NULL)
		return NULL;
	dev->ctl_fd = -1;
	for (unsigned int i = 0; i < VALE_DPDK_QUEUES_MAX; i++)
		dev->event_fd[i] = dev->kick_fd[i] = -1;
	dev->copy = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*dev->copy));
	if (dev->copy == NULL) {
		free(dev);
		return NULL;
	}
	return dev;
}

/** The switch gave us a port: make it an ethdev of this process. */
static int
make_eth_dev(struct rte_vdev_device *vdev, struct vale_dev *dev,
	const struct vale_ctl_attach_dpdk_reply *r)
{
	struct rte_eth_dev *eth_dev = &rte_eth_devices[r->port_id];
	int ret;

	if (eth_dev->state != RTE_ETH_DEV_UNUSED) {
		VALE_PMD_LOG(ERR,
			"port %s: ethdev port id %u is in use in this process by %s, "
			"which the switch does not know",
			r->ethdev_name, r->port_id,
			eth_dev->device != NULL ? eth_dev->device->name : "another device");
		return -EEXIST;
	}
	dev->eth_dev = eth_dev;
	dev->slot = (struct vale_dpdk_slot *)(uintptr_t)r->slot_addr;
	strlcpy(dev->name, dev->slot->name, sizeof(dev->name));
	ret = vale_rx_intr_init(dev);
	if (ret != 0)
		return ret;
	fill_data(eth_dev, (const void *)(uintptr_t)r->ethdev_data, dev);
	fill_eth_dev(eth_dev, vdev, dev);
	vale_stats_reset(eth_dev);
	vale_gates_open(r->port_id, r->nb_queues, true);
	ret = vale_client_watch(dev);
	if (ret != 0) {
		leave_slot(dev);
		return ret;
	}
	rte_eth_dev_probing_finish(eth_dev);
	return 0;
}

static int
attach(struct rte_vdev_device *vdev, const struct vale_args *args)
{
	struct vale_ctl_attach_dpdk_reply reply;
	struct vale_dev *dev = alloc_dev();
	int ret;

	if (dev == NULL)
		return -ENOMEM;
	ret = vale_client_attach(dev, args, &reply);
	if (ret != 0)
		goto fail;
	vale_own_pools_watch();
	vale_own_pools_connected(dev->ctl_fd);
	ret = vale_pool_join((struct rte_mempool *)(uintptr_t)reply.pool_addr);
	if (ret == 0)
		ret = make_eth_dev(vdev, dev, &reply);
	if (ret == 0)
		return 0;
	VALE_PMD_LOG(ERR, "port %s cannot be made an ethdev: %s", args->port, rte_strerror(-ret));
	vale_client_detach(dev);
fail:
	free_dev(dev);
	return ret;
}

/** Whether this process can be a secondary of its switch; says why not. */
static int
check_process(const struct vale_args *args)
{
	int ret = vale_mempool_order_check();

	switch (ret) {
	case 0:
		break;
	case -ENOENT:
		VALE_PMD_LOG(ERR,
			"port %s: the primary process of this one is not a vale-switch that "
			"is ready; check --file-prefix",
			args->port);
		break;
	case -EBUSY:
		VALE_PMD_LOG(ERR,
			"port %s: this process started before the switch was ready and "
			"numbers mempool operations in another way; start it again",
			args->port);
		break;
	default:
		VALE_PMD_LOG(ERR,
			"port %s: the switch publishes its mempool operations in a layout "
			"of another release; install the same release for both",
			args->port);
	}
	return ret;
}

int
vale_ethdev_attach(struct rte_vdev_device *vdev, const struct vale_args *args)
{
	int ret = check_process(args);

	return ret != 0 ? ret : attach(vdev, args);
}

bool
vale_ethdev_is(const struct rte_eth_dev *eth_dev)
{
	return eth_dev->dev_ops == &vale_dev_ops;
}

void
vale_ethdev_remove(struct rte_eth_dev *eth_dev)
{
	dev_close(eth_dev);
	release_local(eth_dev);
}
