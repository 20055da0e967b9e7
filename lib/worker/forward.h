/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_FORWARD_H
#define VALE_FORWARD_H

/**
 * @file
 * What a worker does with one batch: classify, gather per destination, deliver. Private to
 * lib/worker.
 *
 * The structure is VALE's own (L. Rizzo, G. Lettieri, "VALE, a switched Ethernet for virtual
 * machines", CoNEXT 2012): look at the whole batch first, then move each destination's run, so that
 * what a destination costs is paid once a batch.
 */

#include <stdint.h>

#include "resolve.h"
#include "vale_port.h"
#include "vale_worker.h"

/** Where a frame goes, beside port indices (below VALE_FDB_PORTS_MAX). */
#define FORWARD_FLOOD 0x8000
#define FORWARD_DROP 0x8001

/** End of a list of frames. */
#define FORWARD_END UINT16_MAX

/** Scratch memory of one worker. */
struct vale_forward {
	struct vale_pkt pkts[VALE_BATCH_MAX];
	uint16_t dst[VALE_BATCH_MAX];	  /* per frame */
	uint16_t next[VALE_BATCH_MAX];	  /* next frame for the same destination */
	uint16_t all[VALE_BATCH_MAX];	  /* 0, 1, 2, ...: a batch for one destination */
	uint16_t flood[VALE_BATCH_MAX];	  /* frames to flood, in order */
	uint16_t list[VALE_BATCH_MAX];	  /* frames for the destination in work */
	uint16_t lane[VALE_BATCH_MAX];	  /* the part of them for one of its queues */
	uint8_t lane_of[VALE_BATCH_MAX];  /* queue of each entry of list */
	uint16_t touched[VALE_BATCH_MAX]; /* destinations with a list */
	uint16_t nb_touched;
	uint16_t nb_flood;
	uint32_t nb_taken;   /* frames whose mbufs have new owners */
	bool open;	     /* some have VALE_PKT_OFFLOAD */
	bool was_read;	     /* bytes of some frames were needed */
	unsigned int worker; /* index into counters */
	_Atomic uint64_t frames;
	_Atomic uint64_t batches[VALE_BATCH_CLASSES]; /* by size */
	/* list of each destination; head is FORWARD_END outside of a batch */
	uint16_t head[VALE_FDB_PORTS_MAX];
	uint16_t tail[VALE_FDB_PORTS_MAX];
	/* for frames that are not finished */
	uint16_t run[VALE_BATCH_MAX]; /* frames that go to a receiver in one call */
	struct resolve *resolve;      /* NULL: no memory, such frames are lost (no_mbuf) */
};

/** Make scratch memory ready. */
void vale_forward_init(struct vale_forward *f, unsigned int worker);

/** Free what it holds. */
void vale_forward_fini(struct vale_forward *f);

/**
 * Receive one batch from a queue and forward it.
 *
 * @return number of frames consumed, refused ones included.
 */
unsigned int vale_forward_queue(struct vale_forward *f, struct vale_rxq *q,
	const struct vale_tunables *tun, uint32_t now_s);

#endif /* VALE_FORWARD_H */
