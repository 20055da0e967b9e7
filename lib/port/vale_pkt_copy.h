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
 *   Frame, in mbufs or in one piece. Unchanged.
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
 *   Receives pkt->len bytes.
 *
 * Thread-safe; does not block.
 */
void vale_pkt_to_flat(const struct vale_pkt *pkt, void *dst);

#endif /* VALE_PKT_COPY_H */
