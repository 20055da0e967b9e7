/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_memzone.h>
#include <rte_random.h>

#include "vale_control_proto.h"
#include "vale_log.h"
#include "vale_switch.h"
#include "vale_user.h"

/* How long a port whose client has gone is polled on, so that what it sent is forwarded; a full
 * ring of 1,024 frames takes a worker 30 us, the rest is for one that is not scheduled at once. */
#define DRAIN_US 20000

#define FDB_MZ_NAME "vale_fdb"

struct vale_switches {
	struct vale_limits limits;   /* in force */
	struct vale_limits reserved; /* what memory was reserved for */
	struct vale_workers *ws;
	struct vale_switch_list list;
	uint32_t nb_switches;
	bool ending; /* no more ports */
	const struct rte_memzone *fdb_mz;
	size_t fdb_sz;
	bool *fdb_used; /* which parts of fdb_mz have a switch */
	void (*on_attach)(void *arg, struct vale_port *port);
	void *on_attach_arg;
};

struct vale_switches *
vale_switches_create(const struct vale_limits *limits, struct vale_workers *ws)
{
	struct vale_switches *s;

	if (limits->max_switches < 1 || limits->max_ports < 1 ||
		limits->max_ports >= VALE_FDB_PORTS_MAX || limits->fdb_size < 1) {
		rte_errno = EINVAL;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		goto no_memory;
	TAILQ_INIT(&s->list);
	s->limits = s->reserved = *limits;
	s->ws = ws;
	s->fdb_sz = RTE_CACHE_LINE_ROUNDUP(vale_fdb_memsize(limits->fdb_size, limits->max_ports));
	s->fdb_used = calloc(limits->max_switches, sizeof(s->fdb_used[0]));
	s->fdb_mz = rte_memzone_reserve(
		FDB_MZ_NAME, s->fdb_sz * limits->max_switches, SOCKET_ID_ANY, 0);
	if (s->fdb_used == NULL || s->fdb_mz == NULL)
		goto no_memory;
	return s;

no_memory:
	vale_switches_free(s);
	rte_errno = ENOMEM;
	return NULL;
}

void
vale_switches_clear(struct vale_switches *s)
{
	struct vale_switch *sw;

	s->ending = true;
	while ((sw = TAILQ_FIRST(&s->list)) != NULL) {
		struct vale_port *p = NULL;

		for (uint32_t i = 0; p == NULL; i++)
			p = atomic_load(&sw->port[i]);
		p->persistent = false;
		vale_switch_release_port(s, p);
	}
}

void
vale_switches_free(struct vale_switches *s)
{
	if (s == NULL)
		return;
	vale_switches_clear(s);
	rte_memzone_free(s->fdb_mz);
	free(s->fdb_used);
	free(s);
}

struct vale_limits *
vale_switches_limits(struct vale_switches *s)
{
	return &s->limits;
}

const struct vale_limits *
vale_switches_reserved(const struct vale_switches *s)
{
	return &s->reserved;
}

struct vale_workers *
vale_switches_workers(const struct vale_switches *s)
{
	return s->ws;
}

bool
vale_switches_ending(const struct vale_switches *s)
{
	return s->ending;
}

const struct vale_switch_list *
vale_switches_list(const struct vale_switches *s)
{
	return &s->list;
}

void
vale_switches_on_attach(
	struct vale_switches *s, void (*fn)(void *arg, struct vale_port *port), void *arg)
{
	s->on_attach = fn;
	s->on_attach_arg = arg;
}

struct vale_switch *
vale_switch_find(struct vale_switches *s, const char *name)
{
	struct vale_switch *sw;

	TAILQ_FOREACH (sw, &s->list, next) {
		if (strcmp(sw->name, name) == 0)
			return sw;
	}
	return NULL;
}

static struct vale_port *
port_find(struct vale_switch *sw, const char *full)
{
	for (uint32_t i = 0; i < sw->max_ports; i++) {
		struct vale_port *p = atomic_load_explicit(&sw->port[i], memory_order_relaxed);

		if (p != NULL && strcmp(p->name.full, full) == 0)
			return p;
	}
	return NULL;
}

struct vale_port *
vale_switch_find_port(struct vale_switches *s, const char *full)
{
	struct vale_name name;
	struct vale_switch *sw;

	if (vale_name_parse(full, &name, NULL) < 0)
		return NULL;
	sw = vale_switch_find(s, name.sw);
	return sw == NULL ? NULL : port_find(sw, name.full);
}

/* ---- switches ---- */

static int
fdb_take(struct vale_switches *s, struct vale_switch *sw)
{
	for (uint32_t i = 0; i < s->reserved.max_switches; i++) {
		if (s->fdb_used[i])
			continue;
		s->fdb_used[i] = true;
		sw->slot = i;
		sw->fdb = vale_fdb_init(RTE_PTR_ADD(s->fdb_mz->addr, i * s->fdb_sz),
			s->limits.fdb_size, s->reserved.max_ports, rte_rand());
		return 0;
	}
	return -ENOMEM;
}

static void
switch_free(struct vale_switches *s, struct vale_switch *sw)
{
	if (sw->fdb != NULL)
		s->fdb_used[sw->slot] = false;
	free(atomic_load(&sw->flood));
	free(sw->port);
	free(sw);
}

static struct vale_switch *
switch_create(struct vale_switches *s, const char *name)
{
	struct vale_switch *sw = calloc(1, sizeof(*sw));

	if (sw == NULL)
		return NULL;
	snprintf(sw->name, sizeof(sw->name), "%s", name);
	sw->max_ports = s->reserved.max_ports;
	sw->port = calloc(sw->max_ports, sizeof(sw->port[0]));
	atomic_init(&sw->flood, calloc(1, sizeof(struct vale_flood)));
	if (sw->port == NULL || atomic_load(&sw->flood) == NULL || fdb_take(s, sw) < 0) {
		switch_free(s, sw);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->list, sw, next);
	s->nb_switches++;
	VALE_LOG(INFO, "switch %s made", sw->name);
	return sw;
}

static void
switch_drop_if_empty(struct vale_switches *s, struct vale_switch *sw)
{
	if (sw->nb_ports > 0)
		return;
	VALE_LOG(INFO, "switch %s gone with its last port", sw->name);
	TAILQ_REMOVE(&s->list, sw, next);
	s->nb_switches--;
	/* workers left its last port before that port was freed */
	switch_free(s, sw);
}

/* ---- ports ---- */

static void
port_free(struct vale_port *p)
{
	free(p->counters);
	free(p);
}

static struct vale_port *
port_create(struct vale_switches *s, struct vale_switch *sw, const struct vale_name *name)
{
	struct vale_port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	/* a counter line belongs to one worker; not of EAL's heap, whose lock a killed secondary
	 * may hold */
	p->counters = aligned_alloc(
		__alignof__(struct vale_counters), sizeof(p->counters[0]) * s->ws->nb);
	if (p->counters == NULL) {
		free(p);
		return NULL;
	}
	memset(p->counters, 0, sizeof(p->counters[0]) * s->ws->nb);
	p->sw = sw;
	p->name = *name;
	vale_name_mac(name->full, p->mac);
	for (p->idx = 0; atomic_load(&sw->port[p->idx]) != NULL; p->idx++)
		;
	/* release: workers that find the port see what was written above */
	atomic_store_explicit(&sw->port[p->idx], p, memory_order_release);
	sw->nb_ports++;
	return p;
}

/* Whether a name that has no port yet may have one. */
static int
name_check(struct vale_switches *s, const struct vale_name *name, bool exempt, char *why)
{
	const struct vale_switch *sw = vale_switch_find(s, name->sw);

	if (s->ending) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: the switch is ending", name->full);
		return -ESHUTDOWN;
	}
	if (!exempt && vale_name_is_interface(name)) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s: %s is the name of a network interface of this system; "
			"choose another port name, or put the interface on the switch with "
			"vale-ctl attach",
			name->full, name->port);
		return -EINVAL;
	}
	if (sw == NULL && s->nb_switches >= s->limits.max_switches) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s: there are %u switches, as many as max_switches allows; "
			"start vale-switch with a higher --max-switches",
			name->full, s->nb_switches);
		return -ENOMEM;
	}
	if (sw != NULL && sw->nb_ports >= s->limits.max_ports) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s: switch %s has %u ports, as many as max_ports allows; "
			"start vale-switch with a higher --max-ports",
			name->full, sw->name, sw->nb_ports);
		return -ENOMEM;
	}
	return 0;
}

