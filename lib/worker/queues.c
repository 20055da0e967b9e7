/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues come to workers, go, and move between them. Control thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_pause.h>

#include "vale_log.h"
#include "worker.h"

/* How the control thread waits for workers: so many looks, then sleeps of so many microseconds. */
#define SYNC_SPINS 1000
#define SYNC_SLEEP_US 20

int
worker_watch(struct vale_worker *w, int fd, bool edge)
{
	struct epoll_event ev = {.events = EPOLLIN | (edge ? (uint32_t)EPOLLET : 0)};

	ev.data.u64 = (uint32_t)fd | (edge ? WATCH_EDGE : 0);
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void
vale_workers_synchronize(struct vale_workers *ws)
{
	uint64_t token;

	/* before the token, or a worker might begin another long round in between; relaxed: it is
	 * a hint */
	atomic_store_explicit(&ws->tun.awaited, true, memory_order_relaxed);
	token = rte_rcu_qsbr_start(ws->qsbr);
	/* A worker passes within microseconds, or as long as one batch takes to flood, unless it is
	 * not on its CPU: perhaps because we are. */
	for (unsigned int i = 0; rte_rcu_qsbr_check(ws->qsbr, token, false) == 0; i++) {
		if (i < SYNC_SPINS)
			rte_pause();
		else
			usleep(SYNC_SLEEP_US);
	}
	atomic_store_explicit(&ws->tun.awaited, false, memory_order_relaxed);
}

/* Publish a plan, wait until nobody reads the old one, free it. */
static void
plan_swap(struct vale_workers *ws, unsigned int idx, struct vale_plan *plan)
{
	struct vale_plan *old;

	/* acq_rel: what is in the new plan is visible to who reads its pointer */
	old = atomic_exchange_explicit(&ws->w[idx]->plan, plan, memory_order_acq_rel);
	vale_worker_wake(ws, idx);
	vale_workers_synchronize(ws);
	free(old);
}

/* A worker's plan with one queue more; NULL without memory. */
static struct vale_plan *
plan_with(const struct vale_worker *w, struct vale_rxq *q)
{
	const struct vale_plan *old = atomic_load(&w->plan);
	struct vale_plan *plan = plan_alloc(old->nb_rxq + 1);

	if (plan == NULL)
		return NULL;
	memcpy(plan->rxq, old->rxq, old->nb_rxq * sizeof(old->rxq[0]));
	plan->rxq[old->nb_rxq] = q;
	plan_ready(plan);
	return plan;
}

/* A worker's plan without the queues of an endpoint, or without @p only one of them (NULL: all).
 * NULL without memory. */
static struct vale_plan *
plan_without(
	const struct vale_worker *w, const struct vale_endpoint *ep, const struct vale_rxq *only)
{
	const struct vale_plan *old = atomic_load(&w->plan);
	struct vale_plan *plan = plan_alloc(old->nb_rxq);
	unsigned int n = 0;

	if (plan == NULL)
		return NULL;
	for (unsigned int i = 0; i < old->nb_rxq; i++) {
		plan->rxq[n] = old->rxq[i];
		n += old->rxq[i]->ep != ep || (only != NULL && old->rxq[i] != only);
	}
	plan->nb_rxq = n;
	plan_ready(plan);
	return plan;
}

static int
watch_queue(struct vale_worker *w, const struct vale_rxq *q)
{
	return q->wait_fd < 0 ? 0 : worker_watch(w, q->wait_fd, q->wait_edge);
}

static void
unwatch_queue(struct vale_worker *w, const struct vale_rxq *q)
{
	if (q->wait_fd >= 0)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, q->wait_fd, NULL);
}

int
vale_workers_add_rxq(struct vale_workers *ws, struct vale_rxq *q)
{
	unsigned int idx = worker_for_rxq(ws);
	struct vale_plan *plan = plan_with(ws->w[idx], q);
	int ret;

	if (plan == NULL)
		return -ENOMEM;
	ret = watch_queue(ws->w[idx], q);
	if (ret < 0) {
		free(plan);
		return ret;
	}
	q->worker = idx;
	q->load = (struct vale_rxq_load){0};
	plan_swap(ws, idx, plan);
	return 0;
}

/* The same where there is no way back: wait for memory rather than let a worker poll a dead queue.
 */
static struct vale_plan *
plan_without_certainly(const struct vale_worker *w, const struct vale_endpoint *ep)
{
	struct vale_plan *plan;

	while ((plan = plan_without(w, ep, NULL)) == NULL) {
		VALE_LOG(ERR, "no memory to take a queue from a worker; trying again");
		usleep(100000);
	}
	return plan;
}

void
vale_workers_del_endpoint(struct vale_workers *ws, const struct vale_endpoint *ep)
{
	struct vale_plan *old[VALE_WORKERS_MAX] = {NULL};

	for (unsigned int i = 0; i < ws->nb; i++) {
		struct vale_worker *w = ws->w[i];
		struct vale_plan *plan = plan_without_certainly(w, ep);

		if (plan->nb_rxq == atomic_load(&w->plan)->nb_rxq) {
			free(plan);
			continue;
		}
		old[i] = atomic_exchange_explicit(&w->plan, plan, memory_order_acq_rel);
		for (unsigned int k = 0; k < old[i]->nb_rxq; k++)
			if (old[i]->rxq[k]->ep == ep)
				unwatch_queue(w, old[i]->rxq[k]);
		vale_worker_wake(ws, i);
	}
	/* once for all workers and queues: where CPUs are short it takes its time */
	vale_workers_synchronize(ws);
	for (unsigned int i = 0; i < ws->nb; i++)
		free(old[i]);
}

int
worker_move_rxq(struct vale_workers *ws, struct vale_rxq *q, unsigned int to)
{
	unsigned int from = q->worker;
	struct vale_plan *less = plan_without(ws->w[from], q->ep, q);
	struct vale_plan *more = plan_with(ws->w[to], q);
	int ret = less == NULL || more == NULL ? -ENOMEM : watch_queue(ws->w[to], q);

	if (ret < 0) {
		free(less);
		free(more);
		return ret;
	}
	unwatch_queue(ws->w[from], q);
	plan_swap(ws, from, less);
	/* nobody polls it now, and what was in work is delivered */
	q->worker = to;
	plan_swap(ws, to, more);
	return 0;
}
