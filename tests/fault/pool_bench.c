/* SPDX-License-Identifier: BSD-3-Clause */

/* Cycles for getting and putting a burst of 32 mbufs: operations `vale` against the stock ones, on
 * one core. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "vale_pool.h"

#define NB_MBUFS 16384
#define CACHE_SZ 256
#define BURST 32
#define RUNS 31
#define PAIRS 20000

/* How many bursts are taken before they are put back: in the lcore cache, and through it. As bare
 * objects, or as mbufs. */
static const struct pattern {
	const char *name;
	unsigned int depth;
	bool mbufs;
} patterns[] = {
	{"in the cache", 1, false},
	{"through the cache", 32, false},
	{"mbufs through the cache", 32, true},
};

static int
get(struct rte_mempool *mp, void **m, bool mbufs)
{
	if (mbufs)
		return rte_pktmbuf_alloc_bulk(mp, (struct rte_mbuf **)m, BURST);
	return rte_mempool_get_bulk(mp, m, BURST);
}

static void
put(struct rte_mempool *mp, void **m, bool mbufs)
{
	if (mbufs)
		rte_pktmbuf_free_bulk((struct rte_mbuf **)m, BURST);
	else
		rte_mempool_put_bulk(mp, m, BURST);
}

static uint64_t
measure(struct rte_mempool *mp, const struct pattern *p)
{
	unsigned int depth = p->depth;
	static void *m[32][BURST];
	uint64_t start = rte_rdtsc_precise();

	for (unsigned int i = 0; i < PAIRS / depth; i++) {
		for (unsigned int d = 0; d < depth; d++)
			if (get(mp, m[d], p->mbufs) != 0)
				exit(1);
		for (unsigned int d = 0; d < depth; d++)
			put(mp, m[d], p->mbufs);
	}
	return (rte_rdtsc_precise() - start) / (PAIRS / depth * depth);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Medians of alternating runs, since the machine may do other things as well. */
static void
compare(const char *who, struct rte_mempool *stock, struct rte_mempool *vale,
	const struct pattern *p)
{
	uint64_t a[RUNS], b[RUNS];

	for (unsigned int i = 0; i < RUNS; i++) {
		a[i] = measure(stock, p);
		b[i] = measure(vale, p);
	}
	qsort(a, RUNS, sizeof(a[0]), by_value);
	qsort(b, RUNS, sizeof(b[0]), by_value);
	printf("%s, %s: ring_mp_mc %ju, vale %ju cycles per get and put of %u, ratio %.3f\n", who,
		p->name, (uintmax_t)a[RUNS / 2], (uintmax_t)b[RUNS / 2], BURST,
		(double)b[RUNS / 2] / (double)a[RUNS / 2]);
	fflush(stdout);
}

static void
compare_all(const char *who, struct rte_mempool *stock, struct rte_mempool *vale)
{
	for (unsigned int i = 0; i < RTE_DIM(patterns); i++)
		compare(who, stock, vale, &patterns[i]);
}

int
main(int argc, char **argv)
{
	struct rte_mempool *stock, *vale;
	int status = 0;
	pid_t pid;

	if (rte_eal_init(argc, argv) < 0 || vale_pool_register() != 0)
		return 1;
	stock = rte_pktmbuf_pool_create(
		"stock", NB_MBUFS, CACHE_SZ, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	vale = vale_pool_create(
		"vale", NB_MBUFS, CACHE_SZ, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (stock == NULL || vale == NULL || vale_pool_govern(vale, NB_MBUFS) != 0)
		return 1;
	compare_all("switch", stock, vale);
	pid = fork(); /* a process of its own is a client */
	if (pid == 0) {
		compare_all("client", stock, vale);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	rte_eal_cleanup();
	return status != 0;
}
