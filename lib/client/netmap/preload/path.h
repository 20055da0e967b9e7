/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_PATH_H
#define VNM_PATH_H

#include <stdbool.h>
#include <string.h>

#include <net/netmap_user.h>

/** Is this the name of netmap's device? NULL is not; other bad addresses are the caller's. */
static inline bool
vnm_path_is_device(const char *path)
{
	return path != NULL && path[0] == '/' && strcmp(path, NETMAP_DEVICE_NAME) == 0;
}

/** The path of the switch's socket, whose permissions are the device's; NULL and errno. */
const char *vnm_path_switch(char *path, size_t path_sz);

#endif /* VNM_PATH_H */
