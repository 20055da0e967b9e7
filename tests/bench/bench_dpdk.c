/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Source and sink of one lcore, in a secondary process: sends on its first port, receives on all
 * others, writes every line of each frame that it sends and reads every line of each that it gets.
 * It receives whatever is there before it sends the next burst, and has no more frames on the way
 * than --window says, so that none is lost when it is off its CPU for a while. With --rate it sends
 * single frames at that rate instead.
 *
 * On standard input it takes the commands `go` and `stop`; each answer is one line of JSON. Time
 * between sending and receiving is measured where a rate is set.
 */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "vale_dpdk_shm.h"

#define BURST_MAX 1024
#define SINKS_MAX 15
#define LINE 64
#define FRAME_MIN 60
#define FRAME_MAX 9216
/* Latency in steps of a 16th of its power of two, in cycles. */
#define LAT_BITS 4
#define LAT_SUB (1 << LAT_BITS)
#define LAT_CLASSES (40 * LAT_SUB)
/* Rounds between two looks at standard input. */
#define ROUNDS 4096

static struct {
	unsigned int len, burst, macs, window;
	double rate; /* frames a second; 0: as many as go */
	bool broadcast;
} opt = {.len = 60, .burst = 64, .macs = 1, .window = 960};

static uint16_t source, sink[SINKS_MAX];
static unsigned int nb_sinks;
static struct rte_mempool *pool;
static struct rte_ether_addr src, *dsts;
static uint64_t nb_sent, nb_received[SINKS_MAX], nb_refused, sum;
static uint64_t latency[LAT_CLASSES];

/* ---- addresses ---- */

static void
make_address(struct rte_ether_addr *a, uint32_t i)
{
	*a = (struct rte_ether_addr){{0x02, 0xbe, 0, 0, 0, 0}};
	a->addr_bytes[2] = i >> 24;
	a->addr_bytes[3] = i >> 16;
	a->addr_bytes[4] = i >> 8;
	a->addr_bytes[5] = i;
}

/* In random order, each once. */
static int
make_addresses(void)
{
	unsigned int seed = 1;

	make_address(&src, UINT32_MAX);
	dsts = calloc(opt.macs, sizeof(*dsts));
	if (dsts == NULL)
		return -1;
	for (unsigned int i = 0; i < opt.macs; i++)
		make_address(&dsts[i], i);
	for (unsigned int i = opt.macs - 1; i > 0; i--) {
		unsigned int k = rand_r(&seed) % (i + 1);
		struct rte_ether_addr t = dsts[i];

		dsts[i] = dsts[k];
		dsts[k] = t;
	}
	if (opt.broadcast)
		memset(dsts, 0xff, opt.macs * sizeof(*dsts));
	return 0;
}

/* ---- frames ---- */

/* Write one word of each line; the rest of the frame is what the buffer held. */
static void
write_frame(struct rte_mbuf *m, uint64_t stamp)
{
	static unsigned int next;
	struct rte_mbuf *s = m;
	unsigned int left = opt.len;
	struct rte_ether_hdr *hdr = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	for (; s != NULL; s = s->next) {
		uint16_t room = s->buf_len - RTE_PKTMBUF_HEADROOM;

		s->data_len = RTE_MIN(left, room);
		left -= s->data_len;
		for (uint16_t at = 0; at < s->data_len; at += LINE)
			*rte_pktmbuf_mtod_offset(s, volatile uint8_t *, at) = (uint8_t)at;
	}
	m->pkt_len = opt.len;
	hdr->dst_addr = dsts[next];
	next = next + 1 == opt.macs ? 0 : next + 1;
	hdr->src_addr = src;
	hdr->ether_type = rte_cpu_to_be_16(0x88b5);
	memcpy(hdr + 1, &stamp, sizeof(stamp));
}

static unsigned int
latency_class(uint64_t cycles)
{
	unsigned int top = cycles < LAT_SUB ? 0 : 63 - __builtin_clzll(cycles) - LAT_BITS;
	unsigned int i =
		cycles < LAT_SUB ? cycles : (top + 1) * LAT_SUB + (cycles >> top & (LAT_SUB - 1));

	return RTE_MIN(i, LAT_CLASSES - 1U);
}

/* The least that is in a class, in cycles. */
static uint64_t
latency_of_class(unsigned int i)
{
	return i < LAT_SUB ? i : (uint64_t)(LAT_SUB + i % LAT_SUB) << (i / LAT_SUB - 1);
}

