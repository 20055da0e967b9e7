/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LCORES_H
#define LCORES_H

/**
 * @file
 * Lcore ids and CPUs on the command line: the switch's default, and a check before EAL.
 */

#include <sched.h>
#include <stddef.h>
#include <stdint.h>

/** The ids that the switch takes by default, so that those clients take by default stay free. */
#define LCORE_MAIN 126
#define LCORE_WORKER 127

/** How a set of lcores was written. */
enum lcores_form {
	LCORES_NONE, /**< not at all */
	LCORES_MAP,  /**< --lcores, e.g. `0@1,(2-3)@(0,1)` */
	LCORES_LIST, /**< -l, e.g. `0-1,3` */
	LCORES_MASK, /**< -c, hexadecimal */
};

/**
 * The `--lcores` of a switch that was given none: a worker on the last CPU that the process may
 * use, the main lcore on all others.
 *
 * @return
 *   0, or -ENOSPC if it does not fit.
 */
int lcores_default(const cpu_set_t *cpus, char *buf, size_t sz);

/**
 * Check a set of lcores as written by the user.
 *
 * @param cpus
 *   CPUs that the process may use.
 * @param main_lcore
 *   What was given as --main-lcore, or -1.
 * @param why
 *   @p sz bytes; receives a sentence on failure.
 * @return
 *   Number of lcores, or -EINVAL.
 */
int lcores_check(enum lcores_form form, const char *text, const cpu_set_t *cpus, int main_lcore,
	char *why, size_t sz);

#endif /* LCORES_H */
