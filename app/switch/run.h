/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RUN_H
#define RUN_H

/**
 * @file
 * The switch from EAL's start to its end: puts the parts together, and takes them apart.
 */

#include <signal.h>

#include "eal_args.h"
#include "options.h"

/** What to run. */
struct run_conf {
	const struct options *o;
	const struct eal_args *eal;
	const char *socket;	 /**< control socket */
	const sigset_t *signals; /**< those that end the switch; blocked in all threads */
};

/**
 * Run the switch until a signal comes. EAL has been started. Prints the line `vale-switch: ready`
 * when clients can attach.
 *
 * @return
 *   0 after a clean end, or -errno if it could not be started; then standard error says why.
 *   -EDEADLK: it ended, but a stopped process holds a lock that it needs to take itself apart;
 *   threads still run, and the caller leaves by _exit().
 */
int run(const struct run_conf *conf);

#endif /* RUN_H */
