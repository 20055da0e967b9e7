/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LIBNETMAP_DEVICE_H
#define LIBNETMAP_DEVICE_H

/**
 * @file
 * How the library reaches /dev/netmap: directly, when the program is linked with
 * libvale_netmap_client; otherwise by system calls, which the preload takes.
 */

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../vale_netmap_client.h"

#pragma weak vale_nm_open
#pragma weak vale_nm_ioctl
#pragma weak vale_nm_mmap
#pragma weak vale_nm_close

static inline int
device_open(void)
{
	return vale_nm_open != NULL ? vale_nm_open(O_RDWR) : open("/dev/netmap", O_RDWR);
}

static inline int
device_ioctl(int fd, unsigned long request, void *arg)
{
	return vale_nm_ioctl != NULL ? vale_nm_ioctl(fd, request, arg) : ioctl(fd, request, arg);
}

static inline void *
device_mmap(int fd, size_t len)
{
	const int prot = PROT_READ | PROT_WRITE;

	return vale_nm_mmap != NULL ? vale_nm_mmap(NULL, len, prot, MAP_SHARED, fd, 0)
				    : mmap(NULL, len, prot, MAP_SHARED, fd, 0);
}

static inline void
device_close(int fd)
{
	if (vale_nm_close != NULL)
		vale_nm_close(fd);
	else
		close(fd);
}

#endif /* LIBNETMAP_DEVICE_H */
