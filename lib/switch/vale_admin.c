/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_version.h>

#include "admin.h"
#include "vale_admin.h"
#include "vale_config.h"
#include "vale_gate.h"
#include "vale_log.h"
#include "vars.h"
#include "worker_list.h"

/* A client that waits for a port to have a client. */
struct waiter {
	struct vale_conn *conn;
	struct vale_ctl_hdr req;
	char name[VALE_NAME_SZ];
	TAILQ_ENTRY(waiter) next;
};

/* Control thread only. */
static struct {
	struct vale_admin_conf conf;
	struct vale_switches *switches;
	TAILQ_HEAD(, waiter) waiters;
} a;

void
admin_reply_ok(struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct vale_ctl_reply r = {0};

	vale_conn_reply(c, msg, &r, sizeof(r), NULL, 0);
}

void
admin_answer(struct vale_conn *c, const struct vale_ctl_hdr *msg, int ret, const char *why)
{
	if (ret < 0)
		vale_conn_refuse(c, msg, -ret, "%s", why);
	else
		admin_reply_ok(c, msg);
}

/* Check the strings of a name request and take the port's name apart. */
bool
admin_check_name(struct vale_conn *c, const struct vale_ctl_hdr *msg, const char *text, size_t sz,
	struct vale_name *name)
{
	const char *why;
	int ret;

	if (!vale_conn_check_text(c, msg, text, sz, "port name"))
		return false;
	ret = vale_name_parse(text, name, &why);
	if (ret < 0)
		vale_conn_refuse(c, msg, -ret, "%s: %s", text, why);
	return ret == 0;
}

/* ---- list ---- */

static void
port_record(struct vale_port *p, struct vale_ctl_port_rec *r)
{
	struct vale_endpoint *ep = atomic_load(&p->ep);
	struct vale_counters_sum sum;

	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", p->name.full);
	memcpy(r->mac, p->mac, sizeof(r->mac));
	r->persistent = p->persistent;
	if (p->has_owner)
		r->owner_plus_1 = p->owner + 1;
	vale_counters_sum(p->counters, vale_switches_workers(a.switches)->nb, &sum);
	r->rx_packets = sum.rx_packets;
	r->rx_bytes = sum.rx_bytes;
	r->tx_packets = sum.tx_packets;
	r->tx_bytes = sum.tx_bytes;
	r->nb_drops = VALE_DROP_MAX;
	static_assert(VALE_DROP_MAX <= VALE_CTL_DROPS, "reasons fit");
	for (int i = 0; i < VALE_DROP_MAX; i++)
		r->drops[i] = sum.drops[i];
	/* sent by a client that ended before a worker took them */
	r->rx_packets += p->lost;
	r->drops[VALE_DROP_PORT_GONE] += p->lost;
	if (ep == NULL)
		return;
	r->kind = ep->ops->kind;
	r->pid = ep->pid;
	r->queues = ep->nb_rxq;
	r->link = p->linked;
	if (ep->ops->describe != NULL)
		ep->ops->describe(ep, r->detail, sizeof(r->detail));
}

/* Whether a port is asked for by "", its switch's name or its own. */
static bool
list_matches(const struct vale_port *p, const char *filter)
{
	return filter[0] == '\0' || strcmp(p->name.sw, filter) == 0 ||
	       strcmp(p->name.full, filter) == 0;
}

static int
compare_records(const void *x, const void *y)
{
	const struct vale_ctl_port_rec *r = x, *q = y;
	size_t rs = strcspn(r->name, ":"), qs = strcspn(q->name, ":");
	int diff = strncmp(r->name, q->name, RTE_MIN(rs, qs));

	if (diff != 0)
		return diff;
	if (rs != qs)
		return rs < qs ? -1 : 1;
	return strverscmp(r->name, q->name);
}

static uint32_t
list_ports(const char *filter, struct vale_ctl_port_rec *recs)
{
	struct vale_switch *sw;
	uint32_t n = 0;

	TAILQ_FOREACH (sw, vale_switches_list(a.switches), next) {
		for (uint32_t i = 0; i < sw->max_ports; i++) {
			struct vale_port *p =
				atomic_load_explicit(&sw->port[i], memory_order_relaxed);

			if (p != NULL && list_matches(p, filter))
				port_record(p, &recs[n++]);
		}
	}
	qsort(recs, n, sizeof(recs[0]), compare_records);
	return n;
}

static uint32_t
count_ports(void)
{
	struct vale_switch *sw;
	uint32_t n = 0;

	TAILQ_FOREACH (sw, vale_switches_list(a.switches), next)
		n += sw->nb_ports;
	return n;
}

