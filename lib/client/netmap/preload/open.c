/* SPDX-License-Identifier: BSD-3-Clause */
/* open and its variants: /dev/netmap is a connection to the switch. */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>

#include "next.h"
#include "path.h"
#include "vale_netmap_client.h"

/* Exported by glibc without a declaration that is visible here. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);

NEXT_SLOT(open);
NEXT_SLOT(open64);
NEXT_SLOT(openat);
NEXT_SLOT(openat64);
NEXT_SLOT(__open_2);
NEXT_SLOT(__open64_2);
NEXT_SLOT(__openat_2);
NEXT_SLOT(__openat64_2);
NEXT_SLOT(__open);
NEXT_SLOT(__open64);

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(open);
	NEXT_FIND(open64);
	NEXT_FIND(openat);
	NEXT_FIND(openat64);
	NEXT_FIND(__open_2);
	NEXT_FIND(__open64_2);
	NEXT_FIND(__openat_2);
	NEXT_FIND(__openat64_2);
	NEXT_FIND(__open);
	NEXT_FIND(__open64);
}

/** The mode is there only with flags that make a file. */
#define MODE(last, flags)                                                    \
	__extension__({                                                      \
		mode_t m_ = 0;                                               \
		if (((flags)&O_CREAT) || ((flags)&O_TMPFILE) == O_TMPFILE) { \
			va_list ap_;                                         \
			va_start(ap_, last);                                 \
			m_ = va_arg(ap_, mode_t);                            \
			va_end(ap_);                                         \
		}                                                            \
		m_;                                                          \
	})

EXPORT int
open(const char *path, int flags, ...)
{
	if (vnm_path_is_device(path))
		return vale_nm_open(flags);
	return NEXT(open)(path, flags, MODE(flags, flags));
}

EXPORT int
open64(const char *path, int flags, ...)
{
	if (vnm_path_is_device(path))
		return vale_nm_open(flags);
	return NEXT(open64)(path, flags, MODE(flags, flags));
}

EXPORT int
__open(const char *path, int flags, ...)
{
	if (vnm_path_is_device(path))
		return vale_nm_open(flags);
	return NEXT(__open)(path, flags, MODE(flags, flags));
}

EXPORT int
__open64(const char *path, int flags, ...)
{
	if (vnm_path_is_device(path))
		return vale_nm_open(flags);
	return NEXT(__open64)(path, flags, MODE(flags, flags));
}

EXPORT int
openat(int dir, const char *path, int flags, ...)
{
	if (vnm_path_is_device(path))
		return vale_nm_open(flags);
	return NEXT(openat)(dir, path, flags, MODE(flags, flags));
}

EXPORT int
openat64(int dir, const char *path, int flags, ...)
{
	if (vnm_path_is_device(path))
		return vale_nm_open(flags);
	return NEXT(openat64)(dir, path, flags, MODE(flags, flags));
}

/* The forms that _FORTIFY_SOURCE makes of calls without a mode. */

EXPORT int
__open_2(const char *path, int flags)
{
	return vnm_path_is_device(path) ? vale_nm_open(flags) : NEXT(__open_2)(path, flags);
}

EXPORT int
__open64_2(const char *path, int flags)
{
	return vnm_path_is_device(path) ? vale_nm_open(flags) : NEXT(__open64_2)(path, flags);
}

EXPORT int
__openat_2(int dir, const char *path, int flags)
{
	return vnm_path_is_device(path) ? vale_nm_open(flags) : NEXT(__openat_2)(dir, path, flags);
}

EXPORT int
__openat64_2(int dir, const char *path, int flags)
{
	return vnm_path_is_device(path) ? vale_nm_open(flags)
					: NEXT(__openat64_2)(dir, path, flags);
}
