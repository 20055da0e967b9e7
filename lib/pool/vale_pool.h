/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_POOL_H
#define VALE_POOL_H

/**
 * @file
 * Mempools that survive their users: mempool operations `vale`.
 *
 * A DPDK mempool is shared by all processes of a group, and a process that is killed takes with it
 * what it held. Worse, the stock operations keep free objects in a multi-producer ring: killed
 * between moving its head and its tail, a process makes every other wait for ever. Here a process
 * may be killed at any instruction; it costs nobody more than a moment, and all it held comes back.
 *
 * The pool
 * --------
 * Free objects are an array under a robust process-shared mutex. To put objects back, they are
 * copied behind the array's end and the length is stored; to take some, they are copied out from
 * the end, and the length is stored. That one store is the whole operation: killed before it, the
 * process has done nothing, after it, everything. The next to lock is told by the kernel that the
 * owner died, has nothing to repair, and goes on.
 *
 * A client that finds the lock taken spins for a moment, then sleeps in the kernel, a millisecond
 * at most at a time: a waiter that is killed between being woken and taking the lock can swallow
 * the wake-up of another (the kernel passes it on only if the lock is still free), and a process
 * stopped inside must not make that worse than it is.
 *
 * The switch never waits for a client, which may be preempted or stopped where it holds the lock.
 * Each of its lcores has a stash, in the switch's own memory: what it frees while the lock is taken
 * goes there, and from there to the pool at the next success; what it needs while the lock is taken
 * comes from there, where an lcore keeps up to 512 mbufs in reserve, or is refused (-ENOBUFS). Its
 * threads without an lcore id share one stash under a spinlock. vale_pool_flush() empties the stash
 * of a thread that is about to sleep.
 *
 * Governed pools
 * --------------
 * A pool whose mbufs pass between processes is governed by the switch (vale_pool_govern()); there
 * is one in a group. Pools that clients make for themselves with these operations are not: they
 * have the lock and nothing else, and die with their client.
 *
 * Each process that uses the governed pool is a holder: its first operation claims a place in a
 * table in shared memory by one compare-and-swap. Place and generation make a 32-bit tag, and every
 * mbuf carries in a dynamic field, on the cache line of `next`, the tag of the process that holds
 * it. A child made by fork() is a holder of its own.
 *
 * Quota: a client holds what it took from the pool, less what it put back, plus the segments it
 * received, less those it sent. The first two it counts under the lock, the others in struct
 * vale_pool_flow of its queues. It may not take more than its quota, nor receive: a receive queue
 * gets credit for some 256 segments at a time (vale_pool_may_receive()), none beyond the quota. So
 * a client with several receive queues, or that receives chains, may pass it by as many. What its
 * lcore caches keep is held by it too: a quota must be above 1.5 times the cache size for each of
 * its lcores. A lcore that may not receive puts its cache back. A quota of all mbufs is none: the
 * counts are not asked. Secondaries that pass mbufs to each other by rings of their own need that,
 * as what is passed on stays in the balance of who received it.
 *
 * Who is dead, and what he left
 * -----------------------------
 * vale_pool_bury() says that a holder is dead; vale_pool_reap_*() finds and returns what it held.
 * The lcore caches of the dead cannot be believed (the length moves before the objects), so they
 * are emptied without a look, and everything is found by its tag. Rules that this rests on:
 *  1. Every mover tags first. Taking from the pool tags under the lock, before the length is
 * stored. The PMD tags every segment it receives before the ring's tail moves. The switch tags
 * every segment that it frees (vale_pool_free_bulk()), makes by copying, or hands to a device.
 * Functions that copy dynamic fields (rte_pktmbuf_copy, clone, attach) are not used; what
 *     applications do with them comes back later (below).
 *  2. Before a reap starts the dead process's ports are gone: their rings have been emptied
 *     into the pool by the switch (tagged first), from the tails on: the dead may have moved a head
 * and not the tail, and what it had not tagged yet is found there only. Each worker has passed a
 * quiescent state since, so that no worker has a frame of the dead in its hands.
 *  3. Frames pass between clients by way of the switch. What secondaries pass to each other by
 * rings of their own escapes rule 1: it carries the tag of the one that it was taken from, and
 * would be taken away when that one dies.
 *
 * Claim: an mbuf that carried the dead holder's tag when the reap began, carries it at the end, and
 * was seen between the two neither in the array nor in a ring to a living client, is held by
 * nobody.
 *
 * Proof: call an mbuf live if somebody can still reach it. From the moment that rule 2 describes, a
 * live mbuf with tag D of a dead process lies in the array or in a ring to a living client: it is
 * in no living client's hands or caches (what is there was received or taken, and tagged), not in
 * the switch's (rule 2, and what it has freed, it has tagged), and the rings from and to the dead
 * are empty. Nobody writes D any more: its process is dead, and its place is given to no other
 * before the reap ends. So an mbuf that has tag D at the beginning and at the end had it all the
 * time between. Then it was not moved, because every mover tags first. So if it is live, it stood
 * all the time at the same place: at one index of the array, below the length (objects come and go
 * at the array's end only), or in one place of one ring (not dequeued, as the tail moves after
 * tagging). Every place has been looked at once between beginning and end, no matter in which
 * order, or what moved meanwhile; so it was seen. The opposite of "live and seen" is "lost".
 *
 * The tags need no lock for this, and the array is read without one. What is seen and is not
 * D's, or was overwritten while it was read, only excludes too much: it is found by the next reap,
 * never doubled. Nothing is moved while the search goes on, so it may be cut into small slices.
 *
 * Tags of former holders stay on mbufs in the array and in rings. They mean nothing: whoever takes
 * the mbuf writes his own. So the generation may wrap.
 *
 * What has lost its tag
 * ---------------------
 * An application that copies mbufs of its own pool into the governed one with rte_pktmbuf_copy()
 * overwrites the tag of the copy with what stands in the original, which is 0. If it dies with it,
 * the above does not find it. So a reap that begins when all holders but the switch are dead, each
 * place free or buried, asks for more: the switch is *alone*. Then any tag but the switch's is of
 * nobody who lives, and an mbuf that had such a tag at the beginning and at the end, and was not
 * seen between, is lost, as long as nobody has joined meanwhile.
 *
 * Proof: while nobody joins, the switch alone takes, moves and gives, and it tags first (rule 1)
 * with its own tag, which it never takes off. So an mbuf without that tag at both ends was not
 * moved between, and as by rule 2 it is not in the switch's hands, the proof above holds for it,
 * with any tag but the switch's for D. Now somebody joins: he may take such an mbuf from the array
 * before it is looked at, put any tag on it, and hold it. He claims a place before he takes, and
 * takes with the lock. So before each batch is given, with the lock, all places are compared with
 * what they were at the beginning: if none has changed, nobody has taken anything; if one has,
 * though its owner be dead again, the reap goes on for the dead ones' tags alone, for which the
 * proof above holds whoever lives. The rest is found by the next that begins alone: when that one
 * has died. What secondaries pass to each other by rings of their own is outside, as in rule 3.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "vale_pool_shm.h"

/**
 * 1 in a build with -Dbare_pool=true, which exists to measure what all this costs: a stock pool, no
 * tags, no quota, nothing recovered. Never for use.
 */
