/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_LOG_H
#define VALE_LOG_H

/**
 * @file
 * Log of the switch: DPDK's rte_log under the type `vale`. A message names what failed, on which
 * object, why, and what to do about it. One line, without a newline at its end.
 */

#include <rte_log.h>

extern int vale_logtype;

#define VALE_LOG(level, fmt, ...) \
	rte_log(RTE_LOG_##level, vale_logtype, "vale-switch: " fmt "\n", ##__VA_ARGS__)

#endif /* VALE_LOG_H */
