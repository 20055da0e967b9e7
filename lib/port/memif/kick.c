/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_lcore.h>

#include "memif_port.h"

/*
 * Waking a client without ever waiting for it.
 *
 * The eventfd is the client's, and so are its flags and its counter: it can clear O_NONBLOCK and
 * fill the counter to 2^64 - 2 at any moment, after which a write() waits for as long as the client
 * likes. No look beforehand helps, the client may do it right behind. So the switch never writes
 * it: it submits to the kernel's asynchronous I/O (io_submit) a read of no bytes from /dev/null,
 * which is done at once, and names the client's descriptor as the one to be told (IOCB_FLAG_RESFD).
 * The kernel then adds 1 from within, up to the counter's end and no further, and that never
 * sleeps. It also refuses a descriptor that is no eventfd (EINVAL). It takes under a microsecond.
 */

/* Completions are collected when so many wait. */
#define COLLECT 32

struct context {
	aio_context_t ctx;
	unsigned int nb; /* completions to collect */
	bool there;
} __rte_cache_aligned;

static struct context contexts[RTE_MAX_LCORE];
static int null_fd = -1;

static int
context_open(struct context *c)
{
	if (syscall(SYS_io_setup, 2 * COLLECT, &c->ctx) < 0)
		return -errno;
	c->there = true;
	return 0;
}

int
memif_kick_init(void)
{
	unsigned int lcore;
	int ret = 0;

	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0)
		return -errno;
	RTE_LCORE_FOREACH(lcore)
	{
		ret = context_open(&contexts[lcore]);
		if (ret < 0)
			break;
	}
	if (ret < 0)
		memif_kick_fini();
	return ret;
}

void
memif_kick_fini(void)
{
	for (unsigned int i = 0; i < RTE_DIM(contexts); i++) {
		if (contexts[i].there)
			syscall(SYS_io_destroy, contexts[i].ctx);
		contexts[i] = (struct context){0};
	}
	if (null_fd >= 0)
		close(null_fd);
	null_fd = -1;
}

static void
collect(struct context *c)
{
	struct io_event ev[COLLECT];
	struct timespec zero = {0};
	long n = syscall(SYS_io_getevents, c->ctx, 0, RTE_DIM(ev), ev, &zero);

	if (n > 0)
		c->nb -= RTE_MIN((unsigned int)n, c->nb);
}

void
memif_kick(int event_fd)
{
	unsigned int lcore = rte_lcore_id();
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = null_fd,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = event_fd,
	};
	struct iocb *one = &cb;
	struct context *c;

	if (unlikely(lcore >= RTE_DIM(contexts) || !contexts[lcore].there))
		return;
	c = &contexts[lcore];
	if (syscall(SYS_io_submit, c->ctx, 1, &one) == 1)
		c->nb++;
	else if (errno == EAGAIN)
		c->nb = COLLECT;
	if (c->nb >= COLLECT)
		collect(c);
}
