/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients come and go. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include "tables.h"
#include "vale_control_proto.h"
#include "vale_log.h"
#include "vale_user.h"

/* How long a port whose client has gone is polled on, so that what it sent is forwarded; a full
 * ring of 1,024 frames takes a worker 30 us, the rest is for one that is not scheduled at once. */
#define DRAIN_US 20000

static int
workers_add(struct vale_switches *s, struct vale_endpoint *ep)
{
	for (uint16_t i = 0; i < ep->nb_rxq; i++) {
		int ret = vale_workers_add_rxq(s->ws, ep->rxq[i]);

		if (ret < 0) {
			vale_workers_del_endpoint(s->ws, ep);
			return ret;
		}
	}
	return 0;
}

static int
endpoint_plug(struct vale_switches *s, struct vale_port *p, struct vale_endpoint *ep)
{
	int ret;

	ep->port = p;
	p->linked = switch_endpoint_link(ep);
	/* release: workers that find the endpoint see it complete */
	atomic_store_explicit(&p->ep, ep, memory_order_release);
	ret = vale_switch_update_flood(s, p->sw);
	if (ret == 0)
		ret = workers_add(s, ep);
	if (ret == 0)
		return 0;
	vale_fdb_flush(p->sw->fdb, p->idx, false);
	atomic_store(&p->ep, NULL);
	switch_update_flood_certainly(s, p->sw);
	ep->port = NULL;
	return ret;
}

static int
refuse_held(const struct vale_port *p, const struct vale_endpoint *held, char *why)
{
	if (held->pid != 0)
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s is held by process %d; choose another name, or: "
			"vale-ctl detach %s",
			p->name.full, held->pid, p->name.full);
	else
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s is in use; choose another name, or: "
			"vale-ctl detach %s",
			p->name.full, p->name.full);
	return -EBUSY;
}

int
vale_switch_may_attach(
	struct vale_switches *s, const struct vale_name *name, bool exempt, char *why)
{
	const struct vale_port *p = vale_switch_find_port(s, name->full);
	const struct vale_endpoint *held;

	if (p == NULL)
		return switch_name_check(s, name, exempt, why);
	held = atomic_load(&p->ep);
	return held == NULL ? 0 : refuse_held(p, held, why);
}

int
vale_switch_check_user(struct vale_switches *s, const struct vale_name *name, uid_t uid, char *why)
{
	const struct vale_port *p = vale_switch_find_port(s, name->full);

	if (p == NULL || !p->has_owner || p->owner == uid || vale_user_is_operator(uid))
		return 0;
	snprintf(why, VALE_CTL_TEXT_SZ,
		"%s is reserved for user %u, and you are user %u; choose another name, or have the "
		"operator create it for you: vale-ctl create %s --owner USER",
		name->full, p->owner, uid, name->full);
	return -EACCES;
}

void
vale_switch_reserve_port(struct vale_port *p, uid_t uid)
{
	p->has_owner = true;
	p->owner = uid;
}

/* A kind that does not tell whose its client is gets no port that is reserved. */
static int
check_client(struct vale_switches *s, const struct vale_name *name, const struct vale_endpoint *ep,
	char *why)
{
	return vale_switch_check_user(s, name, ep->has_uid ? ep->uid : (uid_t)-1, why);
}

int
vale_switch_attach(struct vale_switches *s, const struct vale_name *name, struct vale_endpoint *ep,
	const uint8_t *mac, bool exempt, char *why)
{
	struct vale_port *p = NULL;
	int ret;

	ret = vale_switch_may_attach(s, name, exempt, why);
	if (ret == 0)
		ret = check_client(s, name, ep, why);
	if (ret == 0)
		ret = switch_port_get(s, name, exempt, why, &p);
	if (ret < 0)
		return ret;
	if (mac != NULL)
		memcpy(p->mac, mac, sizeof(p->mac));
	ret = endpoint_plug(s, p, ep);
	if (ret < 0) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: no worker could take its queues: %s",
			name->full, rte_strerror(-ret));
		if (!p->persistent)
			switch_port_remove(s, p);
		return ret;
	}
	VALE_LOG(INFO, "port %s attached, process %d", name->full, ep->pid);
	if (s->on_attach != NULL)
		s->on_attach(s->on_attach_arg, p);
	return 0;
}

static bool
endpoint_has_pending(struct vale_endpoint *ep)
{
	if (ep->ops->rx_pending == NULL)
		return false;
	for (uint16_t i = 0; i < ep->nb_rxq; i++) {
		if (ep->ops->rx_pending(ep->rxq[i]) > 0)
			return true;
	}
	return false;
}

/* Wake who polls it. Returns false if there is nothing to forward. */
static bool
endpoint_push(struct vale_switches *s, struct vale_endpoint *ep)
{
	if (!endpoint_has_pending(ep))
		return false;
	for (uint16_t i = 0; i < ep->nb_rxq; i++)
		vale_worker_wake(s->ws, ep->rxq[i]->worker);
	return true;
}

static uint64_t
drain_end(void)
{
	return rte_get_tsc_cycles() + rte_get_tsc_hz() / US_PER_S * DRAIN_US;
}

/* Let workers forward what the client sent before it went. */
static void
endpoint_drain(struct vale_switches *s, struct vale_endpoint *ep)
{
	uint64_t end = drain_end();

	/* when the switch ends, all were drained at once, and workers may have stopped */
	while (!s->ending && endpoint_push(s, ep) && rte_get_tsc_cycles() < end)
		usleep(20);
}

static bool
switch_push(struct vale_switches *s, struct vale_switch *sw)
{
	bool pending = false;

	for (uint32_t i = 0; i < sw->max_ports; i++) {
		struct vale_port *p = atomic_load(&sw->port[i]);
		struct vale_endpoint *ep = p == NULL ? NULL : atomic_load(&p->ep);

		pending |= ep != NULL && endpoint_push(s, ep);
	}
	return pending;
}

void
vale_switches_end(struct vale_switches *s)
{
	uint64_t end = drain_end();
	struct vale_switch *sw;
	bool pending;

	s->ending = true;
	do {
		pending = false;
		TAILQ_FOREACH (sw, &s->list, next)
			pending |= switch_push(s, sw);
		if (pending)
			usleep(20);
	} while (pending && rte_get_tsc_cycles() < end);
}

void
vale_switch_detach(struct vale_switches *s, struct vale_endpoint *ep)
{
	struct vale_port *p = ep->port;
	unsigned int lost;

	p->closing = true;
	switch_update_flood_certainly(s, p->sw);
	endpoint_drain(s, ep);
	/* with one wait nobody delivers to it, receives from it or learns for it any more */
	atomic_store(&p->ep, NULL);
	vale_workers_del_endpoint(s->ws, ep);
	switch_port_forget(s, p, false);
	VALE_LOG(INFO, "port %s lost its client, process %d", p->name.full, ep->pid);
	lost = ep->ops->destroy(ep);
	p->closing = false;
	p->own_device = false;
	if (p->persistent)
		p->lost += lost;
	else
		switch_port_remove(s, p);
}

void
vale_switch_evict(struct vale_switches *s, struct vale_endpoint *ep, const char *why)
{
	if (ep->ops->evict != NULL)
		ep->ops->evict(ep, why);
	vale_switch_detach(s, ep);
}

void
vale_switch_release_port(struct vale_switches *s, struct vale_port *p)
{
	struct vale_endpoint *ep = atomic_load(&p->ep);

	if (ep == NULL) {
		switch_port_remove(s, p);
		return;
	}
	vale_switch_evict(s, ep, "the switch is ending");
}
