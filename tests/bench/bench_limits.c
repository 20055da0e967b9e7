/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the machine can do, measured between two CPUs beside each run: the round trip of a cache
 * line, copies of what the other CPU wrote, and rings of two kinds moved by a loop that looks at
 * one line of each frame and decides nothing: of 8-byte words, and of slots whose buffers are
 * copied. One line of JSON. Usage: bench-limits CPU CPU [milliseconds for each].
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>
#include <rte_ring.h>

#include "vale_prefetch.h"

#define BATCH 256
#define SLOT 9216
#define RING 1024
#define FRAMES 8192
/* A ring of slots whose buffers are copied, as netmap's and memif's are. */
#define PIECE 2048
/* Slots in use at most, so that what is in one ring and in our hands fits into the other. */
#define IN_USE (RING - BATCH - 1)
/* Copies to come for which lines are fetched. */
#define AHEAD 8
#define SAMPLES 65536
/* Round trips in a sample. */
#define TRIPS 32
/* Fewer frames in a round say nothing about many. */
#define ROUND_MIN 32

static const unsigned int sizes[] = {60, 256, 1514, 9014};

/* What the two threads share, each part on lines of its own. */
static struct {
	_Atomic uint32_t ping __rte_cache_aligned;
	_Atomic uint32_t pong __rte_cache_aligned;
	_Atomic uint32_t go __rte_cache_aligned;   /* batches written */
	_Atomic uint32_t done __rte_cache_aligned; /* batches copied */
	_Atomic bool stop __rte_cache_aligned;
	uint8_t from[BATCH][SLOT] __rte_cache_aligned;
	uint8_t to[BATCH][SLOT] __rte_cache_aligned;
	uint8_t frame[FRAMES][64] __rte_cache_aligned;
	struct slots {
		_Atomic uint32_t head __rte_cache_aligned; /* who fills */
		_Atomic uint32_t tail __rte_cache_aligned; /* who empties */
		struct {
			uint32_t buf;
			uint16_t len, flags;
			uint64_t unused;
		} slot[RING] __rte_cache_aligned;
		uint8_t buf[RING][PIECE] __rte_cache_aligned;
	} there, back;
} s;

static struct rte_ring *in, *out;
static unsigned int size;
static uint64_t duration;
static double hz;

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* ---- the other CPU ---- */

static void
echo(void)
{
	uint32_t seen = 0;

	while (!atomic_load_explicit(&s.stop, memory_order_relaxed)) {
		uint32_t v = atomic_load_explicit(&s.ping, memory_order_acquire);

		if (v != seen) {
			seen = v;
			atomic_store_explicit(&s.pong, v, memory_order_release);
		}
	}
}

static void
write_batches(void)
{
	for (uint32_t i = 1; !atomic_load_explicit(&s.stop, memory_order_relaxed); i++) {
		for (unsigned int k = 0; k < BATCH; k++)
			memset(s.from[k], (int)i, size);
		atomic_store_explicit(&s.go, i, memory_order_release);
		while (atomic_load_explicit(&s.done, memory_order_acquire) != i &&
			!atomic_load_explicit(&s.stop, memory_order_relaxed))
			;
	}
}

/* Source and sink: writes a line of each frame, and reads it when it is back. */
static void
source_and_sink(void)
{
	void *p[64];
	unsigned int n;
	uint32_t next = 0, sum = 0;

	while (!atomic_load_explicit(&s.stop, memory_order_relaxed)) {
		do {
			n = rte_ring_sc_dequeue_burst(out, p, 64, NULL);
			for (unsigned int i = 0; i < n; i++)
				sum += *(volatile uint8_t *)p[i];
		} while (n == 64);
		for (unsigned int i = 0; i < 64; i++) {
			p[i] = s.frame[next++ % FRAMES];
			memset(p[i], (int)next, 64);
		}
		rte_ring_sp_enqueue_burst(in, p, 64, NULL);
	}
	s.frame[0][0] = (uint8_t)sum;
}

/* Source and sink of slots; each line of a frame is written, and read when it is back. A frame is
 * as many slots as it takes. */
static void
fill_slot(uint32_t i, unsigned int len)
{
	uint8_t *p = s.there.buf[i % RING];

	for (unsigned int at = 0; at < len; at += RTE_CACHE_LINE_SIZE)
		*(volatile uint8_t *)(p + at) = (uint8_t)i;
	s.there.slot[i % RING].buf = i % RING;
	s.there.slot[i % RING].len = (uint16_t)len;
}

