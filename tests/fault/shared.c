/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A secondary that does things to memory shared by the group, then waits to be killed.
 *
 * usage: vale-shared EAL-OPTIONS -- hold LOCK:HOW...    lock them, in this order
 *        vale-shared EAL-OPTIONS -- break-heap          lock a heap, half-way through a split
 *        vale-shared EAL-OPTIONS -- make NAME [quit]    a pool, a ring and a memzone of that name
 *        vale-shared EAL-OPTIONS -- pool NAME [quit]    a pool alone
 *        vale-shared EAL-OPTIONS -- find NAME [quit]    look for those
 *        vale-shared EAL-OPTIONS -- leak BYTES          allocate
 *        vale-shared EAL-OPTIONS -- fork BYTES          allocate, and leave a child that checks it:
 *                                                       it prints its pid, and on SIGTERM ends
 *                                                       with status 0 if nobody touched it
 *        vale-shared EAL-OPTIONS -- hash NAME           a hash of that name
 *        vale-shared EAL-OPTIONS -- grow BYTES          allocate and free, more than there is
 *        vale-shared EAL-OPTIONS -- hammer MS           take and free memory, all the time
 *
 * LOCK is hotplug, heap, memzones, tailqs, mempools, timers, ethdev or array; HOW is r or w, or
 * wait (as a writer). It prints one line, `done`, and waits; with quit, and after grow and hammer,
 * it ends.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>
#include <rte_ring.h>

#include "vale_eal_mem_proto.h"
#include "vale_eal_memory.h"

struct place {
	rte_spinlock_t *spin;
	rte_rwlock_t *rw;
};

static void
fail(const char *what)
{
	fprintf(stderr, "vale-shared: %s: %s\n", what, rte_strerror(rte_errno));
	exit(1);
}

static struct place
find(const char *name, size_t len)
{
	const struct vale_eal_memory *m = vale_eal_memory();
	const struct {
		const char *name;
		struct place place;
	} all[] = {
		{"hotplug", {.rw = &m->cfg->memory_hotplug_lock}},
		{"heap", {.spin = &m->cfg->heaps[0].lock}},
		{"memzones", {.rw = &m->cfg->mlock}},
		{"tailqs", {.rw = &m->cfg->qlock}},
		{"mempools", {.rw = &m->cfg->mplock}},
		{"timers", {.spin = &m->cfg->tlock}},
		{"ethdev", {.spin = &m->ethdev->ownership_lock}},
		{"array", {.rw = &m->cfg->memzones.rwlock}},
	};

	for (unsigned int i = 0; i < RTE_DIM(all); i++)
		if (strlen(all[i].name) == len && strncmp(all[i].name, name, len) == 0)
			return all[i].place;
	fail("no such lock");
	return (struct place){0};
}

static void
hold(const char *what)
{
	size_t len = strcspn(what, ":");
	struct place p = find(what, len);
	const char *how = what[len] == ':' ? what + len + 1 : "";

	if (p.spin != NULL)
		rte_spinlock_lock(p.spin);
	else if (strcmp(how, "r") == 0)
		rte_rwlock_read_lock(p.rw);
	else if (strcmp(how, "w") == 0)
		rte_rwlock_write_lock(p.rw);
	else if (strcmp(how, "wait") == 0)
		__atomic_fetch_or(&p.rw->cnt, RTE_RWLOCK_WAIT, __ATOMIC_RELAXED);
	else
		fail("lock how?");
}

/** As in a split of the largest free element, before the old half has been made smaller. */
static void
break_heap(void)
{
	struct vale_eal_heap *heap = &vale_eal_memory()->cfg->heaps[0];
	struct vale_eal_elem *e, *big = NULL, *half;

	rte_spinlock_lock(&heap->lock);
	for (e = heap->first; e != NULL; e = e->next)
		if (e->state == VALE_EAL_ELEM_FREE && (big == NULL || e->size > big->size))
			big = e;
	if (big == NULL || big->size < 65536)
		fail("no large free element");
	/* taken off its list */
	if (big->free_next != NULL)
		big->free_next->free_prev = big->free_prev;
	*big->free_prev = big->free_next;
	half = RTE_PTR_ADD(big, 32768);
	*half = *big;
	half->size = big->size - 32768;
	half->prev = big;
	big->next = half;
	/* not done: half->next->prev, big->size, the free lists */
}

