/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AppArmor confines programs by their path: Debian's tcpdump, where AppArmor is on. Such a program
 * may be kept from the switch's socket, and from the preload: the loader then says that the object
 * "cannot be preloaded", and tcpdump that there is no such device. A profile that a package brings
 * is not edited: it includes a file of the same name in local/, which is the administrator's.
 */
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"

#define PROFILES "/etc/apparmor.d"

/** One line of a file, without its end; false if there is no such file. */
static bool
read_line(const char *root, const char *path, char *line, int line_sz)
{
	char full[PATH_MAX];
	FILE *f;
	bool ok;

	snprintf(full, sizeof(full), "%s%s", root, path);
	f = fopen(full, "re");
	if (f == NULL)
		return false;
	ok = fgets(line, line_sz, f) != NULL;
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	fclose(f);
	return ok;
}

static bool
is_on(const char *root)
{
	char line[8];

	return read_line(root, "/sys/module/apparmor/parameters/enabled", line, sizeof(line)) &&
	       line[0] == 'Y';
}

/** Does a file have a line with this text? */
static bool
file_has(const char *root, const char *path, const char *text)
{
	char full[2 * PATH_MAX], line[1024];
	bool found = false;
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	f = fopen(full, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

/**
 * Is a profile for this program loaded, and enforced? Its name is the program's path or what the
 * profile's author called it, by convention the last part of the path. Who may not read the list
 * (it is root's) has to go by the file alone.
 */
static bool
is_enforced(const char *root, const char *real)
{
	char full[PATH_MAX], line[PATH_MAX + 64], path[PATH_MAX], name[PATH_MAX + 16];
	bool found = false;
	FILE *f;

	snprintf(full, sizeof(full), "%s/sys/kernel/security/apparmor/profiles", root);
	f = fopen(full, "re");
	if (f == NULL)
		return true;
	snprintf(path, sizeof(path), "%s", real);
	snprintf(name, sizeof(name), "%s (enforce)", basename(path));
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, name) == 0 ||
			(strncmp(line, real, strlen(real)) == 0 &&
				strcmp(line + strlen(real), " (enforce)") == 0);
	}
	fclose(f);
	return found;
}

/** The name of a program's profile file: its path, with dots. */
static void
profile_name(const char *real, char *name, size_t name_sz)
{
	snprintf(name, name_sz, "%s", real + 1);
	for (; *name != '\0'; name++)
		if (*name == '/')
			*name = '.';
}

void
exec_apparmor_rules(FILE *to, const char *preload, const char *socket)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", preload);
	fprintf(to,
		"  # vale-exec: the preload, the switch's socket, the connection that /dev/netmap "
		"is\n"
		"  %s/libvale-*.so mr,\n"
		"  %s rw,\n"
		"  unix type=seqpacket,\n"
		"  @{PROC}/@{pid}/{fd/,status} r,\n",
		dirname(folder), socket);
}

bool
exec_apparmor_warn(const char *root, const char *path, const char *preload, const char *socket)
{
	char real[PATH_MAX], name[PATH_MAX], file[PATH_MAX + 64], local[PATH_MAX + 64];

	if (!is_on(root) || realpath(path, real) == NULL)
		return false;
	profile_name(real, name, sizeof(name));
	snprintf(file, sizeof(file), PROFILES "/%s", name);
	snprintf(local, sizeof(local), PROFILES "/local/%s", name);
	if (!file_has(root, file, "") || !is_enforced(root, real) ||
		file_has(root, local, "libvale-"))
		return false;
	fprintf(stderr,
		"vale-exec: AppArmor confines %s. If it cannot open the port, put this into %s:\n",
		real, local);
	exec_apparmor_rules(stderr, preload, socket);
	fprintf(stderr,
		"and load it: apparmor_parser -r %s. Or let the program do as it likes: "
		"aa-complain %s\n",
		file, real);
	return true;
}
