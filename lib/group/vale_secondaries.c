/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/syscall.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_string_fns.h>

#include "runtime.h"
#include "vale_locks.h"
#include "vale_log.h"
#include "vale_mp_bury.h"
#include "vale_process.h"
#include "vale_secondaries.h"

#define IDLE_TICK_MS 1000

/** A process. Made by `vale-life`. When it has ended it is removed by the later of two:
 * `vale-memory`, which takes its memory back, and who is told by vale_secondaries_take_ended(). */
struct process {
	TAILQ_ENTRY(process) next;
	struct vale_secondary s; /* age_ms: unused */
	int pidfd;		 /* -1: ended */
	bool told;		 /* that it has ended; or nobody asks */
	uint64_t since_ms;
	char socket[NAME_MAX + 1];
};

TAILQ_HEAD(process_list, process);

/* Processes that get a port before vale-life has seen them, at one time. */
#define EARLY_MAX 32

static struct {
	pthread_mutex_t lock; /* protects processes and slots */
	struct process_list processes;
	struct process_list gone; /* their memory is taken back, and they are not yet told */
	uint64_t slots;		  /* in use */
	/* with the lock: they have ports, and are not in the list yet, since vale-life has not got
	 * its turn; 0: none */
	pid_t early[EARLY_MAX];
	unsigned int next_early;
	bool asked; /* somebody wants to be told */
	_Atomic unsigned int seen;
	bool stop;
	/* vale-life only */
	int epoll_fd, inotify_fd;
	bool checking; /* locks */
	/* constant while the thread runs */
	int wake_fd; /* to vale-life */
	int news_fd; /* to vale-memory */
	pthread_t thread;
	bool running;
	vale_secondary_appeared_t appeared;
	vale_secondary_ended_t ended;
} g = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.processes = TAILQ_HEAD_INITIALIZER(g.processes),
	.gone = TAILQ_HEAD_INITIALIZER(g.gone),
	.epoll_fd = -1,
	.inotify_fd = -1,
	.wake_fd = -1,
	.news_fd = -1,
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- processes: vale-life ---- */

/** With the lock. */
static struct process *
find_living(pid_t pid)
{
	struct process *p;

	TAILQ_FOREACH (p, &g.processes, next)
		if (p->s.pid == pid && p->pidfd >= 0)
			return p;
	return NULL;
}

/** Whether another process lives that calls itself by the same number, in a PID namespace of its
 * own: its files cannot be told apart. */
static bool
has_namesake(pid_t ns_pid)
{
	struct process *p;
	bool found = false;

	pthread_mutex_lock(&g.lock);
	TAILQ_FOREACH (p, &g.processes, next)
		found |= p->s.id.ns_pid == ns_pid && p->pidfd >= 0;
	pthread_mutex_unlock(&g.lock);
	return found;
}

static bool
is_socket_known(const char *name)
{
	struct process *p;
	bool found = false;

	pthread_mutex_lock(&g.lock);
	TAILQ_FOREACH (p, &g.processes, next)
		found |= p->pidfd >= 0 && strcmp(p->socket, name) == 0;
	pthread_mutex_unlock(&g.lock);
	return found;
}

/** Whether a process has got a port before it was seen; it is forgotten. With the lock. */
static bool
take_early(pid_t pid)
{
	bool found = false;

	for (unsigned int i = 0; i < EARLY_MAX; i++) {
		if (g.early[i] != pid)
			continue;
		g.early[i] = 0;
		found = true;
	}
	return found;
}

/** Whether a process is one that we know; if it has ended, its number may be another's by now. */
static bool
is_known(pid_t pid)
{
	struct pollfd pfd = {.events = POLLIN};
	const struct process *p;

	pthread_mutex_lock(&g.lock);
	p = find_living(pid);
	pfd.fd = p != NULL ? p->pidfd : -1;
	pthread_mutex_unlock(&g.lock);
	/* this thread closes it, and nobody else */
	return pfd.fd >= 0 && poll(&pfd, 1, 0) == 0;
}

