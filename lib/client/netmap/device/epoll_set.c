/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>

#include "epoll_set.h"
#include "file.h"
#include "owner.h"
#include "ready.h"
#include "sys.h"

/* What netmap's poll answers to. */
#define WANTED (EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM)
/* Enough for one call; more are seen by the next. */
#define AT_ONCE 64

/** One member of one set. */
struct member {
	_Atomic uint64_t key; /* 0 free, 1 being made, else of set and member */
	_Atomic uint32_t events;
	_Atomic uint64_t data;
	_Atomic uint64_t reported; /* EPOLLET: state of the rings when it was last reported */
};

static struct member members[VNM_EPOLL_MEMBERS_MAX];
static _Atomic uint32_t nb_members; /* above this index none was ever in use */

static long
sleep_in_kernel(int epfd, struct epoll_event *evs, int max, int timeout_ms, const void *set,
	void (*undo)(void *), void *arg)
{
	(void)undo, (void)arg;
	return vnm_sys6(SYS_epoll_pwait, epfd, (long)evs, max, timeout_ms, (long)set, 8);
}

long (*vnm_epoll_sleep)(int, struct epoll_event *, int, int, const void *, void (*)(void *),
	void *) = sleep_in_kernel;

static uint64_t
key_of(int epfd, int fd)
{
	return ((uint64_t)(uint32_t)epfd << 32 | (uint32_t)fd) + 2;
}

static int
epfd_of(uint64_t key)
{
	return key < 2 ? -1 : (int)((key - 2) >> 32);
}

static int
fd_of(uint64_t key)
{
	return key < 2 ? -1 : (int)(uint32_t)(key - 2);
}

static struct member *
member_find(int epfd, int fd)
{
	uint32_t i, n = atomic_load(&nb_members);

	for (i = 0; i < n; i++)
		if (atomic_load(&members[i].key) == key_of(epfd, fd))
			return &members[i];
	return NULL;
}

static struct member *
member_new(void)
{
	uint32_t i, n;

	for (i = 0; i < VNM_EPOLL_MEMBERS_MAX; i++) {
		uint64_t none = 0;

		if (!atomic_compare_exchange_strong(&members[i].key, &none, 1))
			continue;
		n = atomic_load(&nb_members);
		while (n < i + 1 && !atomic_compare_exchange_weak(&nb_members, &n, i + 1))
			;
		return &members[i];
	}
	return NULL;
}

bool
vnm_epoll_any(int epfd)
{
	uint32_t i, n = atomic_load_explicit(&nb_members, memory_order_relaxed);

	for (i = 0; i < n; i++)
		if (epfd_of(atomic_load(&members[i].key)) == epfd)
			return true;
	return false;
}

void
vnm_epoll_forget(unsigned int first, unsigned int last)
{
	uint32_t i, n = atomic_load_explicit(&nb_members, memory_order_relaxed);

	for (i = 0; i < n; i++) {
		uint64_t key = atomic_load(&members[i].key);
		unsigned int epfd = (unsigned int)epfd_of(key), fd = (unsigned int)fd_of(key);

		if (key >= 2 && ((epfd >= first && epfd <= last) || (fd >= first && fd <= last)) &&
			vnm_owner_is_self())
			atomic_compare_exchange_strong(&members[i].key, &key, 0);
	}
}

/** Tell the kernel. With EPOLLOUT, which is there at once, a thread that waits already looks at the
 * new member. */
static int
kernel_ctl(int epfd, int op, int fd, struct member *m, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u64 = (uintptr_t)m};

	return (int)vnm_sys6(SYS_epoll_ctl, epfd, op, fd, (long)&ev, 0, 0);
}

static void
member_set(struct member *m, const struct epoll_event *ev)
{
	atomic_store(&m->events, ev->events);
	atomic_store(&m->data, ev->data.u64);
	atomic_store(&m->reported, 0);
}

