/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NETMAP_ARENA_H
#define NETMAP_ARENA_H

/**
 * @file
 * Addresses for regions: each between guards, that is, addresses at which nothing is mapped.
 *
 * All regions lie in one reserved range, the arena, at multiples of 4 GB. None is larger than 2 GB,
 * so 2 GB at least behind each are its guard, and so are the first 4 GB of the arena. The last is
 * followed by 8 TB more: as far as a 32-bit index of 2 KB buffers reaches. So whatever number a
 * program writes into a slot, if it were used unchecked, the access would end in this program's own
 * region, in a guard, or, once in a few thousand times for each other region there is, in that one;
 * never in the switch's own memory. What is outside the region faults at once, which tests see.
 *
 * It costs addresses only: 40 TB of the 128 that a process has on x86-64, no memory, no page
 * tables. There are places for 8,192 regions; those beyond, and all of them where so much cannot be
 * reserved (`ulimit -v`, machines with fewer bits), lie where the kernel puts them.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Regions are no larger than this. */
#define NM_ARENA_REGION_MAX (UINT64_C(2) << 30)

/**
 * Map a shared file between guards. A range is used again as late as possible.
 *
 * @return The address; NULL with errno.
 */
void *nm_arena_map(int fd, size_t size);

/** Whether an address is in the arena: nothing but regions ever lies there. */
bool nm_arena_keeps(const void *addr);

/** Undo it: what was there is guard again. NULL is allowed. */
void nm_arena_unmap(void *addr, size_t size);

#endif /* NETMAP_ARENA_H */
