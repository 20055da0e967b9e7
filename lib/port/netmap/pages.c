/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_lcore.h>

#include "arena.h"
#include "pages.h"
#include "vale_log.h"

#define PAGE 4096u
/* From these sizes on it is done aside: 3 ms and 12 ms of the kernel's work. The buffers of a ring
 * of 1,024 slots have 2 MB, a region of one such pair has 9 MB. */
#define POPULATE_ASIDE_SZ (4u << 20)
#define CLOSE_ASIDE_SZ (64u << 20)

/** What the thread has to do. */
struct task {
	void *addr; /**< NULL: close fd */
	size_t sz;
	int fd;
};

static int tasks_in = -1; /* control thread */

/* Memory that is no more by then is none of ours, or another region's, which loses nothing. */
static void
populate_now(void *addr, size_t sz)
{
	uintptr_t from = RTE_ALIGN_FLOOR((uintptr_t)addr, PAGE);

#ifdef MADV_POPULATE_WRITE
	/* where the kernel is older, the first frames are slower */
	(void)madvise((void *)from, (uintptr_t)addr + sz - from, MADV_POPULATE_WRITE);
#endif
}

static void
do_task(const struct task *t)
{
	if (t->addr != NULL)
		populate_now(t->addr, t->sz);
	else
		close(t->fd);
}

static void *
pages_main(void *arg)
{
	int out = (int)(intptr_t)arg;
	struct task t;

	while (read(out, &t, sizeof(t)) == sizeof(t))
		do_task(&t);
	close(out);
	return NULL;
}

/* Aside, if that can be. */
static void
give_task(const struct task *t)
{
	if (tasks_in < 0 || write(tasks_in, t, sizeof(*t)) != sizeof(*t))
		do_task(t);
}

void
nm_pages_populate(void *addr, size_t sz)
{
	/* elsewhere others' memory could come to lie */
	if (sz >= POPULATE_ASIDE_SZ && nm_arena_keeps(addr))
		give_task(&(struct task){.addr = addr, .sz = sz});
	else
		populate_now(addr, sz);
}

void
nm_pages_close(int fd, size_t sz)
{
	if (sz >= CLOSE_ASIDE_SZ)
		give_task(&(struct task){.fd = fd});
	else
		close(fd);
}

int
nm_pages_start(void)
{
	pthread_t thread;
	int p[2], ret;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	/* the control thread never waits for room */
	(void)fcntl(p[1], F_SETFL, O_NONBLOCK);
	ret = rte_ctrl_thread_create(
		&thread, "vale-pages", NULL, pages_main, (void *)(intptr_t)p[0]);
	if (ret != 0) {
		close(p[0]);
		close(p[1]);
		return -abs(ret);
	}
	pthread_detach(thread);
	tasks_in = p[1];
	return 0;
}

void
nm_pages_stop(void)
{
	if (tasks_in >= 0)
		close(tasks_in);
	tasks_in = -1;
}
