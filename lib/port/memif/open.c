/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memif_port.h"

/*
 * A client that asks on the control socket for a connection to the memif server: net_vale in a
 * process with a DPDK of its own. What it does on that connection is checked as any client's;
 * asking first gives it sentences of full length, and the port its MAC address.
 */

/* Whether the client may have the name; refuses it otherwise. */
static bool
may_have(struct vale_conn *c, const struct vale_ctl_hdr *msg, const struct vale_name *name)
{
	char why[VALE_CTL_TEXT_SZ];
	int ret;

	/* its last client may have gone a moment ago */
	memif_conn_bury(name->full);
	ret = vale_switch_check_user(memif.switches, name, vale_conn_uid(c), why);
	if (ret == 0)
		ret = vale_switch_may_attach(memif.switches, name, false, why);
	if (ret < 0)
		vale_conn_refuse(c, msg, -ret, "%s", why);
	return ret == 0;
}

/* Whether the request makes sense; name is filled in. Refuses it otherwise. */
static bool
check_request(struct vale_conn *c, const struct vale_ctl_name_req *req, struct vale_name *name)
{
	const char *wrong;
	int ret;

	if (!vale_conn_check_text(c, &req->hdr, req->name, sizeof(req->name), "port name"))
		return false;
	ret = vale_name_parse(req->name, name, &wrong);
	if (ret < 0) {
		vale_conn_refuse(c, &req->hdr, -ret, "%s: %s", req->name, wrong);
		return false;
	}
	if (req->has_mac && ((req->mac[0] & 1) != 0 || vale_mac_from_bytes(req->mac) == 0)) {
		vale_conn_refuse(c, &req->hdr, EINVAL,
			"%s: a group or zero address cannot be a port's MAC address", name->full);
		return false;
	}
	return may_have(c, &req->hdr, name);
}

/* The address that a port will have. */
static void
tell_mac(const struct vale_ctl_name_req *req, const struct vale_name *name, uint8_t *mac)
{
	const struct vale_port *p = vale_switch_find_port(memif.switches, name->full);

	if (req->has_mac)
		memcpy(mac, req->mac, sizeof(req->mac));
	else if (p != NULL)
		memcpy(mac, p->mac, sizeof(p->mac));
	else
		vale_name_mac(name->full, mac);
}

static void
handle_open(void *arg, struct vale_conn *conn, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	struct vale_ctl_memif_open_reply r = {0};
	struct vale_name name;
	struct memif_conn *c;
	int fd[2];

	if (!check_request(conn, req, &name))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0) {
		vale_conn_refuse(conn, msg, errno, "%s: no socket for a memif connection: %s",
			name.full, strerror(errno));
		return;
	}
	c = memif_conn_open_for(fd[0], vale_conn_pid(conn), vale_conn_uid(conn));
	if (c == NULL) {
		vale_conn_refuse(
			conn, msg, ENOMEM, "%s: no memory for a memif connection", name.full);
	} else {
		/* net_vale does not work on in a child of fork(); another memif client may */
		memif_conn_watch_process(c);
		c->has_mac = req->has_mac != 0;
		memcpy(c->mac, req->mac, sizeof(c->mac));
		tell_mac(req, &name, r.mac);
		vale_conn_reply(conn, msg, &r.r, sizeof(r), &fd[1], 1);
	}
	close(fd[1]);
}

void
memif_open_init(void)
{
	vale_server_handle(memif.server, VALE_CTL_MEMIF_OPEN, sizeof(struct vale_ctl_name_req),
		handle_open, NULL);
}
