/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdatomic.h>
#include <sys/eventfd.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "apart.h"
#include "vale_gates.h"
#include "vale_stats.h"

/* How far ahead of their use buffers and mbufs are loaded. */
#define AHEAD 4
#define MASK (APART_RING_SZ - 1)
/* Of a frame that ends within this much both sides copy it all, where they may: one load and one
 * store in place of branches on its length. */
#define SHORT_SZ 64

/** Flags and length of a descriptor; region 0, the only one, and its place in it never change. */
static __rte_always_inline void
desc_write(struct apart_ring *r, uint16_t slot, uint16_t flags, uint32_t length)
{
	/* relaxed: head, stored with release, publishes it */
	atomic_store_explicit(&r->shm->desc[slot & MASK][0], flags | (uint64_t)length << 32,
		memory_order_relaxed);
}

static __rte_always_inline uint64_t
desc_read(const struct apart_ring *r, uint16_t slot)
{
	/* relaxed: tail, loaded with acquire, says that it is written */
	return atomic_load_explicit(&r->shm->desc[slot & MASK][0], memory_order_relaxed);
}

/** Bytes in a buffer; no more than there can be. */
static __rte_always_inline uint32_t
desc_length(uint64_t desc)
{
	return RTE_MIN((uint32_t)(desc >> 32), APART_BUF_SZ);
}

static __rte_always_inline uint8_t *
buffer(const struct apart_ring *r, uint16_t slot)
{
	return r->bufs + (slot & MASK) * APART_BUF_STRIDE;
}

static __rte_always_inline uint16_t
load_tail(const struct apart_ring *r)
{
	/* acquire: what the switch did to buffers lies before it */
	return atomic_load_explicit(&r->shm->tail, memory_order_acquire);
}

/** Copy a frame, or a piece of one. @p src may be read and @p dst written for @p room bytes. */
static __rte_always_inline void
copy(uint8_t *dst, const uint8_t *src, uint32_t len, uint32_t room)
{
	if (likely(len <= SHORT_SZ && room >= SHORT_SZ))
		rte_mov64(dst, src);
	else
		rte_memcpy(dst, src, len);
}

/* ---- receive ---- */

/** Descriptors that hold frames. */
static __rte_always_inline uint16_t
filled(const struct apart_ring *r)
{
	uint16_t n = load_tail(r) - r->next;

	return likely(n <= APART_RING_SZ) ? n : 0;
}

/** Take @p n mbufs, or as many as there are. */
static __rte_always_inline uint16_t
take_mbufs(struct apart_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	while (unlikely(rte_pktmbuf_alloc_bulk(q->pool, pkts, n) != 0)) {
		n /= 2;
		if (n == 0) {
			q->dev->eth_dev->data->rx_mbuf_alloc_failed++;
			return 0;
		}
	}
	return n;
}

/** A frame being put together in mbufs. */
struct rx_frame {
	struct rte_mbuf *head, *last;
	struct rte_mempool *pool;
};

/** Append a piece. @return false if mbufs ran out. */
static bool
frame_append(struct rx_frame *f, const uint8_t *src, uint32_t len)
{
	uint32_t n;

	for (; len > 0; len -= n, src += n) {
		if (rte_pktmbuf_tailroom(f->last) == 0) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(f->pool);

			if (m == NULL)
				return false;
			f->last->next = m;
			f->last = m;
			f->head->nb_segs++;
		}
		n = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(f->last));
		rte_memcpy(rte_pktmbuf_mtod_offset(f->last, uint8_t *, f->last->data_len), src, n);
		f->last->data_len += n;
		f->head->pkt_len += n;
	}
	return true;
}

/**
 * Copy a frame of several buffers, or one that no single mbuf holds.
 *
 * @return
 *   Descriptors that it takes, of @p filled; 0: not enough mbufs now, @p m is as it was.
 */
static __rte_noinline uint16_t
rx_chain(struct apart_rxq *q, const struct apart_ring *r, uint16_t slot, uint16_t nb_filled,
	struct rte_mbuf *m)
{
	struct rx_frame f = {.head = m, .last = m, .pool = q->pool};
	uint16_t used = 0;
	uint64_t desc;

	do {
		desc = desc_read(r, slot + used);
		if (!frame_append(&f, buffer(r, slot + used), desc_length(desc))) {
			rte_pktmbuf_free(m->next);
			m->next = NULL;
			m->nb_segs = 1;
			m->data_len = 0;
			m->pkt_len = 0;
			q->dev->eth_dev->data->rx_mbuf_alloc_failed++;
			return 0;
		}
		used++;
	} while ((desc & MEMIF_DESC_NEXT) && used < nb_filled);
	return used;
}

/** Copy the frame at @p slot. Returns the descriptors that it takes, 0 as rx_chain(). */
static __rte_always_inline uint16_t
rx_frame(struct apart_rxq *q, const struct apart_ring *r, uint16_t slot, uint16_t nb_filled,
	struct rte_mbuf *m)
{
	uint64_t desc = desc_read(r, slot);
	uint32_t len = desc_length(desc);
	uint32_t room = rte_pktmbuf_tailroom(m);

