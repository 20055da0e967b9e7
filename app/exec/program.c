/* SPDX-License-Identifier: BSD-3-Clause */
/* What a program must be for the preload to be in it. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "exec.h"

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/** As execvp would find it. 0 or an errno. */
static int
find(const char *name, char *path, unsigned int path_sz)
{
	const char *dirs = getenv("PATH"), *end;

	if (strchr(name, '/') != NULL) {
		snprintf(path, path_sz, "%s", name);
		return access(name, F_OK) != 0 ? errno : is_program(name) ? 0 : EACCES;
	}
	for (dirs = dirs != NULL ? dirs : "/bin:/usr/bin"; dirs != NULL;
		dirs = *end == ':' ? end + 1 : NULL) {
		end = strchrnul(dirs, ':');
		snprintf(path, path_sz, "%.*s%s%s", (int)(end - dirs), dirs, end == dirs ? "" : "/",
			name);
		if (is_program(path))
			return 0;
	}
	return ENOENT;
}

/** Does the file ask for a dynamic loader? A file that is no ELF of this machine (a script) does
 * not matter: its interpreter will be asked by the kernel. */
static bool
is_static(const char *path)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool elf, interp = false;

	elf = fd >= 0 && pread(fd, &eh, sizeof(eh), 0) == sizeof(eh) &&
	      memcmp(eh.e_ident, ELFMAG, SELFMAG) == 0 && eh.e_ident[EI_CLASS] == ELFCLASS64 &&
	      eh.e_phentsize == sizeof(ph);
	for (unsigned int i = 0; elf && i < eh.e_phnum && !interp; i++) {
		off_t at = (off_t)(eh.e_phoff + i * sizeof(ph));

		interp = pread(fd, &ph, sizeof(ph), at) == sizeof(ph) && ph.p_type == PT_INTERP;
	}
	if (fd >= 0)
		close(fd);
	return elf && !interp;
}

/** Will the loader drop LD_PRELOAD, because the program gets rights that its user has not? */
static bool
gains_rights(const char *path)
{
	struct stat st;

	if (geteuid() == 0)
		return false;
	if (stat(path, &st) == 0 && (((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
					    ((st.st_mode & S_ISGID) && st.st_gid != getegid())))
		return true;
	return getxattr(path, "security.capability", NULL, 0) > 0;
}

int
exec_check_program(const char *name, char *path, unsigned int path_sz)
{
	int err = find(name, path, path_sz);

	if (err != 0) {
		fprintf(stderr, "vale-exec: %s: %s\n", name,
			err == ENOENT ? "there is no such program" : strerror(err));
		return err == ENOENT ? EXEC_NOT_FOUND : EXEC_CANNOT;
	}
	if (is_static(path)) {
		fprintf(stderr,
			"vale-exec: %s is linked statically, so nothing can be put in front of its "
			"system calls: link it with libvale_netmap_client instead\n",
			path);
		return EXEC_CANNOT;
	}
	if (gains_rights(path)) {
		fprintf(stderr,
			"vale-exec: %s is setuid, setgid or has capabilities, so the loader takes "
			"no preload from its user: start it as root (sudo vale-exec ...)\n",
			path);
		return EXEC_CANNOT;
	}
	return 0;
}
