/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "peer.h"

#define BURST 32
#define BURSTS 8
/* In which a worker that is awake has long forwarded BURSTS of them. */
#define FORWARD_US 60

#define SAMPLES 65536

/* Cycles of calls that moved a whole burst. Their median does not see the few in which the thread
 * lost its CPU. */
struct samples {
	uint32_t cycles[SAMPLES];
	unsigned int nb;
};

struct cost {
	struct samples tx, rx;
	uint64_t tx_frames, rx_frames;
};

static void
note(struct samples *s, uint64_t cycles, uint16_t n)
{
	if (n == BURST && s->nb < SAMPLES)
		s->cycles[s->nb++] = (uint32_t)RTE_MIN(cycles, UINT32_MAX);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double
median(struct samples *s)
{
	qsort(s->cycles, s->nb, sizeof(s->cycles[0]), compare);
	return s->nb == 0 ? 0 : (double)s->cycles[s->nb / 2] / BURST;
}

static int
make_burst(struct rte_mbuf **m, const struct rte_ether_addr *dst, uint16_t len)
{
	static const struct rte_ether_addr src = {.addr_bytes = {0x02, 0, 0, 0, 0, 0xbe}};
	struct rte_ether_hdr *hdr;

	if (rte_pktmbuf_alloc_bulk(peer_pool(), m, BURST) != 0)
		return -1;
	for (unsigned int i = 0; i < BURST; i++) {
		hdr = (struct rte_ether_hdr *)rte_pktmbuf_append(m[i], len);
		memset(hdr, (int)i, len);
		hdr->dst_addr = *dst;
		hdr->src_addr = src;
	}
	return 0;
}

static void
timed_tx(uint16_t port_id, const struct rte_ether_addr *dst, uint16_t len, struct cost *c)
{
	struct rte_mbuf *m[BURST];
	uint64_t start;
	uint16_t n;

	if (make_burst(m, dst, len) != 0)
		return;
	start = rte_rdtsc_precise();
	n = rte_eth_tx_burst(port_id, 0, m, BURST);
	note(&c->tx, rte_rdtsc_precise() - start, n);
	c->tx_frames += n;
	rte_pktmbuf_free_bulk(m + n, BURST - n);
}

static uint16_t
timed_rx(uint16_t port_id, struct cost *c)
{
	struct rte_mbuf *m[BURST];
	uint64_t start = rte_rdtsc_precise();
	uint16_t n = rte_eth_rx_burst(port_id, 0, m, BURST);

	note(&c->rx, rte_rdtsc_precise() - start, n);
	c->rx_frames += n;
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

/* Bursts one way, a pause in which they are forwarded, bursts the other way. */
static void
bench_calls(uint16_t tx_id, uint16_t rx_id, const struct rte_ether_addr *dst, uint16_t len,
	uint64_t ms, struct cost *c)
{
	uint64_t end = peer_now_ns() + ms * 1000000;

	while (peer_now_ns() < end) {
		for (unsigned int i = 0; i < BURSTS; i++)
			timed_tx(tx_id, dst, len, c);
		rte_delay_us_block(FORWARD_US);
		while (timed_rx(rx_id, c) > 0)
			;
	}
}

void
peer_cmd_bench(const struct peer_cmd *c)
{
	static struct cost calls, stream, warm;
	uint64_t ms, len, end, start;
	struct rte_ether_addr dst;
	struct peer_cmd rx = *c;
	uint16_t tx_id, rx_id;

	rx.word[1] = c->word[2];
	if (!peer_port(c, &tx_id) || !peer_port(&rx, &rx_id) || !peer_mac(c, 3, &dst) ||
		!peer_number(c->word[4], 60000, &ms) || !peer_number(c->word[5], 2000, &len))
		return;
	memset(&calls, 0, sizeof(calls));
	memset(&stream, 0, sizeof(stream));
	bench_calls(tx_id, rx_id, &dst, (uint16_t)len, 100, &warm);
	bench_calls(tx_id, rx_id, &dst, (uint16_t)len, ms, &calls);
	start = peer_now_ns();
	end = start + ms * 1000000;
	while (peer_now_ns() < end) {
		timed_tx(tx_id, &dst, (uint16_t)len, &stream);
		timed_rx(rx_id, &stream);
	}
	end = peer_now_ns() - start;
	peer_ok("tx_cycles=%.1f rx_cycles=%.1f mpps=%.2f sent=%" PRIu64 " received=%" PRIu64,
		median(&calls.tx), median(&calls.rx), (double)stream.rx_frames * 1000 / (double)end,
		calls.tx_frames, calls.rx_frames);
}
