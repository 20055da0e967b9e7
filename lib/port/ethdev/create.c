/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ethdev_port.h"
#include "vale_ethdev_port.h"
#include "vale_log.h"
#include "vale_switch.h"

/* Ports that come with a device of their own: a tap, or a virtual machine's network card. */

/* Queue pairs that a machine may use; it uses as many as it likes of them. */
#define VHOST_QUEUES 8

static void
port_mac(const struct vale_ctl_create_req *req, const struct vale_name *name, uint8_t mac[6])
{
	if (req->has_mac)
		memcpy(mac, req->mac, 6);
	else
		vale_name_mac(name->full, mac);
}

/** A tap's interface carries the port's address, so that it is the same each time. */
static int
tap_args(const struct vale_ctl_create_req *req, const struct vale_name *name, char *args, char *why)
{
	uint8_t mac[6];

	if (kernel_if_flags(name->port) >= 0) {
		snprintf(why, ETHDEV_WHY_SZ,
			"an interface %s exists already: choose another port name, or put that one "
			"on "
			"the switch: vale-ctl attach %s",
			name->port, name->full);
		return -EEXIST;
	}
	port_mac(req, name, mac);
	snprintf(args, VALE_CTL_DEVARGS_SZ, "net_tap_%s,iface=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x",
		name->port, name->port, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return 0;
}

/** A path goes into device arguments, whose grammar has no quotes. */
static int
check_path(const char *path, char *why)
{
	if (path[0] != '/') {
		snprintf(why, ETHDEV_WHY_SZ, "the socket's path '%s' must be absolute", path);
		return -EINVAL;
	}
	if (strpbrk(path, ",=[]()\"' \t\n") != NULL) {
		snprintf(why, ETHDEV_WHY_SZ,
			"the socket's path '%s' has a character that device arguments cannot hold: "
			"avoid blanks, commas, brackets, quotes and '='",
			path);
		return -EINVAL;
	}
	return 0;
}

/** Whether somebody listens at a path: 0, or -errno of the attempt to connect. */
static int
try_connect(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	if (fd < 0)
		return -errno;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	ret = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/** Make way for our socket: a switch that was killed leaves its own, where nobody listens. */
static int
clear_path(const char *path, char *why)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISSOCK(st.st_mode) && try_connect(path) == -ECONNREFUSED && unlink(path) == 0)
		return 0;
	snprintf(why, ETHDEV_WHY_SZ,
		S_ISSOCK(st.st_mode)
			? "at %s somebody listens already: end that program, or choose another path"
			: "%s exists and is no socket: choose another path",
		path);
	return -EEXIST;
}

static int
vhost_args(
	const struct vale_ctl_create_req *req, const struct vale_name *name, char *args, char *why)
{
	unsigned int queues = req->queues != 0 ? req->queues : VHOST_QUEUES;
	bool server = req->device == VALE_CTL_DEVICE_VHOST_SERVER;
	int ret = check_path(req->path, why);

	if (ret == 0 && queues > VALE_QUEUES_MAX) {
		snprintf(why, ETHDEV_WHY_SZ, "%s: a port has %u queues at most, not %u", name->full,
			VALE_QUEUES_MAX, queues);
		ret = -EINVAL;
	}
	if (ret == 0 && server)
		ret = clear_path(req->path, why);
	if (ret < 0)
		return ret;
	snprintf(args, VALE_CTL_DEVARGS_SZ, "net_vhost_%s_%s,iface=%s,queues=%u,client=%u,tso=1",
		name->sw, name->port, req->path, queues, server ? 0 : 1);
	return 0;
}

static int
device_args(
	const struct vale_ctl_create_req *req, const struct vale_name *name, char *args, char *why)
{
	switch (req->device) {
	case VALE_CTL_DEVICE_TAP:
		return tap_args(req, name, args, why);
	case VALE_CTL_DEVICE_VHOST:
	case VALE_CTL_DEVICE_VHOST_SERVER:
		return vhost_args(req, name, args, why);
	}
	snprintf(why, ETHDEV_WHY_SZ, "%s: device %u is not known to this switch", name->full,
		req->device);
	return -EINVAL;
}

/** Our socket is open to whom the control socket is open to, and to the port's owner. */
static void
set_permissions(const struct vale_ctl_create_req *req, const struct vale_ethdev_conf *conf)
{
	uid_t owner = req->has_owner ? req->owner : conf->socket_owner;

	if (chmod(req->path, conf->socket_mode) < 0 ||
		chown(req->path, owner, conf->socket_group) < 0)
		VALE_LOG(WARNING, "cannot set owner and permissions of %s: %s", req->path,
			strerror(errno));
}

int
vale_ethdev_create(const struct vale_ctl_create_req *req, const struct vale_name *name, char *why)
{
	bool server = req->device == VALE_CTL_DEVICE_VHOST_SERVER;
	char args[VALE_CTL_DEVARGS_SZ];
	uint8_t mac[6];
	mode_t mask;
	int ret;

	ret = ethdev_name_free(name, req->device == VALE_CTL_DEVICE_TAP, why);
	if (ret == 0)
		ret = device_args(req, name, args, why);
	if (ret < 0)
		return ret;
	port_mac(req, name, mac);
	/* until its permissions are set, nobody else may use a socket that the driver makes */
	mask = umask(0177);
	ret = ethdev_create_port(name, args, mac, why);
	umask(mask);
	if (ret == 0 && server)
		set_permissions(req, ethdev_conf());
	return ret;
}
