/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "closer.h"
#include "server.h"
#include "vale_log.h"
#include "vale_netmap_shm.h"
#include "vale_user.h"

/* Connections at once; one a port, and vale-ctl. */
#define CONNS_MAX 20000
/* Doorbells read in one go. */
#define DOORBELLS_MAX 512

static void
call_watchers(struct vale_conn *c)
{
	struct vale_conn_watcher *w;

	while ((w = TAILQ_FIRST(&c->watchers)) != NULL) {
		TAILQ_REMOVE(&c->watchers, w, next);
		w->fn(w->arg);
	}
}

void
conn_free(struct vale_conn *c)
{
	struct vale_server *s = c->s;

	if (c->src.dead)
		return;
	conn_forget_replies(c);
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->src.fd, NULL);
	source_bury(s, &c->src);
	/* workers may send on the socket until this returns */
	if (c->on_close != NULL)
		c->on_close(c->on_close_arg);
	call_watchers(c);
	close(c->src.fd);
	s->nb_conns--;
}

void
vale_conn_on_close(struct vale_conn *c, void (*fn)(void *arg), void *arg)
{
	c->on_close = fn;
	c->on_close_arg = arg;
}

void
vale_conn_watch(struct vale_conn *c, struct vale_conn_watcher *w)
{
	TAILQ_INSERT_TAIL(&c->watchers, w, next);
}

void
vale_conn_unwatch(struct vale_conn *c, struct vale_conn_watcher *w)
{
	TAILQ_REMOVE(&c->watchers, w, next);
}

void
vale_conn_on_doorbell(struct vale_conn *c, void (*fn)(void *arg, unsigned int nb), void *arg)
{
	c->on_doorbell = fn;
	c->on_doorbell_arg = arg;
}

bool
vale_conn_bound(const struct vale_conn *c)
{
	return c->on_close != NULL;
}

void
vale_conn_close(struct vale_conn *c)
{
	/* read as end of file in the next round */
	shutdown(c->src.fd, SHUT_RDWR);
}

pid_t
vale_conn_pid(const struct vale_conn *c)
{
	return c->peer.pid;
}

int
vale_conn_fd(const struct vale_conn *c)
{
	return c->src.fd;
}

uid_t
vale_conn_uid(const struct vale_conn *c)
{
	return c->peer.uid;
}

bool
vale_conn_is_operator(const struct vale_conn *c)
{
	return vale_user_is_operator(c->peer.uid);
}

/* ---- receiving ---- */

bool
vale_conn_check_text(struct vale_conn *c, const struct vale_ctl_hdr *req, const char *field,
	size_t sz, const char *what)
{
	if (memchr(field, '\0', sz) != NULL)
		return true;
	vale_conn_refuse(c, req, EINVAL, "the %s is longer than %zu characters", what, sz - 1);
	return false;
}

static void
conn_dispatch(struct vale_conn *c, const struct vale_ctl_hdr *hdr, size_t size)
{
	const struct handler *h = NULL;

	if (hdr->version != VALE_CTL_VERSION) {
		vale_conn_refuse(c, hdr, EPROTO,
			"the client speaks version %u of the control protocol, the switch version "
			"%u; "
			"install the same release for both",
			hdr->version, VALE_CTL_VERSION);
		return;
	}
	if (hdr->type < SERVER_TYPES_MAX && c->s->handlers[hdr->type].fn != NULL)
		h = &c->s->handlers[hdr->type];
	if (h == NULL) {
		vale_conn_refuse(
			c, hdr, EOPNOTSUPP, "request %u is not known to this switch", hdr->type);
		return;
	}
	if (hdr->size != size || size < h->min_size) {
		vale_conn_refuse(c, hdr, EINVAL, "request %u has %zu bytes, %zu expected",
			hdr->type, size, h->min_size);
		return;
	}
	if (h->operator_only && !vale_conn_is_operator(c)) {
		vale_conn_refuse(c, hdr, EPERM,
			"only root and the user that runs the switch (uid %u) may do this, not uid "
			"%u",
			geteuid(), c->peer.uid);
		return;
	}
	h->fn(h->arg, c, hdr);
}

