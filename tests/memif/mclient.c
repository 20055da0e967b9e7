/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mclient.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* ---- messages ---- */

int
mclient_dial(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	err = errno;
	close(fd);
	return -err;
}

int
mclient_say(int fd, const struct memif_msg *m, int send_fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm;

	if (send_fd >= 0) {
		mh.msg_control = control.buf;
		mh.msg_controllen = sizeof(control.buf);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &send_fd, sizeof(int));
	}
	return sendmsg(fd, &mh, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int
mclient_hear(int fd, struct memif_msg *m)
{
	ssize_t n = recv(fd, m, sizeof(*m), 0);

	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(*m) ? 0 : -EPIPE;
}

/* Say it and hear what the answer must be. */
static int
ask(struct mclient *c, const struct memif_msg *m, int send_fd, uint16_t want)
{
	struct memif_msg answer;
	int ret = mclient_say(c->fd, m, send_fd);

	/* a refusal may be there though nobody listens any more */
	if (ret < 0 && ret != -EPIPE)
		return ret;
	ret = mclient_hear(c->fd, &answer);
	if (ret < 0)
		return ret;
	if (answer.type == MEMIF_MSG_DISCONNECT) {
		memcpy(c->reason, answer.disconnect.reason, sizeof(c->reason));
		return -ECONNREFUSED;
	}
	return answer.type == want ? 0 : -EPROTO;
}

/* ---- memory ---- */

static size_t
ring_bytes(const struct mclient *c)
{
	return sizeof(struct memif_ring) + c->ring_sz * sizeof(struct memif_desc);
}

static void
ring_make(struct mclient *c, struct memif_ring *r, uint32_t first_buf)
{
	size_t bufs = 2 * c->nb_rings * ring_bytes(c);

	atomic_store(&r->cookie, MEMIF_COOKIE);
	atomic_store(&r->flags, MEMIF_RING_MASK_INT);
	for (uint32_t i = 0; i < c->ring_sz; i++) {
		const struct memif_desc d = {
			.length = c->buf_sz,
			.offset = (uint32_t)(bufs + (first_buf + i) * c->buf_sz),
		};

		memcpy((void *)r->desc[i], &d, sizeof(d));
	}
}

int
mclient_make(struct mclient *c)
{
	c->ring_sz = 1u << c->log2_ring_sz;
	c->mem_sz = 2 * c->nb_rings * (ring_bytes(c) + (size_t)c->ring_sz * c->buf_sz);
	c->region_fd = memfd_create("mclient", MFD_CLOEXEC);
	if (c->region_fd < 0 || ftruncate(c->region_fd, (off_t)c->mem_sz) < 0)
		return -errno;
	c->mem = mmap(NULL, c->mem_sz, PROT_READ | PROT_WRITE, MAP_SHARED, c->region_fd, 0);
	if (c->mem == MAP_FAILED)
		return -errno;
	for (uint16_t i = 0; i < c->nb_rings; i++) {
		c->c2s[i] = (struct memif_ring *)(c->mem + 2 * i * ring_bytes(c));
		c->s2c[i] = (struct memif_ring *)(c->mem + (2 * i + 1) * ring_bytes(c));
		ring_make(c, c->c2s[i], 2 * i * c->ring_sz);
		ring_make(c, c->s2c[i], (2 * i + 1) * c->ring_sz);
		c->c2s_fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		c->s2c_fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		atomic_store(&c->s2c[i]->head, (uint16_t)c->ring_sz);
		c->head[i] = c->seen[i] = 0;
	}
	return 0;
}

static int
add_ring(struct mclient *c, uint16_t i, bool c2s)
{
	struct memif_msg m = {.type = MEMIF_MSG_ADD_RING};

	m.add_ring.flags = c2s ? MEMIF_ADD_RING_C2S : 0;
	m.add_ring.index = i;
	m.add_ring.offset = (uint32_t)((uint8_t *)(c2s ? c->c2s[i] : c->s2c[i]) - c->mem);
	m.add_ring.log2_ring_size = c->log2_ring_sz;
	return ask(c, &m, c2s ? c->c2s_fd[i] : c->s2c_fd[i], MEMIF_MSG_ACK);
}

static int
shake_hands(struct mclient *c)
{
	struct memif_msg m = {.type = MEMIF_MSG_INIT};
	uint16_t nb_c2s = c->nb_c2s > 0 ? c->nb_c2s : c->nb_rings;
	int ret;

	m.init.version = MEMIF_VERSION;
	snprintf(m.init.secret, sizeof(m.init.secret), "%s", c->name);
	snprintf(m.init.name, sizeof(m.init.name), "mclient");
	ret = ask(c, &m, -1, MEMIF_MSG_ACK);
	if (ret == 0) {
		m = (struct memif_msg){.type = MEMIF_MSG_ADD_REGION};
		m.add_region.size = c->mem_sz;
		ret = ask(c, &m, c->region_fd, MEMIF_MSG_ACK);
	}
	for (uint16_t i = 0; ret == 0 && i < c->nb_rings; i++) {
		if (i < nb_c2s)
			ret = add_ring(c, i, true);
		if (ret == 0)
			ret = add_ring(c, i, false);
	}
	m = (struct memif_msg){.type = MEMIF_MSG_CONNECT};
	return ret < 0 ? ret : ask(c, &m, -1, MEMIF_MSG_CONNECTED);
}

int
mclient_open(struct mclient *c, const char *path)
{
	struct memif_msg hello;
	int ret = mclient_make(c);

	if (ret < 0)
		return ret;
	c->fd = mclient_dial(path);
	if (c->fd < 0)
		return c->fd;
	ret = mclient_hear(c->fd, &hello);
	if (ret == 0 && hello.type != MEMIF_MSG_HELLO)
		ret = -EPROTO;
	return ret < 0 ? ret : shake_hands(c);
}

void
mclient_close(struct mclient *c)
{
	if (c->fd > 0)
		close(c->fd);
	munmap(c->mem, c->mem_sz);
	close(c->region_fd);
	for (uint16_t i = 0; i < c->nb_rings; i++) {
		close(c->c2s_fd[i]);
		close(c->s2c_fd[i]);
	}
}

bool
mclient_parted(struct mclient *c)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};

	return poll(&pfd, 1, 0) > 0;
}

