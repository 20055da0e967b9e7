/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors of netmap's that came through exec: all others pass a wrapper when they come. */
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>

#include "file.h"
#include "sys.h"

/* Where /proc is missing, these numbers are looked at. */
#define NUMBERS 1024

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

/** The number that a name is; -1 for "." and "..". */
static int
number_of(const char *name)
{
	int n = 0;

	if (*name < '0' || *name > '9')
		return -1;
	for (; *name >= '0' && *name <= '9' && n < INT32_MAX / 16; name++)
		n = n * 10 + (*name - '0');
	return n;
}

static bool
scan_proc(void)
{
	char buf[2048] __attribute__((aligned(8)));
	long n, at,
		fd = vnm_sys6(SYS_openat, AT_FDCWD, (long)"/proc/self/fd",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);

	if (fd < 0)
		return false;
	while ((n = vnm_sys6(SYS_getdents64, fd, (long)buf, sizeof(buf), 0, 0, 0)) > 0) {
		for (at = 0; at < n;) {
			const struct dirent64 *d = (const void *)(buf + at);
			int number = number_of(d->name);

			if (number >= 0)
				vnm_file_received(number);
			at += d->len;
		}
	}
	vnm_sys_close((int)fd);
	return true;
}

void
vnm_file_scan(void)
{
	int fd;

	if (scan_proc())
		return;
	for (fd = 0; fd < NUMBERS; fd++)
		vnm_file_received(fd);
}
