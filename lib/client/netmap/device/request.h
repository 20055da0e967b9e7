/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_REQUEST_H
#define VNM_REQUEST_H

/**
 * @file
 * Requests of the netmap API, taken to the switch.
 */

#include "vale_control_proto.h"

struct nmreq;

/** NIOCCTRL: arg is the program's struct nmreq_header. 0 or -errno. */
int vnm_request_ctrl(int fd, void *arg);

/** NIOCREGIF and NIOCGINFO: arg is the program's struct nmreq. 0 or -errno. */
int vnm_request_legacy(int fd, unsigned long cmd, void *arg);

/** Bytes of a request's body; 0 if it has none or is not known. */
size_t vnm_request_body_sz(unsigned int reqtype);

#endif /* VNM_REQUEST_H */
