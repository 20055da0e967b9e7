/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_interrupts.h>

#include "apart.h"

/*
 * Receive queue k waits on its ring's eventfd, as interrupt vector k + RTE_INTR_VEC_RXTX_OFFSET. A
 * program that uses fewer queues than the port has rings reads several rings with each; such a
 * queue waits on an epoll set of their eventfds.
 */

static int
make_set(struct apart_dev *dev, uint16_t queue)
{
	struct apart_rxq *q = &dev->rxq[queue];

	q->set_fd = epoll_create1(EPOLL_CLOEXEC);
	if (q->set_fd < 0)
		return -errno;
	for (uint16_t i = queue; i < dev->nb_rings; i += dev->nb_rx_queues) {
		struct epoll_event ev = {.events = EPOLLIN};

		if (epoll_ctl(q->set_fd, EPOLL_CTL_ADD, dev->from[i].event_fd, &ev) != 0)
			return -errno;
	}
	return 0;
}

static void
close_sets(struct apart_dev *dev)
{
	for (uint16_t i = 0; i < APART_QUEUES_MAX; i++) {
		if (dev->rxq[i].set_fd >= 0)
			close(dev->rxq[i].set_fd);
		dev->rxq[i].set_fd = -1;
	}
}

static int
make_sets(struct apart_dev *dev)
{
	int ret = 0;

	close_sets(dev);
	if (dev->nb_rx_queues == dev->nb_rings)
		return 0;
	for (uint16_t i = 0; i < dev->nb_rx_queues && ret == 0; i++)
		ret = make_set(dev, i);
	return ret;
}

static int
fill_vectors(const struct apart_dev *dev)
{
	uint16_t nb = dev->nb_rx_queues;
	bool sets = nb != dev->nb_rings;
	int ret = 0;

	/* EAL reads this much to take the edge off an eventfd; a set has nothing to read, and its
	 * eventfds are read when the queue is armed again */
	ret |= rte_intr_efd_counter_size_set(dev->intr, sets ? 0 : sizeof(eventfd_t));
	ret |= rte_intr_max_intr_set(dev->intr, nb + RTE_INTR_VEC_RXTX_OFFSET);
	ret |= rte_intr_nb_efd_set(dev->intr, nb);
	for (uint16_t i = 0; i < nb && ret == 0; i++) {
		ret |= rte_intr_efds_index_set(
			dev->intr, i, sets ? dev->rxq[i].set_fd : dev->from[i].event_fd);
		ret |= rte_intr_vec_list_index_set(dev->intr, i, i + RTE_INTR_VEC_RXTX_OFFSET);
	}
	return ret != 0 ? -rte_errno : 0;
}

int
apart_intr_init(struct apart_dev *dev)
{
	dev->intr = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (dev->intr == NULL)
		return -ENOMEM;
	if (rte_intr_type_set(dev->intr, RTE_INTR_HANDLE_VDEV) != 0 ||
		rte_intr_vec_list_alloc(dev->intr, "net_vale", dev->nb_rings) != 0) {
		apart_intr_fini(dev);
		return -rte_errno;
	}
	return 0;
}

int
apart_intr_configure(struct apart_dev *dev)
{
	int ret = make_sets(dev);

	return ret != 0 ? ret : fill_vectors(dev);
}

void
apart_intr_fini(struct apart_dev *dev)
{
	close_sets(dev);
	if (dev->intr == NULL)
		return;
	rte_intr_vec_list_free(dev->intr);
	rte_intr_instance_free(dev->intr);
	dev->intr = NULL;
}

static void
set_flags(struct apart_dev *dev, uint16_t queue, uint16_t flags)
{
	/* relaxed: apart_intr_enable() has the fence; that it was disabled may be seen late */
	for (uint16_t i = queue; i < dev->nb_rings; i += dev->nb_rx_queues)
		atomic_store_explicit(&dev->from[i].shm->flags, flags, memory_order_relaxed);
}

/** Read away what rang before. */
static void
quieten(struct apart_dev *dev, uint16_t queue)
{
	eventfd_t n;

	for (uint16_t i = queue; i < dev->nb_rings; i += dev->nb_rx_queues)
		eventfd_read(dev->from[i].event_fd, &n);
}

/* Rings stay mapped while the switch is away: who arms a queue then sleeps until it is back, when
 * the rings are made anew first, unarmed, and then all are woken. */
int
apart_intr_enable(struct rte_eth_dev *eth_dev, uint16_t queue)
{
	struct apart_dev *dev = apart_dev_of(eth_dev);

	if (queue >= dev->nb_rx_queues)
		return -EINVAL;
	quieten(dev, queue);
	if (atomic_load_explicit(&dev->evicted, memory_order_acquire)) {
		/* do not sleep on what never rings */
		eventfd_write(dev->from[queue].event_fd, 1);
		return 0;
	}
	set_flags(dev, queue, 0);
	/* flags before the look at the rings: the switch moves tail, then looks at flags */
	atomic_thread_fence(memory_order_seq_cst);
	if (apart_rx_queue_count(&dev->rxq[queue]) > 0) {
		set_flags(dev, queue, MEMIF_RING_MASK_INT);
		eventfd_write(dev->from[queue].event_fd, 1);
	}
	return 0;
}

int
apart_intr_disable(struct rte_eth_dev *eth_dev, uint16_t queue)
{
	struct apart_dev *dev = apart_dev_of(eth_dev);

	if (queue >= dev->nb_rx_queues)
		return -EINVAL;
	set_flags(dev, queue, MEMIF_RING_MASK_INT);
	return 0;
}

void
apart_intr_wake_all(struct apart_dev *dev)
{
	for (uint16_t i = 0; i < dev->nb_rings; i++)
		eventfd_write(dev->from[i].event_fd, 1);
}
