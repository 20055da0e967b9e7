/* SPDX-License-Identifier: BSD-3-Clause */
/* memif ports against a client that may write anything anywhere: descriptors, rings, regions,
 * eventfds. */
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

static int
memory(size_t sz)
{
	int fd = memfd_create("unit", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)sz), 0);
	return fd;
}

static struct memif_msg_add_ring
ring_msg(bool c2s)
{
	return (struct memif_msg_add_ring){
		.flags = c2s ? MEMIF_ADD_RING_C2S : 0,
		.offset = c2s ? C2S_OFF : S2C_OFF,
		.log2_ring_size = RING_LOG2,
	};
}

static void
set_desc(struct memif_ring *ring, uint16_t slot, uint16_t flags, uint16_t region, uint32_t length,
	uint32_t offset)
{
	const struct memif_desc d = {
		.flags = flags, .region = region, .length = length, .offset = offset};

	memcpy((void *)ring->desc[slot % RING_SZ], &d, sizeof(d));
}

static struct memif_desc
get_desc(struct memif_ring *ring, uint16_t slot)
{
	struct memif_desc d;

	memcpy(&d, (void *)ring->desc[slot % RING_SZ], sizeof(d));
	return d;
}

static void
add_ring(bool c2s, int fd)
{
	struct memif_msg_add_ring m = ring_msg(c2s);

	assert_int_equal(memif_ring_add(&cl.port, &m, fd, why), 0);
}

static int
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

static int
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

/* ---- from the client ---- */

static struct vale_pkt pkts[VALE_BATCH_MAX];
static struct vale_rx_refused bad;

/* Receive what the client offers up to head. */
static uint16_t
rx(uint16_t head)
{
	struct vale_rxq *q = &cl.port.rxq[0].q;
	uint16_t n;

	memset(&bad, 0, sizeof(bad));
	atomic_store(&cl.c2s->head, head);
	n = memif_endpoint_ops.rx(q, pkts, VALE_BATCH_MAX, &bad);
	if (n > 0)
		memif_endpoint_ops.rx_done(q, pkts, n);
	return n;
}

static void
rx_flat_is_lent_where_it_lies(void **state)
{
	uint8_t *mapped = cl.port.region[0].addr;

	set_desc(cl.c2s, 0, 0, 0, 60, BUF_OFF);
	set_desc(cl.c2s, 1, 0, 0, 1514, REGION_SZ - 1514);
	assert_int_equal(rx(2), 2);
	assert_ptr_equal(pkts[0].data, mapped + BUF_OFF);
	assert_int_equal(pkts[0].len, 60);
	assert_int_equal(pkts[0].seg_len, 60);
	assert_int_equal(pkts[0].flags, 0);
	assert_ptr_equal(pkts[1].data, mapped + REGION_SZ - 1514);
	assert_int_equal(atomic_load(&cl.c2s->tail), 2);
}

/* Every way in which a descriptor can point outside; each alone, and as part of a chain. */
static void
rx_bad_descriptor_is_refused_and_consumed(void **state)
{
	static const struct {
		uint16_t region;
		uint32_t length, offset;
	} wrong[] = {
		{0, 60, REGION_SZ - 59},
		{0, 60, REGION_SZ},
		{0, 60, UINT32_MAX},
		{0, 60, UINT32_MAX - 59}, /* 0 in 32 bit */
		{0, UINT32_MAX, 1},	  /* the same */
		{0, UINT32_MAX, UINT32_MAX},
		{0, REGION_SZ + 1, 0},
		{1, 60, 0},
		{1, 1, 0},
		{MEMIF_REGIONS_MAX - 1, 60, 0},
		{MEMIF_REGIONS_MAX, 60, 0}, /* region 0 when masked */
		{UINT16_MAX, 60, 0},
	};
	uint16_t head = 0;

	for (unsigned int i = 0; i < RTE_DIM(wrong); i++) {
		set_desc(cl.c2s, head++, 0, wrong[i].region, wrong[i].length, wrong[i].offset);
		assert_int_equal(rx(head), 0);
		assert_int_equal(bad.bad_desc, 1);
		assert_int_equal(atomic_load(&cl.c2s->tail), head);

		set_desc(cl.c2s, head++, MEMIF_DESC_NEXT, 0, 60, BUF_OFF);
		set_desc(cl.c2s, head++, MEMIF_DESC_NEXT, wrong[i].region, wrong[i].length,
			wrong[i].offset);
		set_desc(cl.c2s, head++, 0, 0, 60, BUF_OFF);
		set_desc(cl.c2s, head++, 0, 0, 61, BUF_OFF);
		assert_int_equal(rx(head), 1);
		assert_int_equal(pkts[0].len, 61);
		assert_int_equal(bad.bad_desc, 1);
		assert_int_equal(atomic_load(&cl.c2s->tail), head);
	}
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_NONE);
}