static void
count_latency(const struct rte_mbuf *m)
{
	uint64_t stamp;

	memcpy(&stamp, rte_pktmbuf_mtod_offset(m, void *, RTE_ETHER_HDR_LEN), sizeof(stamp));
	latency[latency_class(rte_rdtsc() - stamp)]++;
}

static void
read_frame(const struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next)
		for (uint16_t at = 0; at < m->data_len; at += LINE)
			sum += *rte_pktmbuf_mtod_offset(m, const uint8_t *, at);
}

/* ---- traffic ---- */

static void
receive_all(void)
{
	struct rte_mbuf *m[BURST_MAX];
	uint16_t n;

	for (unsigned int s = 0; s < nb_sinks; s++) {
		do {
			n = rte_eth_rx_burst(sink[s], 0, m, opt.burst);
			for (uint16_t i = 0; i < n; i++) {
				read_frame(m[i]);
				if (opt.rate > 0)
					count_latency(m[i]);
			}
			rte_pktmbuf_free_bulk(m, n);
			nb_received[s] += n;
		} while (n == opt.burst);
	}
}

/* As many mbufs in a chain as a frame takes. */
static int
alloc_frames(struct rte_mbuf **m, unsigned int n)
{
	unsigned int room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	unsigned int segs = (opt.len + room - 1) / room;
	struct rte_mbuf *all[64];

	if (segs == 1)
		return rte_pktmbuf_alloc_bulk(pool, m, n);
	for (unsigned int i = 0; i < n; i++) {
		if (rte_pktmbuf_alloc_bulk(pool, all, segs) != 0) {
			rte_pktmbuf_free_bulk(m, i);
			return -1;
		}
		for (unsigned int k = 0; k + 1 < segs; k++)
			all[k]->next = all[k + 1];
		all[0]->nb_segs = segs;
		m[i] = all[0];
	}
	return 0;
}

static void
send_burst(unsigned int nb)
{
	struct rte_mbuf *m[BURST_MAX];
	uint16_t n;

	if (alloc_frames(m, nb) != 0)
		return;
	for (unsigned int i = 0; i < nb; i++)
		write_frame(m[i], opt.rate > 0 ? rte_rdtsc() : 0);
	n = rte_eth_tx_burst(source, 0, m, nb);
	rte_pktmbuf_free_bulk(m + n, nb - n);
	nb_sent += n;
	nb_refused += nb - n;
}

/* The sink that has received least counts: those of a flood all receive, else there is one. */
static uint64_t
on_the_way(void)
{
	uint64_t least = nb_received[0];

	for (unsigned int s = 1; s < nb_sinks; s++)
		least = RTE_MIN(least, nb_received[s]);
	return nb_sent - least;
}

static void
send_if_room(void)
{
	uint64_t n = on_the_way();

	if (n < opt.window)
		send_burst(RTE_MIN((uint64_t)opt.burst, opt.window - n));
}

/* The switch must know where each address is, before the traffic comes. */
static void
teach(void)
{
	for (unsigned int i = 0; i < opt.macs && !opt.broadcast; i++) {
		struct rte_mbuf *m;
		struct rte_ether_hdr *hdr;

		while ((m = rte_pktmbuf_alloc(pool)) == NULL)
			usleep(100);
		hdr = (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME_MIN);
		hdr->dst_addr = src;
		hdr->src_addr = dsts[i];
		while (rte_eth_tx_burst(sink[0], 0, &m, 1) == 0)
			usleep(100);
	}
}

static void
report(uint64_t cycles)
{
	uint64_t total = 0, seen = 0, received = 0;
	static const double share[] = {0.5, 0.9, 0.99, 0.999};
	uint64_t got[RTE_DIM(share)] = {0};
	unsigned int k = 0;

	for (unsigned int s = 0; s < nb_sinks; s++)
		received += nb_received[s];
	for (unsigned int i = 0; i < LAT_CLASSES; i++)
		total += latency[i];
	for (unsigned int i = 0; i < LAT_CLASSES && total > 0; i++) {
		seen += latency[i];
		for (; k < RTE_DIM(share) && (double)seen >= share[k] * (double)total; k++)
			got[k] = latency_of_class(i);
	}
	printf("{\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"refused\":%" PRIu64
	       ",\"cycles\":%" PRIu64 ",\"hz\":%" PRIu64 ",\"latency_cycles\":[%" PRIu64 ",%" PRIu64
	       ",%" PRIu64 ",%" PRIu64 "]}\n",
		nb_sent, received, nb_refused, cycles, rte_get_tsc_hz(), got[0], got[1], got[2],
		got[3]);
	fflush(stdout);
}