#ifndef VALE_POOL_BARE
#define VALE_POOL_BARE 0
#endif

/** Name of the mempool operations. */
#define VALE_POOL_OPS_NAME "vale"

/* ---- creation ---- */

/**
 * Add the operations to this process's table of mempool operations, unless they are there. Pools
 * refer to operations by their index, which must be the same in all processes; so call this behind
 * rte_eal_init(), when all drivers are loaded (switch), or before the table is put into the
 * switch's order (PMD), and never from a constructor, which would come before the stock operations
 * and move all of them.
 *
 * Main thread. Does not block.
 *
 * @return
 *   0, or -ENOSPC if the table is full.
 */
int vale_pool_register(void);

/**
 * Make a pool of mbufs with these operations: as rte_pktmbuf_pool_create() with no private area,
 * but for some unused bytes behind each mbuf's data.
 *
 * @param data_room
 *   Bytes in each mbuf, headroom included.
 * @return
 *   NULL with rte_errno: EINVAL if the operations are not registered, or as
 * rte_pktmbuf_pool_create().
 */
struct rte_mempool *vale_pool_create(const char *name, unsigned int nb, unsigned int cache_sz,
	uint16_t data_room, int socket_id);

/**
 * Govern a pool: from now on its mbufs are tagged, its users are counted, and this process is the
 * switch, of which no thread ever waits for the pool. Each lcore that this process has now gets a
 * stash. Before any client attaches. Ends when the pool is freed.
 *
 * Main thread of the primary.
 *
 * @param mp
 *   Of mbufs, made with these operations, no mbuf taken yet.
 * @param quota
 *   Mbufs that one client may hold.
 * @return
 *   0; -EINVAL not such a pool, or mbufs are missing from it; -EEXIST this process governs a pool
 * already; -ENOMEM; or the negative errno of rte_mbuf_dynfield_register(). On failure the pool
 * stays as it was.
 */
