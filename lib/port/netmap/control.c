/* SPDX-License-Identifier: BSD-3-Clause */
/* NIOCCTRL: what netmap programs ask, answered as netmap does. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "netmap_port.h"
#include "vale_control_proto.h"
#include "vale_log.h"

/* Control thread only. */
static struct {
	struct vale_switches *switches;
} n;

/* A request in work: private copies of what came, and what will be answered. */
struct call {
	struct vale_conn *conn;
	const struct vale_ctl_hdr *hdr;
	uint16_t reqtype;
	char text[NETMAP_REQ_IFNAMSIZ + 1]; /* the name, with a NUL in any case */
	struct vale_ctl_nm_reply reply;
	char why[VALE_CTL_TEXT_SZ];
};

static int
fail(struct call *c, int err, const char *what)
{
	snprintf(c->why, sizeof(c->why), "%s: %s", c->text, what);
	return err;
}

/* ---- register ---- */

static uint32_t
in_bounds(uint32_t v, uint32_t dflt, uint32_t max)
{
	return v == 0 ? dflt : RTE_MIN(v, max);
}

static void
geometry_of(const struct nmreq_register *reg, struct nm_geometry *g)
{
	g->nb_rings[NM_TX] = in_bounds(reg->nr_tx_rings, 1, VALE_NM_RINGS_MAX);
	g->nb_rings[NM_RX] = in_bounds(reg->nr_rx_rings, 1, VALE_NM_RINGS_MAX);
	g->nb_slots[NM_TX] = in_bounds(reg->nr_tx_slots, VALE_NM_SLOTS, VALE_NM_SLOTS_MAX);
	g->nb_slots[NM_RX] = in_bounds(reg->nr_rx_slots, VALE_NM_SLOTS, VALE_NM_SLOTS_MAX);
}

/* What a mode means here: rings of a VALE port, all or one pair. */
static int
check_mode(struct call *c, const struct nmreq_register *reg)
{
	switch (reg->nr_mode) {
	case NR_REG_ALL_NIC:
	case NR_REG_ONE_NIC:
		break;
	case NR_REG_PIPE_MASTER:
	case NR_REG_PIPE_SLAVE:
	case NR_REG_NULL:
		return fail(c, -EOPNOTSUPP, "pipes and null ports do not exist here");
	default:
		return fail(c, -EINVAL, "no such mode for a VALE port, which has no host rings");
	}
	if (reg->nr_flags & (NR_MONITOR_TX | NR_MONITOR_RX))
		return fail(c, -EOPNOTSUPP, "monitors do not exist here; see vale-ctl capture");
	return 0;
}

static int
parse_name(struct call *c, struct vale_name *name)
{
	const char *wrong;
	int ret;

	if (strlen(c->text) >= NETMAP_REQ_IFNAMSIZ)
		return fail(c, -ENOMEM, "the name is too long");
	ret = vale_name_parse(c->text, name, &wrong);
	return ret < 0 ? fail(c, ret, wrong) : 0;
}

static void
register_answer(struct nmreq_register *reg, const struct nm_bind *b)
{
	const struct nm_port *p = b->port;

	reg->nr_offset = nm_region_if_off(p->region, b->idx);
	reg->nr_memsize = p->region->size;
	reg->nr_tx_slots = p->geo.nb_slots[NM_TX];
	reg->nr_rx_slots = p->geo.nb_slots[NM_RX];
	reg->nr_tx_rings = p->geo.nb_rings[NM_TX];
	reg->nr_rx_rings = p->geo.nb_rings[NM_RX];
	reg->nr_host_tx_rings = reg->nr_host_rx_rings = 0;
	reg->nr_mem_id = p->region->mem_id;
	reg->nr_extra_bufs = b->extra.nb;
}

