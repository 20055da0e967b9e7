/* SPDX-License-Identifier: BSD-3-Clause */
/* NM_CTRL and NM_STATE: requests taken apart, and answered in any case with body and options. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "netmap_port.h"
#include "pages.h"
#include "vale_gate.h"
#include "vale_log.h"

static int
unsupported(struct nm_call *c)
{
	return nm_call_fail(c, -EOPNOTSUPP, "kernel loops and CSB do not exist here");
}

static int
polling(struct nm_call *c)
{
	return nm_call_fail(c, -EINVAL, "polling is the business of the switch's workers");
}

static int (*const handlers[])(struct nm_call *c) = {
	[NETMAP_REQ_REGISTER] = nm_req_register,
	[NETMAP_REQ_PORT_INFO_GET] = nm_req_port_info,
	[NETMAP_REQ_VALE_ATTACH] = nm_req_vale_attach,
	[NETMAP_REQ_VALE_DETACH] = nm_req_vale_detach,
	[NETMAP_REQ_VALE_LIST] = nm_req_vale_list,
	[NETMAP_REQ_PORT_HDR_SET] = nm_req_hdr_set,
	[NETMAP_REQ_PORT_HDR_GET] = nm_req_hdr_get,
	[NETMAP_REQ_VALE_NEWIF] = nm_req_newif,
	[NETMAP_REQ_VALE_DELIF] = nm_req_delif,
	[NETMAP_REQ_VALE_POLLING_ENABLE] = polling,
	[NETMAP_REQ_VALE_POLLING_DISABLE] = polling,
	[NETMAP_REQ_POOLS_INFO_GET] = nm_req_pools_info,
	[NETMAP_REQ_SYNC_KLOOP_START] = unsupported,
	[NETMAP_REQ_SYNC_KLOOP_STOP] = unsupported,
	[NETMAP_REQ_CSB_ENABLE] = unsupported,
};

/* As netmap: each kind of option once, and none is supported until a request says so. */
static int
check_options(struct nm_call *c)
{
	struct vale_ctl_nm_opt *opts = c->reply.opts;
	int ret = 0;

	for (uint32_t i = 0; i < c->reply.nb_opts; i++)
		opts[i].status = 0;
	for (uint32_t i = 0; i < c->reply.nb_opts; i++) {
		if (opts[i].reqtype < 1) {
			opts[i].status = EINVAL;
			ret = nm_call_fail(c, -EINVAL, "an option of no kind");
		}
		for (uint32_t j = 0; opts[i].reqtype < NETMAP_REQ_OPT_MAX && j < i; j++) {
			if (opts[j].reqtype != opts[i].reqtype)
				continue;
			opts[i].status = opts[j].status = EINVAL;
			ret = nm_call_fail(c, -EINVAL, "an option is given twice");
		}
	}
	for (uint32_t i = 0; ret == 0 && i < c->reply.nb_opts; i++)
		opts[i].status = EOPNOTSUPP;
	return ret;
}

/* What changes the switch for others is the operator's, as with vale-ctl's verbs. */
static bool
is_for_operators(uint16_t reqtype)
{
	return reqtype == NETMAP_REQ_VALE_ATTACH || reqtype == NETMAP_REQ_VALE_DETACH ||
	       reqtype == NETMAP_REQ_VALE_NEWIF || reqtype == NETMAP_REQ_VALE_DELIF;
}

static int
dispatch(struct nm_call *c, uint16_t version)
{
	int ret;

	if (version < NETMAP_MIN_API || version > NETMAP_API)
		return nm_call_fail(
			c, -EINVAL, "the program speaks another version of netmap's API than 14");
	if (c->reqtype >= RTE_DIM(handlers) || handlers[c->reqtype] == NULL)
		return nm_call_fail(c, -EINVAL, "there is no such request");
	if (is_for_operators(c->reqtype) && !vale_conn_is_operator(c->conn))
		return nm_call_fail(c, -EPERM, "only root and the user that runs the switch may");
	ret = check_options(c);
	return ret < 0 ? ret : handlers[c->reqtype](c);
}

