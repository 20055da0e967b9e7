/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The thread that watches the connections of all ports that are apart, and attaches them again.
 *
 * It holds no lock while it works on a port, for it calls the application, which may close that
 * port or any other in the callback. `busy` names the port it works on: who closes that port waits,
 * unless he is called by the thread itself. So after the application was called, the port is not
 * looked at again.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_string_fns.h>

#include "apart.h"

/* Attempts begin soon, because a switch may be restarted within a blink, and get rarer. */
#define PAUSE_MIN_MS 20
#define PAUSE_MAX_MS 1000
/* One attempt with a switch that is there takes under a millisecond. */
#define ATTEMPT_MS 1000
/* So many of them may go unanswered before that is said: some ten seconds. */
#define ATTEMPTS_SILENT 10

static struct {
	pthread_mutex_t lock;
	pthread_cond_t idle; /* busy has changed */
	TAILQ_HEAD(, apart_dev) devs;
	struct apart_dev *busy;
	pthread_t thread;
	bool runs;
	int wake_fd;
} life = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
	.devs = TAILQ_HEAD_INITIALIZER(life.devs),
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- losing the switch ---- */

static void
try_later(struct apart_dev *dev)
{
	dev->retry_ms = now_ms() + dev->pause_ms;
	dev->pause_ms = RTE_MIN(2 * dev->pause_ms, (uint32_t)PAUSE_MAX_MS);
}

/** What the switch said before it parted from us. */
static void
parted(struct apart_dev *dev, const struct memif_msg *m)
{
	const struct memif_msg_disconnect *d = &m->disconnect;
	bool comes_back = d->code != ENXIO;

	VALE_PMD_LOG(WARNING, "port %s was taken away: %.*s%s", dev->args.port, MEMIF_REASON_SZ,
		d->reason, comes_back ? "; it is attached again when that can be done" : "");
	if (!comes_back)
		atomic_store_explicit(&dev->evicted, true, memory_order_release);
}

static void
gone(struct apart_dev *dev)
{
	VALE_PMD_LOG(WARNING,
		"port %s: the switch has gone; it is attached again when that is back",
		dev->args.port);
}

/** Read what came. @return whether the port is lost. */
static bool
is_lost(struct apart_dev *dev)
{
	struct memif_msg m;
	ssize_t n = recv(dev->fd, &m, sizeof(m), MSG_DONTWAIT);

	/* a switch that went without reading what we said is an error first, and heard out then */
	if (n < 0 && errno == ECONNRESET)
		n = recv(dev->fd, &m, sizeof(m), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n == sizeof(m) && m.type != MEMIF_MSG_DISCONNECT)
		return false;
	if (n == sizeof(m))
		parted(dev, &m);
	else
		gone(dev);
	return true;
}

static void
lose(struct apart_dev *dev)
{
	dev->pause_ms = PAUSE_MIN_MS;
	dev->attempts = 0;
	dev->told[0] = '\0';
	try_later(dev);
	apart_ethdev_down(dev);
}

/* ---- attaching again ---- */

/** A reason is worth one line, however often it comes. A switch that starts or ends may not answer:
 * that is worth one when it goes on. */
static void
tell_once(struct apart_dev *dev, int err, const char *why)
{
	bool silent = err == ETIMEDOUT || err == ECONNRESET;

	if (why[0] == '\0' || strcmp(why, dev->told) == 0 ||
		(silent && dev->attempts < ATTEMPTS_SILENT))
		return;
	strlcpy(dev->told, why, sizeof(dev->told));
	VALE_PMD_LOG(WARNING, "%s; trying on", why);
}

static void
try_again(struct apart_dev *dev)
{
	char why[APART_WHY_SZ];
	int ret = -EBUSY;

	/* a burst may have been held up in the rings since they were lost */
	if (vale_gates_close(dev->eth_dev->data->port_id))
		ret = apart_link_attach(dev, ATTEMPT_MS, why);
	else
		snprintf(why, sizeof(why), "port %s: a thread is held up within a burst",
			dev->args.port);
	if (ret != 0) {
		dev->attempts++;
		tell_once(dev, -ret, why);
		try_later(dev);
		return;
	}
	VALE_PMD_LOG(NOTICE, "port %s is attached again", dev->args.port);
	apart_ethdev_up(dev);
}

