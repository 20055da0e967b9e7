/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_VARS_H
#define VALE_VARS_H

/**
 * @file
 * Limits and tunables by name: `vale-ctl get` and `set`. Private to lib/switch.
 */

#include <stdint.h>

#include <rte_mempool.h>

#include "vale_control_proto.h"
#include "vale_switch.h"

void vale_vars_init(struct vale_switches *s, struct rte_mempool *pool, uint32_t verbose);

/**
 * Read one variable, or ("") all.
 *
 * @return number of entries filled in; 0 if there is no such variable.
 */
uint32_t vale_vars_get(const char *name, struct vale_ctl_var *vars, uint32_t room);

/**
 * Change a variable.
 *
 * @param why
 *   At least VALE_CTL_TEXT_SZ bytes; receives a sentence on failure.
 * @return
 *   0, -ENOENT (no such variable), -EINVAL (bad value), -EPERM (fixed at start, or read-only).
 */
int vale_vars_set(const char *name, const char *value, char *why);

#endif /* VALE_VARS_H */