	if (unlikely((desc & MEMIF_DESC_NEXT) || len > room))
		return rx_chain(q, r, slot, nb_filled, m);
	copy(rte_pktmbuf_mtod(m, uint8_t *), buffer(r, slot), len, room);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	return 1;
}

/** Give the switch back what was read. */
static __rte_always_inline void
lend(struct apart_ring *r, uint16_t slot)
{
	r->next = slot;
	/* release: buffers are read, descriptors written, before the switch may have them */
	atomic_store_explicit(
		&r->shm->head, (uint16_t)(slot + APART_RING_SZ), memory_order_release);
}

static __rte_always_inline uint16_t
rx_ring(struct apart_rxq *q, struct apart_ring *r, struct rte_mbuf **pkts, uint16_t nb,
	uint64_t *bytes)
{
	uint16_t nb_filled = filled(r);
	uint16_t slot = r->next, end = slot + nb_filled;
	uint16_t nb_mbufs, used, n = 0;

	if (nb_filled == 0)
		return 0;
	nb_mbufs = take_mbufs(q, pkts, RTE_MIN(nb, nb_filled));
	for (; n < nb_mbufs && slot != end; n++) {
		rte_prefetch0(buffer(r, slot + AHEAD));
		used = rx_frame(q, r, slot, end - slot, pkts[n]);
		if (unlikely(used == 0) && nb_mbufs > n + 1) {
			/* what was taken for the next frames is wanted for this one */
			rte_pktmbuf_free_bulk(&pkts[n + 1], nb_mbufs - n - 1);
			nb_mbufs = n + 1;
			used = rx_frame(q, r, slot, end - slot, pkts[n]);
		}
		if (unlikely(used == 0))
			break;
		pkts[n]->port = q->port_id;
		*bytes += pkts[n]->pkt_len;
		for (; used > 0; used--, slot++)
			desc_write(r, slot, 0, APART_BUF_SZ);
	}
	/* frames of several buffers are fewer than buffers */
	if (unlikely(n < nb_mbufs))
		rte_pktmbuf_free_bulk(&pkts[n], nb_mbufs - n);
	lend(r, slot);
	return n;
}

uint16_t
apart_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t nb)
{
	struct apart_rxq *q = rxq;
	struct apart_dev *dev = q->dev;
	struct vale_gate *g = &vale_gates[q->port_id].rx[q->id];
	uint64_t bytes = 0;
	uint16_t n = 0;

	if (vale_gate_enter(g)) {
		for (uint16_t i = q->id; i < dev->nb_rings && n < nb; i += dev->nb_rx_queues)
			n += rx_ring(q, &dev->from[i], &pkts[n], nb - n, &bytes);
		if (n > 0) {
			vale_counter_add(&q->packets, n);
			vale_counter_add(&q->bytes, bytes);
		}
	}
	vale_gate_leave(g);
	return n;
}

uint16_t
apart_rx_burst_cksum(void *rxq, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t n = apart_rx_burst(rxq, pkts, nb);

	vale_rx_cksum(pkts, n);
	return n;
}

void
apart_rx_drain(struct apart_rxq *q)
{
	struct apart_dev *dev = q->dev;
	struct vale_gate *g = &vale_gates[q->port_id].rx[q->id];

	if (vale_gate_enter(g)) {
		for (uint16_t i = q->id; i < dev->nb_rings; i += dev->nb_rx_queues) {
			struct apart_ring *r = &dev->from[i];
			uint16_t todo = filled(r); /* and not what comes meanwhile */

			for (uint16_t k = 0; k < todo; k++)
				desc_write(r, r->next + k, 0, APART_BUF_SZ);
			lend(r, r->next + todo);
		}
	}
	vale_gate_leave(g);
}

/* ---- transmit ---- */

/** What became of the frames of one burst, before it goes to the counters. */
struct tx_sum {
	uint64_t bytes;
	uint32_t packets, dropped;
};

/**
 * Copy a frame that has several segments or takes several buffers.
 *
 * @return
 *   Descriptors that it takes, of @p room; 0: it takes more.
 */
static __rte_noinline uint16_t
tx_chain(struct apart_ring *r, const struct rte_mbuf *m, uint16_t room)
{
	uint16_t used = 1;
	uint32_t at = 0; /* in the buffer */

	if (room == 0)
		return 0;
	for (; m != NULL; m = m->next) {
		const uint8_t *src = rte_pktmbuf_mtod(m, const uint8_t *);
		uint32_t left = m->data_len, n;

		for (; left > 0; left -= n, src += n, at += n) {
			if (at == APART_BUF_SZ) {
				if (used == room)
					return 0;
				desc_write(r, r->next + used - 1, MEMIF_DESC_NEXT, at);
				used++;
				at = 0;
			}
			n = RTE_MIN(left, APART_BUF_SZ - at);
			rte_memcpy(buffer(r, r->next + used - 1) + at, src, n);
		}
	}
	desc_write(r, r->next + used - 1, 0, at);
	return used;
}

