/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef POOL_H
#define POOL_H

/**
 * @file
 * What the files of lib/pool share.
 *
 *   vale_pool.c  the mempool operations
 *   lock.c       the robust mutex
 *   stash.c      what the switch does instead of waiting
 *   holder.c     processes
 *   quota.c      what a client holds and may hold
 *   objects.c    all mbufs of the governed pool, by address
 *   reap.c       recovery
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>
#include <rte_spinlock.h>

#include "vale_pool.h"

#define POOL_LCORE_WORDS (RTE_MAX_LCORE / 64)

static inline struct vale_pool *
pool_of(const struct rte_mempool *mp)
{
	return mp->pool_data;
}

static inline bool
pool_governed(const struct vale_pool *p)
{
	/* acquire: tag_off and quota were written before */
	return atomic_load_explicit(&p->governed, memory_order_acquire) != 0;
}

static inline bool
lcore_in(const uint64_t *set, unsigned int id)
{
	return set[id / 64] >> (id % 64) & 1;
}

static inline unsigned int
tag_place(uint32_t tag)
{
	return tag & (VALE_POOL_HOLDERS - 1);
}

/** Whether this process is the switch that governs this pool. */
static inline bool
pool_is_switch(const struct vale_pool *p)
{
	return vale_pool_me.pool == p && tag_place(vale_pool_me.tag) == VALE_POOL_SWITCH;
}

/* ---- lock.c ---- */

/** Make the lock. @return 0 or a negative errno. */
int pool_lock_init(struct vale_pool *p);
/** Wait for it; whoever dies with it does not hold us up. */
void pool_lock(struct vale_pool *p);
/** Try @p tries times. @return whether we have it. */
bool pool_trylock(struct vale_pool *p, unsigned int tries);
void pool_unlock(struct vale_pool *p);

/* ---- vale_pool.c: under the lock ---- */

/** Put objects back. @return 0, or -ENOBUFS if they do not fit. */
int pool_give(struct vale_pool *p, void *const *objs, unsigned int n);
/** Take objects as they are. @return 0, or -ENOBUFS if there are too few. */
int pool_take(struct vale_pool *p, void **objs, unsigned int n);
/** Take mbufs: tagged. */
int pool_take_tagged(struct vale_pool *p, void **objs, unsigned int n);

/* ---- holder.c ---- */

/** This process's place in the governed pool, which it takes if it has none; NULL if there is none
 * left. */
struct vale_pool_holder *holder_self(struct vale_pool *p);
/** Claim place 0 and make this process the switch. */
void holder_join_switch(struct vale_pool *p);
/** Forget that this process has joined: the pool goes. */
void holder_leave(struct vale_pool *p);

static inline enum vale_pool_state
holder_state(uint64_t word)
{
	return (enum vale_pool_state)(word >> VALE_POOL_STATE_SHIFT & VALE_POOL_STATE_MASK);
}

/** The same holder in another state. */
static inline uint64_t
holder_in_state(uint64_t word, enum vale_pool_state state)
{
	return (word & ~((uint64_t)VALE_POOL_STATE_MASK << VALE_POOL_STATE_SHIFT)) |
	       (uint64_t)state << VALE_POOL_STATE_SHIFT;
}

static inline uint32_t
holder_gen(uint64_t word)
{
	return (uint32_t)(word >> VALE_POOL_GEN_SHIFT) & VALE_POOL_GEN_MASK;
}

static inline uint32_t
holder_tag(unsigned int idx, uint64_t word)
{
	return holder_gen(word) << VALE_POOL_TAG_GEN_SHIFT | idx;
}

/* ---- quota.c: clients ---- */

/** Segments received less segments sent, of all queues of this process; told to others, too. */
int64_t quota_flows(struct vale_pool_holder *h);
/** What a process may take or receive yet, @p passed being what came and went through its queues.
 * Negative if it has too much. */
int64_t quota_left(const struct vale_pool *p, const struct vale_pool_holder *h, int64_t passed);
/** A child of fork() has no queues. */
void quota_forget(void);

/** What a process holds. */
static inline int64_t
holder_held(const struct vale_pool_holder *h, int64_t passed)
{
	uint64_t taken = atomic_load_explicit(&h->taken, memory_order_relaxed);
	uint64_t returned = atomic_load_explicit(&h->returned, memory_order_relaxed);

	return (int64_t)(taken - returned) + passed;
}

/* ---- stash.c: the switch ---- */

/** A stash for each lcore and one for all other threads. @return 0 or -ENOMEM. */
int stash_init(struct vale_pool *p);
/** Free them; objects in them are forgotten. */
void stash_fini(void);
int stash_enqueue(struct vale_pool *p, void *const *objs, unsigned int n);
int stash_dequeue(struct vale_pool *p, void **objs, unsigned int n);
unsigned int stash_flush(struct vale_pool *p);
/** Objects put aside by all threads, as far as another process can know. */
unsigned int stash_count(const struct vale_pool *p);
/** Object @p i of stash @p s, NULL if there is none. Its thread may be changing it. */
void *stash_peek(const struct vale_pool *p, unsigned int s, unsigned int i);

/* ---- reap.c ---- */

/** Prepare for the search, so that a reap begins without a long look at the pool. @return 0 or
 * -ENOMEM. */
int reap_init(struct rte_mempool *mp);
void reap_fini(void);

/* ---- objects.c ---- */

/** All objects of a mempool, sorted by address, and how to find one's number. In this process's
 * memory. */
struct pool_objects;

/** @return NULL without memory. */
struct pool_objects *objects_create(struct rte_mempool *mp);
void objects_free(struct pool_objects *o);
unsigned int objects_nb(const struct pool_objects *o);
struct rte_mbuf *objects_at(const struct pool_objects *o, unsigned int i);
/** The number of an object, -1 if it is none of the pool's. Any pointer. */
int objects_find(const struct pool_objects *o, const void *obj);

#endif /* POOL_H */
