/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_EXEC_H
#define VALE_EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Statuses of vale-exec itself; a program's own follow from exec. */
#define EXEC_USAGE 2
#define EXEC_NO_SWITCH 3
#define EXEC_CANNOT 126
#define EXEC_NOT_FOUND 127

/** What the command line says. */
struct exec_opts {
	const char *socket; /**< NULL: $VALE_SOCKET or the default */
	bool verbose;	    /**< the program's refusals are told with their reason */
	bool apparmor;	    /**< print rules, start nothing */
};

/** Start the program with the preload; returns only if that fails, with a status, having said why,
 * or if it was to print rules. */
int exec_program(const struct exec_opts *opts, char **argv);

/** The preload's path: beside this program in a build tree, else where it was installed; NULL if
 * it is at neither place, which is said. */
const char *exec_preload(void);

/** Will the preload be in this program? 0, or a status, having said why not. path receives what
 * PATH finds. */
int exec_check_program(const char *name, char *path, unsigned int path_sz);

/**
 * What a program's AppArmor profile must allow, as lines for its local file.
 *
 * @param preload the preload's path; the libpcap adapter stands beside it
 * @param socket  the switch's, an absolute path
 */
void exec_apparmor_rules(FILE *to, const char *preload, const char *socket);

/**
 * Say on standard error what to do if AppArmor confines a program and its profile does not name the
 * preload yet. Only said: the profile may allow all that is needed in other words.
 *
 * @param root "" but in tests: what /sys and /etc stand under
 * @param path the program, as PATH finds it
 * @return was it said?
 */
bool exec_apparmor_warn(
	const char *root, const char *path, const char *preload, const char *socket);

#endif /* VALE_EXEC_H */
