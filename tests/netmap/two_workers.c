/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two workers on two CPUs, all in this process: each thread is a worker and, between its rounds,
 * the client of the ports that it polls.
 *
 *   two-workers bench [LEN]   cycles that a worker spends on a frame from one netmap port to
 *                             another: one worker with two pairs of ports; two workers with one
 *                             pair each at the same time; two workers into one port at the same
 * time two-workers check KIND FRAMES both send numbered frames to one port of KIND (netmap, memif)
 * at the same time, never more than fit; all must come, in each sender's order
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "../memif/mclient.h"
#include "switch_client.h"
#include "vale_control_server.h"
#include "vale_memif_port.h"
#include "vale_netmap_port.h"
#include "vale_switch.h"

#define BATCH 256
#define ROUNDS 40000
/* Of each sender, on their way: both together are less than a ring. */
#define WINDOW 400
#define MEMIF_SLOTS 1024

static struct vale_workers *ws;
static struct vale_switches *switches;
static struct vale_server *server;
static char memif_path[64];
static _Atomic unsigned int nb_ready;

/* A sender, and who gets what it sends; both this thread's, or the receiver another's. */
struct pair {
	struct client from, to;
	unsigned int worker; /* that polls from */
	uint8_t from_mac[6], to_mac[6];
	uint32_t cycles[ROUNDS]; /* of each round */
};

static struct pair pairs[2];

static void
make_switch(unsigned int nb_workers)
{
	const struct vale_limits limits = {1, 16, 16384, 1024};
	const struct vale_netmap_conf netmap = {.user_max = UINT32_MAX};
	const struct vale_listener_conf conf = {.path = socket_path, .owner = -1, .group = -1};
	const struct vale_listener_conf memif = {
		.path = memif_path, .owner = -1, .group = -1, .mode = 0600};

	ws = vale_workers_create(nb_workers);
	switches = vale_switches_create(&limits, ws);
	server = vale_server_create(&conf);
	if (switches == NULL || server == NULL || vale_netmap_init(&netmap, switches, server) < 0 ||
		vale_memif_init(&memif, switches, server) < 0 || vale_server_start(server) < 0)
		die("switch");
}

static void
free_switch(void)
{
	vale_server_stop(server);
	vale_switches_free(switches);
	vale_memif_fini();
	vale_netmap_fini();
	vale_server_free(server);
	vale_workers_free(ws);
}

static unsigned int
worker_of(const char *port)
{
	struct vale_port *p = vale_switch_find_port(switches, port);

	return atomic_load(&p->ep)->rxq[0]->worker;
}

/* Ports that come are given to one worker after the other, so that the senders are apart. */
static void
open_pairs(void)
{
	static const char *const from[] = {"vale0:a", "vale0:c"}, *const to[] = {
									  "vale0:b", "vale0:d"};

	client_open(&pairs[0].from, from[0]);
	client_open(&pairs[0].to, to[0]);
	client_open(&pairs[1].to, to[1]);
	client_open(&pairs[1].from, from[1]);
	for (unsigned int i = 0; i < 2; i++) {
		pairs[i].worker = worker_of(from[i]);
		memcpy(pairs[i].from_mac, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(2 * i)}, 6);
		memcpy(pairs[i].to_mac, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(2 * i + 1)}, 6);
	}
	if (ws->nb == 2 && pairs[0].worker == pairs[1].worker)
		die("both senders have one worker");
}

static void
poll_all(void)
{
	for (unsigned int i = 0; i < ws->nb; i++)
		vale_worker_poll(ws, i);
}

/* A receiver speaks once, and is known. */
static void
introduce(struct client *c, const uint8_t *mac)
{
	client_put(c, mac, mac, 60, 0);
	atomic_store(&client_tx_kring(c, 0)->head, client_tx(c, 0)->head);
	poll_all();
}

static void
pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* ---- cycles ---- */

static void
fill(struct pair *p, const uint8_t *dst, uint32_t len)
{
	struct netmap_ring *tx = client_tx(&p->from, 0);

	for (uint32_t i = 0; i < tx->num_slots; i++) {
		uint8_t *f = client_buf(&p->from, tx->slot[i].buf_idx);

		memset(f, 0, 2048);
		memcpy(f, dst, 6);
		memcpy(f + 6, p->from_mac, 6);
		tx->slot[i].len = (uint16_t)len;
		tx->slot[i].flags = 0;
	}
}

