/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "apart.h"
#include "vale_gates.h"
#include "vale_stats.h"

/* EAL gives up on a hot plug after 5 s; we must have given up before. */
#define ATTACH_TIMEOUT_MS 4000

/* ---- configuration ---- */

static int
dev_configure(struct rte_eth_dev *eth_dev)
{
	const struct rte_eth_dev_data *data = eth_dev->data;
	struct apart_dev *dev = apart_dev_of(eth_dev);

	eth_dev->rx_pkt_burst = data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_CHECKSUM
					? apart_rx_burst_cksum
					: apart_rx_burst;
	eth_dev->tx_pkt_burst = apart_tx_burst;
	/* without receive queues nobody looks at rings, and there is nothing to share out */
	dev->nb_rx_queues = data->nb_rx_queues > 0 ? data->nb_rx_queues : dev->nb_rings;
	return apart_intr_configure(dev);
}

static int
link_update(struct rte_eth_dev *eth_dev, int wait_to_complete __rte_unused)
{
	vale_alike_set_link(eth_dev, apart_is_up(apart_dev_of(eth_dev)));
	return 0;
}

static int
dev_start(struct rte_eth_dev *eth_dev)
{
	struct apart_dev *dev = apart_dev_of(eth_dev);

	if (atomic_load_explicit(&dev->evicted, memory_order_acquire)) {
		VALE_PMD_LOG(ERR, "port %s is gone: remove the device, then attach it again",
			dev->args.port);
		return -ENODEV;
	}
	/* what came while it was stopped nobody asked for */
	for (uint16_t i = 0; dev->was_stopped && i < eth_dev->data->nb_rx_queues; i++)
		apart_rx_drain(&dev->rxq[i]);
	dev->was_stopped = false;
	vale_alike_set_queue_states(eth_dev, RTE_ETH_QUEUE_STATE_STARTED);
	vale_alike_set_link(eth_dev, apart_is_up(dev));
	return 0;
}

static int
dev_stop(struct rte_eth_dev *eth_dev)
{
	apart_dev_of(eth_dev)->was_stopped = true;
	vale_alike_set_queue_states(eth_dev, RTE_ETH_QUEUE_STATE_STOPPED);
	vale_alike_set_link(eth_dev, false);
	return 0;
}

static int
rx_queue_setup(struct rte_eth_dev *eth_dev, uint16_t queue, uint16_t nb_desc __rte_unused,
	unsigned int socket __rte_unused, const struct rte_eth_rxconf *conf,
	struct rte_mempool *pool)
{
	struct apart_dev *dev = apart_dev_of(eth_dev);

	if (queue >= dev->nb_rings || pool == NULL ||
		rte_pktmbuf_data_room_size(pool) <= RTE_PKTMBUF_HEADROOM)
		return -EINVAL;
	if (conf->rx_deferred_start)
		return -ENOTSUP;
	dev->rxq[queue].pool = pool;
	eth_dev->data->rx_queues[queue] = &dev->rxq[queue];
	return 0;
}

static int
tx_queue_setup(struct rte_eth_dev *eth_dev, uint16_t queue, uint16_t nb_desc __rte_unused,
	unsigned int socket __rte_unused, const struct rte_eth_txconf *conf)
{
	struct apart_dev *dev = apart_dev_of(eth_dev);

	if (queue >= dev->nb_rings)
		return -EINVAL;
	if (conf->tx_deferred_start)
		return -ENOTSUP;
	eth_dev->data->tx_queues[queue] = &dev->txq[queue];
	return 0;
}

static void
rxq_info_get(struct rte_eth_dev *eth_dev, uint16_t queue, struct rte_eth_rxq_info *info)
{
	info->mp = apart_dev_of(eth_dev)->rxq[queue].pool;
	info->nb_desc = APART_RING_SZ;
	info->scattered_rx = 1;
}

static void
txq_info_get(struct rte_eth_dev *eth_dev __rte_unused, uint16_t queue __rte_unused,
	struct rte_eth_txq_info *info)
{
	info->nb_desc = APART_RING_SZ;
}

static int
dev_infos_get(struct rte_eth_dev *eth_dev, struct rte_eth_dev_info *info)
{
	vale_alike_info(info, apart_dev_of(eth_dev)->nb_rings, APART_RING_SZ);
	return 0;
}

/* ---- counters: they go on when the port is attached again ---- */

static void
read_queue(const struct apart_dev *dev, uint16_t i, struct vale_baseline *c)
{
	const struct apart_rxq *rxq = &dev->rxq[i];
	const struct apart_txq *txq = &dev->txq[i];

	c->rx_packets = vale_counter_read(&rxq->packets);
	c->rx_bytes = vale_counter_read(&rxq->bytes);
	c->tx_packets = vale_counter_read(&txq->packets);
	c->tx_bytes = vale_counter_read(&txq->bytes);
	c->tx_full = vale_counter_read(&txq->full);
	c->tx_copied = c->tx_packets;
	c->tx_no_mbuf = vale_counter_read(&txq->dropped);
}

