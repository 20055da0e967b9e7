/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
