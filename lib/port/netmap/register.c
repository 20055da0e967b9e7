/* SPDX-License-Identifier: BSD-3-Clause */
/* NETMAP_REQ_REGISTER: a descriptor asks to be bound to a port. */
#include <errno.h>
#include <string.h>

#include <rte_common.h>

#include "netmap_port.h"

/* What a mode means here: rings of a VALE port, all or one pair. */
static int
check_mode(struct nm_call *c, const struct nmreq_register *reg)
{
	switch (reg->nr_mode) {
	case NR_REG_ALL_NIC:
	case NR_REG_ONE_NIC:
		break;
	case NR_REG_PIPE_MASTER:
	case NR_REG_PIPE_SLAVE:
	case NR_REG_NULL:
		return nm_call_fail(c, -EOPNOTSUPP, "pipes and null ports do not exist here");
	default:
		return nm_call_fail(
			c, -EINVAL, "no such mode for a VALE port, which has no host rings");
	}
	if (reg->nr_flags & (NR_MONITOR_TX | NR_MONITOR_RX))
		return nm_call_fail(
			c, -EOPNOTSUPP, "monitors do not exist here; see vale-ctl capture");
	return 0;
}

/* An option with nothing wrong about it so far; NULL if it was not given. */
static struct vale_ctl_nm_opt *
find_option(struct nm_call *c, uint32_t reqtype)
{
	for (uint32_t i = 0; i < c->reply.nb_opts; i++) {
		if (c->reply.opts[i].reqtype == reqtype)
			return &c->reply.opts[i];
	}
	return NULL;
}

static int
offsets_check(struct nm_call *c, const struct nmreq_opt_offsets *o, struct nm_offsets *off)
{
	if (o->nro_offset_bits > 64)
		return nm_call_fail(c, -EINVAL, "an offset has 64 bits at most");
	off->mask = o->nro_offset_bits == 0 || o->nro_offset_bits == 64
			    ? UINT64_MAX
			    : (UINT64_C(1) << o->nro_offset_bits) - 1;
	if (o->nro_max_offset > VALE_NM_BUF_SZ ||
		(o->nro_max_offset & off->mask) != o->nro_max_offset)
		return nm_call_fail(
			c, -EINVAL, "the largest offset is behind the buffer, or has more bits");
	if (o->nro_initial_offset > o->nro_max_offset)
		return nm_call_fail(c, -EINVAL, "the first offset is above the largest");
	off->max = (uint32_t)o->nro_max_offset;
	off->initial = (uint32_t)o->nro_initial_offset;
	return 0;
}

/* The only option there is; what was given besides is refused by name. */
static int
read_options(struct nm_call *c, struct nm_offsets *off)
{
	struct vale_ctl_nm_opt *opt = find_option(c, NETMAP_REQ_OPT_OFFSETS);
	struct nmreq_opt_offsets o = {0};
	int ret = 0;

	static_assert(sizeof(o) - sizeof(o.nro_opt) <= VALE_CTL_NM_OPT_SZ, "option fits");
	if (opt != NULL) {
		memcpy((uint8_t *)&o + sizeof(o.nro_opt), opt->body, sizeof(o) - sizeof(o.nro_opt));
		ret = offsets_check(c, &o, off);
		opt->status = -ret;
	}
	for (uint32_t i = 0; ret == 0 && i < c->reply.nb_opts; i++) {
		if (c->reply.opts[i].status != 0)
			ret = nm_call_fail(c, -EOPNOTSUPP, "an option that does not exist here");
	}
	return ret;
}

static void
register_answer(struct nm_call *c, struct nmreq_register *reg, const struct nm_bind *b)
{
	const struct nm_port *p = b->port;
	struct vale_ctl_nm_opt *opt = find_option(c, NETMAP_REQ_OPT_OFFSETS);
	uint64_t max = 0;

	reg->nr_offset = nm_region_if_off(p->region, b->idx);
	reg->nr_memsize = p->region->size;
	reg->nr_tx_slots = p->geo.nb_slots[NM_TX];
	reg->nr_rx_slots = p->geo.nb_slots[NM_RX];
	reg->nr_tx_rings = p->geo.nb_rings[NM_TX];
	reg->nr_rx_rings = p->geo.nb_rings[NM_RX];
	/* by number only: their rings have no offset */
	reg->nr_host_tx_rings = reg->nr_host_rx_rings = 1;
	reg->nr_mem_id = p->region->mem_id;
	reg->nr_extra_bufs = b->extra.nb;
	memcpy(c->reply.body, reg, sizeof(*reg));
	if (opt == NULL)
		return;
	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		for (uint16_t i = b->first[dir]; i < b->last[dir]; i++)
			max = dir == NM_TX ? p->rxq[i].ring.offset_max : p->txq[i].ring.offset_max;
	}
	memcpy(opt->body + offsetof(struct nmreq_opt_offsets, nro_max_offset) -
			sizeof(struct nmreq_option),
		&max, sizeof(max));
}

int
nm_req_register(struct nm_call *c)
{
	struct nm_register req = {.text = c->text};
	struct nmreq_register reg;
	struct nm_bind *b;
	struct nm_vi *vi;
	int ret;

	memcpy(&reg, c->reply.body, sizeof(reg));
	if (vale_conn_bound(c->conn))
		return nm_call_fail(c, -EBUSY, "this descriptor is bound to a port already");
	ret = check_mode(c, &reg);
	if (ret == 0)
		ret = nm_call_resolve(c, &req.name, &vi);
	if (ret == 0)
		ret = read_options(c, &req.offsets);
	if (ret < 0)
		return ret;
	req.geo = vi != NULL ? vi->geo
			     : nm_geometry_of(reg.nr_tx_rings, reg.nr_rx_rings, reg.nr_tx_slots,
				       reg.nr_rx_slots);
	req.hdr_len = vi != NULL ? vi->hdr_len : 0;
	if (req.hdr_len != 0 && !(reg.nr_flags & NR_ACCEPT_VNET_HDR))
		return nm_call_fail(
			c, -EIO, "has virtio-net headers, which the program does not accept");
	req.mem_id = reg.nr_mem_id;
	req.mode = reg.nr_mode;
	req.ringid = reg.nr_ringid;
	req.flags = reg.nr_flags;
	req.nb_extra_bufs = RTE_MIN(reg.nr_extra_bufs, (uint32_t)VALE_NM_EXTRA_BUFS_MAX);
	ret = nm_bind_create(&req, c->conn, &b, c->why);
	if (ret < 0)
		return ret;
	register_answer(c, &reg, b);
	return 0;
}
