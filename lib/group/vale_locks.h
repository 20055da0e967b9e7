/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_LOCKS_H
#define VALE_LOCKS_H

/**
 * @file
 * Locks that outlive their holder: the locks of EAL and ethdev in memory shared by the group,
 * released when the secondary that held them was killed.
 *
 * A lock does not say who holds it. But after a process has ended,
 *  - a lock that is free at any moment is not held by it;
 *  - the readers that it left are the least number ever seen since, less those of living
 *    processes that hold it for long: only one that starts does (memory_hotplug_lock);
 *  - a lock that is held without a break for far longer than any operation takes is its. The
 *    one operation of unknown length is growing or shrinking a heap, in which the primary works for
 *    a secondary and asks all processes; it holds a heap's lock and memory_hotplug_lock both, and
 * is given more time, and as long as the primary works. Locks nest, so a living process may hold
 * one and wait for another that a dead one holds. Hence they are released from the innermost
 * outwards, each with a fresh window for the next.
 *
 * What the lock protects may be half-changed. Heaps, lists and memzones are mended before others
 * see them.
 *
 * All this is called on one thread, `vale-life` (vale_secondaries.h), and takes no lock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "vale_secondaries.h"

/** How often locks are looked at after a process has ended. */
#define VALE_LOCKS_TICK_MS 10

/** Prepare, once vale_eal_memory_find() has been called. Says so if it must stay off. */
void vale_locks_init(void);

/** A process has ended: look at all locks. */
void vale_locks_suspect(const struct vale_secondary *dead, uint64_t now_ms);

/**
 * Look, and release what is due. Call every VALE_LOCKS_TICK_MS while this returns true, and once a
 * second otherwise.
 *
 * @param nb_starting
 *   Living processes that may be in EAL's start.
 * @param nb_living
 *   Living processes, those included.
 * @return
 *   Whether a dead process may still hold a lock.
 */
bool vale_locks_tick(uint64_t now_ms, unsigned int nb_starting, unsigned int nb_living);

/** Whether shared memory seems to be growing or shrinking for long; true once each time. */
bool vale_locks_growth(void);

/**
 * Look at all locks, until each has been seen free once; memory_hotplug_lock may have readers, as
 * it has while a secondary starts. Any thread, after vale_locks_init().
 *
 * @return
 *   NULL, or the name of one that was held at every look, for some microseconds.
 */
const char *vale_locks_held(void);

/** Locks released since the start. Any thread. */
uint64_t vale_locks_released(void);

#endif /* VALE_LOCKS_H */
