/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's part: frames for a client. */
#include <string.h>

#include "netmap_port.h"
#include "slot.h"
#include "vale_copy.h"
#include "vale_offload.h"
#include "vale_pkt_copy.h"
#include "vale_prefetch.h"

/* Lines of slots that are fetched ahead. */
#define SLOT_LINES_AHEAD 4

/* A receive slot: where its bytes go and how many it takes; 0 if it is no slot to write to. */
static inline uint32_t
slot_room(const struct nm_ring *r, const struct slot *s, uint8_t **data)
{
	uint64_t off = s->ptr & r->offset_mask;

	if (unlikely(!buf_is_good(r, s->buf_idx) || off > r->offset_max))
		return 0;
	*data = buf_at(r, s->buf_idx) + off;
	return VALE_NM_BUF_SZ - (uint32_t)off;
}

/* Of a receive slot the switch writes length and flags, in one word. */
static inline void
slot_write(struct netmap_slot *shm, uint32_t len, uint32_t flags)
{
	__atomic_store_n((uint32_t *)&shm->len, len | flags << 16, __ATOMIC_RELAXED);
}

/* A frame into several slots of which there are @p room. Returns the slots used, 0 if it does not
 * fit: then nothing of it is published. */
static __rte_noinline uint32_t
write_chain(struct nm_txq *tq, uint32_t at, uint32_t room, const struct vale_pkt *pkt,
	uint32_t hdr_len, struct vale_tx_result *res)
{
	uint8_t hdr[sizeof(struct vale_vnet_hdr)];
	const struct nm_ring *r = &tq->ring;
	struct vale_pieces pieces = vale_pieces_of(pkt);
	uint32_t first = at, n = 0, piece = hdr_len, used = 0, space = 0, pos = 0;
	uint32_t lens[VALE_NM_FRAGS_MAX];
	const uint8_t *src = hdr;
	uint8_t *dst = NULL;
	/* the boundaries of a netmap sender are kept, mbufs are packed: there may be hundreds */
	bool keep = (pkt->flags & (VALE_PKT_SEGS | VALE_PKT_MADE)) == VALE_PKT_SEGS;
	bool merge = hdr_len > 0; /* the header stands in the first slot of the frame */

	if (piece == 0)
		piece = vale_pieces_next(&pieces, &src);
	else
		nm_vnet_make(pkt, hdr, hdr_len);
	while (piece > 0) {
		uint32_t part;

		if (used == space) {
			struct slot s;

			if (n == VALE_NM_FRAGS_MAX) {
				res->too_long++;
				return 0;
			}
			if (n == room)
				return 0;
			s = slot_read(&r->slots[at]);
			space = slot_room(r, &s, &dst);
			if (space == 0)
				return 0;
			used = 0;
			at = ring_next(r, at, 1);
			lens[n++] = 0;
		}
		part = RTE_MIN(piece - pos, space - used);
		memcpy(dst + used, src + pos, part);
		used += part;
		pos += part;
		lens[n - 1] = used;
		if (pos < piece)
			continue;
		pos = 0;
		piece = vale_pieces_next(&pieces, &src);
		if (keep && !merge)
			space = used;
		merge = false;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t more = i + 1 < n ? NS_MOREFRAG : 0;

		slot_write(&r->slots[ring_next(r, first, i)], lens[i], n << NS_PORT_SHIFT | more);
	}
	return n;
}

/* A slot that points nowhere is given back empty: the frame that met it is lost, the next may fit.
 */
static uint32_t
skip_slot(struct nm_txq *tq, uint32_t at)
{
	slot_write(&tq->ring.slots[at], 0, 0);
	return 1;
}

