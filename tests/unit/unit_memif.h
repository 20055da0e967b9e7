/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UNIT_MEMIF_H
#define UNIT_MEMIF_H

/* For the unit tests of memif ports: a port without a switch, and its client's side, which may
 * write anything anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memif_port.h"
#include "unit_eal.h"

#define REGION_SZ 65536
#define RING_LOG2 4
#define RING_SZ (1 << RING_LOG2)
#define C2S_OFF 0
#define S2C_OFF 1024
#define BUF_OFF 4096
#define BUF_SZ 1024

/* The client's side of one port with one ring each way. */
static struct client {
	int region_fd, c2s_fd, s2c_fd;
	uint8_t *mem;
	struct memif_ring *c2s, *s2c;
	struct memif_port port;
} cl;

static char why[VALE_CTL_TEXT_SZ];

static inline int
memory(size_t sz)
{
	int fd = memfd_create("unit", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)sz), 0);
	return fd;
}

static inline struct memif_msg_add_ring
ring_msg(bool c2s)
{
	return (struct memif_msg_add_ring){
		.flags = c2s ? MEMIF_ADD_RING_C2S : 0,
		.offset = c2s ? C2S_OFF : S2C_OFF,
		.log2_ring_size = RING_LOG2,
	};
}

static inline void
set_desc(struct memif_ring *ring, uint16_t slot, uint16_t flags, uint16_t region, uint32_t length,
	uint32_t offset)
{
	const struct memif_desc d = {
		.flags = flags, .region = region, .length = length, .offset = offset};

	memcpy((void *)ring->desc[slot % RING_SZ], &d, sizeof(d));
}

static inline struct memif_desc
get_desc(struct memif_ring *ring, uint16_t slot)
{
	struct memif_desc d;

	memcpy(&d, (void *)ring->desc[slot % RING_SZ], sizeof(d));
	return d;
}

static inline void
add_ring(bool c2s, int fd)
{
	struct memif_msg_add_ring m = ring_msg(c2s);

	assert_int_equal(memif_ring_add(&cl.port, &m, fd, why), 0);
}

static inline int
setup(void **state)
{
	memset(&cl, 0, sizeof(cl));
	memif.fault_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(memif_guard_init(), 0);
	assert_int_equal(memif_kick_init(), 0);
	cl.port.ep.ops = &memif_endpoint_ops;
	cl.port.rxq = aligned_alloc(64, VALE_QUEUES_MAX * sizeof(struct memif_rxq));
	cl.port.txq = aligned_alloc(64, VALE_QUEUES_MAX * sizeof(struct memif_txq));
	memset(cl.port.rxq, 0, VALE_QUEUES_MAX * sizeof(struct memif_rxq));
	memset(cl.port.txq, 0, VALE_QUEUES_MAX * sizeof(struct memif_txq));
	cl.region_fd = memory(REGION_SZ);
	cl.mem = mmap(NULL, REGION_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, cl.region_fd, 0);
	assert_ptr_not_equal(cl.mem, MAP_FAILED);
	assert_int_equal(memif_region_add(&cl.port, 0, REGION_SZ, cl.region_fd, why), 0);
	cl.c2s = (struct memif_ring *)(cl.mem + C2S_OFF);
	cl.s2c = (struct memif_ring *)(cl.mem + S2C_OFF);
	cl.c2s->cookie = cl.s2c->cookie = MEMIF_COOKIE;
	cl.c2s_fd = eventfd(0, EFD_NONBLOCK);
	cl.s2c_fd = eventfd(0, EFD_NONBLOCK);
	add_ring(true, dup(cl.c2s_fd));
	add_ring(false, dup(cl.s2c_fd));
	assert_int_equal(memif_rings_connect(&cl.port, why), 0);
	return 0;
}

static inline int
teardown(void **state)
{
	memif_rings_free(&cl.port);
	memif_regions_free(&cl.port);
	assert_int_equal(memif.mapped, 0);
	free(cl.port.rxq);
	free(cl.port.txq);
	munmap(cl.mem, REGION_SZ);
	close(cl.region_fd);
	close(cl.c2s_fd);
	close(cl.s2c_fd);
	close(memif.fault_fd);
	memif_kick_fini();
	memif_guard_fini();
	return 0;
}

static struct vale_pkt pkts[VALE_BATCH_MAX];
static struct vale_rx_refused bad;

static inline void
fill(uint8_t *at, uint32_t n, uint8_t from)
{
	for (uint32_t i = 0; i < n; i++)
		at[i] = (uint8_t)(from + i);
}

static uint8_t frame[VALE_FRAME_LEN_MAX];

/* Offer buffers up to head, then send n frames of these lengths. */
static inline struct vale_tx_result
tx(uint16_t head, const uint32_t *len, uint16_t n)
{
	static const uint16_t idx[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	struct vale_tx_result res = {0};

	fill(frame, sizeof(frame), 3);
	for (uint16_t i = 0; i < n; i++)
		pkts[i] = (struct vale_pkt){
			.data = frame, .len = len[i], .seg_len = (uint16_t)len[i]};
	atomic_store(&cl.s2c->head, head);
	memif_endpoint_ops.tx(&cl.port.ep, 0, pkts, idx, n, &res);
	return res;
}

static inline void
offer(uint16_t slot, uint32_t size)
{
	set_desc(cl.s2c, slot, 0, 0, size, BUF_OFF + slot % RING_SZ * BUF_SZ);
}

/* A test with a port and a client of its own. */
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* UNIT_MEMIF_H */
