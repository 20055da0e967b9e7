/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef POOL_FAULT_H
#define POOL_FAULT_H

/**
 * @file
 * pool-fault: processes that use a governed pool and are killed.
 *
 * The primary is the switch: it makes the pool, starts secondaries (this program again), kills or
 * lets them be killed, recovers what they held, and counts every mbuf. All share struct arena, in a
 * memzone.
 *
 *   pool_fault.c  the primary: pool, secondaries, recovery, the count
 *   pool_peer.c   a secondary
 *   pool_kill.c   test: killed at random under load
 *   pool_step.c   test: killed after every instruction
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#define ARENA_NAME "pool_fault"
#define POOL_NAME "pool_fault"
#define NB_MBUFS 4096u
#define CACHE_SZ 32u
#define NB_PEERS 3u
/** Lcore ids: of a secondary, and of a child that the tracer makes. */
#define PEER_LCORE(i) ((i) + 1)
#define CHILD_LCORE (NB_PEERS + 2)

/** What a secondary is told to do. */
enum peer_state {
	PEER_STARTING, /**< set by the primary */
	PEER_READY,    /**< set by the secondary: its loop runs */
};

/** One secondary. */
struct peer {
	_Atomic uint32_t state;			  /**< enum peer_state */
	_Atomic uint32_t tag;			  /**< set by the secondary */
	_Atomic uint64_t rounds;		  /**< counted by the secondary */
	_Atomic uint32_t stop;			  /**< set by the primary: give all back and end */
	struct rte_ring *to_switch, *from_switch; /**< frames */
};

/** In shared memory. */
struct arena {
	struct peer peer[NB_PEERS];
	/* pool_step: the tracer, a secondary, is asked to kill a child after some instructions */
	_Atomic uint32_t scenario;
	_Atomic uint32_t steps; /**< set by the primary; 0: nothing to do */
	_Atomic uint32_t ended; /**< set by the tracer: the child came to its end before */
};

/** What the command line says. */
struct fault_options {
	unsigned int kills;
	bool every;	   /**< pool_step: each instruction of all scenarios */
	bool reap;	   /**< false: leave recovery out, to see the test fail */
	unsigned int from; /**< pool_step: the first scenario, 0 .. */
};

/* ---- pool_fault.c: the primary ---- */

extern struct arena *arena;
extern struct rte_mempool *pool;

/** Say what went wrong and end the program. */
void fault_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/** Start secondary @p i and wait until its loop runs. */
pid_t peer_start(unsigned int i, const char *role);
/** Wait for a killed or ended secondary. @return its wait status. */
int peer_wait(pid_t pid);
/**
 * Secondary @p i is dead: empty its rings, bury its holders and start to recover. Then call
 * recover_step() until it returns false.
 */
void recover_start(const struct fault_options *o, unsigned int i);
bool recover_step(void);
/** Mbufs recovered so far. */
unsigned int recovered(void);
/** Move frames between secondaries as the switch does. */
void switch_poll(void);
/** Count all mbufs; nobody moves any. Dies if one is missing or there twice. */
void count_all(const char *when);
uint64_t now_ms(void);

int test_kill(const struct fault_options *o);
int test_step(const struct fault_options *o);

/* ---- pool_peer.c: a secondary ---- */

/** Run as secondary @p i. */
int peer_main(unsigned int i, const char *role);

#endif /* POOL_FAULT_H */
