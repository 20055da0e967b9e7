/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRACE_H
#define TRACE_H

/**
 * @file
 * Processes that are killed after a number of instructions.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** In a child: stop, to be stepped from here on; and say that its work is done. */
void trace_begin(void);
void trace_end(void);

/**
 * Run a child that calls trace_begin() for some instructions more and kill it, which is waited for.
 *
 * @param pid
 *   A child of this thread, nothing waited for yet.
 * @param done
 *   Receives how many instructions it ran: fewer than @p steps if it came to trace_end() before.
 * @return
 *   Whether it came as far as trace_begin().
 */
bool trace_step_and_kill(pid_t pid, uint32_t steps, uint32_t *done);

#endif /* TRACE_H */
