/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include <rte_errno.h>
#include <rte_interrupts.h>
#include <rte_ring.h>

#include "vale_pmd.h"

/** Receive queue k waits on event_fd[k], as interrupt vector k + RTE_INTR_VEC_RXTX_OFFSET. */
static int
fill_vectors(struct rte_intr_handle *h, const struct vale_dev *dev)
{
	uint16_t nb = dev->slot->nb_queues;
	int ret = 0;

	ret |= rte_intr_type_set(h, RTE_INTR_HANDLE_VDEV);
	/* EAL reads this much to take the edge off an eventfd */
	ret |= rte_intr_efd_counter_size_set(h, sizeof(eventfd_t));
	ret |= rte_intr_max_intr_set(h, nb + RTE_INTR_VEC_RXTX_OFFSET);
	ret |= rte_intr_nb_efd_set(h, nb);
	ret |= rte_intr_vec_list_alloc(h, "net_vale", nb);
	for (uint16_t i = 0; i < nb && ret == 0; i++) {
		ret |= rte_intr_efds_index_set(h, i, dev->event_fd[i]);
		ret |= rte_intr_vec_list_index_set(h, i, i + RTE_INTR_VEC_RXTX_OFFSET);
	}
	return ret != 0 ? -rte_errno : 0;
}

int
vale_rx_intr_init(struct vale_dev *dev)
{
	int ret;

	dev->rxq_intr = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (dev->rxq_intr == NULL)
		return -ENOMEM;
	ret = fill_vectors(dev->rxq_intr, dev);
	if (ret != 0)
		vale_rx_intr_fini(dev);
	return ret;
}

void
vale_rx_intr_fini(struct vale_dev *dev)
{
	if (dev->rxq_intr == NULL)
		return;
	rte_intr_vec_list_free(dev->rxq_intr);
	rte_intr_instance_free(dev->rxq_intr);
	dev->rxq_intr = NULL;
}

static struct vale_dpdk_rxq *
rxq_of(struct rte_eth_dev *eth_dev, uint16_t queue)
{
	return queue < vale_dev_of(eth_dev)->slot->nb_queues
		       ? &vale_dev_of(eth_dev)->slot->rxq[queue]
		       : NULL;
}

int
vale_rx_queue_intr_enable(struct rte_eth_dev *eth_dev, uint16_t queue)
{
	struct vale_dev *dev = vale_dev_of(eth_dev);
	struct vale_dpdk_rxq *q = rxq_of(eth_dev, queue);

	if (q == NULL)
		return -EINVAL;
	if (atomic_load_explicit(&dev->gone, memory_order_acquire)) {
		eventfd_write(dev->event_fd[queue], 1); /* do not sleep on what never rings */
		return 0;
	}
	atomic_store_explicit(&q->armed, 1, memory_order_relaxed);
	/* armed before the look at the ring: the switch puts frames in, then looks at armed */
	atomic_thread_fence(memory_order_seq_cst);
	if (!rte_ring_empty(VALE_DPDK_RING(q)) &&
		atomic_exchange_explicit(&q->armed, 0, memory_order_seq_cst) != 0)
		eventfd_write(dev->event_fd[queue], 1);
	return 0;
}

int
vale_rx_queue_intr_disable(struct rte_eth_dev *eth_dev, uint16_t queue)
{
	struct vale_dpdk_rxq *q = rxq_of(eth_dev, queue);

	if (q == NULL)
		return -EINVAL;
	if (!atomic_load_explicit(&vale_dev_of(eth_dev)->gone, memory_order_acquire))
		atomic_store_explicit(&q->armed, 0, memory_order_relaxed);
	return 0;
}

void
vale_rx_intr_wake_all(struct vale_dev *dev)
{
	for (uint16_t i = 0; i < VALE_DPDK_QUEUES_MAX; i++)
		if (dev->event_fd[i] >= 0)
			eventfd_write(dev->event_fd[i], 1);
}
