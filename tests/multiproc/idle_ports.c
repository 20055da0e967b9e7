/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many netmap and memif ports from one process, which do nothing, and how long a frame takes from
 * one of them to another when the worker sleeps.
 *
 *   idle-ports SOCKET MEMIF-SOCKET NETMAP MEMIF
 *
 * opens so many ports of either kind (valea:nI, valea:mI), says `ready`, and reads commands from
 * standard input:
 *
 *   wake KIND COUNT PAUSE_MS   a frame from port 0 to port 1 of KIND (netmap, memif) each time that
 *                              the worker has slept for PAUSE_MS; the receiver looks without rest.
 *                              Answer: microseconds, median, 99th percentile, worst, and frames
 * lost
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../memif/mclient.h"
#include "../netmap/switch_client.h"

#define LEN 60
/* Given up after this, in seconds. */
#define LOST_S 5

static struct client *nm;
static struct mclient *mi;

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
open_ports(const char *memif, unsigned int nb_netmap, unsigned int nb_memif)
{
	char *name;

	nm = calloc(nb_netmap + 1, sizeof(*nm));
	mi = calloc(nb_memif + 1, sizeof(*mi));
	for (unsigned int i = 0; i < nb_netmap; i++) {
		if (asprintf(&name, "valea:n%u", i) < 0)
			die("no memory");
		client_open(&nm[i], name);
	}
	for (unsigned int i = 0; i < nb_memif; i++) {
		if (asprintf(&name, "valea:m%u", i) < 0)
			die("no memory");
		mi[i] = (struct mclient){
			.name = name, .nb_rings = 1, .log2_ring_sz = 10, .buf_sz = 2048};
		if (mclient_open(&mi[i], memif) < 0)
			die("%s: %s", name, mi[i].reason);
	}
}

/* ---- one frame ---- */

static void
send_netmap(unsigned int from, const uint8_t *dst, const uint8_t *src)
{
	client_put(&nm[from], dst, src, LEN, 0);
	client_tx_sync(&nm[from], 0);
}

static bool
receive_netmap(unsigned int at)
{
	struct netmap_ring *r = client_rx(&nm[at], 0);

	if (client_rx_sync(&nm[at], 0) == 0)
		return false;
	r->head = r->cur = r->tail;
	client_rx_sync(&nm[at], 0);
	return true;
}

static void
send_memif(unsigned int from, const uint8_t *dst, const uint8_t *src)
{
	uint8_t f[LEN] = {0};

	memcpy(f, dst, 6);
	memcpy(f + 6, src, 6);
	f[12] = 0x88;
	f[13] = 0xb5;
	mclient_tx(&mi[from], 0, f, LEN);
}

static bool
receive_memif(unsigned int at)
{
	uint8_t f[LEN];

	return mclient_rx(&mi[at], 0, f, LEN) > 0;
}

struct kind {
	const char *name;
	void (*send)(unsigned int from, const uint8_t *dst, const uint8_t *src);
	bool (*receive)(unsigned int at);
	uint8_t mac[2][6];
};

static const struct kind kinds[] = {
	{"netmap", send_netmap, receive_netmap, {{2, 0, 0, 0, 1, 0}, {2, 0, 0, 0, 1, 1}}},
	{"memif", send_memif, receive_memif, {{2, 0, 0, 0, 2, 0}, {2, 0, 0, 0, 2, 1}}},
};

static bool
await(const struct kind *k, unsigned int at)
{
	double end = now_s() + LOST_S;

	while (!k->receive(at))
		if (now_s() > end)
			return false;
	return true;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
wake(const struct kind *k, unsigned int count, unsigned int pause_ms)
{
	double *us = calloc(count, sizeof(*us));
	unsigned int lost = 0, nb = 0;

	/* both are known, so that nobody else gets a frame */
	k->send(1, k->mac[0], k->mac[1]);
	if (!await(k, 0))
		die("the first frame did not come");
	for (unsigned int i = 0; i < count; i++) {
		double t;

		usleep(pause_ms * 1000);
		t = now_s();
		k->send(0, k->mac[1], k->mac[0]);
		if (await(k, 1))
			us[nb++] = (now_s() - t) * 1e6;
		else
			lost++;
	}
	qsort(us, nb, sizeof(*us), compare);
	printf("{\"kind\": \"%s\", \"median_us\": %.1f, \"p99_us\": %.1f, \"worst_us\": %.1f, "
	       "\"lost\": %u}\n",
		k->name, nb > 0 ? us[nb / 2] : 0, nb > 0 ? us[nb * 99 / 100] : 0,
		nb > 0 ? us[nb - 1] : 0, lost);
	fflush(stdout);
	free(us);
}

/* Each frame is for its own sender: it is learned, and goes nowhere. */
static void
fill(unsigned int count)
{
	uint8_t f[LEN] = {0x02, 0xf0};
	double t = now_s();

	for (unsigned int i = 0; i < count; i++) {
		memcpy(f + 2, &i, sizeof(i));
		memcpy(f + 6, f, 6);
		while (!mclient_tx(&mi[0], 0, f, LEN))
			if (mclient_parted(&mi[0]))
				die("the switch parted from us");
	}
	printf("{\"seconds\": %.3f}\n", now_s() - t);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	const struct rlimit files = {65536, 65536};
	char line[128], kind[16];
	unsigned int count, pause_ms;

	if (argc != 5)
		die("usage: idle-ports SOCKET MEMIF-SOCKET NETMAP MEMIF");
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	socket_path = argv[1];
	open_ports(argv[2], (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]));
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "fill %u", &count) == 1) {
			fill(count);
			continue;
		}
		if (sscanf(line, "wake %15s %u %u", kind, &count, &pause_ms) != 3)
			die("what is `%s'?", line);
		for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (strcmp(kind, kinds[i].name) == 0)
				wake(&kinds[i], count, pause_ms);
	}
	return 0;
}