static void
handle_list(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	struct vale_ctl_port_rec *recs;
	const char *why;
	uint32_t n;

	if (!vale_conn_check_text(c, msg, req->name, sizeof(req->name), "name"))
		return;
	recs = calloc(count_ports() + 1, sizeof(*recs));
	if (recs == NULL) {
		vale_conn_refuse(c, msg, ENOMEM, "no memory for a list of ports");
		return;
	}
	n = list_ports(req->name, recs);
	if (n == 0 && strchr(req->name, ':') != NULL) {
		struct vale_name name;
		int ret = vale_name_parse(req->name, &name, &why);

		if (ret < 0)
			vale_conn_refuse(c, msg, -ret, "%s: %s", req->name, why);
		else
			vale_conn_refuse(c, msg, ENXIO, "there is no port %s", req->name);
	} else if (n == 0 && req->name[0] != '\0') {
		vale_conn_refuse(c, msg, ENOENT, "there is no switch %s", req->name);
	} else {
		vale_conn_reply_records(c, msg, recs, sizeof(recs[0]), n);
	}
	free(recs);
}

/* ---- ports ---- */

static void
handle_create(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	char why[VALE_CTL_TEXT_SZ] = "";
	struct vale_name name;

	if (!admin_check_name(c, msg, req->name, sizeof(req->name), &name))
		return;
	if (req->has_mac && (req->mac[0] & 1)) {
		vale_conn_refuse(c, msg, EINVAL,
			"%s: a group address cannot be a port's MAC address", name.full);
		return;
	}
	admin_answer(c, msg,
		vale_switch_create_port(a.switches, &name, req->has_mac ? req->mac : NULL, why),
		why);
}

/* The port that a request of CREATE_PORT makes, as far as it needs no device. */
static int
create_plain(const struct vale_ctl_create_req *req, const struct vale_name *name, char *why)
{
	return vale_switch_create_port(a.switches, name, req->has_mac ? req->mac : NULL, why);
}

static int
create_port(const struct vale_ctl_create_req *req, const struct vale_name *name, char *why)
{
	if (req->device == VALE_CTL_DEVICE_NONE)
		return create_plain(req, name, why);
	if (a.conf.create_device != NULL)
		return a.conf.create_device(req, name, why);
	snprintf(why, VALE_CTL_TEXT_SZ, "%s: this switch makes no devices", name->full);
	return -ENOTSUP;
}

static void
handle_create_port(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_create_req *req = (const void *)msg;
	char why[VALE_CTL_TEXT_SZ] = "";
	struct vale_name name;
	int ret;

	if (!admin_check_name(c, msg, req->name, sizeof(req->name), &name) ||
		!vale_conn_check_text(c, msg, req->path, sizeof(req->path), "path"))
		return;
	if (req->has_mac && (req->mac[0] & 1)) {
		vale_conn_refuse(c, msg, EINVAL,
			"%s: a group address cannot be a port's MAC address", name.full);
		return;
	}
	if (req->device != VALE_CTL_DEVICE_NONE && vale_gate_defer(c, msg, handle_create_port, arg))
		return;
	ret = create_port(req, &name, why);
	if (ret == 0 && req->has_owner)
		vale_switch_reserve_port(vale_switch_find_port(a.switches, name.full), req->owner);
	admin_answer(c, msg, ret, why);
}

/* Whether a device goes with its client, which needs locks of DPDK's. */
static bool
has_device(const struct vale_port *p)
{
	const struct vale_endpoint *ep = p == NULL ? NULL : atomic_load(&p->ep);

	return ep != NULL && ep->ops->kind == VALE_CTL_KIND_ETHDEV;
}

static void
handle_destroy(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	char why[VALE_CTL_TEXT_SZ] = "";
	struct vale_name name;

	if (!admin_check_name(c, msg, req->name, sizeof(req->name), &name) ||
		(has_device(vale_switch_find_port(a.switches, name.full)) &&
			vale_gate_defer(c, msg, handle_destroy, arg)))
		return;
	admin_answer(c, msg, vale_switch_destroy_port(a.switches, name.full, why), why);
}

static void
handle_detach(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	struct vale_endpoint *ep;
	struct vale_name name;
	struct vale_port *p;

	if (!admin_check_name(c, msg, req->name, sizeof(req->name), &name))
		return;
	p = vale_switch_find_port(a.switches, name.full);
	ep = p == NULL ? NULL : atomic_load(&p->ep);
	if (ep == NULL) {
		vale_conn_refuse(c, msg, ENXIO,
			p == NULL ? "there is no port %s" : "%s has no client", name.full);
		return;
	}
	if (!vale_conn_is_operator(c) && !(p->has_owner && p->owner == vale_conn_uid(c))) {
		vale_conn_refuse(c, msg, EPERM,
			"only root, the user that runs the switch (uid %u) and the owner of %s may "
			"detach it, not uid %u",
			geteuid(), name.full, vale_conn_uid(c));
		return;
	}
	if (has_device(p) && vale_gate_defer(c, msg, handle_detach, arg))
		return;
	vale_switch_evict(a.switches, ep, "the operator detached this port");
	admin_reply_ok(c, msg);
}

/* ---- wait ---- */

static void
waiter_free(void *arg)
{
	struct waiter *w = arg;

	TAILQ_REMOVE(&a.waiters, w, next);
	free(w);
}