static uint32_t
gather(const struct vale_pkt *p, uint8_t *out)
{
	uint32_t n = 0;

	assert_true(p->flags & VALE_PKT_SEGS);
	assert_ptr_equal(p->data, p->segs[0].data);
	assert_int_equal(p->seg_len, p->segs[0].len);
	for (const struct vale_seg *s = p->segs; n < p->len; s++) {
		memcpy(out + n, s->data, s->len);
		n += s->len;
	}
	return n;
}

static void
fill(uint8_t *at, uint32_t n, uint8_t from)
{
	for (uint32_t i = 0; i < n; i++)
		at[i] = (uint8_t)(from + i);
}

/* A frame of 70 bytes in pieces of so many bytes. */
static void
rx_chain(const uint32_t *piece, unsigned int nb, uint16_t *head)
{
	uint8_t want[70], got[70];
	uint32_t at = 0;

	fill(want, sizeof(want), 7);
	memcpy(cl.mem + BUF_OFF, want, sizeof(want));
	for (unsigned int i = 0; i < nb; i++) {
		set_desc(cl.c2s, (*head)++, i + 1 < nb ? MEMIF_DESC_NEXT : 0, 0, piece[i],
			BUF_OFF + at);
		at += piece[i];
	}
	assert_int_equal(at, sizeof(want));
	assert_int_equal(rx(*head), 1);
	assert_int_equal(pkts[0].len, sizeof(want));
	assert_true(pkts[0].seg_len >= VALE_FRAME_LEN_MIN);
	assert_int_equal(gather(&pkts[0], got), sizeof(want));
	assert_memory_equal(want, got, sizeof(want));
}

static void
rx_chain_keeps_bytes_and_a_whole_header(void **state)
{
	const uint32_t a[] = {40, 30}, b[] = {13, 57}, c[] = {1, 1, 1, 67}, d[] = {13, 1, 56},
		       e[] = {0, 14, 0, 56, 0}, f[] = {7, 7, 56}, g[] = {0, 70},
		       h[] = {5, 0, 5, 3, 1, 1, 1, 54}, i[] = {14, 56};
	uint16_t head = 0;

	for (int round = 0; round < 5; round++) {
		rx_chain(a, RTE_DIM(a), &head);
		rx_chain(b, RTE_DIM(b), &head);
		rx_chain(c, RTE_DIM(c), &head);
		rx_chain(d, RTE_DIM(d), &head);
		rx_chain(e, RTE_DIM(e), &head);
		rx_chain(f, RTE_DIM(f), &head);
		rx_chain(g, RTE_DIM(g), &head);
		rx_chain(h, RTE_DIM(h), &head);
		rx_chain(i, RTE_DIM(i), &head);
	}
}

static void
rx_chain_that_does_not_end_is_refused(void **state)
{
	for (uint16_t i = 0; i < RING_SZ; i++)
		set_desc(cl.c2s, i, MEMIF_DESC_NEXT, 0, 100, BUF_OFF);
	assert_int_equal(rx(RING_SZ), 0);
	assert_int_equal(bad.bad_desc, 1);
	assert_int_equal(atomic_load(&cl.c2s->tail), RING_SZ);
}

/* net_memif leaves NEXT where a chain was when the ring last came round. */
static void
rx_chain_leaves_no_next_behind(void **state)
{
	const uint32_t a[] = {40, 30};
	uint16_t head = 0;

	rx_chain(a, RTE_DIM(a), &head);
	assert_int_equal(get_desc(cl.c2s, 0).flags, 0);
	assert_int_equal(get_desc(cl.c2s, 0).region, 0);
	assert_int_equal(get_desc(cl.c2s, 0).offset, BUF_OFF);
}

