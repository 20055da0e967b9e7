/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <rte_string_fns.h>

#include "apart.h"
#include "vale_config.h"
#include "vale_control_client.h"

/* One attempt: all of it is over by the deadline. */
struct handshake {
	struct apart_dev *dev;
	int fd; /* memif connection */
	int64_t deadline_ms;
	char *why;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
left_ms(const struct handshake *h)
{
	int64_t left = h->deadline_ms - now_ms();

	return left > 0 ? (int)left : 0;
}

/** Say why it failed; returns -err. */
static int __attribute__((format(printf, 3, 4)))
fail(struct handshake *h, int err, const char *fmt, ...)
{
	int n = snprintf(h->why, APART_WHY_SZ, "port %s: ", h->dev->args.port);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->why + n, APART_WHY_SZ - n, fmt, ap);
	va_end(ap);
	return -err;
}

/* ---- the control socket ---- */

/** Ask for a memif connection on a connection to the control socket. */
static int
ask(struct handshake *h, int ctl_fd)
{
	const struct vale_args *args = &h->dev->args;
	struct vale_ctl_memif_open_reply reply;
	struct vale_ctl_name_req req = {.has_mac = args->has_mac};
	unsigned int nb_fds = 1;
	int ret;

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_MEMIF_OPEN, sizeof(req));
	strlcpy(req.name, args->port, sizeof(req.name));
	memcpy(req.mac, &args->mac, sizeof(req.mac));
	ret = vale_ctl_call(ctl_fd, &req, &reply, sizeof(reply), &h->fd, &nb_fds, left_ms(h));
	if (ret != 0)
		return fail(h, -ret, "the switch at %s does not answer: %s", args->socket,
			strerror(-ret));
	if (reply.r.error != 0) {
		snprintf(h->why, APART_WHY_SZ, "the switch refuses: %s (%s)", reply.r.text,
			vale_errno_name(reply.r.error));
		return -reply.r.error;
	}
	if (nb_fds != 1)
		return fail(h, EPROTO, "the switch at %s gave no connection", args->socket);
	memcpy(&h->dev->port_mac, reply.mac, sizeof(h->dev->port_mac));
	return 0;
}

static int
open_connection(struct handshake *h)
{
	int ctl_fd = vale_ctl_connect(h->dev->args.socket);
	int ret;

	if (ctl_fd == -ENOENT || ctl_fd == -ECONNREFUSED)
		return ctl_fd; /* no switch there: why is "" */
	if (ctl_fd < 0)
		return fail(
			h, -ctl_fd, "no switch at %s: %s", h->dev->args.socket, strerror(-ctl_fd));
	ret = ask(h, ctl_fd);
	close(ctl_fd);
	return ret;
}

/* ---- memif ---- */

