/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>

#include "worker.h"

/* How long a worker looks at empty queues before it sleeps, in microseconds. Waking costs a client
 * a system call of about one microsecond and the worker some ten; at more than some tens
 * of thousands of frames a second nobody should pay that. */
#define IDLE_SPIN_US 50

/* Rounds with traffic between two readings of the clock that FDB entries are stamped with. */
#define NOW_ROUNDS 256

uint32_t
vale_now_s(void)
{
	return (uint32_t)(rte_get_tsc_cycles() / rte_get_tsc_hz());
}

static void
worker_free(struct vale_worker *w)
{
	if (w == NULL)
		return;
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	free(atomic_load(&w->plan));
	vale_forward_fini(&w->fwd);
	rte_free(w);
}

static struct vale_worker *
worker_create(unsigned int idx)
{
	struct vale_worker *w = rte_zmalloc("vale_worker", sizeof(*w), RTE_CACHE_LINE_SIZE);

	if (w == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	vale_forward_init(&w->fwd, idx);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	atomic_init(&w->plan, plan_alloc(0));
	if (w->wake_fd < 0 || w->epoll_fd < 0 || atomic_load(&w->plan) == NULL ||
		worker_watch(w, w->wake_fd, true) < 0) {
		rte_errno = errno;
		worker_free(w);
		return NULL;
	}
	return w;
}

struct vale_workers *
vale_workers_create(unsigned int nb)
{
	struct vale_workers *ws;

	if (nb < 1 || nb > VALE_WORKERS_MAX) {
		rte_errno = EINVAL;
		return NULL;
	}
	ws = rte_zmalloc("vale_workers", sizeof(*ws), RTE_CACHE_LINE_SIZE);
	if (ws == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	atomic_init(&ws->tun.batch, VALE_BATCH_MAX);
	atomic_init(&ws->tun.ageing_s, 300);
	atomic_init(&ws->tun.ethdev_poll_us, 100);
	ws->qsbr = rte_zmalloc("vale_qsbr", rte_rcu_qsbr_get_memsize(nb), RTE_CACHE_LINE_SIZE);
	if (ws->qsbr == NULL || rte_rcu_qsbr_init(ws->qsbr, nb) != 0) {
		rte_errno = ENOMEM;
		goto fail;
	}
	for (; ws->nb < nb; ws->nb++) {
		ws->w[ws->nb] = worker_create(ws->nb);
		if (ws->w[ws->nb] == NULL)
			goto fail;
	}
	return ws;

fail:
	vale_workers_free(ws);
	return NULL;
}

void
vale_workers_free(struct vale_workers *ws)
{
	if (ws == NULL)
		return;
	for (unsigned int i = 0; i < ws->nb; i++)
		worker_free(ws->w[i]);
	rte_free(ws->qsbr);
	rte_free(ws);
}

static struct vale_plan *
current_plan(struct vale_worker *w)
{
	/* acquire: the plan was built before it was published */
	return atomic_load_explicit(&w->plan, memory_order_acquire);
}

unsigned int
vale_worker_poll(struct vale_workers *ws, unsigned int idx)
{
	struct vale_worker *w = ws->w[idx];

	w->now_s = vale_now_s();
	return plan_poll(current_plan(w), &w->fwd, &ws->tun, w->now_s);
}

/* Ask every queue to wake us. Returns false if one has frames already; *timer is set if one cannot
 * wake us. */
static bool
arm_all(const struct vale_plan *plan, bool *timer)
{
	*timer = false;
	for (unsigned int i = 0; i < plan->nb_rxq; i++) {
		struct vale_rxq *q = plan->rxq[i];

		if (q->wait_fd < 0)
			*timer = true;
		if (q->ep->ops->rx_arm != NULL && q->ep->ops->rx_arm(q))
			return false;
	}
	return true;
}

/* A descriptor that is in error for good (its interface was deleted) would keep us awake: from
 * now on it wakes us only when something changes. */
static void
quieten_broken(struct vale_worker *w, const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++) {
		struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
		int fd = (int)(ev[i].data.u64 & UINT32_MAX);

		edge.data.u64 = ev[i].data.u64 | WATCH_EDGE;
		if ((ev[i].events & (EPOLLERR | EPOLLHUP)) && !(ev[i].events & EPOLLIN) &&
			!(ev[i].data.u64 & WATCH_EDGE))
			epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, fd, &edge);
	}
}

