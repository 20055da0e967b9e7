/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "ready.h"
#include "sys.h"
#include "wait.h"

/* So many descriptors are waited for without memory from the kernel. */
#define FEW 16

long (*vnm_wait_sleep)(struct pollfd *, nfds_t, struct timespec *, const void *) = vnm_sys_ppoll;

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
};

/** Ask the kernel about the descriptors that are not netmap's, with timeout 0, and put together
 * with what is known of the others. Returns the number that are ready, or -errno. */
static long
collect(struct list *l, const struct timespec *zero)
{
	struct timespec now = *zero;
	long ready = 0, ret = vnm_sys_ppoll(l->raw, l->n, &now, NULL);
	nfds_t i;

	if (ret < 0)
		return ret;
	for (i = 0; i < l->n; i++) {
		if (!l->watches[i].netmap)
			l->fds[i].revents = l->raw[i].revents;
		else if (l->raw[i].revents & (POLLHUP | POLLERR | POLLNVAL | POLLRDHUP))
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

/** Until something is ready, time is up, or a signal comes. */
static long
list_wait(struct list *l, struct timespec *timeout, const void *set)
{
	static const struct timespec zero;
	bool forever = timeout == NULL;
	long ret;

	while (1) {
		if (look(l) || (!forever && timeout->tv_sec == 0 && timeout->tv_nsec == 0))
			return collect(l, &zero);
		arm(l, true);
		if (look(l)) {
			arm(l, false);
			return collect(l, &zero);
		}
		ret = vnm_wait_sleep(l->raw, l->n, timeout, set);
		arm(l, false);
		if (ret < 0)
			return ret;
		/* the kernel has said what is left of the time; look once more in any case */
		if (look(l))
			return collect(l, &zero);
		if (ret > 0) {
			ret = collect(l, &zero);
			if (ret != 0)
				return ret;
		}
	}
}

long
vnm_wait(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set)
{
	struct pollfd raw[FEW];
	struct watch watches[FEW];
	struct list l = {.fds = fds, .raw = raw, .watches = watches, .n = n};
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
