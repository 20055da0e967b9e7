/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vale_control_client.h"

/* A switch whose listen queue stays full this long does not answer. */
#define CONNECT_TIMEOUT_S 5

/* One message as it came, with what came beside it. */
struct packet {
	_Alignas(8) unsigned char data[VALE_CTL_MSG_SZ_MAX];
	size_t size;
	int fds[VALE_CTL_FDS_MAX];
	unsigned int nb_fds;
};

static void
close_fds(const int *fds, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++)
		close(fds[i]);
}

int
vale_ctl_default_socket(const char *prefix, char *path, size_t path_sz)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path);
	const char *dir = getenv("XDG_RUNTIME_DIR");
	int n;

	if (geteuid() == 0)
		n = snprintf(path, path_sz, "/run/vale/%s.sock", prefix);
	else if (dir != NULL && dir[0] != '\0')
		n = snprintf(path, path_sz, "%s/vale/%s.sock", dir, prefix);
	else
		n = snprintf(
			path, path_sz, "/tmp/vale-%u/%s.sock", (unsigned int)geteuid(), prefix);
	if (n < 0 || (size_t)n >= path_sz || (size_t)n >= max)
		return -ENAMETOOLONG;
	return 0;
}

/* For a Unix socket the send timeout also bounds connect(), which then fails with EAGAIN. */
static int
set_connect_timeout(int fd, time_t seconds)
{
	const struct timeval tv = {.tv_sec = seconds};

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ? -errno : 0;
}

static int
connect_fd(int fd, const struct sockaddr_un *addr)
{
	int rc = set_connect_timeout(fd, CONNECT_TIMEOUT_S);

	if (rc < 0)
		return rc;
	while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		if (errno == EINTR)
			continue;
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	}
	return set_connect_timeout(fd, 0);
}

int
vale_ctl_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd, rc;

	if (len == 0)
		return -ENOENT;
	if (len >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, len);

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = connect_fd(fd, &addr);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

