/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GEN_H
#define VALE_GEN_H

/*
 * vale-gen: sends, receives and times frames on netmap ports, with pkt-gen's letters. The main
 * thread opens the ports, starts one thread each, prints a line now and then, and sums up.
 */

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "frame.h"
#include "hist.h"
#include "libnetmap.h"
#include "seq.h"

/* Exit codes, fixed by docs/contracts.md; as vale-ctl's. */
enum gen_exit {
	GEN_OK = 0,
	GEN_FAILED = 1, /* or the count was not reached */
	GEN_USAGE = 2,
	GEN_NO_SWITCH = 3,
};

#define GEN_THREADS_MAX 16
#define GEN_FRAME_MAX 9216 /* the switch's limit */
#define GEN_FRAME_MIN 42   /* Ethernet, IPv4 and UDP headers */
#define GEN_POLL_MS 100	   /* how long a thread may not look whether it shall stop */
#define GEN_BURST 512	   /* by default, as pkt-gen */

enum gen_func { GEN_TX, GEN_RX, GEN_PING, GEN_PONG };

/* What the user asked for. */
struct gen_opts {
	const char *port;
	enum gen_func func;
	uint64_t count; /* 0: until stopped */
	uint32_t len;	/* bytes of a frame, without FCS */
	uint32_t burst; /* 0: not given */
	double rate;	/* frames a second, of all threads; 0: as fast as it goes */
	struct addr_range src, dst;
	uint8_t smac[6], dmac[6];
	bool has_smac;
	bool random_src, random_dst; /* -z -Z */
	unsigned int nb_threads;
	int cpu;	  /* -a: of the first thread, -1 = any */
	uint32_t wait_ms; /* -w */
	uint32_t report_ms;
	bool exit_if_empty; /* -W */
	bool full_copy;	    /* -o 4: write each frame in full each time */
	bool framing;	    /* -B: 24 bytes more a frame in bit rates */
	bool plain_units;   /* -N */
	bool json;
	bool verbose;
	uint32_t tx_slots, rx_slots, tx_rings, rx_rings; /* -C; 0: as the switch likes */
};

struct gen;

/* One thread and its part of the port. */
struct gen_thread {
	/* written by the thread, read by main */
	_Alignas(64) _Atomic uint64_t frames;
	_Atomic uint64_t bytes;
	_Atomic uint64_t batches;
	/* the thread's own until it has ended */
	_Alignas(64) struct gen *gen;
	unsigned int idx;
	struct nmport_d *d;
	pthread_t id;
	bool started;
	uint64_t quota;		    /* frames, 0: no end */
	uint64_t first_ns, last_ns; /* when it began and ended to move frames; 0: never */
	int error;		    /* errno that ended it, or 0 */
	struct frame frame;
	struct seq seq;	  /* rx */
	struct hist hist; /* ping: round trips */
	uint64_t nb_sent; /* ping: requests */
};

struct gen {
	struct gen_opts opts;
	struct gen_thread *threads;
	atomic_bool stop;
	_Atomic unsigned int nb_running;
	int done_fd;		/* eventfd: a thread has ended */
	_Atomic uint64_t taken; /* rx with a count: frames that some thread has claimed */
};

/* options.c. Returns GEN_OK, GEN_USAGE with a message said, or -1 if help was asked for and given.
 */
int gen_options(struct gen_opts *o, int argc, char **argv);

/* port.c. Each returns an exit code, a failure said. */
int gen_port_open(struct gen *g);
void gen_port_close(struct gen *g);
/* Wait until frames came or space is there. 0, or -errno when the switch is gone. */
int gen_port_wait(struct gen_thread *t, short events, int timeout_ms);
int gen_port_sync(struct gen_thread *t, unsigned long request);

/* tx.c, rx.c, ping.c, pong.c: the body of a thread. Ends when the quota is reached, at gen->stop,
 * or with t->error. */
void gen_tx(struct gen_thread *t);
void gen_rx(struct gen_thread *t);
void gen_ping(struct gen_thread *t);
void gen_pong(struct gen_thread *t);
void gen_tx_drain(struct gen_thread *t);

/* report.c */
struct gen_report {
	uint64_t begin_ns, last_ns;
	uint64_t frames, bytes, batches; /* up to last_ns */
};
void gen_report_begin(struct gen_report *r);
void gen_report_line(struct gen_report *r, const struct gen *g);
/* The end of it all: the summary, and the exit code. */
int gen_summary(const struct gen *g);

/* main.c */
void gen_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
uint64_t gen_now_ns(void);

static inline void
gen_count(struct gen_thread *t, uint64_t frames, uint64_t bytes)
{
	/* one writer: no locked instruction is needed */
	atomic_store_explicit(&t->frames,
		atomic_load_explicit(&t->frames, memory_order_relaxed) + frames,
		memory_order_relaxed);
	atomic_store_explicit(&t->bytes,
		atomic_load_explicit(&t->bytes, memory_order_relaxed) + bytes,
		memory_order_relaxed);
	atomic_store_explicit(&t->batches,
		atomic_load_explicit(&t->batches, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline bool
gen_stopped(const struct gen_thread *t)
{
	return atomic_load_explicit(&t->gen->stop, memory_order_relaxed);
}

#endif /* VALE_GEN_H */
