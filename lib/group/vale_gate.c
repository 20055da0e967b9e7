/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "vale_gate.h"
#include "vale_locks.h"
#include "vale_memory_thread.h"

/* How often locks are looked at. */
#define LOOK_US 500

/** A request that waits. */
struct deferred {
	TAILQ_ENTRY(deferred) next;
	struct vale_conn *conn; /**< NULL: who asked has gone */
	vale_handler_t fn;
	void *arg;
	union {
		struct vale_ctl_hdr hdr;
		char buf[VALE_CTL_MSG_SZ_MAX];
	} msg;
};

static struct {
	struct vale_server *server;
	int free_fd; /* rung by vale-memory */
	TAILQ_HEAD(, deferred) waiting;
	bool asked;   /* vale-memory looks, or has rung */
	bool running; /* a handler that was put aside */
	/* written by vale-memory before it rings */
	const char *held; /* a lock that is not free; NULL: none */
} gate = {.free_fd = -1, .waiting = TAILQ_HEAD_INITIALIZER(gate.waiting)};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/** On vale-memory, which rests then, so that it is in nobody's way. */
static void
await_locks(void *arg __attribute__((unused)))
{
	uint64_t end = now_ms() + VALE_GATE_WAIT_MS;

	while ((gate.held = vale_locks_held()) != NULL && now_ms() < end &&
		!vale_memory_thread_ends())
		usleep(LOOK_US);
	vale_memory_thread_rest();
	eventfd_write(gate.free_fd, 1);
}

static void
ask(void)
{
	if (gate.asked || TAILQ_EMPTY(&gate.waiting))
		return;
	gate.asked = vale_memory_thread_post(await_locks, NULL) == 0;
}

static void
on_close(void *arg)
{
	struct deferred *d = arg;

	d->conn = NULL;
}

static void
run(struct deferred *d)
{
	if (d->conn == NULL)
		return;
	vale_conn_on_close(d->conn, NULL, NULL);
	if (gate.held != NULL) {
		vale_conn_refuse(d->conn, &d->msg.hdr, EAGAIN,
			"DPDK's %s is held by a process that is stopped, or was killed and cannot "
			"be helped: see the switch's log; ports and traffic go on",
			gate.held);
		return;
	}
	gate.running = true;
	d->fn(d->arg, d->conn, &d->msg.hdr);
	gate.running = false;
}

static void
on_free(void *arg __attribute__((unused)), int fd)
{
	struct deferred *d = TAILQ_FIRST(&gate.waiting);
	eventfd_t nb;

	if (eventfd_read(fd, &nb) < 0)
		return;
	if (d != NULL) {
		TAILQ_REMOVE(&gate.waiting, d, next);
		run(d);
		free(d);
	}
	vale_memory_thread_resume();
	gate.asked = false;
	ask();
}

bool
vale_gate_defer(struct vale_conn *c, const struct vale_ctl_hdr *msg, vale_handler_t fn, void *arg)
{
	struct deferred *d;

	if (gate.running || gate.free_fd < 0 || vale_conn_bound(c))
		return false;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return false;
	d->conn = c;
	d->fn = fn;
	d->arg = arg;
	memcpy(&d->msg, msg, msg->size);
	TAILQ_INSERT_TAIL(&gate.waiting, d, next);
	vale_conn_on_close(c, on_close, d);
	ask();
	return true;
}

int
vale_gate_start(struct vale_server *server)
{
	int ret;

	gate.free_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (gate.free_fd < 0)
		return -errno;
	gate.server = server;
	ret = vale_server_watch(server, gate.free_fd, on_free, NULL);
	if (ret < 0) {
		close(gate.free_fd);
		gate.free_fd = -1;
	}
	return ret;
}

void
vale_gate_stop(void)
{
	struct deferred *d;

	while ((d = TAILQ_FIRST(&gate.waiting)) != NULL) {
		TAILQ_REMOVE(&gate.waiting, d, next);
		if (d->conn != NULL)
			vale_conn_on_close(d->conn, NULL, NULL);
		free(d);
	}
	if (gate.free_fd >= 0) {
		vale_server_unwatch(gate.server, gate.free_fd);
		close(gate.free_fd);
	}
	gate.free_fd = -1;
	gate.asked = false;
}
