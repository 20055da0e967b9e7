/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <rte_common.h>
#include <ethdev_driver.h>

#include "ethdev_port.h"
#include "vale_log.h"

/*
 * net_af_packet, net_af_xdp and net_pcap have no receive interrupt in DPDK 22.11 and do not tell
 * their sockets; we find them among our own descriptors: packet sockets that were not there before
 * the device was made. A descriptor's number may be used again, a socket's inode is not.
 */

#ifndef AF_XDP
#define AF_XDP 44
#endif

/* More than any ring holds. A burst may leave much in flight, of which the kernel would refuse
 * half. And net_af_packet waits in poll() when its ring is full, without end: for a free frame, or
 * for less than half of this in flight. An interface that sends slowly, or is paused, would hold
 * the worker, and all other ports with it. So the latter is always true, poll() returns at once,
 * and the driver refuses the rest of the burst. */
#define SEND_BUFFER_SZ (INT_MAX / 2)

/** Call fn(arg, fd, domain, inode) for each packet socket of this process, in order of descriptors.
 */
static int
for_each_socket(int (*fn)(void *arg, int fd, int domain, uint64_t ino), void *arg)
{
	long max = sysconf(_SC_OPEN_MAX);
	socklen_t len;
	struct stat st;
	int domain, ret = 0;
	int fd, misses = 0;

	/* descriptors are handed out from below: a long gap ends the search */
	for (fd = 0; fd < max && misses < 4096 && ret == 0; fd++) {
		len = sizeof(domain);
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0) {
			misses = errno == EBADF ? misses + 1 : 0;
			continue;
		}
		misses = 0;
		if ((domain == AF_PACKET || domain == AF_XDP) && fstat(fd, &st) == 0)
			ret = fn(arg, fd, domain, st.st_ino);
	}
	return ret;
}

static int
note(void *arg, int fd, int domain, uint64_t ino)
{
	struct socket_set *s = arg;
	uint64_t *p;

	if (s->nb % 64 == 0) {
		p = realloc(s->ino, (s->nb + 64) * sizeof(*p));
		if (p == NULL)
			return -ENOMEM;
		s->ino = p;
	}
	s->ino[s->nb++] = ino;
	return 0;
}

int
socket_set_take(struct socket_set *s)
{
	int ret;

	memset(s, 0, sizeof(*s));
	ret = for_each_socket(note, s);
	if (ret < 0)
		socket_set_free(s);
	return ret;
}

void
socket_set_free(struct socket_set *s)
{
	free(s->ino);
	memset(s, 0, sizeof(*s));
}

static bool
socket_set_has(const struct socket_set *s, uint64_t ino)
{
	unsigned int i;

	for (i = 0; i < s->nb; i++) {
		if (s->ino[i] == ino)
			return true;
	}
	return false;
}

/** Sockets of a device. */
struct found {
	const struct socket_set *before;
	unsigned int ifindex; /**< of a device that was there before, else 0 */
	unsigned int nb;
	int fd[VALE_QUEUES_MAX];
};

/**
 * A packet socket is shown what its interface sends as well: frames of this machine's own stack
 * and, from drivers that send by another socket, our own again. Nor is what we hand to
 * that stack ourselves wanted, only what arrives.
 */
static void
drop_outgoing(int fd)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HOST_STACK_MARK, 2, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog prog = {.len = RTE_DIM(code), .filter = code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		VALE_LOG(WARNING, "cannot keep sent frames from a packet socket: %s",
			strerror(errno));
}

/** Whether a socket receives from an interface; false for @p ifindex 0. */
static bool
is_bound_to(int fd, unsigned int ifindex)
{
	struct sockaddr_ll addr = {0};
	socklen_t len = sizeof(addr);

	return ifindex != 0 && getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
	       addr.sll_family == AF_PACKET && (unsigned int)addr.sll_ifindex == ifindex;
}

static int
collect(void *arg, int fd, int domain, uint64_t ino)
{
	static const int sz = SEND_BUFFER_SZ;
	struct found *f = arg;

	if (socket_set_has(f->before, ino) && !is_bound_to(fd, f->ifindex))
		return 0;
	if (domain == AF_PACKET)
		drop_outgoing(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sz, sizeof(sz)) < 0 && domain == AF_PACKET)
		VALE_LOG(WARNING,
			"cannot raise a packet socket's send buffer: %s; an interface that sends "
			"slowly "
			"may hold up a worker and its ports; give the switch CAP_NET_ADMIN",
			strerror(errno));
	if (f->nb < RTE_DIM(f->fd))
		f->fd[f->nb] = fd;
	f->nb++;
	return 0;
}

static void
use_sockets(struct ethdev_ep *e, const struct socket_set *before)
{
	struct found f = {.before = before, .ifindex = e->device.at_start ? e->kif.index : 0};
	uint16_t i;

	for_each_socket(collect, &f);
	/* otherwise it is not clear which is whose: polled by timer */
	if (f.nb != e->ep.nb_rxq)
		return;
	for (i = 0; i < e->ep.nb_rxq; i++) {
		e->rxq[i].q.wait_fd = f.fd[i];
		e->rxq[i].is_socket = true;
	}
}

static void
use_interrupts(struct ethdev_ep *e)
{
	uint16_t i;
	int fd;

	if (!rte_eth_devices[e->port_id].data->dev_conf.intr_conf.rxq)
		return;
	for (i = 0; i < e->ep.nb_rxq; i++) {
		fd = rte_eth_dev_rx_intr_ctl_q_get_fd(e->port_id, i);
		if (fd < 0)
			continue;
		e->rxq[i].q.wait_fd = fd;
		/* a tap's descriptor is readable while frames wait; others tell of new ones, once
		 */
		e->rxq[i].intr = !e->driver.owns_if;
		e->rxq[i].q.wait_edge = e->rxq[i].intr;
	}
}

void
ethdev_wait_fds(struct ethdev_ep *e, const struct socket_set *before)
{
	uint16_t i;

	for (i = 0; i < e->ep.nb_rxq; i++)
		e->rxq[i].q.wait_fd = -1;
	if (e->driver.kernel_if && !e->driver.owns_if)
		use_sockets(e, before);
	else
		use_interrupts(e);
}

void
socket_clear_error(int fd)
{
	int err;
	socklen_t len = sizeof(err);

	/* reading it clears it; an interface that went down leaves one */
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
}

/*
 * net_af_xdp of DPDK 22.11 counts the users of its memory once too often when it closes and keeps
 * the socket, which keeps the interface's queue: nobody could attach it again.
 */

static uint64_t
socket_inode(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

void
ethdev_sockets_note(const struct ethdev_ep *e, uint64_t ino[VALE_QUEUES_MAX])
{
	for (uint16_t i = 0; i < VALE_QUEUES_MAX; i++)
		ino[i] = e->rxq[i].is_socket ? socket_inode(e->rxq[i].q.wait_fd) : 0;
}

void
ethdev_sockets_close(const struct ethdev_ep *e, const uint64_t ino[VALE_QUEUES_MAX])
{
	for (uint16_t i = 0; i < VALE_QUEUES_MAX; i++) {
		if (ino[i] != 0 && socket_inode(e->rxq[i].q.wait_fd) == ino[i])
			close(e->rxq[i].q.wait_fd);
	}
}
