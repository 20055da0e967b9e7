/* SPDX-License-Identifier: BSD-3-Clause */
/* struct nmreq to and from the requests of NIOCCTRL, field by field as netmap does it. */
#include <stdio.h>
#include <string.h>

#include <net/netmap.h>

#include "request.h"
#include "sys.h"
#include "user_mem.h"

union body {
	struct nmreq_register reg;
	struct nmreq_port_info_get info;
	struct nmreq_vale_attach attach;
	struct nmreq_vale_detach detach;
	struct nmreq_vale_list list;
	struct nmreq_port_hdr hdr;
	struct nmreq_vale_newif newif;
	struct nmreq_vale_polling polling;
};

/** Modes of the oldest programs stand in nr_ringid. */
static uint32_t
mode_of(const struct nmreq *nmr)
{
	uint32_t mode = nmr->nr_flags & NR_REG_MASK;

	if (mode != NR_REG_DEFAULT)
		return mode;
	if (nmr->nr_ringid & NETMAP_SW_RING)
		return NR_REG_SW;
	return nmr->nr_ringid & NETMAP_HW_RING ? NR_REG_ONE_NIC : NR_REG_ALL_NIC;
}

static int
register_from(const struct nmreq *nmr, struct nmreq_header *hdr, struct nmreq_register *reg)
{
	reg->nr_offset = nmr->nr_offset;
	reg->nr_memsize = nmr->nr_memsize;
	reg->nr_tx_slots = nmr->nr_tx_slots;
	reg->nr_rx_slots = nmr->nr_rx_slots;
	reg->nr_tx_rings = nmr->nr_tx_rings;
	reg->nr_rx_rings = nmr->nr_rx_rings;
	reg->nr_mem_id = nmr->nr_arg2;
	reg->nr_ringid = nmr->nr_ringid & NETMAP_RING_MASK;
	reg->nr_mode = mode_of(nmr);
	reg->nr_extra_bufs = nmr->nr_arg3;
	reg->nr_flags = nmr->nr_flags & ~(uint32_t)NR_REG_MASK;
	if (nmr->nr_ringid & NETMAP_NO_TX_POLL)
		reg->nr_flags |= NR_NO_TX_POLL;
	if (nmr->nr_ringid & NETMAP_DO_RX_POLL)
		reg->nr_flags |= NR_DO_RX_POLL;
	if (reg->nr_mode == NR_REG_PIPE_MASTER || reg->nr_mode == NR_REG_PIPE_SLAVE) {
		size_t len = strlen(hdr->nr_name);

		snprintf(hdr->nr_name + len, sizeof(hdr->nr_name) - len, "%c%d",
			reg->nr_mode == NR_REG_PIPE_MASTER ? '{' : '}', reg->nr_ringid);
		reg->nr_mode = NR_REG_ALL_NIC;
		reg->nr_ringid = 0;
	}
	return NETMAP_REQ_REGISTER;
}

static int
polling_from(const struct nmreq *nmr, struct nmreq_vale_polling *p)
{
	uint32_t mode = nmr->nr_flags & NR_REG_MASK;

	p->nr_mode = mode == NR_REG_ONE_NIC   ? NETMAP_POLLING_MODE_MULTI_CPU
		     : mode == NR_REG_ALL_NIC ? NETMAP_POLLING_MODE_SINGLE_CPU
					      : 0;
	p->nr_first_cpu_id = nmr->nr_ringid & NETMAP_RING_MASK;
	p->nr_num_polling_cpus = nmr->nr_arg1;
	return nmr->nr_cmd == NETMAP_BDG_POLLING_ON ? NETMAP_REQ_VALE_POLLING_ENABLE
						    : NETMAP_REQ_VALE_POLLING_DISABLE;
}

static int
newif_from(const struct nmreq *nmr, struct nmreq_vale_newif *n)
{
	n->nr_tx_slots = nmr->nr_tx_slots;
	n->nr_rx_slots = nmr->nr_rx_slots;
	n->nr_tx_rings = nmr->nr_tx_rings;
	n->nr_rx_rings = nmr->nr_rx_rings;
	n->nr_mem_id = nmr->nr_arg2;
	return NETMAP_REQ_VALE_NEWIF;
}

/** NIOCREGIF. The request's type; 0 for a command of no kind, which NIOCCTRL refuses; or -errno. */
static int
regif_from(const struct nmreq *nmr, struct nmreq_header *hdr, union body *b)
{
	switch (nmr->nr_cmd) {
	case 0:
		return register_from(nmr, hdr, &b->reg);
	case NETMAP_BDG_ATTACH:
		register_from(nmr, hdr, &b->attach.reg);
		b->attach.reg.nr_mode =
			nmr->nr_arg1 & NETMAP_BDG_HOST ? NR_REG_NIC_SW : NR_REG_ALL_NIC;
		return NETMAP_REQ_VALE_ATTACH;
	case NETMAP_BDG_DETACH:
		return NETMAP_REQ_VALE_DETACH;
	case NETMAP_BDG_VNET_HDR:
		b->hdr.nr_hdr_len = nmr->nr_arg1;
		return NETMAP_REQ_PORT_HDR_SET;
	case NETMAP_VNET_HDR_GET:
		return NETMAP_REQ_PORT_HDR_GET;
	case NETMAP_BDG_NEWIF:
		return newif_from(nmr, &b->newif);
	case NETMAP_BDG_DELIF:
		return NETMAP_REQ_VALE_DELIF;
	case NETMAP_BDG_POLLING_ON:
	case NETMAP_BDG_POLLING_OFF:
		return polling_from(nmr, &b->polling);
	case NETMAP_PT_HOST_CREATE:
	case NETMAP_PT_HOST_DELETE:
		return -ENOMEM; /* netmap's */
	default:
		return 0;
	}
}

