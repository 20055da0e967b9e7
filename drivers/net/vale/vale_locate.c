/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which switch a device means, and whether this process is in its DPDK group.
 *
 * It is, if it is a secondary process and the switch its primary. Who its primary is was settled
 * when EAL started: a new switch under the same prefix is another group, though its files have the
 * same names. The primary holds a lock on the group's configuration; the kernel says who.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_memzone.h>
#include <rte_string_fns.h>

#include "vale_control_client.h"
#include "vale_pmd.h"

/* The file in EAL's runtime folder that the primary keeps locked. */
#define EAL_CONFIG "config"

/* 0: it had ended, or is in a PID namespace that is not ours. Written in EAL's start. */
static pid_t primary_pid;

void
vale_locate_primary(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[256];
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/" EAL_CONFIG, rte_eal_get_runtime_dir());
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	/* closing it gives up the locks that this process has on it: a secondary has none */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		primary_pid = lock.l_pid;
	close(fd);
}

static int
put_path(char *out, size_t sz, const char *path)
{
	return strlcpy(out, path, sz) < sz ? 0 : -ENAMETOOLONG;
}

/** The switch of this group, if there is one; else that which vale-ctl would take. */
static int
default_socket(char *out, size_t sz)
{
	const char *env = getenv("VALE_SOCKET");
	struct stat st;
	int n;

	if (rte_eal_process_type() == RTE_PROC_SECONDARY) {
		n = snprintf(out, sz, "%s/%s", rte_eal_get_runtime_dir(), VALE_RUNTIME_SOCKET);
		/* a link: it stays when its switch is killed, whose secondaries it is that find it
		 */
		if (n > 0 && (size_t)n < sz && lstat(out, &st) == 0)
			return 0;
	}
	if (env != NULL && env[0] != '\0')
		return put_path(out, sz, env);
	return vale_ctl_default_socket(VALE_DEFAULT_PREFIX, out, sz);
}

/** The process that listens at a socket; 0 if it is in a PID namespace that is not ours. */
static int
ask_pid(const char *path, pid_t *pid)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int fd = vale_ctl_connect(path);
	int ret = 0;

	if (fd < 0)
		return fd;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		ret = -errno;
	*pid = peer.pid;
	close(fd);
	return ret;
}

static bool
is_in_group(pid_t switch_pid)
{
	if (rte_eal_process_type() != RTE_PROC_SECONDARY || !rte_eal_has_hugepages())
		return false;
	if (switch_pid != primary_pid)
		return false;
	/* both out of sight: if the primary is a switch at all, we take it to be this one, and
	 * are told when it is not */
	return switch_pid != 0 || rte_memzone_lookup(VALE_MEMPOOL_OPS_MZ_NAME) != NULL;
}

int
vale_locate_switch(struct vale_args *args, bool *in_group)
{
	pid_t pid = 0;
	int ret;

	if (args->socket[0] == '\0' && default_socket(args->socket, sizeof(args->socket)) != 0) {
		VALE_PMD_LOG(ERR,
			"port %s: the path of the switch's socket is too long; use socket=",
			args->port);
		return -ENAMETOOLONG;
	}
	ret = ask_pid(args->socket, &pid);
	if (ret != 0) {
		VALE_PMD_LOG(ERR,
			"port %s: no switch at %s: %s; is vale-switch running, or does it need "
			"socket=?",
			args->port, args->socket, strerror(-ret));
		return ret;
	}
	*in_group = is_in_group(pid);
	return 0;
}
