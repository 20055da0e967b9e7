/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UNIT_EAL_H
#define UNIT_EAL_H

/**
 * @file
 * EAL for unit tests: in this process alone, without hugepages, devices or files.
 */

#include <rte_common.h>
#include <rte_eal.h>

/** Start EAL; returns 0 or a negative value. */
static inline int
unit_eal_init(void)
{
	char *argv[] = {
		(char *)(uintptr_t) "unit",
		(char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-shconf",
		(char *)(uintptr_t) "--no-telemetry",
		(char *)(uintptr_t) "-m",
		(char *)(uintptr_t) "256",
		(char *)(uintptr_t) "--lcores",
		(char *)(uintptr_t) "0@(0-1)",
		(char *)(uintptr_t) "--log-level",
		(char *)(uintptr_t) "error",
	};

	return rte_eal_init(RTE_DIM(argv), argv) < 0 ? -1 : 0;
}

#endif /* UNIT_EAL_H */