static void
rx_lengths_are_limited(void **state)
{
	set_desc(cl.c2s, 0, 0, 0, 9216, BUF_OFF);
	set_desc(cl.c2s, 1, 0, 0, 9217, BUF_OFF);
	set_desc(cl.c2s, 2, MEMIF_DESC_NEXT, 0, 9216, BUF_OFF);
	set_desc(cl.c2s, 3, 0, 0, 1, BUF_OFF);
	set_desc(cl.c2s, 4, MEMIF_DESC_NEXT, 0, 13, BUF_OFF);
	set_desc(cl.c2s, 5, 0, 0, 0, BUF_OFF);
	set_desc(cl.c2s, 6, MEMIF_DESC_NEXT, 0, 9215, BUF_OFF);
	set_desc(cl.c2s, 7, 0, 0, 1, BUF_OFF);
	assert_int_equal(rx(8), 2);
	assert_int_equal(bad.too_long, 2);
	assert_int_equal(bad.runt, 1);
	assert_int_equal(bad.bad_desc, 0);
	assert_int_equal(pkts[0].len, 9216);
	assert_int_equal(pkts[1].len, 9216);
}

static void
rx_head_beyond_the_ring_is_a_fault(void **state)
{
	struct pollfd pfd = {.fd = memif.fault_fd, .events = POLLIN};

	assert_int_equal(rx(RING_SZ + 1), 0);
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_RING);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(rx(1), 0); /* and for good */
	assert_int_equal(memif_endpoint_ops.rx_pending(&cl.port.rxq[0].q), 0);
}

static void
rx_takes_batches_and_indices_wrap(void **state)
{
	struct vale_rxq *q = &cl.port.rxq[0].q;
	uint16_t head = 0;

	for (uint16_t i = 0; i < RING_SZ; i++)
		set_desc(cl.c2s, i, 0, 0, 100 + i, BUF_OFF);
	for (uint32_t round = 0; round < 65536 / RING_SZ + 2; round++) {
		head += RING_SZ;
		atomic_store(&cl.c2s->head, head);
		assert_int_equal(memif_endpoint_ops.rx_pending(q), RING_SZ);
		assert_int_equal(memif_endpoint_ops.rx(q, pkts, 10, &bad), 10);
		assert_int_equal(pkts[9].len, 109);
		memif_endpoint_ops.rx_done(q, pkts, 10);
		assert_int_equal(memif_endpoint_ops.rx(q, pkts, 10, &bad), 6);
		memif_endpoint_ops.rx_done(q, pkts, 6);
		assert_int_equal(atomic_load(&cl.c2s->tail), head);
	}
}

static void
rx_arm_lets_the_client_ring_and_rx_forbids_it(void **state)
{
	struct vale_rxq *q = &cl.port.rxq[0].q;

	assert_int_equal(atomic_load(&cl.c2s->flags), MEMIF_RING_MASK_INT);
	assert_false(memif_endpoint_ops.rx_arm(q));
	assert_int_equal(atomic_load(&cl.c2s->flags), 0);
	assert_int_equal(rx(0), 0);
	assert_int_equal(atomic_load(&cl.c2s->flags), 0);
	set_desc(cl.c2s, 0, 0, 0, 60, BUF_OFF);
	atomic_store(&cl.c2s->head, 1);
	assert_true(memif_endpoint_ops.rx_arm(q));
	assert_int_equal(rx(1), 1);
	assert_int_equal(atomic_load(&cl.c2s->flags), MEMIF_RING_MASK_INT);
}

/* ---- to the client ---- */

static uint8_t frame[VALE_FRAME_LEN_MAX];

/* Offer buffers up to head, then send n frames of these lengths. */
static struct vale_tx_result
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

static void
offer(uint16_t slot, uint32_t size)
{
	set_desc(cl.s2c, slot, 0, 0, size, BUF_OFF + slot % RING_SZ * BUF_SZ);
}

static void
tx_fills_buffers_in_order(void **state)
{
	const uint32_t len[] = {60, 1024, 14};
	struct vale_tx_result res;

	for (uint16_t i = 0; i < RING_SZ; i++)
		offer(i, BUF_SZ);
	res = tx(RING_SZ, len, 3);
	assert_int_equal(res.packets, 3);
	assert_int_equal(res.bytes, 60 + 1024 + 14);
	assert_int_equal(atomic_load(&cl.s2c->tail), 3);
	for (uint16_t i = 0; i < 3; i++) {
		assert_int_equal(get_desc(cl.s2c, i).length, len[i]);
		assert_int_equal(get_desc(cl.s2c, i).flags, 0);
		assert_memory_equal(cl.mem + BUF_OFF + i * BUF_SZ, frame, len[i]);
	}
}

