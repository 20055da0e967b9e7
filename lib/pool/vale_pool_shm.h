/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_POOL_SHM_H
#define VALE_POOL_SHM_H

/**
 * @file
 * What the mempool operations `vale` keep in hugepages, shared by all processes of the DPDK group.
 * Every process maps it at the same address, as it maps the mempool itself and its objects, so that
 * object pointers may stand in it. vale_pool.h explains how it is used.
 */

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdatomic.h>

#include <rte_common.h>
#include <rte_config.h>

#define VALE_POOL_SHM_VERSION 1
/** Processes that can use a governed pool at a time, the switch being number 0. */
#define VALE_POOL_HOLDERS 64
/** The switch's place among them. */
#define VALE_POOL_SWITCH 0

/** State of a place in the table of holders. */
enum vale_pool_state {
	VALE_POOL_FREE,	   /**< nobody; its claimer makes it JOINING */
	VALE_POOL_JOINING, /**< claimed; holds nothing yet, start and lcores are not written */
	VALE_POOL_LIVE,	   /**< the process works; made DEAD by the switch */
	VALE_POOL_DEAD,	   /**< the process is gone, what it held is not recovered; made FREE by the
			      switch */
};

/*
 * Who has a place, in one word, so that one compare-and-swap claims it:
 *   bits 0..31  process id, as the process sees it
 *   bits 32..57 generation, counts the holders of this place, never 0 in a claimed one
 *   bits 58..61 enum vale_pool_state
 *   bit 62      the process id means the same to the switch: one PID namespace
 */
#define VALE_POOL_GEN_SHIFT 32
#define VALE_POOL_GEN_BITS 26
#define VALE_POOL_GEN_MASK ((1u << VALE_POOL_GEN_BITS) - 1)
#define VALE_POOL_STATE_SHIFT 58
#define VALE_POOL_STATE_MASK 0xfu
#define VALE_POOL_SAME_NS (UINT64_C(1) << 62)

/*
 * The tag of an mbuf: bits 0..5 the holder's place, bits 6..31 its generation. 0: nobody's.
 */
#define VALE_POOL_TAG_GEN_SHIFT 6
static_assert(VALE_POOL_HOLDERS == 1 << VALE_POOL_TAG_GEN_SHIFT, "a place must fit into a tag");
static_assert(VALE_POOL_TAG_GEN_SHIFT + VALE_POOL_GEN_BITS == 32, "a tag is a 32-bit word");

/** One process. */
struct vale_pool_holder {
	_Atomic uint64_t owner __rte_cache_aligned;
	/* written by the process while JOINING, then constant */
	uint64_t start; /**< when the process began, in clock ticks since boot */
	uint64_t lcores[RTE_MAX_LCORE / 64]; /**< bit per lcore id that it had when it joined */

	/* written by the process, holding the lock; read by the switch at any time */
	_Atomic uint64_t taken __rte_cache_aligned; /**< objects taken from the pool */
	_Atomic uint64_t returned;		    /**< objects put back */
	_Atomic uint64_t refused; /**< times that it asked for more than its quota */
	/* written by the process, by whichever thread asked last; no lock */
	_Atomic int64_t flows; /**< segments received less those sent, when it last asked */
} __rte_cache_aligned;

/** Objects that a thread of the switch has put aside. */
struct vale_pool_stash_len {
	_Atomic uint32_t nb __rte_cache_aligned; /**< written by that thread */
};

/** A pool. */
struct vale_pool {
	/* written by the creator before the pool is published, then constant */
	uint32_t version; /**< VALE_POOL_SHM_VERSION */
	uint32_t size;	  /**< objects, and places in objs[] */
	/* written once by the switch in vale_pool_govern(), governed last */
	int32_t tag_off;	   /**< bytes from an mbuf to its tag */
	uint64_t pid_ns;	   /**< inode of the switch's PID namespace, 0: unknown */
	_Atomic uint32_t governed; /**< mbufs are tagged, holders counted */
	/* written by the switch */
	_Atomic uint32_t quota; /**< objects that one client may hold */
	/* written by the switch; counters, for people */
	_Atomic uint64_t busy; /**< the switch found the lock taken and had nothing put aside */

	/* the lock, and what is written under it */
	pthread_mutex_t lock __rte_cache_aligned; /**< robust, process-shared */
	_Atomic uint32_t len;			  /**< free objects: objs[0 .. len - 1] */
	_Atomic uint32_t overflow;   /**< bursts refused because they would not fit: freed twice */
	_Atomic uint64_t owner_died; /**< times that the lock was taken over from a dead process */

	struct vale_pool_holder holders[VALE_POOL_HOLDERS];
	struct vale_pool_stash_len stashed[RTE_MAX_LCORE + 1];
	void *_Atomic objs[] __rte_cache_aligned;
} __rte_cache_aligned;

static_assert(offsetof(struct vale_pool, holders) - offsetof(struct vale_pool, lock) ==
		      RTE_CACHE_LINE_SIZE,
	"lock and length travel between cores on one line");

#endif /* VALE_POOL_SHM_H */
