/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_errno.h>

#include "vale_listener.h"
#include "vale_log.h"

struct vale_listener {
	struct sockaddr_un sa;
	const char *what;
	int fd;
	int spare_fd;	  /* given up to turn a client away when there are no more */
	bool bound;	  /* the socket is ours to remove */
	bool turned_away; /* said so */
};

mode_t
vale_listener_mode(const struct vale_listener_conf *conf)
{
	return conf->mode != 0 ? conf->mode : 0600;
}

int
vale_listener_fd(const struct vale_listener *l)
{
	return l->fd;
}

const char *
vale_listener_path(const struct vale_listener *l)
{
	return l->sa.sun_path;
}

/* No descriptor is left: the one kept for this turns the client away, who would otherwise wait, and
 * keep the listener ready for ever. */
static void
turn_away(struct vale_listener *l, int error)
{
	int fd;

	if (!l->turned_away)
		VALE_LOG(ERR, "no descriptor for another %s (%s); raise `ulimit -n`", l->what,
			strerror(error));
	l->turned_away = true;
	close(l->spare_fd);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	l->spare_fd = eventfd(0, EFD_CLOEXEC);
}

int
vale_listener_accept(struct vale_listener *l)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), err = errno;

	if (fd >= 0)
		return fd;
	if (err == EMFILE || err == ENFILE)
		turn_away(l, err);
	return -err;
}

static int
listen_on(struct vale_listener *l, const struct vale_listener_conf *conf)
{
	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	/* a stale socket: the check before EAL saw that nobody listens on it */
	unlink(conf->path);
	if (bind(l->fd, (struct sockaddr *)&l->sa, sizeof(l->sa)) < 0)
		return -errno;
	l->bound = true;
	/* nobody can connect before listen(), so owner and mode are in force from the first
	 * connection */
	if (chmod(conf->path, vale_listener_mode(conf)) < 0 ||
		chown(conf->path, conf->owner, conf->group) < 0 || listen(l->fd, SOMAXCONN) < 0)
		return -errno;
	return 0;
}

struct vale_listener *
vale_listener_create(const struct vale_listener_conf *conf, const char *what)
{
	struct vale_listener *l = calloc(1, sizeof(*l));
	int ret = -ENOMEM;

	if (l == NULL)
		goto fail;
	*l = (struct vale_listener){.sa.sun_family = AF_UNIX, .what = what, .fd = -1};
	l->spare_fd = eventfd(0, EFD_CLOEXEC);
	ret = l->spare_fd < 0 ? -errno : 0;
	if (ret == 0 && strlen(conf->path) >= sizeof(l->sa.sun_path))
		ret = -ENAMETOOLONG;
	if (ret < 0)
		goto fail;
	snprintf(l->sa.sun_path, sizeof(l->sa.sun_path), "%s", conf->path);
	ret = listen_on(l, conf);
	if (ret == 0)
		return l;

fail:
	vale_listener_free(l);
	rte_errno = -ret;
	return NULL;
}

void
vale_listener_free(struct vale_listener *l)
{
	if (l == NULL)
		return;
	if (l->fd >= 0)
		close(l->fd);
	if (l->bound)
		unlink(l->sa.sun_path);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	free(l);
}
