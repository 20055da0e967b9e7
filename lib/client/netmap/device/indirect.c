/* SPDX-License-Identifier: BSD-3-Clause */
#include <net/netmap_user.h>

#include "indirect.h"
#include "user_mem.h"

/** Pieces that are copied in one call. */
struct batch {
	struct iovec to[VNM_USER_BATCH], from[VNM_USER_BATCH];
	struct netmap_slot *slots[VNM_USER_BATCH];
	unsigned int nb;
};

static void
batch_copy(struct batch *b)
{
	unsigned char done[VNM_USER_BATCH];
	unsigned int i;

	vnm_user_gather(b->to, b->from, b->nb, done);
	for (i = 0; i < b->nb; i++)
		if (!done[i])
			b->slots[i]->len = 0;
	b->nb = 0;
}

/** One slot: into the batch, or empty. */
static void
batch_add(struct batch *b, struct vnm_file *f, struct netmap_ring *ring, struct netmap_slot *s)
{
	uint32_t idx = s->buf_idx;
	uint64_t ptr = s->ptr;
	uint16_t len = s->len;

	s->flags &= (uint16_t)~NS_INDIRECT;
	NETMAP_WOFFSET(ring, s, 0); /* ptr was an address, the frame now begins the buffer */
	if (ptr == 0 || len > VALE_NM_BUF_SZ || idx < 2 || idx >= f->nb_bufs) {
		s->len = 0;
		return;
	}
	b->to[b->nb].iov_base = f->bufs + (size_t)idx * VALE_NM_BUF_SZ;
	b->from[b->nb].iov_base = (void *)(uintptr_t)ptr;
	b->to[b->nb].iov_len = b->from[b->nb].iov_len = len;
	b->slots[b->nb++] = s;
	if (b->nb == VNM_USER_BATCH)
		batch_copy(b);
}

void
vnm_indirect(struct vnm_file *f, struct netmap_ring *ring, uint32_t from, uint32_t to, uint32_t n)
{
	struct batch b;
	uint32_t i;

	b.nb = 0;
	for (i = from; i != to; i = i + 1 == n ? 0 : i + 1)
		if (ring->slot[i].flags & NS_INDIRECT)
			batch_add(&b, f, ring, &ring->slot[i]);
	if (b.nb > 0)
		batch_copy(&b);
}