/* One frame of any kind; returns slots used. */
static __rte_noinline uint32_t
write_frame(struct nm_txq *tq, uint32_t at, uint32_t room, const struct vale_pkt *pkt,
	uint32_t hdr_len, struct vale_tx_result *res)
{
	struct slot s = slot_read(&tq->ring.slots[at]);
	uint8_t *dst = NULL;
	uint32_t space = slot_room(&tq->ring, &s, &dst), used;

	/* the second: the header was switched off a moment ago */
	if (unlikely(space == 0 || ((pkt->flags & VALE_PKT_OFFLOAD) && hdr_len == 0)))
		return skip_slot(tq, at);
	if (likely(pkt->seg_len == pkt->len && pkt->len + hdr_len <= space)) {
		if (unlikely(hdr_len > 0)) {
			nm_vnet_make(pkt, dst, hdr_len);
			dst += hdr_len;
		}
		vale_copy_frame(dst, pkt->data, pkt->len);
		slot_write(&tq->ring.slots[at], pkt->len + hdr_len, 1 << NS_PORT_SHIFT);
		used = 1;
	} else {
		used = write_chain(tq, at, room, pkt, hdr_len, res);
		if (used == 0)
			return 0;
	}
	res->packets++;
	res->bytes += pkt->len;
	return used;
}

/* ---- the usual frame: in one piece, with nothing before it, into one slot without offset ---- */

/* Flags that say nothing about how a frame is copied. */
#define USUAL_FLAGS (VALE_PKT_MBUF | VALE_PKT_SHARED | VALE_PKT_NO_LEARN)

/* Slots that are looked at together, before any of their buffers is written. */
struct nm_places {
	uint8_t *dst[NM_CHUNK]; /* NULL: the slot points nowhere */
	uint32_t nb;
};

/* Look at up to @p n slots from @p at on, not over the end of the ring, and have their buffers
 * fetched, and so the slots further on: four are in a line, and their lengths will be written. */
static inline void
look_at_places(const struct nm_ring *r, uint32_t at, uint32_t n, struct nm_places *pl)
{
	const struct netmap_slot *slot = &r->slots[at];

	n = RTE_MIN(n, (uint32_t)NM_CHUNK);
	n = RTE_MIN(n, r->nb_slots - at);
	pl->nb = n;
	for (uint32_t i = 0; i < n; i++) {
		/* relaxed: as slot_read() */
		uint32_t idx = __atomic_load_n(&slot[i].buf_idx, __ATOMIC_RELAXED);

		pl->dst[i] = NULL;
		if (unlikely(!buf_is_good(r, idx)))
			continue;
		pl->dst[i] = buf_at(r, idx);
		vale_prefetch_write(pl->dst[i]);
	}
	/* of a ring so short that there are none: any */
	at = ring_next(r, at, n);
	for (uint32_t i = 0; i < n; i += 4)
		vale_prefetch_write(&r->slots[ring_next(r, at, RTE_MIN(i, r->nb_slots - 1))]);
}

/* Write frames to such places until one or the other is used up, or not usual. Returns how many;
 * adds to *bytes. */
static inline uint32_t
write_places(const struct nm_ring *r, uint32_t at, const struct nm_places *pl,
	const struct vale_pkt *pkts, const uint16_t *idx, uint32_t n, uint64_t *bytes)
{
	struct netmap_slot *slot = &r->slots[at];
	uint64_t sum = 0;
	uint32_t i;

	n = RTE_MIN(n, pl->nb);
	for (i = 0; i < n; i++) {
		const struct vale_pkt *p = &pkts[idx[i]];
		uint32_t len = p->len;

		if (unlikely(pl->dst[i] == NULL || (p->flags & ~USUAL_FLAGS) || p->seg_len != len ||
			     len > VALE_NM_BUF_SZ))
			break;
		vale_copy_frame(pl->dst[i], p->data, len);
		slot_write(&slot[i], len, 1 << NS_PORT_SHIFT);
		sum += len;
	}
	*bytes += sum;
	return i;
}

/* Write frames as long as they are usual. Returns how many. */
static inline uint32_t
write_usual(struct nm_txq *tq, uint32_t room, const struct vale_pkt *pkts, const uint16_t *idx,
	uint32_t n, struct vale_tx_result *res)
{
	const struct nm_ring ring = ring_constants(&tq->ring), *r = &ring;
	struct nm_places places[2];
	uint32_t at = tq->hwtail, done = 0, ahead, wrote, turn = 0;

	n = RTE_MIN(n, room);
	look_at_places(r, at, n, &places[0]);
	while (done < n) {
		struct nm_places *now = &places[turn], *next = &places[turn ^ 1];

		ahead = done + now->nb;
		if (ahead < n)
			look_at_places(r, ring_next(r, at, now->nb), n - ahead, next);
		wrote = write_places(r, at, now, pkts, idx + done, n - done, &res->bytes);
		done += wrote;
		at = ring_next(r, at, wrote);
		if (unlikely(wrote < now->nb))
			break;
		turn ^= 1;
	}
	res->packets += done;
	tq->hwtail = at;
	return done;
}