static void
tx_long_frame_goes_over_several_buffers(void **state)
{
	const uint32_t len[] = {2500, 1024, 1025};
	struct vale_tx_result res;

	for (uint16_t i = 0; i < RING_SZ; i++)
		offer(i, BUF_SZ);
	res = tx(6, len, 3);
	assert_int_equal(res.packets, 3);
	assert_int_equal(atomic_load(&cl.s2c->tail), 6);
	assert_int_equal(get_desc(cl.s2c, 0).flags, MEMIF_DESC_NEXT);
	assert_int_equal(get_desc(cl.s2c, 1).flags, MEMIF_DESC_NEXT);
	assert_int_equal(get_desc(cl.s2c, 2).flags, 0);
	assert_int_equal(get_desc(cl.s2c, 2).length, 2500 - 2048);
	assert_memory_equal(cl.mem + BUF_OFF, frame, 2500);
	assert_int_equal(get_desc(cl.s2c, 3).flags, 0);
	assert_int_equal(get_desc(cl.s2c, 4).flags, MEMIF_DESC_NEXT);
	assert_int_equal(get_desc(cl.s2c, 5).length, 1);
}

static void
tx_pieces_are_joined(void **state)
{
	static const uint16_t idx[] = {0};
	const struct vale_seg segs[] = {
		{frame, 14}, {frame + 14, 1000}, {frame + 1014, 1}, {frame + 1015, 1000}};
	struct vale_tx_result res = {0};

	for (uint16_t i = 0; i < RING_SZ; i++)
		offer(i, BUF_SZ);
	fill(frame, sizeof(frame), 9);
	pkts[0] = (struct vale_pkt){
		.data = frame, .segs = segs, .len = 2015, .seg_len = 14, .flags = VALE_PKT_SEGS};
	atomic_store(&cl.s2c->head, 2);
	memif_endpoint_ops.tx(&cl.port.ep, 0, pkts, idx, 1, &res);
	assert_int_equal(res.packets, 1);
	assert_int_equal(get_desc(cl.s2c, 0).length, 1024);
	assert_int_equal(get_desc(cl.s2c, 1).length, 991);
	assert_memory_equal(cl.mem + BUF_OFF, frame, 2015);

	/* into one buffer */
	pkts[0].len = 1014;
	pkts[0].flags = VALE_PKT_SEGS;
	atomic_store(&cl.s2c->head, 3);
	memif_endpoint_ops.tx(&cl.port.ep, 0, pkts, idx, 1, &res);
	assert_int_equal(res.packets, 2);
	assert_int_equal(get_desc(cl.s2c, 2).length, 1014);
	assert_int_equal(get_desc(cl.s2c, 2).flags, 0);
	assert_memory_equal(cl.mem + BUF_OFF + 2 * BUF_SZ, frame, 1014);
}

static void
tx_without_room_leaves_the_rest(void **state)
{
	const uint32_t len[] = {60, 2500, 60};
	struct vale_tx_result res;

	for (uint16_t i = 0; i < RING_SZ; i++)
		offer(i, BUF_SZ);
	res = tx(0, len, 3);
	assert_int_equal(res.packets, 0);
	res = tx(3, len, 3); /* the second needs three */
	assert_int_equal(res.packets, 1);
	assert_int_equal(res.too_long, 0);
	assert_int_equal(atomic_load(&cl.s2c->tail), 1);
	assert_int_equal(get_desc(cl.s2c, 1).length, BUF_SZ);
	res = tx(4, &len[1], 2); /* now it has them */
	assert_int_equal(res.packets, 1);
	assert_int_equal(atomic_load(&cl.s2c->tail), 4);
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_NONE);
}

static void
tx_longer_than_all_buffers_is_too_long(void **state)
{
	const uint32_t len[] = {60, 161, 160};
	struct vale_tx_result res;

	for (uint16_t i = 0; i < RING_SZ; i++)
		offer(i, 10);
	res = tx(RING_SZ, &len[1], 2);
	assert_int_equal(res.packets, 1);
	assert_int_equal(res.too_long, 1);
	assert_int_equal(atomic_load(&cl.s2c->tail), RING_SZ);
}

