/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_memzone.h>
#include <rte_random.h>

#include "tables.h"
#include "vale_control_proto.h"
#include "vale_log.h"

#define FDB_MZ_NAME "vale_fdb"

/* Slots of an FDB that are swept in a second: half a millisecond at the most. What has expired is
 * found by nobody, swept or not. */
#define SWEEP_SLOTS 65536

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

	if (!s->ending)
		vale_switches_end(s);
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
	struct vale_port *p = vale_alloc_lines(sizeof(*p));

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
int
switch_name_check(struct vale_switches *s, const struct vale_name *name, bool exempt, char *why)
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
int
switch_port_get(struct vale_switches *s, const struct vale_name *name, bool exempt, char *why,
	struct vale_port **out)
{
	struct vale_switch *sw;
	int ret;

	*out = vale_switch_find_port(s, name->full);
	if (*out != NULL)
		return 0;
	ret = switch_name_check(s, name, exempt, why);
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

/* Nobody learns for it any more: forget its addresses. */
void
switch_port_forget(struct vale_switches *s, struct vale_port *p, bool also_static)
{
	/* a table of a million takes milliseconds, and of a switch that ends it goes as a whole */
	if (!s->ending && vale_fdb_port_count(p->sw->fdb, p->idx) > 0)
		vale_fdb_flush(p->sw->fdb, p->idx, also_static);
}

/* Take a port without an endpoint out of its switch and free it. */
void
switch_port_remove(struct vale_switches *s, struct vale_port *p)
{
	struct vale_switch *sw = p->sw;

	switch_port_forget(s, p, true);
	atomic_store_explicit(&sw->port[p->idx], NULL, memory_order_relaxed);
	sw->nb_ports--;
	vale_workers_synchronize(s->ws);
	port_free(p);
	switch_drop_if_empty(s, sw);
}

/* ---- once a second ---- */

void
vale_switches_tick(struct vale_switches *s)
{
	uint32_t ageing_s = atomic_load_explicit(&s->ws->tun.ageing_s, memory_order_relaxed);
	uint32_t now_s = vale_now_s();
	struct vale_switch *sw;

	TAILQ_FOREACH (sw, &s->list, next) {
		if (ageing_s > 0 && vale_fdb_count(sw->fdb) > 0)
			vale_fdb_sweep_part(sw->fdb, &sw->sweep_at, SWEEP_SLOTS, now_s, ageing_s);
		switch_check_links(s, sw);
	}
}
