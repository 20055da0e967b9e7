/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the switch does instead of waiting for the pool's lock. A stash has room for all objects of
 * the pool, so that freeing never fails; memory is taken from the kernel only as far as it is used.
 */
#include <errno.h>
#include <sys/mman.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_lcore.h>

#include "pool.h"

/* How often the lock is tried for an allocation, which fails if it stays taken: less than 2 us. */
#define TAKE_TRIES 32
/* For so long after that it is tried only once: whoever has it is likely off his CPU, and a flood
 * to many ports asks thousands of times. */
#define GIVE_UP_US 50
/* What an lcore keeps aside: at most so many mbufs, and at most one part in so many of the pool. */
#define RESERVE 512u
#define RESERVE_PART 32u
/* The stash of threads without an lcore id, or with one that came later. */
#define COMMON RTE_MAX_LCORE

/** In the switch: objs[0 .. p->stashed[i].nb - 1]. NULL for lcores that have none. */
static void *_Atomic *stash_objs[RTE_MAX_LCORE + 1];
/** Before that time the lock is tried once only. Written by the stash's thread. */
static struct {
	uint64_t tsc;
} __rte_cache_aligned patient_at[RTE_MAX_LCORE + 1];
static rte_spinlock_t common_lock = RTE_SPINLOCK_INITIALIZER;

/** The stash of this thread; the common one is ours until stash_leave(). */
static unsigned int
stash_enter(void)
{
	unsigned int lcore = rte_lcore_id();

	if (likely(lcore < RTE_MAX_LCORE && stash_objs[lcore] != NULL))
		return lcore;
	rte_spinlock_lock(&common_lock);
	return COMMON;
}

static void
stash_leave(unsigned int s)
{
	if (s == COMMON)
		rte_spinlock_unlock(&common_lock);
}

static inline uint32_t
stash_nb(const struct vale_pool *p, unsigned int s)
{
	return atomic_load_explicit(&p->stashed[s].nb, memory_order_relaxed);
}

static inline void
stash_set_nb(struct vale_pool *p, unsigned int s, uint32_t nb)
{
	atomic_store_explicit(&p->stashed[s].nb, nb, memory_order_release);
}

static inline void
tag_all(void *const *objs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		vale_pool_tag(objs[i]);
}

static int
stash_push(struct vale_pool *p, unsigned int s, void *const *objs, unsigned int n)
{
	uint32_t nb = stash_nb(p, s);

	if (unlikely(n > p->size - nb)) {
		atomic_fetch_add_explicit(&p->overflow, 1, memory_order_relaxed);
		return -ENOBUFS;
	}
	tag_all(objs, n); /* they will move from here to the pool */
	for (unsigned int i = 0; i < n; i++)
		atomic_store_explicit(&stash_objs[s][nb + i], objs[i], memory_order_relaxed);
	stash_set_nb(p, s, nb + n);
	return 0;
}

static int
stash_pop(struct vale_pool *p, unsigned int s, void **objs, unsigned int n)
{
	uint32_t nb = stash_nb(p, s);

	if (n > nb) {
		atomic_fetch_add_explicit(&p->busy, 1, memory_order_relaxed);
		return -ENOBUFS;
	}
	for (unsigned int i = 0; i < n; i++)
		objs[i] = atomic_load_explicit(&stash_objs[s][nb - n + i], memory_order_relaxed);
	stash_set_nb(p, s, nb - n);
	return 0;
}

/** What an lcore keeps aside for the time in which a client that has the lock is not on its CPU. */
static unsigned int
reserve_of(const struct vale_pool *p, unsigned int s)
{
	return s == COMMON ? 0 : RTE_MIN(RESERVE, p->size / RESERVE_PART);
}

/** Give to the pool what was put aside, but for the oldest @p keep. With its lock. */
static void
stash_trim(struct vale_pool *p, unsigned int s, uint32_t keep)
{
	uint32_t nb = stash_nb(p, s);

	if (likely(nb <= keep))
		return;
	/* a plain array to the owner, atomic to those who peek */
	if (pool_give(p, (void *const *)(uintptr_t)&stash_objs[s][keep], nb - keep) == 0)
		stash_set_nb(p, s, keep);
}

/** Fill the reserve up when half of it is used, from a pool that is more than half full. With its
 * lock. */
