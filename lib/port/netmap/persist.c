/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that stay, as netmap knows them: made by a bare name, on no switch until they are attached.
 * Attached, they are persistent ports of the switch, and who registers their name plugs in there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net/if.h>

#include "netmap_port.h"
#include "vale_ethdev_port.h"

/* They cost little, but anybody may ask for one. */
#define VI_MAX 1024

/* Control thread only. */
static struct {
	struct vale_switches *switches;
	TAILQ_HEAD(, nm_vi) list;
	unsigned int nb;
} v;

struct nm_vi *
nm_vi_find(const char *name)
{
	struct nm_vi *vi;

	TAILQ_FOREACH (vi, &v.list, next) {
		if (strcmp(vi->name, name) == 0)
			return vi;
	}
	return NULL;
}

static int
refuse(char *why, int err, const char *name, const char *what)
{
	snprintf(why, VALE_CTL_TEXT_SZ, "%s: %s", name, what);
	return err;
}

int
nm_vi_create(const char *text, const struct nm_geometry *geo, char *why)
{
	struct vale_name probe;
	struct nm_vi *vi;
	char full[64 + 8];

	snprintf(full, sizeof(full), "valex:%s", text);
	if (strncmp(text, NM_BDG_NAME, strlen(NM_BDG_NAME)) == 0 ||
		vale_name_parse(full, &probe, NULL) < 0)
		return refuse(why, -EINVAL, text,
			"a persistent port's name is bare, of 0-9, a-z, A-Z and _, and with a "
			"switch's "
			"at most 15 characters");
	if (nm_vi_find(text) != NULL || if_nametoindex(text) != 0)
		return refuse(why, -EEXIST, text, "there is an interface of this name");
	if (v.nb == VI_MAX)
		return refuse(why, -ENOMEM, text, "there are 1024 persistent ports already");
	vi = calloc(1, sizeof(*vi));
	if (vi == NULL)
		return refuse(why, -ENOMEM, text, "no memory for a port");
	v.nb++;
	memcpy(vi->name, probe.port, sizeof(vi->name));
	vi->geo = *geo;
	TAILQ_INSERT_TAIL(&v.list, vi, next);
	return 0;
}

int
nm_vi_destroy(const char *text, char *why)
{
	struct nm_vi *vi = nm_vi_find(text);

	if (vi == NULL && if_nametoindex(text) != 0)
		return refuse(why, -EINVAL, text, "no persistent port, but an interface");
	if (vi == NULL)
		return refuse(why, -ENXIO, text, "there is no such port");
	if (vi->nb_attached > 0 || nm_port_find(vi->name) != NULL)
		return refuse(why, -EBUSY, text, "attached to a switch, or held by a program");
	TAILQ_REMOVE(&v.list, vi, next);
	v.nb--;
	free(vi);
	return 0;
}

/* Index of the place where a port is attached; -1 if it is not there. */
static int
place_of(const struct nm_vi *vi, const struct vale_name *name)
{
	for (unsigned int i = 0; i < vi->nb_attached; i++) {
		if (strcmp(vi->at[i].full, name->full) == 0)
			return (int)i;
	}
	return -1;
}

static bool
in_use(const struct nm_vi *vi)
{
	if (nm_port_find(vi->name) != NULL)
		return true;
	return vi->nb_attached > 0 && nm_port_find(vi->at[0].full) != NULL;
}

static int
vi_attach(struct nm_vi *vi, const struct vale_name *name, char *why)
{
	int ret;

	if (vale_switch_find_port(v.switches, name->full) != NULL)
		return refuse(why, -EBUSY, name->full, "attached already");
	if (in_use(vi) || vi->nb_attached == RTE_DIM(vi->at))
		return refuse(why, -EBUSY, name->full,
			"the port is held by a program, or attached to two switches");
	ret = vale_switch_create_port(v.switches, name, NULL, why);
	if (ret < 0)
		return ret;
	vi->at[vi->nb_attached++] = *name;
	if (vi->nb_attached < 2)
		return 0;
	ret = nm_wire_create(&vi->at[0], &vi->at[1], &vi->wire, why);
	if (ret == 0)
		return 0;
	vi->nb_attached--;
	(void)vale_switch_destroy_port(v.switches, name->full, why);
	return ret;
}

static int
vi_detach(struct nm_vi *vi, const struct vale_name *name, char *why)
{
	int place = place_of(vi, name), ret;

	if (place < 0)
		return refuse(why, -ENXIO, name->full, "not attached");
	/* as netmap: the second goes first */
	if (place == 0 && vi->nb_attached == 2)
		return refuse(why, -EBUSY, name->full,
			"joins two switches; detach it from the other first");
	if (place == 1) {
		nm_wire_free(vi->wire);
		vi->wire = NULL;
	}
	ret = vale_switch_destroy_port(v.switches, name->full, why);
	if (ret == 0 || ret == -ENXIO)
		vi->nb_attached--;
	return ret;
}

static uint32_t
index_of(const struct vale_name *name)
{
	const struct vale_port *p = vale_switch_find_port(v.switches, name->full);

	return p == NULL ? 0 : p->idx;
}

int
nm_vale_attach(const struct vale_name *name, uint32_t *idx, char *why)
{
	struct nm_vi *vi = nm_vi_find(name->port);
	int ret;

	if (vi != NULL)
		ret = vi_attach(vi, name, why);
	else if (vale_switch_find_port(v.switches, name->full) != NULL)
		ret = refuse(why, -EBUSY, name->full, "there is such a port already");
	else if (vale_name_is_interface(name))
		ret = vale_ethdev_attach(name->full, "", why);
	else
		ret = refuse(why, -EINVAL, name->full, "no interface and no persistent port");
	if (ret == 0)
		*idx = index_of(name);
	return ret;
}

int
nm_vale_detach(const struct vale_name *name, uint32_t *idx, char *why)
{
	struct nm_vi *vi = nm_vi_find(name->port);
	struct vale_port *p = vale_switch_find_port(v.switches, name->full);
	struct vale_endpoint *ep = p == NULL ? NULL : atomic_load(&p->ep);

	*idx = p == NULL ? 0 : p->idx;
	if (p == NULL)
		return refuse(why, -ENXIO, name->full, "there is no such port");
	if (vi != NULL && place_of(vi, name) >= 0)
		return vi_detach(vi, name, why);
	if (ep == NULL || ep->ops->kind != VALE_CTL_KIND_ETHDEV)
		return refuse(why, -EINVAL, name->full,
			"was not attached; it goes with its client, or by vale-ctl detach");
	vale_switch_evict(v.switches, ep, "a netmap program detached this port");
	return 0;
}

void
nm_vi_init(struct vale_switches *s)
{
	v.switches = s;
	nm_wire_init(s);
	TAILQ_INIT(&v.list);
}

void
nm_vi_fini(void)
{
	struct nm_vi *vi;

	/* the switches, and with them what was attached, have gone */
	while ((vi = TAILQ_FIRST(&v.list)) != NULL) {
		TAILQ_REMOVE(&v.list, vi, next);
		nm_wire_free(vi->wire);
		free(vi);
	}
}
