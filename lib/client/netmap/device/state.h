/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_STATE_H
#define VNM_STATE_H

/**
 * @file
 * What a descriptor is bound to, as the switch tells it.
 */

#include <stdint.h>

#include "vale_control_proto.h"

struct vnm_file;

/** Ask the switch and make a file with this process's mapping of the region, and one reference.
 * 0, or -ENXIO if the descriptor is not bound or the switch is gone, -ENOMEM, -EPROTO. */
int vnm_state_fetch(int fd, struct vnm_file **file);

/** Ask the switch, only. *memfd is the region, to be closed by the caller. 0 or -errno as above. */
int vnm_state_ask(int fd, struct vale_ctl_nm_state_reply *state, int *memfd);

#endif /* VNM_STATE_H */