/* ---- any frame ---- */

/* Fetch a slot's buffer ahead. The index is not checked yet: a fetch reads nothing, and one out of
 * range is bent into range so that it says nothing of other memory either. */
static inline void
prefetch_buf(const struct nm_ring *r, uint32_t at)
{
	uint32_t idx = __atomic_load_n(&r->slots[at].buf_idx, __ATOMIC_RELAXED);

	vale_prefetch_write(buf_at(r, RTE_MIN(idx, r->nb_bufs - 1)));
	if (at % 4 == 0)
		vale_prefetch_write(&r->slots[ring_next(r, at, 4 * SLOT_LINES_AHEAD)]);
}

/* Write frames, of which the first is not usual. */
static __rte_noinline void
write_any(struct nm_txq *tq, uint32_t room, const struct vale_pkt *pkts, const uint16_t *idx,
	uint32_t n, uint32_t hdr_len, struct vale_tx_result *res)
{
	const struct nm_ring *r = &tq->ring;
	const uint16_t *end = idx + n;
	uint32_t at = tq->hwtail, fetch = at, used;

	for (uint32_t i = 0; i < RTE_MIN(room, (uint32_t)NM_CHUNK); i++) {
		prefetch_buf(r, fetch);
		fetch = ring_next(r, fetch, 1);
	}
	for (; idx < end && room > 0; idx++, room -= used) {
		uint32_t too_long = res->too_long;

		/* behind what there is room for are the client's own slots, which do no harm */
		prefetch_buf(r, fetch);
		fetch = ring_next(r, fetch, 1);
		used = write_frame(tq, at, room, &pkts[*idx], hdr_len, res);
		/* the head of a batch is kept, its tail dropped */
		if (unlikely(used == 0 && res->too_long == too_long))
			break;
		at = ring_next(r, at, used);
	}
	tq->hwtail = at;
}

static void
write_frames(struct nm_port *port, struct nm_txq *tq, uint32_t room, const struct vale_pkt *pkts,
	const uint16_t *idx, uint32_t n, struct vale_tx_result *res)
{
	uint32_t hdr_len = atomic_load_explicit(&port->hdr_len, memory_order_relaxed);
	uint32_t done = 0;

	if (likely(hdr_len == 0 && tq->ring.offset_mask == 0))
		done = write_usual(tq, room, pkts, idx, n, res);
	if (unlikely(done < RTE_MIN(n, room)))
		write_any(tq, room - done, pkts, idx + done, n - done, hdr_len, res);
	/* release: slots and buffers were written before */
	atomic_store_explicit(tq->ring.done, tq->hwtail, memory_order_release);
}

/* Slots that may be filled: one always stays empty. */
static inline uint32_t
ring_room(const struct nm_txq *tq)
{
	uint32_t head = ring_head(&tq->ring);

	if (unlikely(head >= tq->ring.nb_slots))
		return 0;
	return ring_distance(&tq->ring, ring_next(&tq->ring, tq->hwtail, 1), head);
}

void
nm_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	struct nm_port *port = (struct nm_port *)ep;
	struct nm_txq *tq = &port->txq[queue];
	uint32_t room;

	/* acquire: what the control thread set up before */
	if (unlikely(!atomic_load_explicit(&tq->ring.active, memory_order_acquire))) {
		res->port_gone += n;
		return;
	}
	if (port->lock_tx)
		rte_spinlock_lock(&tq->lock);
	room = ring_room(tq);
	if (likely(room > 0))
		write_frames(port, tq, room, pkts, idx, n, res);
	if (port->lock_tx)
		rte_spinlock_unlock(&tq->lock);
	nm_wake(port, true);
}