int vale_pool_govern(struct rte_mempool *mp, uint32_t quota);

/** Whether a pool is governed, by whatever process. Any thread. */
bool vale_pool_is_governed(const struct rte_mempool *mp);

/** Set what one client may hold. Any thread. */
void vale_pool_set_quota(struct rte_mempool *mp, uint32_t quota);

/** What one client may hold; 0 if the pool is not governed. Any thread. */
uint32_t vale_pool_quota(const struct rte_mempool *mp);

/* ---- a process and its tag ---- */

/** What a process knows about itself. Read only, but for lib/pool. */
struct vale_pool_me {
	struct vale_pool *pool; /**< the governed pool; NULL before this process has joined */
	uint32_t tag;
	int32_t tag_off;
};
extern struct vale_pool_me vale_pool_me;

/**
 * Become a holder, if this process is none. The first operation on the pool does it as well; the
 * PMD calls it when it attaches, because its receive tags without asking. Reads /proc. Any thread.
 *
 * @return
 *   0; -EINVAL the pool is not governed, or another is; -ENOSPC VALE_POOL_HOLDERS processes use the
 * pool.
 */
int vale_pool_join(struct rte_mempool *mp);

/** The tag of this process, 0 before it has joined; the PMD tells it to the switch when it
 * attaches. */
static inline uint32_t
vale_pool_my_tag(void)
{
	return vale_pool_me.tag;
}

/** Where an mbuf's tag stands. This process has joined. */
static __rte_always_inline _Atomic uint32_t *
vale_pool_tag_of(const struct rte_mbuf *m)
{
	return (_Atomic uint32_t *)((uintptr_t)m + vale_pool_me.tag_off);
}

/**
 * Take one segment: write this process's tag. The store is visible before any later store of this
 * thread with release order, such as a ring's tail. This process has joined. Any thread; the caller
 * holds the mbuf, or is about to (see above).
 */
static __rte_always_inline void
vale_pool_tag(struct rte_mbuf *m)
{
	if (VALE_POOL_BARE)
		return;
	atomic_store_explicit(vale_pool_tag_of(m), vale_pool_me.tag, memory_order_relaxed);
}

/** The same for every segment of a frame; NULL is allowed. */
static __rte_always_inline void
vale_pool_tag_chain(struct rte_mbuf *m)
{
	for (; !VALE_POOL_BARE && m != NULL; m = m->next)
		vale_pool_tag(m);
}

/** The same in the switch, which may run on a pool that is not governed (unit tests). */
static __rte_always_inline void
vale_pool_tag_if_governed(struct rte_mbuf *m)
{
	if (likely(vale_pool_me.pool != NULL))
		vale_pool_tag_chain(m);
}