/* One batch of each of nb pairs, and what their receivers got is given back. Returns cycles. */
static uint32_t
bench_round(struct pair *p, unsigned int nb, unsigned int worker, struct client *to)
{
	uint64_t t;

	for (unsigned int i = 0; i < nb; i++) {
		struct vale_nm_kring *tx = client_tx_kring(&p[i].from, 0);

		atomic_store(&tx->head, (atomic_load(&tx->head) + BATCH) % 1024);
	}
	t = rte_rdtsc_precise();
	vale_worker_poll(ws, worker);
	t = rte_rdtsc_precise() - t;
	for (unsigned int i = 0; i < nb; i++) {
		struct client *c = to != NULL ? to : &p[i].to;

		atomic_store(
			&client_rx_kring(c, 0)->head, atomic_load(&client_rx_kring(c, 0)->hwtail));
	}
	return (uint32_t)t;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Cycles a frame, the median of rounds: who takes our CPU away for some of them does not count. */
static double
median(uint32_t *cycles, unsigned int batches)
{
	qsort(cycles, ROUNDS, sizeof(cycles[0]), compare);
	return (double)cycles[ROUNDS / 2] / (batches * BATCH);
}

static struct client *bench_to; /* both senders' receiver, or NULL */

static void *
bench_thread(void *arg)
{
	struct pair *p = arg;

	pin((unsigned int)(p - pairs));
	atomic_fetch_add(&nb_ready, 1);
	while (atomic_load(&nb_ready) < 2)
		;
	for (unsigned int i = 0; i < ROUNDS; i++)
		p->cycles[i] = bench_round(p, 1, p->worker, bench_to);
	/* the other must not be alone at its end */
	atomic_fetch_add(&nb_ready, 1);
	while (atomic_load(&nb_ready) < 4)
		bench_round(p, 1, p->worker, bench_to);
	return NULL;
}

static double
bench_two(struct client *to)
{
	pthread_t thread[2];

	bench_to = to;
	atomic_store(&nb_ready, 0);
	for (unsigned int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, bench_thread, &pairs[i]);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	return (median(pairs[0].cycles, 1) + median(pairs[1].cycles, 1)) / 2;
}

static double
bench_one(void)
{
	pin(1);
	for (unsigned int i = 0; i < ROUNDS; i++)
		pairs[0].cycles[i] = bench_round(pairs, 2, 0, NULL);
	return median(pairs[0].cycles, 2);
}

static void
bench_begin(unsigned int nb_workers, uint32_t len)
{
	make_switch(nb_workers);
	memset(pairs, 0, sizeof(pairs));
	open_pairs();
	for (unsigned int i = 0; i < 2; i++) {
		introduce(&pairs[i].to, pairs[i].to_mac);
		fill(&pairs[i], pairs[i].to_mac, len);
	}
}

static void
bench_end(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		client_close(&pairs[i].from);
		client_close(&pairs[i].to);
	}
	free_switch();
}

static void
bench(uint32_t len)
{
	double one, two, into_one;

	bench_begin(1, len);
	one = bench_one();
	bench_end();
	bench_begin(2, len);
	two = bench_two(NULL);
	fill(&pairs[1], pairs[0].to_mac, len);
	into_one = bench_two(&pairs[0].to);
	bench_end();
	printf("{\"len\": %u, \"one_worker_two_pairs\": %.1f, \"two_workers_a_pair_each\": %.1f, "
	       "\"times\": %.2f, \"two_workers_into_one_port\": %.1f}\n",
		len, one, two, 2 * one / two, into_one);
}

/* ---- numbers ---- */

static struct {
	uint32_t nb_frames;	 /* of each sender */
	uint32_t due[2];	 /* number of the next frame; receiver */
	_Atomic uint32_t got[2]; /* frames whose room in the ring is free again */
	struct mclient memif;
	bool is_memif;
} check;

static void *
check_sender(void *arg)
{
	struct pair *p = arg;
	unsigned int me = (unsigned int)(p - pairs);
	struct vale_nm_kring *tx = client_tx_kring(&p->from, 0);
	uint32_t sent = 0;

	pin(me);
	while (atomic_load(&check.got[me]) < check.nb_frames) {
		uint32_t burst = 1 + sent % 64;

		for (; burst > 0 && sent < check.nb_frames &&
			sent - atomic_load(&check.got[me]) < WINDOW;
			burst--)
			client_put(&p->from, pairs[0].to_mac, p->from_mac, 60, sent++);
		atomic_store(&tx->head, client_tx(&p->from, 0)->head);
		if (vale_worker_poll(ws, p->worker) == 0)
			sched_yield();
	}
	return NULL;
}

