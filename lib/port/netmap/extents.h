/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NETMAP_EXTENTS_H
#define NETMAP_EXTENTS_H

/**
 * @file
 * Which parts of a range of numbers are in use: the switch's own books of a region. Nothing of them
 * is in memory that a client can write.
 */

#include <stdint.h>

/** A part in use: first .. first + nb - 1. */
struct nm_extent {
	uint32_t first, nb;
};

/**
 * The range first .. first + nb - 1, and what is in use of it, in order. What was never in use is
 * taken first: programs exchange buffers between the ports and descriptors of a region, so that
 * what one of them gave back may still be in a ring of another.
 */
struct nm_extents {
	struct nm_extent range;
	uint32_t fresh; /**< never in use from here on */
	struct nm_extent *used;
	uint32_t nb_used, room;
};

void nm_extents_init(struct nm_extents *x, uint32_t first, uint32_t nb);
void nm_extents_free(struct nm_extents *x);

/**
 * Take @p nb numbers in a row.
 *
 * @param out
 *   Receives the part; zero where none is found. For nb = 0 that is a success.
 * @return
 *   0, -ENOSPC, -ENOMEM.
 */
int nm_extents_take(struct nm_extents *x, uint32_t nb, struct nm_extent *out);

/** Give a part back, as it was taken; it is zeroed. Nothing happens to a part that is zero. */
void nm_extents_give(struct nm_extents *x, struct nm_extent *part);

/** The most that can be taken in a row. */
uint32_t nm_extents_largest(const struct nm_extents *x);

#endif /* NETMAP_EXTENTS_H */
