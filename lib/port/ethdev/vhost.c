/* SPDX-License-Identifier: BSD-3-Clause */
#include <ethdev_driver.h>
#include <rte_eth_vhost.h>
#include <rte_vhost.h>

#include "ethdev_port.h"

/*
 * A virtual machine comes and goes, and enables as many of its queues as it likes: one while its
 * firmware runs, more when its driver has started. net_vhost tells by events, from a thread of its
 * own; frames for a queue that is not enabled would be lost.
 */

static void
read_queue_events(struct ethdev_ep *e, uint16_t port_id)
{
	struct rte_eth_vhost_queue_event ev;
	_Atomic uint32_t *enabled;
	uint32_t bit;

	while (rte_eth_vhost_get_queue_event(port_id, &ev) == 0) {
		if (ev.queue_id >= VALE_QUEUES_MAX)
			continue;
		enabled = ev.rx ? &e->rx_enabled : &e->tx_enabled;
		bit = 1u << ev.queue_id;
		/* relaxed: a worker that sees it late meets a queue that refuses */
		if (ev.enable)
			atomic_fetch_or_explicit(enabled, bit, memory_order_relaxed);
		else
			atomic_fetch_and_explicit(enabled, ~bit, memory_order_relaxed);
	}
}

uint32_t
ethdev_vhost_takes(uint64_t features)
{
	uint32_t takes = 0;

	/* VALE_OL_ECN never: the library has no word for it */
	if (features & 1ull << VIRTIO_NET_F_GUEST_CSUM)
		takes |= VALE_OL_CSUM;
	if (features & 1ull << VIRTIO_NET_F_GUEST_TSO4)
		takes |= VALE_OL_TSO4;
	if (features & 1ull << VIRTIO_NET_F_GUEST_TSO6)
		takes |= VALE_OL_TSO6;
	return takes;
}

/** A machine has its card in use, or none has: what its driver has negotiated holds until it goes.
 */
static void
read_features(struct ethdev_ep *e)
{
	int vid = rte_eth_vhost_get_vid_from_port_id(e->port_id);
	uint64_t features = 0;

	if (vid >= 0 && rte_vhost_get_negotiated_features(vid, &features) < 0)
		features = 0;
	atomic_store_explicit(&e->ep.takes, ethdev_vhost_takes(features), memory_order_relaxed);
}

void
ethdev_vhost_started(struct ethdev_ep *e)
{
	uint32_t events;

	/* before it was started the device's queues name machine 0, whose ever that is */
	atomic_store_explicit(&e->vhost_started, true, memory_order_seq_cst);
	do {
		events = atomic_load_explicit(&e->events, memory_order_acquire);
		read_features(e);
	} while (events != atomic_load_explicit(&e->events, memory_order_acquire));
}

/** The driver forgets its queues' state without a word. Whoever comes next gets finished frames
 * until its features are known. */
static void
forget_queues(struct ethdev_ep *e)
{
	atomic_store_explicit(&e->ep.takes, 0, memory_order_relaxed);
	atomic_store_explicit(&e->tx_enabled, 0, memory_order_relaxed);
	atomic_store_explicit(&e->rx_enabled, 0, memory_order_relaxed);
}

static int
on_event(uint16_t port_id, enum rte_eth_event_type type, void *arg, void *ret_param)
{
	struct ethdev_ep *e = arg;

	if (type == RTE_ETH_EVENT_QUEUE_STATE)
		read_queue_events(e, port_id);
	else if (rte_eth_devices[port_id].data->dev_link.link_status == RTE_ETH_LINK_DOWN)
		forget_queues(e);
	else if (atomic_load_explicit(&e->vhost_started, memory_order_seq_cst))
		read_features(e);
	/* release: who sees the count sees what was stored before */
	atomic_fetch_add_explicit(&e->events, 1, memory_order_release);
	ethdev_announce_event();
	return 0;
}

void
ethdev_vhost_watch(struct ethdev_ep *e)
{
	/* it tells of every message of the machine; with --log-level it still can */
	if (rte_log_get_level(rte_log_register("lib.vhost.config")) == RTE_LOG_INFO)
		rte_log_set_level_pattern("lib.vhost.config", RTE_LOG_WARNING);
	rte_eth_dev_callback_register(e->port_id, RTE_ETH_EVENT_QUEUE_STATE, on_event, e);
	rte_eth_dev_callback_register(e->port_id, RTE_ETH_EVENT_INTR_LSC, on_event, e);
}

void
ethdev_vhost_unwatch(struct ethdev_ep *e)
{
	/* -EAGAIN: a callback is in work in the driver's thread */
	while (rte_eth_dev_callback_unregister(
		       e->port_id, RTE_ETH_EVENT_QUEUE_STATE, on_event, e) == -EAGAIN)
		rte_pause();
	while (rte_eth_dev_callback_unregister(e->port_id, RTE_ETH_EVENT_INTR_LSC, on_event, e) ==
		-EAGAIN)
		rte_pause();
}

unsigned int
ethdev_vhost_nb_tx(const struct ethdev_ep *e)
{
	uint32_t on = atomic_load_explicit(&e->tx_enabled, memory_order_relaxed);

	/* the first so many in a row: guests enable them in order */
	return on == UINT32_MAX ? 32 : (unsigned int)__builtin_ctz(~on);
}

bool
ethdev_vhost_receives(const struct ethdev_ep *e, uint16_t queue)
{
	return atomic_load_explicit(&e->rx_enabled, memory_order_relaxed) & (1u << queue);
}
