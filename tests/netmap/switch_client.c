/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "switch_client.h"
#include "vale_control_client.h"

#define WAIT_S 20

const char *socket_path;

const uint8_t mac_all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};
const uint8_t mac_c[6] = {2, 0, 0, 0, 0, 0xc}, mac_d[6] = {2, 0, 0, 0, 0, 0xd};

int
run_case(int argc, char **argv, const struct test_case *cases)
{
	if (argc != 3) {
		fprintf(stderr, "usage: %s SOCKET CASE\n", argv[0]);
		return 2;
	}
	socket_path = argv[1];
	for (; cases->name != NULL; cases++) {
		if (strcmp(cases->name, argv[2]) != 0)
			continue;
		cases->fn();
		return 0;
	}
	fprintf(stderr, "no case %s\n", argv[2]);
	return 2;
}

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("FAILED: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (errno %s)\n", vale_errno_name(errno));
	exit(1);
}

int
client_dial(void)
{
	int fd = vale_ctl_connect(socket_path);

	if (fd < 0)
		die("no switch at %s: %s", socket_path, strerror(-fd));
	return fd;
}

/* Send a request with one end of a socketpair, and take the answer from the other. */
static void
ask(int fd, struct vale_ctl_hdr *req, void *reply, size_t reply_sz, int *mem)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = req, .iov_len = req->size};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int sv[2];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		die("socketpair");
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &sv[1], sizeof(int));
	if (sendmsg(fd, &mh, MSG_NOSIGNAL) != (ssize_t)req->size)
		die("request");
	close(sv[1]);
	iov = (struct iovec){.iov_base = reply, .iov_len = reply_sz};
	mh.msg_controllen = sizeof(control.buf);
	n = recvmsg(sv[0], &mh, MSG_CMSG_CLOEXEC);
	if (n < (ssize_t)sizeof(struct vale_ctl_reply))
		die("answer of %zd bytes", n);
	cm = CMSG_FIRSTHDR(&mh);
	if (mem != NULL)
		*mem = -1;
	if (cm != NULL && mem != NULL)
		memcpy(mem, CMSG_DATA(cm), sizeof(int));
	close(sv[0]);
}

int
client_ctrl(int fd, uint16_t reqtype, const char *name, void *body, size_t body_sz,
	struct vale_ctl_nm_opt *opts, unsigned int nb_opts, char *text)
{
	struct vale_ctl_nm_req req = {
		.version = NETMAP_API, .reqtype = reqtype, .nb_opts = nb_opts};
	struct vale_ctl_nm_reply r = {0};

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_NM_CTRL, sizeof(req));
	memcpy(req.name, name, strnlen(name, sizeof(req.name)));
	if (body != NULL)
		memcpy(req.body, body, body_sz);
	if (opts != NULL)
		memcpy(req.opts, opts, nb_opts * sizeof(opts[0]));
	ask(fd, &req.hdr, &r, sizeof(r), NULL);
	if (body != NULL)
		memcpy(body, r.body, body_sz);
	if (opts != NULL)
		memcpy(opts, r.opts, nb_opts * sizeof(opts[0]));
	if (text != NULL)
		memcpy(text, r.r.text, VALE_CTL_TEXT_SZ);
	return r.r.error;
}

int
client_register(struct client *c, const char *name)
{
	int ret;

	c->fd = client_dial();
	if (c->reg.nr_mode == 0)
		c->reg.nr_mode = NR_REG_ALL_NIC;
	ret = client_ctrl(
		c->fd, NETMAP_REQ_REGISTER, name, &c->reg, sizeof(c->reg), NULL, 0, c->text);
	if (ret != 0)
		close(c->fd);
	return ret;
}

