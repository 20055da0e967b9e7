/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "gen.h"
#include "vale_control_client.h"

void
gen_say(const char *fmt, ...)
{
	va_list ap;

	fputs("vale-gen: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

uint64_t
gen_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void *
thread_main(void *arg)
{
	static void (*const body[])(struct gen_thread *) = {gen_tx, gen_rx, gen_ping, gen_pong};
	struct gen_thread *t = arg;
	struct gen *g = t->gen;
	uint64_t one = 1;

	/* the default of 50 us would be part of every pause */
	prctl(PR_SET_TIMERSLACK, 1000);
	body[g->opts.func](t);
	if (t->error != 0)
		atomic_store(&g->stop, true);
	if (atomic_fetch_sub(&g->nb_running, 1) == 1 &&
		write(g->done_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		abort(); /* an eventfd that is ours alone cannot be full */
	return NULL;
}

static void
pin(const struct gen *g, pthread_attr_t *attr, unsigned int idx)
{
	cpu_set_t set;

	if (g->opts.cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)g->opts.cpu + idx, &set);
	pthread_attr_setaffinity_np(attr, sizeof(set), &set);
}

static int
start_thread(struct gen *g, unsigned int idx)
{
	struct gen_thread *t = &g->threads[idx];
	pthread_attr_t attr;
	int rc;

	pthread_attr_init(&attr);
	pin(g, &attr, idx);
	atomic_fetch_add(&g->nb_running, 1);
	rc = pthread_create(&t->id, &attr, thread_main, t);
	pthread_attr_destroy(&attr);
	t->started = rc == 0;
	if (rc == 0)
		return GEN_OK;
	atomic_fetch_sub(&g->nb_running, 1);
	atomic_store(&g->stop, true);
	gen_say("cannot start thread %u: %s%s", idx, strerror(rc),
		rc == EINVAL ? "; is there such a CPU (-a)?" : "");
	return GEN_FAILED;
}

/* Threads of all processes have different streams, as far as 32 bits go. */
static uint32_t
stream_base(void)
{
	uint64_t x = gen_now_ns() ^ (uint64_t)getpid() << 40;

	return (uint32_t)((x * 0x9e3779b97f4a7c15u) >> 32) & ~(uint32_t)(GEN_THREADS_MAX - 1);
}

static int
init_threads(struct gen *g)
{
	const struct gen_opts *o = &g->opts;
	struct frame_params p = {
		.len = o->len,
		.src = o->src,
		.dst = o->dst,
		.random_src = o->random_src,
		.random_dst = o->random_dst,
		.kind = o->func == GEN_PING ? FRAME_PING : FRAME_DATA,
		.stream = stream_base(),
	};

	memcpy(p.smac, o->smac, 6);
	memcpy(p.dmac, o->dmac, 6);
	g->threads = aligned_alloc(64, o->nb_threads * sizeof(*g->threads));
	if (g->threads == NULL)
		return -ENOMEM;
	memset(g->threads, 0, o->nb_threads * sizeof(*g->threads));
	for (unsigned int i = 0; i < o->nb_threads; i++, p.stream++) {
		struct gen_thread *t = &g->threads[i];

		t->gen = g;
		t->idx = i;
		/* a receiver's threads share the count */
		t->quota = o->count / o->nb_threads + (i < o->count % o->nb_threads);
		if (frame_init(&t->frame, &p) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void
fini(struct gen *g)
{
	if (g->threads != NULL) {
		gen_port_close(g);
		for (unsigned int i = 0; i < g->opts.nb_threads; i++)
			frame_fini(&g->threads[i].frame);
	}
	free(g->threads);
	if (g->done_fd >= 0)
		close(g->done_fd);
}

/* SIGINT and SIGTERM become readable; threads inherit the mask. */
static int
signal_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* -w. False: stopped meanwhile. */
static bool
wait_to_begin(const struct gen *g, int sig_fd)
{
	struct pollfd pfd = {.fd = sig_fd, .events = POLLIN};

	return g->opts.wait_ms == 0 || poll(&pfd, 1, (int)g->opts.wait_ms) == 0;
}

/* Until all threads have ended: a line every now and then, and an end on a signal. */
static void
watch(struct gen *g, int sig_fd)
{
	struct pollfd pfd[] = {
		{.fd = g->done_fd, .events = POLLIN},
		{.fd = sig_fd, .events = POLLIN},
	};
	uint64_t step_ns = (uint64_t)g->opts.report_ms * 1000000, next;
	struct gen_report r;

	gen_report_begin(&r);
	next = r.begin_ns + step_ns;
	for (;;) {
		uint64_t now = gen_now_ns();

		poll(pfd, 2, now < next ? (int)((next - now + 999999) / 1000000) : 0);
		if ((pfd[0].revents & POLLIN) != 0)
			return;
		if ((pfd[1].revents & POLLIN) != 0) {
			atomic_store(&g->stop, true);
			pfd[1].fd = -1;
		}
		if (gen_now_ns() >= next) {
			gen_report_line(&r, g);
			next += step_ns;
		}
	}
}

static int
join(struct gen *g)
{
	int rc = GEN_OK;

	for (unsigned int i = 0; i < g->opts.nb_threads; i++) {
		struct gen_thread *t = &g->threads[i];

		if (!t->started)
			continue;
		pthread_join(t->id, NULL);
		if (t->error == 0 || rc != GEN_OK)
			continue;
		rc = GEN_FAILED;
		gen_say("%s: %s (%s)", g->opts.port,
			t->error == ENXIO ? "the switch is gone, or has taken the port away"
					  : strerror(t->error),
			vale_errno_name(t->error));
	}
	return rc;
}

static void
say_port(const struct gen *g)
{
	const struct nmreq_register *reg = &g->threads[0].d->reg;

	gen_say("%s: region %u; %u transmit rings of %u slots, %u receive rings of %u",
		g->opts.port, reg->nr_mem_id, reg->nr_tx_rings, reg->nr_tx_slots, reg->nr_rx_rings,
		reg->nr_rx_slots);
}

static int
run(struct gen *g)
{
	int sig_fd = signal_fd(), rc = GEN_OK, joined;

	g->done_fd = eventfd(0, EFD_CLOEXEC);
	if (sig_fd < 0 || g->done_fd < 0 || init_threads(g) < 0) {
		gen_say("cannot start: %s", strerror(errno));
		return GEN_FAILED;
	}
	rc = gen_port_open(g);
	if (rc != GEN_OK)
		return rc;
	if (g->opts.verbose)
		say_port(g);
	if (!wait_to_begin(g, sig_fd))
		return GEN_FAILED;
	for (unsigned int i = 0; i < g->opts.nb_threads && rc == GEN_OK; i++)
		rc = start_thread(g, i);
	if (rc == GEN_OK)
		watch(g, sig_fd);
	joined = join(g);
	if (rc == GEN_OK)
		rc = gen_summary(g);
	close(sig_fd);
	return rc == GEN_OK ? joined : rc;
}

int
main(int argc, char **argv)
{
	struct gen g = {.done_fd = -1};
	int rc = gen_options(&g.opts, argc, argv);

	if (rc == GEN_OK) {
		rc = run(&g);
		fini(&g);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		gen_say("cannot write standard output: %s", strerror(errno));
		return GEN_FAILED;
	}
	return rc < 0 ? GEN_OK : rc;
}
