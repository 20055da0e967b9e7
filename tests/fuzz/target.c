/* SPDX-License-Identifier: BSD-3-Clause */
/* A bound descriptor whose owner writes anything into its memory, so that nothing may be read back
 * from there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "vale_control_client.h"

int
fuzz_ask(int fd, struct vale_ctl_hdr *req, void *reply, size_t reply_sz, int *fd_out)
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
	int sv[2], mem = -1;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		die("socketpair");
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &sv[1], sizeof(int));
	n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	close(sv[1]);
	if (n == (ssize_t)req->size) {
		struct timeval tv = {.tv_sec = 10};

		setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		iov = (struct iovec){.iov_base = reply, .iov_len = reply_sz};
		mh.msg_controllen = sizeof(control.buf);
		n = recvmsg(sv[0], &mh, MSG_CMSG_CLOEXEC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			die("the switch does not answer for 10 s");
		cm = CMSG_FIRSTHDR(&mh);
		if (n > 0 && cm != NULL)
			memcpy(&mem, CMSG_DATA(cm), sizeof(int));
	} else {
		n = -1;
	}
	close(sv[0]);
	if (fd_out != NULL)
		*fd_out = mem;
	else if (mem >= 0)
		close(mem);
	return n < (ssize_t)sizeof(struct vale_ctl_reply) ? -1
							  : ((struct vale_ctl_reply *)reply)->error;
}

static bool
is_inside(const struct target *t, const struct netmap_ring *ring, uint32_t nb_slots)
{
	return ring == NULL || ((uint8_t *)ring >= t->mem + t->rings_off &&
				       (uint8_t *)&ring->slot[nb_slots] <= t->mem + t->bufs_off);
}

static int
target_map(struct target *t)
{
	struct vale_ctl_hdr req;
	const struct vale_nm_region *r;
	const struct netmap_if *nifp;

	vale_ctl_hdr_init(&req, VALE_CTL_NM_STATE, sizeof(req));
	if (fuzz_ask(t->fd, &req, &t->st, sizeof(t->st), &t->memfd) != 0 || t->memfd < 0)
		return EIO;
	t->mem = mmap(NULL, t->st.size, PROT_READ | PROT_WRITE, MAP_SHARED, t->memfd, 0);
	if (t->mem == MAP_FAILED)
		return ENOMEM;
	r = (const struct vale_nm_region *)t->mem;
	t->nb_bufs = r->nb_bufs;
	t->binds_off = r->binds_off;
	t->krings_off = r->krings_off;
	t->rings_off = r->rings_off;
	t->bufs_off = r->bufs_off;
	nifp = (const struct netmap_if *)(t->mem + t->st.if_off);
	for (unsigned int i = t->st.tx_first; i < t->st.tx_last && i < VALE_NM_RINGS_MAX; i++)
		t->tx[i] = (struct netmap_ring *)((uintptr_t)nifp + (size_t)nifp->ring_ofs[i]);
	for (unsigned int i = t->st.rx_first; i < t->st.rx_last && i < VALE_NM_RINGS_MAX; i++)
		t->rx[i] =
			(struct netmap_ring *)((uintptr_t)nifp +
					       (size_t)nifp->ring_ofs[t->st.nb_tx_rings + 1 + i]);
	/* whoever shares the memory may have written there already */
	if (t->bufs_off >= t->st.size || t->rings_off > t->bufs_off || t->nb_bufs < 3 ||
		t->nb_bufs > (t->st.size - t->bufs_off) / VALE_NM_BUF_SZ)
		return EIO;
	for (unsigned int i = 0; i < VALE_NM_RINGS_MAX; i++)
		if (!is_inside(t, t->tx[i], t->st.nb_tx_slots) ||
			!is_inside(t, t->rx[i], t->st.nb_rx_slots))
			return EIO;
	return 0;
}

int
target_open(struct target *t, const char *name, const struct nmreq_opt_offsets *offsets)
{
	struct vale_ctl_nm_req req = {.version = NETMAP_API, .reqtype = NETMAP_REQ_REGISTER};
	struct nmreq_register reg = t->reg;
	struct vale_ctl_nm_reply r = {0};
	int ret;

	memset(t, 0, sizeof(*t));
	t->memfd = -1;
	t->fd = client_dial();
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_NM_CTRL, sizeof(req));
	snprintf(req.name, sizeof(req.name), "%s", name);
	if (reg.nr_mode == 0)
		reg.nr_mode = NR_REG_ALL_NIC;
	memcpy(req.body, &reg, sizeof(reg));
	if (offsets != NULL) {
		req.nb_opts = 1;
		req.opts[0].reqtype = NETMAP_REQ_OPT_OFFSETS;
		memcpy(req.opts[0].body, (const uint8_t *)offsets + sizeof(struct nmreq_option),
			sizeof(*offsets) - sizeof(struct nmreq_option));
		t->offset_max = (uint32_t)offsets->nro_max_offset;
	}
	ret = fuzz_ask(t->fd, &req.hdr, &r, sizeof(r), NULL);
	memcpy(&t->reg, r.body, sizeof(t->reg));
	if (ret == 0)
		ret = target_map(t);
	if (ret != 0)
		target_close(t);
	return ret;
}

void
target_close(struct target *t)
{
	if (t->mem != NULL && t->mem != MAP_FAILED)
		munmap(t->mem, t->st.size);
	if (t->memfd >= 0)
		close(t->memfd);
	if (t->fd >= 0)
		close(t->fd);
	memset(t, 0, sizeof(*t));
	t->fd = t->memfd = -1;
}

static struct vale_nm_kring *
kring_at(const struct target *t, uint32_t k)
{
	return (struct vale_nm_kring *)(t->mem + t->krings_off) + k;
}

struct vale_nm_kring *
target_tx_kring(const struct target *t, unsigned int i)
{
	return kring_at(t, t->st.tx_kring + i);
}

struct vale_nm_kring *
target_rx_kring(const struct target *t, unsigned int i)
{
	return kring_at(t, t->st.rx_kring + i);
}

uint8_t *
target_buf(const struct target *t, uint32_t idx)
{
	return t->mem + t->bufs_off + (size_t)idx * VALE_NM_BUF_SZ;
}

void
target_bell(const struct target *t)
{
	char bell = VALE_NM_DOORBELL;

	(void)send(t->fd, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}
