/* SPDX-License-Identifier: BSD-3-Clause */
/* memif-hostile SOCKET SECONDS SEED PORT...: does to the switch what a memif client can do, in a
 * process for each attack, which is killed at a random moment. Says at the end how often each was
 * made, and how the switch parted from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mclient.h"

#define PARALLEL 3
#define LIFE_MS 400

static uint64_t seed;
static const char *path;
static char **ports;
static unsigned int nb_ports;

static uint32_t
dice(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 20) % n);
}

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A number of the kind that breaks arithmetic. */
static uint32_t
nasty(uint32_t sz)
{
	const uint32_t n[] = {0, 1, 13, 14, 60, 2048, 9216, 9217, sz - 60, sz - 1, sz, sz + 1,
		0x7fffffff, 0x80000000, 0xffffffff, 0xffffffff - 60, dice(sz), dice(sz), dice(sz),
		dice(0xffffffff)};

	return n[dice(sizeof(n) / sizeof(n[0]))];
}

static void
open_any(struct mclient *c)
{
	*c = (struct mclient){
		.name = ports[dice(nb_ports)],
		.nb_rings = (uint16_t)(1 + dice(3)),
		.log2_ring_sz = (uint8_t)(1 + dice(9)),
		.buf_sz = 128u << dice(6),
	};
	if (mclient_open(c, path) < 0)
		exit(2);
}

static void
scribble_desc(struct mclient *c, struct memif_ring *r)
{
	struct memif_desc *d = (struct memif_desc *)&r->desc[dice(c->ring_sz)];

	switch (dice(5)) {
	case 0:
		d->length = nasty((uint32_t)c->mem_sz);
		break;
	case 1:
		d->offset = nasty((uint32_t)c->mem_sz);
		break;
	case 2:
		d->region = (uint16_t)nasty(3);
		break;
	case 3:
		d->flags = (uint16_t)dice(4);
		break;
	case 4:
		*d = (struct memif_desc){
			.length = 14 + dice(100), .offset = dice((uint32_t)c->mem_sz)};
		break;
	}
}

/* ---- attacks: each runs until it is killed, or returns ---- */

/* Descriptors at random, heads that go forward within the ring: the switch counts, goes on, and
 * does not part from us. */
static void
attack_descriptors(void)
{
	struct mclient c;

	open_any(&c);
	while (!mclient_parted(&c)) {
		uint16_t i = (uint16_t)dice(c.nb_rings);
		uint16_t out = (uint16_t)(c.head[i] - atomic_load(&c.c2s[i]->tail));

		for (int k = 0; k < 8; k++)
			scribble_desc(&c, c.c2s[i]);
		c.head[i] += (uint16_t)dice(c.ring_sz - out + 1);
		atomic_store(&c.c2s[i]->head, c.head[i]);
		eventfd_write(c.c2s_fd[i], 1);
	}
}

/* The same, and everything else in the memory, while the switch reads it. */
static void
attack_memory(void)
{
	struct mclient c;

	open_any(&c);
	while (!mclient_parted(&c)) {
		uint32_t at = dice((uint32_t)c.mem_sz - 8);
		uint64_t v = (uint64_t)nasty((uint32_t)c.mem_sz) << dice(33);

		if (dice(4) == 0)
			at = dice(256);
		memcpy(c.mem + at, &v, sizeof(v));
		eventfd_write(c.c2s_fd[0], 1);
	}
}

/* Buffers for the switch to write to that are none. */
static void
attack_buffers(void)
{
	struct mclient c;

	open_any(&c);
	while (!mclient_parted(&c)) {
		uint16_t i = (uint16_t)dice(c.nb_rings);

		if (dice(100) == 0)
			scribble_desc(&c, c.s2c[i]);
		atomic_store(&c.s2c[i]->head,
			(uint16_t)(atomic_load(&c.s2c[i]->tail) + dice(c.ring_sz + 1)));
	}
}

/* Memory that goes away, all of it or its end, for good or for a moment. */
static void
attack_shrink(void)
{
	struct mclient c;
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0xba, 1};

	bool cut = dice(3) != 0; /* or emptied, which leaves rings of zeroes */

	open_any(&c);
	for (uint32_t i = 0; i < 200 + dice(2000); i++)
		mclient_tx(&c, 0, frame, sizeof(frame));
	/* our own mapping would be hit, too */
	munmap(c.mem, c.mem_sz);
	while (!mclient_parted(&c)) {
		if (cut)
			(void)!ftruncate(c.region_fd, dice(2) ? dice((uint32_t)c.mem_sz) : 0);
		else
			fallocate(c.region_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				(off_t)c.mem_sz);
		eventfd_write(c.c2s_fd[0], 1);
		if (dice(3) == 0) {
			usleep(dice(2000));
			(void)!ftruncate(c.region_fd, (off_t)c.mem_sz);
		}
	}
}

/* Eventfds that are full and block whoever writes them, with frames that make the switch ring. */
static void
attack_eventfds(void)
{
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0xba, 2};
	struct mclient c[2];
	uint64_t full = UINT64_MAX - 1;

	for (int i = 0; i < 2; i++) {
		open_any(&c[i]);
		for (uint16_t k = 0; k < c[i].nb_rings; k++) {
			fcntl(c[i].s2c_fd[k], F_SETFL, 0);
			(void)!write(c[i].s2c_fd[k], &full, sizeof(full));
			atomic_store(&c[i].s2c[k]->flags, 0);
		}
	}
	while (!mclient_parted(&c[0]) && !mclient_parted(&c[1])) {
		for (int i = 0; i < 2; i++) {
			mclient_tx(&c[i], 0, frame, sizeof(frame));
			while (mclient_rx(&c[i], 0, frame, sizeof(frame)) > 0)
				;
		}
	}
}

