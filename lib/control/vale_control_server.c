/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_lcore.h>

#include "closer.h"
#include "server.h"
#include "vale_log.h"

#define EVENTS_MAX 1024
/* Of lines that strangers cause so many are said in so many milliseconds. */
#define LOG_LINES 10
#define LOG_MS 5000

/* ---- the loop ---- */

static bool
is_hangup(const struct epoll_event *ev)
{
	const struct source *src = ev->data.ptr;

	return source_is_conn(src) && (ev->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP));
}

/* Who has hung up is heard out, then gone. */
static void
handle_hangups(struct vale_server *s, const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++) {
		struct source *src = ev[i].data.ptr;

		while (!s->stop && !src->dead && is_hangup(&ev[i]))
			src->fn(s, src, ev[i].events);
	}
}

/* A name that its client has given up must be free for the next request: hang-ups go first. One
 * look at epoll does not do: it can report a request and leave out a hang-up that came before,
 * while it walks its list; the next look has that hang-up for certain. Requests in it are reported
 * again. Who is to stop leaves the rest: a hundred clients that were killed can take a minute where
 * CPUs are short. */
static void
round_of_events(struct vale_server *s, int timeout_ms)
{
	struct epoll_event ev[EVENTS_MAX], late[EVENTS_MAX];
	int n = epoll_wait(s->epoll_fd, ev, EVENTS_MAX, timeout_ms);

	handle_hangups(s, ev, n);
	handle_hangups(s, late, epoll_wait(s->epoll_fd, late, EVENTS_MAX, 0));
	for (int i = 0; i < n && !s->stop; i++) {
		struct source *src = ev[i].data.ptr;

		if (!src->dead)
			src->fn(s, src, ev[i].events);
	}
	source_free_dead(s);
}

/* ---- lines that strangers cause ---- */

bool
log_limit_pass(struct log_limit *l)
{
	if (l->nb == LOG_LINES) {
		l->left_out++;
		return false;
	}
	l->nb++;
	return true;
}

static void
log_limit_renew(struct log_limit *l, const char *what)
{
	if (l->left_out > 0)
		VALE_LOG(WARNING, "%u more %s; said %u times in %u s at most", l->left_out, what,
			LOG_LINES, LOG_MS / 1000);
	*l = (struct log_limit){0};
}

static void
renew_log_limits(void *arg)
{
	struct vale_server *s = arg;

	log_limit_renew(&s->junk, "messages were no requests, their connections closed");
	log_limit_renew(&s->unread, "clients did not take their answers, connections closed");
}

/* ---- events ---- */

static void
stopper_event(struct vale_server *s, struct source *src, uint32_t events)
{
	s->stop = true;
}

static void
accept_event(struct vale_server *s, struct source *src, uint32_t events)
{
	int fd = vale_listener_accept(s->listener);

	if (fd >= 0)
		conn_open(s, fd);
}

static void *
server_loop(void *arg)
{
	struct vale_server *s = arg;

	while (!s->stop)
		round_of_events(s, -1);
	return NULL;
}

int
vale_server_start(struct vale_server *s)
{
	/* not pthread_create(): it would share the CPU of a worker that never sleeps */
	int ret = rte_ctrl_thread_create(&s->thread, "vale-control", NULL, server_loop, s);

	if (ret != 0)
		return ret;
	s->running = true;
	s->closer = closer_start();
	return 0;
}

void
vale_server_stop(struct vale_server *s)
{
	uint64_t one = 1;

	if (!s->running)
		return;
	s->stop = true;
	if (write(s->stopper.fd, &one, sizeof(one)) < 0)
		VALE_LOG(ERR, "cannot stop the control thread: %s", strerror(errno));
	pthread_join(s->thread, NULL);
	s->running = false;
}

void
vale_server_listen_on(struct vale_server *s, unsigned int ms)
{
	struct timespec now, end;

	s->stop = false;
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->accept.fd, NULL);
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->stopper.fd, NULL);
	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now;
	end.tv_sec += ms / 1000;
	end.tv_nsec += ms % 1000 * 1000000L;
	while (s->nb_conns > 0 &&
		now.tv_sec * 1000000000LL + now.tv_nsec < end.tv_sec * 1000000000LL + end.tv_nsec) {
		round_of_events(s, 10);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
}

void
vale_server_handle(struct vale_server *s, enum vale_ctl_type type, size_t min_size,
	vale_handler_t fn, void *arg)
{
	s->handlers[type] = (struct handler){.min_size = min_size, .fn = fn, .arg = arg};
}

void
vale_server_handle_operator(struct vale_server *s, enum vale_ctl_type type, size_t min_size,
	vale_handler_t fn, void *arg)
{
	vale_server_handle(s, type, min_size, fn, arg);
	s->handlers[type].operator_only = true;
}

/* ---- life ---- */

/* Make the socket's folder, as far as it is missing. */
static int
make_folder(const char *path)
{
	char buf[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *dir;

	snprintf(buf, sizeof(buf), "%s", path);
	dir = dirname(buf);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

struct vale_server *
vale_server_create(const struct vale_listener_conf *conf)
{
	struct vale_server *s = calloc(1, sizeof(*s));
	int ret = -ENOMEM;

	if (s == NULL)
		goto fail;
	TAILQ_INIT(&s->sources);
	TAILQ_INIT(&s->dead);
	s->accept.fd = -1;
	s->stopper = (struct source){.fd = -1, .fn = stopper_event};
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->stopper.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->stopper.fd < 0) {
		ret = -errno;
		goto fail;
	}
	ret = make_folder(conf->path);
	if (ret < 0)
		goto fail;
	s->listener = vale_listener_create(conf, "client");
	if (s->listener == NULL) {
		ret = -rte_errno;
		goto fail;
	}
	s->accept = (struct source){.fd = vale_listener_fd(s->listener), .fn = accept_event};
	ret = source_add(s, &s->accept, EPOLLIN);
	if (ret == 0)
		ret = source_add(s, &s->stopper, EPOLLIN);
	if (ret == 0)
		ret = vale_server_every(s, LOG_MS, renew_log_limits, s);
	if (ret == 0)
		return s;

fail:
	vale_server_free(s);
	rte_errno = -ret;
	return NULL;
}

static void
source_close(struct vale_server *s, struct source *src)
{
	if (source_is_conn(src)) {
		conn_free((struct vale_conn *)src);
		return;
	}
	if (source_is_timer(src))
		close(src->fd);
	source_bury(s, src);
}

void
vale_server_free(struct vale_server *s)
{
	struct source *src;

	if (s == NULL)
		return;
	while ((src = TAILQ_FIRST(&s->sources)) != NULL)
		source_close(s, src);
	source_free_dead(s);
	closer_stop(s->closer);
	vale_listener_free(s->listener);
	if (s->stopper.fd >= 0)
		close(s->stopper.fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
}