static uint32_t
read_slot(uint32_t i)
{
	const uint8_t *p = s.back.buf[s.back.slot[i % RING].buf];
	uint32_t sum = 0;

	for (unsigned int at = 0; at < s.back.slot[i % RING].len; at += RTE_CACHE_LINE_SIZE)
		sum += *(const volatile uint8_t *)(p + at);
	return sum;
}

static void
slot_source_and_sink(void)
{
	unsigned int pieces = (size + PIECE - 1) / PIECE;
	uint32_t head = 0, seen = 0, sum = 0;

	while (!atomic_load_explicit(&s.stop, memory_order_relaxed)) {
		uint32_t end = atomic_load_explicit(&s.back.head, memory_order_acquire);
		uint32_t done = atomic_load_explicit(&s.there.tail, memory_order_acquire);

		for (; seen != end; seen++)
			sum += read_slot(seen);
		atomic_store_explicit(&s.back.tail, seen, memory_order_release);
		for (unsigned int n = 0; n < BATCH && head + pieces - done < IN_USE; n += pieces) {
			for (unsigned int k = 0; k < pieces; k++)
				fill_slot(head++, RTE_MIN(size - k * PIECE, (unsigned int)PIECE));
		}
		atomic_store_explicit(&s.there.head, head, memory_order_release);
	}
	s.frame[0][0] = (uint8_t)sum;
}

struct other {
	pthread_t thread;
	int cpu;
	void (*fn)(void);
};

static void *
other_main(void *arg)
{
	struct other *o = arg;

	pin(o->cpu);
	o->fn();
	return NULL;
}

static void
other_start(struct other *o)
{
	atomic_store(&s.stop, false);
	atomic_store(&s.ping, 0);
	atomic_store(&s.pong, 0);
	atomic_store(&s.go, 0);
	atomic_store(&s.done, 0);
	atomic_store(&s.there.head, 0);
	atomic_store(&s.there.tail, 0);
	atomic_store(&s.back.head, 0);
	atomic_store(&s.back.tail, 0);
	if (pthread_create(&o->thread, NULL, other_main, o) != 0)
		exit(1);
}

static void
other_stop(struct other *o)
{
	atomic_store(&s.stop, true);
	pthread_join(o->thread, NULL);
}

/* ---- this CPU: cycles for each ---- */

/* Medians, so that it does not matter whether one of the threads is off its CPU for a while. */
static double samples[SAMPLES];
static unsigned int nb_samples;

static void
samples_begin(void)
{
	nb_samples = 0;
}

