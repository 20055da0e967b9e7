/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extra buffers of a bind, linked to a list. That touches each of them, up to a gigabyte, for which
 * the kernel must find pages: 0.7 s. So many are linked a piece at a time, between what else the
 * control thread has to do, and the program's request is answered at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_common.h>

#include "netmap_port.h"
#include "vale_log.h"

/* Buffers linked in one go: 4 MB, some 3 ms. */
#define PIECE 2048

/** A request that waits for its buffers. */
struct job {
	TAILQ_ENTRY(job) next;
	struct nm_bind *b;
	struct vale_conn *conn;
	struct vale_ctl_hdr hdr;
	struct vale_ctl_nm_reply reply;
};

/* Control thread only. */
static struct {
	struct vale_server *server;
	int turn_fd; /* readable while there is something to do */
	TAILQ_HEAD(, job) jobs;
} x = {.turn_fd = -1, .jobs = TAILQ_HEAD_INITIALIZER(x.jobs)};

static void
link_until(struct nm_bind *b, uint32_t end)
{
	nm_region_link_extra(b->port->region, &b->extra, b->nb_linked, end);
	b->nb_linked = end;
}

static bool
is_linked(const struct nm_bind *b)
{
	return b->nb_linked == b->extra.nb;
}

static void
link_piece(struct nm_bind *b)
{
	link_until(b, b->nb_linked + RTE_MIN(b->extra.nb - b->nb_linked, (uint32_t)PIECE));
}

static void
answer(struct job *j)
{
	TAILQ_REMOVE(&x.jobs, j, next);
	vale_conn_reply(j->conn, &j->hdr, &j->reply.r, sizeof(j->reply), NULL, 0);
	free(j);
}

/* A piece of the first, who then waits for the others. */
static void
on_turn(void *arg, int fd)
{
	struct job *j = TAILQ_FIRST(&x.jobs);
	eventfd_t nb;

	if (eventfd_read(fd, &nb) < 0 || j == NULL)
		return;
	link_piece(j->b);
	if (is_linked(j->b)) {
		answer(j);
	} else {
		TAILQ_REMOVE(&x.jobs, j, next);
		TAILQ_INSERT_TAIL(&x.jobs, j, next);
	}
	if (!TAILQ_EMPTY(&x.jobs))
		eventfd_write(fd, 1);
}

bool
nm_extra_answer_later(
	struct nm_bind *b, const struct vale_ctl_hdr *msg, const struct vale_ctl_nm_reply *reply)
{
	struct job *j;

	link_piece(b);
	if (is_linked(b))
		return false;
	j = x.turn_fd < 0 ? NULL : malloc(sizeof(*j));
	if (j == NULL) {
		link_until(b, b->extra.nb);
		return false;
	}
	*j = (struct job){.b = b, .conn = b->conn, .hdr = *msg, .reply = *reply};
	TAILQ_INSERT_TAIL(&x.jobs, j, next);
	eventfd_write(x.turn_fd, 1);
	return true;
}

void
nm_extra_cancel(const struct nm_bind *b)
{
	struct job *j;

	TAILQ_FOREACH (j, &x.jobs, next) {
		if (j->b == b)
			break;
	}
	if (j == NULL)
		return;
	j->reply.r.error = ENXIO;
	snprintf(j->reply.r.text, sizeof(j->reply.r.text), "%s was taken away meanwhile", b->name);
	answer(j);
}

int
nm_extra_init(struct vale_server *server)
{
	int ret;

	x.server = server;
	x.turn_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (x.turn_fd < 0)
		return -errno;
	ret = vale_server_watch(server, x.turn_fd, on_turn, NULL);
	if (ret < 0) {
		close(x.turn_fd);
		x.turn_fd = -1;
	}
	return ret;
}

void
nm_extra_fini(void)
{
	if (x.turn_fd < 0)
		return;
	vale_server_unwatch(x.server, x.turn_fd);
	close(x.turn_fd);
	x.turn_fd = -1;
}
