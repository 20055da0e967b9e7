/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPREAD_H
#define SPREAD_H

/**
 * @file
 * Which worker polls which queue. Private to lib/worker.
 *
 * The load of a queue is the share of a core that its frames take, in thousandths: cycles that its
 * worker spent on batches of it (plan.c takes samples) over cycles that went by, smoothed over a
 * few looks. A queue that comes is given to the worker with the least load. Twice a second
 * the loads are looked at, and one queue moves if that takes a tenth of a core at least off
 * its worker's load beyond what the other worker then has: a move back would need loads to
 * change by as much, and a queue that has moved rests for some seconds, so nothing flaps. Queues
 * without load are spread by number, as each costs its worker a look now and then.
 */

#include <stdbool.h>
#include <stdint.h>

#include "vale_worker.h"

/** All of a core, as a load. */
#define SPREAD_CORE 1000
/** Load that a queue is taken to have until it was measured. */
#define SPREAD_ASSUMED 50
/** A move by load relieves the busier of two workers by as much, at least. */
#define SPREAD_GAIN_MIN 100
/** Below this a queue counts as idle. */
#define SPREAD_IDLE 10
/** Looks for which a queue stays where it has moved to. */
#define SPREAD_REST 8

/** A queue as it is spread. */
struct spread_queue {
	uint16_t worker;
	uint16_t load; /**< thousandths of a core */
	bool rests;    /**< has moved lately, or is new */
};

/** What is to move. */
struct spread_move {
	uint32_t queue; /**< index */
	uint16_t to;	/**< worker */
	bool by_load;	/**< else by number */
};

/**
 * The move that helps most.
 *
 * @return false if all may stay as it is.
 */
bool spread_choose(const struct spread_queue *q, uint32_t nb, unsigned int nb_workers,
	struct spread_move *move);

#endif /* SPREAD_H */
