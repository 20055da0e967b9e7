/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vale_process.h"

void
vale_process_comm(pid_t pid, char *buf, size_t sz)
{
	char path[64];
	FILE *f;

	snprintf(buf, sz, "?");
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fgets(buf, (int)sz, f) != NULL)
		buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
}

/* ---- who it is ---- */

/** Fields of a line of /proc/PID/status; false if it cannot be read. */
static bool
status_line(pid_t pid, const char *key, char *line, size_t sz)
{
	bool found = false;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!found && fgets(line, (int)sz, f) != NULL)
		found = strncmp(line, key, strlen(key)) == 0;
	fclose(f);
	return found;
}

/** The last of the numbers that a process has, one in each namespace from ours inwards. */
static pid_t
innermost_pid(pid_t pid)
{
	char line[512];
	const char *at;

	if (!status_line(pid, "NSpid:", line, sizeof(line)))
		return pid;
	line[strcspn(line, "\n")] = '\0';
	at = strrchr(line, '\t');
	return at != NULL ? (pid_t)strtol(at, NULL, 10) : pid;
}

/** Field 22 of its stat, see proc(5). The name in field 2 may contain anything; the last
 * parenthesis ends it. */
static uint64_t
start_of(pid_t pid)
{
	char path[64], text[1024] = "";
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	at = strrchr(text, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at != NULL ? strtoull(at, NULL, 10) : 0;
}

void
vale_process_identify(pid_t pid, struct vale_process_id *id)
{
	*id = (struct vale_process_id){
		.pid = pid,
		.ns_pid = innermost_pid(pid),
		.start = start_of(pid),
	};
}

/* ---- what it has mapped ---- */

/** Whether a process maps a file, by device and inode: in another mount namespace it has another
 * name. Not 1 and not 0: it cannot be read. */
static int
maps_inode(pid_t pid, const struct stat *st)
{
	unsigned int major_nr, minor_nr;
	char path[64], line[PATH_MAX + 128];
	unsigned long ino;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%*s %*s %*s %x:%x %lu", &major_nr, &minor_nr, &ino) == 3 &&
			ino == st->st_ino && makedev(major_nr, minor_nr) == st->st_dev;
	fclose(f);
	return found;
}

pid_t
vale_process_find(pid_t ns_pid, const char *path, bool (*skip)(pid_t pid))
{
	pid_t found = 0, pid;
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (stat(path, &st) < 0)
		return 0;
	if (innermost_pid(ns_pid) == ns_pid && maps_inode(ns_pid, &st) != 0 && !skip(ns_pid))
		return ns_pid;
	d = opendir("/proc");
	while (d != NULL && found == 0 && (e = readdir(d)) != NULL) {
		pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 0 && innermost_pid(pid) == ns_pid && maps_inode(pid, &st) == 1 &&
			!skip(pid))
			found = pid;
	}
	if (d != NULL)
		closedir(d);
	return found;
}

/** The name stands behind the fifth field; a mapping without a file has none. */
static bool
maps(const char *pid, const char *file)
{
	char path[64], line[PATH_MAX + 128];
	bool found = false;
	int name_at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		name_at = 0;
		(void)sscanf(line, "%*s %*s %*s %*s %*s %n", &name_at);
		line[strcspn(line, "\n")] = '\0';
		found = name_at > 0 && strcmp(line + name_at, file) == 0;
	}
	fclose(f);
	return found;
}

bool
vale_process_others_map(const char *path)
{
	DIR *d = opendir("/proc");
	bool found = false;
	struct dirent *e;

	if (d == NULL)
		return true; /* we cannot know */
	while (!found && (e = readdir(d)) != NULL)
		found = isdigit((unsigned char)e->d_name[0]) &&
			strtol(e->d_name, NULL, 10) != getpid() && maps(e->d_name, path);
	closedir(d);
	return found;
}