void
vale_ctl_hdr_init(struct vale_ctl_hdr *hdr, enum vale_ctl_type type, uint32_t size)
{
	static _Atomic uint32_t counter;
	uint32_t seq;

	/* relaxed: only the number has to be unique; 0 is NOTIFY's */
	do
		seq = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed) + 1;
	while (seq == 0);
	*hdr = (struct vale_ctl_hdr){
		.magic = VALE_CTL_MAGIC,
		.version = VALE_CTL_VERSION,
		.type = (uint16_t)type,
		.size = size,
		.seq = seq,
	};
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait until the descriptor is ready or the deadline (ms, -1 = none) has passed. */
static int
wait_fd(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = deadline < 0 ? -1 : deadline - now_ms();
		int rc;

		if (deadline >= 0 && left < 0)
			left = 0;
		rc = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (rc > 0)
			return 0;
		if (rc == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int
send_request(int fd, const void *req, size_t size, int64_t deadline)
{
	for (;;) {
		int rc;

		if (send(fd, req, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET)
			return -ECONNRESET;
		if (errno != EAGAIN)
			return -errno;
		rc = wait_fd(fd, POLLOUT, deadline);
		if (rc < 0)
			return rc;
	}
}

static void
take_fds(struct msghdr *msg, struct packet *pkt)
{
	pkt->nb_fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		unsigned int nb;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		/* the control buffer has room for VALE_CTL_FDS_MAX in all, and so has fds */
		nb = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(&pkt->fds[pkt->nb_fds], CMSG_DATA(c), nb * sizeof(int));
		pkt->nb_fds += nb;
	}
}

/* Receive one message, whole. After a failure no descriptor is left open. */
static int
receive_packet(int fd, struct packet *pkt, int64_t deadline)
{
	/*
	 * Not CMSG_SPACE: its padding would hold one more descriptor when their number is odd.
	 * With exactly this length the kernel sets MSG_CTRUNC for the first one too many.
	 */
	union {
		struct cmsghdr align;
		char buf[CMSG_LEN(VALE_CTL_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = pkt->data, .iov_len = sizeof(pkt->data)};
	struct msghdr msg;
	ssize_t n;

	for (;;) {
		int rc = wait_fd(fd, POLLIN, deadline);

		if (rc < 0)
			return rc;
		msg = (struct msghdr){
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.buf,
			.msg_controllen = sizeof(control.buf),
		};
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n >= 0)
			break;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	take_fds(&msg, pkt);
	pkt->size = (size_t)n;
	if (n == 0 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		close_fds(pkt->fds, pkt->nb_fds);
		return n == 0 ? -ECONNRESET : -EPROTO;
	}
	return 0;
}

/* Whether a packet is a message of this protocol and version at all. */
static bool
is_message(const struct packet *pkt, struct vale_ctl_hdr *hdr)
{
	if (pkt->size < sizeof(*hdr))
		return false;
	memcpy(hdr, pkt->data, sizeof(*hdr));
	return hdr->magic == VALE_CTL_MAGIC && hdr->version == VALE_CTL_VERSION &&
	       hdr->size == pkt->size;
}

static bool
is_notify(const struct vale_ctl_hdr *hdr)
{
	return hdr->type == VALE_CTL_NOTIFY && hdr->seq == 0;
}

/* Whether a message is the reply to this request and has the length it should have. */
static bool
is_reply(const struct packet *pkt, const struct vale_ctl_hdr *hdr, const struct vale_ctl_hdr *req,
	size_t reply_sz)
{
	struct vale_ctl_reply r;

	if (hdr->type != req->type || hdr->seq != req->seq)
		return false;
	if (pkt->size < sizeof(r) || pkt->size > reply_sz)
		return false;
	memcpy(&r, pkt->data, sizeof(r));
	if (r.error < 0 || memchr(r.text, '\0', sizeof(r.text)) == NULL)
		return false;
	return r.error != 0 || pkt->size == reply_sz;
}

/* Hand over as many descriptors as there is room for; a refusal hands over none. */
static void
give_fds(const struct packet *pkt, int *fds, unsigned int *nb_fds, unsigned int room)
{
	unsigned int nb = pkt->nb_fds < room ? pkt->nb_fds : room;

	for (unsigned int i = 0; i < nb; i++)
		fds[i] = pkt->fds[i];
	close_fds(&pkt->fds[nb], pkt->nb_fds - nb);
	if (nb_fds != NULL)
		*nb_fds = nb;
}

static int
receive_reply(int fd, const struct vale_ctl_hdr *req, size_t reply_sz, struct packet *pkt,
	int64_t deadline)
{
	struct vale_ctl_hdr hdr;

	for (;;) {
		bool ok;
		int rc = receive_packet(fd, pkt, deadline);

		if (rc < 0)
			return rc;
		ok = is_message(pkt, &hdr);
		if (ok && !is_notify(&hdr) && is_reply(pkt, &hdr, req, reply_sz))
			return 0;
		close_fds(pkt->fds, pkt->nb_fds);
		if (!ok || !is_notify(&hdr))
			return -EPROTO;
	}
}

int
vale_ctl_call(int fd, const void *req, void *reply, size_t reply_sz, int *fds, unsigned int *nb_fds,
	int timeout_ms)
{
	unsigned int room = fds != NULL && nb_fds != NULL ? *nb_fds : 0;
	int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	struct vale_ctl_hdr hdr;
	struct packet pkt;
	int rc;

	if (nb_fds != NULL)
		*nb_fds = 0;
	memset(reply, 0, reply_sz);
	memcpy(&hdr, req, sizeof(hdr));

	rc = send_request(fd, req, hdr.size, deadline);
	if (rc < 0)
		return rc;
	rc = receive_reply(fd, &hdr, reply_sz, &pkt, deadline);
	if (rc < 0)
		return rc;
	memcpy(reply, pkt.data, pkt.size);
	if (((const struct vale_ctl_reply *)reply)->error != 0)
		room = 0;
	give_fds(&pkt, fds, nb_fds, room);
	return 0;
}

const char *
vale_errno_name(int err)
{
	static _Thread_local char number[16];
	const char *name;

	/* ENOTSUP and EOPNOTSUPP are one number on Linux; the first is what DPDK says */
	if (err == ENOTSUP)
		return "ENOTSUP";
	name = strerrorname_np(err);
	if (name != NULL && err != 0)
		return name;
	snprintf(number, sizeof(number), "E%d", err);
	return number;
}
