/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"
#include "vale_log.h"

/* Requests of one connection that wait for an answer on descriptors of their own. */
#define REPLIES_MAX 16
/* Numbers of ours: clients count from 1. */
#define OWN_SEQ 0x80000000u

static void
reply_to_free(struct vale_conn *c, struct reply_to *r)
{
	TAILQ_REMOVE(&c->replies, r, next);
	c->nb_replies--;
	close(r->fd);
	free(r);
}

void
conn_forget_replies(struct vale_conn *c)
{
	while (!TAILQ_EMPTY(&c->replies))
		reply_to_free(c, TAILQ_FIRST(&c->replies));
}

bool
conn_answer_on(struct vale_conn *c, struct vale_ctl_hdr *hdr, int fd)
{
	struct reply_to *r = NULL;

	if (is_unix_socket(fd) && c->nb_replies < REPLIES_MAX)
		r = calloc(1, sizeof(*r));
	if (r == NULL) {
		vale_server_close_stray(c->s, fd);
		return false;
	}
	*r = (struct reply_to){.fd = fd,
		.type = hdr->type,
		.seq = OWN_SEQ | ++c->last_seq,
		.client_seq = hdr->seq};
	hdr->seq = r->seq;
	TAILQ_INSERT_HEAD(&c->replies, r, next);
	c->nb_replies++;
	return true;
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
	if (ret != -EPIPE && ret != -ECONNRESET && log_limit_pass(&c->s->unread))
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
	reply->hdr.seq = r->client_seq;
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
vale_conn_reply_with_records(struct vale_conn *c, const struct vale_ctl_hdr *req,
	struct vale_ctl_reply *reply, size_t size, const void *recs, size_t rec_sz, uint32_t nb)
{
	int fd = sealed_memfd(recs, rec_sz * nb);

	if (fd < 0) {
		vale_conn_refuse(c, req, -fd, "no memory for an answer of %u records", nb);
		return;
	}
	reply->nb_recs = nb;
	vale_conn_reply(c, req, reply, size, &fd, 1);
	close(fd);
}

void
vale_conn_reply_records(struct vale_conn *c, const struct vale_ctl_hdr *req, const void *recs,
	size_t rec_sz, uint32_t nb)
{
	struct vale_ctl_reply r = {0};

	vale_conn_reply_with_records(c, req, &r, sizeof(r), recs, rec_sz, nb);
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