/* Nothing may be written but inside the region, so what is wrong parts us from the client. */
static void
tx_bad_buffer_is_a_fault(void **state)
{
	static const struct {
		uint16_t region;
		uint32_t length, offset;
	} wrong[] = {
		{0, 60, REGION_SZ - 59},
		{0, 60, UINT32_MAX - 59},
		{0, UINT32_MAX, 1},
		{0, 0, BUF_OFF},
		{1, 60, 0},
		{MEMIF_REGIONS_MAX, 60, 0},
	};
	const uint32_t len[] = {60, 60, 60};
	uint16_t head = 0;

	for (unsigned int i = 0; i < RTE_DIM(wrong); i++) {
		struct vale_tx_result res;

		atomic_store(&cl.port.fault, MEMIF_FAULT_NONE);
		offer(head, BUF_SZ);
		set_desc(cl.s2c, head + 1, 0, wrong[i].region, wrong[i].length, wrong[i].offset);
		offer(head + 2, BUF_SZ);
		res = tx(head + 3, len, 3);
		assert_int_equal(res.packets, 1);
		assert_int_equal(res.port_gone, 2);
		assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_BUFFER);
		head++;
		res = tx(head + 2, len, 1);
		assert_int_equal(res.port_gone, 1);
	}
}

static void
tx_bad_buffer_in_a_chain_is_a_fault(void **state)
{
	const uint32_t len[] = {2000};
	struct vale_tx_result res;

	offer(0, BUF_SZ);
	set_desc(cl.s2c, 1, 0, 0, BUF_SZ, REGION_SZ - BUF_SZ + 1);
	res = tx(2, len, 1);
	assert_int_equal(res.packets, 0);
	assert_int_equal(res.port_gone, 1);
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_BUFFER);
	assert_int_equal(atomic_load(&cl.s2c->tail), 0);
}

static void
tx_head_beyond_the_ring_is_a_fault(void **state)
{
	const uint32_t len[] = {60};
	struct vale_tx_result res = tx(RING_SZ + 1, len, 1);

	assert_int_equal(res.packets, 0);
	assert_int_equal(res.port_gone, 1);
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_RING);
}

static void
tx_rings_unless_masked(void **state)
{
	const uint32_t len[] = {60};
	uint64_t n = 0;

	for (uint16_t i = 0; i < RING_SZ; i++)
		offer(i, BUF_SZ);
	(void)tx(1, len, 1);
	assert_int_equal(read(cl.s2c_fd, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 1);
	atomic_store(&cl.s2c->flags, MEMIF_RING_MASK_INT);
	(void)tx(2, len, 1);
	assert_int_equal(read(cl.s2c_fd, &n, sizeof(n)), -1);
	atomic_store(&cl.s2c->flags, 0);
	(void)tx(2, len, 1); /* nothing was delivered */
	assert_int_equal(read(cl.s2c_fd, &n, sizeof(n)), -1);
}

/* A write() would never come back: the alarm ends this process then. */
static void
kick_full_eventfd_does_not_block(void **state)
{
	uint64_t full = UINT64_MAX - 1;
	int fd = eventfd(0, 0), other[2];

	alarm(10);
	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	for (int i = 0; i < 1000; i++)
		memif_kick(fd);
	assert_int_equal(read(fd, &full, sizeof(full)), sizeof(full));
	assert_int_equal(full, UINT64_MAX);
	/* not an eventfd: nothing is written */
	assert_int_equal(pipe(other), 0);
	memif_kick(other[1]);
	assert_int_equal(fcntl(other[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(other[0], &full, sizeof(full)), -1);
	/* it still works afterwards, for more kicks than completions are kept */
	for (int i = 0; i < 1000; i++)
		memif_kick(fd);
	assert_int_equal(read(fd, &full, sizeof(full)), sizeof(full));
	assert_int_equal(full, 1000);
	alarm(0);
	close(fd);
	close(other[0]);
	close(other[1]);
}

/* ---- regions and rings ---- */

static void
region_is_checked(void **state)
{
	int good = memory(REGION_SZ), file = open("/proc/self/exe", O_RDONLY),
	    null = open("/dev/zero", O_RDWR), ro = open("/proc/self/fd/0", O_RDONLY);

	assert_int_equal(memif_region_add(&cl.port, 0, REGION_SZ, good, why), -EINVAL);
	assert_int_equal(memif_region_add(&cl.port, 1, REGION_SZ + 1, good, why), -EINVAL);
	assert_int_equal(memif_region_add(&cl.port, 1, UINT64_MAX, good, why), -EINVAL);
	assert_int_equal(memif_region_add(&cl.port, 1, 0, good, why), -EINVAL);
	assert_int_equal(
		memif_region_add(&cl.port, MEMIF_REGIONS_MAX, REGION_SZ, good, why), -EINVAL);
	assert_non_null(strstr(why, "limit spent"));
	assert_int_equal(memif_region_add(&cl.port, 1, 4096, file, why), -EINVAL);
	assert_int_equal(memif_region_add(&cl.port, 1, 4096, null, why), -EINVAL);
	assert_non_null(strstr(why, "is no memory"));
	assert_int_equal(memif_region_add(&cl.port, 1, REGION_SZ, good, why), 0);
	assert_int_equal(memif.mapped, 2 * REGION_SZ);
	close(ro);
	close(null);
	close(file);
	close(good);
}

/* A check that is missed ends in a fault, not in memory of others: the kernel finds none there. */
static void
region_is_followed_by_nothing(void **state)
{
	const uint8_t *end = cl.port.region[0].addr + REGION_SZ;
	const uint64_t at[] = {
		0, 4095, REGION_SZ, (UINT64_C(4) << 30) - REGION_SZ - 1, UINT64_C(4) << 30};
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], end - 1, 1), 1);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		assert_int_equal(write(fd[1], end + at[i], 1), -1);
		assert_int_equal(errno, EFAULT);
	}
	close(fd[0]);
	close(fd[1]);
}

