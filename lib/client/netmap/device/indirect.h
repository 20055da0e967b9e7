/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_INDIRECT_H
#define VNM_INDIRECT_H

#include "file.h"

/**
 * NS_INDIRECT in slots [from, to): a frame at an address of the program's, which the switch cannot
 * see, is copied into its slot's own buffer, and the flag goes. One that cannot be read, or does
 * not fit, becomes empty, and is dropped as too short, as by netmap.
 */
void vnm_indirect(
	struct vnm_file *f, struct netmap_ring *ring, uint32_t from, uint32_t to, uint32_t n);

#endif /* VNM_INDIRECT_H */
