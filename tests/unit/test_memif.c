/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from and to a memif client that may write anything anywhere: descriptors, rings, eventfds.
 */
#include "unit_memif.h"

/* ---- from the client ---- */

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
	const struct vale_seg segs[] = {{.data = frame, .len = 14},
		{.data = frame + 14, .len = 1000}, {.data = frame + 1014, .len = 1},
		{.data = frame + 1015, .len = 1000}};
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
	};

	if (unit_eal_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
