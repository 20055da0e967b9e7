/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests to the switch. Every failure is told here; the callers pass the exit code on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "vale_control_client.h"
#include "vale_name.h"

static int
start_hint(const struct ctl *c, int err)
{
	if (c->socket_is_default)
		return ctl_no_switch(
			c, err, "no switch at %s; start one with: vale-switch", c->socket);
	return ctl_no_switch(c, err,
		"no switch at %s; start one there with: vale-switch -- --socket %s", c->socket,
		c->socket);
}

static int
open_connection(struct ctl *c)
{
	int fd;

	if (c->fd >= 0)
		return CTL_OK;
	fd = vale_ctl_connect(c->socket);
	if (fd >= 0) {
		c->fd = fd;
		return CTL_OK;
	}
	switch (-fd) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return start_hint(c, -fd);
	case ENOTSOCK:
	case EPROTOTYPE:
		return ctl_no_switch(
			c, -fd, "%s is not the control socket of a vale-switch", c->socket);
	case ENAMETOOLONG:
		return ctl_usage(c, "the socket's path is longer than 107 bytes: %s", c->socket);
	case ETIMEDOUT:
		return ctl_refuse(
			c, -fd, "the switch at %s does not accept connections", c->socket);
	case EACCES:
	case EPERM:
		return ctl_refuse(c, -fd,
			"no permission for %s; become its owner, or start the switch with "
			"--socket-group",
			c->socket);
	default:
		return ctl_refuse(c, -fd, "%s: %s", c->socket, strerror(-fd));
	}
}

static int
tell_call_failed(struct ctl *c, int err)
{
	/* an answer that comes late must not be taken for the next one's */
	close(c->fd);
	c->fd = -1;
	switch (err) {
	case ECONNRESET:
		return ctl_no_switch(
			c, err, "the switch at %s went away before it answered", c->socket);
	case EPROTO:
		return ctl_refuse(c, err,
			"what answers at %s is not a vale-switch or one of another version; "
			"use the vale-ctl that was installed with it",
			c->socket);
	case ETIMEDOUT:
		return ctl_refuse(c, err, "the switch at %s did not answer in time", c->socket);
	default:
		return ctl_refuse(c, err, "%s: %s", c->socket, strerror(err));
	}
}

/*
 * The switch's sentence without the name in front that c->doing ends with: it says "vale0:a: too
 * long" where we say "cannot attach vale0:a: too long".
 */
static const char *
skip_name(const struct ctl *c, const char *text)
{
	const char *name = strrchr(c->doing, ' ');
	size_t len = name != NULL ? strlen(++name) : 0;

	if (len == 0 || strncmp(text, name, len) != 0 || strncmp(text + len, ": ", 2) != 0)
		return text;
	return text + len + 2;
}

static int
tell_refusal(const struct ctl *c, const struct vale_ctl_reply *r)
{
	if (r->text[0] == '\0')
		return ctl_refuse(c, r->error, "%s", strerror(r->error));
	return ctl_refuse(c, r->error, "%s", skip_name(c, r->text));
}

/* As ctl_call(), but a time-out is for the caller to tell: it is returned as -ETIMEDOUT. */
int
ctl_call_timeout(struct ctl *c, const void *req, void *reply, size_t reply_sz, int timeout_ms)
{
	int rc = open_connection(c);

	if (rc != CTL_OK)
		return rc;
	rc = vale_ctl_call(c->fd, req, reply, reply_sz, NULL, NULL, timeout_ms);
	if (rc == -ETIMEDOUT) {
		close(c->fd);
		c->fd = -1;
		return rc;
	}
	if (rc < 0)
		return tell_call_failed(c, -rc);
	if (((const struct vale_ctl_reply *)reply)->error != 0)
		return tell_refusal(c, reply);
	return CTL_OK;
}

/* One request. Returns CTL_OK, or the exit code of what was told. */
int
ctl_call(struct ctl *c, const void *req, void *reply, size_t reply_sz)
{
	int rc = ctl_call_timeout(c, req, reply, reply_sz, CTL_TIMEOUT_MS);

	if (rc == -ETIMEDOUT)
		return ctl_refuse(c, ETIMEDOUT, "the switch at %s did not answer within %d seconds",
			c->socket, CTL_TIMEOUT_MS / 1000);
	return rc;
}

static int
read_all(int fd, char *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, buf + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		done += (size_t)n;
	}
	return 0;
}

/* Copy nb records out of a memfd that must hold exactly these. */
static int
read_records(int fd, uint32_t nb, size_t rec_sz, struct ctl_recs *out)
{
	size_t size = nb * rec_sz;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (size_t)st.st_size != size)
		return -EPROTO;
	if (nb == 0)
		return 0;
	out->recs = malloc(size);
	if (out->recs == NULL)
		return -ENOMEM;
	rc = read_all(fd, out->recs, size);
	if (rc < 0) {
		free(out->recs);
		out->recs = NULL;
		return rc;
	}
	out->nb = nb;
	return 0;
}

/*
 * A request whose answer is a memfd of records, and a reply that says more. On CTL_OK *out holds
 * the records and is the caller's; the strings in them are not checked yet.
 */
int
ctl_call_records_reply(struct ctl *c, const void *req, struct vale_ctl_reply *reply,
	size_t reply_sz, size_t rec_sz, struct ctl_recs *out)
{
	unsigned int nb_fds = 1;
	int memfd = -1;
	int rc = open_connection(c);

	*out = (struct ctl_recs){0};
	if (rc != CTL_OK)
		return rc;
	rc = vale_ctl_call(c->fd, req, reply, reply_sz, &memfd, &nb_fds, CTL_TIMEOUT_MS);
	if (rc < 0)
		return tell_call_failed(c, -rc);
	if (reply->error != 0)
		return tell_refusal(c, reply);
	if (nb_fds == 0)
		rc = reply->nb_recs == 0 ? 0 : -EPROTO;
	else
		rc = read_records(memfd, reply->nb_recs, rec_sz, out);
	if (nb_fds > 0)
		close(memfd);
	return rc < 0 ? tell_call_failed(c, -rc) : CTL_OK;
}

/* The same with a plain reply. */
int
ctl_call_records(struct ctl *c, const void *req, size_t rec_sz, struct ctl_recs *out)
{
	struct vale_ctl_reply reply;

	return ctl_call_records_reply(c, req, &reply, sizeof(reply), rec_sz, out);
}

/*
 * Put a name into its field of a request. Whether it is a good one is for the switch to say, except
 * where it does not fit or is empty.
 */
int
ctl_set_name(const struct ctl *c, char *field, size_t field_sz, const char *name)
{
	size_t len = strlen(name);
	const char *why = NULL;
	struct vale_name parsed;
	int rc;

	if (len > 0 && len < field_sz) {
		memcpy(field, name, len + 1);
		return CTL_OK;
	}
	rc = vale_name_parse(name, &parsed, &why);
	return ctl_refuse(c, rc < 0 ? -rc : EINVAL, "%s", why != NULL ? why : "bad name");
}

/* The same for requests that would take a switch's name too, or wait for a name that cannot be. */
int
ctl_set_port_name(const struct ctl *c, char *field, size_t field_sz, const char *name)
{
	const char *why = NULL;
	struct vale_name parsed;
	int rc = vale_name_parse(name, &parsed, &why);

	if (rc < 0)
		return ctl_refuse(c, -rc, "%s", why != NULL ? why : "bad name");
	return ctl_set_name(c, field, field_sz, name);
}
