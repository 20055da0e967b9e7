/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "vale_control_client.h"

#include "connection.h"
#include "sys.h"

#define MARK_LEN (sizeof(VNM_MARK) - 1)
/* Where answers come to, at least: programs' own numbers are lower, mostly. */
#define ANSWER_FD_MIN 800

int
vnm_connection_path(char *path, size_t path_sz)
{
	const char *env = getenv("VALE_SOCKET");
	int n;

	if (env == NULL || env[0] == '\0')
		return vale_ctl_default_socket("vale", path, path_sz);
	n = snprintf(path, path_sz, "%s", env);
	return n < 0 || (size_t)n >= path_sz ? -ENAMETOOLONG : 0;
}

/** Give the socket its name. It need not be the only try: another process may have the number. */
static int
mark(int fd)
{
	static _Atomic unsigned int counter;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int i, n;
	long ret = -EADDRINUSE;

	for (i = 0; i < 16 && ret == -EADDRINUSE; i++) {
		struct timespec now;

		vnm_sys_clock(&now);
		n = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
			VNM_MARK "%d/%u/%lx%09lx", vnm_sys_getpid(), atomic_fetch_add(&counter, 1),
			(long)now.tv_sec, now.tv_nsec);
		ret = vnm_sys_bind(fd, &addr,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n));
	}
	return (int)ret;
}

int
vnm_connection_open(int flags)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int type = SOCK_SEQPACKET, fd;
	long ret = vnm_connection_path(addr.sun_path, sizeof(addr.sun_path));

	if (ret < 0)
		return (int)ret;
	if (flags & O_CLOEXEC)
		type |= SOCK_CLOEXEC;
	fd = (int)vnm_sys_socket(AF_UNIX, type);
	if (fd < 0)
		return fd;
	ret = mark(fd);
	while (ret == 0) {
		ret = vnm_sys_connect(fd, &addr, sizeof(addr));
		if (ret == 0 || ret == -EISCONN)
			break;
		if (ret == -EINTR)
			ret = 0;
	}
	if (ret == 0 && (flags & O_NONBLOCK))
		ret = vnm_sys6(SYS_fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK, 0, 0, 0);
	if (ret < 0) {
		vnm_sys_close(fd);
		return (int)ret;
	}
	return fd;
}

/** Is the peer this process's own switch, or one of its user's or of root's? */
static bool
peer_trusted(int fd)
{
	struct sockaddr_un own, peer = {.sun_family = AF_UNIX};
	struct ucred cred;
	socklen_t len = sizeof(cred), addr_len = sizeof(peer) - 1;

	if (vnm_sys_getsockopt(fd, SO_PEERCRED, &cred, &len) == 0 &&
		(cred.uid == 0 || (long)cred.uid == vnm_sys6(SYS_geteuid, 0, 0, 0, 0, 0, 0)))
		return true;
	if (vnm_sys6(SYS_getpeername, fd, (long)&peer, (long)&addr_len, 0, 0, 0) != 0)
		return false;
	return vnm_connection_path(own.sun_path, sizeof(own.sun_path)) == 0 &&
	       strcmp(own.sun_path, peer.sun_path) == 0;
}

bool
vnm_connection_is(int fd)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);

	if (vnm_sys_getsockname(fd, &addr, &len) != 0)
		return false;
	if (len < offsetof(struct sockaddr_un, sun_path) + 1 + MARK_LEN ||
		addr.sun_family != AF_UNIX || addr.sun_path[0] != '\0' ||
		memcmp(addr.sun_path + 1, VNM_MARK, MARK_LEN) != 0)
		return false;
	return peer_trusted(fd);
}

uint64_t
vnm_connection_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return vnm_sys_getsockopt(fd, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

/** Send a request with the descriptor that its answer shall come to. 0 or -errno. */
static int
send_request(int fd, const void *req, size_t req_sz, int answer_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = {(void *)(uintptr_t)req, req_sz};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	long ret;

	memset(control, 0, sizeof(control));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &answer_fd, sizeof(int));
	do {
		ret = vnm_sys_sendmsg(fd, &msg, MSG_NOSIGNAL);
		if (ret == -EAGAIN) { /* the program made its descriptor non-blocking */
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			vnm_sys_ppoll(&p, 1, NULL, NULL);
		}
	} while (ret == -EINTR || ret == -EAGAIN);
	if (ret == -EPIPE || ret == -ECONNRESET || ret == -ENOTCONN)
		return -ENXIO;
	return ret < 0 ? (int)ret : 0;
}

/** The descriptor that came with a message; -1 if none. */
static int
message_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

/** Wait for the answer. An end without one means that the switch is gone. */
static int
receive_answer(int fd, void *reply, size_t reply_sz, int *got_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = {reply, reply_sz};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	const struct vale_ctl_hdr *hdr = reply;
	long ret;

	memset(reply, 0, reply_sz);
	do
		ret = vnm_sys_recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (ret == -EINTR);
	if (ret <= 0)
		return -ENXIO;
	*got_fd = message_fd(&msg);
	if ((size_t)ret < sizeof(struct vale_ctl_reply) || hdr->magic != VALE_CTL_MAGIC ||
		hdr->version != VALE_CTL_VERSION)
		return -EPROTO;
	return 0;
}

/* Answers come to a number that no program's own descriptor has had a moment ago: another thread
 * that still waits on that one may take a token from the number, which here would be the answer. */
static int
high_number(int fd)
{
	long high = vnm_sys6(SYS_fcntl, fd, F_DUPFD_CLOEXEC, ANSWER_FD_MIN, 0, 0, 0);

	if (high < 0)
		return fd; /* a limit below that, or none free */
	vnm_sys_close(fd);
	return (int)high;
}

int
vnm_connection_ask(int fd, void *req, uint32_t req_sz, unsigned int type, void *reply,
	size_t reply_sz, int *got_fd)
{
	struct vale_ctl_hdr *hdr = req;
	int pair[2], came = -1;
	long ret = vnm_sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);

	if (ret < 0)
		return (int)ret;
	pair[0] = high_number(pair[0]);
	hdr->magic = VALE_CTL_MAGIC;
	hdr->version = VALE_CTL_VERSION;
	hdr->type = (uint16_t)type;
	hdr->size = req_sz;
	hdr->seq = 1;
	ret = send_request(fd, req, req_sz, pair[1]);
	vnm_sys_close(pair[1]); /* now only the switch has that end */
	if (ret == 0)
		ret = receive_answer(pair[0], reply, reply_sz, &came);
	vnm_sys_close(pair[0]);
	if (came >= 0 && (ret != 0 || got_fd == NULL)) {
		vnm_sys_close(came);
		came = -1;
	}
	if (got_fd != NULL)
		*got_fd = came;
	return (int)ret;
}