bool
is_unix_socket(int fd)
{
	socklen_t len = sizeof(int);
	int domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

void
vale_server_close_stray(struct vale_server *s, int fd)
{
	if (is_unix_socket(fd))
		close(fd);
	else
		closer_close(s != NULL ? s->closer : NULL, fd);
}

/* Take the only descriptor that came with a message; several are closed. Returns -1 if there is
 * none. */
static int
take_received_fd(struct vale_server *s, struct msghdr *mh)
{
	int only = -1;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(fd), sizeof(fd));
			if (n == 1)
				only = fd; /* the kernel makes one such part of a message at most */
			else
				vale_server_close_stray(s, fd);
		}
	}
	return only;
}

union message {
	struct vale_ctl_hdr hdr;
	char buf[VALE_CTL_MSG_SZ_MAX];
};

/* A netmap program rings for its worker, which waits for this socket, too. */
static bool
is_doorbell(const union message *msg)
{
	return msg->buf[0] == VALE_NM_DOORBELL;
}

/* Handle one message; a descriptor that came with it (-1: none) is taken over. */
static void
conn_message(struct vale_conn *c, union message *msg, ssize_t n, bool cut, int fd)
{
	bool request = n >= (ssize_t)sizeof(msg->hdr) && !cut && msg->hdr.magic == VALE_CTL_MAGIC;

	if (fd >= 0 && request && !conn_answer_on(c, &msg->hdr, fd)) {
		vale_conn_refuse(c, &msg->hdr, EINVAL,
			"the descriptor for the answer is no Unix socket, or too many wait");
		return;
	}
	if (fd >= 0 && !request)
		vale_server_close_stray(c->s, fd);
	if (n > 0 && !request && log_limit_pass(&c->s->junk))
		VALE_LOG(WARNING, "process %d sent what is not a request; connection closed",
			c->peer.pid);
	if (request)
		conn_dispatch(c, &msg->hdr, n);
	else
		conn_free(c);
}

/* Read one message; returns its bytes, 0 at the end, negative if there is none. */
static ssize_t
conn_receive(struct vale_conn *c, union message *msg, bool *cut, int *fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * VALE_CTL_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(c->src.fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	/* a client that went without reading its answers is an error first, and heard out then */
	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNRESET ? -1 : 0;
	*fd = take_received_fd(c->s, &mh); /* an empty message can carry descriptors, too */
	*cut = mh.msg_flags & MSG_TRUNC;
	return n;
}

/* Handle one message, and the doorbells before it. */
static void
conn_event(struct vale_server *s, struct source *src, uint32_t events)
{
	struct vale_conn *c = (struct vale_conn *)src;
	unsigned int bells = 0;
	union message msg;
	bool cut = false;
	ssize_t n;
	int fd;

	while ((n = conn_receive(c, &msg, &cut, &fd)) == 1 && is_doorbell(&msg) &&
		++bells < DOORBELLS_MAX) {
		if (fd >= 0)
			vale_server_close_stray(s, fd);
	}
	if (bells > 0 && c->on_doorbell != NULL)
		c->on_doorbell(c->on_doorbell_arg, bells);
	if (n == 1 && bells == DOORBELLS_MAX && fd >= 0)
		vale_server_close_stray(s, fd);
	if (n >= 0 && bells < DOORBELLS_MAX)
		conn_message(c, &msg, n, cut, fd);
}

bool
source_is_conn(const struct source *src)
{
	return src->fn == conn_event;
}

/* ---- opening ---- */

void
conn_open(struct vale_server *s, int fd)
{
	struct vale_conn *c = s->nb_conns < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
	socklen_t len = sizeof(struct ucred);

	if (c == NULL) {
		close(fd);
		return;
	}
	c->s = s;
	TAILQ_INIT(&c->replies);
	TAILQ_INIT(&c->watchers);
	c->src.fd = fd;
	c->src.fn = conn_event;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->peer, &len) < 0 ||
		source_add(s, &c->src, EPOLLIN) < 0) {
		close(fd);
		free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&s->sources, &c->src, next);
	s->nb_conns++;
}