static void
on_attach(void *arg, struct vale_port *port)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&a.waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, next);
		if (strcmp(w->name, port->name.full) != 0)
			continue;
		vale_conn_on_close(w->conn, NULL, NULL);
		admin_reply_ok(w->conn, &w->req);
		waiter_free(w);
	}
}

static void
handle_wait(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	struct vale_name name;
	struct vale_port *p;
	struct waiter *w;

	if (!admin_check_name(c, msg, req->name, sizeof(req->name), &name))
		return;
	p = vale_switch_find_port(a.switches, name.full);
	if (p != NULL && atomic_load(&p->ep) != NULL) {
		admin_reply_ok(c, msg);
		return;
	}
	if (vale_conn_bound(c)) {
		vale_conn_refuse(c, msg, EBUSY, "this connection waits already, or holds a port");
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		vale_conn_refuse(c, msg, ENOMEM, "no memory to wait for %s", name.full);
		return;
	}
	w->conn = c;
	w->req = *msg;
	snprintf(w->name, sizeof(w->name), "%s", name.full);
	TAILQ_INSERT_TAIL(&a.waiters, w, next);
	vale_conn_on_close(c, waiter_free, w);
}

/* ---- variables and version ---- */

static void
handle_get(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_var_req *req = (const void *)msg;
	struct vale_ctl_get_reply r = {0};

	if (!vale_conn_check_text(c, msg, req->name, sizeof(req->name), "name"))
		return;
	r.r.nb_recs = vale_vars_get(req->name, r.vars, VALE_CTL_VARS_MAX);
	if (r.r.nb_recs == 0) {
		vale_conn_refuse(
			c, msg, ENOENT, "there is no variable %s; see: vale-ctl get", req->name);
		return;
	}
	vale_conn_reply(c, msg, &r.r, sizeof(r), NULL, 0);
}

static void
handle_set(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_var_req *req = (const void *)msg;
	char why[VALE_CTL_TEXT_SZ] = "";

	if (vale_conn_check_text(c, msg, req->name, sizeof(req->name), "name") &&
		vale_conn_check_text(c, msg, req->value, sizeof(req->value), "value"))
		admin_answer(c, msg, vale_vars_set(req->name, req->value, why), why);
}

static void
handle_version(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct vale_ctl_version_reply r = {.pid = getpid()};

	snprintf(r.vale_version, sizeof(r.vale_version), "%s", VALE_VERSION);
	snprintf(r.dpdk_version, sizeof(r.dpdk_version), "%s", rte_version());
	snprintf(r.prefix, sizeof(r.prefix), "%s", a.conf.prefix);
	vale_conn_reply(c, msg, &r.r, sizeof(r), NULL, 0);
}

/* ---- start and end ---- */

static void
tick(void *arg)
{
	vale_switches_tick(a.switches);
}

static void
spread(void *arg)
{
	vale_workers_spread(arg);
}

int
vale_admin_init(
	const struct vale_admin_conf *conf, struct vale_switches *s, struct vale_server *server)
{
	const size_t name_sz = sizeof(struct vale_ctl_name_req);
	const size_t var_sz = sizeof(struct vale_ctl_var_req);
	int ret;

	a.conf = *conf;
	a.switches = s;
	TAILQ_INIT(&a.waiters);
	vale_vars_init(s, conf->pool, conf->verbose);
	vale_switches_on_attach(s, on_attach, NULL);
	vale_server_handle(server, VALE_CTL_LIST, name_sz, handle_list, NULL);
	vale_server_handle_operator(server, VALE_CTL_CREATE, name_sz, handle_create, NULL);
	vale_server_handle_operator(server, VALE_CTL_CREATE_PORT,
		sizeof(struct vale_ctl_create_req), handle_create_port, NULL);
	vale_server_handle_operator(server, VALE_CTL_DESTROY, name_sz, handle_destroy, NULL);
	vale_server_handle(server, VALE_CTL_DETACH, name_sz, handle_detach, NULL);
	vale_server_handle(server, VALE_CTL_WAIT, name_sz, handle_wait, NULL);
	vale_server_handle(server, VALE_CTL_GET, var_sz, handle_get, NULL);
	vale_server_handle_operator(server, VALE_CTL_SET, var_sz, handle_set, NULL);
	vale_server_handle(
		server, VALE_CTL_VERSION_GET, sizeof(struct vale_ctl_hdr), handle_version, NULL);
	admin_fdb_init(s, server);
	vale_worker_list_init(vale_switches_workers(s), server);
	ret = vale_server_every(server, 1000, tick, NULL);
	if (ret == 0)
		ret = vale_server_every(server, VALE_SPREAD_MS, spread, vale_switches_workers(s));
	return ret;
}

void
vale_admin_fini(void)
{
	struct waiter *w;

	while ((w = TAILQ_FIRST(&a.waiters)) != NULL) {
		vale_conn_on_close(w->conn, NULL, NULL);
		waiter_free(w);
	}
}