/** Send a message, with a descriptor unless it is -1. The socket has room for all that we say. */
static int
say(struct handshake *h, const struct memif_msg *m, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm;

	if (fd >= 0) {
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	}
	/* what it said before it went is read first */
	if (sendmsg(h->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE)
		return fail(h, errno, "cannot talk to the switch: %s", strerror(errno));
	return 0;
}

static int
refused(struct handshake *h, const struct memif_msg_disconnect *d)
{
	int err = d->code > 0 && d->code < 4096 ? (int)d->code : EPROTO;

	snprintf(h->why, APART_WHY_SZ, "the switch refuses: %.*s (%s)", MEMIF_REASON_SZ, d->reason,
		vale_errno_name(err));
	return -err;
}

/** Wait for a message of a type. */
static int
hear(struct handshake *h, uint16_t type, struct memif_msg *m)
{
	struct pollfd p = {.fd = h->fd, .events = POLLIN};
	ssize_t n;
	int rc;

	do
		rc = poll(&p, 1, left_ms(h));
	while (rc < 0 && errno == EINTR);
	if (rc <= 0)
		return fail(h, ETIMEDOUT, "the switch at %s does not answer", h->dev->args.socket);
	n = recv(h->fd, m, sizeof(*m), MSG_DONTWAIT);
	if (n <= 0)
		return fail(h, ECONNRESET, "the switch has gone");
	if (n == sizeof(*m) && m->type == MEMIF_MSG_DISCONNECT)
		return refused(h, &m->disconnect);
	if (n != sizeof(*m) || m->type != type)
		return fail(h, EPROTO, "the switch at %s does not speak memif as we do",
			h->dev->args.socket);
	return 0;
}

static int
acked(struct handshake *h, const struct memif_msg *m, int fd)
{
	struct memif_msg answer;
	int ret = say(h, m, fd);

	return ret != 0 ? ret : hear(h, MEMIF_MSG_ACK, &answer);
}

static int
greet(struct handshake *h)
{
	struct memif_msg m = {.type = MEMIF_MSG_INIT};
	struct memif_msg hello;
	int ret = hear(h, MEMIF_MSG_HELLO, &hello);

	if (ret != 0)
		return ret;
	if (MEMIF_VERSION < hello.hello.min_version || MEMIF_VERSION > hello.hello.max_version ||
		hello.hello.max_s2c_ring + 1 < h->dev->nb_rings ||
		hello.hello.max_c2s_ring + 1 < h->dev->nb_rings ||
		hello.hello.max_log2_ring_size < APART_LOG2_RING)
		return fail(h, EPROTO,
			"the switch at %s offers fewer or smaller rings than net_vale needs, or "
			"another memif; install releases that go together",
			h->dev->args.socket);
	m.init.version = MEMIF_VERSION;
	m.init.mode = MEMIF_MODE_ETHERNET;
	strlcpy(m.init.secret, h->dev->args.port, sizeof(m.init.secret));
	snprintf(m.init.name, sizeof(m.init.name), "net_vale %s", VALE_VERSION);
	return acked(h, &m, -1);
}

static int
add_ring(struct handshake *h, const struct apart_ring *r, uint16_t index, uint16_t flags)
{
	struct memif_msg m = {.type = MEMIF_MSG_ADD_RING};

	m.add_ring.flags = flags;
	m.add_ring.index = index;
	m.add_ring.offset = r->shm_off;
	m.add_ring.log2_ring_size = APART_LOG2_RING;
	return acked(h, &m, r->event_fd);
}

static int
share(struct handshake *h)
{
	struct memif_msg m = {.type = MEMIF_MSG_ADD_REGION};
	struct apart_dev *dev = h->dev;
	int ret;

	m.add_region.size = dev->region_sz;
	ret = acked(h, &m, dev->region_fd);
	for (uint16_t i = 0; i < dev->nb_rings && ret == 0; i++)
		ret = add_ring(h, &dev->to[i], i, MEMIF_ADD_RING_C2S);
	for (uint16_t i = 0; i < dev->nb_rings && ret == 0; i++)
		ret = add_ring(h, &dev->from[i], i, 0);
	return ret;
}

static int
connect_rings(struct handshake *h)
{
	struct memif_msg m = {.type = MEMIF_MSG_CONNECT};
	struct memif_msg answer;
	int ret;

	strlcpy(m.connect.if_name, h->dev->args.port, sizeof(m.connect.if_name));
	ret = say(h, &m, -1);
	return ret != 0 ? ret : hear(h, MEMIF_MSG_CONNECTED, &answer);
}

int
apart_link_attach(struct apart_dev *dev, int timeout_ms, char *why)
{
	struct handshake h = {
		.dev = dev, .fd = -1, .deadline_ms = now_ms() + timeout_ms, .why = why};
	int ret;

	why[0] = '\0';
	ret = open_connection(&h);
	if (ret == 0)
		ret = greet(&h);
	if (ret == 0) {
		/* the switch has answered INIT: whoever had our rings before has let go of them */
		apart_region_reset(dev);
		ret = share(&h);
	}
	if (ret == 0)
		ret = connect_rings(&h);
	if (ret == 0)
		dev->fd = h.fd;
	else if (h.fd >= 0)
		close(h.fd);
	return ret;
}
