/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_PLAN_H
#define VALE_PLAN_H

/**
 * @file
 * The receive queues of one worker, and the order in which it polls them. Private to lib/worker.
 *
 * Under load most queues of a big switch have nothing, and to look at one costs some 30 cycles, as
 * much as a frame. So a queue that was empty for PLAN_COLD_AFTER rounds in a row is cold: a round
 * looks at one cold queue for PLAN_COLD_FRAMES frames that the others had, at one at least and at
 * one in PLAN_COLD_PARTS at most, and at all of them if the others had nothing. A queue with
 * frames is hot at once. So under load idle queues cost two cycles a frame, however many there are,
 * the first frame of 250 waits for some 4,000 others at the most, and whoever is idle looks at all.
 *
 * A round of 250 queues, each of which floods a batch to 250 ports, takes seconds. So a round is
 * cut short behind the queue in work while the control thread waits for its end
 * (vale_tunables.awaited); the next one goes on from there.
 */

#include <stdint.h>

#include "forward.h"
#include "vale_worker.h"

#define PLAN_COLD_AFTER 64
#define PLAN_COLD_PARTS 16
#define PLAN_COLD_FRAMES 16

/** One round in so many is timed, for the load of queues: to read the clock costs as much as to
 * forward a frame. A prime, out of step with PLAN_COLD_PARTS. */
#define PLAN_TIMED_PART 13

/** What the worker knows of a queue. */
struct plan_entry {
	struct vale_rxq *q;
	uint32_t empty; /**< rounds in a row without frames */
};

/** The list itself is constant and replaced as a whole by the control thread; the rest is the
 * worker's. */
struct vale_plan {
	uint16_t nb_rxq;
	uint16_t nb_hot;
	uint16_t next_hot;  /**< where the next round begins; not 0 after one that was cut short */
	uint16_t next_cold; /**< offset behind the hot ones */
	uint16_t to_timed;  /**< rounds until one is timed */
	uint64_t since; /**< TSC when the last queue was done, in a round that is timed; else 0 */
	struct plan_entry *order; /**< hot ones first */
	struct vale_rxq *rxq[];
};

/** @return a plan of @p nb queues, to be filled in and then given to plan_ready(); NULL without
 * memory. */
struct vale_plan *plan_alloc(unsigned int nb);

/** The queues are filled in: all are hot. */
void plan_ready(struct vale_plan *p);

/** One round. @return frames consumed. */
unsigned int plan_poll(struct vale_plan *p, struct vale_forward *f, const struct vale_tunables *tun,
	uint32_t now_s);

#endif /* VALE_PLAN_H */
