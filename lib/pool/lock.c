/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include <rte_branch_prediction.h>
#include <rte_debug.h>
#include <rte_pause.h>

#include "pool.h"

/* What is done under the lock takes some hundred nanoseconds: spin about that long before sleeping.
 */
#define SPINS 64
/* How long a waiter sleeps at most before it looks again; see vale_pool.h. */
#define SLEEP_NS 1000000

static int
lock_attr_init(pthread_mutexattr_t *attr)
{
	int ret = pthread_mutexattr_init(attr);

	if (ret == 0)
		ret = pthread_mutexattr_setpshared(attr, PTHREAD_PROCESS_SHARED);
	if (ret == 0)
		ret = pthread_mutexattr_setrobust(attr, PTHREAD_MUTEX_ROBUST);
	return ret;
}

int
pool_lock_init(struct vale_pool *p)
{
	pthread_mutexattr_t attr;
	int ret = lock_attr_init(&attr);

	if (ret != 0)
		return -ret;
	ret = pthread_mutex_init(&p->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -ret;
}

/**
 * What came of an attempt to lock.
 *
 * @return whether we have the lock.
 */
static bool
lock_result(struct vale_pool *p, int ret)
{
	if (likely(ret == 0))
		return true;
	if (ret != EOWNERDEAD)
		return false;
	/* What it protects is whole at every instruction: nothing to repair. */
	pthread_mutex_consistent(&p->lock);
	atomic_fetch_add_explicit(&p->owner_died, 1, memory_order_relaxed);
	return true;
}

bool
pool_trylock(struct vale_pool *p, unsigned int tries)
{
	while (!lock_result(p, pthread_mutex_trylock(&p->lock))) {
		if (--tries == 0)
			return false;
		rte_pause();
	}
	return true;
}

static bool
lock_sleep(struct vale_pool *p)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += SLEEP_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return lock_result(p, pthread_mutex_clocklock(&p->lock, CLOCK_MONOTONIC, &until));
}

void
pool_lock(struct vale_pool *p)
{
	if (likely(pool_trylock(p, SPINS)))
		return;
	while (!lock_sleep(p))
		;
}

void
pool_unlock(struct vale_pool *p)
{
	pthread_mutex_unlock(&p->lock);
}
