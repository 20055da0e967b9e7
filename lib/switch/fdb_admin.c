/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses: list, add, delete, flush. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"

/* Places of the table that one answer covers: a millisecond or two of the control thread. */
#define PAGE_SLOTS 65536

static struct vale_switches *switches; /* control thread only */

/* Find the switch that a request names. */
static struct vale_switch *
find_switch(struct vale_conn *c, const struct vale_ctl_hdr *msg, const char *text, size_t sz)
{
	struct vale_switch *sw;
	char name[VALE_NAME_SZ];
	const char *why;
	int ret;

	if (!vale_conn_check_text(c, msg, text, sz, "switch name"))
		return NULL;
	ret = vale_name_parse_switch(text, name, &why);
	if (ret < 0) {
		vale_conn_refuse(c, msg, -ret, "%s: %s", text, why);
		return NULL;
	}
	sw = vale_switch_find(switches, name);
	if (sw == NULL)
		vale_conn_refuse(c, msg, ENOENT, "there is no switch %s", name);
	return sw;
}

struct page {
	const struct vale_switch *sw;
	struct vale_ctl_fdb_rec *recs;
	uint32_t nb, room;
};

static void
fdb_record(void *arg, const struct vale_fdb_entry *e)
{
	struct page *p = arg;
	const struct vale_port *port =
		atomic_load_explicit(&p->sw->port[e->port], memory_order_relaxed);
	struct vale_ctl_fdb_rec *r;

	if (port == NULL || p->nb == p->room)
		return;
	r = &p->recs[p->nb++];
	memcpy(r->mac, e->mac, sizeof(r->mac));
	r->is_static = e->is_static;
	r->age_s = e->age_s;
	static_assert(sizeof(r->port) <= sizeof(port->name.full), "a name is copied whole");
	memcpy(r->port, port->name.full, sizeof(r->port));
}

static void
handle_fdb_page(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_fdb_page_req *req = (const void *)msg;
	const struct vale_workers *ws = vale_switches_workers(switches);
	struct page p = {
		.sw = find_switch(c, msg, req->name, sizeof(req->name)), .room = PAGE_SLOTS};
	struct vale_ctl_fdb_page_reply reply = {.next = req->from};

	if (p.sw == NULL)
		return;
	p.recs = calloc(p.room, sizeof(p.recs[0]));
	if (p.recs == NULL) {
		vale_conn_refuse(c, msg, ENOMEM, "no memory for a list of %u addresses", p.room);
		return;
	}
	vale_fdb_walk_part(p.sw->fdb, &reply.next, PAGE_SLOTS, vale_now_s(),
		atomic_load_explicit(&ws->tun.ageing_s, memory_order_relaxed), fdb_record, &p);
	vale_conn_reply_with_records(
		c, msg, &reply.r, sizeof(reply), p.recs, sizeof(p.recs[0]), p.nb);
	free(p.recs);
}

/* The port that a request on a switch names. */
static struct vale_port *
find_port_on(struct vale_conn *c, const struct vale_ctl_hdr *msg, struct vale_switch *sw,
	const char *text, size_t sz)
{
	struct vale_port *p;
	struct vale_name name;

	if (!admin_check_name(c, msg, text, sz, &name))
		return NULL;
	p = vale_switch_find_port(switches, name.full);
	if (p == NULL || p->sw != sw) {
		vale_conn_refuse(
			c, msg, ENXIO, "there is no port %s on switch %s", name.full, sw->name);
		return NULL;
	}
	return p;
}

static void
handle_fdb_add(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	struct vale_switch *sw = find_switch(c, msg, req->name, sizeof(req->name));
	struct vale_port *p;
	int ret;

	if (sw == NULL)
		return;
	p = find_port_on(c, msg, sw, req->port, sizeof(req->port));
	if (p == NULL)
		return;
	ret = vale_fdb_add_static(sw->fdb, vale_mac_from_bytes(req->mac), p->idx);
	admin_answer(c, msg, ret,
		ret == -EEXIST	 ? "the address has a static entry already; delete it first"
		: ret == -EINVAL ? "a group or zero address cannot be entered"
				 : "all places for this address hold static entries; delete some, "
				   "or raise --fdb-size");
}

static void
handle_fdb_del(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	struct vale_switch *sw = find_switch(c, msg, req->name, sizeof(req->name));

	if (sw != NULL)
		admin_answer(c, msg, vale_fdb_del(sw->fdb, vale_mac_from_bytes(req->mac)),
			"the address has no entry");
}

static void
handle_fdb_flush(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	struct vale_switch *sw = find_switch(c, msg, req->name, sizeof(req->name));
	uint16_t idx = VALE_FDB_NONE;

	if (sw == NULL)
		return;
	if (req->port[0] != '\0') {
		struct vale_port *p = find_port_on(c, msg, sw, req->port, sizeof(req->port));

		if (p == NULL)
			return;
		idx = p->idx;
	}
	vale_fdb_flush(sw->fdb, idx, false);
	admin_reply_ok(c, msg);
}

void
admin_fdb_init(struct vale_switches *s, struct vale_server *server)
{
	const size_t name_sz = sizeof(struct vale_ctl_name_req);

	switches = s;
	vale_server_handle(server, VALE_CTL_FDB_PAGE, sizeof(struct vale_ctl_fdb_page_req),
		handle_fdb_page, NULL);
	vale_server_handle_operator(server, VALE_CTL_FDB_ADD, name_sz, handle_fdb_add, NULL);
	vale_server_handle_operator(server, VALE_CTL_FDB_DEL, name_sz, handle_fdb_del, NULL);
	vale_server_handle_operator(server, VALE_CTL_FDB_FLUSH, name_sz, handle_fdb_flush, NULL);
}