/* The handshake as far as it goes, then silence. */
static void
attack_halfway(void)
{
	struct memif_msg m;
	int fd[70]; /* more than may be half-way at once */

	for (int i = 0; i < 70; i++) {
		fd[i] = mclient_dial(path);
		if (fd[i] < 0 || mclient_hear(fd[i], &m) < 0 || dice(3) == 0)
			continue;
		m = (struct memif_msg){.type = MEMIF_MSG_INIT};
		m.init.version = MEMIF_VERSION;
		snprintf(m.init.secret, sizeof(m.init.secret), "%s", ports[dice(nb_ports)]);
		mclient_say(fd[i], &m, -1);
	}
	pause();
}

/* Messages of any content, length and number of descriptors, answers unread. */
static void
attack_messages(void)
{
	struct mclient c = {
		.name = ports[dice(nb_ports)], .nb_rings = 1, .log2_ring_sz = 8, .buf_sz = 2048};
	struct memif_msg hello;
	uint8_t junk[MEMIF_MSG_SZ];

	if (mclient_make(&c) < 0)
		exit(1);
	for (int round = 0; round < 200; round++) {
		const int fds[] = {-1, c.region_fd, c.c2s_fd[0], 0, 1, 2};
		int fd = mclient_dial(path);

		if (fd < 0)
			exit(1);
		if (dice(2) == 0) /* or be gone before the switch has looked */
			mclient_hear(fd, &hello);
		for (uint32_t n = dice(12); n > 0; n--) {
			struct memif_msg m = {.type = (uint16_t)dice(10)};

			for (size_t i = 0; i < sizeof(m.body); i++)
				m.body[i] = (uint8_t)(dice(3) ? 0 : dice(256));
			if (m.type == MEMIF_MSG_INIT && dice(4) != 0) {
				m.init.version = MEMIF_VERSION;
				m.init.mode = 0;
				memset(m.init.secret, 0, sizeof(m.init.secret));
				snprintf(m.init.secret, sizeof(m.init.secret), "%s",
					ports[dice(nb_ports)]);
			}
			if (m.type == MEMIF_MSG_ADD_REGION && dice(4) != 0)
				m.add_region.size = c.mem_sz;
			if (dice(20) == 0)
				(void)!send(
					fd, junk, dice(sizeof(junk)), MSG_NOSIGNAL | MSG_DONTWAIT);
			else
				mclient_say(fd, &m, fds[dice(6)]);
		}
		close(fd);
	}
}

/* Come and go. */
static void
attack_flapping(void)
{
	for (;;) {
		struct mclient c = {.name = ports[dice(nb_ports)],
			.nb_rings = 16,
			.log2_ring_sz = 10,
			.buf_sz = 2048};

		if (mclient_open(&c, path) == 0)
			eventfd_write(c.c2s_fd[0], 1);
		mclient_close(&c);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} attacks[] = {
	{"descriptors", attack_descriptors},
	{"memory", attack_memory},
	{"buffers", attack_buffers},
	{"shrink", attack_shrink},
	{"eventfds", attack_eventfds},
	{"halfway", attack_halfway},
	{"messages", attack_messages},
	{"flapping", attack_flapping},
};
#define NB_ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

/* ---- one process each ---- */

static struct running {
	pid_t pid;
	unsigned int attack;
	double until;
} running[PARALLEL];

static struct {
	unsigned int made, parted, killed, busy;
} count[NB_ATTACKS];

static unsigned int next_attack;

static void
start_one(struct running *r)
{
	/* by turns, so that a short run has them all */
	r->attack = next_attack++ % NB_ATTACKS;
	r->until = now_s() + dice(LIFE_MS) / 1e3;
	seed += 0x9e3779b97f4a7c15u;
	r->pid = fork();
	if (r->pid == 0) {
		signal(SIGBUS, SIG_DFL);
		attacks[r->attack].run();
		_exit(0);
	}
	count[r->attack].made++;
}

static void
watch_one(struct running *r)
{
	int status;

	if (r->pid == 0)
		return;
	if (now_s() > r->until)
		kill(r->pid, SIGKILL);
	if (waitpid(r->pid, &status, WNOHANG) != r->pid)
		return;
	r->pid = 0;
	if (WIFSIGNALED(status))
		count[r->attack].killed++;
	else if (WEXITSTATUS(status) == 2)
		count[r->attack].busy++;
	else
		count[r->attack].parted++;
}

int
main(int argc, char **argv)
{
	double end;

	if (argc < 5) {
		fprintf(stderr, "usage: memif-hostile SOCKET SECONDS SEED PORT...\n");
		return 2;
	}
	path = argv[1];
	end = now_s() + strtod(argv[2], NULL);
	seed = strtoull(argv[3], NULL, 10) * 2654435761u + 1;
	ports = &argv[4];
	nb_ports = (unsigned int)argc - 4;
	next_attack = dice(NB_ATTACKS);
	signal(SIGPIPE, SIG_IGN);
	while (now_s() < end) {
		for (unsigned int i = 0; i < PARALLEL; i++) {
			watch_one(&running[i]);
			if (running[i].pid == 0)
				start_one(&running[i]);
		}
		usleep(5000);
	}
	for (unsigned int i = 0; i < PARALLEL; i++) {
		if (running[i].pid > 0)
			kill(running[i].pid, SIGKILL);
		running[i].until = 0;
		while (running[i].pid != 0)
			watch_one(&running[i]);
	}
	printf("ok");
	for (unsigned int i = 0; i < NB_ATTACKS; i++)
		printf(" %s=%u/%u/%u/%u", attacks[i].name, count[i].made, count[i].parted,
			count[i].killed, count[i].busy);
	printf("\n");
	return 0;
}