static int
do_register(struct call *c)
{
	struct nm_register req = {.text = c->text};
	struct nmreq_register reg;
	struct nm_bind *b;
	int ret;

	memcpy(&reg, c->reply.body, sizeof(reg));
	if (vale_conn_bound(c->conn))
		return fail(c, -EBUSY, "this descriptor is bound to a port already");
	ret = check_mode(c, &reg);
	if (ret == 0)
		ret = parse_name(c, &req.name);
	if (ret < 0)
		return ret;
	geometry_of(&reg, &req.geo);
	req.mem_id = reg.nr_mem_id;
	req.mode = reg.nr_mode;
	req.ringid = reg.nr_ringid;
	req.flags = reg.nr_flags;
	req.nb_extra_bufs = RTE_MIN(reg.nr_extra_bufs, (uint32_t)VALE_NM_EXTRA_BUFS_MAX);
	ret = nm_bind_create(&req, c->conn, &b, c->why);
	if (ret < 0)
		return ret;
	register_answer(&reg, b);
	memcpy(c->reply.body, &reg, sizeof(reg));
	return 0;
}

/* ---- all requests ---- */

static int
dispatch(struct call *c)
{
	switch (c->reqtype) {
	case NETMAP_REQ_REGISTER:
		return do_register(c);
	default:
		return fail(c, -EINVAL, "no such request");
	}
}

static void
handle_ctrl(void *arg, struct vale_conn *conn, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_nm_req *req = (const void *)msg;
	struct call c = {.conn = conn, .hdr = msg, .reqtype = req->reqtype};
	int ret;

	memcpy(c.text, req->name, sizeof(req->name));
	memcpy(c.reply.name, req->name, sizeof(req->name));
	memcpy(c.reply.body, req->body, sizeof(req->body));
	c.reply.nb_opts = RTE_MIN(req->nb_opts, (uint32_t)VALE_CTL_NM_OPTS_MAX);
	memcpy(c.reply.opts, req->opts, sizeof(req->opts));
	if (req->version < NETMAP_MIN_API || req->version > NETMAP_API)
		ret = fail(&c, -EINVAL, "the program speaks another version of netmap's API");
	else
		ret = dispatch(&c);
	c.reply.r.error = -ret;
	if (ret < 0) {
		snprintf(c.reply.r.text, sizeof(c.reply.r.text), "%s", c.why);
		VALE_LOG(INFO, "refused process %d: %s", vale_conn_pid(conn), c.why);
	}
	vale_conn_reply(conn, msg, &c.reply.r, sizeof(c.reply), NULL, 0);
}

static void
handle_state(void *arg, struct vale_conn *conn, const struct vale_ctl_hdr *msg)
{
	const struct nm_bind *b = nm_bind_of(conn);
	struct vale_ctl_nm_state_reply r = {0};
	const struct nm_port *p;

	if (b == NULL) {
		vale_conn_refuse(conn, msg, ENXIO, "this descriptor is bound to no port");
		return;
	}
	p = b->port;
	memcpy(r.name, b->name, sizeof(r.name));
	r.if_off = nm_region_if_off(p->region, b->idx);
	r.size = p->region->size;
	r.flags = b->flags;
	r.mode = b->mode;
	r.ringid = b->ringid;
	r.mem_id = p->region->mem_id;
	r.bind = b->idx;
	r.tx_first = b->first[NM_TX];
	r.tx_last = b->last[NM_TX];
	r.rx_first = b->first[NM_RX];
	r.rx_last = b->last[NM_RX];
	r.hdr_len = atomic_load(&((struct nm_port *)(uintptr_t)p)->hdr_len);
	r.tx_kring = p->place.krings.first;
	r.rx_kring = p->place.krings.first + p->geo.nb_rings[NM_TX];
	r.nb_tx_slots = p->geo.nb_slots[NM_TX];
	r.nb_rx_slots = p->geo.nb_slots[NM_RX];
	r.nb_tx_rings = p->geo.nb_rings[NM_TX];
	r.nb_rx_rings = p->geo.nb_rings[NM_RX];
	vale_conn_reply(conn, msg, &r.r, sizeof(r), &p->region->memfd, 1);
}

int
vale_netmap_init(
	const struct vale_netmap_conf *conf, struct vale_switches *s, struct vale_server *server)
{
	n.switches = s;
	nm_ports_init(conf, s);
	vale_server_handle(
		server, VALE_CTL_NM_CTRL, sizeof(struct vale_ctl_nm_req), handle_ctrl, NULL);
	vale_server_handle(
		server, VALE_CTL_NM_STATE, sizeof(struct vale_ctl_hdr), handle_state, NULL);
	return 0;
}

void
vale_netmap_fini(void)
{
	nm_ports_fini();
}
