/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "instance.h"
#include "vale_process.h"

/* Where DPDK has it: $RUNTIME_DIRECTORY (systemd), else /var/run for root, else the user's own. */
int
instance_runtime_dir(const char *prefix, char *buf, size_t sz)
{
	const char *base = getenv("RUNTIME_DIRECTORY");

	if (base == NULL)
		base = getuid() == 0 ? "/var/run" : getenv("XDG_RUNTIME_DIR");
	if (base == NULL)
		base = "/tmp";
	if (snprintf(buf, sz, "%s/dpdk/%s", base, prefix) >= (int)sz)
		return -ENAMETOOLONG;
	return 0;
}

/* A primary holds a write lock on part of its configuration file for as long as it lives. */
pid_t
instance_live_pid(const char *prefix)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX];
	int fd, ret, dir;

	if (instance_runtime_dir(prefix, path, sizeof(path)) < 0)
		return 0;
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return 0;
	fd = openat(dir, "config", O_RDONLY | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return 0;
	ret = fcntl(fd, F_GETLK, &lock);
	close(fd);
	if (ret < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid > 0 ? lock.l_pid : -1;
}

pid_t
instance_socket_pid(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct ucred cred = {0};
	socklen_t len = sizeof(cred);
	pid_t pid = 0;
	int fd;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
		pid = -1;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid > 0)
			pid = cred.pid;
	}
	close(fd);
	return pid;
}

/* Whether a file name is PREFIXmap_N, as EAL names hugepage files. */
static bool
is_huge_file(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(name, prefix, len) != 0 || strncmp(name + len, "map_", 4) != 0)
		return false;
	name += len + 4;
	if (!isdigit((unsigned char)*name))
		return false;
	while (isdigit((unsigned char)*name))
		name++;
	return *name == '\0' || *name == ' '; /* " (deleted)" in /proc/PID/maps */
}

/* Remove the files of a folder, all or the hugepage files of a prefix. */
static unsigned int
remove_in(const char *dir, const char *huge_prefix)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned int nb = 0;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' && (e->d_name[1] == '\0' || e->d_name[1] == '.'))
			continue;
		if (huge_prefix != NULL && !is_huge_file(e->d_name, huge_prefix))
			continue;
		nb += unlinkat(dirfd(d), e->d_name, 0) == 0;
	}
	closedir(d);
	return nb;
}

unsigned int
instance_remove_files(const char *prefix, const struct huge_mounts *h)
{
	char dir[PATH_MAX];
	unsigned int nb = 0;

	for (unsigned int i = 0; i < h->nb; i++)
		nb += remove_in(h->m[i].dir, prefix);
	if (instance_runtime_dir(prefix, dir, sizeof(dir)) == 0) {
		nb += remove_in(dir, NULL);
		(void)rmdir(dir); /* not there, or something of another's in it */
	}
	return nb;
}

static bool
is_our_mount(const struct huge_mounts *h, dev_t dev)
{
	for (unsigned int i = 0; i < h->nb; i++)
		if (h->m[i].dev == dev)
			return true;
	return false;
}

/* Bytes that one process maps of the prefix's hugepage files. */
static uint64_t
mapped_bytes(const char *pid, const char *prefix, const struct huge_mounts *h)
{
	unsigned long from, to, inode;
	unsigned int major, minor;
	char line[PATH_MAX + 128];
	uint64_t sum = 0;
	char path[64];
	int name_at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *name;

		if (sscanf(line, "%lx-%lx %*s %*s %x:%x %lu %n", &from, &to, &major, &minor, &inode,
			    &name_at) != 5)
			continue;
		line[strcspn(line, "\n")] = '\0';
		name = strrchr(line + name_at, '/');
		if (name != NULL && is_huge_file(name + 1, prefix) &&
			is_our_mount(h, makedev(major, minor)))
			sum += to - from;
	}
	fclose(f);
	return sum;
}

unsigned int
instance_orphans(const char *prefix, const struct huge_mounts *h, struct instance_orphan *out,
	unsigned int max)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	unsigned int nb = 0;

	if (d == NULL)
		return 0;
	while (nb < max && (e = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		out[nb].bytes = mapped_bytes(e->d_name, prefix, h);
		if (out[nb].bytes == 0)
			continue;
		out[nb].pid = (pid_t)strtol(e->d_name, NULL, 10);
		vale_process_comm(out[nb].pid, out[nb].comm, sizeof(out[nb].comm));
		nb++;
	}
	closedir(d);
	return nb;
}
