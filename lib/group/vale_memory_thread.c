/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_lcore.h>

#include "vale_memory_thread.h"

struct job {
	STAILQ_ENTRY(job) next;
	void (*fn)(void *arg);
	void *arg;
};

static struct {
	pthread_mutex_t lock; /* protects what follows */
	pthread_cond_t changed;
	STAILQ_HEAD(, job) jobs;
	bool stop;
	bool pause;  /* wanted */
	bool paused; /* is */
	/* constant while it runs */
	bool running;
	int wake_fd;
	pthread_t thread;
	struct vale_memory_thread_conf conf;
} t = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.jobs = STAILQ_HEAD_INITIALIZER(t.jobs),
	.wake_fd = -1,
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct job *
take_job(void)
{
	struct job *j;

	pthread_mutex_lock(&t.lock);
	j = STAILQ_FIRST(&t.jobs);
	if (j != NULL)
		STAILQ_REMOVE_HEAD(&t.jobs, next);
	pthread_mutex_unlock(&t.lock);
	return j;
}

static void
do_job(struct job *j)
{
	j->fn(j->arg);
	free(j);
}

static void
do_jobs(void)
{
	struct job *j;

	while ((j = take_job()) != NULL)
		do_job(j);
}

static bool
wants_rest(void)
{
	bool pause;

	pthread_mutex_lock(&t.lock);
	pause = t.pause;
	pthread_mutex_unlock(&t.lock);
	return pause;
}

/** Wait as long as somebody wants us to. @return false when the thread is to end. */
static bool
may_go_on(void)
{
	bool go;

	pthread_mutex_lock(&t.lock);
	while (t.pause) {
		t.paused = true;
		pthread_cond_broadcast(&t.changed);
		pthread_cond_wait(&t.changed, &t.lock);
	}
	t.paused = false;
	go = !t.stop;
	pthread_mutex_unlock(&t.lock);
	return go;
}

static void *
memory_main(void *arg __rte_unused)
{
	struct pollfd fds[] = {
		{.fd = t.wake_fd, .events = POLLIN}, {.fd = t.conf.news_fd, .events = POLLIN}};
	uint64_t next = now_ms() + t.conf.every_ms, now;
	struct job *j;
	eventfd_t nb;

	while (may_go_on()) {
		now = now_ms();
		if (now >= next) {
			t.conf.tick();
			next = now_ms() + t.conf.every_ms;
			continue;
		}
		poll(fds, RTE_DIM(fds), (int)(next - now));
		if (fds[0].revents != 0)
			eventfd_read(t.wake_fd, &nb);
		while (!wants_rest() && (j = take_job()) != NULL)
			do_job(j);
		if (fds[1].revents != 0 && !wants_rest())
			t.conf.news(t.conf.news_fd);
	}
	do_jobs();
	return NULL;
}

int
vale_memory_thread_start(const struct vale_memory_thread_conf *conf)
{
	int ret;

	t.conf = *conf;
	t.stop = t.pause = t.paused = false;
	t.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (t.wake_fd < 0)
		return -errno;
	ret = rte_ctrl_thread_create(&t.thread, "vale-memory", NULL, memory_main, NULL);
	t.running = ret == 0;
	if (ret == 0)
		return 0;
	close(t.wake_fd);
	t.wake_fd = -1;
	return -abs(ret);
}

static void
change(bool *what, bool value)
{
	pthread_mutex_lock(&t.lock);
	*what = value;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.lock);
	eventfd_write(t.wake_fd, 1);
}

void
vale_memory_thread_stop(void)
{
	if (!t.running)
		return;
	change(&t.stop, true);
	change(&t.pause, false); /* nobody is left who would wake it */
	pthread_join(t.thread, NULL);
	t.running = false;
	close(t.wake_fd);
	t.wake_fd = -1;
}

int
vale_memory_thread_post(void (*fn)(void *arg), void *arg)
{
	struct job *j;

	if (!t.running) {
		fn(arg);
		return 0;
	}
	j = malloc(sizeof(*j));
	if (j == NULL)
		return -ENOMEM;
	*j = (struct job){.fn = fn, .arg = arg};
	pthread_mutex_lock(&t.lock);
	STAILQ_INSERT_TAIL(&t.jobs, j, next);
	pthread_mutex_unlock(&t.lock);
	eventfd_write(t.wake_fd, 1);
	return 0;
}

bool
vale_memory_thread_ends(void)
{
	bool stop;

	pthread_mutex_lock(&t.lock);
	stop = t.stop;
	pthread_mutex_unlock(&t.lock);
	return stop;
}

void
vale_memory_thread_rest(void)
{
	pthread_mutex_lock(&t.lock);
	t.pause = t.running && !t.stop;
	pthread_mutex_unlock(&t.lock);
}

void
vale_memory_thread_pause(void)
{
	if (!t.running)
		return;
	change(&t.pause, true);
	pthread_mutex_lock(&t.lock);
	while (!t.paused)
		pthread_cond_wait(&t.changed, &t.lock);
	pthread_mutex_unlock(&t.lock);
	do_jobs(); /* those posted since it stopped */
}

void
vale_memory_thread_resume(void)
{
	if (t.running)
		change(&t.pause, false);
}
