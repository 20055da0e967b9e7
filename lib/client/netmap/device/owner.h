/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_OWNER_H
#define VNM_OWNER_H

/**
 * @file
 * Whose memory is this? The child of a vfork closes and copies descriptors of its own in the
 * parent's memory: what it says of numbers is not true of the parent's, whose other threads go on.
 */

#include <stdbool.h>

/** Once, before main. Without it every process takes the memory for its own. */
void vnm_owner_init(void);

/** Does the memory belong to the process that runs? A child of fork has memory of its own, however
 * it was made. Any thread, signal handlers. */
bool vnm_owner_is_self(void);

#endif /* VNM_OWNER_H */
