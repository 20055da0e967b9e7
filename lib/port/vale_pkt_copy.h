/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_PKT_COPY_H
#define VALE_PKT_COPY_H

/**
 * @file
 * Copying a frame into mbufs, for the kinds of port that deliver mbufs.
 */

#include <rte_mbuf.h>

#include "vale_port.h"

/**
 * Copy a frame into fresh mbufs: one, or a chain where it is longer than the pool's buffers hold.
 * Only the frame's bytes are copied: no offload flags, no dynamic fields (who holds an mbuf is told
 * by one of them).
 *
 * @param pkt
 *   Frame, wherever it lies. Unchanged.
 * @param pool
 *   Pool of the copy, with room for data behind the headroom.
 * @return
 *   The copy, the caller's; NULL when the pool is empty.
 *
 * Thread-safe as the pool is; does not block.
 */
struct rte_mbuf *vale_pkt_to_mbuf(const struct vale_pkt *pkt, struct rte_mempool *pool);

/**
 * Copy the bytes of a frame to one place.
 *
 * @param dst
 *   Receives pkt->len bytes; fewer where a chain of mbufs is shorter than its length says.
 *
 * Thread-safe; does not block.
 */
void vale_pkt_to_flat(const struct vale_pkt *pkt, void *dst);

/** A walk over the pieces of a frame, whatever it lies in. */
struct vale_pieces {
	const struct vale_pkt *pkt;
	const struct rte_mbuf *mbuf;
	const struct vale_seg *seg;
	uint32_t left; /**< bytes that are still to come */
};

/** Begin a walk. The frame stays unchanged and lent as long as it lasts. */
static inline struct vale_pieces
vale_pieces_of(const struct vale_pkt *pkt)
{
	struct vale_pieces w = {.pkt = pkt, .left = pkt->len};

	if (pkt->flags & VALE_PKT_MBUF)
		w.mbuf = pkt->mbuf;
	else if (pkt->flags & VALE_PKT_SEGS)
		w.seg = pkt->segs;
	return w;
}

/**
 * The next piece that is not empty.
 *
 * @param data
 *   Receives its first byte.
 * @return
 *   Its bytes; 0 at the end, which comes early where a chain of mbufs is shorter than its length
 *   says.
 */
static inline uint32_t
vale_pieces_next(struct vale_pieces *w, const uint8_t **data)
{
	uint32_t n = 0;

	while (n == 0 && w->left > 0) {
		if (w->mbuf != NULL) {
			*data = rte_pktmbuf_mtod(w->mbuf, const uint8_t *);
			n = RTE_MIN((uint32_t)w->mbuf->data_len, w->left);
			w->mbuf = w->mbuf->next;
			if (w->mbuf == NULL)
				w->left = n;
		} else if (w->seg != NULL) {
			*data = w->seg->data;
			n = RTE_MIN(w->seg->len, w->left);
			w->seg++;
		} else {
			*data = w->pkt->data;
			n = w->left;
		}
		w->left -= n;
	}
	return n;
}

#endif /* VALE_PKT_COPY_H */
