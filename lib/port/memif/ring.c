/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memif_port.h"

/* Where a ring must begin: descriptors are read in whole words. Rings of 2^n descriptors that lie
 * one behind the other, as all clients have them, do. */
#define RING_ALIGN 16

/* The kernel's own name of what a descriptor is. */
static bool
is_eventfd(int fd)
{
	char path[64], link[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return false;
	link[len] = '\0';
	return strcmp(link, "anon_inode:[eventfd]") == 0;
}

/* The ring's memory; NULL unless all of it lies in a region. */
static struct memif_ring *
ring_at(const struct memif_port *p, const struct memif_msg_add_ring *m)
{
	uint64_t len = sizeof(struct memif_ring) + (sizeof(struct memif_desc) << m->log2_ring_size);
	const struct memif_region *r;

	if (m->region >= MEMIF_REGIONS_MAX)
		return NULL;
	r = &p->region[m->region];
	if (m->offset + len > r->size)
		return NULL;
	return (struct memif_ring *)(r->addr + m->offset);
}

static int
check_ring(const struct memif_port *p, const struct memif_msg_add_ring *m, int fd, char *why)
{
	const char *wrong = NULL;

	if (m->index >= VALE_QUEUES_MAX)
		wrong = "limit spent, 16 rings each way";
	else if (m->log2_ring_size > MEMIF_LOG2_RING_SIZE_MAX)
		wrong = "limit spent, 16384 descriptors";
	else if (m->private_hdr_sz != 0)
		wrong = "private headers are not known here";
	else if (m->offset % RING_ALIGN != 0)
		wrong = "its offset is not a multiple of 16";
	else if (ring_at(p, m) == NULL)
		wrong = "does not lie in a region";
	else if (!is_eventfd(fd))
		wrong = "its descriptor is no eventfd";
	if (wrong == NULL)
		return 0;
	snprintf(why, VALE_CTL_TEXT_SZ, "%s ring %u: %s",
		m->flags & MEMIF_ADD_RING_C2S ? "C2S" : "S2C", m->index, wrong);
	return -EINVAL;
}

static int
refuse_again(const char *dir, uint16_t index, char *why)
{
	snprintf(why, VALE_CTL_TEXT_SZ, "%s ring %u: is there already", dir, index);
	return -EINVAL;
}

static int
add_c2s(struct memif_port *p, const struct memif_msg_add_ring *m, int fd, char *why)
{
	struct memif_rxq *rq = &p->rxq[m->index];

	if (rq->ring != NULL)
		return refuse_again("C2S", m->index, why);
	rq->size = 1u << m->log2_ring_size;
	rq->segs = calloc(rq->size, sizeof(rq->segs[0]));
	rq->heads = calloc(VALE_BATCH_MAX, sizeof(rq->heads[0]));
	if (rq->segs == NULL || rq->heads == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "C2S ring %u: no memory", m->index);
		return -ENOMEM;
	}
	rq->mask = (uint16_t)(rq->size - 1);
	rq->ring = ring_at(p, m);
	rq->port = p;
	rq->q = (struct vale_rxq){.ep = &p->ep, .id = m->index, .wait_fd = fd, .wait_edge = true};
	return 0;
}

static int
add_s2c(struct memif_port *p, const struct memif_msg_add_ring *m, int fd, char *why)
{
	struct memif_txq *tq = &p->txq[m->index];

	if (tq->ring != NULL)
		return refuse_again("S2C", m->index, why);
	tq->size = 1u << m->log2_ring_size;
	tq->mask = (uint16_t)(tq->size - 1);
	tq->ring = ring_at(p, m);
	tq->port = p;
	tq->event_fd = fd;
	rte_spinlock_init(&tq->lock);
	return 0;
}

int
memif_ring_add(struct memif_port *p, const struct memif_msg_add_ring *m, int fd, char *why)
{
	int ret = check_ring(p, m, fd, why);

	if (ret < 0)
		return ret;
	return m->flags & MEMIF_ADD_RING_C2S ? add_c2s(p, m, fd, why) : add_s2c(p, m, fd, why);
}

/* Number of rings of a direction, which must be the first ones; 0 if one is missing. */
static uint16_t
count_rings(struct memif_ring *const *ring)
{
	uint16_t nb = 0;

	while (nb < VALE_QUEUES_MAX && ring[nb] != NULL)
		nb++;
	for (uint16_t i = nb; i < VALE_QUEUES_MAX; i++) {
		if (ring[i] != NULL)
			return 0;
	}
	return nb;
}

/* Both indices of a connection begin at 0, and tail is ours. The client's head may have moved. */
static int
ring_begin(struct memif_ring *ring, bool receiver, char *why)
{
	if (atomic_load_explicit(&ring->cookie, memory_order_relaxed) != MEMIF_COOKIE) {
		snprintf(why, VALE_CTL_TEXT_SZ, "a ring has not memif's cookie");
		return -EINVAL;
	}
	atomic_store_explicit(&ring->tail, 0, memory_order_relaxed);
	if (receiver)
		atomic_store_explicit(&ring->flags, MEMIF_RING_MASK_INT, memory_order_relaxed);
	return 0;
}

int
memif_rings_connect(struct memif_port *p, char *why)
{
	struct memif_ring *c2s[VALE_QUEUES_MAX], *s2c[VALE_QUEUES_MAX];
	int ret = 0;

	for (unsigned int i = 0; i < VALE_QUEUES_MAX; i++) {
		c2s[i] = p->rxq[i].ring;
		s2c[i] = p->txq[i].ring;
	}
	p->ep.nb_rxq = count_rings(c2s);
	p->ep.nb_txq = count_rings(s2c);
	if (p->ep.nb_rxq == 0 || p->ep.nb_txq == 0) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"rings are missing: one each way at least, numbered from 0");
		return -EINVAL;
	}
	for (uint16_t i = 0; ret == 0 && i < p->ep.nb_rxq; i++) {
		ret = ring_begin(c2s[i], true, why);
		p->ep.rxq[i] = &p->rxq[i].q;
	}
	for (uint16_t i = 0; ret == 0 && i < p->ep.nb_txq; i++)
		ret = ring_begin(s2c[i], false, why);
	return ret;
}

void
memif_rings_free(struct memif_port *p)
{
	for (unsigned int i = 0; i < VALE_QUEUES_MAX; i++) {
		struct memif_rxq *rq = &p->rxq[i];
		struct memif_txq *tq = &p->txq[i];

		if (rq->ring != NULL)
			close(rq->q.wait_fd);
		if (tq->ring != NULL)
			close(tq->event_fd);
		free(rq->segs);
		free(rq->heads);
	}
}