/* Find or make a port. On failure a switch made for it is gone again. */
static int
port_get(struct vale_switches *s, const struct vale_name *name, bool exempt, char *why,
	struct vale_port **out)
{
	struct vale_switch *sw;
	int ret;

	*out = vale_switch_find_port(s, name->full);
	if (*out != NULL)
		return 0;
	ret = name_check(s, name, exempt, why);
	if (ret < 0)
		return ret;
	sw = vale_switch_find(s, name->sw);
	if (sw == NULL)
		sw = switch_create(s, name->sw);
	if (sw != NULL)
		*out = port_create(s, sw, name);
	if (*out != NULL)
		return 0;
	if (sw != NULL)
		switch_drop_if_empty(s, sw);
	snprintf(why, VALE_CTL_TEXT_SZ, "no memory for port %s", name->full);
	return -ENOMEM;
}

/* Take a port without an endpoint out of its switch and free it. */
static void
port_remove(struct vale_switches *s, struct vale_port *p)
{
	struct vale_switch *sw = p->sw;

	vale_fdb_flush(sw->fdb, p->idx, true);
	atomic_store_explicit(&sw->port[p->idx], NULL, memory_order_relaxed);
	sw->nb_ports--;
	vale_workers_synchronize(s->ws);
	port_free(p);
	switch_drop_if_empty(s, sw);
}

