/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_branch_prediction.h>
#include <rte_memcpy.h>

#include "vale_pkt_copy.h"

/** A chain of empty mbufs that is being filled. */
struct chain {
	struct rte_mempool *pool;
	struct rte_mbuf *head;
	struct rte_mbuf *tail;
};

static int
chain_grow(struct chain *c)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(c->pool);

	if (unlikely(m == NULL))
		return -ENOMEM;
	if (c->head == NULL) {
		c->head = m;
	} else {
		c->tail->next = m;
		c->head->nb_segs++;
	}
	c->tail = m;
	return 0;
}

/** Append bytes, in as many mbufs as it takes. */
static int
chain_append(struct chain *c, const uint8_t *src, uint32_t len)
{
	uint32_t room, n;

	while (len > 0) {
		room = rte_pktmbuf_tailroom(c->tail);
		if (room == 0) {
			if (chain_grow(c) < 0)
				return -ENOMEM;
			continue;
		}
		n = RTE_MIN(room, len);
		rte_memcpy(rte_pktmbuf_mtod_offset(c->tail, void *, c->tail->data_len), src, n);
		c->tail->data_len += n;
		c->head->pkt_len += n;
		src += n;
		len -= n;
	}
	return 0;
}

struct rte_mbuf *
vale_pkt_to_mbuf(const struct vale_pkt *pkt, struct rte_mempool *pool)
{
	struct vale_pieces pieces = vale_pieces_of(pkt);
	struct chain c = {.pool = pool};
	const uint8_t *data;
	uint32_t n;
	int ret = 0;

	if (chain_grow(&c) < 0)
		return NULL;
	/* the common case: one piece into one buffer */
	if (likely(pkt->seg_len == pkt->len && pkt->len <= rte_pktmbuf_tailroom(c.head))) {
		rte_memcpy(rte_pktmbuf_mtod(c.head, void *), pkt->data, pkt->len);
		c.head->data_len = pkt->len;
		c.head->pkt_len = pkt->len;
		return c.head;
	}
	while (ret == 0 && (n = vale_pieces_next(&pieces, &data)) > 0)
		ret = chain_append(&c, data, n);
	if (likely(ret == 0))
		return c.head;
	rte_pktmbuf_free(c.head);
	return NULL;
}

void
vale_pkt_to_flat(const struct vale_pkt *pkt, void *dst)
{
	struct vale_pieces pieces = vale_pieces_of(pkt);
	const uint8_t *data;
	uint8_t *p = dst;
	uint32_t n;

	while ((n = vale_pieces_next(&pieces, &data)) > 0) {
		rte_memcpy(p, data, n);
		p += n;
	}
}
