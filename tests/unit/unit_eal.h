/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UNIT_EAL_H
#define UNIT_EAL_H

/**
 * @file
 * EAL for unit tests: in this process alone, without hugepages, devices or files.
 */

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

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

/** The same as the primary process of a group, with a configuration that others can map. Makes a
 * runtime folder: end with unit_eal_cleanup_group(). */
static inline int
unit_eal_init_group(void)
{
	static char prefix[32];
	char *argv[] = {
		(char *)(uintptr_t) "unit",
		(char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-telemetry",
		(char *)(uintptr_t) "-m",
		(char *)(uintptr_t) "64",
		(char *)(uintptr_t) "--lcores",
		(char *)(uintptr_t) "0@(0-1)",
		(char *)(uintptr_t) "--log-level",
		(char *)(uintptr_t) "error",
		(char *)(uintptr_t) "--file-prefix",
		prefix,
	};

	snprintf(prefix, sizeof(prefix), "valeunit%d", getpid());
	return rte_eal_init(RTE_DIM(argv), argv) < 0 ? -1 : 0;
}

/** End EAL, and remove the folder. */
static inline int
unit_eal_cleanup_group(void)
{
	DIR *d = opendir(rte_eal_get_runtime_dir());
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	return rmdir(rte_eal_get_runtime_dir()) < 0 ? -1 : rte_eal_cleanup();
}

#endif /* UNIT_EAL_H */
