/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memif_port.h"
#include "vale_config.h"

int
memif_message_hello(struct memif_conn *c)
{
	struct memif_msg m = {.type = MEMIF_MSG_HELLO};

	snprintf(m.hello.name, sizeof(m.hello.name), "vale-switch %s", VALE_VERSION);
	m.hello.min_version = m.hello.max_version = MEMIF_VERSION;
	m.hello.max_region = MEMIF_REGIONS_MAX - 1;
	m.hello.max_s2c_ring = m.hello.max_c2s_ring = VALE_QUEUES_MAX - 1;
	m.hello.max_log2_ring_size = MEMIF_LOG2_RING_SIZE_MAX;
	return memif_conn_send(c, &m);
}

static void
acknowledge(struct memif_conn *c)
{
	const struct memif_msg m = {.type = MEMIF_MSG_ACK};

	if (memif_conn_send(c, &m) < 0)
		memif_conn_close(c);
}

/* The secret as a VALE name that a memif client may have. Returns false after refusing it. */
static bool
take_name(struct memif_conn *c, const struct memif_msg_init *m)
{
	char full[MEMIF_SECRET_SZ + 1], why[VALE_CTL_TEXT_SZ];
	const char *wrong;
	int ret;

	memcpy(full, m->secret, MEMIF_SECRET_SZ);
	full[MEMIF_SECRET_SZ] = '\0';
	if (full[0] == '\0') {
		memif_conn_refuse(
			c, EINVAL, "the secret must be the port's VALE name, as in secret=valea:0");
		return false;
	}
	ret = vale_name_parse(full, &c->name, &wrong);
	if (ret < 0) {
		memif_conn_refuse(c, -ret, "secret %s: %s", full, wrong);
		return false;
	}
	memif_conn_bury(full);
	ret = vale_switch_may_attach(memif.switches, &c->name, false, why);
	if (ret == 0)
		ret = vale_switch_check_user(memif.switches, &c->name, c->uid, why);
	if (ret < 0) {
		memif_conn_refuse(c, -ret, "%s", why);
		return false;
	}
	return true;
}

static void
handle_init(struct memif_conn *c, const struct memif_msg_init *m)
{
	if (m->version != MEMIF_VERSION) {
		memif_conn_refuse(c, EPROTO, "memif version %u.%u, the switch speaks %u.%u",
			m->version >> 8, m->version & 0xff, MEMIF_VERSION >> 8,
			MEMIF_VERSION & 0xff);
		return;
	}
	if (m->mode != MEMIF_MODE_ETHERNET) {
		memif_conn_refuse(c, EINVAL, "a switch takes mode ethernet only");
		return;
	}
	if (!memif.kicks) {
		memif_conn_refuse(c, ENOMEM,
			"the switch found no AIO context to wake clients; raise fs.aio-max-nr");
		return;
	}
	if (!take_name(c, m))
		return;
	c->port = memif_port_create(c);
	if (c->port == NULL) {
		memif_conn_refuse(c, ENOMEM, "%s: no memory for a port", c->name.full);
		return;
	}
	c->state = MEMIF_STATE_SETUP;
	acknowledge(c);
}

static void
handle_add_region(struct memif_conn *c, const struct memif_msg_add_region *m, int fd)
{
	char why[VALE_CTL_TEXT_SZ];
	int ret;

	if (fd < 0) {
		memif_conn_refuse(c, EINVAL, "region %u: came without a descriptor", m->index);
		return;
	}
	ret = memif_region_add(c->port, m->index, m->size, fd, why);
	vale_server_close_stray(memif.server, fd); /* the mapping holds the file */
	if (ret < 0)
		memif_conn_refuse(c, -ret, "%s", why);
	else
		acknowledge(c);
}

static void
handle_add_ring(struct memif_conn *c, const struct memif_msg_add_ring *m, int fd)
{
	char why[VALE_CTL_TEXT_SZ];
	int ret;

	if (fd < 0) {
		memif_conn_refuse(c, EINVAL, "ring %u: came without an eventfd", m->index);
		return;
	}
	ret = memif_ring_add(c->port, m, fd, why);
	if (ret == 0) {
		acknowledge(c);
		return;
	}
	vale_server_close_stray(memif.server, fd);
	memif_conn_refuse(c, -ret, "%s", why);
}

static void
handle_connect(struct memif_conn *c)
{
	struct memif_msg m = {.type = MEMIF_MSG_CONNECTED};
	char why[VALE_CTL_TEXT_SZ];
	int ret;

	ret = memif_rings_connect(c->port, why);
	if (ret == 0)
		ret = memif_conn_plug(c, why);
	if (ret < 0) {
		memif_conn_refuse(c, -ret, "%s", why);
		return;
	}
	snprintf(m.connect.if_name, sizeof(m.connect.if_name), "%s", c->name.full);
	if (memif_conn_send(c, &m) < 0)
		memif_conn_close(c);
}

/* Between INIT and CONNECT. */
static void
handle_setup(struct memif_conn *c, const struct memif_msg *m, int fd)
{
	if (m->type == MEMIF_MSG_ADD_REGION) {
		handle_add_region(c, &m->add_region, fd);
	} else if (m->type == MEMIF_MSG_ADD_RING) {
		handle_add_ring(c, &m->add_ring, fd);
	} else {
		if (fd >= 0)
			vale_server_close_stray(memif.server, fd);
		if (m->type == MEMIF_MSG_CONNECT)
			handle_connect(c);
		else
			memif_conn_refuse(
				c, EPROTO, "message %u is not expected before CONNECT", m->type);
	}
}

void
memif_message(struct memif_conn *c, const struct memif_msg *m, int fd)
{
	if (c->state == MEMIF_STATE_SETUP && m->type != MEMIF_MSG_DISCONNECT &&
		m->type != MEMIF_MSG_ACK) {
		handle_setup(c, m, fd);
		return;
	}
	if (fd >= 0)
		vale_server_close_stray(memif.server, fd);
	if (m->type == MEMIF_MSG_DISCONNECT)
		memif_conn_close(c);
	else if (m->type == MEMIF_MSG_ACK)
		return;
	else if (c->state == MEMIF_STATE_HELLO && m->type == MEMIF_MSG_INIT)
		handle_init(c, &m->init);
	else
		memif_conn_refuse(c, EPROTO, "message %u is not expected %s", m->type,
			c->state == MEMIF_STATE_UP ? "once connected" : "before INIT");
}
