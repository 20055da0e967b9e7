/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a port's specification: share, conf, extmem, offset. */
#include <errno.h>
#include <string.h>

#include "nmport_private.h"
#include "number.h"

/* 0 when the key is not given, too. */
static int
key_number(const struct nmreq_parse_ctx *p, int key, uint64_t max, uint64_t *value)
{
	const char *text = p->keys[key], *end = text;

	*value = 0;
	if (text == NULL)
		return 0;
	if (number_take(&end, max, value) == 0 && *end == '\0')
		return 0;
	nmctx_ferror(p->ctx, "'%s': a number up to %llu is expected here", text,
		(unsigned long long)max);
	errno = EINVAL;
	return -1;
}

static int
parse_share(struct nmreq_parse_ctx *p)
{
	struct nmport_d *d = p->token;
	const char *name = p->keys[0];
	int32_t id = nmreq_get_mem_id(&name, p->ctx);

	if (id < 0)
		return -1;
	if (d->reg.nr_mem_id != 0 && d->reg.nr_mem_id != id) {
		nmctx_ferror(p->ctx, "memory region %u was already asked for, not %d, of %s",
			d->reg.nr_mem_id, id, p->keys[0]);
		errno = EINVAL;
		return -1;
	}
	d->reg.nr_mem_id = (uint16_t)id;
	return 0;
}

/* In the order of conf's keys, so that what is more specific comes later and wins. */
enum {
	RINGS,
	HOST_RINGS,
	SLOTS,
	TX_RINGS,
	RX_RINGS,
	HOST_TX_RINGS,
	HOST_RX_RINGS,
	TX_SLOTS,
	RX_SLOTS,
	NB_CONF
};

static void
conf_set(struct nmreq_register *reg, int key, uint32_t n)
{
	if (key == RINGS || key == TX_RINGS)
		reg->nr_tx_rings = (uint16_t)n;
	if (key == RINGS || key == RX_RINGS)
		reg->nr_rx_rings = (uint16_t)n;
	if (key == HOST_RINGS || key == HOST_TX_RINGS)
		reg->nr_host_tx_rings = (uint16_t)n;
	if (key == HOST_RINGS || key == HOST_RX_RINGS)
		reg->nr_host_rx_rings = (uint16_t)n;
	if (key == SLOTS || key == TX_SLOTS)
		reg->nr_tx_slots = n;
	if (key == SLOTS || key == RX_SLOTS)
		reg->nr_rx_slots = n;
}

static int
parse_conf(struct nmreq_parse_ctx *p)
{
	struct nmport_d *d = p->token;
	int key;

	for (key = 0; key < NB_CONF; key++) {
		bool slots = key == SLOTS || key == TX_SLOTS || key == RX_SLOTS;
		uint64_t n;

		if (p->keys[key] == NULL)
			continue;
		if (key_number(p, key, slots ? UINT32_MAX : UINT16_MAX, &n) < 0)
			return -1;
		conf_set(&d->reg, key, (uint32_t)n);
	}
	return 0;
}

static int
parse_extmem(struct nmreq_parse_ctx *p)
{
	struct nmreq_pools_info *info;
	struct nmport_d *d = p->token;
	uint64_t n[7];
	int key;

	for (key = 1; key < 7; key++)
		if (key_number(p, key, UINT32_MAX, &n[key]) < 0)
			return -1;
	if (nmport_extmem_from_file(d, p->keys[0]) < 0)
		return -1;
	info = nmport_extmem_getinfo(d);
	info->nr_if_pool_objtotal = (uint32_t)n[1];
	info->nr_if_pool_objsize = (uint32_t)n[2];
	info->nr_ring_pool_objtotal = (uint32_t)n[3];
	info->nr_ring_pool_objsize = (uint32_t)n[4];
	info->nr_buf_pool_objtotal = (uint32_t)n[5];
	info->nr_buf_pool_objsize = (uint32_t)n[6];
	return 0;
}

static int
parse_offset(struct nmreq_parse_ctx *p)
{
	uint64_t initial, bits;

	if (key_number(p, 0, UINT32_MAX, &initial) < 0 || key_number(p, 1, 64, &bits) < 0)
		return -1;
	return nmport_offset(p->token, initial, initial, bits, 0);
}

#define MAIN_KEY (NMREQ_OPTK_DEFAULT | NMREQ_OPTK_MUSTSET)

static struct nmreq_opt_parser offset_parser = {
	.prefix = "offset",
	.parse = parse_offset,
	.default_key = 0,
	.nr_keys = 2,
	.flags = NMREQ_OPTF_DISABLED,
	.keys = {{"initial", 0, MAIN_KEY}, {"bits", 1, 0}},
};
static struct nmreq_opt_parser extmem_parser = {
	.prefix = "extmem",
	.parse = parse_extmem,
	.default_key = 0,
	.nr_keys = 7,
	.keys = {{"file", 0, MAIN_KEY}, {"if_num", 1, 0}, {"if_size", 2, 0}, {"ring_num", 3, 0},
		{"ring_size", 4, 0}, {"buf_num", 5, 0}, {"buf_size", 6, 0}},
	.next = &offset_parser,
};
static struct nmreq_opt_parser conf_parser = {
	.prefix = "conf",
	.parse = parse_conf,
	.default_key = -1,
	.nr_keys = NB_CONF,
	.keys = {{"rings", RINGS, 0}, {"host_rings", HOST_RINGS, 0}, {"slots", SLOTS, 0},
		{"tx_rings", TX_RINGS, 0}, {"rx_rings", RX_RINGS, 0},
		{"host_tx_rings", HOST_TX_RINGS, 0}, {"host_rx_rings", HOST_RX_RINGS, 0},
		{"tx_slots", TX_SLOTS, 0}, {"rx_slots", RX_SLOTS, 0}},
	.next = &extmem_parser,
};
static struct nmreq_opt_parser share_parser = {
	.prefix = "share",
	.parse = parse_share,
	.default_key = 0,
	.nr_keys = 1,
	.keys = {{"port", 0, MAIN_KEY}},
	.next = &conf_parser,
};

struct nmreq_opt_parser *
nmport_parsers(void)
{
	return &share_parser;
}

static struct nmreq_opt_parser *
find_parser(const char *opt)
{
	struct nmreq_opt_parser *p = nmport_parsers();

	while (p != NULL && strcmp(p->prefix, opt) != 0)
		p = p->next;
	return p;
}

void
nmport_disable_option(const char *opt)
{
	struct nmreq_opt_parser *p = find_parser(opt);

	if (p != NULL)
		p->flags |= NMREQ_OPTF_DISABLED;
}

int
nmport_enable_option(const char *opt)
{
	struct nmreq_opt_parser *p = find_parser(opt);

	if (p == NULL) {
		errno = EOPNOTSUPP;
		return -1;
	}
	p->flags &= ~NMREQ_OPTF_DISABLED;
	return 0;
}
