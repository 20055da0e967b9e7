/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MEMORY_H
#define MEMORY_H

/**
 * @file
 * How much memory the switch needs. All of it is reserved at start, because growing EAL's heap
 * later takes locks that a killed secondary may have left held.
 */

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

/**
 * Memory for the given options.
 *
 * @param no_huge
 *   It is not in hugepages.
 * @return
 *   Megabytes (2^20 bytes), rounded up to an even number.
 */
uint64_t memory_needed_mb(const struct options *o, bool no_huge);

#endif /* MEMORY_H */
