/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MEMIF_DESC_H
#define MEMIF_DESC_H

/**
 * @file
 * Reading what a memif client wrote. It is taken to be an enemy that changes its memory while we
 * look: each descriptor is copied once, and what is checked is the copy.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "vale_memif_proto.h"

/** Regions of one client; a power of two. */
#define MEMIF_REGIONS_MAX 64

/** Memory of a client as it is mapped here. */
struct memif_region {
	uint8_t *addr;
	uint64_t size; /**< bytes that descriptors may name; 0 = there is no such region */
};

/** A copy of a descriptor. */
struct memif_view {
	uint32_t length;
	uint32_t offset;
	uint16_t region;
	uint16_t flags;
};

/** Copy descriptor @p slot (masked) of a ring: each of its two words is read once. */
static inline struct memif_view
memif_desc_read(struct memif_ring *ring, uint16_t slot)
{
	/* relaxed: head, which was read with acquire, says that they are written */
	uint64_t w0 = atomic_load_explicit(&ring->desc[slot][0], memory_order_relaxed);
	uint64_t w1 = atomic_load_explicit(&ring->desc[slot][1], memory_order_relaxed);

	return (struct memif_view){
		.flags = (uint16_t)w0,
		.region = (uint16_t)(w0 >> 16),
		.length = (uint32_t)(w0 >> 32),
		.offset = (uint32_t)w1,
	};
}

/** Write flags and length back, the region unchanged; where the buffer is stays as it was. */
static inline void
memif_desc_write(struct memif_ring *ring, uint16_t slot, const struct memif_view *v)
{
	uint64_t w0 = v->flags | (uint64_t)v->region << 16 | (uint64_t)v->length << 32;

	/* relaxed: storing tail with release publishes it */
	atomic_store_explicit(&ring->desc[slot][0], w0, memory_order_relaxed);
}

/**
 * The memory that a copied descriptor names.
 *
 * @param regions
 *   MEMIF_REGIONS_MAX of them.
 * @return
 *   NULL unless all of its bytes lie in one region.
 */
static inline uint8_t *
memif_desc_data(const struct memif_region *regions, const struct memif_view *v)
{
	/* masked as well as checked, so that not even speculation reads beyond the table */
	const struct memif_region *r = &regions[v->region & (MEMIF_REGIONS_MAX - 1)];
	uint64_t end = (uint64_t)v->offset + v->length;

	if (unlikely(v->region >= MEMIF_REGIONS_MAX || end > r->size))
		return NULL;
	return r->addr + v->offset;
}

/**
 * Descriptors that the client has made ready.
 *
 * @return
 *   0 .. @p size; more if its indices make no sense.
 */
static inline uint16_t
memif_ring_ready(struct memif_ring *ring, uint16_t tail)
{
	/* acquire: descriptors before head are written; invariant: head - tail <= size */
	return (uint16_t)(atomic_load_explicit(&ring->head, memory_order_acquire) - tail);
}

#endif /* MEMIF_DESC_H */