/* ---- the thread ---- */

static bool
is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static bool
is_due(const struct apart_dev *dev)
{
	if (dev->fd >= 0)
		return is_readable(dev->fd);
	return !atomic_load_explicit(&dev->evicted, memory_order_relaxed) &&
	       now_ms() >= dev->retry_ms;
}

/** A port that wants something, made busy; NULL if none does. */
static struct apart_dev *
take_due(void)
{
	struct apart_dev *dev;

	pthread_mutex_lock(&life.lock);
	TAILQ_FOREACH (dev, &life.devs, next)
		if (is_due(dev))
			break;
	life.busy = dev;
	pthread_mutex_unlock(&life.lock);
	return dev;
}

static void
put_back(void)
{
	pthread_mutex_lock(&life.lock);
	life.busy = NULL;
	pthread_cond_broadcast(&life.idle);
	pthread_mutex_unlock(&life.lock);
}

/** What to wait for; the timeout in ms, -1: none. */
static int
collect(struct pollfd *p, nfds_t *nb)
{
	int64_t now = (int64_t)now_ms(), left = -1;
	struct apart_dev *dev;

	pthread_mutex_lock(&life.lock);
	p[0] = (struct pollfd){.fd = life.wake_fd, .events = POLLIN};
	*nb = 1;
	TAILQ_FOREACH (dev, &life.devs, next) {
		int64_t ms = RTE_MAX((int64_t)dev->retry_ms - now, 0);

		if (dev->fd >= 0)
			p[(*nb)++] = (struct pollfd){.fd = dev->fd, .events = POLLIN};
		else if (!atomic_load_explicit(&dev->evicted, memory_order_relaxed))
			left = left < 0 ? ms : RTE_MIN(left, ms);
	}
	pthread_mutex_unlock(&life.lock);
	return (int)left;
}

static void *
life_main(void *arg __rte_unused)
{
	struct pollfd p[RTE_MAX_ETHPORTS + 1];
	struct apart_dev *dev;
	eventfd_t count;
	int timeout_ms;
	nfds_t nb;

	for (;;) {
		timeout_ms = collect(p, &nb);
		if (poll(p, nb, timeout_ms) > 0 && p[0].revents != 0)
			eventfd_read(life.wake_fd, &count);
		while ((dev = take_due()) != NULL) {
			if (dev->fd < 0)
				try_again(dev);
			else if (is_lost(dev))
				lose(dev);
			put_back();
		}
	}
	return NULL;
}

/** With the lock held. */
static int
start_thread(void)
{
	int ret;

	if (life.runs)
		return 0;
	life.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (life.wake_fd < 0)
		return -errno;
	ret = rte_ctrl_thread_create(&life.thread, "vale-apart", NULL, life_main, NULL);
	if (ret != 0) {
		close(life.wake_fd);
		return ret;
	}
	life.runs = true;
	return 0;
}

int
apart_life_join(struct apart_dev *dev)
{
	int ret;

	pthread_mutex_lock(&life.lock);
	ret = start_thread();
	if (ret == 0) {
		TAILQ_INSERT_TAIL(&life.devs, dev, next);
		eventfd_write(life.wake_fd, 1);
	}
	pthread_mutex_unlock(&life.lock);
	return ret;
}

static bool
is_listed(const struct apart_dev *dev)
{
	const struct apart_dev *d;

	TAILQ_FOREACH (d, &life.devs, next)
		if (d == dev)
			return true;
	return false;
}

void
apart_life_leave(struct apart_dev *dev)
{
	pthread_mutex_lock(&life.lock);
	if (is_listed(dev))
		TAILQ_REMOVE(&life.devs, dev, next);
	while (life.busy == dev && !pthread_equal(pthread_self(), life.thread))
		pthread_cond_wait(&life.idle, &life.lock);
	pthread_mutex_unlock(&life.lock);
}
