/* SPDX-License-Identifier: BSD-3-Clause */
/* stat of /dev/netmap, and of descriptors of it: a character device, with the permissions of the
 * switch's socket. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device/file.h"
#include "device/sys.h"
#include "next.h"
#include "path.h"

/* Misc devices have major 10; netmap takes any free minor. */
#define DEVICE makedev(10, 125)

/* What programs call that were built before glibc 2.33. */
int __xstat(int ver, const char *path, struct stat *st);
int __lxstat(int ver, const char *path, struct stat *st);
int __fxstat(int ver, int fd, struct stat *st);
int __fxstatat(int ver, int dir, const char *path, struct stat *st, int flags);
int __xstat64(int ver, const char *path, struct stat64 *st);
int __lxstat64(int ver, const char *path, struct stat64 *st);
int __fxstat64(int ver, int fd, struct stat64 *st);
int __fxstatat64(int ver, int dir, const char *path, struct stat64 *st, int flags);

NEXT_SLOT(statx);
NEXT_SLOT(stat);
NEXT_SLOT(lstat);
NEXT_SLOT(fstat);
NEXT_SLOT(fstatat);
NEXT_SLOT(stat64);
NEXT_SLOT(lstat64);
NEXT_SLOT(fstat64);
NEXT_SLOT(fstatat64);

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(statx);
	NEXT_FIND(stat);
	NEXT_FIND(lstat);
	NEXT_FIND(fstat);
	NEXT_FIND(fstatat);
	NEXT_FIND(stat64);
	NEXT_FIND(lstat64);
	NEXT_FIND(fstat64);
	NEXT_FIND(fstatat64);
}

/* One layout on 64-bit machines, which is also the kernel's. */
static_assert(sizeof(struct stat) == sizeof(struct stat64), "layout");

/** By the kernel, which is the way for a libc before 2.33: it has no such functions. */
static int
kernel_stat(int dir, const char *path, void *st, int flags)
{
	return (int)vnm_ret(vnm_sys6(SYS_newfstatat, dir, (long)path, (long)st, flags, 0, 0));
}

/** libc's function, or another preload's, with the arguments given, else the kernel's. */
#define REAL(f, args, dir, path, st, flags) \
	(NEXT(f) != NULL ? NEXT(f) args : kernel_stat(dir, path, st, flags))

/** The socket's path and what the kernel says of it, as a device. */
static int
device_stat(struct stat *st)
{
	char path[PATH_MAX];

	if (vnm_path_switch(path, sizeof(path)) == NULL || kernel_stat(AT_FDCWD, path, st, 0) != 0)
		return -1;
	st->st_mode = S_IFCHR | (st->st_mode & 0777);
	st->st_rdev = DEVICE;
	return 0;
}

/** A descriptor of the device: as its path, also when the switch and its path are gone. */
static int
descriptor_stat(int fd, struct stat *st)
{
	int saved = errno;

	if (device_stat(st) == 0)
		return 0;
	errno = saved;
	if (kernel_stat(fd, "", st, AT_EMPTY_PATH) != 0)
		return -1;
	st->st_mode = S_IFCHR | (st->st_mode & 0777);
	st->st_rdev = DEVICE;
	return 0;
}

/** Does a call that may name a descriptor or a path name a descriptor of netmap's? */
static bool
names_descriptor(int dir, const char *path, int flags)
{
	return vnm_file_known(dir) && (flags & AT_EMPTY_PATH) && (path == NULL || path[0] == '\0');
}

EXPORT int
fstatat(int dir, const char *path, struct stat *st, int flags)
{
	if (vnm_path_is_device(path))
		return device_stat(st);
	if (names_descriptor(dir, path, flags))
		return descriptor_stat(dir, st);
	return REAL(fstatat, (dir, path, st, flags), dir, path, st, flags);
}

EXPORT int
fstat(int fd, struct stat *st)
{
	if (vnm_file_known(fd))
		return descriptor_stat(fd, st);
	return REAL(fstat, (fd, st), fd, "", st, AT_EMPTY_PATH);
}

