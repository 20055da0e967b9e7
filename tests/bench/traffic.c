/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * bench-traffic: a source, and sinks, on ports of any kind. The source writes every line of each
 * frame that it sends, a sink reads every line of each that it gets.
 *
 * The source sees nothing of the sinks. It sends as fast as its own ring takes frames, of which it
 * uses so much only that what is in that ring and in the switch's hands fits into a sink's ring: so
 * nothing is lost while this process is off its CPU. With --rate it sends as many frames as are
 * due, and does not make up for what it missed.
 *
 * One thread receives whatever is there and then sends the next burst; with --threads 2 source and
 * sinks have a thread each, which give way to each other on one CPU.
 *
 * On standard input it takes the commands `go [RATE]` and `stop`; each answer is a line of JSON.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "traffic.h"

#define SINKS_MAX 16
/* Latency in steps of a 16th of its power of two, in cycles. */
#define LAT_BITS 4
#define LAT_SUB (1 << LAT_BITS)
#define LAT_CLASSES (40 * LAT_SUB)
/* Rounds between two looks at standard input. */
#define ROUNDS 4096

struct traffic traffic = {.len = 60, .burst = 256, .macs = 1, .rings = 1024, .memif_rings = 1};

static struct tport source, sink[SINKS_MAX];
static unsigned int nb_sinks, nb_threads = 1;
static const char *source_name, *sink_name[SINKS_MAX];
static uint64_t latency[LAT_CLASSES];
static _Atomic bool going;
static bool eal;
static double next_due, gap; /* source's, in cycles */

void
traffic_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (errno %d)\n", errno);
	exit(1);
}

/* ---- addresses ---- */

static void
make_address(uint8_t *a, uint32_t i)
{
	a[0] = 0x02;
	a[1] = 0xbe;
	a[2] = (uint8_t)(i >> 24);
	a[3] = (uint8_t)(i >> 16);
	a[4] = (uint8_t)(i >> 8);
	a[5] = (uint8_t)i;
}

/* In random order, each once. */
static void
make_addresses(void)
{
	unsigned int seed = 1;

	make_address(traffic.src, UINT32_MAX);
	traffic.dst = calloc(traffic.macs, 6);
	if (traffic.dst == NULL)
		traffic_die("no memory");
	for (unsigned int i = 0; i < traffic.macs; i++)
		make_address(traffic.dst[i], i);
	for (unsigned int i = traffic.macs - 1; i > 0; i--) {
		unsigned int k = rand_r(&seed) % (i + 1);
		uint8_t t[6];

		memcpy(t, traffic.dst[i], 6);
		memcpy(traffic.dst[i], traffic.dst[k], 6);
		memcpy(traffic.dst[k], t, 6);
	}
	if (traffic.broadcast)
		memset(traffic.dst, 0xff, traffic.macs * 6);
}

/* The switch must know where each address is, before the traffic comes. */
static void
teach(void)
{
	for (unsigned int i = 0; i < traffic.macs && !traffic.broadcast; i++) {
		sink[0].ops->speak(&sink[0], traffic.src, traffic.dst[i]);
		source.ops->receive(&source, BURST_MAX);
	}
}

/* ---- latency ---- */

static unsigned int
latency_class(uint64_t cycles)
{
	unsigned int top = cycles < LAT_SUB ? 0 : 63 - __builtin_clzll(cycles) - LAT_BITS;
	unsigned int i =
		cycles < LAT_SUB ? cycles : (top + 1) * LAT_SUB + (cycles >> top & (LAT_SUB - 1));

	return i < LAT_CLASSES ? i : LAT_CLASSES - 1;
}

/* The least that is in a class, in cycles. */
static uint64_t
latency_of_class(unsigned int i)
{
	return i < LAT_SUB ? i : (uint64_t)(LAT_SUB + i % LAT_SUB) << (i / LAT_SUB - 1);
}

void
traffic_arrived(uint64_t stamp)
{
	latency[latency_class(rte_rdtsc() - stamp)]++;
}

/* ---- traffic ---- */

static void
receive_all(void)
{
	unsigned int n;

	for (unsigned int s = 0; s < nb_sinks; s++) {
		do {
			n = sink[s].ops->receive(&sink[s], sink[s].burst);
			sink[s].frames += n;
		} while (n == sink[s].burst);
	}
	/* what was flooded while the switch did not know better must not stay there */
	source.ops->receive(&source, BURST_MAX);
}

/* How many frames are due, if there is a rate. */
static unsigned int
frames_due(void)
{
	double now;
	unsigned int n;

	if (gap == 0)
		return source.burst;
	now = (double)rte_rdtsc();
	if (now < next_due)
		return 0;
	n = (unsigned int)((now - next_due) / gap) + 1;
	if (n > source.burst) {
		/* what was missed while we were off the CPU is not made up for */
		next_due = now;
		return source.burst;
	}
	next_due += n * gap;
	return n;
}