/** A free slot; VALE_SECONDARIES_MAX if there is none. */
static unsigned int
take_slot(void)
{
	unsigned int slot = ~g.slots == 0 ? VALE_SECONDARIES_MAX : __builtin_ctzll(~g.slots);

	if (slot < VALE_SECONDARIES_MAX)
		g.slots |= UINT64_C(1) << slot;
	return slot;
}

static void
watch_process(struct process *p)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};

	epoll_ctl(g.epoll_fd, EPOLL_CTL_ADD, p->pidfd, &ev);
}

/** Somebody made a socket. */
static void
appeared(const char *name)
{
	pid_t ns_pid = runtime_socket_pid(name), pid;
	char config[PATH_MAX];
	struct process *p;
	int pidfd;

	if (ns_pid == 0)
		return;
	atomic_fetch_add(&g.seen, 1);
	if (is_socket_known(name))
		return;
	/* the name has the number that the process has for itself; by the time of its socket it has
	 * mapped the group's configuration */
	pid = runtime_path("config", config, sizeof(config)) == 0
		      ? vale_process_find(ns_pid, config, is_known)
		      : 0;
	errno = ESRCH;
	pidfd = pid == 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	/* asked after the pidfd was got: if it is alive now, the pidfd is its own, and not that of
	 * a process that has the number again */
	if (runtime_socket_is_dead(name) || !runtime_has(name)) {
		runtime_remove(name);
		if (pidfd >= 0)
			close(pidfd);
		return;
	}
	p = pidfd < 0 ? NULL : calloc(1, sizeof(*p));
	if (p == NULL) {
		VALE_LOG(WARNING,
			"secondary process %d cannot be watched: %s; if it lives in a PID "
			"namespace "
			"that is not below the switch's, what it leaves stays",
			ns_pid, strerror(errno));
		if (pidfd >= 0)
			close(pidfd);
		return;
	}
	p->s.pid = pid;
	vale_process_identify(pid, &p->s.id);
	p->pidfd = pidfd;
	p->since_ms = now_ms();
	snprintf(p->socket, sizeof(p->socket), "%s", name);
	vale_process_comm(pid, p->s.comm, sizeof(p->s.comm));
	pthread_mutex_lock(&g.lock);
	p->s.slot = take_slot();
	if (take_early(pid))
		p->s.state = VALE_SECONDARY_ATTACHED;
	TAILQ_INSERT_TAIL(&g.processes, p, next);
	pthread_mutex_unlock(&g.lock);
	watch_process(p);
	eventfd_write(g.news_fd, 1);
	VALE_LOG(INFO, "secondary process %d (%s) starts", pid, p->s.comm);
}

static void
ended(struct process *p)
{
	pid_t ns_pid = p->s.id.ns_pid;

	VALE_LOG(INFO, "secondary process %d (%s) has ended", p->s.pid, p->s.comm);
	epoll_ctl(g.epoll_fd, EPOLL_CTL_DEL, p->pidfd, NULL);
	close(p->pidfd);
	/* first the locks: others may be waiting */
	vale_locks_suspect(&p->s, now_ms());
	g.checking = true;
	if (runtime_socket_is_dead(p->socket))
		runtime_remove(p->socket);
	pthread_mutex_lock(&g.lock);
	p->pidfd = -1;
	p->s.state = VALE_SECONDARY_ENDED;
	pthread_mutex_unlock(&g.lock);
	/* from here on it may be forgotten by vale-memory */
	if (!has_namesake(ns_pid))
		runtime_remove_arrays(ns_pid);
}

/** Those that were here before we looked. */
static void
scan_folder(void)
{
	DIR *d = opendir(rte_eal_get_runtime_dir());
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		appeared(e->d_name);
	closedir(d);
}

