/* SPDX-License-Identifier: BSD-3-Clause */
/* The mode in a port's specification: rings, memory region, flags. */
#include <errno.h>

#include "libnetmap.h"
#include "number.h"

/* What was understood so far; only a whole success goes to the request. */
struct mode {
	uint32_t nr_mode;
	uint16_t ringid;
	uint16_t mem_id;
	uint64_t flags;
};

static int
bad(struct nmctx *ctx, const char *at, const char *why)
{
	nmctx_ferror(ctx, "'%s': %s", at, why);
	errno = EINVAL;
	return -1;
}

static int
take_ring(const char **scan, struct mode *m, struct nmctx *ctx)
{
	uint64_t ring;

	/* the mask itself is no ring */
	if (number_take(scan, NETMAP_RING_MASK - 1, &ring) < 0)
		return bad(ctx, *scan, "a ring number below 4095 is expected here");
	m->ringid = (uint16_t)ring;
	return 0;
}

/* ^ ^N * -N, or none of them. */
static int
take_rings(const char **scan, struct mode *m, struct nmctx *ctx)
{
	switch (**scan) {
	case '*':
		(*scan)++;
		m->nr_mode = NR_REG_NIC_SW;
		return 0;
	case '-':
		(*scan)++;
		m->nr_mode = NR_REG_ONE_NIC;
		return take_ring(scan, m, ctx);
	case '^':
		(*scan)++;
		m->nr_mode = NR_REG_SW;
		if (!number_is_digit(**scan))
			return 0;
		m->nr_mode = NR_REG_ONE_SW;
		return take_ring(scan, m, ctx);
	default:
		return 0;
	}
}

static int
take_flags(const char **scan, struct mode *m, struct nmctx *ctx)
{
	if (**scan == '\0')
		return bad(ctx, *scan - 1, "flags are expected after '/'");
	for (; **scan != '\0' && **scan != '@'; (*scan)++) {
		switch (**scan) {
		case 'x':
			m->flags |= NR_EXCLUSIVE;
			break;
		case 'z':
			m->flags |= NR_ZCOPY_MON;
			break;
		case 't':
			m->flags |= NR_MONITOR_TX;
			break;
		case 'r':
			m->flags |= NR_MONITOR_RX;
			break;
		case 'T':
			m->flags |= NR_TX_RINGS_ONLY;
			break;
		case 'R':
			m->flags |= NR_RX_RINGS_ONLY;
			break;
		default:
			return bad(ctx, *scan, "flags are x z t r T R");
		}
	}
	return 0;
}

static int
take_mem_id(const char **scan, struct mode *m, struct nmctx *ctx)
{
	uint64_t id;

	if (number_take(scan, UINT16_MAX, &id) < 0 || id == 0)
		return bad(ctx, *scan, "memory regions are numbered from 1 to 65535");
	if (m->mem_id != 0 && m->mem_id != id) {
		nmctx_ferror(ctx, "memory region %u was already asked for, not %u", m->mem_id,
			(unsigned int)id);
		errno = EINVAL;
		return -1;
	}
	m->mem_id = (uint16_t)id;
	return 0;
}

/* In any number and order: /FLAGS and @N, up to the first option. */
static int
take_rest(const char **scan, struct mode *m, struct nmctx *ctx)
{
	int ret = 0;

	while (ret == 0 && **scan != '\0') {
		if (**scan == '/') {
			(*scan)++;
			ret = take_flags(scan, m, ctx);
		} else if (**scan == '@' && number_is_digit((*scan)[1])) {
			(*scan)++;
			ret = take_mem_id(scan, m, ctx);
		} else if (**scan == '@' && (*scan)[1] != '\0') {
			break;
		} else {
			ret = bad(ctx, *scan, "/FLAGS, @REGION or @OPTION are expected here");
		}
	}
	return ret;
}

int
nmreq_register_decode(const char **pmode, struct nmreq_register *reg, struct nmctx *ctx)
{
	struct mode m = {.nr_mode = NR_REG_ALL_NIC, .mem_id = reg->nr_mem_id};
	const char *scan = *pmode;

	if (take_rings(&scan, &m, ctx) < 0 || take_rest(&scan, &m, ctx) < 0)
		return -1;
	reg->nr_mode = m.nr_mode;
	reg->nr_ringid = m.ringid;
	reg->nr_flags = m.flags;
	reg->nr_mem_id = m.mem_id;
	*pmode = scan;
	return 0;
}