static void
sample(double v)
{
	if (nb_samples < SAMPLES)
		samples[nb_samples++] = v;
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
samples_median(void)
{
	if (nb_samples == 0)
		return 0;
	qsort(samples, nb_samples, sizeof(samples[0]), compare);
	return samples[nb_samples / 2];
}

static double
line_round_trip(struct other *o)
{
	uint64_t start, begin, now;
	uint32_t n = 0;

	o->fn = echo;
	other_start(o);
	samples_begin();
	start = now = rte_rdtsc();
	while (now - start < duration) {
		begin = now;
		for (unsigned int i = 0; i < TRIPS; i++) {
			atomic_store_explicit(&s.ping, ++n, memory_order_release);
			while (atomic_load_explicit(&s.pong, memory_order_acquire) != n)
				;
		}
		now = rte_rdtsc();
		sample((double)(now - begin) / TRIPS);
	}
	other_stop(o);
	return samples_median();
}

/* Time in the copies alone. */
static double
copy(struct other *o, unsigned int sz)
{
	uint64_t start = rte_rdtsc(), t;
	uint32_t n = 0;

	size = sz;
	o->fn = write_batches;
	other_start(o);
	samples_begin();
	while (rte_rdtsc() - start < duration) {
		while (atomic_load_explicit(&s.go, memory_order_acquire) != n + 1)
			;
		t = rte_rdtsc();
		for (unsigned int k = 0; k < BATCH; k++)
			rte_memcpy(s.to[k], s.from[k], sz);
		sample((double)(rte_rdtsc() - t) / BATCH);
		atomic_store_explicit(&s.done, ++n, memory_order_release);
	}
	other_stop(o);
	return samples_median();
}

/* A frame moved from one ring to the other, after a look at its first line. */
static double
ring(struct other *o, double *rate)
{
	uint64_t start, nb = 0, spent, sum = 0;
	void *p[BATCH];
	unsigned int n;

	rte_ring_init(in, "in", RING, RING_F_SP_ENQ | RING_F_SC_DEQ);
	rte_ring_init(out, "out", RING, RING_F_SP_ENQ | RING_F_SC_DEQ);
	o->fn = source_and_sink;
	other_start(o);
	samples_begin();
	start = rte_rdtsc();
	do {
		uint64_t begin = rte_rdtsc();

		n = rte_ring_sc_dequeue_burst(in, p, BATCH, NULL);
		for (unsigned int i = 0; i < n; i++)
			rte_prefetch0(p[i]);
		for (unsigned int i = 0; i < n; i++)
			sum += *(volatile uint64_t *)p[i];
		nb += rte_ring_sp_enqueue_burst(out, p, n, NULL);
		spent = rte_rdtsc() - start;
		if (n >= ROUND_MIN)
			sample((double)(rte_rdtsc() - begin) / n);
	} while (spent < duration);
	other_stop(o);
	s.to[0][0] = (uint8_t)sum;
	*rate = (double)nb * hz / (double)spent;
	return samples_median();
}

static inline void
fetch(uint32_t i)
{
	rte_prefetch0(s.there.buf[i % RING]);
	vale_prefetch_write(s.back.buf[i % RING]);
}

/* Slots from one ring to the other, after a look at the first line of each, which decides nothing.
 */
static uint64_t
move_slots(uint32_t at, uint32_t end)
{
	uint64_t sum = 0;

	for (uint32_t i = at; i < at + AHEAD && i != end; i++)
		fetch(i);
	for (; at != end; at++) {
		uint16_t len = s.there.slot[at % RING].len;
		const uint8_t *p = s.there.buf[s.there.slot[at % RING].buf];

		fetch(at + AHEAD);
		sum += *(const volatile uint64_t *)p;
		rte_memcpy(s.back.buf[at % RING], p, len);
		s.back.slot[at % RING].buf = at % RING;
		s.back.slot[at % RING].len = len;
	}
	return sum;
}

/* Cycles for a frame, in rounds that found some. */
static double
slots(struct other *o, unsigned int sz)
{
	uint64_t start, now, begin, sum = 0;
	uint32_t at = 0, n;

	size = sz;
	o->fn = slot_source_and_sink;
	other_start(o);
	samples_begin();
	start = now = rte_rdtsc();
	while (now - start < duration) {
		uint32_t end = atomic_load_explicit(&s.there.head, memory_order_acquire);
		uint32_t room = atomic_load_explicit(&s.back.tail, memory_order_acquire) + RING;

		begin = now;
		now = rte_rdtsc();
		end = (int32_t)(end - room) > 0 ? room : end;
		if (end == at)
			continue;
		n = end - at;
		sum += move_slots(at, end);
		at = end;
		atomic_store_explicit(&s.back.head, at, memory_order_release);
		atomic_store_explicit(&s.there.tail, at, memory_order_release);
		now = rte_rdtsc();
		if (n >= ROUND_MIN)
			sample((double)(now - begin) / n);
	}
	other_stop(o);
	s.to[0][0] = (uint8_t)sum;
	return samples_median() * ((sz + PIECE - 1) / PIECE);
}

/* Without EAL nobody has measured it. */
static double
tsc_hz(void)
{
	struct timespec a, b;
	uint64_t start, end;

	clock_gettime(CLOCK_MONOTONIC, &a);
	start = rte_rdtsc();
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		end = rte_rdtsc();
	} while ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 20000000);
	return (double)(end - start) * 1e9 /
	       (double)((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec);
}

int
main(int argc, char **argv)
{
	double ms = argc > 3 ? strtod(argv[3], NULL) : 100, rate;
	struct other o = {.cpu = argc > 2 ? atoi(argv[2]) : 1};

	if (argc < 3) {
		fputs("usage: bench-limits CPU CPU [MILLISECONDS]\n", stderr);
		return 2;
	}
	pin(atoi(argv[1]));
	hz = tsc_hz();
	duration = (uint64_t)(ms / 1000 * hz);
	in = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_ring_get_memsize(RING));
	out = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_ring_get_memsize(RING));
	if (in == NULL || out == NULL)
		return 1;
	printf("{\"hz\":%.0f,\"line_cycles\":%.0f", hz, line_round_trip(&o));
	for (unsigned int i = 0; i < RTE_DIM(sizes); i++)
		printf(",\"copy_%u_cycles\":%.1f", sizes[i], copy(&o, sizes[i]));
	for (unsigned int i = 0; i < RTE_DIM(sizes); i++)
		printf(",\"slots_%u_cycles\":%.1f", sizes[i], slots(&o, sizes[i]));
	printf(",\"ring_cycles\":%.1f", ring(&o, &rate));
	printf(",\"ring_rate\":%.0f}\n", rate);
	return 0;
}
