/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_RESOLVE_H
#define VALE_RESOLVE_H

/**
 * @file
 * Finishing frames for receivers that take none with VALE_PKT_OFFLOAD. Private to lib/worker.
 *
 * What is made is described, not copied: a segment is a header in our own memory, and pieces of
 * the long frame where it lies. So a receiver's one copy is the only one, whatever kind it is; no
 * mbuf is needed; and all that leaves the switch is what tx() copies. That, and that it neither
 * cuts IPv6 nor computes checksums, is why rte_gso is not used here: its segments are mbufs which
 * point into the long one, and such cannot go to another process.
 *
 * A frame is finished once, for all its receivers.
 */

#include <stdbool.h>
#include <stdint.h>

#include "vale_port.h"

/** Frames that are kept finished. The longest makes 1,365; a batch makes 1,023 before the last. */
#define RESOLVE_CUTS_MAX 2560
/** Pieces of them: a header each, and the long frame's pieces, each of which a cut may divide. */
#define RESOLVE_SEGS_MAX (2 * RESOLVE_CUTS_MAX + 2048)
/** Pieces of frames whose checksum was completed: their own, and two more each. */
#define RESOLVE_SUM_SEGS_MAX 4096
/** Longest headers of a frame that is cut: two VLAN tags, IPv4 and TCP with all their options. */
#define RESOLVE_HDR_MAX (22 + 60 + 60)

/** A header of a segment. */
struct resolve_hdr {
	uint8_t pad[2]; /**< puts what follows Ethernet on a multiple of 4 */
	uint8_t data[RESOLVE_HDR_MAX];
};

/** Segments of one frame. */
struct resolve_cut {
	uint64_t age; /**< valid if it is that of struct resolve */
	uint16_t first, nb;
};

/** Scratch memory of one worker. */
struct resolve {
	uint64_t age;				/**< of what is kept of cut frames */
	uint32_t nb_pkts;			/**< of pkts and hdrs */
	uint32_t nb_segs;			/**< of segs */
	uint32_t nb_sums;			/**< of sums */
	uint32_t nb_sum_segs;			/**< of sum_segs */
	struct resolve_cut cut[VALE_BATCH_MAX]; /**< of each frame of the batch */
	struct vale_pkt pkts[RESOLVE_CUTS_MAX];
	struct resolve_hdr hdrs[RESOLVE_CUTS_MAX];
	struct vale_seg segs[RESOLVE_SEGS_MAX];
	uint16_t sums[VALE_BATCH_MAX];
	struct vale_seg sum_segs[RESOLVE_SUM_SEGS_MAX];
};

/** Forget the last batch. */
void resolve_begin(struct resolve *r);

/**
 * Complete the checksum of a frame that is not to be cut.
 *
 * @param p
 *   Frame; becomes one without VALE_PKT_OFFLOAD, for all further receivers as well. An mbuf is
 *   changed in place, other memory is not written to.
 * @return
 *   False without room in the scratch memory.
 */
bool resolve_sum(struct resolve *r, struct vale_pkt *p);

/**
 * The segments of a frame that is to be cut.
 *
 * @param k
 *   Its index in the batch.
 * @param nb
 *   Receives their number, 0 without room in the scratch memory.
 * @return
 *   The segments, good until the next call for another frame.
 */
struct vale_pkt *resolve_cut(struct resolve *r, uint16_t k, const struct vale_pkt *p, uint16_t *nb);

#endif /* VALE_RESOLVE_H */