static void
make_pool(const char *name)
{
	if (rte_pktmbuf_pool_create(name, 2047, 32, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0) == NULL)
		fail("pool");
}

static void
make(const char *name)
{
	make_pool(name);
	if (rte_ring_create(name, 1024, SOCKET_ID_ANY, 0) == NULL)
		fail("ring");
	if (rte_memzone_reserve(name, 100000, SOCKET_ID_ANY, 0) == NULL)
		fail("memzone");
}

static void
grow(const char *bytes)
{
	void *p = rte_malloc("grow", strtoull(bytes, NULL, 10), 0);

	if (p == NULL)
		fail("rte_malloc");
	rte_free(p);
}

static void
find_again(const char *name)
{
	if (rte_mempool_lookup(name) == NULL)
		fail("pool");
	if (rte_ring_lookup(name) == NULL)
		fail("ring");
	if (rte_memzone_lookup(name) == NULL)
		fail("memzone");
}

static void
leak(const char *bytes)
{
	if (rte_malloc("leak", strtoull(bytes, NULL, 10), 0) == NULL)
		fail("rte_malloc");
}

static volatile sig_atomic_t told_to_end;

static void
on_term(int sig __attribute__((unused)))
{
	told_to_end = 1;
}

/* Stands for a process that nobody knows to be there, and that uses the heap. */
static void
leave_child(const char *bytes)
{
	size_t sz = strtoull(bytes, NULL, 10);
	uint8_t *p = rte_malloc("fork", sz, 0);
	pid_t pid;

	if (p == NULL)
		fail("rte_malloc");
	memset(p, 0x5a, sz);
	signal(SIGTERM, on_term);
	pid = fork();
	if (pid != 0) {
		printf("%d\n", pid);
		return;
	}
	while (!told_to_end)
		usleep(10000);
	for (size_t i = 0; i < sz; i++)
		if (p[i] != 0x5a)
			_exit(1);
	_exit(0);
}

static void
make_hash(const char *name)
{
	const struct rte_hash_parameters params = {
		.name = name,
		.entries = 1024,
		.key_len = 4,
		.socket_id = SOCKET_ID_ANY,
	};

	if (rte_hash_create(&params) == NULL)
		fail("hash");
}

static void
hammer(const char *ms)
{
	uint64_t end = rte_get_tsc_cycles() + rte_get_tsc_hz() / 1000 * strtoull(ms, NULL, 10);
	void *p;

	while (rte_get_tsc_cycles() < end) {
		p = rte_malloc("hammer", 1000, 0);
		if (p == NULL)
			fail("rte_malloc");
		rte_free(p);
		rte_memzone_lookup("hammer");
	}
}

static void
done(void)
{
	printf("done\n");
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	int n = rte_eal_init(argc, argv);

	if (n < 0)
		fail("rte_eal_init");
	argc -= n + 1;
	argv += n + 1;
	if (argc < 1 || vale_eal_memory_find() < 0)
		fail("nothing to do, or no shared memory");
	if (strcmp(argv[0], "hold") == 0)
		for (int i = 1; i < argc; i++)
			hold(argv[i]);
	else if (strcmp(argv[0], "break-heap") == 0)
		break_heap();
	else if (strcmp(argv[0], "make") == 0 && argc > 1)
		make(argv[1]);
	else if (strcmp(argv[0], "grow") == 0 && argc > 1)
		grow(argv[1]);
	else if (strcmp(argv[0], "pool") == 0 && argc > 1)
		make_pool(argv[1]);
	else if (strcmp(argv[0], "find") == 0 && argc > 1)
		find_again(argv[1]);
	else if (strcmp(argv[0], "leak") == 0 && argc > 1)
		leak(argv[1]);
	else if (strcmp(argv[0], "fork") == 0 && argc > 1)
		leave_child(argv[1]);
	else if (strcmp(argv[0], "hash") == 0 && argc > 1)
		make_hash(argv[1]);
	else if (strcmp(argv[0], "hammer") == 0 && argc > 1)
		hammer(argv[1]);
	else
		fail("unknown command");
	done();
	if (strcmp(argv[0], "grow") == 0 || strcmp(argv[0], "hammer") == 0 ||
		strcmp(argv[argc - 1], "quit") == 0)
		return rte_eal_cleanup();
	for (;;)
		pause();
}
