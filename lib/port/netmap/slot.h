/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NETMAP_SLOT_H
#define NETMAP_SLOT_H

/**
 * @file
 * Rings and slots as workers read them. Private to lib/port/netmap.
 *
 * What is read from the region is read once, into a local, checked, and only then used: indices of
 * buffers, lengths and heads are numbers that a stranger wrote and may change while we look.
 */

#include <rte_branch_prediction.h>

#include "netmap_port.h"

/** A slot as it was at one moment. */
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

/** acquire: what the client wrote, or read, before it moved its head. */
static inline uint32_t
ring_head(const struct nm_ring *r)
{
	_Atomic(_Atomic uint32_t *) *head = (void *)(uintptr_t)&r->head;

	return atomic_load_explicit(
		atomic_load_explicit(head, memory_order_relaxed), memory_order_acquire);
}

/** Slots from a to b, both in range. */
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

/** What is constant of a ring, as a local that no store to a frame can seem to change: so it stays
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

/** Wake programs that sleep on a port, if there are any: @p rx for frames that came to it, else for
 * room in what it sends from. */
static inline void
nm_wake(struct nm_port *p, bool rx)
{
	/* full fence: either a program sees what was published, or we see that it sleeps */
	atomic_thread_fence(memory_order_seq_cst);
	if (unlikely(atomic_load_explicit(p->sleepers_hint, memory_order_relaxed) != 0))
		nm_wake_sleepers(p, rx);
}

#endif /* NETMAP_SLOT_H */