/* @return false at the end of input. */
static bool
read_command(bool *going, int timeout_ms)
{
	struct pollfd p = {.events = POLLIN};
	char line[16];

	if (poll(&p, 1, timeout_ms) <= 0)
		return true;
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	*going = strncmp(line, "go", 2) == 0;
	return true;
}

/* From `go` to `stop`. */
static bool
run(void)
{
	uint64_t start = rte_rdtsc(), next = start;
	uint64_t gap = opt.rate > 0 ? (uint64_t)((double)rte_get_tsc_hz() / opt.rate) : 0;
	bool going = true, more = true;

	nb_sent = nb_refused = 0;
	memset(nb_received, 0, sizeof(nb_received));
	memset(latency, 0, sizeof(latency));
	while (going && more) {
		for (unsigned int i = 0; i < ROUNDS; i++) {
			receive_all();
			if (gap == 0) {
				send_if_room();
			} else if (rte_rdtsc() >= next) {
				if (on_the_way() < opt.window)
					send_burst(1);
				/* what was missed while we were off the CPU is not made up for */
				next = RTE_MAX(next + gap, rte_rdtsc());
			}
		}
		more = read_command(&going, 0);
	}
	report(rte_rdtsc() - start);
	return more;
}

static int
parse(int argc, char **argv)
{
	static const struct option longs[] = {{"len", 1, NULL, 'l'}, {"burst", 1, NULL, 'b'},
		{"macs", 1, NULL, 'm'}, {"rate", 1, NULL, 'r'}, {"window", 1, NULL, 'w'},
		{"broadcast", 0, NULL, 'B'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'l')
			opt.len = strtoul(optarg, NULL, 0);
		else if (c == 'b')
			opt.burst = strtoul(optarg, NULL, 0);
		else if (c == 'm')
			opt.macs = strtoul(optarg, NULL, 0);
		else if (c == 'r')
			opt.rate = strtod(optarg, NULL);
		else if (c == 'w')
			opt.window = strtoul(optarg, NULL, 0);
		else if (c == 'B')
			opt.broadcast = true;
		else
			return -1;
	}
	return opt.len < FRAME_MIN || opt.len > FRAME_MAX || opt.burst < 1 ||
			       opt.burst > BURST_MAX || opt.macs < 1
		       ? -1
		       : 0;
}

/* The ports in the order of the command line are those of the group with our names. */
static int
find_ports(int argc, char **argv)
{
	const char *at;
	uint16_t id;

	source = RTE_MAX_ETHPORTS;
	for (int i = 1; i < argc; i++) {
		at = strncmp(argv[i], "--vdev=net_vale", 15) == 0 ? strstr(argv[i], ",port=")
								  : NULL;
		if (at == NULL)
			continue;
		if (rte_eth_dev_get_port_by_name(at + 6, &id) != 0)
			return -1;
		if (source == RTE_MAX_ETHPORTS)
			source = id;
		else if (nb_sinks < SINKS_MAX)
			sink[nb_sinks++] = id;
	}
	return nb_sinks > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	int n = rte_eal_init(argc, argv);
	bool going = false;

	pool = n < 0 ? NULL : rte_mempool_lookup(VALE_POOL_NAME);
	if (pool == NULL || find_ports(n, argv) < 0 || parse(argc - n, argv + n) < 0 ||
		make_addresses() < 0) {
		fputs("usage: bench-dpdk EAL options, --vdev=net_valeN,port=NAME at least twice -- "
		      "[--len BYTES] [--burst N] [--macs N] [--window FRAMES] "
		      "[--rate FRAMES/S] [--broadcast]\n",
			stderr);
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	teach();
	puts("{\"ready\":true}");
	fflush(stdout);
	while (read_command(&going, -1))
		if (going && !run())
			break;
	/* so that the compiler cannot leave the reading out */
	if (sum == 1)
		fputs("\n", stderr);
	rte_eal_cleanup();
	return 0;
}
