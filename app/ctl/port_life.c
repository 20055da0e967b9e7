/* SPDX-License-Identifier: BSD-3-Clause */
/* create, destroy, attach, detach, wait: how ports come and go. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "units.h"
#include "vale_control_client.h"

/* What even `wait --timeout 0` gives the switch for its answer. */
#define ANSWER_MS_MIN 100

/* A request that names one port and has nothing to show for it. */
static int
port_request(struct ctl *c, enum vale_ctl_type type, const char *name)
{
	struct vale_ctl_name_req req = {0};
	struct vale_ctl_reply reply;
	int rc;

	vale_ctl_hdr_init(&req.hdr, type, sizeof(req));
	rc = ctl_set_name(c, req.name, sizeof(req.name), name);
	if (rc == CTL_OK)
		rc = ctl_call(c, &req, &reply, sizeof(reply));
	return rc == CTL_OK ? ctl_done(c) : rc;
}

/* Returns CTL_OK or what was told. */
static int
parse_owner(const struct ctl *c, const char *text, struct vale_ctl_create_req *req)
{
	const struct passwd *pw = getpwnam(text);
	unsigned long id;
	char *end;

	req->has_owner = 1;
	if (pw != NULL) {
		req->owner = pw->pw_uid;
		return CTL_OK;
	}
	errno = 0;
	id = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || id >= UINT32_MAX)
		return ctl_usage(
			c, "--owner takes a user's name or number, and there is no '%s'", text);
	req->owner = (uint32_t)id;
	return CTL_OK;
}

static int
parse_queues(const struct ctl *c, const char *text, struct vale_ctl_create_req *req)
{
	unsigned long n;
	char *end;

	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > UINT16_MAX)
		return ctl_usage(c, "--queues takes a number, not '%s'", text);
	req->queues = (uint16_t)n;
	return CTL_OK;
}

/* The switch opens the path, from a folder of its own. */
static int
parse_path(const struct ctl *c, const char *text, struct vale_ctl_create_req *req)
{
	char path[PATH_MAX];
	size_t len;

	if (text[0] == '/' || getcwd(path, sizeof(path)) == NULL)
		path[0] = '\0';
	len = strlen(path);
	if (len > 0 && len + 1 < sizeof(path))
		path[len++] = '/';
	if (len + strlen(text) >= sizeof(req->path))
		return ctl_usage(c, "--vhost: a socket's path has at most %zu characters",
			sizeof(req->path) - 1);
	memcpy(req->path, path, len);
	memcpy(req->path + len, text, strlen(text));
	return CTL_OK;
}

enum create_option { MAC = 1, OWNER, QUEUES, TAP, VHOST, VHOST_SERVER };

static int
take_create_option(const struct ctl *c, int opt, const char *arg, struct vale_ctl_create_req *req,
	bool *server)
{
	switch ((enum create_option)opt) {
	case MAC:
		req->has_mac = 1;
		if (units_parse_mac(arg, req->mac) < 0)
			return ctl_usage(
				c, "--mac takes an address like 02:00:00:00:00:01, not '%s'", arg);
		return CTL_OK;
	case OWNER:
		return parse_owner(c, arg, req);
	case QUEUES:
		return parse_queues(c, arg, req);
	case TAP:
		if (req->device != VALE_CTL_DEVICE_NONE)
			return ctl_usage(c, "--tap and --vhost cannot go together");
		req->device = VALE_CTL_DEVICE_TAP;
		return CTL_OK;
	case VHOST:
		if (req->device != VALE_CTL_DEVICE_NONE)
			return ctl_usage(c, "one --vhost, and not with --tap");
		req->device = VALE_CTL_DEVICE_VHOST;
		return parse_path(c, arg, req);
	case VHOST_SERVER:
		*server = true;
		return CTL_OK;
	}
	return ctl_usage_verb(c, "create");
}

/* Returns CTL_OK or what was told; optind is at the first argument then. */
static int
parse_create(const struct ctl *c, int argc, char **argv, struct vale_ctl_create_req *req)
{
	static const struct option options[] = {
		{"mac", required_argument, NULL, MAC},
		{"owner", required_argument, NULL, OWNER},
		{"queues", required_argument, NULL, QUEUES},
		{"tap", no_argument, NULL, TAP},
		{"vhost", required_argument, NULL, VHOST},
		{"vhost-server", no_argument, NULL, VHOST_SERVER},
		{NULL, 0, NULL, 0},
	};
	bool server = false;
	int opt, rc;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		rc = take_create_option(c, opt, optarg, req, &server);
		if (rc != CTL_OK)
			return rc;
	}
	if (server && req->device != VALE_CTL_DEVICE_VHOST)
		return ctl_usage(c, "--vhost-server goes with --vhost PATH");
	if (server)
		req->device = VALE_CTL_DEVICE_VHOST_SERVER;
	if (req->queues != 0 && req->path[0] == '\0')
		return ctl_usage(c, "--queues goes with --vhost PATH");
	return argc - optind == 1 ? CTL_OK : ctl_usage_verb(c, "create");
}

