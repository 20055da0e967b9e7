/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memif_port.h"
#include "vale_log.h"

/* Connections that have no port yet; the oldest gives way to one more, of the user who has most. */
#define HALF_MAX 64
/* How long one may take until it has, in seconds. */
#define HALF_S 5
/* Descriptors that a message may bring before the rest is cut off; all but one are closed. */
#define FDS_MAX 8

/* ---- ports ---- */

/* Zeroed, on cache lines of its own, and not of EAL's heap, which would have to grow: that takes
 * locks that it shares with other processes. */
static void *
alloc_lines(size_t sz)
{
	void *p = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_CACHE_LINE_ROUNDUP(sz));

	if (p != NULL)
		memset(p, 0, sz);
	return p;
}

struct memif_port *
memif_port_create(struct memif_conn *c)
{
	struct memif_port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->rxq = alloc_lines(VALE_QUEUES_MAX * sizeof(p->rxq[0]));
	p->txq = alloc_lines(VALE_QUEUES_MAX * sizeof(p->txq[0]));
	if (p->rxq == NULL || p->txq == NULL) {
		free(p->rxq);
		free(p->txq);
		free(p);
		return NULL;
	}
	p->ep.ops = &memif_endpoint_ops;
	p->ep.pid = c->pid;
	p->ep.uid = c->uid;
	p->ep.has_uid = true;
	p->lock_tx = vale_switches_workers(memif.switches)->nb > 1;
	p->conn = c;
	return p;
}

static void
port_free(struct memif_port *p)
{
	if (p == NULL)
		return;
	memif_rings_free(p);
	memif_regions_free(p);
	free(p->rxq);
	free(p->txq);
	free(p);
}

/* ---- life of a connection ---- */

static void
conn_free(struct memif_conn *c)
{
	vale_server_unwatch(memif.server, c->fd);
	close(c->fd);
	if (c->pidfd >= 0) {
		vale_server_unwatch(memif.server, c->pidfd);
		close(c->pidfd);
	}
	memif.nb_half -= c->state != MEMIF_STATE_UP;
	TAILQ_REMOVE(&memif.conns, c, next);
	port_free(c->port);
	free(c);
}

void
memif_conn_close(struct memif_conn *c)
{
	if (c->plugged)
		vale_switch_detach(memif.switches, &c->port->ep); /* calls destroy() */
	else
		conn_free(c);
}

unsigned int
memif_port_destroy(struct vale_endpoint *ep)
{
	struct memif_port *p = (struct memif_port *)ep;
	unsigned int lost = 0;

	for (uint16_t i = 0; i < ep->nb_rxq; i++)
		lost += ep->ops->rx_pending(ep->rxq[i]);
	conn_free(p->conn);
	return lost;
}

int
memif_conn_plug(struct memif_conn *c, char *why)
{
	int ret = vale_switch_attach(
		memif.switches, &c->name, &c->port->ep, c->has_mac ? c->mac : NULL, false, why);

	if (ret < 0)
		return ret;
	c->plugged = true;
	c->state = MEMIF_STATE_UP;
	memif.nb_half--;
	return 0;
}

/* ---- what is said ---- */

int
memif_conn_send(struct memif_conn *c, const struct memif_msg *m)
{
	ssize_t n = send(c->fd, m, sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == (ssize_t)sizeof(*m))
		return 0;
	if (errno != EPIPE && errno != ECONNRESET)
		VALE_LOG(WARNING, "memif client, process %d, does not take its answers (%s)",
			c->pid, strerror(errno));
	return -EPIPE;
}

/* Say why; that it goes is the caller's. A client that does not listen is not waited for. */
static void
say_disconnect(struct memif_conn *c, int err, const char *why)
{
	struct memif_msg m = {.type = MEMIF_MSG_DISCONNECT};

	m.disconnect.code = (uint32_t)err;
	snprintf(
		m.disconnect.reason, sizeof(m.disconnect.reason), "%.*s", MEMIF_REASON_SZ - 1, why);
	(void)memif_conn_send(c, &m);
}

void
memif_conn_refuse(struct memif_conn *c, int err, const char *fmt, ...)
{
	char why[VALE_CTL_TEXT_SZ];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	VALE_LOG(INFO, "refused memif client, process %d: %s", c->pid, why);
	say_disconnect(c, err, why);
	memif_conn_close(c);
}

void
memif_port_evict(struct vale_endpoint *ep, const char *why)
{
	/* net_vale attaches again when the switch is back, but not a port that was taken away */
	int err = vale_switches_ending(memif.switches) ? ESHUTDOWN : ENXIO;

	say_disconnect(((struct memif_port *)ep)->conn, err, why);
}

/* The first descriptor that came with a message, or -1; the others are closed. */
static int
take_fd(struct msghdr *mh)
{
	int first = -1;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(fd), sizeof(fd));
			if (first < 0)
				first = fd;
			else
				vale_server_close_stray(memif.server, fd);
		}
	}
	return first;
}

/* Read and handle one message. */
static void
on_readable(void *arg, int sock)
{
	struct memif_conn *c = arg;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct memif_msg m;
	struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* a client that went without reading its answers is an error first, and heard out then */
	if (n < 0 && errno == ECONNRESET)
		return;
	fd = n >= 0 ? take_fd(&mh) : -1; /* an empty message can carry descriptors, too */
	if (n == (ssize_t)sizeof(m) && !(mh.msg_flags & MSG_TRUNC)) {
		memif_message(c, &m, fd);
		return;
	}
	if (fd >= 0)
		vale_server_close_stray(memif.server, fd);
	if (n <= 0)
		memif_conn_close(c);
	else
		memif_conn_refuse(c, EPROTO, "a message of memif has %u bytes", MEMIF_MSG_SZ);
}

