/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GATES_H
#define VALE_GATES_H

/**
 * @file
 * Gates before the burst functions of a port.
 *
 * When the switch takes a port away, its memory is used again, but not before this process said
 * that nothing in it touches that memory any more. A burst says that it runs, then looks whether
 * its gate is open. Who closes it closes first, makes every CPU see that with membarrier(), then
 * looks who runs. So a burst pays two stores to a line of its own, and no fence.
 *
 * Gates are never freed: a thread that was held up on its way in finds one, closed.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "vale_dpdk_shm.h"
#include "vale_pool.h"

struct vale_gate {
	_Atomic uint32_t busy;	    /**< written by the queue's lcore */
	_Atomic uint32_t open;	    /**< written by whoever attaches or detaches the port */
	struct vale_pool_flow flow; /**< segments that passed; written by the queue's lcore */
	bool counted;		    /**< flow is in the balance; whoever attaches or detaches */
} __rte_cache_aligned;

/** The gates of one ethdev port. */
struct vale_port_gates {
	struct vale_gate rx[VALE_DPDK_QUEUES_MAX];
	struct vale_gate tx[VALE_DPDK_QUEUES_MAX];
};

extern struct vale_port_gates vale_gates[RTE_MAX_ETHPORTS];

/** A burst begins. @return whether it may; vale_gate_leave() follows in both cases. */
static __rte_always_inline bool
vale_gate_enter(struct vale_gate *g)
{
	atomic_store_explicit(&g->busy, 1, memory_order_relaxed);
	/* the compiler must not swap these; that the CPU does not is membarrier()'s business */
	atomic_signal_fence(memory_order_seq_cst);
	return likely(atomic_load_explicit(&g->open, memory_order_acquire) != 0);
}

static __rte_always_inline void
vale_gate_leave(struct vale_gate *g)
{
	/* release: all that the burst did lies before it */
	atomic_store_explicit(&g->busy, 0, memory_order_release);
}

#endif /* VALE_GATES_H */
