/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_lcore.h>

#include "closer.h"
#include "vale_control_server.h"
#include "vale_log.h"
#include "vale_user.h"
#include "vale_netmap_shm.h"

#define TYPES_MAX 64
#define EVENTS_MAX 1024
/* Connections at once; one a port, and vale-ctl. */
#define CONNS_MAX 20000
/* Requests of one connection that wait for an answer on descriptors of their own. */
#define REPLIES_MAX 16
/* Doorbells read in one go. */
#define DOORBELLS_MAX 512

/* What epoll reports: one of these for each descriptor. */
struct source {
	int fd;
	void (*fn)(struct vale_server *s, struct source *src, uint32_t events);
	bool dead; /* closed while events of the same round may name it */
	TAILQ_ENTRY(source) next;
};

TAILQ_HEAD(source_list, source);

/* Where the answer to a request goes that brought a descriptor for it. */
struct reply_to {
	int fd;
	uint16_t type;
	uint32_t seq;
	TAILQ_ENTRY(reply_to) next;
};

struct vale_conn {
	struct source src;
	struct vale_server *s;
	struct ucred peer;
	void (*on_close)(void *arg);
	void *on_close_arg;
	void (*on_doorbell)(void *arg, unsigned int nb);
	void *on_doorbell_arg;
	TAILQ_HEAD(, reply_to) replies; /* of requests not answered yet, the latest first */
	unsigned int nb_replies;
};

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

struct handler {
	size_t min_size;
	vale_handler_t fn;
	void *arg;
	bool operator_only;
};

struct vale_server {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int epoll_fd;
	struct source listener;
	struct source stopper;
	struct source_list sources; /* connections, watches and timers */
	struct source_list dead;    /* to be freed after this round */
	struct handler handlers[TYPES_MAX];
	unsigned int nb_conns;
	int spare_fd;	  /* given up to turn a client away when there are no more */
	bool turned_away; /* said so */
	struct closer *closer;
	pthread_t thread;
	bool running;
	bool stop;
};

/* ---- sources ---- */

static int
source_add(struct vale_server *s, struct source *src, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = src};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, src->fd, &ev) < 0 ? -errno : 0;
}

/* Events of the round in work may still name it: free it after the round. */
static void
source_bury(struct vale_server *s, struct source *src)
{
	src->dead = true;
	TAILQ_REMOVE(&s->sources, src, next);
	TAILQ_INSERT_TAIL(&s->dead, src, next);
}

static void
free_dead(struct vale_server *s)
{
	struct source *src;

	while ((src = TAILQ_FIRST(&s->dead)) != NULL) {
		TAILQ_REMOVE(&s->dead, src, next);
		free(src); /* every source is the first member of what was allocated */
	}
}

/* ---- connections ---- */

static void
reply_to_free(struct vale_conn *c, struct reply_to *r)
{
	TAILQ_REMOVE(&c->replies, r, next);
	c->nb_replies--;
	close(r->fd);
	free(r);
}

static void
conn_free(struct vale_conn *c)
{
	struct vale_server *s = c->s;

	if (c->src.dead)
		return;
	while (!TAILQ_EMPTY(&c->replies))
		reply_to_free(c, TAILQ_FIRST(&c->replies));
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->src.fd, NULL);
	source_bury(s, &c->src);
	/* workers may send on the socket until this returns */
	if (c->on_close != NULL)
		c->on_close(c->on_close_arg);
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

/* ---- sending ---- */

/* One packet; never waits. Returns 0 or -errno. */
static int
send_packet(int fd, const void *buf, size_t size, const int *fds, unsigned int nb_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * VALE_CTL_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm;
	ssize_t n;

	if (nb_fds > 0) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nb_fds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nb_fds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * nb_fds);
	}
	n = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == (ssize_t)size)
		return 0;
	return n < 0 ? -errno : -EMSGSIZE;
}

/* A client that does not read its answers loses its connection, not our time. */
static void
conn_send(struct vale_conn *c, const void *buf, size_t size, const int *fds, unsigned int nb_fds)
{
	int ret = send_packet(c->src.fd, buf, size, fds, nb_fds);

	if (ret == 0)
		return;
	if (ret != -EPIPE && ret != -ECONNRESET)
		VALE_LOG(WARNING, "process %d does not take its answers (%s); connection closed",
			c->peer.pid, strerror(-ret));
	vale_conn_close(c);
}

static void
reply_hdr(struct vale_ctl_reply *r, const struct vale_ctl_hdr *req, size_t size)
{
	r->hdr.magic = VALE_CTL_MAGIC;
	r->hdr.version = VALE_CTL_VERSION;
	r->hdr.type = req->type;
	r->hdr.size = (uint32_t)size;
	r->hdr.seq = req->seq;
}

