/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

struct watch {
	struct source src;
	void (*fn)(void *arg, int fd);
	void *arg;
};

struct timer {
	struct source src;
	void (*fn)(void *arg);
	void *arg;
};

int
source_add(struct vale_server *s, struct source *src, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = src};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, src->fd, &ev) < 0 ? -errno : 0;
}

void
source_bury(struct vale_server *s, struct source *src)
{
	src->dead = true;
	TAILQ_REMOVE(&s->sources, src, next);
	TAILQ_INSERT_TAIL(&s->dead, src, next);
}

void
source_free_dead(struct vale_server *s)
{
	struct source *src;

	while ((src = TAILQ_FIRST(&s->dead)) != NULL) {
		TAILQ_REMOVE(&s->dead, src, next);
		free(src); /* every source is the first member of what was allocated */
	}
}

/* ---- watches ---- */

static void
watch_event(struct vale_server *s, struct source *src, uint32_t events)
{
	struct watch *w = (struct watch *)src;

	w->fn(w->arg, src->fd);
}

int
vale_server_watch(struct vale_server *s, int fd, void (*fn)(void *arg, int fd), void *arg)
{
	struct watch *w = calloc(1, sizeof(*w));
	int ret;

	if (w == NULL)
		return -ENOMEM;
	w->src.fd = fd;
	w->src.fn = watch_event;
	w->fn = fn;
	w->arg = arg;
	ret = source_add(s, &w->src, EPOLLIN);
	if (ret < 0) {
		free(w);
		return ret;
	}
	TAILQ_INSERT_TAIL(&s->sources, &w->src, next);
	return 0;
}

void
vale_server_unwatch(struct vale_server *s, int fd)
{
	struct source *src;

	TAILQ_FOREACH (src, &s->sources, next) {
		if (src->fd == fd && src->fn == watch_event)
			break;
	}
	if (src == NULL)
		return;
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	source_bury(s, src);
}

/* ---- timers ---- */

static void
timer_event(struct vale_server *s, struct source *src, uint32_t events)
{
	struct timer *t = (struct timer *)src;
	uint64_t ticks;

	if (read(src->fd, &ticks, sizeof(ticks)) == sizeof(ticks))
		t->fn(t->arg);
}

int
vale_server_every(struct vale_server *s, unsigned int ms, void (*fn)(void *arg), void *arg)
{
	struct timespec step = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	struct itimerspec its = {.it_interval = step, .it_value = step};
	struct timer *t = calloc(1, sizeof(*t));
	int ret;

	if (t == NULL)
		return -ENOMEM;
	t->src.fn = timer_event;
	t->fn = fn;
	t->arg = arg;
	t->src.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->src.fd < 0 || timerfd_settime(t->src.fd, 0, &its, NULL) < 0) {
		ret = -errno;
		goto fail;
	}
	ret = source_add(s, &t->src, EPOLLIN);
	if (ret < 0)
		goto fail;
	TAILQ_INSERT_TAIL(&s->sources, &t->src, next);
	return 0;

fail:
	if (t->src.fd >= 0)
		close(t->src.fd);
	free(t);
	return ret;
}

bool
source_is_timer(const struct source *src)
{
	return src->fn == timer_event;
}
