/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WORKER_H
#define WORKER_H

/**
 * @file
 * What the files of lib/worker share of a worker. Private to lib/worker.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <time.h>

#include "forward.h"
#include "plan.h"
#include "vale_worker.h"

/** What epoll tells a worker of a descriptor: its number, and whether it is watched edge-triggered.
 */
#define WATCH_EDGE (UINT64_C(1) << 32)

struct vale_worker {
	/* control thread writes, worker reads */
	_Atomic(struct vale_plan *) plan __rte_cache_aligned;
	int epoll_fd;
	int wake_fd;
	/* worker only */
	uint64_t idle_since __rte_cache_aligned; /* TSC, 0 = busy */
	uint32_t now_s;
	uint32_t now_rounds;
	_Atomic uint64_t sleeps;
	_Atomic uint64_t busy; /* TSC cycles of rounds that found frames */
	struct vale_forward fwd;
	/* written when the thread starts and ends */
	_Atomic bool running __rte_cache_aligned;
	clockid_t cpu_clock;
	unsigned int lcore;
};

/* What the control thread writes, what the worker writes for each batch, and the rest are on lines
 * of their own; so are the counters that a worker has of a port. */
static_assert(offsetof(struct vale_worker, idle_since) >= RTE_CACHE_LINE_SIZE, "own line");
static_assert(offsetof(struct vale_worker, running) / RTE_CACHE_LINE_SIZE >
		      (offsetof(struct vale_worker, fwd) + sizeof(struct vale_forward) - 1) /
			      RTE_CACHE_LINE_SIZE,
	"own line");
static_assert(sizeof(struct vale_counters) % (2 * RTE_CACHE_LINE_SIZE) == 0, "own pair of lines");

/* ---- queues.c ---- */

/** Have a worker watch a descriptor. 0 or the negative errno of epoll_ctl. */
int worker_watch(struct vale_worker *w, int fd, bool edge);

/**
 * Take a queue from its worker and give it to another. Between the two nobody polls it and no batch
 * of it is in work, so that frames keep their order. Control thread; blocks until workers have
 * passed a quiescent state.
 *
 * @return 0, -ENOMEM or the negative errno of epoll_ctl; then it stays where it is.
 */
int worker_move_rxq(struct vale_workers *ws, struct vale_rxq *q, unsigned int to);

/* ---- spread.c ---- */

/** The worker that is to have another queue. Control thread. */
unsigned int worker_for_rxq(const struct vale_workers *ws);

#endif /* WORKER_H */
