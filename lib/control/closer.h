/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CONTROL_CLOSER_H
#define VALE_CONTROL_CLOSER_H

/**
 * @file
 * Closing of descriptors that a stranger sent. close() can wait for as long as he likes: a TCP
 * socket that lingers, a file of a file system that he serves himself. So a thread of its own does
 * it, and if it hangs there, nobody else does. Private to lib/control.
 */

struct closer;

/** Start the thread; NULL with errno. */
struct closer *closer_start(void);

/** Close a descriptor, now or later. NULL closes it here. */
void closer_close(struct closer *c, int fd);

/** Let the thread end when it has closed what it got; does not wait for it. NULL is allowed. */
void closer_stop(struct closer *c);

#endif /* VALE_CONTROL_CLOSER_H */