int
ctl_create(struct ctl *c, int argc, char **argv)
{
	struct vale_ctl_create_req req = {0};
	struct vale_ctl_reply reply;
	int rc = parse_create(c, argc, argv, &req);

	if (rc != CTL_OK)
		return rc;
	ctl_doing(c, "create %s", argv[optind]);
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_CREATE_PORT, sizeof(req));
	rc = ctl_set_name(c, req.name, sizeof(req.name), argv[optind]);
	if (rc == CTL_OK)
		rc = ctl_call(c, &req, &reply, sizeof(reply));
	return rc == CTL_OK ? ctl_done(c) : rc;
}

int
ctl_destroy(struct ctl *c, int argc, char **argv)
{
	ctl_doing(c, "destroy %s", argv[1]);
	return port_request(c, VALE_CTL_DESTROY, argv[1]);
}

int
ctl_detach(struct ctl *c, int argc, char **argv)
{
	ctl_doing(c, "detach %s", argv[1]);
	return port_request(c, VALE_CTL_DETACH, argv[1]);
}

/* What the switch chose, where it had a choice. */
static int
attached(const struct ctl *c, struct vale_ctl_reply *reply)
{
	reply->text[sizeof(reply->text) - 1] = '\0';
	if (!c->json && reply->text[0] != '\0')
		puts(reply->text);
	return ctl_done(c);
}

/* Without devargs PPP is an interface of the system, and the switch chooses the driver. */
static int
attach(struct ctl *c, enum vale_ctl_type type, const char *name, const char *devargs)
{
	struct vale_ctl_attach_ethdev_req req = {0};
	struct vale_ctl_reply reply;
	int rc;

	ctl_doing(c, "attach %s", name);
	if (devargs != NULL) {
		if (devargs[0] == '\0' || strlen(devargs) >= sizeof(req.devargs))
			return ctl_refuse(c, EINVAL, "device arguments have 1 to %zu characters",
				sizeof(req.devargs) - 1);
		memcpy(req.devargs, devargs, strlen(devargs));
	}
	vale_ctl_hdr_init(&req.hdr, type, sizeof(req));
	rc = ctl_set_name(c, req.name, sizeof(req.name), name);
	if (rc == CTL_OK)
		rc = ctl_call(c, &req, &reply, sizeof(reply));
	return rc == CTL_OK ? attached(c, &reply) : rc;
}

int
ctl_attach(struct ctl *c, int argc, char **argv)
{
	return attach(c, VALE_CTL_ATTACH_ETHDEV, argv[1], argc > 2 ? argv[2] : NULL);
}

int
ctl_attach_host(struct ctl *c, const char *name)
{
	return attach(c, VALE_CTL_ATTACH_HOST, name, NULL);
}

static int
parse_wait(const struct ctl *c, int argc, char **argv, int *timeout_ms)
{
	static const struct option options[] = {
		{"timeout", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "t:", options, NULL)) != -1) {
		if (opt != 't')
			return ctl_usage_verb(c, "wait");
		if (units_parse_seconds(optarg, timeout_ms) < 0)
			return ctl_usage(c, "--timeout takes seconds, not '%s'", optarg);
	}
	return argc - optind == 1 ? CTL_OK : ctl_usage_verb(c, "wait");
}

static int
answer_ms(int timeout_ms)
{
	return timeout_ms >= 0 && timeout_ms < ANSWER_MS_MIN ? ANSWER_MS_MIN : timeout_ms;
}

int
ctl_wait(struct ctl *c, int argc, char **argv)
{
	struct vale_ctl_name_req req = {0};
	struct vale_ctl_reply reply;
	int timeout_ms = -1;
	int rc = parse_wait(c, argc, argv, &timeout_ms);

	if (rc != CTL_OK)
		return rc;
	ctl_doing(c, "wait for %s", argv[optind]);
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_WAIT, sizeof(req));
	rc = ctl_set_port_name(c, req.name, sizeof(req.name), argv[optind]);
	if (rc == CTL_OK)
		rc = ctl_call_timeout(c, &req, &reply, sizeof(reply), answer_ms(timeout_ms));
	if (rc == -ETIMEDOUT)
		return ctl_refuse(
			c, ETIMEDOUT, "it has no client after %g seconds", timeout_ms / 1000.0);
	if (rc != CTL_OK)
		return rc;
	return c->json ? ctl_print_port(c, req.name) : CTL_OK;
}

int
ctl_capture(struct ctl *c, int argc, char **argv)
{
	ctl_doing(c, "capture");
	return ctl_refuse(c, ENOTSUP, "it is not available in this version");
}
