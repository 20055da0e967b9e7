/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_string_fns.h>

#include "vale_eal_mp_proto.h"
#include "vale_hotplug.h"
#include "vale_log.h"

/* EAL gives up after 5 s on the other end; an answer must come before that. */
#define ANSWER_TIMEOUT_MS 4500
/* A secondary asks for one device at a time; more than this are not secondaries of ours. */
#define PENDING_MAX 256
/* How long the end of the thread is waited for. */
#define END_S 1

/** A request that went back to the secondary that made it. */
struct pending {
	TAILQ_ENTRY(pending) next;
	char peer[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct vale_eal_hotplug req;
	int64_t deadline_ms;
};

/*
 * The mp thread adds, the broker's thread removes; both under the lock. One broker per process, as
 * there is one EAL.
 */
static struct {
	pthread_mutex_t lock;
	TAILQ_HEAD(, pending) pending;
	unsigned int nb_pending;
	bool stop;
	int sock_fd;
	int wake_fd;
	pthread_t thread;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
} broker = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.pending = TAILQ_HEAD_INITIALIZER(broker.pending),
	.sock_fd = -1,
	.wake_fd = -1,
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
wake_thread(void)
{
	eventfd_write(broker.wake_fd, 1);
}

/** Answer the secondary that asked, through EAL's own socket: it looks at the sender. */
static int
answer(const char *peer, const struct vale_eal_hotplug *req, int result)
{
	struct rte_mp_msg msg = {0};
	struct vale_eal_hotplug body = *req;

	body.result = result;
	strlcpy(msg.name, VALE_EAL_HOTPLUG_ACTION, sizeof(msg.name));
	memcpy(msg.param, &body, sizeof(body));
	msg.len_param = sizeof(body);
	return rte_mp_reply(&msg, peer);
}

/** Send a request to one secondary. Never waits. */
static int
request(const char *peer, const struct vale_eal_hotplug *req)
{
	struct vale_eal_mp_dgram d = {.type = VALE_EAL_MP_REQ};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	ssize_t n;

	if (strlcpy(to.sun_path, peer, sizeof(to.sun_path)) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strlcpy(d.msg.name, VALE_EAL_HOTPLUG_ACTION, sizeof(d.msg.name));
	memcpy(d.msg.param, req, sizeof(*req));
	d.msg.len_param = sizeof(*req);
	do {
		n = sendto(broker.sock_fd, &d, VALE_EAL_MP_DGRAM_SZ, MSG_DONTWAIT | MSG_NOSIGNAL,
			(struct sockaddr *)&to, sizeof(to));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static bool
same_request(const struct pending *p, const char *peer, const struct vale_eal_hotplug *rep)
{
	return p->req.type == rep->type && strcmp(p->peer, peer) == 0 &&
	       memcmp(p->req.devargs, rep->devargs, sizeof(rep->devargs)) == 0;
}

/** Take the request that a reply belongs to out of the list; NULL if it is too late. */
static struct pending *
take_answered(const char *peer, const struct vale_eal_hotplug *rep)
{
	struct pending *p;

	pthread_mutex_lock(&broker.lock);
	TAILQ_FOREACH (p, &broker.pending, next)
		if (same_request(p, peer, rep))
			break;
	if (p != NULL) {
		TAILQ_REMOVE(&broker.pending, p, next);
		broker.nb_pending--;
	}
	pthread_mutex_unlock(&broker.lock);
	return p;
}

/** Take a request that nobody answered in time; NULL if there is none. */
static struct pending *
take_expired(int64_t now)
{
	struct pending *p;

	pthread_mutex_lock(&broker.lock);
	p = TAILQ_FIRST(&broker.pending); /* all wait equally long: the first is the oldest */
	if (p != NULL && p->deadline_ms <= now) {
		TAILQ_REMOVE(&broker.pending, p, next);
		broker.nb_pending--;
	} else {
		p = NULL;
	}
	pthread_mutex_unlock(&broker.lock);
	return p;
}

/** Put a request on the list, before it is sent. */
static int
put_pending(const char *peer, const struct vale_eal_hotplug *req)
{
	struct pending *p = calloc(1, sizeof(*p));
	int ret = 0;

	if (p == NULL)
		return -ENOMEM;
	strlcpy(p->peer, peer, sizeof(p->peer));
	p->req = *req;
	p->deadline_ms = now_ms() + ANSWER_TIMEOUT_MS;
	pthread_mutex_lock(&broker.lock);
	if (broker.nb_pending < PENDING_MAX) {
		TAILQ_INSERT_TAIL(&broker.pending, p, next);
		broker.nb_pending++;
	} else {
		ret = -EBUSY;
	}
	pthread_mutex_unlock(&broker.lock);
	if (ret != 0)
		free(p);
	return ret;
}

/** Send a secondary's own request back to it. */
static int
forward(const char *peer, const struct vale_eal_hotplug *req)
{
	struct pending *p;
	int ret;

	ret = put_pending(peer, req);
	if (ret != 0)
		return ret;
	ret = request(peer, req);
	if (ret == 0) {
		wake_thread(); /* it knows of one more deadline */
		return 0;
	}
	p = take_answered(peer, req);
	free(p);
	return ret;
}

/** EAL's action, on its mp thread: a secondary wants a device attached or detached. */
static int
hotplug_action(const struct rte_mp_msg *msg, const void *peer)
{
	struct vale_eal_hotplug req;
	int ret;

	if (msg->len_param != (int)sizeof(req)) {
		VALE_LOG(ERR,
			"hot plug: a request of %d bytes from %s, expected %zu; is its "
			"DPDK of another version?",
			msg->len_param, (const char *)peer, sizeof(req));
		return -EINVAL;
	}
	memcpy(&req, msg->param, sizeof(req));
	req.devargs[sizeof(req.devargs) - 1] = '\0';
	if (req.type == VALE_EAL_HOTPLUG_ATTACH || req.type == VALE_EAL_HOTPLUG_DETACH)
		ret = forward(peer, &req);
	else
		ret = -ENOTSUP;
	if (ret == 0)
		return 0;
	VALE_LOG(WARNING, "hot plug of '%s' by %s failed: %s", req.devargs, (const char *)peer,
		rte_strerror(-ret));
	return answer(peer, &req, ret);
}

static void
finish_answered(const char *peer, const struct vale_eal_hotplug *rep)
{
	struct pending *p = take_answered(peer, rep);

	if (p == NULL)
		return; /* too late, or the answer to a roll-back */
	VALE_LOG(DEBUG, "hot plug of '%s' by %s: result %d", rep->devargs, peer, rep->result);
	answer(peer, &p->req, rep->result);
	free(p);
}

/**
 * Nobody answered: who asked has gone, or still probes. In that case it is told to undo it, so
 * that it does not end up with a device of which it was told that it failed.
 */
static void
finish_expired(struct pending *p)
{
	struct vale_eal_hotplug undo = p->req;

	if (access(p->peer, F_OK) == 0) {
		VALE_LOG(WARNING, "hot plug of '%s': no answer from %s within %d ms",
			p->req.devargs, p->peer, ANSWER_TIMEOUT_MS);
		if (undo.type == VALE_EAL_HOTPLUG_ATTACH) {
			undo.type = VALE_EAL_HOTPLUG_ATTACH_ROLLBACK;
			request(p->peer, &undo);
		}
		answer(p->peer, &p->req, -ETIMEDOUT);
	}
	free(p);
}

/** Read one datagram. @return whether there was one. */
static bool
read_answer(void)
{
	struct vale_eal_mp_dgram d;
	struct vale_eal_hotplug rep;
	struct sockaddr_un from = {0};
	socklen_t from_len = sizeof(from) - 1; /* keeps a NUL at the end of the path */
	ssize_t n;

	n = recvfrom(
		broker.sock_fd, &d, sizeof(d), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	if (n < 0)
		return errno == EINTR;
	if (n != (ssize_t)VALE_EAL_MP_DGRAM_SZ || d.type != VALE_EAL_MP_REP ||
		d.msg.len_param != (int)sizeof(rep) ||
		strncmp(d.msg.name, VALE_EAL_HOTPLUG_ACTION, sizeof(d.msg.name)) != 0)
		return true; /* an answer "not ready" ends like no answer */
	memcpy(&rep, d.msg.param, sizeof(rep));
	rep.devargs[sizeof(rep.devargs) - 1] = '\0';
	finish_answered(from.sun_path, &rep);
	return true;
}

/** Milliseconds until the next deadline, -1 for none. Sets *stop. */
static int
next_timeout(bool *stop)
{
	const struct pending *p;
	int64_t wait = -1;

	pthread_mutex_lock(&broker.lock);
	*stop = broker.stop;
	p = TAILQ_FIRST(&broker.pending);
	if (p != NULL)
		wait = RTE_MAX(p->deadline_ms - now_ms(), 0);
	pthread_mutex_unlock(&broker.lock);
	return (int)wait;
}

static void *
broker_main(void *arg __rte_unused)
{
	struct pollfd pfd[2] = {
		{.fd = broker.sock_fd, .events = POLLIN},
		{.fd = broker.wake_fd, .events = POLLIN},
	};
	struct pending *p;
	eventfd_t woken;
	bool stop;
	int timeout;

	for (;;) {
		timeout = next_timeout(&stop);
		if (stop)
			return NULL;
		poll(pfd, RTE_DIM(pfd), timeout);
		eventfd_read(broker.wake_fd, &woken);
		while (read_answer())
			;
		while ((p = take_expired(now_ms())) != NULL)
			finish_expired(p);
	}
}

static int
open_socket(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int n;

	n = snprintf(broker.path, sizeof(broker.path), "%s/%s", rte_eal_get_runtime_dir(),
		VALE_HOTPLUG_SOCKET);
	if (n < 0 || (size_t)n >= sizeof(broker.path))
		return -ENAMETOOLONG;
	strlcpy(sa.sun_path, broker.path, sizeof(sa.sun_path));
	broker.sock_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (broker.sock_fd < 0)
		return -errno;
	unlink(broker.path); /* of a primary that crashed; EAL made sure that we are the only one */
	if (bind(broker.sock_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return 0;
}

static void
close_all(void)
{
	struct pending *p;

	if (broker.sock_fd >= 0) {
		close(broker.sock_fd);
		unlink(broker.path);
	}
	if (broker.wake_fd >= 0)
		close(broker.wake_fd);
	broker.sock_fd = broker.wake_fd = -1;
	while ((p = TAILQ_FIRST(&broker.pending)) != NULL) {
		TAILQ_REMOVE(&broker.pending, p, next);
		free(p);
	}
	broker.nb_pending = 0;
}

/* Returns whether it has ended. EAL may be sending an answer to a process that is stopped and reads
 * none, and waits for it. */
static bool
stop_thread(void)
{
	struct timespec until;

	pthread_mutex_lock(&broker.lock);
	broker.stop = true;
	pthread_mutex_unlock(&broker.lock);
	wake_thread();
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_S;
	return pthread_timedjoin_np(broker.thread, NULL, &until) == 0;
}

int
vale_hotplug_start(void)
{
	int ret;

	broker.stop = false;
	broker.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = broker.wake_fd < 0 ? -errno : open_socket();
	if (ret != 0)
		goto fail;
	ret = rte_ctrl_thread_create(&broker.thread, "vale-hotplug", NULL, broker_main, NULL);
	if (ret != 0) {
		ret = -abs(ret);
		goto fail;
	}
	rte_mp_action_unregister(VALE_EAL_HOTPLUG_ACTION);
	if (rte_mp_action_register(VALE_EAL_HOTPLUG_ACTION, hotplug_action) == 0)
		return 0;
	ret = -rte_errno;
	(void)stop_thread();
fail:
	VALE_LOG(ERR, "hot plug: cannot set up the socket %s: %s", broker.path, strerror(-ret));
	close_all();
	return ret;
}

void
vale_hotplug_stop(void)
{
	if (broker.sock_fd < 0)
		return;
	rte_mp_action_unregister(VALE_EAL_HOTPLUG_ACTION);
	if (stop_thread())
		close_all();
	else
		unlink(broker.path); /* the process ends, and with it the thread */
}