static void
region_total_is_limited(void **state)
{
	int huge = memory((size_t)1 << 40); /* no page of it exists */
	unsigned int i = 1;

	while (i < MEMIF_REGIONS_MAX &&
		memif_region_add(&cl.port, i, (uint64_t)1 << 40, huge, why) == 0)
		i++;
	assert_in_range(i, 2, 20);
	assert_non_null(strstr(why, "limit spent"));
	/* no descriptor reaches further */
	assert_true(cl.port.region[1].size < (uint64_t)6 << 30);
	close(huge);
}

static void
ring_refused(struct memif_msg_add_ring m, int fd, const char *text)
{
	assert_int_equal(memif_ring_add(&cl.port, &m, fd, why), -EINVAL);
	if (strstr(why, text) == NULL)
		fail_msg("'%s' has no '%s'", why, text);
}

static void
ring_is_checked(void **state)
{
	struct memif_msg_add_ring m = ring_msg(true);
	const uint32_t len = sizeof(struct memif_ring) + RING_SZ * sizeof(struct memif_desc);
	int fd = eventfd(0, 0), fds[2];

	ring_refused(m, fd, "already");
	ring_refused(ring_msg(false), fd, "already");
	m.index = VALE_QUEUES_MAX;
	ring_refused(m, fd, "limit");
	m.index = 1;
	m.offset = 8;
	ring_refused(m, fd, "16");
	m.offset = REGION_SZ - len + 16;
	ring_refused(m, fd, "lie in a region");
	m.offset = UINT32_MAX - 15;
	ring_refused(m, fd, "lie in a region");
	m.offset = 0;
	m.region = 1;
	ring_refused(m, fd, "lie in a region");
	m.region = MEMIF_REGIONS_MAX;
	ring_refused(m, fd, "lie in a region");
	m.region = 0;
	m.log2_ring_size = MEMIF_LOG2_RING_SIZE_MAX + 1;
	ring_refused(m, fd, "limit");
	m.log2_ring_size = 13;
	ring_refused(m, fd, "lie in a region");
	m.log2_ring_size = RING_LOG2;
	m.private_hdr_sz = 1;
	ring_refused(m, fd, "private");
	m.private_hdr_sz = 0;
	assert_int_equal(pipe(fds), 0);
	ring_refused(m, fds[1], "eventfd");
	close(fds[0]);
	close(fds[1]);
	m.offset = REGION_SZ - len;
	assert_int_equal(memif_ring_add(&cl.port, &m, fd, why), 0);
}