void
vale_conn_reply(struct vale_conn *c, const struct vale_ctl_hdr *req, struct vale_ctl_reply *reply,
	size_t size, const int *fds, unsigned int nb_fds)
{
	struct reply_to *r;

	reply_hdr(reply, req, size);
	TAILQ_FOREACH (r, &c->replies, next) {
		if (r->type == req->type && r->seq == req->seq)
			break;
	}
	if (r == NULL) {
		conn_send(c, reply, size, fds, nb_fds);
		return;
	}
	/* who closed its end, or sent no socket at all, waits for no answer */
	(void)send_packet(r->fd, reply, size, fds, nb_fds);
	reply_to_free(c, r);
}

void
vale_conn_refuse(
	struct vale_conn *c, const struct vale_ctl_hdr *req, int error, const char *fmt, ...)
{
	struct vale_ctl_reply r = {.error = error};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	VALE_LOG(INFO, "refused process %d: %s", c->peer.pid, r.text);
	vale_conn_reply(c, req, &r, sizeof(r), NULL, 0);
}

/* A memfd that holds @p size bytes and can be changed no more. */
static int
sealed_memfd(const void *data, size_t size)
{
	int fd = memfd_create("vale-records", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n = write(fd, (const char *)data + done, size - done);

		if (n < 0) {
			int err = errno;

			close(fd);
			return -err;
		}
		done += n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ||
		lseek(fd, 0, SEEK_SET) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

void
vale_conn_reply_records(struct vale_conn *c, const struct vale_ctl_hdr *req, const void *recs,
	size_t rec_sz, uint32_t nb)
{
	struct vale_ctl_reply r = {.nb_recs = nb};
	int fd = sealed_memfd(recs, rec_sz * nb);

	if (fd < 0) {
		vale_conn_refuse(c, req, -fd, "no memory for an answer of %u records", nb);
		return;
	}
	vale_conn_reply(c, req, &r, sizeof(r), &fd, 1);
	close(fd);
}

void
vale_conn_notify(struct vale_conn *c, enum vale_ctl_event event, const char *text)
{
	struct vale_ctl_notify n = {
		.hdr =
			{
				.magic = VALE_CTL_MAGIC,
				.version = VALE_CTL_VERSION,
				.type = VALE_CTL_NOTIFY,
				.size = sizeof(n),
			},
		.event = event,
	};

	snprintf(n.text, sizeof(n.text), "%s", text);
	conn_send(c, &n, sizeof(n), NULL, 0);
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
	if (hdr->type < TYPES_MAX && c->s->handlers[hdr->type].fn != NULL)
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

/* Whether a descriptor is a Unix socket: others can make close() wait, or have nothing to answer
 * on. */
static bool
is_unix_socket(int fd)
{
	socklen_t len = sizeof(int);
	int domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

static void
close_stray(struct vale_server *s, int fd)
{
	if (is_unix_socket(fd))
		close(fd);
	else
		closer_close(s->closer, fd);
}

/* Have the answer to a request sent to a descriptor, which is the server's from now on. Returns
 * false if that cannot be. */
static bool
conn_answer_on(struct vale_conn *c, const struct vale_ctl_hdr *hdr, int fd)
{
	struct reply_to *r = NULL;

	if (is_unix_socket(fd) && c->nb_replies < REPLIES_MAX)
		r = calloc(1, sizeof(*r));
	if (r == NULL) {
		close_stray(c->s, fd);
		return false;
	}
	*r = (struct reply_to){.fd = fd, .type = hdr->type, .seq = hdr->seq};
	TAILQ_INSERT_HEAD(&c->replies, r, next);
	c->nb_replies++;
	return true;
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
				close_stray(s, fd);
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
conn_message(struct vale_conn *c, const union message *msg, ssize_t n, bool cut, int fd)
{
	bool request = n >= (ssize_t)sizeof(msg->hdr) && !cut && msg->hdr.magic == VALE_CTL_MAGIC;

	if (fd >= 0 && request && !conn_answer_on(c, &msg->hdr, fd)) {
		vale_conn_refuse(c, &msg->hdr, EINVAL,
			"the descriptor for the answer is no Unix socket, or too many wait");
		return;
	}
	if (fd >= 0 && !request)
		close_stray(c->s, fd);
	if (n > 0 && !request)
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
			close_stray(s, fd);
	}
	if (bells > 0 && c->on_doorbell != NULL)
		c->on_doorbell(c->on_doorbell_arg, bells);
	if (n == 1 && bells == DOORBELLS_MAX && fd >= 0)
		close_stray(s, fd);
	if (n >= 0 && bells < DOORBELLS_MAX)
		conn_message(c, &msg, n, cut, fd);
}

/* No descriptor is left: the one kept for this turns the client away, who would otherwise wait, and
 * keep the listener ready for ever. */
static void
turn_away(struct vale_server *s)
{
	int fd;

	if (!s->turned_away)
		VALE_LOG(ERR, "no descriptor for another client (%s); raise `ulimit -n`",
			strerror(errno));
	s->turned_away = true;
	close(s->spare_fd);
	fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	s->spare_fd = eventfd(0, EFD_CLOEXEC);
}

static void
listener_event(struct vale_server *s, struct source *src, uint32_t events)
{
	int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	socklen_t len = sizeof(struct ucred);
	struct vale_conn *c;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(s);
		return;
	}
	c = s->nb_conns < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL) {
		close(fd);
		return;
	}
	c->s = s;
	TAILQ_INIT(&c->replies);
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

/* ---- watches and timers ---- */

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

/* ---- the loop ---- */

static bool
is_hangup(const struct epoll_event *ev)
{
	const struct source *src = ev->data.ptr;

	return src->fn == conn_event && (ev->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP));
}

/* Who has hung up is heard out, then gone. */
static void
handle_hangups(struct vale_server *s, const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++) {
		struct source *src = ev[i].data.ptr;

		while (!src->dead && is_hangup(&ev[i]))
			src->fn(s, src, ev[i].events);
	}
}

/* A name that its client has given up must be free for the next request: hang-ups go first. One
 * look at epoll does not do: it can report a request and leave out a hang-up that came before,
 * while it walks its list; the next look has that hang-up for certain. Requests in it are reported
 * again. */
static void
round_of_events(struct vale_server *s, int timeout_ms)
{
	struct epoll_event ev[EVENTS_MAX], late[EVENTS_MAX];
	int n = epoll_wait(s->epoll_fd, ev, EVENTS_MAX, timeout_ms);

	handle_hangups(s, ev, n);
	handle_hangups(s, late, epoll_wait(s->epoll_fd, late, EVENTS_MAX, 0));
	for (int i = 0; i < n; i++) {
		struct source *src = ev[i].data.ptr;

		if (!src->dead)
			src->fn(s, src, ev[i].events);
	}
	free_dead(s);
}

static void
stopper_event(struct vale_server *s, struct source *src, uint32_t events)
{
	s->stop = true;
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
	if (write(s->stopper.fd, &one, sizeof(one)) < 0)
		VALE_LOG(ERR, "cannot stop the control thread: %s", strerror(errno));
	pthread_join(s->thread, NULL);
	s->running = false;
}

void
vale_server_listen_on(struct vale_server *s, unsigned int ms)
{
	struct timespec now, end;

	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->listener.fd, NULL);
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

static int
listen_on(const struct vale_server_conf *conf)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t mode = conf->mode != 0 ? conf->mode : 0600;
	int fd, ret;

	if (strlen(conf->path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	ret = make_folder(conf->path);
	if (ret < 0)
		return ret;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", conf->path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* a stale socket: the check before EAL saw that nobody listens on it */
	unlink(conf->path);
	/* nobody can connect before listen(), so owner and mode are in force from the first
	 * connection */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(conf->path, mode) < 0 ||
		chown(conf->path, conf->owner, conf->group) < 0 || listen(fd, SOMAXCONN) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

struct vale_server *
vale_server_create(const struct vale_server_conf *conf)
{
	struct vale_server *s = calloc(1, sizeof(*s));
	int ret = -ENOMEM;

	if (s == NULL)
		goto fail;
	TAILQ_INIT(&s->sources);
	TAILQ_INIT(&s->dead);
	s->listener = (struct source){.fd = -1, .fn = listener_event};
	s->stopper = (struct source){.fd = -1, .fn = stopper_event};
	s->spare_fd = -1;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->stopper.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->spare_fd = eventfd(0, EFD_CLOEXEC);
	if (s->epoll_fd < 0 || s->stopper.fd < 0 || s->spare_fd < 0) {
		ret = -errno;
		goto fail;
	}
	ret = listen_on(conf);
	if (ret < 0)
		goto fail;
	s->listener.fd = ret;
	snprintf(s->path, sizeof(s->path), "%s", conf->path);
	ret = source_add(s, &s->listener, EPOLLIN);
	if (ret == 0)
		ret = source_add(s, &s->stopper, EPOLLIN);
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
	if (src->fn == conn_event) {
		conn_free((struct vale_conn *)src);
		return;
	}
	if (src->fn == timer_event)
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
	free_dead(s);
	closer_stop(s->closer);
	if (s->listener.fd >= 0)
		close(s->listener.fd);
	if (s->path[0] != '\0')
		unlink(s->path);
	if (s->stopper.fd >= 0)
		close(s->stopper.fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	free(s);
}
