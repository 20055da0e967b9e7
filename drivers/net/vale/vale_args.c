/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_kvargs.h>
#include <rte_string_fns.h>

#include "vale_name.h"
#include "vale_pmd.h"

#define ARG_PORT "port"
#define ARG_QUEUES "queues"
#define ARG_MAC "mac"
#define ARG_SOCKET "socket"

static const char *const valid_args[] = {ARG_PORT, ARG_QUEUES, ARG_MAC, ARG_SOCKET, NULL};

static int
parse_port(const char *key __rte_unused, const char *value, void *out)
{
	struct vale_args *args = out;
	struct vale_name name;
	const char *why;

	if (value == NULL || vale_name_parse(value, &name, &why) != 0) {
		VALE_PMD_LOG(ERR, "port=%s: %s; a port's name is vale<switch>:<port>, e.g. valea:0",
			value == NULL ? "" : value, value == NULL ? "no name given" : why);
		return -EINVAL;
	}
	strlcpy(args->port, name.full, sizeof(args->port));
	return 0;
}

static int
parse_queues(const char *key __rte_unused, const char *value, void *out)
{
	struct vale_args *args = out;
	unsigned long n = 0;
	char *end = NULL;

	if (value != NULL && value[0] >= '0' && value[0] <= '9')
		n = strtoul(value, &end, 10);
	if (end == NULL || *end != '\0' || n < 1 || n > VALE_DPDK_QUEUES_MAX) {
		VALE_PMD_LOG(ERR, "queues=%s: not a number of queue pairs from 1 to %d",
			value == NULL ? "" : value, VALE_DPDK_QUEUES_MAX);
		return -EINVAL;
	}
	args->nb_queues = (uint16_t)n;
	return 0;
}

static int
parse_mac(const char *key __rte_unused, const char *value, void *out)
{
	struct vale_args *args = out;

	if (value == NULL || rte_ether_unformat_addr(value, &args->mac) != 0 ||
		!rte_is_valid_assigned_ether_addr(&args->mac)) {
		VALE_PMD_LOG(ERR, "mac=%s: not a unicast MAC address such as 02:00:00:00:00:01",
			value == NULL ? "" : value);
		return -EINVAL;
	}
	args->has_mac = true;
	return 0;
}

static int
parse_socket(const char *key __rte_unused, const char *value, void *out)
{
	struct vale_args *args = out;

	if (value == NULL || value[0] == '\0' ||
		strlcpy(args->socket, value, sizeof(args->socket)) >= sizeof(args->socket)) {
		VALE_PMD_LOG(ERR, "socket=%s: not a path of 1 to %zu characters",
			value == NULL ? "" : value, sizeof(args->socket) - 1);
		return -EINVAL;
	}
	return 0;
}

/** Arguments of a device of this name in this process's list, or "". */
static const char *
listed_args(const char *name)
{
	struct rte_devargs *da;

	RTE_EAL_DEVARGS_FOREACH("vdev", da)
	if (strcmp(da->name, name) == 0 && da->args != NULL)
		return da->args;
	return "";
}

static int
process_args(struct rte_kvargs *kv, const char *text, struct vale_args *args)
{
	static const struct {
		const char *key;
		arg_handler_t parse;
	} handlers[] = {
		{ARG_PORT, parse_port},
		{ARG_QUEUES, parse_queues},
		{ARG_MAC, parse_mac},
		{ARG_SOCKET, parse_socket},
	};

	for (unsigned int i = 0; i < RTE_DIM(handlers); i++) {
		if (rte_kvargs_count(kv, handlers[i].key) > 1) {
			VALE_PMD_LOG(
				ERR, "'%s': %s= is given more than once", text, handlers[i].key);
			return -EINVAL;
		}
		if (rte_kvargs_process(kv, handlers[i].key, handlers[i].parse, args) != 0)
			return -EINVAL;
	}
	if (args->port[0] == '\0') {
		VALE_PMD_LOG(ERR, "'%s': port= is missing, e.g. port=valea:0", text);
		return -EINVAL;
	}
	return 0;
}

int
vale_args_parse(struct rte_vdev_device *vdev, struct vale_args *args)
{
	const char *text = rte_vdev_device_args(vdev);
	struct rte_kvargs *kv;
	int ret;

	memset(args, 0, sizeof(*args));
	args->nb_queues = 1;
	if (text == NULL || text[0] == '\0')
		text = listed_args(rte_vdev_device_name(vdev));
	if (text[0] == '\0')
		return 0;
	kv = rte_kvargs_parse(text, valid_args);
	if (kv == NULL) {
		VALE_PMD_LOG(ERR,
			"'%s': cannot be understood; arguments are port=<name>, "
			"queues=<n>, mac=<mac>, socket=<path>",
			text);
		return -EINVAL;
	}
	ret = process_args(kv, text, args);
	rte_kvargs_free(kv);
	return ret;
}
