/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_errno.h>

#include "memif_port.h"
#include "vale_log.h"

/* How often queues are looked at whose clients may have failed to ring, in milliseconds. */
#define SWEEP_MS 50

struct memif memif = {.fault_fd = -1};

static void
on_client(void *arg, int listen_fd)
{
	int fd = vale_listener_accept(memif.listener);

	if (fd >= 0)
		memif_conn_open(fd);
}

static void
on_fault(void *arg, int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == sizeof(n))
		memif_conns_check();
}

/* Whether a folder is the one that a switch of ours made for its memif sockets. */
static bool
is_own_folder(const char *dir, uid_t owner)
{
	const char *last = strrchr(dir, '/');
	struct stat st;

	return last != NULL && strcmp(last, "/memif") == 0 && lstat(dir, &st) == 0 &&
	       S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == owner);
}

/* Clients need the right to write to the folder (net_memif insists), so it is theirs as the socket
 * is; sticky, so that they cannot take the socket away. */
static int
make_folder(const struct vale_listener_conf *conf, mode_t mode)
{
	char buf[sizeof(memif.path)];
	mode_t search = (mode & 0444) >> 2;
	char *dir;

	snprintf(buf, sizeof(buf), "%s", conf->path);
	dir = dirname(buf);
	if (mkdir(dir, 0700) < 0) {
		if (errno != EEXIST)
			return -errno;
		/* one of a switch that was killed is ours now */
		if (!is_own_folder(dir, conf->owner))
			return 0;
	}
	memif.made_folder = true;
	if (chmod(dir, S_ISVTX | mode | search) < 0 || chown(dir, conf->owner, conf->group) < 0)
		return -errno;
	return 0;
}

/* The next switch makes it anew, with its own owner and mode. One that others use stays. */
static void
remove_folder(void)
{
	char buf[sizeof(memif.path)];

	snprintf(buf, sizeof(buf), "%s", memif.path);
	if (memif.made_folder)
		(void)rmdir(dirname(buf));
	memif.made_folder = false;
}

static int
listen_on(const struct vale_listener_conf *conf)
{
	int ret;

	if (strlen(conf->path) >= sizeof(memif.path))
		return -ENAMETOOLONG;
	ret = make_folder(conf, vale_listener_mode(conf));
	if (ret < 0)
		return ret;
	memif.listener = vale_listener_create(conf, "memif client");
	if (memif.listener == NULL)
		return -rte_errno;
	snprintf(memif.path, sizeof(memif.path), "%s", conf->path);
	return 0;
}

/* Without them memif alone is missing: other kinds of ports need none. */
static void
init_kicks(void)
{
	int ret = memif_kick_init();

	memif.kicks = ret == 0;
	if (ret < 0)
		VALE_LOG(WARNING,
			"memif clients are refused, for they could not be woken: io_setup: %s; "
			"raise fs.aio-max-nr and start again",
			strerror(-ret));
}

static int
watch_all(struct vale_server *server)
{
	int ret = vale_server_watch(server, vale_listener_fd(memif.listener), on_client, NULL);

	memif_open_init();
	if (ret == 0)
		ret = vale_server_watch(server, memif.fault_fd, on_fault, NULL);
	if (ret == 0)
		ret = vale_server_every(server, 1000, memif_conns_tick, NULL);
	if (ret == 0)
		ret = vale_server_every(server, SWEEP_MS, memif_conns_sweep, NULL);
	return ret;
}

int
vale_memif_init(
	const struct vale_listener_conf *conf, struct vale_switches *s, struct vale_server *server)
{
	int ret;

	memif.switches = s;
	memif.server = server;
	TAILQ_INIT(&memif.conns);
	memif.fault_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (memif.fault_fd < 0) {
		ret = -errno;
		goto fail;
	}
	ret = memif_guard_init();
	if (ret < 0)
		goto fail;
	init_kicks();
	ret = listen_on(conf);
	if (ret < 0)
		goto fail_guard;
	ret = watch_all(server);
	if (ret == 0)
		return 0;
	vale_memif_fini();
	return ret;

fail_guard:
	memif_kick_fini();
	memif_guard_fini();
fail:
	if (memif.fault_fd >= 0)
		close(memif.fault_fd);
	memif.fault_fd = -1;
	return ret;
}

void
vale_memif_fini(void)
{
	struct memif_conn *c;

	while ((c = TAILQ_FIRST(&memif.conns)) != NULL)
		memif_conn_refuse(c, ESHUTDOWN, "the switch is ending");
	vale_server_unwatch(memif.server, vale_listener_fd(memif.listener));
	vale_listener_free(memif.listener);
	memif.listener = NULL;
	remove_folder();
	vale_server_unwatch(memif.server, memif.fault_fd);
	close(memif.fault_fd);
	memif.fault_fd = -1;
	memif_kick_fini();
	memif_guard_fini();
}
