/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's part. What is read from the region is read once, into a local, checked, and only
 * then used: indices of buffers, lengths and heads are numbers that a stranger wrote and may change
 * while we look.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_branch_prediction.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "netmap_port.h"
#include "vale_control_proto.h"
#include "vale_offload.h"
#include "vale_pkt_copy.h"
#include "vale_prefetch.h"

/* Tokens sent to a descriptor at once. More threads than that do not wait on one. */
#define TOKENS_MAX 64
/* Lines of slots that are fetched ahead. */
#define SLOT_LINES_AHEAD 4

static_assert(VALE_PKT_NO_LEARN == NS_NO_LEARN, "a slot's flag is a frame's");

/* A slot as it was at one moment. */
struct slot {
	uint32_t buf_idx;
	uint16_t len;
	uint16_t flags;
	uint64_t ptr;
};
static_assert(sizeof(struct slot) == sizeof(struct netmap_slot), "layout");

static inline struct slot
slot_read(const struct netmap_slot *shm)
{
	const uint64_t *w = (const uint64_t *)shm;
	/* relaxed: each word once; what the client published before it moved its head */
	uint64_t lo = __atomic_load_n(&w[0], __ATOMIC_RELAXED);

	return (struct slot){
		.buf_idx = (uint32_t)lo,
		.len = (uint16_t)(lo >> 32),
		.flags = (uint16_t)(lo >> 48),
		.ptr = __atomic_load_n(&w[1], __ATOMIC_RELAXED),
	};
}

static inline uint32_t
ring_next(const struct nm_ring *r, uint32_t i, uint32_t n)
{
	i += n;
	return i >= r->nb_slots ? i - r->nb_slots : i;
}

/* acquire: what the client wrote, or read, before it moved its head. */
static inline uint32_t
ring_head(const struct nm_ring *r)
{
	_Atomic(_Atomic uint32_t *) *head = (void *)(uintptr_t)&r->head;

	return atomic_load_explicit(
		atomic_load_explicit(head, memory_order_relaxed), memory_order_acquire);
}

/* Slots from a to b, both in range. */
static inline uint32_t
ring_distance(const struct nm_ring *r, uint32_t a, uint32_t b)
{
	return b >= a ? b - a : b + r->nb_slots - a;
}

static inline uint8_t *
buf_at(const struct nm_ring *r, uint32_t idx)
{
	return r->bufs + (size_t)idx * VALE_NM_BUF_SZ;
}

static inline bool
buf_is_good(const struct nm_ring *r, uint32_t idx)
{
	return idx - NM_BUF_FIRST < r->nb_bufs - NM_BUF_FIRST;
}

/* What is constant of a ring, as a local that no store to a frame can seem to change: so it stays
 * in registers over a batch. */
static inline struct nm_ring
ring_constants(const struct nm_ring *r)
{
	return (struct nm_ring){
		.slots = r->slots,
		.bufs = r->bufs,
		.nb_bufs = r->nb_bufs,
		.nb_slots = r->nb_slots,
		.offset_mask = r->offset_mask,
		.offset_max = r->offset_max,
	};
}

/* ---- waking programs ---- */

