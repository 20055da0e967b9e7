/* SPDX-License-Identifier: BSD-3-Clause */
/* What netmap programs ask, each answered as netmap does. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "netmap_port.h"

/* As netmap answers for a port that a switch does not have. */
#define NO_PORT 255

/* Control thread only. */
static struct {
	struct vale_switches *switches;
} q;

void
nm_requests_init(struct vale_switches *s)
{
	q.switches = s;
}

int
nm_call_fail(struct nm_call *c, int err, const char *what)
{
	snprintf(c->why, sizeof(c->why), "%.64s: %s", c->text, what);
	return err;
}

/* ---- names ---- */

static bool
has_vale_prefix(const struct nm_call *c)
{
	/* one letter less than one should think: netmap's */
	return strncmp(c->text, NM_BDG_NAME, strlen(NM_BDG_NAME) - 1) == 0;
}

/* netmap's own tests use a switch that is called `vale`, without more; only netmap programs can. */
static bool
parse_plain_switch(const char *text, struct vale_name *name)
{
	char with_letter[NETMAP_REQ_IFNAMSIZ + 2];
	struct vale_name n;

	if (strncmp(text, "vale:", 5) != 0)
		return false;
	snprintf(with_letter, sizeof(with_letter), "valex%s", text + 4);
	if (strlen(text) > VALE_NAME_LEN_MAX - 1 || vale_name_parse(with_letter, &n, NULL) < 0)
		return false;
	memset(name, 0, sizeof(*name));
	memcpy(name->full, text, strlen(text));
	memcpy(name->sw, "vale", 4);
	memcpy(name->port, n.port, sizeof(name->port));
	return true;
}

static int
parse_vale_name(struct nm_call *c, struct vale_name *name)
{
	const char *wrong;
	int ret;

	ret = vale_name_parse(c->text, name, &wrong);
	if (ret == -EINVAL && parse_plain_switch(c->text, name))
		return 0;
	return ret < 0 ? nm_call_fail(c, ret, wrong) : 0;
}

bool
nm_call_needs_device(const struct nm_call *c)
{
	const struct vale_endpoint *ep = NULL;
	struct vale_name name;
	struct vale_port *p;

	if (vale_name_parse(c->text, &name, NULL) < 0)
		return false;
	if (c->reqtype == NETMAP_REQ_VALE_ATTACH)
		return nm_vi_find(name.port) == NULL;
	p = vale_switch_find_port(q.switches, name.full);
	if (p != NULL)
		ep = atomic_load(&p->ep);
	return c->reqtype == NETMAP_REQ_VALE_DETACH && ep != NULL &&
	       ep->ops->kind == VALE_CTL_KIND_ETHDEV;
}

/*
 * The port that a name means: a port of a switch, or a persistent one by its bare name, wherever it
 * is attached. *vi is the persistent port, if it is one.
 */
int
nm_call_resolve(struct nm_call *c, struct vale_name *name, struct nm_vi **vi)
{
	int ret;

	*vi = NULL;
	if (has_vale_prefix(c)) {
		ret = parse_vale_name(c, name);
		if (ret < 0)
			return ret;
		*vi = nm_vi_find(name->port);
		if (*vi != NULL && vale_switch_find_port(q.switches, name->full) == NULL)
			return nm_call_fail(
				c, -EINVAL, "the persistent port is not attached there");
		return 0;
	}
	*vi = nm_vi_find(c->text);
	if (*vi == NULL)
		return nm_call_fail(c, -ENXIO, "there is no such port");
	memset(name, 0, sizeof(*name));
	if ((*vi)->nb_attached > 0)
		*name = (*vi)->at[0];
	else
		memcpy(name->full, (*vi)->name, sizeof(name->full));
	return 0;
}

/* ---- rings and slots ---- */

static uint32_t
in_bounds(uint32_t v, uint32_t dflt, uint32_t max)
{
	return v == 0 ? dflt : RTE_MIN(v, max);
}

struct nm_geometry
nm_geometry_of(uint32_t tx_rings, uint32_t rx_rings, uint32_t tx_slots, uint32_t rx_slots)
{
	return (struct nm_geometry){
		.nb_rings = {[NM_TX] = in_bounds(tx_rings, 1, VALE_NM_RINGS_MAX),
			[NM_RX] = in_bounds(rx_rings, 1, VALE_NM_RINGS_MAX)},
		.nb_slots = {[NM_TX] = in_bounds(tx_slots, VALE_NM_SLOTS, VALE_NM_SLOTS_MAX),
			[NM_RX] = in_bounds(rx_slots, VALE_NM_SLOTS, VALE_NM_SLOTS_MAX)},
	};
}

/* ---- information ---- */

/* What is, or would be, behind a name. */
struct info {
	struct nm_geometry geo;
	struct vale_nm_region head;
};