EXPORT int
stat(const char *path, struct stat *st)
{
	if (vnm_path_is_device(path))
		return device_stat(st);
	return REAL(stat, (path, st), AT_FDCWD, path, st, 0);
}

EXPORT int
lstat(const char *path, struct stat *st)
{
	if (vnm_path_is_device(path))
		return device_stat(st);
	return REAL(lstat, (path, st), AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

EXPORT int
fstatat64(int dir, const char *path, struct stat64 *st, int flags)
{
	if (vnm_path_is_device(path))
		return device_stat((struct stat *)st);
	if (names_descriptor(dir, path, flags))
		return descriptor_stat(dir, (struct stat *)st);
	return REAL(fstatat64, (dir, path, st, flags), dir, path, st, flags);
}

EXPORT int
fstat64(int fd, struct stat64 *st)
{
	if (vnm_file_known(fd))
		return descriptor_stat(fd, (struct stat *)st);
	return REAL(fstat64, (fd, st), fd, "", st, AT_EMPTY_PATH);
}

EXPORT int
stat64(const char *path, struct stat64 *st)
{
	if (vnm_path_is_device(path))
		return device_stat((struct stat *)st);
	return REAL(stat64, (path, st), AT_FDCWD, path, st, 0);
}

EXPORT int
lstat64(const char *path, struct stat64 *st)
{
	if (vnm_path_is_device(path))
		return device_stat((struct stat *)st);
	return REAL(lstat64, (path, st), AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

/** Versions 0 and 1 are the layout above, here and on arm64; there are no others. */
static bool
known_version(int ver)
{
	if (ver == 0 || ver == 1)
		return true;
	errno = EINVAL;
	return false;
}

EXPORT int
__xstat(int ver, const char *path, struct stat *st)
{
	return known_version(ver) ? stat(path, st) : -1;
}

EXPORT int
__lxstat(int ver, const char *path, struct stat *st)
{
	return known_version(ver) ? lstat(path, st) : -1;
}

EXPORT int
__fxstat(int ver, int fd, struct stat *st)
{
	return known_version(ver) ? fstat(fd, st) : -1;
}

EXPORT int
__fxstatat(int ver, int dir, const char *path, struct stat *st, int flags)
{
	return known_version(ver) ? fstatat(dir, path, st, flags) : -1;
}

EXPORT int
__xstat64(int ver, const char *path, struct stat64 *st)
{
	return __xstat(ver, path, (struct stat *)st);
}

EXPORT int
__lxstat64(int ver, const char *path, struct stat64 *st)
{
	return __lxstat(ver, path, (struct stat *)st);
}

EXPORT int
__fxstat64(int ver, int fd, struct stat64 *st)
{
	return __fxstat(ver, fd, (struct stat *)st);
}

EXPORT int
__fxstatat64(int ver, int dir, const char *path, struct stat64 *st, int flags)
{
	return __fxstatat(ver, dir, path, (struct stat *)st, flags);
}

EXPORT int
statx(int dir, const char *path, int flags, unsigned int mask, struct statx *st)
{
	bool descriptor = names_descriptor(dir, path, flags);
	char socket[PATH_MAX];
	int ret;

	if (!vnm_path_is_device(path) && !descriptor)
		return NEXT(statx)(dir, path, flags, mask, st);
	if (vnm_path_switch(socket, sizeof(socket)) == NULL)
		return -1;
	ret = NEXT(statx)(
		AT_FDCWD, socket, flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), mask, st);
	if (ret != 0 && descriptor)
		ret = NEXT(statx)(dir, "", flags, mask, st);
	if (ret == 0) {
		st->stx_mode = (uint16_t)(S_IFCHR | (st->stx_mode & 0777));
		st->stx_rdev_major = major(DEVICE);
		st->stx_rdev_minor = minor(DEVICE);
	}
	return ret;
}
