/* SPDX-License-Identifier: BSD-3-Clause */
/* ioctl and mmap. */
#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <net/netmap.h>

#include "device/file.h"
#include "next.h"
#include "vale_netmap_client.h"

NEXT_SLOT(ioctl);
NEXT_SLOT(mmap);
NEXT_SLOT(mmap64);

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(ioctl);
	NEXT_FIND(mmap);
	NEXT_FIND(mmap64);
}

/** Netmap's own requests: whoever makes one believes that the descriptor is netmap's. */
static bool
is_netmap(unsigned long request)
{
	switch ((uint32_t)request) {
	case NIOCCTRL:
	case NIOCREGIF:
	case NIOCGINFO:
	case NIOCTXSYNC:
	case NIOCRXSYNC:
	case NIOCCONFIG:
		return true;
	default:
		return false;
	}
}

EXPORT int
ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (is_netmap(request) || vnm_file_known(fd))
		return vale_nm_ioctl(fd, request, arg);
	return NEXT(ioctl)(fd, request, arg);
}

/** A socket cannot be mapped: then it may be one that was never met. */
static bool
not_mapped(void *mem, int fd)
{
	return mem == MAP_FAILED && errno == ENODEV && fd >= 0 && vnm_file_is(fd, true);
}

EXPORT void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *mem = NEXT(mmap)(addr, len, prot, flags, fd, offset);

	return not_mapped(mem, fd) ? vale_nm_mmap(addr, len, prot, flags, fd, offset) : mem;
}

EXPORT void *
mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t offset)
{
	void *mem = NEXT(mmap64)(addr, len, prot, flags, fd, offset);

	return not_mapped(mem, fd) ? vale_nm_mmap(addr, len, prot, flags, fd, offset) : mem;
}
