/* SPDX-License-Identifier: BSD-3-Clause */
/* memif-flow: numbered, checked traffic between two memif clients that sleep while they wait.
 *
 *   memif-flow SOCKET echo PORT             sends back what memif-flow sent, until it is parted
 * from memif-flow SOCKET ping PORT SECONDS [LEN] a window of frames to the echo, of LEN bytes or of
 * all lengths; each that returns must be what was sent, in order.
 *                                           SIGTERM ends it early memif-flow SOCKET bench FROM TO
 * SECONDS LEN [CPU] how fast the switch moves frames
 *
 * One line on standard output; exit status 0 if all was well.
 */
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mclient.h"

#define FRAME_MAX 9216
#define FRAME_MIN 60
/* Frames on their way; they fit into a ring with room for strangers' floods. */
#define WINDOW 16
#define MAGIC UINT64_C(0x776f6c662d696d65)
#define RETRY_MS 200

/* Behind the Ethernet header. The rest is a pattern made from seq. */
struct tag {
	uint64_t magic;
	uint64_t seq;
	uint32_t len;
	uint32_t sum;
} __attribute__((packed));

static const uint8_t ping_mac[6] = {2, 0, 0, 0, 0xf1, 1}, echo_mac[6] = {2, 0, 0, 0, 0xf1, 2};

static volatile sig_atomic_t told_to_end;

static void
on_term(int sig)
{
	told_to_end = 1;
}

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint32_t
sum_of(const uint8_t *p, uint32_t n)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

static uint32_t
frame_len(uint64_t seq, uint32_t fixed)
{
	return fixed != 0 ? fixed : FRAME_MIN + (uint32_t)(seq * 2654435761u % (FRAME_MAX - 59));
}

static void
frame_build(uint8_t *f, uint64_t seq, uint32_t len)
{
	struct tag t = {.magic = MAGIC, .seq = seq, .len = len};

	memcpy(f, echo_mac, 6);
	memcpy(f + 6, ping_mac, 6);
	f[12] = 0x88;
	f[13] = 0xb5;
	for (uint32_t i = 14 + sizeof(t); i < len; i++)
		f[i] = (uint8_t)(seq * 31 + i * 7);
	t.sum = sum_of(f + 14 + sizeof(t), len - 14 - sizeof(t));
	memcpy(f + 14, &t, sizeof(t));
}

/* 1 good, 0 a stranger's, -1 ours and damaged. */
static int
frame_check(const uint8_t *f, uint32_t len, uint64_t *seq)
{
	struct tag t;

	if (len < 14 + sizeof(t))
		return 0;
	memcpy(&t, f + 14, sizeof(t));
	if (t.magic != MAGIC)
		return 0;
	*seq = t.seq;
	if (t.len != len || t.sum != sum_of(f + 14 + sizeof(t), len - 14 - sizeof(t)))
		return -1;
	return 1;
}

static int
open_client(struct mclient *c, const char *path, const char *name, uint8_t log2_sz)
{
	int ret;

	*c = (struct mclient){.name = name, .nb_rings = 1, .log2_ring_sz = log2_sz, .buf_sz = 2048};
	ret = mclient_open(c, path);
	if (ret < 0)
		printf("error %s: %s %s\n", name, strerror(-ret), c->reason);
	return ret;
}

static int
run_echo(const char *path, const char *name)
{
	static uint8_t f[FRAME_MAX];
	uint64_t echoed = 0, seq;
	struct mclient c;
	uint32_t len;

	if (open_client(&c, path, name, 8) < 0)
		return 1;
	printf("ok ready\n");
	fflush(stdout);
	while (!mclient_parted(&c)) {
		if (!mclient_wait(&c, 0, 100))
			continue;
		while ((len = mclient_rx(&c, 0, f, sizeof(f))) > 0) {
			if (frame_check(f, len, &seq) == 0)
				continue;
			memcpy(f, ping_mac, 6);
			memcpy(f + 6, echo_mac, 6);
			echoed += mclient_tx(&c, 0, f, len);
		}
	}
	printf("ok echoed=%" PRIu64 "\n", echoed);
	return 0;
}

struct ping {
	struct mclient c;
	uint64_t next;	 /* to send */
	uint64_t expect; /* to come back next; also behind what is given up */
	uint64_t last;	 /* came back, plus 1 */
	uint64_t good, bad, disorder, strangers;
};

static void
ping_take(struct ping *p, const uint8_t *f, uint32_t len)
{
	uint64_t seq;
	int verdict = frame_check(f, len, &seq);

	if (verdict == 0) {
		p->strangers++;
	} else if (verdict < 0) {
		p->bad++;
	} else if (seq < p->last || seq >= p->next) {
		p->disorder++;
	} else {
		p->last = seq + 1;
		/* a late one was given up already */
		p->expect = p->last > p->expect ? p->last : p->expect;
		p->good++;
	}
}

