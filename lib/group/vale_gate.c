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
/* Requests of one connection that wait. */
#define OF_CONN_MAX 16

/** A request that waits. */
struct deferred {
	TAILQ_ENTRY(deferred) next;
	struct vale_conn *conn; /**< NULL: who asked has gone */
	struct vale_conn_watcher end;
	vale_handler_t fn;
	void *arg;
	uint64_t until_ms; /**< how long it waits */
	union {
		struct vale_ctl_hdr hdr;
		char buf[VALE_CTL_MSG_SZ_MAX];
	} msg;
};

static struct {
	struct vale_server *server;
	int free_fd; /* rung by vale-memory */
	unsigned int wait_ms;
	TAILQ_HEAD(, deferred) waiting;
	bool asked;	   /* vale-memory looks, or has rung */
	bool running;	   /* a handler that was put aside */
	uint64_t until_ms; /* to vale-memory, which reads it when it is asked */
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
	while ((gate.held = vale_locks_held()) != NULL && now_ms() < gate.until_ms &&
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
	/* the first has waited for the longest */
	gate.until_ms = TAILQ_FIRST(&gate.waiting)->until_ms;
	gate.asked = vale_memory_thread_post(await_locks, NULL) == 0;
}

static void
on_conn_end(void *arg)
{
	struct deferred *d = arg;

	d->conn = NULL;
}

/** Locks have not become free while it waited. */
static void
give_up(struct deferred *d)
{
	if (d->conn == NULL)
		return;
	vale_conn_unwatch(d->conn, &d->end);
	vale_conn_refuse(d->conn, &d->msg.hdr, EAGAIN,
		"DPDK's %s is held by a process that is stopped, or was killed and cannot "
		"be helped: see the switch's log; ports and traffic go on",
		gate.held);
}

static void
run(struct deferred *d)
{
	if (d->conn == NULL)
		return;
	vale_conn_unwatch(d->conn, &d->end);
	gate.running = true;
	d->fn(d->arg, d->conn, &d->msg.hdr);
	gate.running = false;
}

/** The first, if it is its turn; one at a time while locks are free, for its handler may take one.
 */
static struct deferred *
next_due(uint64_t now)
{
	struct deferred *d = TAILQ_FIRST(&gate.waiting);

	return d != NULL && (gate.held == NULL || now >= d->until_ms) ? d : NULL;
}

static void
on_free(void *arg __attribute__((unused)), int fd)
{
	uint64_t now = now_ms();
	struct deferred *d;
	eventfd_t nb;

	if (eventfd_read(fd, &nb) < 0)
		return;
	while ((d = next_due(now)) != NULL) {
		TAILQ_REMOVE(&gate.waiting, d, next);
		if (gate.held == NULL)
			run(d);
		else
			give_up(d);
		free(d);
		if (gate.held == NULL)
			break;
	}
	vale_memory_thread_resume();
	gate.asked = false;
	ask();
}

static unsigned int
nb_of(const struct vale_conn *c)
{
	const struct deferred *d;
	unsigned int nb = 0;

	TAILQ_FOREACH (d, &gate.waiting, next)
		nb += d->conn == c;
	return nb;
}

bool
vale_gate_defer(struct vale_conn *c, const struct vale_ctl_hdr *msg, vale_handler_t fn, void *arg)
{
	struct deferred *d;

	if (gate.running || gate.free_fd < 0)
		return false;
	if (nb_of(c) == OF_CONN_MAX) {
		vale_conn_refuse(
			c, msg, EBUSY, "%u requests of this connection wait already", OF_CONN_MAX);
		return true;
	}
	d = calloc(1, sizeof(*d));
	if (d == NULL) {
		vale_conn_refuse(c, msg, ENOMEM, "no memory to wait until DPDK's locks are free");
		return true;
	}
	d->conn = c;
	d->until_ms = now_ms() + gate.wait_ms;
	d->fn = fn;
	d->arg = arg;
	memcpy(&d->msg, msg, msg->size);
	TAILQ_INSERT_TAIL(&gate.waiting, d, next);
	d->end = (struct vale_conn_watcher){.fn = on_conn_end, .arg = d};
	vale_conn_watch(c, &d->end);
	ask();
	return true;
}

int
vale_gate_start(struct vale_server *server, unsigned int wait_ms)
{
	int ret;

	gate.free_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (gate.free_fd < 0)
		return -errno;
	gate.server = server;
	gate.wait_ms = wait_ms;
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
			vale_conn_unwatch(d->conn, &d->end);
		free(d);
	}
	if (gate.free_fd >= 0) {
		vale_server_unwatch(gate.server, gate.free_fd);
		close(gate.free_fd);
	}
	gate.free_fd = -1;
	gate.asked = false;
}
