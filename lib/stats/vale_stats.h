/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_STATS_H
#define VALE_STATS_H

/**
 * @file
 * The counters of a port and the reasons for which a frame is dropped.
 *
 * A port has one struct vale_counters for each worker, so that a worker writes lines of its own
 * only; readers add them up. For one port, offered = rx. For a switch, the sum over rx with
 * floods expanded = the sum over tx + drops.
 */

#include <stdint.h>
#include <stdatomic.h>

#include <rte_common.h>

/** Why a frame was dropped. Names in vale_drop_names[], fixed by docs/contracts.md. */
enum vale_drop {
	/* counted at the port that sent it */
	VALE_DROP_RUNT,	    /**< under 14 bytes */
	VALE_DROP_TOO_LONG, /**< over 9,216 bytes, or over what the receiver can take */
	VALE_DROP_BAD_SLOT, /**< a netmap slot that points nowhere */
	VALE_DROP_BAD_DESC, /**< a ring descriptor that points nowhere */
	VALE_DROP_NO_MBUF,  /**< no buffer left for a copy */
	VALE_DROP_NO_DST,   /**< nobody else on the switch */
	VALE_DROP_HAIRPIN,  /**< its destination is where it came from */
	/* counted at the port that should have received it */
	VALE_DROP_DST_FULL, /**< the receiver's queue was full */
	/* counted at either */
	VALE_DROP_PORT_GONE, /**< the port has no client, or lost it before delivery */
	VALE_DROP_MAX,
};

/** Names of the reasons, in the order of enum vale_drop, NULL at the end. */
extern const char *const vale_drop_names[VALE_DROP_MAX + 1];

/**
 * What one worker counted for one port. Written by that worker alone with
 * vale_counter_add(); any thread may read with vale_counter_read().
 */
struct vale_counters {
	_Atomic uint64_t rx_packets; /**< received from the port's client */
	_Atomic uint64_t rx_bytes;   /**< the same in bytes, without FCS */
	_Atomic uint64_t tx_packets; /**< delivered to the port's client */
	_Atomic uint64_t tx_bytes;   /**< the same in bytes, without FCS */
	_Atomic uint64_t drops[VALE_DROP_MAX];
} __rte_aligned(2 * RTE_CACHE_LINE_SIZE);

/** The sum over workers, plain numbers. */
struct vale_counters_sum {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t drops[VALE_DROP_MAX];
};

/**
 * Add to a counter of which the caller is the only writer: a plain load and store, no locked
 * instruction; relaxed, because readers need each number whole and nothing more.
 */
static inline void
vale_counter_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

/** Read a counter that another thread writes. */
static inline uint64_t
vale_counter_read(const _Atomic uint64_t *c)
{
	return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)c, memory_order_relaxed);
}

/**
 * Add up what all workers counted.
 *
 * @param c
 *   Array of @p nb counters.
 * @param nb
 *   Number of workers.
 * @param sum
 *   Filled in.
 */
void vale_counters_sum(
	const struct vale_counters *c, unsigned int nb, struct vale_counters_sum *sum);

#endif /* VALE_STATS_H */
