/* SPDX-License-Identifier: BSD-3-Clause */
/* stat and access of /dev/netmap: a character device, with the permissions of the switch's socket.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device/connection.h"
#include "next.h"
#include "path.h"

/* Misc devices have major 10; netmap takes any free minor. */
#define DEVICE makedev(10, 125)

NEXT_SLOT(stat);
NEXT_SLOT(stat64);
NEXT_SLOT(lstat);
NEXT_SLOT(lstat64);
NEXT_SLOT(fstatat);
NEXT_SLOT(fstatat64);
NEXT_SLOT(statx);
NEXT_SLOT(access);
NEXT_SLOT(faccessat);
NEXT_SLOT(euidaccess);
NEXT_SLOT(eaccess);

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(stat);
	NEXT_FIND(stat64);
	NEXT_FIND(lstat);
	NEXT_FIND(lstat64);
	NEXT_FIND(fstatat);
	NEXT_FIND(fstatat64);
	NEXT_FIND(statx);
	NEXT_FIND(access);
	NEXT_FIND(faccessat);
	NEXT_FIND(euidaccess);
	NEXT_FIND(eaccess);
}

/** The socket's path; NULL and errno. */
static const char *
switch_path(char *path, size_t path_sz)
{
	int ret = vnm_connection_path(path, path_sz);

	if (ret == 0)
		return path;
	errno = -ret;
	return NULL;
}

static int
device_stat(struct stat *st)
{
	char path[PATH_MAX];

	if (switch_path(path, sizeof(path)) == NULL || NEXT(stat)(path, st) != 0)
		return -1;
	st->st_mode = S_IFCHR | (st->st_mode & 0777);
	st->st_rdev = DEVICE;
	return 0;
}

static int
device_access(int how)
{
	char path[PATH_MAX];

	return switch_path(path, sizeof(path)) == NULL ? -1 : NEXT(access)(path, how);
}

EXPORT int
stat(const char *path, struct stat *st)
{
	return vnm_path_is_device(path) ? device_stat(st) : NEXT(stat)(path, st);
}

EXPORT int
lstat(const char *path, struct stat *st)
{
	return vnm_path_is_device(path) ? device_stat(st) : NEXT(lstat)(path, st);
}

EXPORT int
fstatat(int dir, const char *path, struct stat *st, int flags)
{
	return vnm_path_is_device(path) ? device_stat(st) : NEXT(fstatat)(dir, path, st, flags);
}

/* One layout on 64-bit machines. */
static_assert(sizeof(struct stat) == sizeof(struct stat64), "layout");

EXPORT int
stat64(const char *path, struct stat64 *st)
{
	return vnm_path_is_device(path) ? device_stat((struct stat *)st) : NEXT(stat64)(path, st);
}

EXPORT int
lstat64(const char *path, struct stat64 *st)
{
	return vnm_path_is_device(path) ? device_stat((struct stat *)st) : NEXT(lstat64)(path, st);
}

EXPORT int
fstatat64(int dir, const char *path, struct stat64 *st, int flags)
{
	return vnm_path_is_device(path) ? device_stat((struct stat *)st)
					: NEXT(fstatat64)(dir, path, st, flags);
}

EXPORT int
statx(int dir, const char *path, int flags, unsigned int mask, struct statx *st)
{
	char socket[PATH_MAX];
	int ret;

	if (!vnm_path_is_device(path))
		return NEXT(statx)(dir, path, flags, mask, st);
	if (switch_path(socket, sizeof(socket)) == NULL)
		return -1;
	ret = NEXT(statx)(AT_FDCWD, socket, flags, mask, st);
	if (ret == 0) {
		st->stx_mode = (uint16_t)(S_IFCHR | (st->stx_mode & 0777));
		st->stx_rdev_major = major(DEVICE);
		st->stx_rdev_minor = minor(DEVICE);
	}
	return ret;
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
