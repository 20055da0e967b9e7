/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_TAILQS_H
#define VALE_TAILQS_H

/**
 * @file
 * Lists of named objects in shared memory, private to lib/group.
 *
 * Each DPDK library with named objects keeps them in a list ("tailq") that the primary makes when
 * it loads the library. A secondary that is linked with a library of which the primary has no
 * list does not start: `Cannot init tail queues for objects`. The switch uses few libraries; its
 * clients may use any.
 */

/** Make the lists of all DPDK libraries that this process has not loaded. After rte_eal_init(). */
void vale_tailqs_make(void);

#endif /* VALE_TAILQS_H */
