/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_RING_H
#define VNM_RING_H

/**
 * @file
 * NIOCTXSYNC and NIOCRXSYNC, ring by ring. No system call while the switch is awake.
 */

#include "file.h"

enum vnm_sync {
	VNM_SYNC_IDLE,	/* done, and the program has nothing new: cur is at tail */
	VNM_SYNC_READY, /* done; frames or space beyond cur */
	VNM_SYNC_BUSY,	/* another thread is in this ring's sync; skipped */
	VNM_SYNC_WRONG, /* head or cur out of order; not done */
};

/** Sync one ring of a descriptor. fd is rung on, when the switch sleeps. */
enum vnm_sync vnm_ring_txsync(int fd, struct vnm_file *f, unsigned int i);
enum vnm_sync vnm_ring_rxsync(struct vnm_file *f, unsigned int i);

/** Has the program put frames before head that were not handed over yet? */
bool vnm_ring_tx_pending(const struct vnm_file *f, unsigned int i);

#endif /* VNM_RING_H */