void
client_map(struct client *c)
{
	struct vale_ctl_hdr req;
	int mem;

	vale_ctl_hdr_init(&req, VALE_CTL_NM_STATE, sizeof(req));
	ask(c->fd, &req, &c->st, sizeof(c->st), &mem);
	if (c->st.r.error != 0 || mem < 0)
		die("state: %s", c->st.r.text);
	c->mem = mmap(NULL, c->st.size, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	if (c->mem == MAP_FAILED)
		die("mmap of %zu bytes", (size_t)c->st.size);
	close(mem);
	c->region = (struct vale_nm_region *)c->mem;
	c->nifp = (struct netmap_if *)(c->mem + c->st.if_off);
	if (c->region->magic != VALE_NM_MAGIC || c->region->size != c->st.size)
		die("the region is not one");
}

void
client_open(struct client *c, const char *name)
{
	int ret = client_register(c, name);

	if (ret != 0) {
		errno = ret;
		die("%s: %s", name, c->text);
	}
	client_map(c);
}

void
client_close(struct client *c)
{
	munmap(c->mem, c->st.size);
	close(c->fd);
	memset(c, 0, sizeof(*c));
}

static struct netmap_ring *
ring_at(const struct client *c, unsigned int k)
{
	return (struct netmap_ring *)((uint8_t *)c->nifp + c->nifp->ring_ofs[k]);
}

struct netmap_ring *
client_tx(const struct client *c, unsigned int i)
{
	return ring_at(c, i);
}

struct netmap_ring *
client_rx(const struct client *c, unsigned int i)
{
	return ring_at(c, c->nifp->ni_tx_rings + c->nifp->ni_host_tx_rings + i);
}

static struct vale_nm_kring *
kring_at(const struct client *c, unsigned int k)
{
	return (struct vale_nm_kring *)(c->mem + c->region->krings_off) + k;
}

struct vale_nm_kring *
client_tx_kring(const struct client *c, unsigned int i)
{
	return kring_at(c, c->st.tx_kring + i);
}

struct vale_nm_kring *
client_rx_kring(const struct client *c, unsigned int i)
{
	return kring_at(c, c->st.rx_kring + i);
}

uint8_t *
client_buf(const struct client *c, uint32_t idx)
{
	return c->mem + c->region->bufs_off + (size_t)idx * VALE_NM_BUF_SZ;
}

void
client_tx_sync(struct client *c, unsigned int i)
{
	struct netmap_ring *ring = client_tx(c, i);
	struct vale_nm_kring *k = client_tx_kring(c, i);
	uint32_t hwcur;

	atomic_store_explicit(&k->head, ring->head, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&k->armed, memory_order_relaxed) != 0 &&
		atomic_exchange(&k->armed, 0) != 0) {
		char bell = VALE_NM_DOORBELL;

		/* no room: the switch has hundreds to read, and looks again after that */
		(void)send(c->fd, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	hwcur = atomic_load_explicit(&k->hwcur, memory_order_acquire);
	ring->tail = hwcur == 0 ? ring->num_slots - 1 : hwcur - 1;
}

uint32_t
client_rx_sync(struct client *c, unsigned int i)
{
	struct netmap_ring *ring = client_rx(c, i);
	struct vale_nm_kring *k = client_rx_kring(c, i);

	atomic_store_explicit(&k->head, ring->head, memory_order_release);
	ring->tail = atomic_load_explicit(&k->hwtail, memory_order_acquire);
	return (ring->tail + ring->num_slots - ring->head) % ring->num_slots;
}

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

uint32_t
client_wait_rx(struct client *c, unsigned int i, uint32_t n)
{
	double end = now_s() + WAIT_S;
	uint32_t got;

	while ((got = client_rx_sync(c, i)) < n && now_s() < end)
		usleep(100);
	return got;
}

void
client_wait_sent(struct client *c, unsigned int i)
{
	struct vale_nm_kring *k = client_tx_kring(c, i);
	double end = now_s() + WAIT_S;

	client_tx_sync(c, i);
	while (atomic_load_explicit(&k->hwcur, memory_order_acquire) != client_tx(c, i)->head) {
		if (now_s() > end)
			die("the switch does not take what was sent: ring %u head %u hwcur %u "
			    "armed %u",
				i, client_tx(c, i)->head, atomic_load(&k->hwcur),
				atomic_load(&k->armed));
		usleep(100);
	}
	client_tx_sync(c, i);
}

/* Byte i of frame number n, behind addresses and number. */
static uint8_t
pattern(uint32_t n, uint32_t i)
{
	return (uint8_t)(n * 7 + i * 13 + i / 256);
}

struct netmap_slot *
client_put(struct client *c, const uint8_t *dst, const uint8_t *src, uint32_t len, uint32_t number)
{
	struct netmap_ring *ring = client_tx(c, 0);
	struct netmap_slot *slot = &ring->slot[ring->head];
	uint8_t *p = client_buf(c, slot->buf_idx);

	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	p[12] = 0x88;
	p[13] = 0xb5;
	if (len >= 18)
		memcpy(p + 14, &number, sizeof(number));
	for (uint32_t i = 18; i < len && i < VALE_NM_BUF_SZ; i++)
		p[i] = pattern(number, i);
	slot->len = (uint16_t)len;
	slot->flags = 0;
	ring->head = ring->head + 1 == ring->num_slots ? 0 : ring->head + 1;
	ring->cur = ring->head;
	return slot;
}

uint32_t
client_number(const uint8_t *frame, uint32_t len)
{
	uint32_t number;

	if (len < 18)
		die("a frame of %u bytes has no number", len);
	memcpy(&number, frame + 14, sizeof(number));
	for (uint32_t i = 18; i < len; i++) {
		if (frame[i] != pattern(number, i))
			die("frame %u of %u bytes differs at byte %u", number, len, i);
	}
	return number;
}

void
client_take(struct client *c, uint32_t first, uint32_t n, uint32_t len)
{
	struct netmap_ring *rx = client_rx(c, 0);

	if (client_wait_rx(c, 0, n) != n)
		die("%u frames came, not %u", client_rx_sync(c, 0), n);
	for (uint32_t i = 0; i < n; i++) {
		struct netmap_slot *s = &rx->slot[rx->head];
		uint32_t number = client_number(client_buf(c, s->buf_idx), s->len);

		if (s->len != len || s->flags != 0x100 || number != first + i)
			die("frame %u: number %u, %u bytes, flags %x", first + i, number, s->len,
				s->flags);
		rx->head = rx->cur = (rx->head + 1) % rx->num_slots;
	}
	client_rx_sync(c, 0);
}

void
client_expect_none(struct client *c)
{
	usleep(20000);
	if (client_rx_sync(c, 0) != 0)
		die("%u frames came, and none should", client_rx_sync(c, 0));
}

void
client_send(struct client *c, const uint8_t *dst, const uint8_t *src, uint32_t len, uint32_t number)
{
	client_put(c, dst, src, len, number);
	client_wait_sent(c, 0);
}