static int
stats_get(struct rte_eth_dev *eth_dev, struct rte_eth_stats *stats)
{
	const struct apart_dev *dev = apart_dev_of(eth_dev);
	struct vale_baseline now;

	for (uint16_t i = 0; i < dev->nb_rings; i++) {
		read_queue(dev, i, &now);
		vale_counters_add(stats, i, &now, &dev->base[i]);
	}
	return 0;
}

static int
stats_reset(struct rte_eth_dev *eth_dev)
{
	struct apart_dev *dev = apart_dev_of(eth_dev);

	for (uint16_t i = 0; i < dev->nb_rings; i++)
		read_queue(dev, i, &dev->base[i]);
	return 0;
}

static int
xstats_get(struct rte_eth_dev *eth_dev, struct rte_eth_xstat *xstats, unsigned int n)
{
	const struct apart_dev *dev = apart_dev_of(eth_dev);
	struct vale_baseline now, sum = {0};

	for (uint16_t i = 0; i < dev->nb_rings; i++) {
		read_queue(dev, i, &now);
		vale_counters_sum_up(&sum, &now, &dev->base[i]);
	}
	return vale_xstats_put(xstats, n, &sum);
}

/* ---- life ---- */

/** The switch says which address the port has; one that the application has set stays. */
static void
take_mac(struct apart_dev *dev)
{
	if (rte_is_same_ether_addr(&dev->mac, &dev->taken_mac))
		dev->mac = dev->port_mac;
	dev->taken_mac = dev->port_mac;
}

/** The port is attached: let frames pass. */
static void
open_port(struct apart_dev *dev)
{
	take_mac(dev);
	atomic_store_explicit(&dev->up, true, memory_order_release);
	vale_gates_open(dev->eth_dev->data->port_id, dev->nb_rings, false);
	vale_alike_set_link(dev->eth_dev, true);
}

void
apart_ethdev_up(struct apart_dev *dev)
{
	open_port(dev);
	apart_intr_wake_all(dev);
	/* last: the application may remove the device here, and dev with it */
	rte_eth_dev_callback_process(dev->eth_dev, RTE_ETH_EVENT_INTR_LSC, NULL);
}

static void
disconnect(struct apart_dev *dev)
{
	if (dev->fd < 0)
		return;
	/* a child of this process may have a copy */
	shutdown(dev->fd, SHUT_RDWR);
	close(dev->fd);
	dev->fd = -1;
}

void
apart_ethdev_down(struct apart_dev *dev)
{
	struct rte_eth_dev *eth_dev = dev->eth_dev;

	atomic_store_explicit(&dev->up, false, memory_order_release);
	/* one that is held up is waited for again before the rings are made anew */
	vale_gates_close(eth_dev->data->port_id);
	disconnect(dev);
	vale_alike_set_link(eth_dev, false);
	apart_intr_wake_all(dev);
	/* last, as above */
	rte_eth_dev_callback_process(eth_dev, RTE_ETH_EVENT_INTR_LSC, NULL);
}

static void
free_dev(struct apart_dev *dev)
{
	disconnect(dev);
	apart_intr_fini(dev);
	apart_region_destroy(dev);
	free(dev);
}

/**
 * Nothing in the ethdev's data is this port's any more. In a secondary process, ethdev leaves the
 * data to the primary, which knows nothing of this port: then the id is made free here.
 */
static void
clear_data(struct rte_eth_dev *eth_dev)
{
	struct rte_eth_dev_data *data = eth_dev->data;
	uint16_t port_id = data->port_id;

	data->mac_addrs = NULL; /* not ethdev's to free */
	data->dev_private = NULL;
	eth_dev->process_private = NULL;
	eth_dev->intr_handle = NULL;
	if (rte_eal_process_type() == RTE_PROC_PRIMARY)
		return;
	rte_free(data->rx_queues);
	rte_free(data->tx_queues);
	memset(data, 0, sizeof(*data)); /* who has no name is free */
	data->port_id = port_id;
}

static int
dev_close(struct rte_eth_dev *eth_dev)
{
	struct apart_dev *dev = apart_dev_of(eth_dev);

	if (dev == NULL)
		return 0;
	apart_life_leave(dev);
	atomic_store_explicit(&dev->up, false, memory_order_release);
	if (vale_gates_close(eth_dev->data->port_id)) {
		free_dev(dev);
	} else {
		VALE_PMD_LOG(WARNING,
			"port %s: a thread was held up within a burst; its memory is kept until "
			"this process ends",
			dev->args.port);
		disconnect(dev);
	}
	clear_data(eth_dev);
	return 0;
}