static void
rings_must_be_complete(void **state)
{
	struct memif_msg_add_ring m = ring_msg(true);

	m.index = 2; /* there is no 1 */
	m.offset = 2048;
	assert_int_equal(memif_ring_add(&cl.port, &m, eventfd(0, 0), why), 0);
	assert_int_equal(memif_rings_connect(&cl.port, why), -EINVAL);
	m.index = 1;
	assert_int_equal(memif_ring_add(&cl.port, &m, eventfd(0, 0), why), 0);
	assert_int_equal(memif_rings_connect(&cl.port, why), -EINVAL); /* no cookie */
	atomic_store((_Atomic uint32_t *)(cl.mem + 2048), MEMIF_COOKIE);
	assert_int_equal(memif_rings_connect(&cl.port, why), 0);
	assert_int_equal(cl.port.ep.nb_rxq, 3);
}

/* ---- memory that goes away ---- */

/* cmocka has put its own handler in front of the one from setup(). */
static void
guard_again(void)
{
	assert_int_equal(memif_guard_init(), 0);
}

static void
shrunk_region_reads_as_zero_and_is_a_fault(void **state)
{
	struct pollfd pfd = {.fd = memif.fault_fd, .events = POLLIN};
	struct vale_rxq *q = &cl.port.rxq[0].q;

	guard_again();
	cl.mem[BUF_OFF] = 77;
	set_desc(cl.c2s, 0, 0, 0, 60, BUF_OFF);
	atomic_store(&cl.c2s->head, 1);
	assert_int_equal(memif_endpoint_ops.rx(q, pkts, 1, &bad), 1);
	assert_int_equal(pkts[0].data[0], 77);
	assert_int_equal(ftruncate(cl.region_fd, 0), 0);
	assert_int_equal(*(volatile const uint8_t *)pkts[0].data, 0);
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_REGION);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	memif_endpoint_ops.rx_done(q, pkts, 1);
	assert_int_equal(memif_endpoint_ops.rx(q, pkts, 1, &bad), 0);
}

static void
shrunk_region_takes_writes(void **state)
{
	const uint32_t len[] = {60};
	struct vale_tx_result res;

	guard_again();
	offer(0, BUF_SZ);
	fill(frame, sizeof(frame), 3);
	/* the ring stays, its buffers go */
	atomic_store(&cl.s2c->head, 1);
	assert_int_equal(ftruncate(cl.region_fd, BUF_OFF), 0);
	res = tx(1, len, 1);
	assert_int_equal(res.packets, 1);
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_REGION);
	res = tx(2, len, 1);
	assert_int_equal(res.port_gone, 1);
}

/* A SIGBUS that is not ours ends the process as ever. */
static void
other_sigbus_is_not_caught(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = memory(4096);
		volatile uint8_t *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

		signal(SIGBUS, SIG_DFL); /* not cmocka's */
		if (memif_guard_init() < 0 || ftruncate(fd, 0) < 0)
			_exit(1);
		(void)p[0];
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static void
sent_sigbus_is_not_caught(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		if (memif_guard_init() < 0)
			_exit(1);
		kill(getpid(), SIGBUS);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(rx_flat_is_lent_where_it_lies),
		T(rx_bad_descriptor_is_refused_and_consumed),
		T(rx_chain_keeps_bytes_and_a_whole_header),
		T(rx_chain_that_does_not_end_is_refused),
		T(rx_chain_leaves_no_next_behind),
		T(rx_lengths_are_limited),
		T(rx_head_beyond_the_ring_is_a_fault),
		T(rx_takes_batches_and_indices_wrap),
		T(rx_arm_lets_the_client_ring_and_rx_forbids_it),
		T(tx_fills_buffers_in_order),
		T(tx_long_frame_goes_over_several_buffers),
		T(tx_pieces_are_joined),
		T(tx_without_room_leaves_the_rest),
		T(tx_longer_than_all_buffers_is_too_long),
		T(tx_bad_buffer_is_a_fault),
		T(tx_bad_buffer_in_a_chain_is_a_fault),
		T(tx_head_beyond_the_ring_is_a_fault),
		T(tx_rings_unless_masked),
		T(kick_full_eventfd_does_not_block),
		T(region_is_checked),
		T(region_is_followed_by_nothing),
		T(region_total_is_limited),
		T(ring_is_checked),
		T(rings_must_be_complete),
		T(shrunk_region_reads_as_zero_and_is_a_fault),
		T(shrunk_region_takes_writes),
		T(other_sigbus_is_not_caught),
		T(sent_sigbus_is_not_caught),
	};

	if (unit_eal_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
