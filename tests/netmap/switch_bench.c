/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker spends on a frame from one netmap port to another, cycles of one core. No thread
 * but this one moves frames: it is the clients and, timed, the worker. usage: switch-bench [LEN
 * [IDLE [ROUNDS]]]: with so many ports beside them that do nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "switch_client.h"
#include "vale_control_server.h"
#include "vale_netmap_port.h"
#include "vale_switch.h"

#define ROUNDS_MAX 20000

static struct client a, b;
static unsigned int rounds = ROUNDS_MAX;

static void
fill(uint32_t len)
{
	struct netmap_ring *tx = client_tx(&a, 0);

	for (uint32_t i = 0; i < tx->num_slots; i++) {
		uint8_t *p = client_buf(&a, tx->slot[i].buf_idx);

		memset(p, 0, 2048);
		memcpy(p, mac_b, 6);
		memcpy(p + 6, mac_a, 6);
		tx->slot[i].len = (uint16_t)len;
		tx->slot[i].flags = 0;
	}
}

static int
compare(const void *one, const void *other)
{
	uint32_t x = *(const uint32_t *)one, y = *(const uint32_t *)other;

	return (x > y) - (x < y);
}

/* The median of rounds: who takes our CPU away for some of them does not count. */
static double
measure(struct vale_workers *ws, uint32_t batch)
{
	struct vale_nm_kring *tx = client_tx_kring(&a, 0), *rx = client_rx_kring(&b, 0);
	static uint32_t cycles[ROUNDS_MAX];
	uint64_t frames = 0;
	uint32_t head = atomic_load(&tx->head);

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t t;

		head = (head + batch) % 1024;
		atomic_store(&tx->head, head);
		t = rte_rdtsc_precise();
		frames += vale_worker_poll(ws, 0);
		cycles[i] = (uint32_t)(rte_rdtsc_precise() - t);
		atomic_store(&rx->head, atomic_load(&rx->hwtail));
	}
	if (frames != (uint64_t)rounds * batch)
		die("%" PRIu64 " frames", frames);
	qsort(cycles, rounds, sizeof(cycles[0]), compare);
	return (double)cycles[rounds / 2] / batch;
}

static void
open_idle(unsigned int nb)
{
	struct client *idle = calloc(nb, sizeof(*idle));
	char name[32];

	for (unsigned int i = 0; i < nb; i++) {
		/* small rings: their memory is not what is measured */
		idle[i].reg.nr_tx_slots = idle[i].reg.nr_rx_slots = 64;
		snprintf(name, sizeof(name), "vale0:i%u", i);
		client_open(&idle[i], name);
	}
}

static struct vale_switches *
make_switch(struct vale_workers **ws, struct vale_server **server)
{
	const struct vale_limits limits = {1, 254, 16384, 1024};
	const struct vale_netmap_conf netmap = {.user_max = UINT32_MAX};
	const struct vale_listener_conf conf = {.path = socket_path, .owner = -1, .group = -1};
	struct vale_switches *s;

	*ws = vale_workers_create(1);
	s = vale_switches_create(&limits, *ws);
	*server = vale_server_create(&conf);
	if (s == NULL || *server == NULL || vale_netmap_init(&netmap, s, *server) < 0 ||
		vale_server_start(*server) < 0)
		die("switch");
	return s;
}

int
main(int argc, char **argv)
{
	char *eal[] = {argv[0], (char *)(uintptr_t) "--no-huge", (char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-shconf", (char *)(uintptr_t) "--no-telemetry",
		(char *)(uintptr_t) "-m", (char *)(uintptr_t) "128", (char *)(uintptr_t) "--lcores",
		(char *)(uintptr_t) "0@(0-1)"};
	uint32_t len = argc > 1 ? (uint32_t)atoi(argv[1]) : 60;
	char path[64];
	struct vale_workers *ws;
	struct vale_server *server;
	struct vale_switches *s;

	if (argc > 3 && atoi(argv[3]) > 0 && atoi(argv[3]) < ROUNDS_MAX)
		rounds = (unsigned int)atoi(argv[3]);
	if (rte_eal_init(9, eal) < 0)
		return 1;
	snprintf(path, sizeof(path), "/tmp/switch-bench-%d.sock", getpid());
	socket_path = path;
	s = make_switch(&ws, &server);
	client_open(&a, "vale0:a");
	client_open(&b, "vale0:b");
	open_idle(argc > 2 ? (unsigned int)atoi(argv[2]) : 0);
	/* B speaks once, and is known */
	client_put(&b, mac_a, mac_b, 60, 0);
	atomic_store(&client_tx_kring(&b, 0)->head, client_tx(&b, 0)->head);
	vale_worker_poll(ws, 0);
	fill(len);
	for (uint32_t batch = 1; batch <= 1023;
		batch = batch * 4 > 1023 && batch < 1023 ? 1023 : batch * 4)
		printf("%4u frames of %u bytes at once: %.1f cycles a frame\n", batch, len,
			measure(ws, batch));
	vale_server_stop(server);
	vale_switches_free(s);
	vale_server_free(server);
	return 0;
}