static void
stash_fill(struct vale_pool *p, unsigned int s)
{
	uint32_t nb = stash_nb(p, s), want = reserve_of(p, s);
	void *objs[RESERVE];

	if (likely(nb >= want / 2) ||
		atomic_load_explicit(&p->len, memory_order_relaxed) < p->size / 2 ||
		pool_take_tagged(p, objs, want - nb) != 0)
		return;
	for (unsigned int i = 0; i < want - nb; i++)
		atomic_store_explicit(&stash_objs[s][nb + i], objs[i], memory_order_relaxed);
	stash_set_nb(p, s, want);
}

int
stash_enqueue(struct vale_pool *p, void *const *objs, unsigned int n)
{
	unsigned int s = stash_enter();
	int ret;

	if (s == COMMON)
		tag_all(objs, n); /* no lcore cache: this is where the control thread frees */
	if (likely(pool_trylock(p, 1))) {
		stash_trim(p, s, reserve_of(p, s));
		ret = pool_give(p, objs, n);
		pool_unlock(p);
	} else {
		ret = stash_push(p, s, objs, n);
	}
	stash_leave(s);
	return ret;
}

/** Try the lock for an allocation. */
static bool
take_trylock(struct vale_pool *p, unsigned int s)
{
	uint64_t now;

	if (likely(pool_trylock(p, 1)))
		return true;
	now = rte_rdtsc();
	if (now < patient_at[s].tsc)
		return false;
	if (pool_trylock(p, TAKE_TRIES))
		return true;
	patient_at[s].tsc = now + rte_get_tsc_hz() / 1000000 * GIVE_UP_US;
	return false;
}

int
stash_dequeue(struct vale_pool *p, void **objs, unsigned int n)
{
	unsigned int s = stash_enter();
	int ret;

	if (likely(take_trylock(p, s))) {
		stash_trim(p, s, reserve_of(p, s));
		ret = pool_take_tagged(p, objs, n);
		if (likely(ret == 0))
			stash_fill(p, s);
		else if (stash_nb(p, s) >= n)
			ret = stash_pop(p, s, objs, n); /* the reserve is the last to go */
		pool_unlock(p);
	} else {
		ret = stash_pop(p, s, objs, n);
	}
	stash_leave(s);
	return ret;
}

unsigned int
stash_flush(struct vale_pool *p)
{
	unsigned int s = stash_enter();
	unsigned int left;

	if (stash_nb(p, s) > 0 && pool_trylock(p, 1)) {
		stash_trim(p, s, 0);
		pool_unlock(p);
	}
	left = stash_nb(p, s);
	stash_leave(s);
	return left;
}

unsigned int
stash_count(const struct vale_pool *p)
{
	unsigned int sum = 0;

	for (unsigned int s = 0; s <= COMMON; s++)
		sum += stash_nb(p, s);
	return sum;
}

void *
stash_peek(const struct vale_pool *p, unsigned int s, unsigned int i)
{
	/* acquire: objects before their number */
	uint32_t nb = atomic_load_explicit(
		(_Atomic uint32_t *)(uintptr_t)&p->stashed[s].nb, memory_order_acquire);

	if (i >= nb || stash_objs[s] == NULL)
		return NULL;
	return atomic_load_explicit(&stash_objs[s][i], memory_order_relaxed);
}

/* ---- life ---- */

static size_t stash_sz;

static int
stash_map(unsigned int s)
{
	void *mem = mmap(NULL, stash_sz, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED)
		return -ENOMEM;
	stash_objs[s] = mem;
	return 0;
}

int
stash_init(struct vale_pool *p)
{
	int ret;

	stash_sz = p->size * sizeof(void *);
	ret = stash_map(COMMON);
	for (unsigned int id = 0; ret == 0 && id < RTE_MAX_LCORE; id++)
		if (rte_eal_lcore_role(id) == ROLE_RTE)
			ret = stash_map(id);
	if (ret != 0) {
		stash_fini();
		return ret;
	}
	return 0;
}

void
stash_fini(void)
{
	for (unsigned int s = 0; s <= COMMON; s++) {
		if (stash_objs[s] != NULL)
			munmap((void *)(uintptr_t)stash_objs[s], stash_sz);
		stash_objs[s] = NULL;
	}
}