static const struct eth_dev_ops apart_dev_ops = {
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
	.stats_get = stats_get,
	.stats_reset = stats_reset,
	.xstats_get = xstats_get,
	.xstats_reset = stats_reset,
	.xstats_get_names = vale_xstats_get_names,
	.dev_infos_get = dev_infos_get,
	.rxq_info_get = rxq_info_get,
	.txq_info_get = txq_info_get,
	.rx_queue_setup = rx_queue_setup,
	.rx_queue_intr_enable = apart_intr_enable,
	.rx_queue_intr_disable = apart_intr_disable,
	.tx_queue_setup = tx_queue_setup,
};

static void
init_queues(struct apart_dev *dev)
{
	for (uint16_t i = 0; i < APART_QUEUES_MAX; i++) {
		dev->rxq[i].dev = dev->txq[i].dev = dev;
		dev->rxq[i].id = dev->txq[i].id = i;
		dev->rxq[i].set_fd = -1;
		dev->from[i].event_fd = dev->to[i].event_fd = -1;
	}
}

static struct apart_dev *
alloc_dev(const struct vale_args *args)
{
	size_t sz = RTE_ALIGN(sizeof(struct apart_dev), RTE_CACHE_LINE_SIZE);
	struct apart_dev *dev = aligned_alloc(RTE_CACHE_LINE_SIZE, sz);

	if (dev == NULL)
		return NULL;
	memset(dev, 0, sz);
	dev->args = *args;
	dev->nb_rings = dev->nb_rx_queues = args->nb_queues;
	dev->region_fd = dev->fd = -1;
	init_queues(dev);
	return dev;
}

static void
fill_eth_dev(struct rte_eth_dev *eth_dev, struct rte_vdev_device *vdev, struct apart_dev *dev)
{
	struct rte_eth_dev_data *data = eth_dev->data;

	dev->eth_dev = eth_dev;
	for (uint16_t i = 0; i < APART_QUEUES_MAX; i++)
		dev->rxq[i].port_id = dev->txq[i].port_id = data->port_id;
	data->dev_private = dev;
	data->mac_addrs = &dev->mac;
	data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	data->numa_node = SOCKET_ID_ANY;
	data->promiscuous = 1;
	data->all_multicast = 1;
	eth_dev->device = &vdev->device;
	eth_dev->dev_ops = &apart_dev_ops;
	eth_dev->process_private = dev;
	eth_dev->intr_handle = dev->intr;
	/* a secondary's take effect before it has configured anything */
	eth_dev->rx_pkt_burst = vale_no_burst;
	eth_dev->tx_pkt_burst = vale_no_burst;
	eth_dev->rx_queue_count = apart_rx_queue_count;
	eth_dev->rx_descriptor_status = apart_rx_descriptor_status;
	eth_dev->tx_descriptor_status = apart_tx_descriptor_status;
}

/** Memory, then the switch's answer. */
static int
attach(struct apart_dev *dev, struct rte_vdev_device *vdev, struct rte_eth_dev *eth_dev)
{
	char why[APART_WHY_SZ];
	int ret;

	ret = apart_region_create(dev);
	if (ret == 0)
		ret = apart_intr_init(dev);
	if (ret != 0) {
		VALE_PMD_LOG(ERR, "port %s: no memory to share with the switch: %s", dev->args.port,
			rte_strerror(-ret));
		return ret;
	}
	fill_eth_dev(eth_dev, vdev, dev);
	ret = apart_link_attach(dev, ATTACH_TIMEOUT_MS, why);
	if (ret != 0) {
		VALE_PMD_LOG(ERR, "%s", why[0] != '\0' ? why : "the switch has gone");
		return ret;
	}
	return 0;
}

int
apart_ethdev_attach(struct rte_vdev_device *vdev, const struct vale_args *args)
{
	struct rte_eth_dev *eth_dev = rte_eth_dev_allocate(rte_vdev_device_name(vdev));
	struct apart_dev *dev;
	int ret;

	if (eth_dev == NULL) {
		VALE_PMD_LOG(ERR, "port %s: DPDK has no port id left, or a port called %s already",
			args->port, rte_vdev_device_name(vdev));
		return -ENOSPC;
	}
	dev = alloc_dev(args);
	ret = dev == NULL ? -ENOMEM : attach(dev, vdev, eth_dev);
	if (ret == 0) {
		open_port(dev);
		ret = apart_life_join(dev);
	}
	if (ret == 0) {
		rte_eth_dev_probing_finish(eth_dev);
		return 0;
	}
	vale_gates_close(eth_dev->data->port_id);
	if (dev != NULL)
		free_dev(dev);
	clear_data(eth_dev);
	rte_eth_dev_release_port(eth_dev);
	return ret;
}

void
apart_ethdev_remove(struct rte_eth_dev *eth_dev)
{
	dev_close(eth_dev);
	rte_eth_dev_release_port(eth_dev);
}