static void
check_frame(const uint8_t *f, uint32_t len)
{
	unsigned int sender = f[11] / 2;
	uint32_t number = client_number(f, len);

	if (memcmp(f, pairs[0].to_mac, 6) != 0 || sender > 1 || f[11] % 2 != 0)
		die("a frame that nobody sent");
	if (number != check.due[sender])
		die("sender %u: frame %u came where %u was due", sender, number, check.due[sender]);
	check.due[sender]++;
}

/* The ring has room again for what was received. */
static void
check_given_back(void)
{
	for (unsigned int i = 0; i < 2; i++)
		atomic_store(&check.got[i], check.due[i]);
}

static bool
receive_netmap(void)
{
	struct client *c = &pairs[0].to;
	struct netmap_ring *r = client_rx(c, 0);
	uint32_t n = client_rx_sync(c, 0);

	for (uint32_t i = 0; i < n; i++) {
		const struct netmap_slot *s = &r->slot[r->head];

		check_frame(client_buf(c, s->buf_idx), s->len);
		r->head = r->cur = r->head + 1 == r->num_slots ? 0 : r->head + 1;
	}
	client_rx_sync(c, 0);
	check_given_back();
	return n > 0;
}

static bool
receive_memif(void)
{
	uint8_t f[2048];
	uint32_t len = mclient_rx(&check.memif, 0, f, sizeof(f));

	if (len > 0)
		check_frame(f, len);
	check_given_back();
	return len > 0;
}

static void
check_open(const char *kind)
{
	make_switch(2);
	open_pairs();
	check.is_memif = strcmp(kind, "memif") == 0;
	if (!check.is_memif) {
		introduce(&pairs[0].to, pairs[0].to_mac);
		return;
	}
	check.memif = (struct mclient){
		.name = "vale0:m", .nb_rings = 1, .log2_ring_sz = 10, .buf_sz = 2048};
	if (mclient_open(&check.memif, memif_path) < 0)
		die("memif: %s", check.memif.reason);
	uint8_t f[60] = {0};

	memcpy(f, pairs[0].to_mac, 6);
	memcpy(f + 6, pairs[0].to_mac, 6);
	mclient_tx(&check.memif, 0, f, sizeof(f));
	poll_all();
}

static void
run_check(const char *kind, uint32_t nb_frames)
{
	pthread_t thread[2];
	time_t end = time(NULL) + 60;

	check_open(kind);
	check.nb_frames = nb_frames;
	for (unsigned int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, check_sender, &pairs[i]);
	while (atomic_load(&check.got[0]) < nb_frames || atomic_load(&check.got[1]) < nb_frames) {
		if (!(check.is_memif ? receive_memif() : receive_netmap()))
			sched_yield();
		if (time(NULL) > end)
			die("frames are missing: %u and %u came", atomic_load(&check.got[0]),
				atomic_load(&check.got[1]));
	}
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	printf("ok - %s: %u frames of each of two senders, in order\n", kind, nb_frames);
	bench_end();
}

int
main(int argc, char **argv)
{
	char *eal[] = {argv[0], (char *)(uintptr_t) "--no-huge", (char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-shconf", (char *)(uintptr_t) "--no-telemetry",
		(char *)(uintptr_t) "-m", (char *)(uintptr_t) "128", (char *)(uintptr_t) "--lcores",
		(char *)(uintptr_t) "0@(0-1)"};
	char path[64];

	if (rte_eal_init(9, eal) < 0)
		return 1;
	snprintf(path, sizeof(path), "/tmp/two-workers-%d.sock", getpid());
	snprintf(memif_path, sizeof(memif_path), "/tmp/two-workers-%d-memif.sock", getpid());
	socket_path = path;
	if (argc > 3 && strcmp(argv[1], "check") == 0)
		run_check(argv[2], (uint32_t)atoi(argv[3]));
	else if (argc > 1 && strcmp(argv[1], "bench") == 0)
		bench(argc > 2 ? (uint32_t)atoi(argv[2]) : 60);
	else
		die("usage: two-workers bench [LEN] | check netmap|memif FRAMES");
	return 0;
}
