/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_USER_H
#define VALE_USER_H

/**
 * @file
 * Who may do what. An *operator*, root or the user that runs the switch, may do everything.
 * Everybody else whom the socket's permissions let in may look, and may attach to ports that are
 * free or reserved for them.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

/** Whether a user is an operator. Any thread. */
static inline bool
vale_user_is_operator(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

#endif /* VALE_USER_H */