static void
read_inotify(void)
{
	char buf[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *ev;
	ssize_t n;

	while ((n = read(g.inotify_fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n; at += sizeof(*ev) + ev->len) {
			ev = (const struct inotify_event *)at;
			if (ev->mask & IN_Q_OVERFLOW)
				scan_folder();
			else if (ev->len > 0)
				appeared(ev->name);
		}
	}
}

static void
count(uint64_t now, unsigned int *nb_starting, unsigned int *nb_living)
{
	struct process *p;

	*nb_starting = *nb_living = 0;
	pthread_mutex_lock(&g.lock);
	TAILQ_FOREACH (p, &g.processes, next) {
		if (p->pidfd < 0)
			continue;
		if (p->s.state == VALE_SECONDARY_STARTING &&
			now - p->since_ms >= VALE_SECONDARY_START_MS)
			p->s.state = VALE_SECONDARY_RUNNING;
		*nb_starting += p->s.state == VALE_SECONDARY_STARTING;
		++*nb_living;
	}
	pthread_mutex_unlock(&g.lock);
}

/** EAL may be waiting for answers of those who have ended. */
static void
bury_dead(void)
{
	struct process *p;

	pthread_mutex_lock(&g.lock);
	TAILQ_FOREACH (p, &g.processes, next)
		if (p->pidfd < 0)
			vale_mp_bury(p->socket);
	pthread_mutex_unlock(&g.lock);
}

static void
check_locks(void)
{
	bool were_checking = g.checking;
	unsigned int nb_starting, nb_living;
	uint64_t now = now_ms();

	count(now, &nb_starting, &nb_living);
	g.checking = vale_locks_tick(now, nb_starting, nb_living);
	if (vale_locks_growth())
		bury_dead();
	if (were_checking && !g.checking)
		eventfd_write(g.news_fd, 1); /* its memory can be taken back */
}

static bool
stopped(void)
{
	bool stop;

	pthread_mutex_lock(&g.lock);
	stop = g.stop;
	pthread_mutex_unlock(&g.lock);
	return stop;
}

static void *
life_main(void *arg __rte_unused)
{
	struct epoll_event ev[16];
	eventfd_t woken;
	int n;

	scan_folder();
	while (!stopped()) {
		n = epoll_wait(g.epoll_fd, ev, RTE_DIM(ev),
			g.checking ? VALE_LOCKS_TICK_MS : IDLE_TICK_MS);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == &g.wake_fd)
				eventfd_read(g.wake_fd, &woken);
			else if (ev[i].data.ptr == &g.inotify_fd)
				read_inotify();
			else
				ended(ev[i].data.ptr);
		}
		check_locks();
	}
	return NULL;
}

/* ---- vale-memory ---- */

static struct process *
take_ended(void)
{
	struct process *p;

	pthread_mutex_lock(&g.lock);
	TAILQ_FOREACH (p, &g.processes, next)
		if (p->pidfd < 0)
			break;
	pthread_mutex_unlock(&g.lock);
	return p;
}

int
vale_secondaries_news_fd(void)
{
	return g.news_fd;
}

/** Its memory is taken back. */
static void
forget(struct process *p)
{
	pthread_mutex_lock(&g.lock);
	TAILQ_REMOVE(&g.processes, p, next);
	if (p->s.slot < VALE_SECONDARIES_MAX)
		g.slots &= ~(UINT64_C(1) << p->s.slot);
	if (p->told || !g.asked) {
		free(p);
	} else {
		TAILQ_INSERT_TAIL(&g.gone, p, next);
	}
	pthread_mutex_unlock(&g.lock);
}

void
vale_secondaries_news(int fd)
{
	struct process *p;
	eventfd_t nb;

	eventfd_read(fd, &nb);
	g.appeared();
	while ((p = take_ended()) != NULL) {
		g.ended(&p->s);
		forget(p);
	}
}

/* ---- any thread ---- */

