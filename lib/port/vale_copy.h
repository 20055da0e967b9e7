/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_COPY_H
#define VALE_COPY_H

/**
 * @file
 * Copying the bytes of a frame from shared memory to shared memory.
 */

#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_memcpy.h>

/**
 * Copy exactly @p len bytes: the last block overlaps the one before, so that no byte behind the
 * frame is read or written. What lies there is the sender's own and nobody else's to see.
 */
static inline void
vale_copy_frame(uint8_t *dst, const uint8_t *src, uint32_t len)
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

#endif /* VALE_COPY_H */
