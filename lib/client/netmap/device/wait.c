/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "ready.h"
#include "sys.h"
#include "wait.h"

#define GONE (POLLHUP | POLLERR | POLLNVAL | POLLRDHUP)
/* So many descriptors are waited for without memory from the kernel. */
#define FEW 16

static long
sleep_in_kernel(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set,
	void (*undo)(void *), void *arg)
{
	(void)undo, (void)arg;
	return vnm_sys_ppoll(fds, n, timeout, set);
}

long (*vnm_wait_sleep)(struct pollfd *, nfds_t, struct timespec *, const void *, void (*)(void *),
	void *) = sleep_in_kernel;

/** One descriptor of the program's list. file NULL: not netmap's, or unbound. */
struct watch {
	struct vnm_file *file;
	bool netmap;
};

struct list {
	struct pollfd *fds; /* the program's */
	struct pollfd *raw; /* what the kernel is asked */
	struct watch *watches;
	nfds_t n;
	void *mem; /* of both, when they are many */
	size_t mem_sz;
	void *own; /* the caller's, for the one who cancels */
	size_t own_sz;
};

/** Ask the kernel about the descriptors that are not netmap's, with timeout 0, and put together
 * with what is known of the others. Returns the number that are ready, or -errno. With a signal
 * set, which counts when nothing else is ready. */
static long
collect(struct list *l, bool any, const void *set)
{
	struct timespec now = {0};
	long ready = 0, ret = vnm_sys_ppoll(l->raw, l->n, &now, any ? NULL : set);
	nfds_t i;

	if (ret < 0 && !any)
		return ret;
	for (i = 0; i < l->n; i++) {
		if (!l->watches[i].netmap)
			l->fds[i].revents = ret < 0 ? 0 : l->raw[i].revents;
		else if (ret > 0 && (l->raw[i].revents & GONE))
			l->fds[i].revents |= POLLERR;
		ready += l->fds[i].revents != 0;
	}
	return ready;
}

/** Sync and look at all of netmap's; true if one is ready. */
static bool
look(struct list *l)
{
	bool any = false;
	nfds_t i;

	for (i = 0; i < l->n; i++) {
		if (!l->watches[i].netmap)
			continue;
		l->fds[i].revents =
			l->watches[i].file == NULL
				? POLLERR
				: vnm_ready(l->fds[i].fd, l->watches[i].file, l->fds[i].events);
		any = any || l->fds[i].revents != 0;
	}
	return any;
}

static void
arm(struct list *l, bool on)
{
	nfds_t i;

	for (i = 0; i < l->n; i++) {
		if (l->watches[i].file == NULL)
			continue;
		if (on) {
			l->raw[i].revents = 0;
			vnm_ready_arm(l->watches[i].file, l->fds[i].events);
		} else {
			vnm_ready_disarm(l->fds[i].fd, l->watches[i].file, l->fds[i].events,
				(l->raw[i].revents & POLLIN) != 0);
		}
	}
}

/** Which of the program's descriptors are netmap's. */
static void
list_fill(struct list *l)
{
	nfds_t i;

	for (i = 0; i < l->n; i++) {
		struct watch *w = &l->watches[i];

		w->file = NULL;
		w->netmap = vnm_file_get(l->fds[i].fd, &w->file, false) != VNM_NONE;
		l->raw[i].fd = l->fds[i].fd;
		l->raw[i].events = w->netmap ? POLLIN | POLLRDHUP : l->fds[i].events;
		l->raw[i].revents = 0;
		l->fds[i].revents = 0;
	}
}

static void
list_free(struct list *l)
{
	nfds_t i;

	for (i = 0; i < l->n; i++)
		vnm_file_put(l->watches[i].file);
	if (l->mem != NULL)
		vnm_sys_munmap(l->mem, l->mem_sz);
}

static bool
list_grow(struct list *l)
{
	long mem;

	l->mem_sz = l->n * (sizeof(*l->raw) + sizeof(*l->watches)) + sizeof(*l->watches);
	mem = vnm_sys_mmap(
		NULL, l->mem_sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem < 0 && mem >= -4095)
		return false;
	l->mem = (void *)mem;
	l->watches = l->mem;
	l->raw = (struct pollfd *)(l->watches + l->n);
	return true;
}

/** A thread was cancelled in its sleep. */
static void
undo(void *arg)
{
	struct list *l = arg;

	arm(l, false);
	list_free(l);
	if (l->own != NULL)
		vnm_sys_munmap(l->own, l->own_sz);
}

/** Until something is ready, time is up, or a signal comes. */
static long
list_wait(struct list *l, struct timespec *timeout, const void *set)
{
	long ret;
	bool any;

	while (1) {
		any = look(l);
		if (any || (timeout != NULL && timeout->tv_sec == 0 && timeout->tv_nsec == 0))
			return collect(l, any, set);
		arm(l, true);
		if (look(l)) {
			arm(l, false);
			return collect(l, true, set);
		}
		ret = vnm_wait_sleep(l->raw, l->n, timeout, set, undo, l);
		arm(l, false);
		if (ret < 0)
			return ret;
		/* the kernel has said what is left of the time; look once more in any case */
		if (look(l))
			return collect(l, true, set);
		if (ret > 0) {
			ret = collect(l, false, NULL);
			if (ret != 0)
				return ret;
		}
	}
}

long
vnm_wait_own(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set, void *mem,
	size_t mem_sz)
{
	struct pollfd raw[FEW];
	struct watch watches[FEW];
	struct list l = {
		.fds = fds, .raw = raw, .watches = watches, .n = n, .own = mem, .own_sz = mem_sz};
	long ret;

	if (n > INT32_MAX / sizeof(*fds))
		return -EINVAL;
	if (n > FEW && !list_grow(&l))
		return -ENOMEM;
	list_fill(&l);
	ret = list_wait(&l, timeout, set);
	list_free(&l);
	return ret;
}

long
vnm_wait(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set)
{
	return vnm_wait_own(fds, n, timeout, set, NULL, 0);
}
