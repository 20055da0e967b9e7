/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_EXEC_H
#define VALE_EXEC_H

#include <stdint.h>

/* Statuses of vale-exec itself; a program's own follow from exec. */
#define EXEC_USAGE 2
#define EXEC_NO_SWITCH 3
#define EXEC_CANNOT 126
#define EXEC_NOT_FOUND 127

/** Start the program with the preload; returns only if that fails, with a status, having said why.
 * socket NULL: $VALE_SOCKET or the default. */
int exec_program(const char *socket, char **argv);

/** The preload's path: beside this program in a build tree, else where it was installed; NULL if
 * it is at neither place, which is said. */
const char *exec_preload(void);

/** Will the preload be in this program? 0, or a status, having said why not. path receives what
 * PATH finds. */
int exec_check_program(const char *name, char *path, unsigned int path_sz);

#endif /* VALE_EXEC_H */
