/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_READY_H
#define VNM_READY_H

/**
 * @file
 * Is a bound descriptor ready, as netmap's poll has it; and how to sleep until it is.
 */

#include "file.h"

/** Sync what poll syncs for these events, and say which of them are there. POLLERR if the rings are
 * out of order or the switch is gone. */
short vnm_ready(int fd, struct vnm_file *f, short events);

/** Who is about to sleep for these events says so, looks once more (vnm_ready), sleeps for POLLIN
 * on the descriptor, and takes it back; token: the descriptor was readable then. */
void vnm_ready_arm(struct vnm_file *f, short events);
void vnm_ready_disarm(int fd, struct vnm_file *f, short events, bool token);

/** Has the switch hung up? */
bool vnm_ready_gone(int fd);

#endif /* VNM_READY_H */
