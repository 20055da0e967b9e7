/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the forwarding database costs a worker by the number of addresses, looked up in random order
 * as a worker does (buckets fetched for 32 frames ahead), and what the control thread takes to go
 * over a full table. One line of JSON. usage: bench-fdb [CPU]
 *
 * Beside that, a second thread on CPU 0 looks up and learns: the longest time that 32 of its frames
 * took, before and during a flush of a million.
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <rte_cycles.h>

#include "vale_fdb.h"

#define CHUNK 32
#define SIZE (1u << 20)
#define PORTS 254
#define AGEING_S 300
#define SECONDS 0.3
#define HUGE_PAGE (2u << 20)

static double hz;

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
measure_hz(void)
{
	double t = now_s();
	uint64_t c = rte_rdtsc();

	while (now_s() < t + 0.05)
		;
	hz = (double)(rte_rdtsc() - c) / (now_s() - t);
}

static vale_mac_t
mac_of(uint32_t i)
{
	return 0x02be | (uint64_t)__builtin_bswap32(i) << 16;
}

/* In hugepages, as the switch has them, if there are any. */
static struct vale_fdb *
make_table(uint32_t size)
{
	size_t sz = RTE_ALIGN_CEIL(vale_fdb_memsize(size, PORTS), (size_t)HUGE_PAGE);
	void *mem = mmap(
		NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (mem == MAP_FAILED)
		mem = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED) {
		perror("bench-fdb");
		exit(1);
	}
	return vale_fdb_init(mem, size, PORTS, 1);
}

static void
fill(struct vale_fdb *fdb, uint32_t nb)
{
	for (uint32_t i = 0; i < nb; i++)
		vale_fdb_learn(fdb, mac_of(i), i % (PORTS - 1), 1, AGEING_S);
}

static vale_mac_t *
make_order(uint32_t nb)
{
	/* and the first of them again, so that a chunk never wraps */
	vale_mac_t *order = calloc(nb + CHUNK, sizeof(*order));

	if (order == NULL)
		exit(1);
	for (uint32_t i = 0; i < nb; i++)
		order[i] = mac_of(i);
	for (uint32_t i = nb - 1; i > 0; i--) {
		uint32_t k = (uint32_t)random() % (i + 1);
		vale_mac_t t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
	for (uint32_t i = 0; i < CHUNK; i++)
		order[nb + i] = order[i % nb];
	return order;
}

/* 32 frames. A destination that comes twice in a row is looked up once. */
static uint64_t
chunk(struct vale_fdb *fdb, const vale_mac_t *dst)
{
	vale_mac_t last = 0;
	uint64_t sum = 0, port = 0;

	for (unsigned int i = 0; i < CHUNK; i++) {
		if (dst[i] != last)
			vale_fdb_prefetch(fdb, dst[i]);
		last = dst[i];
	}
	last = 0;
	for (unsigned int i = 0; i < CHUNK; i++) {
		if (dst[i] != last)
			port = vale_fdb_lookup(fdb, dst[i], 1, AGEING_S);
		last = dst[i];
		sum += port;
	}
	return sum;
}

static double
lookup_cycles(uint32_t size, uint32_t nb)
{
	struct vale_fdb *fdb = make_table(size);
	vale_mac_t *dst = make_order(nb);
	uint64_t begin, frames = 0, sum = 0;
	double end = now_s() + SECONDS;
	uint32_t at = 0;

	fill(fdb, nb);
	begin = rte_rdtsc();
	do {
		for (unsigned int i = 0; i < 256; i++, frames += CHUNK) {
			sum += chunk(fdb, dst + at);
			at = at + CHUNK < nb ? at + CHUNK : 0;
		}
	} while (now_s() < end);
	free(dst);
	return (double)(rte_rdtsc() - begin) / (double)(frames + (sum == 0));
}

/* ---- a worker beside the control thread ---- */

static struct {
	struct vale_fdb *fdb;
	const vale_mac_t *dst;
	_Atomic bool flushing, stop;
	uint64_t worst, worst_before; /* cycles for a chunk; read when the thread has ended */
} worker;

static void *
worker_main(void *arg)
{
	uint32_t at = 0;

	while (!atomic_load_explicit(&worker.stop, memory_order_relaxed)) {
		uint64_t t = rte_rdtsc(), sum;

		sum = chunk(worker.fdb, worker.dst + at);
		for (unsigned int i = 0; i < CHUNK; i++)
			sum += (uint64_t)vale_fdb_learn(
				worker.fdb, worker.dst[at], 253, 1, AGEING_S);
		t = rte_rdtsc() - t + (sum == 1);
		if (!atomic_load_explicit(&worker.flushing, memory_order_relaxed))
			worker.worst_before = RTE_MAX(worker.worst_before, t);
		else
			worker.worst = RTE_MAX(worker.worst, t);
		at = (at + CHUNK) % SIZE;
	}
	return NULL;
}

static double
timed_ms(uint64_t begin)
{
	return (double)(rte_rdtsc() - begin) / hz * 1e3;
}

static void
count_entry(void *arg, const struct vale_fdb_entry *e)
{
	(*(uint32_t *)arg)++;
}

int
main(int argc, char **argv)
{
	static const uint32_t nbs[] = {1, 1000, 10000, 100000, 1000000};
	uint32_t entries = 0;
	pthread_t thread;
	cpu_set_t set;
	uint64_t t;

	if (argc > 1) {
		CPU_ZERO(&set);
		CPU_SET(strtoul(argv[1], NULL, 10), &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	measure_hz();
	printf("{");
	for (unsigned int i = 0; i < RTE_DIM(nbs); i++)
		printf("\"lookup_%u\": %.1f, ", nbs[i],
			lookup_cycles(nbs[i] <= 100000 ? 131072 : SIZE, nbs[i]));

	worker.fdb = make_table(SIZE);
	worker.dst = make_order(SIZE);
	fill(worker.fdb, SIZE);
	t = rte_rdtsc();
	vale_fdb_walk(worker.fdb, 1, AGEING_S, count_entry, &entries);
	printf("\"entries\": %u, \"walk_ms\": %.1f, ", entries, timed_ms(t));
	t = rte_rdtsc();
	vale_fdb_sweep(worker.fdb, 1, AGEING_S);
	printf("\"sweep_ms\": %.1f, ", timed_ms(t));
	t = rte_rdtsc();
	entries = vale_fdb_flush(worker.fdb, 7, false);
	printf("\"flush_port_ms\": %.1f, ", timed_ms(t));
	t = rte_rdtsc();
	entries += vale_fdb_flush(worker.fdb, VALE_FDB_NONE, false);
	printf("\"flushed\": %u, \"flush_ms\": %.1f, ", entries, timed_ms(t));
	fill(worker.fdb, SIZE);
	pthread_create(&thread, NULL, worker_main, NULL);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	pthread_setaffinity_np(thread, sizeof(set), &set);
	t = rte_rdtsc();
	while (timed_ms(t) < 50)
		;
	atomic_store(&worker.flushing, true);
	t = rte_rdtsc();
	entries = vale_fdb_flush(worker.fdb, VALE_FDB_NONE, false);
	printf("\"beside_flushed\": %u, \"beside_flush_ms\": %.1f, ", entries, timed_ms(t));
	atomic_store(&worker.flushing, false);
	atomic_store(&worker.stop, true);
	pthread_join(thread, NULL);
	printf("\"beside_worst_us\": %.1f, \"before_worst_us\": %.1f}\n",
		(double)worker.worst / hz * 1e6, (double)worker.worst_before / hz * 1e6);
	return 0;
}