static void
send_due(void)
{
	unsigned int used = source.ops->used(&source);
	unsigned int room = used < source.cap ? (source.cap - used) / source.segs : 0;
	unsigned int n = frames_due();

	if (n == 0)
		return;
	n = n < room ? n : room;
	n = n > 0 ? source.ops->send(&source, n, rte_rdtsc()) : 0;
	source.frames += n;
	source.full += n == 0;
}

static int
source_main(void *arg)
{
	while (!atomic_load_explicit(&going, memory_order_relaxed))
		sched_yield();
	while (atomic_load_explicit(&going, memory_order_relaxed)) {
		send_due();
		sched_yield();
	}
	return 0;
}

static void *
source_thread(void *arg)
{
	source_main(arg);
	return NULL;
}

/* ---- commands ---- */

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double
tsc_hz(void)
{
	double begin = now_s(), end;
	uint64_t start = rte_rdtsc();

	do
		end = now_s();
	while (end - begin < 0.02);
	return (double)(rte_rdtsc() - start) / (end - begin);
}

static void
report(uint64_t cycles, double hz)
{
	uint64_t total = 0, seen = 0, received = 0;
	static const double share[] = {0.5, 0.9, 0.99, 0.999};
	uint64_t got[4] = {0};
	unsigned int k = 0;

	for (unsigned int s = 0; s < nb_sinks; s++)
		received += sink[s].frames;
	for (unsigned int i = 0; i < LAT_CLASSES; i++)
		total += latency[i];
	for (unsigned int i = 0; i < LAT_CLASSES && total > 0; i++) {
		seen += latency[i];
		for (; k < 4 && (double)seen >= share[k] * (double)total; k++)
			got[k] = latency_of_class(i);
	}
	printf("{\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"strange\":%" PRIu64
	       ",\"cycles\":%" PRIu64 ",\"hz\":%.0f,\"latency_cycles\":[%" PRIu64 ",%" PRIu64
	       ",%" PRIu64 ",%" PRIu64 "]}\n",
		source.frames, received, traffic.strange, cycles, hz, got[0], got[1], got[2],
		got[3]);
	fflush(stdout);
}

/* @return false at the end of input. */
static bool
read_command(bool *go, int timeout_ms)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};
	char line[32];

	if (poll(&p, 1, timeout_ms) <= 0)
		return true;
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	*go = strncmp(line, "go", 2) == 0;
	if (*go && line[2] == ' ')
		traffic.rate = strtod(line + 3, NULL);
	return true;
}

static void
source_start(pthread_t *thread)
{
	unsigned int lcore = eal ? rte_get_next_lcore(-1, 1, 0) : RTE_MAX_LCORE;

	if (nb_threads == 1)
		return;
	if (lcore < RTE_MAX_LCORE)
		rte_eal_remote_launch(source_main, NULL, lcore);
	else if (pthread_create(thread, NULL, source_thread, NULL) != 0)
		traffic_die("no thread");
}

static void
source_stop(pthread_t thread)
{
	if (nb_threads == 1)
		return;
	if (thread != 0)
		pthread_join(thread, NULL);
	else
		rte_eal_mp_wait_lcore();
}

/* What an earlier run left on the way has an old stamp: out with it. */
static void
drain(double hz)
{
	uint64_t end = rte_rdtsc() + (uint64_t)(hz / 100);

	while (rte_rdtsc() < end)
		receive_all();
}

/* From `go` to `stop`. */
static bool
run(double hz)
{
	bool go = true, more = true;
	pthread_t thread = 0;
	uint64_t start;

	drain(hz);
	start = rte_rdtsc();
	gap = traffic.rate > 0 ? hz / traffic.rate : 0;
	next_due = (double)start;
	source.frames = source.full = traffic.strange = 0;
	for (unsigned int s = 0; s < nb_sinks; s++)
		sink[s].frames = 0;
	memset(latency, 0, sizeof(latency));
	source_start(&thread);
	atomic_store(&going, true);
	while (go && more) {
		for (unsigned int i = 0; i < ROUNDS; i++) {
			receive_all();
			if (nb_threads == 1)
				send_due();
			else
				sched_yield();
		}
		more = read_command(&go, 0);
	}
	atomic_store(&going, false);
	source_stop(thread);
	report(rte_rdtsc() - start, hz);
	return more;
}

/* ---- ports ---- */