/* ---- coming and going ---- */

/** A user with connections without a port. */
struct half_user {
	uid_t uid;
	unsigned int nb;
	struct memif_conn *oldest;
};

static struct half_user *
half_user_of(struct half_user *u, unsigned int *nb_users, uid_t uid)
{
	for (unsigned int i = 0; i < *nb_users; i++) {
		if (u[i].uid == uid)
			return &u[i];
	}
	u[*nb_users] = (struct half_user){.uid = uid};
	return &u[(*nb_users)++];
}

/* The oldest connection without a port, of the user who has most of them: who opens many pushes out
 * his own. @p uid is about to have one more. */
static void
close_oldest_half(uid_t uid)
{
	struct half_user u[HALF_MAX + 1], *one = u;
	unsigned int nb = 0, total = 0;
	struct memif_conn *c;

	half_user_of(u, &nb, uid)->nb++;
	TAILQ_FOREACH (c, &memif.conns, next) {
		if (c->state == MEMIF_STATE_UP || total++ >= HALF_MAX)
			continue;
		one = half_user_of(u, &nb, c->uid);
		one->nb++;
		if (one->oldest == NULL)
			one->oldest = c;
	}
	one = u;
	for (unsigned int i = 1; i < nb; i++) {
		if (one->oldest == NULL || u[i].nb > one->nb)
			one = &u[i];
	}
	if (one->oldest != NULL)
		memif_conn_refuse(one->oldest, EAGAIN, "too many clients connect at once");
}

struct memif_conn *
memif_conn_open_for(int fd, pid_t pid, uid_t uid)
{
	struct memif_conn *c = calloc(1, sizeof(*c));

	if (memif.nb_half >= HALF_MAX)
		close_oldest_half(uid);
	if (c == NULL || vale_server_watch(memif.server, fd, on_readable, c) < 0) {
		free(c);
		close(fd);
		return NULL;
	}
	c->fd = fd;
	c->pidfd = -1;
	c->pid = pid;
	c->uid = uid;
	clock_gettime(CLOCK_MONOTONIC, &c->since);
	TAILQ_INSERT_TAIL(&memif.conns, c, next);
	memif.nb_half++;
	if (memif_message_hello(c) == 0)
		return c;
	memif_conn_close(c);
	return NULL;
}

static void
on_process_ended(void *arg, int pidfd)
{
	memif_conn_close(arg);
}

void
memif_conn_watch_process(struct memif_conn *c)
{
	int pidfd = c->pid == 0 ? -1 : (int)syscall(SYS_pidfd_open, c->pid, 0);

	if (pidfd >= 0 && vale_server_watch(memif.server, pidfd, on_process_ended, c) < 0) {
		close(pidfd);
		pidfd = -1;
	}
	c->pidfd = pidfd;
}

void
memif_conn_open(int fd)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		close(fd);
	else
		memif_conn_open_for(fd, peer.pid, peer.uid);
}

static bool
hung_up(const struct memif_conn *c)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLRDHUP};

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

void
memif_conn_bury(const char *full)
{
	struct memif_conn *c;

	TAILQ_FOREACH (c, &memif.conns, next) {
		if (c->plugged && strcmp(c->name.full, full) == 0)
			break;
	}
	if (c != NULL && hung_up(c))
		memif_conn_close(c);
}

static const char *
fault_text(uint32_t fault)
{
	switch (fault) {
	case MEMIF_FAULT_REGION:
		return "a region lost its memory while it was shared";
	case MEMIF_FAULT_RING:
		return "a ring's head is further from its tail than the ring is long";
	case MEMIF_FAULT_BUFFER:
		return "an S2C descriptor offers no buffer inside a region";
	}
	return NULL;
}

void
memif_conns_check(void)
{
	struct memif_conn *c, *next;

	for (c = TAILQ_FIRST(&memif.conns); c != NULL; c = next) {
		const char *why = NULL;

		next = TAILQ_NEXT(c, next);
		if (c->port != NULL)
			why = fault_text(
				atomic_load_explicit(&c->port->fault, memory_order_relaxed));
		if (why == NULL)
			continue;
		VALE_LOG(NOTICE, "parting from memif client %s, process %d: %s", c->name.full,
			c->pid, why);
		memif_conn_refuse(c, EFAULT, "%s", why);
	}
}

void
memif_conns_tick(void *arg)
{
	struct memif_conn *c, *next;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (c = TAILQ_FIRST(&memif.conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, next);
		if (c->state != MEMIF_STATE_UP && now.tv_sec - c->since.tv_sec > HALF_S)
			memif_conn_refuse(
				c, ETIMEDOUT, "connecting took more than %d seconds", HALF_S);
	}
}

void
memif_conns_sweep(void *arg)
{
	struct memif_conn *c;

	TAILQ_FOREACH (c, &memif.conns, next) {
		for (uint16_t i = 0; c->plugged && i < c->port->ep.nb_rxq; i++) {
			struct vale_rxq *q = c->port->ep.rxq[i];

			if (memif_endpoint_ops.rx_pending(q) > 0)
				vale_worker_wake(vale_switches_workers(memif.switches), q->worker);
		}
	}
}
