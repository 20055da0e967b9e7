/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NETMAP_REGION_H
#define NETMAP_REGION_H

/**
 * @file
 * Regions: the memory that a netmap port, or several of one user, share with their programs.
 * Control thread only, but for what workers read through struct nm_rxq and nm_txq.
 *
 * The switch maps a region once, as a whole, for as long as it lives. Its pages are normal ones of
 * a memfd whose size is sealed: whatever a client does to them, a read here finds zeros at worst.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <net/netmap.h>

#include "extents.h"
#include "vale_netmap_shm.h"

/** Directions, seen from the program; as netmap_ring.dir. */
#define NM_TX 0
#define NM_RX 1

/** Buffers below this are in no slot of ours. */
#define NM_BUF_FIRST 2

/** What a port needs of a region, and what its client is told. */
struct nm_geometry {
	uint16_t nb_rings[2]; /**< NM_TX, NM_RX */
	uint32_t nb_slots[2];
};

/** Where a port lies in a region. */
struct nm_place {
	struct nm_extent krings; /**< tx rings, then rx rings */
	struct nm_extent rings;	 /**< their netmap_rings; in units of 128 bytes from rings_off */
	struct nm_extent bufs;
};

struct nm_region {
	uint8_t *base;
	size_t size;
	int memfd;
	uid_t uid;
	uint16_t mem_id;
	uint32_t nb_users;	    /**< ports */
	uint32_t nb_bufs;	    /**< of all, 0 and 1 included */
	struct vale_nm_region head; /**< our copy of what stands at its beginning */
	struct nm_extents krings, rings, bufs;
	uint64_t binds; /**< bit i: struct vale_nm_bind i is in use */
	TAILQ_ENTRY(nm_region) next;
};

/** Bytes that all regions of a user may have together. */
void nm_regions_init(size_t user_max);

/**
 * Make a region with room for a port, another like it, and extra buffers.
 *
 * @param why
 *   At least VALE_CTL_TEXT_SZ bytes; receives a sentence on failure.
 * @return
 *   The region, with one user; NULL with rte_errno ENOMEM or what the kernel refused.
 */
struct nm_region *nm_region_create(
	const struct nm_geometry *g, uint32_t nb_extra_bufs, uid_t uid, char *why);

/** Where everything would be in a region that nm_region_create() makes. */
void nm_region_lay_out(
	struct vale_nm_region *h, const struct nm_geometry *g, uint32_t nb_extra_bufs);
/** Bytes of one netmap_ring with its slots. */
uint32_t nm_region_ring_sz(const struct nm_geometry *g, unsigned int dir);

/** Find a living region; NULL if there is none of that id. */
struct nm_region *nm_region_find(uint16_t mem_id);

/** One user less; the last one frees it. No worker looks at it any more. NULL is allowed. */
void nm_region_put(struct nm_region *r);

/** The id that the next region will have. */
uint16_t nm_region_next_id(void);

/** Take the parts that a port needs. Returns 0 or -ENOMEM, with nothing taken. */
int nm_region_place(struct nm_region *r, const struct nm_geometry *g, struct nm_place *pl);
void nm_region_unplace(struct nm_region *r, struct nm_place *pl);

/** Write a ring as netmap programs expect to find it, and its control. With offsets: their mask,
 * and what all slots begin with. */
void nm_region_make_ring(struct nm_region *r, const struct nm_geometry *g,
	const struct nm_place *pl, unsigned int dir, uint16_t ring, uint64_t offset_mask,
	uint64_t offset);

struct vale_nm_kring *nm_region_kring(const struct nm_region *r, uint32_t i);
struct vale_nm_bind *nm_region_bind(const struct nm_region *r, uint32_t i);
struct netmap_ring *nm_region_ring(const struct nm_region *r, const struct nm_geometry *g,
	const struct nm_place *pl, unsigned int dir, uint16_t ring);
/** Offset of the netmap_if of a bind. */
uint32_t nm_region_if_off(const struct nm_region *r, uint32_t bind);
static inline uint8_t *
nm_region_bufs(const struct nm_region *r)
{
	return r->base + r->head.bufs_off;
}

/** Take a bind's number; -1 if none is left. */
int nm_region_take_bind(struct nm_region *r);
void nm_region_give_bind(struct nm_region *r, unsigned int bind);

/**
 * Take extra buffers, as many as there are.
 *
 * @param out
 *   Receives them.
 */
void nm_region_take_extra(struct nm_region *r, uint32_t nb, struct nm_extent *out);
/** Link extra buffers number @p from to @p end - 1, each by its first four bytes to the one before,
 * 0 in the first: the list begins with the last. */
void nm_region_link_extra(
	struct nm_region *r, const struct nm_extent *extra, uint32_t from, uint32_t end);

#endif /* NETMAP_REGION_H */
