/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apart.h"

static size_t
shm_sz(void)
{
	return RTE_CACHE_LINE_ROUNDUP(
		sizeof(struct memif_ring) + APART_RING_SZ * sizeof(struct memif_desc));
}

static void
close_event_fds(struct apart_dev *dev)
{
	for (unsigned int i = 0; i < APART_QUEUES_MAX; i++) {
		if (dev->from[i].event_fd >= 0)
			close(dev->from[i].event_fd);
		if (dev->to[i].event_fd >= 0)
			close(dev->to[i].event_fd);
		dev->from[i].event_fd = dev->to[i].event_fd = -1;
	}
}

static int
open_event_fds(struct apart_dev *dev)
{
	for (uint16_t i = 0; i < dev->nb_rings; i++) {
		dev->from[i].event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		dev->to[i].event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (dev->from[i].event_fd < 0 || dev->to[i].event_fd < 0)
			return -errno;
	}
	return 0;
}

/* Sealed: what the switch has mapped cannot be taken from it by a mistake of ours. */
static int
make_memory(struct apart_dev *dev)
{
	dev->region_fd = memfd_create("net_vale", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (dev->region_fd < 0)
		return -errno;
	if (ftruncate(dev->region_fd, (off_t)dev->region_sz) != 0 ||
		fcntl(dev->region_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return -errno;
	dev->region =
		mmap(NULL, dev->region_sz, PROT_READ | PROT_WRITE, MAP_SHARED, dev->region_fd, 0);
	if (dev->region == MAP_FAILED) {
		dev->region = NULL;
		return -errno;
	}
	/* one entry of the TLB for many buffers, where the system lets shared memory have it */
	madvise(dev->region, dev->region_sz, MADV_HUGEPAGE);
	return 0;
}

/** All rings first, then all buffers. */
static void
place_rings(struct apart_dev *dev)
{
	uint32_t bufs_sz = APART_RING_SZ * APART_BUF_STRIDE;
	uint32_t nb = 2u * dev->nb_rings;

	for (uint32_t i = 0; i < nb; i++) {
		struct apart_ring *r = i % 2 == 0 ? &dev->from[i / 2] : &dev->to[i / 2];

		r->shm_off = i * (uint32_t)shm_sz();
		r->bufs_off = nb * (uint32_t)shm_sz() + i * bufs_sz;
		r->shm = (struct memif_ring *)(dev->region + r->shm_off);
		r->bufs = dev->region + r->bufs_off;
	}
}

int
apart_region_create(struct apart_dev *dev)
{
	int ret;

	dev->region_sz = 2u * dev->nb_rings * (shm_sz() + APART_RING_SZ * APART_BUF_STRIDE);
	ret = make_memory(dev);
	if (ret == 0)
		ret = open_event_fds(dev);
	if (ret != 0) {
		apart_region_destroy(dev);
		return ret;
	}
	place_rings(dev);
	apart_region_reset(dev);
	return 0;
}

void
apart_region_destroy(struct apart_dev *dev)
{
	if (dev->region != NULL)
		munmap(dev->region, dev->region_sz);
	if (dev->region_fd >= 0)
		close(dev->region_fd);
	dev->region = NULL;
	dev->region_fd = -1;
	close_event_fds(dev);
}

static void
reset_ring(struct apart_ring *r, uint16_t head)
{
	struct memif_ring *shm = r->shm;

	for (uint32_t i = 0; i < APART_RING_SZ; i++) {
		/* relaxed: CONNECT, a message, publishes all of this */
		atomic_store_explicit(
			&shm->desc[i][0], (uint64_t)APART_BUF_SZ << 32, memory_order_relaxed);
		atomic_store_explicit(
			&shm->desc[i][1], r->bufs_off + i * APART_BUF_STRIDE, memory_order_relaxed);
	}
	atomic_store_explicit(&shm->cookie, MEMIF_COOKIE, memory_order_relaxed);
	atomic_store_explicit(&shm->flags, MEMIF_RING_MASK_INT, memory_order_relaxed);
	atomic_store_explicit(&shm->tail, 0, memory_order_relaxed);
	atomic_store_explicit(&shm->head, head, memory_order_relaxed);
	r->next = 0;
}

void
apart_region_reset(struct apart_dev *dev)
{
	for (uint16_t i = 0; i < dev->nb_rings; i++) {
		reset_ring(&dev->from[i], APART_RING_SZ);
		reset_ring(&dev->to[i], 0);
	}
}