/* ---- flooding ---- */

static bool
port_floods(struct vale_port *p)
{
	struct vale_endpoint *ep = p == NULL ? NULL : atomic_load(&p->ep);

	return ep != NULL && !p->closing && p->linked;
}

static bool
endpoint_link(struct vale_endpoint *ep)
{
	return ep->ops->link == NULL || ep->ops->link(ep);
}

int
vale_switch_update_flood(struct vale_switches *s, struct vale_switch *sw)
{
	struct vale_flood *old, *fl;

	fl = calloc(1, sizeof(*fl) + sw->nb_ports * sizeof(fl->port[0]));
	if (fl == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < sw->max_ports; i++) {
		struct vale_port *p = atomic_load(&sw->port[i]);

		if (port_floods(p))
			fl->port[fl->nb++] = p;
	}
	/* release: who reads the pointer sees the list */
	old = atomic_exchange_explicit(&sw->flood, fl, memory_order_acq_rel);
	vale_workers_synchronize(s->ws);
	free(old);
	return 0;
}

/* The same where there is no way back. */
static void
update_flood_certainly(struct vale_switches *s, struct vale_switch *sw)
{
	while (vale_switch_update_flood(s, sw) < 0) {
		VALE_LOG(ERR, "no memory for the flood list of %s; trying again", sw->name);
		usleep(100000);
	}
}

/* ---- clients come and go ---- */

static int
workers_add(struct vale_switches *s, struct vale_endpoint *ep)
{
	for (uint16_t i = 0; i < ep->nb_rxq; i++) {
		int ret = vale_workers_add_rxq(s->ws, ep->rxq[i]);

		if (ret < 0) {
			while (i-- > 0)
				vale_workers_del_rxq(s->ws, ep->rxq[i]);
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
	p->linked = endpoint_link(ep);
	/* release: workers that find the endpoint see it complete */
	atomic_store_explicit(&p->ep, ep, memory_order_release);
	ret = vale_switch_update_flood(s, p->sw);
	if (ret == 0)
		ret = workers_add(s, ep);
	if (ret == 0)
		return 0;
	vale_fdb_flush(p->sw->fdb, p->idx, false);
	atomic_store(&p->ep, NULL);
	update_flood_certainly(s, p->sw);
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
		return name_check(s, name, exempt, why);
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
		ret = port_get(s, name, exempt, why, &p);
	if (ret < 0)
		return ret;
	if (mac != NULL)
		memcpy(p->mac, mac, sizeof(p->mac));
	ret = endpoint_plug(s, p, ep);
	if (ret < 0) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: no worker could take its queues: %s",
			name->full, rte_strerror(-ret));
		if (!p->persistent)
			port_remove(s, p);
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

/* Let workers forward what the client sent before it went. */
static void
endpoint_drain(struct vale_switches *s, struct vale_endpoint *ep)
{
	uint64_t end = rte_get_tsc_cycles() + rte_get_tsc_hz() / US_PER_S * DRAIN_US;

	while (endpoint_has_pending(ep) && rte_get_tsc_cycles() < end) {
		for (uint16_t i = 0; i < ep->nb_rxq; i++)
			vale_worker_wake(s->ws, ep->rxq[i]->worker);
		usleep(20);
	}
}

void
vale_switch_detach(struct vale_switches *s, struct vale_endpoint *ep)
{
	struct vale_port *p = ep->port;
	unsigned int lost;

	p->closing = true;
	update_flood_certainly(s, p->sw);
	endpoint_drain(s, ep);
	for (uint16_t i = 0; i < ep->nb_rxq; i++)
		vale_workers_del_rxq(s->ws, ep->rxq[i]);
	vale_fdb_flush(p->sw->fdb, p->idx, false);
	atomic_store(&p->ep, NULL);
	vale_workers_synchronize(s->ws);
	VALE_LOG(INFO, "port %s lost its client, process %d", p->name.full, ep->pid);
	lost = ep->ops->destroy(ep);
	p->closing = false;
	p->own_device = false;
	if (p->persistent)
		p->lost += lost;
	else
		port_remove(s, p);
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
		port_remove(s, p);
		return;
	}
	vale_switch_evict(s, ep, "the switch is ending");
}

/* ---- persistent ports ---- */

int
vale_switch_create_port(
	struct vale_switches *s, const struct vale_name *name, const uint8_t *mac, char *why)
{
	struct vale_port *p;
	int ret;

	ret = port_get(s, name, false, why, &p);
	if (ret < 0)
		return ret;
	if (p->persistent) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s is persistent already", name->full);
		return -EEXIST;
	}
	p->persistent = true;
	if (mac != NULL)
		vale_switch_set_mac(p, mac);
	return 0;
}

