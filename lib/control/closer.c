/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "closer.h"

struct closer {
	int in; /* numbers of descriptors go in here */
};

static void *
closer_loop(void *arg)
{
	int out = (int)(intptr_t)arg, fd;

	while (read(out, &fd, sizeof(fd)) == sizeof(fd))
		close(fd);
	close(out);
	return NULL;
}

struct closer *
closer_start(void)
{
	struct closer *c = calloc(1, sizeof(*c));
	pthread_t thread;
	int p[2], ret;

	if (c == NULL || pipe2(p, O_CLOEXEC) < 0) {
		free(c);
		return NULL;
	}
	/* the control thread never waits for room */
	(void)fcntl(p[1], F_SETFL, O_NONBLOCK);
	ret = rte_ctrl_thread_create(
		&thread, "vale-closer", NULL, closer_loop, (void *)(intptr_t)p[0]);
	if (ret != 0) {
		close(p[0]);
		close(p[1]);
		free(c);
		errno = -ret;
		return NULL;
	}
	pthread_detach(thread);
	c->in = p[1];
	return c;
}

void
closer_close(struct closer *c, int fd)
{
	/* full: thousands wait there, and the process has hardly a descriptor left */
	if (c == NULL || write(c->in, &fd, sizeof(fd)) != sizeof(fd))
		close(fd);
}

void
closer_stop(struct closer *c)
{
	if (c == NULL)
		return;
	close(c->in);
	free(c);
}
