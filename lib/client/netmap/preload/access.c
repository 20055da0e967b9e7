/* SPDX-License-Identifier: BSD-3-Clause */
/* access and its variants: who may connect to the switch has the device. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "device/connection.h"
#include "next.h"
#include "path.h"

NEXT_SLOT(access);
NEXT_SLOT(faccessat);
NEXT_SLOT(euidaccess);
NEXT_SLOT(eaccess);

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(access);
	NEXT_FIND(faccessat);
	NEXT_FIND(euidaccess);
	NEXT_FIND(eaccess);
}

const char *
vnm_path_switch(char *path, size_t path_sz)
{
	int ret = vnm_connection_path(path, path_sz);

	if (ret == 0)
		return path;
	errno = -ret;
	return NULL;
}

static int
device_access(int how)
{
	char path[PATH_MAX];

	return vnm_path_switch(path, sizeof(path)) == NULL ? -1 : NEXT(access)(path, how);
}

EXPORT int
access(const char *path, int how)
{
	return vnm_path_is_device(path) ? device_access(how) : NEXT(access)(path, how);
}

EXPORT int
faccessat(int dir, const char *path, int how, int flags)
{
	return vnm_path_is_device(path) ? device_access(how)
					: NEXT(faccessat)(dir, path, how, flags);
}

EXPORT int
euidaccess(const char *path, int how)
{
	return vnm_path_is_device(path) ? device_access(how) : NEXT(euidaccess)(path, how);
}

EXPORT int
eaccess(const char *path, int how)
{
	return vnm_path_is_device(path) ? device_access(how) : NEXT(eaccess)(path, how);
}