int
vale_switch_create_with(struct vale_switches *s, const struct vale_name *name,
	struct vale_endpoint *ep, const uint8_t *mac, char *why)
{
	struct vale_port *p;
	int ret = vale_switch_attach(s, name, ep, mac, true, why);

	if (ret < 0)
		return ret;
	p = ep->port;
	p->persistent = true;
	p->own_device = true;
	return 0;
}

void
vale_switch_set_mac(struct vale_port *p, const uint8_t *mac)
{
	struct vale_endpoint *ep = atomic_load(&p->ep);

	memcpy(p->mac, mac, sizeof(p->mac));
	if (ep != NULL && ep->ops->set_mac != NULL)
		ep->ops->set_mac(ep, mac);
}

int
vale_switch_destroy_port(struct vale_switches *s, const char *full, char *why)
{
	struct vale_port *p = vale_switch_find_port(s, full);
	struct vale_endpoint *ep;

	if (p == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "there is no port %s", full);
		return -ENXIO;
	}
	if (!p->persistent) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s is not persistent; it goes with its client",
			full);
		return -EINVAL;
	}
	ep = atomic_load(&p->ep);
	if (ep != NULL && p->own_device) {
		p->persistent = false;
		vale_switch_evict(s, ep, "the operator destroyed this port");
		return 0;
	}
	if (ep != NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s is held by process %d; first: vale-ctl detach %s", full, ep->pid, full);
		return -EBUSY;
	}
	port_remove(s, p);
	return 0;
}

/* ---- once a second ---- */

static void
switch_check_links(struct vale_switches *s, struct vale_switch *sw)
{
	bool changed = false;

	for (uint32_t i = 0; i < sw->max_ports; i++) {
		struct vale_port *p = atomic_load_explicit(&sw->port[i], memory_order_relaxed);
		struct vale_endpoint *ep = p == NULL ? NULL : atomic_load(&p->ep);
		bool link;

		if (ep == NULL)
			continue;
		link = endpoint_link(ep);
		changed |= link != p->linked;
		p->linked = link;
	}
	if (changed && vale_switch_update_flood(s, sw) < 0)
		VALE_LOG(ERR, "no memory for the flood list of %s; a changed link is not seen",
			sw->name);
}

void
vale_switches_tick(struct vale_switches *s)
{
	uint32_t ageing_s = atomic_load_explicit(&s->ws->tun.ageing_s, memory_order_relaxed);
	uint32_t now_s = vale_now_s();
	struct vale_switch *sw;

	TAILQ_FOREACH (sw, &s->list, next) {
		if (ageing_s > 0 && vale_fdb_count(sw->fdb) > 0)
			vale_fdb_sweep(sw->fdb, now_s, ageing_s);
		switch_check_links(s, sw);
	}
}
