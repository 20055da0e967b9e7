/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GROUP_START_PIECES_H
#define GROUP_START_PIECES_H

/**
 * @file
 * What EAL's start takes from the shared heap for each process (vale_eal_services_walk()), and
 * whose it is. Private to lib/group; on `vale-memory`, as vale_client_memory.c.
 */

#include <stdbool.h>
#include <stdint.h>

/** Look at all that is there. What is new is of one of @p candidates, bits of slots; 0: the
 * switch's, or nobody's. */
void start_pieces_scan(uint64_t candidates);

/**
 * Free what was of @p gone, the bit of a slot.
 *
 * @param others
 *   Bits of all that live or have just ended.
 * @param overflow
 *   Others live that have no slot: nothing is freed.
 */
void start_pieces_free(uint64_t gone, uint64_t others, bool overflow);

#endif /* GROUP_START_PIECES_H */
