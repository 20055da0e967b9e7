/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EAL_ARGS_H
#define EAL_ARGS_H

/**
 * @file
 * EAL's part of the command line: what the user gave, and what the switch adds to it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcores.h"

/** What the switch must know of the EAL options that the user gave. Strings point into argv. */
struct eal_args {
	int argc; /**< arguments before `--`, the program's name included */
	char **argv;
	const char *prefix;   /**< --file-prefix, or NULL */
	const char *huge_dir; /**< --huge-dir, or NULL */
	const char *lcores;   /**< value of -l, -c or --lcores */
	enum lcores_form form;
	int main_lcore;	    /**< --main-lcore, or -1 */
	uint64_t memory_mb; /**< -m or the sum of --socket-mem, 0 = not given */
	bool devices;	    /**< -a, -b or --no-pci */
	bool no_huge;
	bool no_shconf; /**< no files that secondaries could find: also with in_memory */
	bool in_memory;
	bool log_level; /**< --log-level */
	bool help;
	bool version;
};

/** Arguments for rte_eal_init(). */
struct eal_argv {
	int argc;
	char **argv; /**< NULL at the end */
};

/**
 * Scan the EAL options.
 *
 * @param argc, argv
 *   The whole command line; it is scanned up to `--`.
 * @param a
 *   Filled in.
 * @param why
 *   @p sz bytes; receives a sentence on failure.
 * @return
 *   0, or -EINVAL: an option that EAL does not know, lacks its value, or that the switch cannot
 *   work with.
 */
int eal_args_scan(int argc, char **argv, struct eal_args *a, char *why, size_t sz);

/** Whether secondary processes are possible: there are hugepages and files by which they find them.
 */
bool eal_args_secondaries(const struct eal_args *a);

/**
 * Make the arguments for rte_eal_init(): the switch's defaults, then what the user gave.
 *
 * @param a
 *   As scanned, with a->prefix set.
 * @param lcores
 *   --lcores to add, or NULL if the user gave some.
 * @param memory_mb
 *   -m to add if the user said nothing about memory.
 * @return
 *   0 or -ENOMEM. Free with eal_argv_free(), unless rte_eal_init() has seen it: that one changes
 * the array and keeps pointers into it.
 */
int eal_argv_make(
	const struct eal_args *a, const char *lcores, uint64_t memory_mb, struct eal_argv *out);
void eal_argv_free(struct eal_argv *out);

#endif /* EAL_ARGS_H */