/**
 * Free frames as the switch must: tagged first. NULL entries are allowed. Any thread; never waits
 * in the switch.
 */
void vale_pool_free_bulk(struct rte_mbuf **pkts, unsigned int nb);

/**
 * The switch: give to the pool what this thread has put aside while the lock was taken. To be
 * called before a worker sleeps, and now and then by the control thread. Does not wait.
 *
 * @return
 *   Objects still put aside, because the lock is taken.
 */
unsigned int vale_pool_flush(struct rte_mempool *mp);

/* ---- quota: what passes through a client's rings ---- */

/**
 * Segments that came and went through one queue. In the client; written by the thread that uses the
 * queue.
 */
struct vale_pool_flow {
	_Atomic uint64_t received, sent;
	int64_t credit; /**< segments it may receive before it asks again; negative: a chain was
			 * longer
			 */
	LIST_ENTRY(vale_pool_flow) next; /**< of lib/pool */
};

/** Count a queue's segments from now on, from 0. The memory is the caller's until
 * vale_pool_flow_del(). Any thread. */
void vale_pool_flow_add(struct vale_pool_flow *f);

/** Count it no more; what it has counted stays in the balance. Its queue is at rest. Any thread. */
void vale_pool_flow_del(struct vale_pool_flow *f);

static __rte_always_inline void
vale_pool_flow_bump(_Atomic uint64_t *c, uint64_t nb)
{
	/* one writer: no locked instruction */
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + nb, memory_order_relaxed);
}

/** @p nb segments of the governed pool were received. The queue's thread. */
static __rte_always_inline void
vale_pool_count_received(struct vale_pool_flow *f, uint64_t nb)
{
	if (VALE_POOL_BARE)
		return;
	vale_pool_flow_bump(&f->received, nb);
	f->credit -= (int64_t)nb;
}

/** The slow part of vale_pool_may_receive(). */
unsigned int vale_pool_receive_credit(
	struct rte_mempool *mp, struct vale_pool_flow *f, unsigned int nb);

/**
 * How many of @p nb segments of the governed pool @p mp this queue may receive now: fewer than @p
 * nb, or 0, if this process holds its quota. Then the thread's lcore cache has been put back. The
 * queue's thread.
 */
static __rte_always_inline unsigned int
vale_pool_may_receive(struct rte_mempool *mp, struct vale_pool_flow *f, unsigned int nb)
{
	if (VALE_POOL_BARE || likely(f->credit >= (int64_t)nb))
		return nb;
	return vale_pool_receive_credit(mp, f, nb);
}

/** @p nb segments of the governed pool were sent. The queue's thread. */
static __rte_always_inline void
vale_pool_count_sent(struct vale_pool_flow *f, uint64_t nb)
{
	if (VALE_POOL_BARE)
		return;
	vale_pool_flow_bump(&f->sent, nb);
}

/* ---- the switch: holders ---- */

/** What is known about a holder. */
struct vale_pool_holder_info {
	uint32_t tag;
	enum vale_pool_state state;
	pid_t pid;	  /**< in its own PID namespace */
	bool same_pid_ns; /**< as the switch: the pid means something to it */
	uint64_t start; /**< when it began, in clock ticks since boot; 0: unknown, or it is joining
			 */
	uint64_t lcores[RTE_MAX_LCORE / 64]; /**< lcore ids it had when it joined */
	uint64_t taken, returned, refused;
	int64_t held; /**< exact but for what its queues moved since it last took some or asked for
			 credit */
};

/**
 * Describe the holder in place @p idx (0 .. VALE_POOL_HOLDERS - 1). Any thread.
 *
 * @return
 *   0, -EINVAL the pool is not governed, or no such place; -ENOENT the place is free.
 */
int vale_pool_holder_get(
	const struct rte_mempool *mp, unsigned int idx, struct vale_pool_holder_info *info);

