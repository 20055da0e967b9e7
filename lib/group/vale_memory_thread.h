/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_MEMORY_THREAD_H
#define VALE_MEMORY_THREAD_H

/**
 * @file
 * The thread `vale-memory`: all of the switch's work behind its start that takes locks of EAL's in
 * shared memory.
 *
 * Such a lock may be one that a killed secondary held; until `vale-life` has noticed
 * (vale_locks.h), which takes up to a few seconds, whoever wants it waits. That must not be the
 * control thread, which lets ports go.
 */

#include <stdbool.h>

/** What the thread does by itself. Called on it. */
struct vale_memory_thread_conf {
	int news_fd; /**< an eventfd; news() is called, which reads it, when it is readable */
	void (*news)(int fd);
	unsigned int every_ms; /**< tick() is called so often */
	void (*tick)(void);
};

/** Start it. Main thread. @return 0 or -errno. */
int vale_memory_thread_start(const struct vale_memory_thread_conf *conf);

/** End it, when it has done what was posted. While `vale-life` runs, so that no lock holds it up.
 * Idempotent. */
void vale_memory_thread_stop(void);

/** Have fn(arg) called on it, later, in the order of calls. Without the thread at once, here. Any
 * thread. @return 0 or -ENOMEM. */
int vale_memory_thread_post(void (*fn)(void *arg), void *arg);

/** Whether it is to end: a job that waits for something gives up. Any thread. */
bool vale_memory_thread_ends(void);

/** From a job: do nothing more, as after vale_memory_thread_pause(), before
 * vale_memory_thread_resume(). */
void vale_memory_thread_rest(void);

/**
 * Stop it between two of its calls, after what was posted; it does nothing before
 * vale_memory_thread_resume(). For who changes shared memory himself, which must not be taken for
 * a client's doing. Waits. One at a time: the control thread, or the main thread before that runs.
 */
void vale_memory_thread_pause(void);
void vale_memory_thread_resume(void);

#endif /* VALE_MEMORY_THREAD_H */