static void
send_tokens(const struct nm_sleeper *s, _Atomic uint32_t *count)
{
	const char token = VALE_NM_TOKEN;
	uint32_t n;

	if (atomic_load_explicit(count, memory_order_relaxed) == 0)
		return;
	n = atomic_exchange_explicit(count, 0, memory_order_relaxed);
	for (n = RTE_MIN(n, (uint32_t)TOKENS_MAX); n > 0; n--) {
		/* a full socket is readable, which is all that a token is for */
		if (send(s->fd, &token, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
	}
}

static void
wake_sleepers(struct nm_port *p, bool rx)
{
	/* acquire: the list was built before it was published */
	const struct nm_sleepers *l = atomic_load_explicit(&p->sleepers, memory_order_acquire);

	for (uint16_t i = 0; i < l->nb; i++)
		send_tokens(&l->of[i], rx ? &l->of[i].shm->sleep_rx : &l->of[i].shm->sleep_tx);
}

static inline void
wake(struct nm_port *p, bool rx)
{
	/* full fence: either a program sees what was published, or we see that it sleeps */
	atomic_thread_fence(memory_order_seq_cst);
	if (unlikely(atomic_load_explicit(p->sleepers_hint, memory_order_relaxed) != 0))
		wake_sleepers(p, rx);
}

/* ---- from the client ---- */

/* Slots that the client has published; a head out of range is counted once. */
static inline uint32_t
published(struct nm_rxq *rq, struct vale_rx_refused *bad)
{
	uint32_t head = ring_head(&rq->ring);

	if (likely(head < rq->ring.nb_slots))
		return ring_distance(&rq->ring, rq->cur, head);
	if (head != rq->bad_head) {
		rq->bad_head = head;
		bad->bad_slot++;
	}
	return 0;
}

static inline void
publish_cur(struct nm_rxq *rq)
{
	atomic_store_explicit(&rq->hwcur, rq->cur, memory_order_relaxed);
	/* release: we have read the slots and buffers that the client may write again */
	atomic_store_explicit(rq->ring.done, rq->cur, memory_order_release);
}

/* Where a slot's bytes are. Returns false, having counted it, if they cannot be. */
static inline bool
slot_data(const struct nm_ring *r, const struct slot *s, const uint8_t **data,
	struct vale_rx_refused *bad)
{
	uint64_t off = s->ptr & r->offset_mask;

	if (unlikely(!buf_is_good(r, s->buf_idx) || off > r->offset_max ||
		     (s->flags & NS_INDIRECT))) {
		bad->bad_slot++;
		return false;
	}
	if (unlikely(s->len > VALE_NM_BUF_SZ - off)) {
		bad->too_long++;
		return false;
	}
	*data = buf_at(r, s->buf_idx) + off;
	return true;
}

/*
 * A frame in several slots, of which the first is at rq->cur and at most @p max are published. As
 * netmap does, the last of them ends the chain, whatever it says. Returns the slots it has;
 * pkt->len is 0 if it was refused. A chain that is longer than allowed is consumed whole.
 */
static __rte_noinline uint32_t
read_chain(struct nm_rxq *rq, uint32_t at, uint32_t max, struct vale_seg *segs,
	struct vale_pkt *pkt, struct vale_rx_refused *bad)
{
	struct vale_rx_refused why = {0};
	uint32_t n = 0, len = 0, flags = 0;
	struct slot s;

	do {
		s = slot_read(&rq->ring.slots[at]);
		at = ring_next(&rq->ring, at, 1);
		if (n == 0)
			flags = s.flags & NS_NO_LEARN;
		if (n < VALE_NM_FRAGS_MAX && slot_data(&rq->ring, &s, &segs[n].data, &why)) {
			segs[n].len = s.len;
			len += s.len;
		}
		n++;
	} while ((s.flags & NS_MOREFRAG) && n < max);
	pkt->len = 0;
	if (unlikely(n > VALE_NM_FRAGS_MAX || why.bad_slot > 0))
		bad->bad_slot++;
	else if (unlikely(why.too_long > 0))
		bad->too_long++;
	else if (unlikely(len == 0))
		bad->runt++;
	else
		*pkt = (struct vale_pkt){.data = segs[0].data,
			.segs = segs,
			.len = len,
			.seg_len = (uint16_t)segs[0].len,
			.flags = flags | VALE_PKT_SEGS};
	return n;
}

/* Read up to n frames from the slots that are published. */
static inline uint16_t
read_frames(struct nm_rxq *rq, uint32_t left, struct vale_pkt *pkts, uint16_t n,
	struct vale_rx_refused *bad)
{
	const struct nm_ring ring = ring_constants(&rq->ring), *r = &ring;
	uint32_t at = rq->cur, nb_segs = rq->nb_segs, used;
	uint16_t good = 0;

	for (; left > 0 && good < n; left -= used) {
		struct slot s = slot_read(&r->slots[at]);
		struct vale_pkt *p = &pkts[good];

		used = 1;
		if (unlikely(s.flags & NS_MOREFRAG)) {
			if (nb_segs + VALE_NM_FRAGS_MAX > NM_SEGS_MAX)
				break;
			used = read_chain(rq, at, left, &rq->segs[nb_segs], p, bad);
			good += p->len > 0;
			nb_segs += p->len > 0 ? used : 0;
		} else if (likely(slot_data(r, &s, &p->data, bad))) {
			p->len = s.len;
			p->seg_len = s.len;
			p->flags = s.flags & NS_NO_LEARN;
			good++;
		}
		at = ring_next(r, at, used);
	}
	rq->cur = at;
	rq->nb_segs = nb_segs;
	return good;
}

/* The same with a virtio-net header before each frame. A frame that is to be cut counts as what
 * comes of it. */
static uint16_t
read_headed(struct nm_rxq *rq, uint32_t left, struct vale_pkt *pkts, uint16_t n, uint32_t hdr_len,
	struct vale_rx_refused *bad)
{
	uint32_t end = ring_next(&rq->ring, rq->cur, left), frames = 0, cost;
	uint16_t good = 0;

	while (rq->cur != end && frames < n) {
		struct vale_pkt *p = &pkts[good];

		left = ring_distance(&rq->ring, rq->cur, end);
		/* none: all that was left was refused, or there is no room for a chain's pieces */
		if (read_frames(rq, left, p, 1, bad) == 0)
			break;
		cost = nm_vnet_take(p, hdr_len, &rq->segs[NM_SEGS_MAX + good], bad);
		good += cost > 0;
		/* a refused one took its time as well */
		frames += RTE_MAX(cost, 1u);
	}
	return good;
}

static uint16_t
nm_rx(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad)
{
	struct nm_rxq *rq = (struct nm_rxq *)q;
	struct nm_port *port = (struct nm_port *)q->ep;
	uint32_t left, hdr_len;

	/* acquire: what the control thread set up before */
	if (!atomic_load_explicit(&rq->ring.active, memory_order_acquire))
		return 0;
	left = published(rq, bad);
	if (left == 0)
		return 0;
	rq->nb_segs = 0;
	hdr_len = atomic_load_explicit(&port->hdr_len, memory_order_relaxed);
	if (likely(hdr_len == 0))
		n = read_frames(rq, left, pkts, n, bad);
	else
		n = read_headed(rq, left, pkts, n, hdr_len, bad);
	/* nothing is lent, so nobody gives it back */
	if (unlikely(n == 0)) {
		publish_cur(rq);
		wake(port, false);
	}
	return n;
}

struct vale_seg *
nm_rxq_make_segs(void)
{
	return calloc(NM_SEGS_MAX + VALE_BATCH_MAX, sizeof(struct vale_seg));
}

void
nm_port_set_hdr_len(struct nm_port *p, uint32_t hdr_len)
{
	/* relaxed: tx() stands either of them old */
	atomic_store_explicit(&p->hdr_len, hdr_len, memory_order_relaxed);
	atomic_store_explicit(&p->ep.takes, hdr_len > 0 ? NM_TAKES : 0, memory_order_relaxed);
}

static void
nm_rx_done(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n)
{
	publish_cur((struct nm_rxq *)q);
	wake((struct nm_port *)q->ep, false);
}

unsigned int
nm_rxq_pending(const struct nm_rxq *rq)
{
	struct nm_ring *r = (struct nm_ring *)(uintptr_t)&rq->ring;
	uint32_t head;

	if (!atomic_load_explicit(&r->active, memory_order_relaxed))
		return 0;
	head = ring_head(r);
	if (head >= r->nb_slots)
		return 0;
	return ring_distance(r,
		atomic_load_explicit(
			(_Atomic uint32_t *)(uintptr_t)&rq->hwcur, memory_order_relaxed),
		head);
}

void
nm_port_sink(struct nm_port *p)
{
	struct vale_rx_refused bad = {0};

	for (uint16_t i = 0; i < p->geo.nb_rings[NM_TX]; i++) {
		struct nm_rxq *rq = &p->rxq[i];

		if (!atomic_load_explicit(&rq->ring.active, memory_order_relaxed))
			continue;
		atomic_store_explicit(rq->ring.armed, 1, memory_order_relaxed);
		/* full fence: either we see the client's head, or it sees that we are armed */
		atomic_thread_fence(memory_order_seq_cst);
		rq->cur = ring_next(&rq->ring, rq->cur, published(rq, &bad));
		publish_cur(rq);
	}
	wake(p, false);
}

static unsigned int
nm_rx_pending(struct vale_rxq *q)
{
	return nm_rxq_pending((struct nm_rxq *)q);
}

static bool
nm_rx_arm(struct vale_rxq *q)
{
	struct nm_rxq *rq = (struct nm_rxq *)q;
	uint32_t head;

	if (!atomic_load_explicit(&rq->ring.active, memory_order_acquire))
		return false;
	atomic_store_explicit(rq->ring.armed, 1, memory_order_relaxed);
	/* full fence: either we see the client's head, or it sees that we are armed */
	atomic_thread_fence(memory_order_seq_cst);
	head = ring_head(&rq->ring);
	return head < rq->ring.nb_slots ? head != rq->cur : head != rq->bad_head;
}

/* ---- to the client ---- */

/* Copy exactly len bytes, 14 or more: the last block overlaps the one before, so that no byte
 * behind the frame is read or written. What lies there is the sender's own and nobody else's to
 * see. */
static inline void
copy_frame(uint8_t *dst, const uint8_t *src, uint32_t len)
{
	if (likely(len >= 64)) {
		for (uint32_t i = 0; i + 64 < len; i += 64)
			rte_mov64(dst + i, src + i);
		rte_mov64(dst + len - 64, src + len - 64);
	} else if (likely(len >= 32)) {
		rte_mov32(dst, src);
		rte_mov32(dst + len - 32, src + len - 32);
	} else {
		rte_memcpy(dst, src, len);
	}
}

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
		copy_frame(dst, pkt->data, pkt->len);
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

/* The usual frame, in one piece with nothing before it, into one slot. Returns false, having done
 * nothing, if it is another. */
static inline bool
write_flat(const struct nm_ring *r, uint32_t at, const struct vale_pkt *pkt)
{
	const uint16_t usual = VALE_PKT_MBUF | VALE_PKT_SHARED | VALE_PKT_NO_LEARN;
	struct slot s = slot_read(&r->slots[at]);
	uint8_t *dst = NULL;
	uint32_t space = slot_room(r, &s, &dst), len = pkt->len;

	if (unlikely((pkt->flags & ~usual) || pkt->seg_len != len || len > space))
		return false;
	copy_frame(dst, pkt->data, len);
	slot_write(&r->slots[at], len, 1 << NS_PORT_SHIFT);
	return true;
}

/* Fetch a slot's buffer ahead. The index is not checked yet: a fetch reads nothing, and one out of
 * range is bent into range so that it says nothing of other memory either. */
static inline void
prefetch_buf(const struct nm_ring *r, uint32_t at)
{
	uint32_t idx = __atomic_load_n(&r->slots[at].buf_idx, __ATOMIC_RELAXED);

	vale_prefetch_write(buf_at(r, RTE_MIN(idx, r->nb_bufs - 1)));
	/* four slots are in a line, and their lengths are written: fetch the line that others
	 * further on are in (of a ring so short that there are none: any) */
	if (at % 4 == 0)
		vale_prefetch_write(&r->slots[ring_next(r, at, 4 * SLOT_LINES_AHEAD)]);
}

static void
write_frames(struct nm_port *port, struct nm_txq *tq, uint32_t room, struct vale_pkt *pkts,
	const uint16_t *idx, uint16_t n, struct vale_tx_result *res)
{
	uint32_t hdr_len = atomic_load_explicit(&port->hdr_len, memory_order_relaxed);
	const struct nm_ring r = ring_constants(&tq->ring);
	const uint16_t *end = idx + n;
	uint32_t at = tq->hwtail, fetch = at, packets = 0;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < RTE_MIN(room, (uint32_t)NM_CHUNK); i++) {
		prefetch_buf(&r, fetch);
		fetch = ring_next(&r, fetch, 1);
	}
	for (; idx < end && room > 0; idx++) {
		const struct vale_pkt *p = &pkts[*idx];
		uint32_t used = 1, too_long = res->too_long;

		/* behind what there is room for are the client's own slots, which do no harm */
		prefetch_buf(&r, fetch);
		fetch = ring_next(&r, fetch, 1);
		if (likely(hdr_len == 0 && write_flat(&r, at, p))) {
			packets++;
			bytes += p->len;
		} else {
			used = write_frame(tq, at, room, p, hdr_len, res);
			/* the head of a batch is kept, its tail dropped */
			if (unlikely(used == 0 && res->too_long == too_long))
				break;
		}
		room -= used;
		at = ring_next(&r, at, used);
	}
	res->packets += packets;
	res->bytes += bytes;
	tq->hwtail = at;
	/* release: slots and buffers were written before */
	atomic_store_explicit(tq->ring.done, at, memory_order_release);
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

static void
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
	wake(port, true);
}

const struct vale_endpoint_ops nm_endpoint_ops = {
	.kind = VALE_CTL_KIND_NETMAP,
	.lends_memory = true,
	.rx = nm_rx,
	.rx_done = nm_rx_done,
	.tx = nm_tx,
	.rx_arm = nm_rx_arm,
	.rx_pending = nm_rx_pending,
	.evict = nm_port_evict,
	.destroy = nm_port_destroy,
};