/**
 * Find holders whose process is gone and that nobody has buried: programs that used the pool
 * without a port. Only those in the switch's PID namespace can be judged. Makes system calls.
 * Control thread.
 *
 * @param tags
 *   Receives up to @p max tags, to be given to vale_pool_bury().
 * @return
 *   How many.
 */
unsigned int vale_pool_find_dead(const struct rte_mempool *mp, uint32_t *tags, unsigned int max);

/**
 * A holder is dead: every thread of its process is gone (its pidfd is readable), and with them its
 * lcores. At once, before another process may take the same lcore ids; what it held comes back with
 * the next reap. Control thread. Does not wait.
 *
 * @param tag
 *   Of the holder.
 * @param lcores
 *   Its lcore ids: a bit each. Their caches of the pool are emptied. No living process has any of
 * them.
 * @return
 *   0; -ENOENT there is no living holder with this tag; -EINVAL not governed by this process, or it
 * is the switch's own tag.
 */
int vale_pool_bury(struct rte_mempool *mp, uint32_t tag, const uint64_t lcores[RTE_MAX_LCORE / 64]);

/** Empty the caches of some lcores of a dead process; vale_pool_bury() does this too. Control
 * thread. */
void vale_pool_reset_caches(struct rte_mempool *mp, const uint64_t lcores[RTE_MAX_LCORE / 64]);

/* ---- the switch: recovery ---- */

struct vale_pool_reap;

/**
 * Report the mbufs in ring number @p i that carries frames to a living client, with
 * vale_pool_reap_see(). Called in the control thread with 0, 1, 2, ... in one or several
 * vale_pool_reap_step(). A number means the same ring as long as the reap lasts: number all that
 * could be there, and report nothing for those that are not. Rings that are opened during a reap
 * need not be seen, those that are closed must have been emptied, tagged first.
 *
 * @return
 *   Whether there is a ring with a higher number.
 */
typedef bool vale_pool_ring_cb(void *arg, unsigned int i, struct vale_pool_reap *r);

/** What a reap did. */
struct vale_pool_reap_report {
	unsigned int holders;	/**< dead processes that it was for */
	unsigned int tagged;	/**< mbufs that carried their tags at first */
	unsigned int recovered; /**< lost ones given back to the pool, with whatever tag */
};

/**
 * Begin to recover what all buried holders held. Their rings are empty, and workers have been
 * quiescent since (rule 2). One at a time. Control thread. Allocates memory outside of DPDK.
 *
 * @param rings
 *   May be NULL if there are no rings.
 * @return
 *   NULL with rte_errno: ENOENT nobody is buried, EBUSY a reap is under way, EINVAL the pool is not
 * governed by this process, ENOMEM.
 */
struct vale_pool_reap *vale_pool_reap_start(
	struct rte_mempool *mp, vale_pool_ring_cb *rings, void *arg);

/**
 * A slice of the work. Control thread. Does not wait: where a client has the lock, it does nothing.
 *
 * @param budget
 *   Mbufs to look at, 1 at least, or one ring. An mbuf that is in no cache costs about 0.1 us.
 * @return
 *   True if there is more to do; false: everything is back, the holders' places are free.
 */
bool vale_pool_reap_step(struct vale_pool_reap *r, unsigned int budget);

/**
 * From a vale_pool_ring_cb: this mbuf, and those chained to it, are in a ring. Anything may be
 * given, also what is being changed by its receiver: pointers that are not mbufs of the pool are
 * not followed. Control thread.
 */
void vale_pool_reap_see(struct vale_pool_reap *r, const struct rte_mbuf *m);

/** What it has done so far. */
void vale_pool_reap_report(const struct vale_pool_reap *r, struct vale_pool_reap_report *rep);

/** End a reap. If it was not finished, holders stay buried for the next. NULL is allowed. Control
 * thread. */
void vale_pool_reap_free(struct vale_pool_reap *r);

#endif /* VALE_POOL_H */
