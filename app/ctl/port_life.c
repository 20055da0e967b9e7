/* SPDX-License-Identifier: BSD-3-Clause */
/* create, destroy, attach, detach, wait: how ports come and go. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

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

struct create_options {
	const char *mac;
	const char *later; /* an option of a later release, or NULL */
};

/* Returns CTL_OK or what was told; optind is at the first argument then. */
static int
parse_create(const struct ctl *c, int argc, char **argv, struct create_options *o)
{
	enum { MAC = 1, OWNER, TAP, VHOST, VHOST_SERVER };
	static const struct option options[] = {
		{"mac", required_argument, NULL, MAC},
		{"owner", required_argument, NULL, OWNER},
		{"tap", no_argument, NULL, TAP},
		{"vhost", required_argument, NULL, VHOST},
		{"vhost-server", no_argument, NULL, VHOST_SERVER},
		{NULL, 0, NULL, 0},
	};
	static const char *const names[] = {
		[OWNER] = "--owner",
		[TAP] = "--tap",
		[VHOST] = "--vhost",
		[VHOST_SERVER] = "--vhost-server",
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?' || opt == ':')
			return ctl_usage_verb(c, "create");
		if (opt == MAC)
			o->mac = optarg;
		else
			o->later = names[opt];
	}
	return argc - optind == 1 ? CTL_OK : ctl_usage_verb(c, "create");
}

int
ctl_create(struct ctl *c, int argc, char **argv)
{
	struct create_options o = {0};
	struct vale_ctl_name_req req = {0};
	struct vale_ctl_reply reply;
	const char *name;
	int rc = parse_create(c, argc, argv, &o);

	if (rc != CTL_OK)
		return rc;
	name = argv[optind];
	ctl_doing(c, "create %s", name);
	if (o.later != NULL)
		return ctl_refuse(c, ENOTSUP, "%s is not available in this version", o.later);
	if (o.mac != NULL && units_parse_mac(o.mac, req.mac) < 0)
		return ctl_usage(
			c, "--mac takes an address like 02:00:00:00:00:01, not '%s'", o.mac);
	req.has_mac = o.mac != NULL;
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_CREATE, sizeof(req));
	rc = ctl_set_name(c, req.name, sizeof(req.name), name);
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

/* Without devargs PPP is an interface of the system, and the switch chooses the driver. */
int
ctl_attach(struct ctl *c, int argc, char **argv)
{
	struct vale_ctl_attach_ethdev_req req = {0};
	struct vale_ctl_reply reply;
	int rc;

	ctl_doing(c, "attach %s", argv[1]);
	if (argc > 2) {
		if (argv[2][0] == '\0' || strlen(argv[2]) >= sizeof(req.devargs))
			return ctl_refuse(c, EINVAL, "device arguments have 1 to %zu characters",
				sizeof(req.devargs) - 1);
		memcpy(req.devargs, argv[2], strlen(argv[2]));
	}
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_ATTACH_ETHDEV, sizeof(req));
	rc = ctl_set_name(c, req.name, sizeof(req.name), argv[1]);
	if (rc == CTL_OK)
		rc = ctl_call(c, &req, &reply, sizeof(reply));
	return rc == CTL_OK ? ctl_done(c) : rc;
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