/* Sleep until a queue, the control thread or the poll timer wakes us. */
static void
worker_sleep(struct vale_workers *ws, struct vale_worker *w, unsigned int idx)
{
	struct epoll_event ev[16];
	struct timespec ts;
	bool timer;
	uint32_t us;
	int n;

	if (ws->before_sleep != NULL)
		ws->before_sleep(ws->before_sleep_arg);
	if (!arm_all(current_plan(w), &timer))
		return;
	us = atomic_load_explicit(&ws->tun.ethdev_poll_us, memory_order_relaxed);
	ts = (struct timespec){.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
	/* offline: nobody waits for a quiescent state of ours, and we hold no plan over the sleep
	 */
	rte_rcu_qsbr_thread_offline(ws->qsbr, idx);
	vale_counter_add(&w->sleeps, 1);
	n = epoll_pwait2(w->epoll_fd, ev, RTE_DIM(ev), timer ? &ts : NULL, NULL);
	quieten_broken(w, ev, n);
	rte_rcu_qsbr_thread_online(ws->qsbr, idx);
	w->now_s = vale_now_s();
}

/* Nothing came: has it been so for long enough? */
static bool
idle_for_long(struct vale_workers *ws, struct vale_worker *w)
{
	uint64_t now = rte_get_tsc_cycles();

	if (atomic_load_explicit(&ws->tun.idle_poll, memory_order_relaxed))
		return false;
	if (w->idle_since == 0)
		w->idle_since = now;
	return now - w->idle_since > rte_get_tsc_hz() / US_PER_S * IDLE_SPIN_US;
}

int
vale_worker_run(struct vale_workers *ws, unsigned int idx)
{
	struct vale_worker *w = ws->w[idx];

	rte_rcu_qsbr_thread_register(ws->qsbr, idx);
	rte_rcu_qsbr_thread_online(ws->qsbr, idx);
	w->now_s = vale_now_s();
	w->lcore = rte_lcore_id();
	/* release: the two are known to who sees that we run */
	atomic_store_explicit(&w->running,
		pthread_getcpuclockid(pthread_self(), &w->cpu_clock) == 0, memory_order_release);
	while (!atomic_load_explicit(&ws->stop, memory_order_relaxed)) {
		uint64_t begin = rte_get_tsc_cycles();

		if (plan_poll(current_plan(w), &w->fwd, &ws->tun, w->now_s) > 0) {
			w->idle_since = 0;
			vale_counter_add(&w->busy, rte_get_tsc_cycles() - begin);
		} else {
			if (idle_for_long(ws, w)) {
				rte_rcu_qsbr_quiescent(ws->qsbr, idx);
				/* one sleep, then a round of all queues; more sleep only if that
				 * finds nothing */
				worker_sleep(ws, w, idx);
			}
			rte_pause();
		}
		if (++w->now_rounds % NOW_ROUNDS == 0)
			w->now_s = vale_now_s();
		rte_rcu_qsbr_quiescent(ws->qsbr, idx);
	}
	if (ws->before_sleep != NULL)
		ws->before_sleep(ws->before_sleep_arg);
	atomic_store(&w->running, false);
	rte_rcu_qsbr_thread_offline(ws->qsbr, idx);
	rte_rcu_qsbr_thread_unregister(ws->qsbr, idx);
	return 0;
}

void
vale_worker_stats(const struct vale_workers *ws, unsigned int idx, struct vale_worker_stats *out)
{
	struct vale_worker *w = ws->w[idx];
	const struct vale_plan *plan = atomic_load(&w->plan);
	struct timespec ts;

	*out = (struct vale_worker_stats){.nb_rxq = plan->nb_rxq};
	out->sleeps = atomic_load_explicit(&w->sleeps, memory_order_relaxed);
	for (unsigned int i = 0; i < VALE_BATCH_CLASSES; i++)
		out->batches[i] = atomic_load_explicit(&w->fwd.batches[i], memory_order_relaxed);
	out->busy_ns = (uint64_t)((double)atomic_load_explicit(&w->busy, memory_order_relaxed) *
				  1e9 / (double)rte_get_tsc_hz());
	out->frames = atomic_load_explicit(&w->fwd.frames, memory_order_relaxed);
	out->lcore = LCORE_ID_ANY;
	/* acquire: clock and lcore were written before */
	if (!atomic_load_explicit(&w->running, memory_order_acquire))
		return;
	out->lcore = w->lcore;
	if (clock_gettime(w->cpu_clock, &ts) == 0)
		out->cpu_ns = (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void
vale_worker_wake(struct vale_workers *ws, unsigned int idx)
{
	uint64_t one = 1;

	/* cannot fail but by overflow of a counter that then is readable anyway */
	if (write(ws->w[idx]->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void
vale_workers_stop(struct vale_workers *ws)
{
	atomic_store(&ws->stop, true);
	for (unsigned int i = 0; i < ws->nb; i++)
		vale_worker_wake(ws, i);
	/* who has seen the token has seen that it is to stop, and looks at that before all else */
	vale_workers_synchronize(ws);
}