void
vale_secondaries_set_attached(pid_t pid, bool attached)
{
	struct process *p;

	pthread_mutex_lock(&g.lock);
	p = find_living(pid);
	if (p != NULL) {
		p->s.state = attached ? VALE_SECONDARY_ATTACHED : VALE_SECONDARY_RUNNING;
	} else {
		take_early(pid);
		if (attached)
			g.early[g.next_early++ % EARLY_MAX] = pid;
	}
	pthread_mutex_unlock(&g.lock);
}

unsigned int
vale_secondaries_list(struct vale_secondary *out, unsigned int max)
{
	uint64_t now = now_ms();
	struct process *p;
	unsigned int n = 0;

	pthread_mutex_lock(&g.lock);
	TAILQ_FOREACH (p, &g.processes, next) {
		if (n == max)
			break;
		out[n] = p->s;
		out[n++].age_ms = now - p->since_ms;
	}
	pthread_mutex_unlock(&g.lock);
	return n;
}

unsigned int
vale_secondaries_take_ended(struct vale_process_id *out, unsigned int max)
{
	struct process *p;
	unsigned int n = 0;

	pthread_mutex_lock(&g.lock);
	g.asked = true;
	while (n < max && (p = TAILQ_FIRST(&g.gone)) != NULL) {
		out[n++] = p->s.id;
		TAILQ_REMOVE(&g.gone, p, next);
		free(p);
	}
	TAILQ_FOREACH (p, &g.processes, next) {
		if (n == max)
			break;
		if (p->pidfd >= 0 || p->told)
			continue;
		out[n++] = p->s.id;
		p->told = true;
	}
	pthread_mutex_unlock(&g.lock);
	return n;
}

unsigned int
vale_secondaries_count(void)
{
	unsigned int nb_starting, nb_living;

	count(now_ms(), &nb_starting, &nb_living);
	return nb_living;
}

unsigned int
vale_secondaries_seen(void)
{
	return atomic_load(&g.seen);
}

/* ---- start and end ---- */

static int
add_source(int fd, void *tag)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = tag};

	return epoll_ctl(g.epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int
open_sources(void)
{
	int ret;

	g.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	g.inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	g.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	g.news_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (g.epoll_fd < 0 || g.inotify_fd < 0 || g.wake_fd < 0 || g.news_fd < 0 ||
		inotify_add_watch(g.inotify_fd, rte_eal_get_runtime_dir(),
			IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return -errno;
	ret = add_source(g.inotify_fd, &g.inotify_fd);
	return ret < 0 ? ret : add_source(g.wake_fd, &g.wake_fd);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int
vale_secondaries_start(vale_secondary_appeared_t appeared_fn, vale_secondary_ended_t ended_fn)
{
	int ret;

	g.appeared = appeared_fn;
	g.ended = ended_fn;
	g.stop = false;
	ret = open_sources();
	if (ret == 0) {
		vale_locks_init();
		ret = rte_ctrl_thread_create(&g.thread, "vale-life", NULL, life_main, NULL);
		ret = -abs(ret);
		g.running = ret == 0;
	}
	if (ret == 0)
		return 0;
	VALE_LOG(ERR, "cannot watch the folder %s for secondary processes: %s",
		rte_eal_get_runtime_dir(), strerror(-ret));
	vale_secondaries_stop();
	return ret;
}

static void
free_all(struct process_list *l)
{
	struct process *p;

	while ((p = TAILQ_FIRST(l)) != NULL) {
		TAILQ_REMOVE(l, p, next);
		close_fd(&p->pidfd);
		free(p);
	}
}

void
vale_secondaries_stop(void)
{
	if (g.running) {
		pthread_mutex_lock(&g.lock);
		g.stop = true;
		pthread_mutex_unlock(&g.lock);
		eventfd_write(g.wake_fd, 1);
		pthread_join(g.thread, NULL);
		g.running = false;
	}
	free_all(&g.processes);
	free_all(&g.gone);
	g.slots = 0;
	g.asked = false;
	close_fd(&g.epoll_fd);
	close_fd(&g.inotify_fd);
	close_fd(&g.wake_fd);
	close_fd(&g.news_fd);
}
