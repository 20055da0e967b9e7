/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors bound to ports. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind.h"
#include "vale_control_proto.h"

/* Control thread only. */
static struct vale_switches *bind_switches;

void
nm_binds_init(struct vale_switches *s)
{
	bind_switches = s;
}

/* The parts of a bind in the order in which they are made; taken apart in the reverse. */
static void
bind_free(struct nm_bind *b)
{
	struct nm_port *p = b->port;

	nm_extra_cancel(b);
	nm_extents_give(&p->region->bufs, &b->extra);
	nm_region_give_bind(p->region, b->idx);
	TAILQ_REMOVE(&p->binds, b, next);
	p->nb_binds--;
	free(b);
}

static struct nm_bind *
bind_alloc(struct nm_port *p, const struct nm_register *req)
{
	int idx = nm_region_take_bind(p->region);
	struct nm_bind *b = idx < 0 ? NULL : calloc(1, sizeof(*b));

	if (b == NULL) {
		if (idx >= 0)
			nm_region_give_bind(p->region, idx);
		return NULL;
	}
	b->port = p;
	b->idx = idx;
	b->mode = req->mode;
	b->ringid = req->ringid;
	b->flags = req->flags;
	snprintf(b->name, sizeof(b->name), "%s", req->text);
	TAILQ_INSERT_TAIL(&p->binds, b, next);
	p->nb_binds++;
	return b;
}

/* The netmap_if of a bind: rings that it did not bind have no offset, and host rings exist by
 * number only. */
static void
bind_make_if(struct nm_bind *b)
{
	struct nm_port *p = b->port;
	uint32_t off = nm_region_if_off(p->region, b->idx);
	struct netmap_if *nifp = (struct netmap_if *)(p->region->base + off);
	uint32_t nb[2] = {p->geo.nb_rings[NM_TX], p->geo.nb_rings[NM_RX]};
	uint32_t version = NETMAP_API, flags = NI_PRIV_MEM, one = 1, k = 0;

	memset((void *)nifp, 0, p->region->head.if_sz);
	/* constant to programs; we are the one who writes them */
	snprintf(nifp->ni_name, sizeof(nifp->ni_name), "%.*s", IFNAMSIZ - 1, b->name);
	memcpy((void *)(uintptr_t)&nifp->ni_version, &version, sizeof(version));
	memcpy((void *)(uintptr_t)&nifp->ni_flags, &flags, sizeof(flags));
	memcpy((void *)(uintptr_t)&nifp->ni_tx_rings, &nb[NM_TX], sizeof(nb[0]));
	memcpy((void *)(uintptr_t)&nifp->ni_rx_rings, &nb[NM_RX], sizeof(nb[0]));
	memcpy((void *)(uintptr_t)&nifp->ni_host_tx_rings, &one, sizeof(one));
	memcpy((void *)(uintptr_t)&nifp->ni_host_rx_rings, &one, sizeof(one));
	nifp->ni_bufs_head = b->extra.nb > 0 ? b->extra.first + b->extra.nb - 1 : 0;
	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++, k++) {
		for (uint16_t i = 0; i < nb[dir]; i++, k++) {
			ssize_t ofs = 0;

			if (i >= b->first[dir] && i < b->last[dir])
				ofs = (uint8_t *)nm_region_ring(
					      p->region, &p->geo, &p->place, dir, i) -
				      (uint8_t *)nifp;
			memcpy((void *)(uintptr_t)&nifp->ring_ofs[k], &ofs, sizeof(ofs));
		}
	}
}

/* The bind is complete but for its rings: have it live. */
static int
bind_connect(struct nm_bind *b, struct vale_conn *c, const struct nm_offsets *off, char *why)
{
	int ret;

	b->conn = c;
	ret = nm_port_watch_conn(b->port, c);
	if (ret == 0) {
		ret = nm_sleepers_update(b->port, NULL);
		if (ret < 0)
			nm_port_unwatch_conn(b->port, c);
	}
	if (ret < 0) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: %s", b->name, strerror(-ret));
		b->conn = NULL;
		return ret;
	}
	nm_bind_take_rings(b, off);
	return 0;
}

/* The reverse. Its connection ends, or is given up. */
static void
bind_disconnect(struct nm_bind *b)
{
	struct nm_port *p = b->port;

	nm_port_unwatch_conn(p, b->conn);
	nm_sleepers_remove(p, b);
	nm_bind_release_rings(b);
	vale_conn_on_close(b->conn, NULL, NULL);
	vale_conn_on_doorbell(b->conn, NULL, NULL);
	b->conn = NULL;
}

void
nm_port_drop_bind(struct nm_port *p, struct nm_bind *b)
{
	if (b->conn != NULL)
		bind_disconnect(b);
	bind_free(b);
}

static int
bind_add(struct nm_port *p, const struct nm_register *req, struct vale_conn *c,
	struct nm_bind **out, char *why)
{
	struct nm_bind *b = bind_alloc(p, req);
	int ret;

	if (b == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: %d descriptors share this memory already",
			req->text, VALE_NM_BINDS_MAX);
		return -ENOMEM;
	}
	ret = nm_bind_choose_rings(b, why);
	if (ret == 0)
		ret = nm_bind_check_users(b, &req->offsets, why);
	if (ret == 0) {
		nm_region_take_extra(p->region, req->nb_extra_bufs, &b->extra);
		ret = bind_connect(b, c, &req->offsets, why);
	}
	if (ret < 0) {
		bind_free(b);
		return ret;
	}
	bind_make_if(b);
	vale_conn_on_close(c, nm_port_conn_closed, b);
	vale_conn_on_doorbell(c, nm_port_doorbell, p);
	*out = b;
	return 0;
}

static int
bind_to_new(const struct nm_register *req, struct vale_conn *c, struct nm_bind **out, char *why)
{
	bool plug = req->name.sw[0] != '\0';
	struct nm_port *p;
	int ret = 0;

	if (plug)
		ret = vale_switch_may_attach(bind_switches, &req->name, false, why);
	if (ret < 0)
		return ret;
	p = nm_port_create(req, c, &ret, why);
	if (p == NULL)
		return ret;
	ret = bind_add(p, req, c, out, why);
	if (ret == 0 && plug) {
		ret = vale_switch_attach(bind_switches, &req->name, &p->ep, NULL, false, why);
		p->plugged = ret == 0;
		if (ret < 0)
			nm_port_drop_bind(p, *out);
	}
	if (ret < 0)
		nm_port_free(p);
	return ret;
}

int
nm_bind_create(const struct nm_register *req, struct vale_conn *c, struct nm_bind **out, char *why)
{
	struct nm_port *p = nm_port_find(req->name.full);

	if (p == NULL)
		return bind_to_new(req, c, out, why);
	if (p->uid != vale_conn_uid(c)) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s belongs to user %u", req->text, p->uid);
		return -EACCES;
	}
	if (atomic_load(&p->hdr_len) != 0 && !(req->flags & NR_ACCEPT_VNET_HDR)) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s has virtio-net headers, which the program does not accept", req->text);
		return -EIO;
	}
	return bind_add(p, req, c, out, why);
}