static int
info_of(struct nm_call *c, const struct nm_geometry *asked, struct info *info)
{
	struct vale_name name;
	const struct nm_port *p;
	struct nm_vi *vi;
	int ret;

	ret = nm_call_resolve(c, &name, &vi);
	if (ret < 0)
		return ret;
	p = nm_port_find(name.full);
	if (p != NULL) {
		info->geo = p->geo;
		info->head = p->region->head;
		return 0;
	}
	if (name.sw[0] != '\0')
		ret = vale_switch_may_attach(q.switches, &name, false, c->why);
	if (ret < 0)
		return ret;
	info->geo = vi != NULL ? vi->geo : *asked;
	nm_region_lay_out(&info->head, &info->geo, 0);
	info->head.mem_id = nm_region_next_id();
	return 0;
}

/* Without a name it is about memory. */
static int
memory_info(struct nm_call *c, struct nmreq_port_info_get *get)
{
	const struct nm_region *r = nm_region_find(get->nr_mem_id);

	if (r == NULL)
		return nm_call_fail(c, -EINVAL, "there is no such memory");
	get->nr_memsize = r->size;
	memcpy(c->reply.body, get, sizeof(*get));
	return 0;
}

int
nm_req_port_info(struct nm_call *c)
{
	struct nmreq_port_info_get get;
	struct nm_geometry asked;
	struct info info;
	int ret;

	memcpy(&get, c->reply.body, sizeof(get));
	if (c->text[0] == '\0')
		return memory_info(c, &get);
	asked = nm_geometry_of(get.nr_tx_rings, get.nr_rx_rings, get.nr_tx_slots, get.nr_rx_slots);
	ret = info_of(c, &asked, &info);
	if (ret < 0)
		return ret;
	get.nr_memsize = info.head.size;
	get.nr_mem_id = (uint16_t)info.head.mem_id;
	get.nr_tx_slots = info.geo.nb_slots[NM_TX];
	get.nr_rx_slots = info.geo.nb_slots[NM_RX];
	get.nr_tx_rings = info.geo.nb_rings[NM_TX];
	get.nr_rx_rings = info.geo.nb_rings[NM_RX];
	get.nr_host_tx_rings = get.nr_host_rx_rings = 1;
	memcpy(c->reply.body, &get, sizeof(get));
	return 0;
}

int
nm_req_pools_info(struct nm_call *c)
{
	const struct nm_geometry asked = nm_geometry_of(0, 0, 0, 0);
	struct nmreq_pools_info pools;
	struct info info;
	int ret;

	ret = info_of(c, &asked, &info);
	if (ret < 0)
		return ret;
	pools = (struct nmreq_pools_info){
		.nr_memsize = info.head.size,
		.nr_mem_id = (uint16_t)info.head.mem_id,
		.nr_if_pool_offset = info.head.ifs_off,
		.nr_if_pool_objtotal = VALE_NM_BINDS_MAX,
		.nr_if_pool_objsize = info.head.if_sz,
		.nr_ring_pool_offset = info.head.rings_off,
		.nr_ring_pool_objtotal = info.head.nb_krings,
		.nr_ring_pool_objsize = RTE_MAX(
			nm_region_ring_sz(&info.geo, NM_TX), nm_region_ring_sz(&info.geo, NM_RX)),
		.nr_buf_pool_offset = info.head.bufs_off,
		.nr_buf_pool_objtotal = info.head.nb_bufs,
		.nr_buf_pool_objsize = VALE_NM_BUF_SZ,
	};
	memcpy(c->reply.body, &pools, sizeof(pools));
	return 0;
}

/* ---- switches ---- */

int
nm_req_vale_attach(struct nm_call *c)
{
	struct nmreq_vale_attach att;
	struct vale_name name;
	uint32_t idx = 0;
	int ret;

	memcpy(&att, c->reply.body, sizeof(att));
	if (!has_vale_prefix(c))
		return nm_call_fail(c, -EINVAL, "a switch's name begins with vale");
	ret = parse_vale_name(c, &name);
	if (ret == 0)
		ret = nm_vale_attach(&name, &idx, c->why);
	if (ret < 0)
		return ret;
	att.port_index = idx;
	if (att.reg.nr_mem_id == 0)
		att.reg.nr_mem_id = nm_region_next_id();
	memcpy(c->reply.body, &att, sizeof(att));
	return 0;
}

int
nm_req_vale_detach(struct nm_call *c)
{
	struct nmreq_vale_detach det = {0};
	struct vale_name name;
	int ret;

	if (!has_vale_prefix(c))
		return nm_call_fail(c, -EINVAL, "a switch's name begins with vale");
	/* a name that no port can have is one that no port has */
	if (vale_name_parse(c->text, &name, NULL) < 0)
		return nm_call_fail(c, -ENXIO, "there is no such port");
	ret = nm_vale_detach(&name, &det.port_index, c->why);
	if (ret == 0)
		memcpy(c->reply.body, &det, sizeof(det));
	return ret;
}

static struct vale_switch *
switch_of_slot(uint32_t slot)
{
	struct vale_switch *sw;

	TAILQ_FOREACH (sw, vale_switches_list(q.switches), next) {
		if (sw->slot == slot)
			return sw;
	}
	return NULL;
}