static int
run_ping(const char *path, const char *name, double seconds, uint32_t fixed)
{
	static uint8_t f[FRAME_MAX];
	static struct ping p;
	double end, worst = 0, last;
	bool parted = false;
	uint64_t came;
	uint32_t len;

	if (open_client(&p.c, path, name, 8) < 0)
		return 1;
	last = now_s();
	end = last + seconds;
	while (now_s() < end && !parted && !told_to_end) {
		while (p.next - p.expect < WINDOW) {
			len = frame_len(p.next, fixed);
			frame_build(f, p.next, len);
			if (!mclient_tx(&p.c, 0, f, len))
				break;
			p.next++;
		}
		/* nothing comes back: strangers' floods were in the way */
		if (!mclient_wait(&p.c, 0, RETRY_MS))
			p.expect = p.next;
		came = p.good + p.strangers;
		while ((len = mclient_rx(&p.c, 0, f, sizeof(f))) > 0)
			ping_take(&p, f, len);
		worst = now_s() - last > worst ? now_s() - last : worst;
		/* strangers' floods, too, show that the switch is at work */
		last = p.good + p.strangers > came ? now_s() : last;
		parted = mclient_parted(&p.c);
	}
	printf("ok sent=%" PRIu64 " good=%" PRIu64 " lost=%" PRIu64 " bad=%" PRIu64
	       " disorder=%" PRIu64 " strangers=%" PRIu64 " worst_ms=%.0f parted=%d\n",
		p.next, p.good, p.next - p.good - p.bad, p.bad, p.disorder, p.strangers,
		worst * 1e3, parted);
	return p.bad + p.disorder > 0 || p.good == 0 || parted;
}

/* ---- speed ---- */

/* The client does as little as it can, so that what is measured is the switch: buffers are
 * filled once, frames of one length. */
static void
bench_fill(struct mclient *from, uint32_t len)
{
	for (uint32_t i = 0; i < from->ring_sz; i++) {
		struct memif_desc *d = (struct memif_desc *)&from->c2s[0]->desc[i];

		frame_build(from->mem + d->offset, i, len);
		d->length = len;
	}
}

static int
run_bench(const char *from_to[2], const char *path, double seconds, uint32_t len)
{
	struct mclient c[2];
	struct memif_ring *out, *in;
	uint64_t sent = 0, got = 0;
	uint16_t head = 0, seen = 0;
	double begin, end;
	uint8_t hello[FRAME_MIN];

	for (int i = 0; i < 2; i++)
		if (open_client(&c[i], path, from_to[i], 10) < 0)
			return 1;
	/* where the destination is */
	frame_build(hello, 0, sizeof(hello));
	memcpy(hello, ping_mac, 6);
	memcpy(hello + 6, echo_mac, 6);
	mclient_tx(&c[1], 0, hello, sizeof(hello));
	while (mclient_rx(&c[0], 0, hello, sizeof(hello)) == 0)
		sched_yield();
	bench_fill(&c[0], len);
	out = c[0].c2s[0];
	in = c[1].s2c[0];
	begin = now_s();
	do {
		for (int i = 0; i < 1000; i++) {
			uint16_t tail = atomic_load_explicit(&out->tail, memory_order_acquire);
			uint16_t full = (uint16_t)(tail + c[0].ring_sz);
			uint16_t there = atomic_load_explicit(&in->tail, memory_order_acquire);
			uint64_t one = 1;

			if (head != full) {
				sent += (uint16_t)(full - head);
				head = full;
				atomic_store_explicit(&out->head, head, memory_order_seq_cst);
				if (!(atomic_load(&out->flags) & MEMIF_RING_MASK_INT))
					(void)!write(c[0].c2s_fd[0], &one, sizeof(one));
			}
			if (there != seen) {
				got += (uint16_t)(there - seen);
				seen = there;
				atomic_store_explicit(&in->head, (uint16_t)(seen + c[1].ring_sz),
					memory_order_release);
			}
		}
		end = now_s();
	} while (end - begin < seconds);
	printf("ok len=%u offered_mpps=%.2f delivered_mpps=%.2f\n", len,
		(double)sent / (end - begin) / 1e6, (double)got / (end - begin) / 1e6);
	return 0;
}

static int
usage(void)
{
	fprintf(stderr, "usage: memif-flow SOCKET echo PORT | ping PORT SECONDS [LEN] | "
			"bench FROM TO SECONDS LEN [CPU]\n");
	return 2;
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_term);
	if (argc >= 4 && strcmp(argv[2], "echo") == 0)
		return run_echo(argv[1], argv[3]);
	if (argc >= 5 && strcmp(argv[2], "ping") == 0)
		return run_ping(argv[1], argv[3], strtod(argv[4], NULL),
			argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 0);
	if (argc >= 7 && strcmp(argv[2], "bench") == 0) {
		const char *from_to[2] = {argv[3], argv[4]};
		cpu_set_t set;

		if (argc > 7) {
			CPU_ZERO(&set);
			CPU_SET(strtoul(argv[7], NULL, 10), &set);
			(void)sched_setaffinity(0, sizeof(set), &set);
		}
		return run_bench(from_to, argv[1], strtod(argv[5], NULL),
			(uint32_t)strtoul(argv[6], NULL, 10));
	}
	return usage();
}
