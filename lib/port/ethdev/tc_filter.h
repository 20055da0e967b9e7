/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TC_FILTER_H
#define TC_FILTER_H

/**
 * @file
 * A BPF program as a filter of an interface's clsact qdisc, by rtnetlink.
 */

#include <stdbool.h>

/** Hang a program on an interface; *own_qdisc tells whether the qdisc was made for it. 0 or -errno.
 */
int tc_filter_add(unsigned int ifindex, bool egress, int prog_fd, bool *own_qdisc);
/** Take it away, and the qdisc with @p own_qdisc. */
void tc_filter_del(unsigned int ifindex, bool egress, bool own_qdisc);

#endif /* TC_FILTER_H */