static void
handle_ctrl(void *arg, struct vale_conn *conn, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_nm_req *req = (const void *)msg;
	struct nm_call c = {.conn = conn, .reqtype = req->reqtype};
	int ret;

	memcpy(c.text, req->name, sizeof(req->name));
	if (vale_conn_is_operator(conn) && nm_call_needs_device(&c) &&
		vale_gate_defer(conn, msg, handle_ctrl, arg))
		return;
	memcpy(c.reply.name, req->name, sizeof(req->name));
	memcpy(c.reply.body, req->body, sizeof(req->body));
	c.reply.nb_opts = RTE_MIN(req->nb_opts, (uint32_t)VALE_CTL_NM_OPTS_MAX);
	memcpy(c.reply.opts, req->opts, sizeof(req->opts));
	ret = dispatch(&c, req->version);
	c.reply.r.error = -ret;
	if (ret == 0 && c.reqtype == NETMAP_REQ_REGISTER &&
		nm_extra_answer_later(nm_bind_of(conn), msg, &c.reply))
		return;
	if (ret < 0) {
		memcpy(c.reply.r.text, c.why, sizeof(c.reply.r.text));
		VALE_LOG(INFO, "refused process %d: %s", vale_conn_pid(conn), c.why);
	}
	vale_conn_reply(conn, msg, &c.reply.r, sizeof(c.reply), NULL, 0);
}

static void
state_of(const struct nm_bind *b, struct vale_ctl_nm_state_reply *r)
{
	struct nm_port *p = b->port;

	memcpy(r->name, b->name, sizeof(r->name));
	r->if_off = nm_region_if_off(p->region, b->idx);
	r->size = p->region->size;
	r->flags = b->flags;
	r->mode = b->mode;
	r->ringid = b->ringid;
	r->mem_id = p->region->mem_id;
	r->bind = b->idx;
	r->tx_first = b->first[NM_TX];
	r->tx_last = b->last[NM_TX];
	r->rx_first = b->first[NM_RX];
	r->rx_last = b->last[NM_RX];
	r->hdr_len = atomic_load_explicit(&p->hdr_len, memory_order_relaxed);
	r->tx_kring = p->place.krings.first;
	r->rx_kring = p->place.krings.first + p->geo.nb_rings[NM_TX];
	r->nb_tx_slots = p->geo.nb_slots[NM_TX];
	r->nb_rx_slots = p->geo.nb_slots[NM_RX];
	r->nb_tx_rings = p->geo.nb_rings[NM_TX];
	r->nb_rx_rings = p->geo.nb_rings[NM_RX];
}

static void
handle_state(void *arg, struct vale_conn *conn, const struct vale_ctl_hdr *msg)
{
	const struct nm_bind *b = nm_bind_of(conn);
	struct vale_ctl_nm_state_reply r = {0};

	if (b == NULL) {
		vale_conn_refuse(conn, msg, ENXIO, "this descriptor is bound to no port");
		return;
	}
	state_of(b, &r);
	vale_conn_reply(conn, msg, &r.r, sizeof(r), &b->port->region->memfd, 1);
}

int
vale_netmap_init(
	const struct vale_netmap_conf *conf, struct vale_switches *s, struct vale_server *server)
{
	int ret = nm_pages_start();

	if (ret < 0)
		VALE_LOG(WARNING, "no thread for the memory of large netmap ports: %s",
			strerror(-ret));
	nm_ports_init(conf, s);
	nm_vi_init(s);
	nm_requests_init(s);
	vale_server_handle(
		server, VALE_CTL_NM_CTRL, sizeof(struct vale_ctl_nm_req), handle_ctrl, NULL);
	vale_server_handle(
		server, VALE_CTL_NM_STATE, sizeof(struct vale_ctl_hdr), handle_state, NULL);
	return nm_extra_init(server);
}

void
vale_netmap_fini(void)
{
	nm_ports_fini();
	nm_pages_stop();
	nm_extra_fini();
	nm_vi_fini();
}
