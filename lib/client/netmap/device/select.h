/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_SELECT_H
#define VNM_SELECT_H

#include <stdbool.h>
#include <sys/select.h>
#include <time.h>

/** Is one of the sets' descriptors netmap's? Any set may be NULL. */
bool vnm_select_any(int n, const fd_set *in, const fd_set *out, const fd_set *ex);

/** pselect(2) by vnm_wait: *timeout is changed to what is left. Returns as select or -errno, and
 * with an error leaves the sets alone. */
long vnm_select(
	int n, fd_set *in, fd_set *out, fd_set *ex, struct timespec *timeout, const void *set);

#endif /* VNM_SELECT_H */
