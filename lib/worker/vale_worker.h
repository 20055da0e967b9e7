/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_WORKER_H
#define VALE_WORKER_H

/**
 * @file
 * Workers: the lcores that forward. Each polls the receive queues of its plan, and sleeps when
 * there is nothing.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>

#include <rte_rcu_qsbr.h>

#include "vale_port.h"

/** Most workers. */
#define VALE_WORKERS_MAX 64

/** What workers read of the configuration; the control thread writes, relaxed. */
struct vale_tunables {
	_Atomic uint32_t batch;	   /**< frames, 1 .. VALE_BATCH_MAX */
	_Atomic uint32_t ageing_s; /**< seconds, 0 = never */
	_Atomic uint32_t
		ethdev_poll_us; /**< microseconds between polls of drivers that cannot wake us */
	_Atomic bool idle_poll; /**< never sleep */
	_Atomic bool awaited;	/**< somebody waits for a quiescent state: cut the round short */
};

/** All workers and what they share. One per process. */
struct vale_workers {
	struct rte_rcu_qsbr *qsbr;
	unsigned int nb;
	struct vale_worker *w[VALE_WORKERS_MAX];
	struct vale_tunables tun;
	_Atomic bool stop;
	uint64_t looked_at;		 /**< TSC when loads were last measured; control thread */
	void (*before_sleep)(void *arg); /**< called by a worker that is about to sleep; set before
					    they run; may be NULL */
	void *before_sleep_arg;
};

/**
 * Allocate workers that do not run yet.
 *
 * @param nb
 *   1 .. VALE_WORKERS_MAX.
 * @return
 *   NULL with rte_errno ENOMEM, EINVAL or the errno of what the kernel refused.
 */
struct vale_workers *vale_workers_create(unsigned int nb);

/** Free them. None may run. NULL is allowed. */
void vale_workers_free(struct vale_workers *ws);

/**
 * The loop of worker @p idx; returns after vale_workers_stop(). Call it on the lcore.
 *
 * @return 0
 */
int vale_worker_run(struct vale_workers *ws, unsigned int idx);

/**
 * One round of worker @p idx without the loop: poll each queue once. For tests and for callers
 * that have a loop of their own.
 *
 * @return number of frames received.
 */
unsigned int vale_worker_poll(struct vale_workers *ws, unsigned int idx);

/**
 * Ask all workers to return and wake them. After return none looks at a queue, a port or a switch
 * again, and vale_workers_synchronize() has nobody to wait for. Control thread, or after it has
 * stopped; blocks as vale_workers_synchronize().
 */
void vale_workers_stop(struct vale_workers *ws);

/** Classes of batches by size: 1, 2 to 3, 4 to 7, ... 512 to 1,023, 1,024 frames. */
#define VALE_BATCH_CLASSES 11

/** What a worker has done since it was made. */
struct vale_worker_stats {
	uint64_t cpu_ns;		      /**< CPU time of its thread; 0 if it does not run */
	uint64_t busy_ns;		      /**< in rounds that found frames */
	uint64_t frames;		      /**< consumed */
	uint64_t sleeps;		      /**< times that it slept */
	uint64_t batches[VALE_BATCH_CLASSES]; /**< that were not empty */
	uint16_t nb_rxq;		      /**< queues that it polls now */
	unsigned int lcore;		      /**< that it runs on; LCORE_ID_ANY if it does not */
};

/** Read a worker's counters. Control thread. */
void vale_worker_stats(
	const struct vale_workers *ws, unsigned int idx, struct vale_worker_stats *out);

/** Wake a worker that sleeps, so that it looks at what changed. Any thread. */
void vale_worker_wake(struct vale_workers *ws, unsigned int idx);

/**
 * Give a worker a receive queue. The worker with the least load is chosen, of several the one with
 * the fewest queues. Control thread; blocks until workers have passed a quiescent state.
 *
 * @return 0 or -ENOMEM, or the negative errno of epoll_ctl.
 */
int vale_workers_add_rxq(struct vale_workers *ws, struct vale_rxq *q);

/**
 * Take all queues of an endpoint away again. No worker touches them after return. Control thread;
 * blocks until workers have passed one quiescent state, however many queues there are.
 */
void vale_workers_del_endpoint(struct vale_workers *ws, const struct vale_endpoint *ep);

/** How often vale_workers_spread() wants to be called, in milliseconds. */
#define VALE_SPREAD_MS 500

/**
 * Measure the load of all queues, and move queues between workers if that helps. Control thread;
 * blocks until workers have passed a quiescent state if a queue moves. Frames keep their order.
 */
void vale_workers_spread(struct vale_workers *ws);

/**
 * The queues that a worker polls. Control thread.
 *
 * @param rxq
 *   Receives up to @p room of them; NULL: they are only counted.
 * @return number of queues filled in, or counted.
 */
uint32_t vale_worker_queues(
	const struct vale_workers *ws, unsigned int idx, struct vale_rxq **rxq, uint32_t room);

/**
 * Wait until every worker has passed a quiescent state. Control thread. It takes as long as the
 * batch in work of each worker, which then ends its round, and as long as one is not on its CPU.
 */
void vale_workers_synchronize(struct vale_workers *ws);

/** Seconds of the clock that FDB entries are stamped with. */
uint32_t vale_now_s(void);

#endif /* VALE_WORKER_H */
