/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SWITCH_ADMIN_H
#define SWITCH_ADMIN_H

/**
 * @file
 * What the files that answer vale-ctl share. Private to lib/switch; control thread.
 */

#include "vale_control_server.h"
#include "vale_switch.h"

/** Answer that all went well. */
void admin_reply_ok(struct vale_conn *c, const struct vale_ctl_hdr *msg);

/** Answer with the result of what was asked: 0, or -errno and the sentence @p why. */
void admin_answer(struct vale_conn *c, const struct vale_ctl_hdr *msg, int ret, const char *why);

/** Check a string of a request and take it apart as a port's name. On false it was refused. */
bool admin_check_name(struct vale_conn *c, const struct vale_ctl_hdr *msg, const char *text,
	size_t sz, struct vale_name *name);

/** Register the requests about addresses. Before the server starts. */
void admin_fdb_init(struct vale_switches *s, struct vale_server *server);

#endif /* SWITCH_ADMIN_H */