int
vnm_epoll_ctl(int epfd, int op, int fd, const struct epoll_event *ev)
{
	struct member *m = member_find(epfd, fd);
	int ret;

	if (op == EPOLL_CTL_DEL) {
		if (m != NULL)
			atomic_store(&m->key, 0);
		return kernel_ctl(epfd, op, fd, NULL, 0);
	}
	if (ev == NULL)
		return -EFAULT;
	if (op == EPOLL_CTL_MOD) {
		if (m == NULL)
			return -ENOENT;
		member_set(m, ev);
		return kernel_ctl(epfd, op, fd, m, EPOLLIN | EPOLLOUT);
	}
	if (op != EPOLL_CTL_ADD || m != NULL)
		return m != NULL ? -EEXIST : -EINVAL;
	m = member_new();
	if (m == NULL)
		return -ENOSPC;
	member_set(m, ev);
	ret = kernel_ctl(epfd, op, fd, m, EPOLLIN | EPOLLOUT);
	atomic_store(&m->key, ret == 0 ? key_of(epfd, fd) : 0);
	return ret;
}

/** The members of a set, as they are at one moment. */
struct view {
	struct member *m;
	struct vnm_file *file;
	int fd;
	short events;
	bool token;
};

struct wait {
	int epfd;
	struct epoll_event *evs;
	int max, nb;
	struct view views[AT_ONCE];
	int nb_views;
	uint32_t turn; /* who is looked at first */
};

static void
views_take(struct wait *w)
{
	uint32_t i, n = atomic_load(&nb_members);

	w->nb_views = 0;
	for (i = 0; i < n && w->nb_views < AT_ONCE; i++) {
		uint64_t key = atomic_load(&members[i].key);
		struct view *v = &w->views[w->nb_views];

		if (epfd_of(key) != w->epfd)
			continue;
		*v = (struct view){.m = &members[i], .fd = fd_of(key)};
		v->events = (short)(atomic_load(&members[i].events) & WANTED);
		vnm_file_get(v->fd, &v->file, false);
		w->nb_views++;
	}
}

static void
views_put(struct wait *w)
{
	int i;

	for (i = 0; i < w->nb_views; i++)
		vnm_file_put(w->views[i].file);
	w->nb_views = 0;
}

/** A number that changes when something happened to the rings: never 0. */
static uint64_t
rings_state(const struct vnm_file *f, uint32_t ready)
{
	uint64_t sum = ready;
	unsigned int i;

	for (i = 0; f != NULL && i < f->nb_rings[0]; i++)
		sum = sum * 8191 + f->tx[i].ring->tail;
	for (i = 0; f != NULL && i < f->nb_rings[1]; i++)
		sum = sum * 8191 + f->rx[i].ring->tail;
	return sum | 1ull << 63;
}

/** Report a member, unless it has been already and asked to be told only of changes. */
static void
report(struct wait *w, struct view *v, uint32_t ready)
{
	uint32_t asked = atomic_load(&v->m->events);

	if (asked & EPOLLET) {
		uint64_t now = rings_state(v->file, ready);

		if (atomic_exchange(&v->m->reported, now) == now)
			return;
	}
	if (asked & EPOLLONESHOT)
		atomic_store(&v->m->events, EPOLLONESHOT); /* nothing until EPOLL_CTL_MOD */
	w->evs[w->nb].events = ready;
	w->evs[w->nb++].data.u64 = atomic_load(&v->m->data);
}

/** Sync and look at all members. */
static bool
look(struct wait *w)
{
	int i;

	for (i = 0; i < w->nb_views && w->nb < w->max; i++) {
		struct view *v = &w->views[(w->turn / 2 + (uint32_t)i) % (uint32_t)w->nb_views];
		uint32_t ready, asked = atomic_load(&v->m->events);

		if ((asked & EPOLLONESHOT) && !(asked & WANTED))
			continue;
		ready = v->file == NULL ? EPOLLERR : (uint16_t)vnm_ready(v->fd, v->file, v->events);
		if (ready != 0)
			report(w, v, ready);
	}
	return w->nb > 0;
}

/** Sort out what the kernel returned at evs[nb..nb+n): members of netmap's go, and are noted. */
static void
sort(struct wait *w, int n)
{
	struct epoll_event *from = w->evs + w->nb;
	int i, j, kept = 0;

	for (i = 0; i < n; i++) {
		for (j = 0; j < w->nb_views; j++)
			if (from[i].data.u64 == (uintptr_t)w->views[j].m)
				break;
		if (j == w->nb_views) {
			if (from[i].data.u64 >= (uintptr_t)members &&
				from[i].data.u64 < (uintptr_t)(members + VNM_EPOLL_MEMBERS_MAX))
				continue; /* it came while this thread slept */
			from[kept++] = from[i];
			continue;
		}
		w->views[j].token = (from[i].events & EPOLLIN) != 0;
		if (from[i].events & EPOLLOUT)
			kernel_ctl(w->epfd, EPOLL_CTL_MOD, w->views[j].fd, w->views[j].m, EPOLLIN);
		if (from[i].events & (EPOLLHUP | EPOLLERR)) {
			from[kept].events = EPOLLERR;
			from[kept++].data.u64 = atomic_load(&w->views[j].m->data);
		}
	}
	w->nb += kept;
}

