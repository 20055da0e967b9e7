/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Mempools that this process makes itself. They lie in memory of the group, keep their names when
 * the process is killed, and then nobody could make them again: the switch is told of each, and
 * frees them when the process has ended. EAL's callback tells of pools that this process makes, and
 * of no other's.
 *
 * The messages go over the connection of any of our ports and are not answered; nothing waits.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_string_fns.h>

#include "vale_control_client.h"
#include "vale_pmd.h"

/** A pool of this process. */
struct own_pool {
	LIST_ENTRY(own_pool) next;
	uint64_t addr;
	char name[RTE_MEMPOOL_NAMESIZE];
	bool told; /* the switch knows it; it remembers when the connection has gone */
};

/* Any thread of the application may make a pool. */
static struct {
	pthread_mutex_t lock;
	LIST_HEAD(, own_pool) pools;
	int fd[RTE_MAX_ETHPORTS]; /* connections, the first nb */
	unsigned int nb;
	bool watching;
} own = {.lock = PTHREAD_MUTEX_INITIALIZER, .pools = LIST_HEAD_INITIALIZER(own.pools)};

/** @return whether the switch has got the message. */
static bool
tell(uint64_t addr, const char *name, bool made)
{
	struct vale_ctl_own_pool msg = {.addr = addr, .made = made};

	vale_ctl_hdr_init(&msg.hdr, VALE_CTL_OWN_POOL, sizeof(msg));
	strlcpy(msg.name, name, sizeof(msg.name));
	for (unsigned int i = 0; i < own.nb; i++)
		if (send(own.fd[i], &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(msg))
			return true;
	return false;
}

static void
tell_all(void)
{
	struct own_pool *p;

	LIST_FOREACH (p, &own.pools, next)
		if (!p->told)
			p->told = tell(p->addr, p->name, true);
}

static struct own_pool *
find(const struct rte_mempool *mp)
{
	struct own_pool *p;

	LIST_FOREACH (p, &own.pools, next)
		if (p->addr == (uintptr_t)mp)
			return p;
	return NULL;
}

static void
pool_made(const struct rte_mempool *mp)
{
	struct own_pool *p = find(mp);

	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return;
		p->addr = (uintptr_t)mp;
		strlcpy(p->name, mp->name, sizeof(p->name));
		LIST_INSERT_HEAD(&own.pools, p, next);
	}
	tell_all();
}

static void
pool_freed(const struct rte_mempool *mp)
{
	struct own_pool *p = find(mp);

	if (p == NULL)
		return;
	tell(p->addr, p->name, false);
	LIST_REMOVE(p, next);
	free(p);
}

static void
on_event(enum rte_mempool_event event, struct rte_mempool *mp, void *arg __rte_unused)
{
	pthread_mutex_lock(&own.lock);
	if (event == RTE_MEMPOOL_EVENT_READY)
		pool_made(mp);
	else if (event == RTE_MEMPOOL_EVENT_DESTROY)
		pool_freed(mp);
	pthread_mutex_unlock(&own.lock);
}

void
vale_own_pools_watch(void)
{
	if (own.watching || rte_eal_process_type() != RTE_PROC_SECONDARY)
		return;
	own.watching = rte_mempool_event_callback_register(on_event, NULL) == 0;
	if (!own.watching)
		VALE_PMD_LOG(WARNING,
			"pools that this process makes are not freed when it ends: %s",
			rte_strerror(rte_errno));
}

void
vale_own_pools_connected(int fd)
{
	pthread_mutex_lock(&own.lock);
	if (own.nb < RTE_DIM(own.fd))
		own.fd[own.nb++] = fd;
	tell_all();
	pthread_mutex_unlock(&own.lock);
}

void
vale_own_pools_disconnected(int fd)
{
	pthread_mutex_lock(&own.lock);
	for (unsigned int i = 0; i < own.nb; i++)
		if (own.fd[i] == fd)
			own.fd[i--] = own.fd[--own.nb];
	pthread_mutex_unlock(&own.lock);
}