/* The first port at a place or behind it. */
static int
list_next(struct nm_call *c, struct nmreq_vale_list *l)
{
	uint32_t max = vale_switches_reserved(q.switches)->max_switches;
	uint32_t j = l->nr_port_idx;

	for (uint32_t i = l->nr_bridge_idx; i < max; i++, j = 0) {
		struct vale_switch *sw = switch_of_slot(i);

		for (; sw != NULL && j < sw->max_ports; j++) {
			struct vale_port *p = atomic_load(&sw->port[j]);

			if (p == NULL)
				continue;
			memset(c->reply.name, 0, sizeof(c->reply.name));
			memcpy(c->reply.name, p->name.full, sizeof(p->name.full));
			l->nr_bridge_idx = (uint16_t)i;
			l->nr_port_idx = j;
			return 0;
		}
	}
	return nm_call_fail(c, -ENOENT, "there are no more ports");
}

static int
list_named(struct nm_call *c, struct nmreq_vale_list *l)
{
	const struct vale_port *p = vale_switch_find_port(q.switches, c->text);
	const struct vale_switch *sw;
	char name[VALE_NAME_SZ];

	if (strncmp(c->text, NM_BDG_NAME, strlen(NM_BDG_NAME)) != 0)
		return nm_call_fail(c, -EINVAL, "a switch's name begins with vale");
	snprintf(name, sizeof(name), "%.*s", (int)RTE_MIN(strcspn(c->text, ":"), sizeof(name) - 1),
		c->text);
	sw = vale_switch_find(q.switches, name);
	if (sw == NULL)
		return nm_call_fail(c, -ENOENT, "there is no such switch");
	l->nr_bridge_idx = (uint16_t)sw->slot;
	l->nr_port_idx = p == NULL ? NO_PORT : p->idx;
	return 0;
}

int
nm_req_vale_list(struct nm_call *c)
{
	struct nmreq_vale_list l;
	int ret;

	memcpy(&l, c->reply.body, sizeof(l));
	ret = c->text[0] == '\0' ? list_next(c, &l) : list_named(c, &l);
	memcpy(c->reply.body, &l, sizeof(l));
	return ret;
}

/* ---- persistent ports ---- */

int
nm_req_newif(struct nm_call *c)
{
	struct nmreq_vale_newif nif;
	struct nm_geometry geo;
	int ret;

	memcpy(&nif, c->reply.body, sizeof(nif));
	geo = nm_geometry_of(nif.nr_tx_rings, nif.nr_rx_rings, nif.nr_tx_slots, nif.nr_rx_slots);
	ret = nm_vi_create(c->text, &geo, c->why);
	if (ret < 0)
		return ret;
	nif.nr_tx_slots = geo.nb_slots[NM_TX];
	nif.nr_rx_slots = geo.nb_slots[NM_RX];
	nif.nr_tx_rings = geo.nb_rings[NM_TX];
	nif.nr_rx_rings = geo.nb_rings[NM_RX];
	memcpy(c->reply.body, &nif, sizeof(nif));
	return 0;
}

int
nm_req_delif(struct nm_call *c)
{
	return nm_vi_destroy(c->text, c->why);
}

/* ---- virtio-net headers ---- */

int
nm_req_hdr_set(struct nm_call *c)
{
	struct nmreq_port_hdr hdr;
	struct vale_name name;
	struct nm_port *p;
	struct nm_vi *vi;

	memcpy(&hdr, c->reply.body, sizeof(hdr));
	if (hdr.nr_hdr_len != 0 && hdr.nr_hdr_len != 10 && hdr.nr_hdr_len != 12)
		return nm_call_fail(c, -EINVAL, "a virtio-net header has 0, 10 or 12 bytes");
	if (!has_vale_prefix(c) || nm_call_resolve(c, &name, &vi) < 0)
		return nm_call_fail(c, -ENXIO, "there is no such port");
	p = nm_port_find(name.full);
	if (p == NULL && vi == NULL)
		return nm_call_fail(c, -ENXIO, "there is no such netmap port");
	if (vi != NULL)
		vi->hdr_len = hdr.nr_hdr_len;
	if (p != NULL)
		nm_port_set_hdr_len(p, hdr.nr_hdr_len);
	return 0;
}

int
nm_req_hdr_get(struct nm_call *c)
{
	struct nmreq_port_hdr hdr = {0};
	struct vale_name name;
	struct nm_port *p;
	struct nm_vi *vi;

	if (nm_call_resolve(c, &name, &vi) < 0)
		return nm_call_fail(c, -ENXIO, "there is no such port");
	p = nm_port_find(name.full);
	if (p == NULL && vi == NULL)
		return nm_call_fail(c, -ENXIO, "there is no such netmap port");
	hdr.nr_hdr_len = p != NULL ? atomic_load(&p->hdr_len) : vi->hdr_len;
	memcpy(c->reply.body, &hdr, sizeof(hdr));
	return 0;
}
