/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_EAL_MEMORY_H
#define VALE_EAL_MEMORY_H

/**
 * @file
 * EAL's and ethdev's shared memory, found and looked after without their locks.
 *
 * Any of these locks may be held by a secondary that was killed (vale_locks.h lets go of them
 * within a second). What the switch must be able to do at any time goes by this file instead.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_eth_dev;
struct vale_eal_config;
struct vale_eal_ethdev;
struct vale_eal_heap;

/** Where things are. */
struct vale_eal_memory {
	struct vale_eal_config *cfg;
	struct vale_eal_ethdev *ethdev; /**< NULL: layout unknown */
};

/**
 * Find the shared memory and try whether its layout is the one we know. Once, at start, in the
 * primary, before there are other threads that could take its locks.
 *
 * @return
 *   0; -ENOTSUP if this DPDK is not known, nothing is shared, or something does not fit (the log
 *   says what).
 */
int vale_eal_memory_find(void);

/** What was found; NULL if nothing was. Any thread. */
const struct vale_eal_memory *vale_eal_memory(void);

/** Heap use. */
struct vale_eal_heap_use {
	uint64_t free_sz, used_sz; /**< bytes */
	bool fresh;		   /**< false: a lock was held for long, these are older numbers */
};

/** Bytes free and in use in all heaps. Waits 20 ms for a heap's lock at most. Any
 * thread. */
void vale_eal_heap_use(struct vale_eal_heap_use *use);

/**
 * All pieces in use, heap by heap.
 *
 * @param may
 *   Asked with the lock of each heap, before its pieces; NULL: yes.
 * @param fn
 *   Called for each piece, @p sz bytes from @p elem on, with the lock of its heap held.
 * @return
 *   false: a heap's lock was held for long, or may() said no; not all pieces were shown.
 */
bool vale_eal_heap_walk(
	bool (*may)(void *arg), void (*fn)(void *elem, size_t sz, void *arg), void *arg);

/** The piece that memory was given from by rte_malloc() and the like. */
void *vale_eal_piece_of(const void *data);

/** Free a piece that vale_eal_heap_walk() showed, and that is in use still. */
void vale_eal_piece_free(void *elem);

/**
 * What EAL's start takes from the heap in each process and gives back only in a clean end: the
 * tables of librte_eal's services, two pieces beside each other, 152 KB in all. Calls fn() for each
 * such pair, with the lock of its heap held.
 *
 * @return
 *   false: a heap's lock was held for long, and its pairs were not seen.
 */
bool vale_eal_services_walk(void (*fn)(void *pair, void *arg), void *arg);

/** Free a pair whose process has ended. Returns whether it was one still, and unused. */
bool vale_eal_services_free(void *pair);

/** How vale_eal_heap_repair() found a heap. */
enum vale_eal_heap_state {
	VALE_EAL_HEAP_SOUND,	/**< nothing to do */
	VALE_EAL_HEAP_REPAIRED, /**< chain or free lists were half-changed, and are whole again */
	VALE_EAL_HEAP_LOST,	/**< beyond repair: nothing is free in it any more */
};

/**
 * Check a heap whose lock a dead process holds, and mend what it left half-done. The caller owns
 * that lock now. A heap beyond repair is left with no free element: allocations fail, what is
 * allocated stays.
 */
enum vale_eal_heap_state vale_eal_heap_repair(struct vale_eal_heap *heap);

/** Mend the lists of named objects, whose lock a dead process held for writing. Returns how many.
 */
unsigned int vale_eal_tailqs_repair(void);

/** Take back memzones that a dead process had begun to reserve. Returns how many. */
unsigned int vale_eal_memzones_repair(void);

/**
 * rte_eth_dev_allocate() that never waits for ethdev's ownership lock longer than a
 * millisecond: other threads of the switch do not allocate ethdevs, nor do secondaries of ours.
 * Control thread.
 *
 * @return
 *   NULL if all port ids are in use or the name is.
 */
struct rte_eth_dev *vale_eal_ethdev_take(const char *name);

/**
 * rte_eth_dev_release_port() likewise. The caller has cleared the pointers in its data that are not
 * rte_malloc()'s; there must be none left.
 */
void vale_eal_ethdev_give(struct rte_eth_dev *dev);

#endif /* VALE_EAL_MEMORY_H */
