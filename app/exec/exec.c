/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vale_control_client.h"
#include "vale_exec_config.h"

#include "exec.h"

const char *
exec_preload(void)
{
	static char path[PATH_MAX];
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash = NULL;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
	}
	if (slash != NULL) {
		*slash = '\0';
		if ((size_t)snprintf(path, sizeof(path), "%s/../lib/" EXEC_PRELOAD_NAME, self) <
				sizeof(path) &&
			access(path, R_OK) == 0 && realpath(path, self) != NULL) {
			memcpy(path, self, sizeof(path));
			return path;
		}
	}
	if (access(EXEC_PRELOAD_INSTALLED, R_OK) == 0)
		return EXEC_PRELOAD_INSTALLED;
	fprintf(stderr,
		"vale-exec: " EXEC_PRELOAD_NAME " is neither beside this program nor at %s: "
		"install it again (meson install)\n",
		EXEC_PRELOAD_INSTALLED);
	return NULL;
}

/** Is the switch there? A program would only say "No such file or directory". */
static int
check_switch(const char *socket)
{
	int fd = vale_ctl_connect(socket);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	fprintf(stderr, "vale-exec: no switch at %s: %s. ", socket, strerror(-fd));
	if (fd == -EACCES)
		fprintf(stderr, "Its --socket-group and --socket-mode say who may connect.\n");
	else
		fprintf(stderr, "Start vale-switch, or name its socket with --socket.\n");
	return EXEC_NO_SWITCH;
}

/** libvale-pcap.so stands beside the preload, if it was built: libpcap's calls on names of ports.
 */
static bool
find_pcap(const char *preload, char *path, size_t path_sz)
{
	size_t folder = strlen(preload) - strlen(EXEC_PRELOAD_NAME);
	int len = snprintf(path, path_sz, "%.*s" EXEC_PCAP_NAME, (int)folder, preload);

	return len > 0 && (size_t)len < path_sz && access(path, R_OK) == 0;
}

/** Before other preloads of the user's: they go on working behind it. */
static int
set_environment(const char *socket, const char *preload, bool verbose)
{
	const char *other = getenv("LD_PRELOAD");
	char *all, pcap[PATH_MAX];
	bool has_pcap = find_pcap(preload, pcap, sizeof(pcap));

	if (strpbrk(preload, " :") != NULL) {
		fprintf(stderr,
			"vale-exec: the folder of %s has a space or a colon in its name, "
			"which LD_PRELOAD cannot express: move it\n",
			preload);
		return EXEC_CANNOT;
	}
	if (other == NULL || other[0] == '\0' || strstr(other, EXEC_PRELOAD_NAME) != NULL)
		other = NULL;
	if (asprintf(&all, "%s%s%s%s%s", preload, has_pcap ? ":" : "", has_pcap ? pcap : "",
		    other != NULL ? ":" : "", other != NULL ? other : "") < 0 ||
		setenv("LD_PRELOAD", all, 1) != 0 || setenv("VALE_SOCKET", socket, 1) != 0 ||
		(verbose && setenv("VALE_NETMAP_VERBOSE", "1", 1) != 0)) {
		fprintf(stderr, "vale-exec: out of memory\n");
		return EXEC_CANNOT;
	}
	free(all);
	return 0;
}

/** Which switch: NULL, having said so, if its path is too long. */
static const char *
find_socket(const char *socket)
{
	static char path[PATH_MAX], dflt[PATH_MAX];

	if (socket == NULL)
		socket = getenv("VALE_SOCKET");
	if (socket == NULL || socket[0] == '\0') {
		if (vale_ctl_default_socket("vale", dflt, sizeof(dflt)) < 0) {
			fprintf(stderr, "vale-exec: the default socket's path is too long\n");
			return NULL;
		}
		socket = dflt;
	}
	/* the program may go elsewhere before it opens the device */
	return realpath(socket, path) != NULL ? path : socket;
}

int
exec_program(const struct exec_opts *opts, char **argv)
{
	const char *preload = exec_preload(), *socket;
	char path[PATH_MAX];
	int status;

	if (preload == NULL)
		return EXEC_CANNOT;
	socket = find_socket(opts->socket);
	if (socket == NULL)
		return EXEC_NO_SWITCH;
	if (opts->apparmor) {
		exec_apparmor_rules(stdout, preload, socket);
		return 0;
	}
	status = exec_check_program(argv[0], path, sizeof(path));
	if (status == 0)
		status = check_switch(socket);
	if (status == 0)
		status = set_environment(socket, preload, opts->verbose);
	if (status != 0)
		return status;
	exec_apparmor_warn("", path, preload, socket);
	execv(path, argv);
	fprintf(stderr, "vale-exec: %s: %s\n", path, strerror(errno));
	return EXEC_CANNOT;
}
