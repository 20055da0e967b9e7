/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <net/netmap.h>

#include "vale_netmap_client.h"

#include "device/connection.h"
#include "device/file.h"
#include "device/ready.h"
#include "device/request.h"
#include "device/ring.h"
#include "device/state.h"
#include "device/sys.h"
#include "device/wait.h"
#include "device/why.h"

/* After so many syncs in a row that moved nothing, look whether the switch is still there. */
#define IDLE_SYNCS 64

int
vale_nm_open(int flags)
{
	int fd = vnm_connection_open(flags);

	if (fd >= 0)
		vnm_file_opened(fd);
	return (int)vnm_ret(fd);
}

bool
vale_nm_is(int fd)
{
	return vnm_file_is(fd, true);
}

int
vale_nm_close(int fd)
{
	if (fd >= 0)
		vnm_file_forget((unsigned int)fd, (unsigned int)fd);
	return (int)vnm_ret(vnm_sys_close(fd));
}

/** A dead switch moves nothing, and a sync that makes no system call does not see that it is dead.
 */
static long
sync_idle(int fd, struct vnm_file *f, bool idle)
{
	if (!idle) {
		atomic_store_explicit(&f->idle, 0, memory_order_relaxed);
		return 0;
	}
	if (atomic_fetch_add_explicit(&f->idle, 1, memory_order_relaxed) < IDLE_SYNCS)
		return 0;
	atomic_store_explicit(&f->idle, 0, memory_order_relaxed);
	return vnm_ready_gone(fd) ? -ENXIO : 0;
}

/** NIOCTXSYNC and NIOCRXSYNC of all rings. Bad indices are mended, as by netmap, and are no error.
 */
static long
sync_all(int fd, unsigned long request, void *arg)
{
	struct vnm_file *f = NULL;
	unsigned int i, dir = request == NIOCTXSYNC ? 0 : 1;
	bool idle = true;
	long ret;

	switch (vnm_file_get(fd, &f, true)) {
	case VNM_NONE: /* EBADF, or what it is instead says */
		return vnm_sys6(SYS_ioctl, fd, (long)request, (long)arg, 0, 0, 0);
	case VNM_UNBOUND:
		return -ENXIO;
	default:
		break;
	}
	for (i = 0; i < f->nb_rings[dir]; i++) {
		struct netmap_ring *ring = (dir == 0 ? f->tx : f->rx)[i].ring;
		uint32_t tail = ring->tail;

		if (dir == 0)
			vnm_ring_txsync(fd, f, i);
		else
			vnm_ring_rxsync(f, i);
		idle = idle && tail == ring->tail;
	}
	ret = sync_idle(fd, f, idle);
	vnm_file_put(f);
	return ret;
}

/** Requests that all files answer, sockets included. */
static bool
of_every_file(unsigned long request)
{
	return request == FIOCLEX || request == FIONCLEX || request == FIONBIO ||
	       request == FIOASYNC;
}

static long
ioctl_any(int fd, unsigned long request, void *arg)
{
	if (request == NIOCTXSYNC || request == NIOCRXSYNC)
		return sync_all(fd, request, arg);
	if (!vnm_file_is(fd, true) || of_every_file(request))
		return vnm_sys6(SYS_ioctl, fd, (long)request, (long)arg, 0, 0, 0);
	switch (request) {
	case NIOCCTRL:
		return vnm_request_ctrl(fd, arg);
	case NIOCREGIF:
	case NIOCGINFO:
		return vnm_request_legacy(fd, request, arg);
	case NIOCCONFIG:
		return -EINVAL; /* no module is behind any switch */
	default:
		return -EOPNOTSUPP;
	}
}

int
vale_nm_ioctl(int fd, unsigned long request, void *arg)
{
	/* the kernel and netmap know requests by 32 bits */
	return (int)vnm_ret(ioctl_any(fd, (uint32_t)request, arg));
}

void *
vale_nm_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	struct vale_ctl_nm_state_reply state;
	int memfd;
	long ret;

	if (!vnm_file_is(fd, true))
		return (void *)vnm_ret(vnm_sys_mmap(addr, len, prot, flags, fd, offset));
	ret = vnm_state_ask(fd, &state, &memfd);
	if (ret != 0)
		return (void *)vnm_ret(ret == -ENXIO ? -EINVAL : ret);
	if (offset < 0 || (uint64_t)offset > state.size || len > state.size - (uint64_t)offset)
		ret = -EINVAL;
	else
		ret = vnm_sys_mmap(addr, len, prot, flags, memfd, offset);
	vnm_sys_close(memfd);
	return (void *)vnm_ret(ret);
}

int
vale_nm_poll(struct pollfd *fds, nfds_t nb_fds, int timeout_ms)
{
	struct timespec ts = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

	return (int)vnm_ret(vnm_wait(fds, nb_fds, timeout_ms < 0 ? NULL : &ts, NULL));
}

const char *
vale_nm_why(void)
{
	return vnm_why();
}
