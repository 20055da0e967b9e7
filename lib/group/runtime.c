/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_eal.h>

#include "runtime.h"
#include "vale_secondaries.h"

#define MP_SOCKET "mp_socket_"

int
runtime_path(const char *name, char *buf, size_t sz)
{
	int n = snprintf(buf, sz, "%s/%s", rte_eal_get_runtime_dir(), name);

	return n < 0 || (size_t)n >= sz ? -ENAMETOOLONG : 0;
}

void
runtime_remove(const char *name)
{
	char path[PATH_MAX];

	if (runtime_path(name, path, sizeof(path)) == 0)
		unlink(path);
}

bool
runtime_has(const char *name)
{
	char path[PATH_MAX];

	return runtime_path(name, path, sizeof(path)) == 0 && access(path, F_OK) == 0;
}

bool
runtime_socket_is_dead(const char *name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	bool dead;
	int fd;

	if (runtime_path(name, sa.sun_path, sizeof(sa.sun_path)) < 0)
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	dead = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

pid_t
runtime_socket_pid(const char *name)
{
	unsigned long pid;
	char *end;

	if (strncmp(name, MP_SOCKET, sizeof(MP_SOCKET) - 1) != 0)
		return 0;
	pid = strtoul(name + sizeof(MP_SOCKET) - 1, &end, 10);
	return *end == '_' && pid <= INT_MAX ? (pid_t)pid : 0;
}

/** Maps of memory segments that a secondary has for itself: `fbarray_NAME_PID_COUNTER`. */
static bool
is_array_of(const char *name, pid_t pid)
{
	char middle[32];
	const char *at;

	snprintf(middle, sizeof(middle), "_%d_", pid);
	at = strncmp(name, "fbarray_", 8) == 0 ? strstr(name, middle) : NULL;
	return at != NULL && strchr(at + strlen(middle), '_') == NULL;
}

void
runtime_remove_arrays(pid_t ns_pid)
{
	DIR *d = opendir(rte_eal_get_runtime_dir());
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (is_array_of(e->d_name, ns_pid))
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

bool
vale_secondaries_folder_is_empty(void)
{
	DIR *d = opendir(rte_eal_get_runtime_dir());
	bool empty = d != NULL;
	struct dirent *e;

	while (empty && (e = readdir(d)) != NULL)
		empty = runtime_socket_pid(e->d_name) == 0 || runtime_socket_is_dead(e->d_name);
	if (d != NULL)
		closedir(d);
	return empty;
}
