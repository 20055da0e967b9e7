/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include <ethdev_driver.h>

#include "dpdk_port.h"
#include "vale_eal_memory.h"

/* ---- slots ---- */

struct vale_dpdk_slot *
dpdk_slot_at(unsigned int i)
{
	return RTE_PTR_ADD(dpdk.mz->addr, i * dpdk.slot_sz);
}

/* Ring number i of a slot: first those to the client, then those from it. */
static struct rte_ring *
slot_ring(struct vale_dpdk_slot *slot, unsigned int i)
{
	return RTE_PTR_ADD(slot, sizeof(*slot) + i * dpdk.ring_sz);
}

/* The addresses beside ring number i from the client. */
static struct vale_dpdk_addrs *
slot_addrs(struct vale_dpdk_slot *slot, unsigned int i)
{
	return RTE_PTR_ADD(slot_ring(slot, 2 * VALE_DPDK_QUEUES_MAX), i * dpdk.addrs_sz);
}

static void
ring_make(struct rte_ring *r, const char *name, uint32_t size)
{
	/* exact size: a ring of N holds N frames, as the option says */
	int ret = rte_ring_init(r, name, size, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	RTE_VERIFY(ret == 0); /* name and size were checked at start */
}

void
dpdk_slot_init(struct vale_dpdk_slot *slot, const char *name, uint16_t nb_queues, uint16_t port_id,
	const uint8_t *mac, uint32_t ring_size)
{
	memset(slot, 0, sizeof(*slot));
	slot->version = VALE_DPDK_SHM_VERSION;
	slot->nb_queues = nb_queues;
	slot->port_id = port_id;
	snprintf(slot->name, sizeof(slot->name), "%s", name);
	slot->pool_addr = (uint64_t)(uintptr_t)dpdk.conf.pool;
	slot->nb_desc = ring_size;
	memcpy(slot->mac, mac, RTE_ETHER_ADDR_LEN);
	for (uint16_t i = 0; i < nb_queues; i++) {
		struct vale_dpdk_rxq *rxq = &slot->rxq[i];
		struct vale_dpdk_txq *txq = &slot->txq[i];
		struct rte_ring *to = slot_ring(slot, i);
		struct rte_ring *from = slot_ring(slot, VALE_DPDK_QUEUES_MAX + i);

		ring_make(to, "vale_to", ring_size);
		ring_make(from, "vale_from", ring_size);
		rxq->ring_off = RTE_PTR_DIFF(to, rxq);
		txq->ring_off = RTE_PTR_DIFF(from, txq);
		txq->addrs_off = RTE_PTR_DIFF(slot_addrs(slot, i), txq);
		rxq->id = txq->id = i;
		rxq->port_id = txq->port_id = port_id;
		rxq->event_fd = txq->kick_fd = -1;
		slot->rx_queues[i] = rxq;
		slot->tx_queues[i] = txq;
	}
	atomic_store(&slot->link_up, 1);
}

/* ---- the ethdev that the client finds ---- */

struct rte_eth_dev *
dpdk_ethdev_make(struct vale_dpdk_slot *slot, const char *name)
{
	struct rte_eth_dev *dev = vale_eal_ethdev_take(name);

	if (dev != NULL)
		dev->data->dev_private = slot;
	return dev;
}

void
dpdk_ethdev_fill(struct rte_eth_dev *dev, struct vale_dpdk_slot *slot)
{
	struct rte_eth_dev_data *data = dev->data;

	data->rx_queues = slot->rx_queues;
	data->tx_queues = slot->tx_queues;
	data->nb_rx_queues = data->nb_tx_queues = slot->nb_queues;
	data->mac_addrs = (struct rte_ether_addr *)slot->mac;
	data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	data->numa_node = SOCKET_ID_ANY;
	data->dev_link = (struct rte_eth_link){
		.link_speed = RTE_ETH_SPEED_NUM_100G,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
		.link_status = RTE_ETH_LINK_UP,
	};
	data->promiscuous = 1;
	data->all_multicast = 1;
	data->dev_configured = 1;
	for (uint16_t i = 0; i < slot->nb_queues; i++) {
		data->rx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
		data->tx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
	}
}

void
dpdk_ethdev_free(struct rte_eth_dev *dev, struct vale_dpdk_slot *slot)
{
	struct rte_eth_dev_data *data = dev->data;

	/* release frees what these point at; what is in the slot is not its to free */
	if (data->rx_queues == slot->rx_queues)
		data->rx_queues = NULL;
	if (data->tx_queues == slot->tx_queues)
		data->tx_queues = NULL;
	data->mac_addrs = NULL;
	data->dev_private = NULL;
	vale_eal_ethdev_give(dev);
}
