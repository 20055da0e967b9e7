/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPTIONS_H
#define OPTIONS_H

/**
 * @file
 * The switch's own options: what stands after `--` on the command line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include "vale_switch.h"

/** Room for a sentence that says what is wrong. */
#define OPTIONS_WHY_SZ 512

/** What the command line asks for. */
enum options_action {
	OPTIONS_RUN = 0,
	OPTIONS_HELP = 1,
	OPTIONS_VERSION = 2,
};

/** The switch's options, with their defaults where the user gave none. */
struct options {
	char socket[sizeof(
		((struct sockaddr_un *)NULL)->sun_path)]; /**< "": the prefix's default */
	char memif_socket[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /**< "": default */
	uid_t socket_owner; /**< (uid_t)-1: unchanged */
	gid_t socket_group; /**< (gid_t)-1: unchanged */
	mode_t socket_mode; /**< 0: the server's default */
	struct vale_limits limits;
	uint32_t batch;	   /**< frames */
	uint32_t ageing_s; /**< seconds, 0 = never */
	uint32_t mbufs;	   /**< in the pool for clients */
	uint32_t verbose;  /**< 0 .. 3 */
	bool idle_poll;	   /**< workers never sleep */
};

/**
 * Parse the switch's options.
 *
 * @param argc, argv
 *   Options from argv[1] on; argv[0] is not looked at. The order of argv may change.
 * @param o
 *   Filled with defaults, then with what was given.
 * @param why
 *   OPTIONS_WHY_SZ bytes; receives a sentence on failure.
 * @return
 *   enum options_action, or -EINVAL.
 */
int options_parse(int argc, char **argv, struct options *o, char *why);

/** Whether @p arg (`--batch`, `--batch=64`) is one of the switch's options, spelled out. */
bool options_is_ours(const char *arg);

/** Print the help text to standard output. */
void options_help(void);

#endif /* OPTIONS_H */