/* ---- frames ---- */

static struct memif_desc *
desc_at(struct mclient *c, struct memif_ring *r, uint16_t slot)
{
	return (struct memif_desc *)&r->desc[slot & (c->ring_sz - 1)];
}

bool
mclient_tx(struct mclient *c, uint16_t ring, const void *frame, uint32_t len)
{
	struct memif_ring *r = c->c2s[ring];
	uint16_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	uint32_t need = (len + c->buf_sz - 1) / c->buf_sz, at = 0;
	uint64_t one = 1;

	if (c->ring_sz - (uint16_t)(c->head[ring] - tail) < need)
		return false;
	while (at < len) {
		struct memif_desc *d = desc_at(c, r, c->head[ring]++);
		uint32_t n = MIN(len - at, c->buf_sz);

		memcpy(c->mem + d->offset, (const uint8_t *)frame + at, n);
		at += n;
		d->length = n;
		d->flags = at < len ? MEMIF_DESC_NEXT : 0;
	}
	atomic_store_explicit(&r->head, c->head[ring], memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	if (!(atomic_load_explicit(&r->flags, memory_order_relaxed) & MEMIF_RING_MASK_INT))
		(void)!write(c->c2s_fd[ring], &one, sizeof(one));
	return true;
}

uint32_t
mclient_rx(struct mclient *c, uint16_t ring, void *frame, uint32_t max)
{
	struct memif_ring *r = c->s2c[ring];
	uint16_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	uint32_t len = 0;
	bool more = true;

	if (tail == c->seen[ring])
		return 0;
	while (more && c->seen[ring] != tail) {
		struct memif_desc *d = desc_at(c, r, c->seen[ring]++);
		uint32_t n = MIN(d->length, max - len);

		memcpy((uint8_t *)frame + len, c->mem + d->offset, n);
		len += n;
		more = d->flags & MEMIF_DESC_NEXT;
		d->length = c->buf_sz;
		d->flags = 0;
	}
	/* what was read is an empty buffer again */
	atomic_store_explicit(
		&r->head, (uint16_t)(c->seen[ring] + c->ring_sz), memory_order_release);
	return len;
}

bool
mclient_wait(struct mclient *c, uint16_t ring, int timeout_ms)
{
	struct memif_ring *r = c->s2c[ring];
	struct pollfd pfd = {.fd = c->s2c_fd[ring], .events = POLLIN};
	uint64_t n;

	atomic_store_explicit(&r->flags, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	/* a ring may come late, from what we have seen already */
	while (atomic_load_explicit(&r->tail, memory_order_acquire) == c->seen[ring] &&
		poll(&pfd, 1, timeout_ms) > 0)
		(void)!read(c->s2c_fd[ring], &n, sizeof(n));
	atomic_store_explicit(&r->flags, MEMIF_RING_MASK_INT, memory_order_relaxed);
	return atomic_load_explicit(&r->tail, memory_order_acquire) != c->seen[ring];
}