/** Copy a frame into the ring. Returns the descriptors that it takes; 0: it takes more than @p
 * room. */
static __rte_always_inline uint16_t
tx_frame(struct apart_ring *r, const struct rte_mbuf *m, uint16_t room)
{
	uint32_t len = m->data_len;

	if (unlikely(m->nb_segs > 1 || len > APART_BUF_SZ || room == 0))
		return tx_chain(r, m, room);
	copy(buffer(r, r->next), rte_pktmbuf_mtod(m, const uint8_t *), len,
		m->buf_len - m->data_off);
	desc_write(r, r->next, 0, len);
	return 1;
}

/** Put frames into the ring until one or the other is used up. @return frames dealt with. */
static __rte_always_inline uint16_t
tx_frames(struct apart_ring *r, struct rte_mbuf **pkts, uint16_t nb, struct tx_sum *sum)
{
	uint16_t room = APART_RING_SZ - (uint16_t)(r->next - load_tail(r));
	uint16_t i, used;

	/* nonsense can come of nothing but a broken switch: it gets no more */
	if (unlikely(room > APART_RING_SZ))
		return 0;
	for (i = 0; i < nb; i++) {
		if (i + AHEAD < nb)
			rte_prefetch0(pkts[i + AHEAD]);
		used = tx_frame(r, pkts[i], room);
		if (unlikely(used == 0)) {
			if (room < APART_RING_SZ)
				break;
			sum->dropped++; /* not even an empty ring holds it */
			continue;
		}
		r->next += used;
		room -= used;
		sum->packets++;
		sum->bytes += pkts[i]->pkt_len;
	}
	return i;
}

/** Let the switch see the frames, and wake it if it asks for that. */
static __rte_always_inline void
tx_publish(struct apart_ring *r)
{
	/* release: buffers and descriptors are written */
	atomic_store_explicit(&r->shm->head, r->next, memory_order_release);
	/* head before flags: the switch clears the flag, then looks at head once more */
	atomic_thread_fence(memory_order_seq_cst);
	if (unlikely(!(atomic_load_explicit(&r->shm->flags, memory_order_relaxed) &
		       MEMIF_RING_MASK_INT)))
		eventfd_write(r->event_fd, 1);
}

static __rte_always_inline uint16_t
tx_ring(struct apart_txq *q, struct rte_mbuf **pkts, uint16_t nb)
{
	struct apart_ring *r = &q->dev->to[q->id];
	struct tx_sum sum = {0};
	uint16_t n = tx_frames(r, pkts, nb, &sum);

	if (likely(sum.packets > 0))
		tx_publish(r);
	vale_counter_add(&q->packets, sum.packets);
	vale_counter_add(&q->bytes, sum.bytes);
	if (unlikely(n < nb))
		vale_counter_add(&q->full, nb - n);
	if (unlikely(sum.dropped > 0))
		vale_counter_add(&q->dropped, sum.dropped);
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

uint16_t
apart_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t nb)
{
	struct apart_txq *q = txq;
	struct vale_gate *g = &vale_gates[q->port_id].tx[q->id];
	uint16_t n = 0;

	if (vale_gate_enter(g))
		n = tx_ring(q, pkts, nb);
	vale_gate_leave(g);
	return n;
}

/* ---- what waits in a queue ---- */

uint16_t
apart_ring_waiting(const struct apart_ring *r)
{
	/* from the switch head is always a ring's length ahead of what the next burst looks at */
	uint16_t next = atomic_load_explicit(&r->shm->head, memory_order_relaxed) - APART_RING_SZ;
	uint16_t n = load_tail(r) - next;

	return n <= APART_RING_SZ ? n : 0;
}

uint32_t
apart_rx_queue_count(void *rxq)
{
	const struct apart_rxq *q = rxq;
	const struct apart_dev *dev = q->dev;
	uint32_t n = 0;

	for (uint16_t i = q->id; i < dev->nb_rings; i += dev->nb_rx_queues)
		n += apart_ring_waiting(&dev->from[i]);
	return n;
}

int
apart_rx_descriptor_status(void *rxq, uint16_t offset)
{
	if (offset >= APART_RING_SZ)
		return -EINVAL;
	return offset < apart_rx_queue_count(rxq) ? RTE_ETH_RX_DESC_DONE : RTE_ETH_RX_DESC_AVAIL;
}

int
apart_tx_descriptor_status(void *txq, uint16_t offset)
{
	const struct apart_txq *q = txq;
	const struct apart_ring *r = &q->dev->to[q->id];
	uint16_t used;

	if (offset >= APART_RING_SZ)
		return -EINVAL;
	used = atomic_load_explicit(&r->shm->head, memory_order_relaxed) - load_tail(r);
	return offset < used ? RTE_ETH_TX_DESC_FULL : RTE_ETH_TX_DESC_DONE;
}
