/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NOTIFY_H
#define NOTIFY_H

/**
 * @file
 * Readiness for systemd: sd_notify(3) without its library.
 */

/**
 * Tell the service manager something, if there is one.
 *
 * @param state
 *   `READY=1`, `STOPPING=1`, ..., lines separated by newlines.
 * @return
 *   0 if it was told or if there is none ($NOTIFY_SOCKET is not set), else -errno.
 */
int notify_send(const char *state);

#endif /* NOTIFY_H */