static void
arm(struct wait *w, bool on)
{
	int i;

	for (i = 0; i < w->nb_views; i++) {
		struct view *v = &w->views[i];

		if (v->file == NULL)
			continue;
		if (on) {
			v->token = false;
			vnm_ready_arm(v->file, v->events);
		} else {
			vnm_ready_disarm(v->fd, v->file, v->events, v->token);
		}
	}
}

/** Milliseconds until the deadline, rounded up; -1 for ever. */
static int
left_ms(const struct timespec *deadline)
{
	struct timespec now;
	int64_t ns;

	if (deadline == NULL)
		return -1;
	vnm_sys_clock(&now);
	ns = (int64_t)(deadline->tv_sec - now.tv_sec) * 1000000000 + deadline->tv_nsec -
	     now.tv_nsec;
	if (ns <= 0)
		return 0;
	return ns / 1000000 >= INT32_MAX ? INT32_MAX : (int)((ns + 999999) / 1000000);
}

/** What the kernel has, without waiting, behind what there is. Value or -errno. */
static long
ask_kernel(struct wait *w, const void *set)
{
	long n = 0;

	if (w->nb < w->max)
		n = sleep_in_kernel(w->epfd, w->evs + w->nb, w->max - w->nb, 0, set, NULL, NULL);
	if (n > 0)
		sort(w, (int)n);
	return n;
}

/** Look without waiting. A program that takes one event at a time shall see others than netmap's,
 * too: every second time the kernel is asked first. */
static long
round_look(struct wait *w, bool last, const void *set)
{
	long n = 0;

	if (w->turn % 2 != 0)
		n = ask_kernel(w, NULL);
	if (n < 0 || (!look(w) && !last))
		return n;
	if (w->turn % 2 == 0)
		n = ask_kernel(w, w->nb == 0 ? set : NULL);
	return n;
}

/** A thread was cancelled in its sleep. */
static void
undo(void *arg)
{
	arm(arg, false);
	views_put(arg);
}

/** One round: look, and if there is nothing, sleep for up to ms. Value as epoll_wait's; 0 with ms
 * left means another round. */
static long
round_wait(struct wait *w, int ms, const void *set)
{
	static _Atomic uint32_t turns;
	long n;

	views_take(w);
	w->turn = atomic_fetch_add_explicit(&turns, 1, memory_order_relaxed);
	n = round_look(w, ms == 0, set);
	if (n < 0 || w->nb > 0 || ms == 0) {
		views_put(w);
		return n < 0 && w->nb == 0 ? n : w->nb;
	}
	arm(w, true);
	n = look(w) ? 0 : vnm_epoll_sleep(w->epfd, w->evs, w->max, ms, set, undo, w);
	if (n > 0)
		sort(w, (int)n);
	arm(w, false);
	if (n >= 0)
		look(w);
	views_put(w);
	return n < 0 ? n : w->nb;
}

long
vnm_epoll_wait(
	int epfd, struct epoll_event *evs, int max, struct timespec *timeout, const void *set)
{
	struct wait w = {.epfd = epfd, .evs = evs, .max = max};
	struct timespec deadline;
	long ret;
	int ms;

	if (max <= 0)
		return -EINVAL;
	if (timeout != NULL) {
		vnm_sys_clock(&deadline);
		deadline.tv_sec += timeout->tv_sec;
		deadline.tv_nsec += timeout->tv_nsec;
		if (deadline.tv_nsec >= 1000000000L) {
			deadline.tv_sec++;
			deadline.tv_nsec -= 1000000000L;
		}
	}
	do {
		ms = left_ms(timeout != NULL ? &deadline : NULL);
		ret = round_wait(&w, ms, set);
	} while (ret == 0 && ms != 0);
	return ret;
}