/** NIOCGINFO. */
static int
ginfo_from(const struct nmreq *nmr, union body *b)
{
	if (nmr->nr_cmd == NETMAP_BDG_LIST) {
		b->list.nr_bridge_idx = nmr->nr_arg1;
		b->list.nr_port_idx = nmr->nr_arg2;
		return NETMAP_REQ_VALE_LIST;
	}
	b->info.nr_memsize = nmr->nr_memsize;
	b->info.nr_tx_slots = nmr->nr_tx_slots;
	b->info.nr_rx_slots = nmr->nr_rx_slots;
	b->info.nr_tx_rings = nmr->nr_tx_rings;
	b->info.nr_rx_rings = nmr->nr_rx_rings;
	b->info.nr_mem_id = nmr->nr_arg2;
	return NETMAP_REQ_PORT_INFO_GET;
}

static void
register_to(const struct nmreq_register *reg, struct nmreq *nmr)
{
	nmr->nr_offset = (uint32_t)reg->nr_offset;
	nmr->nr_memsize = (uint32_t)reg->nr_memsize;
	nmr->nr_tx_slots = reg->nr_tx_slots;
	nmr->nr_rx_slots = reg->nr_rx_slots;
	nmr->nr_tx_rings = reg->nr_tx_rings;
	nmr->nr_rx_rings = reg->nr_rx_rings;
	nmr->nr_arg2 = reg->nr_mem_id;
	nmr->nr_arg3 = reg->nr_extra_bufs;
}

static void
legacy_to(const struct nmreq_header *hdr, const union body *b, struct nmreq *nmr)
{
	switch (hdr->nr_reqtype) {
	case NETMAP_REQ_REGISTER:
		register_to(&b->reg, nmr);
		break;
	case NETMAP_REQ_VALE_ATTACH:
		register_to(&b->attach.reg, nmr);
		break;
	case NETMAP_REQ_PORT_INFO_GET:
		nmr->nr_memsize = (uint32_t)b->info.nr_memsize;
		nmr->nr_tx_slots = b->info.nr_tx_slots;
		nmr->nr_rx_slots = b->info.nr_rx_slots;
		nmr->nr_tx_rings = b->info.nr_tx_rings;
		nmr->nr_rx_rings = b->info.nr_rx_rings;
		nmr->nr_arg2 = b->info.nr_mem_id;
		break;
	case NETMAP_REQ_VALE_LIST:
		memcpy(nmr->nr_name, hdr->nr_name, sizeof(nmr->nr_name) - 1);
		nmr->nr_name[sizeof(nmr->nr_name) - 1] = '\0';
		nmr->nr_arg1 = b->list.nr_bridge_idx;
		nmr->nr_arg2 = (uint16_t)b->list.nr_port_idx;
		break;
	case NETMAP_REQ_PORT_HDR_SET:
	case NETMAP_REQ_PORT_HDR_GET:
		nmr->nr_arg1 = (uint16_t)b->hdr.nr_hdr_len;
		break;
	case NETMAP_REQ_VALE_NEWIF:
		nmr->nr_tx_slots = b->newif.nr_tx_slots;
		nmr->nr_rx_slots = b->newif.nr_rx_slots;
		nmr->nr_tx_rings = b->newif.nr_tx_rings;
		nmr->nr_rx_rings = b->newif.nr_rx_rings;
		nmr->nr_arg2 = b->newif.nr_mem_id;
		break;
	default:
		break;
	}
}

int
vnm_request_legacy(int fd, unsigned long cmd, void *arg)
{
	struct nmreq_header hdr = {.nr_version = NETMAP_API};
	struct nmreq nmr;
	union body b;
	int ret = vnm_user_read(&nmr, arg, sizeof(nmr));

	if (ret != 0)
		return ret;
	if (nmr.nr_version < NETMAP_MIN_API)
		return -EINVAL;
	memset(&b, 0, sizeof(b));
	memcpy(hdr.nr_name, nmr.nr_name, sizeof(nmr.nr_name) - 1);
	ret = cmd == NIOCREGIF ? regif_from(&nmr, &hdr, &b) : ginfo_from(&nmr, &b);
	if (ret < 0)
		return ret;
	hdr.nr_reqtype = (uint16_t)ret;
	if (vnm_request_body_sz(hdr.nr_reqtype) > 0)
		hdr.nr_body = (uintptr_t)&b;
	ret = vnm_request_ctrl(fd, &hdr);
	if (ret != 0)
		return ret;
	legacy_to(&hdr, &b, &nmr);
	return vnm_user_write(arg, &nmr, sizeof(nmr));
}