/* KIND:NAME */
static void
open_port(struct tport *p, const char *text, unsigned int rings)
{
	static const struct {
		const char *prefix;
		const struct tport_ops *ops;
	} kinds[] = {{"dpdk:", &tport_dpdk}, {"netmap:", &tport_netmap}, {"memif:", &tport_memif}};
	unsigned int frames;

	for (unsigned int i = 0; i < 3; i++) {
		size_t n = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, n) != 0)
			continue;
		p->ops = kinds[i].ops;
		p->segs = (traffic.len + BUF_SZ - 1) / BUF_SZ;
		/* the other end's ring may want several slots a frame where ours wants one */
		frames = rings / p->segs;
		p->burst = traffic.burst < frames / 2 ? traffic.burst : frames / 2;
		p->ops->open(p, text + n, rings);
		/* a ring of n slots holds n - 1, with most kinds */
		p->cap = (frames - 1 - p->burst) / (p->ops->in_hand ? 2 : 1) * p->segs;
		return;
	}
	traffic_die("%s: a port is dpdk:NAME, netmap:NAME or memif:NAME[@SOCKET]", text);
}

/* KIND:PREFIX:N ports that do nothing. */
static void
open_idle(const char *text)
{
	const char *colon = strrchr(text, ':');
	unsigned int n = strtoul(colon + 1, NULL, 0);

	for (unsigned int i = 0; i < n; i++) {
		struct tport *p = calloc(1, sizeof(*p));
		char *name;

		if (p == NULL || asprintf(&name, "%.*s%u", (int)(colon - text), text, i) < 0)
			traffic_die("no memory");
		open_port(p, name, 64);
	}
}

static int
usage(void)
{
	fputs("usage: bench-traffic [EAL options] -- --source KIND:NAME --sink KIND:NAME... "
	      "[--idle KIND:PREFIX:N]... [--len BYTES] [--burst N] [--macs N] [--rings SLOTS] "
	      "[--rate FRAMES/S] [--broadcast] [--threads 1|2] [--socket PATH] "
	      "[--memif-socket PATH] [--memif-rings N]\n",
		stderr);
	return 2;
}

static const struct option longs[] = {{"len", 1, NULL, 'l'}, {"burst", 1, NULL, 'b'},
	{"macs", 1, NULL, 'm'}, {"rate", 1, NULL, 'r'}, {"rings", 1, NULL, 'n'},
	{"broadcast", 0, NULL, 'B'}, {"source", 1, NULL, 's'}, {"sink", 1, NULL, 'd'},
	{"idle", 1, NULL, 'i'}, {"threads", 1, NULL, 't'}, {"socket", 1, NULL, 'S'},
	{"memif-socket", 1, NULL, 'M'}, {"memif-rings", 1, NULL, 'R'}, {0}};

/* Options of which there may be several, after those that they depend on. */
static void
open_ports(int argc, char **argv)
{
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'i')
			open_idle(optarg);
	}
	open_port(&source, source_name, traffic.rings);
	for (unsigned int i = 0; i < nb_sinks; i++)
		open_port(&sink[i], sink_name[i], traffic.rings);
}

static bool
parse(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			traffic.len = strtoul(optarg, NULL, 0);
			break;
		case 'b':
			traffic.burst = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			traffic.macs = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			traffic.rate = strtod(optarg, NULL);
			break;
		case 'n':
			traffic.rings = strtoul(optarg, NULL, 0);
			break;
		case 'B':
			traffic.broadcast = true;
			break;
		case 's':
			source_name = optarg;
			break;
		case 'i':
			if (strrchr(optarg, ':') == NULL)
				return false;
			break;
		case 't':
			nb_threads = strtoul(optarg, NULL, 0);
			break;
		case 'S':
			traffic.netmap_socket = optarg;
			break;
		case 'M':
			traffic.memif_socket = optarg;
			break;
		case 'R':
			traffic.memif_rings = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			if (nb_sinks == SINKS_MAX)
				return false;
			sink_name[nb_sinks++] = optarg;
			break;
		default:
			return false;
		}
	}
	return source_name != NULL && nb_sinks > 0 && traffic.len >= FRAME_MIN &&
	       traffic.len <= FRAME_MAX && traffic.burst >= 1 && traffic.burst <= BURST_MAX &&
	       traffic.memif_rings >= 1 && traffic.memif_rings <= MEMIF_RINGS_MAX &&
	       traffic.macs >= 1 && nb_threads >= 1 && nb_threads <= 2;
}

int
main(int argc, char **argv)
{
	double hz = tsc_hz();
	bool go = false;
	int n;

	eal = argc > 1 && strcmp(argv[1], "--") != 0;
	n = eal ? rte_eal_init(argc, argv) : 1;
	if (n < 0)
		return 1;
	if (!parse(argc - n, argv + n))
		return usage();
	make_addresses();
	open_ports(argc - n, argv + n);
	setvbuf(stdin, NULL, _IONBF, 0);
	teach();
	puts("{\"ready\":true}");
	fflush(stdout);
	while (read_command(&go, -1))
		if (go && !run(hz))
			break;
	/* so that the compiler cannot leave the reading out */
	if (traffic.sum == 1)
		fputs("\n", stderr);
	if (eal)
		rte_eal_cleanup();
	return 0;
}
