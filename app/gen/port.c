/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports: one descriptor a thread, all of one port. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"
#include "vale_control_client.h"
#include "vale_netmap_client.h"

static void
say_error(struct nmctx *ctx, const char *message)
{
	gen_say("%s", message);
}

/* Is there a switch? Told before anything else, because the errno of an open could mean both. */
static int
check_switch(void)
{
	const char *path = getenv("VALE_SOCKET");
	char buf[128];
	int fd = vale_nm_open(O_RDWR), saved = errno;

	if (fd >= 0) {
		vale_nm_close(fd);
		return GEN_OK;
	}
	if ((path == NULL || path[0] == '\0') &&
		vale_ctl_default_socket("vale", buf, sizeof(buf)) == 0)
		path = buf;
	gen_say("no switch at %s: %s (%s); start one with: vale-switch", path, strerror(saved),
		vale_errno_name(saved));
	return GEN_NO_SWITCH;
}

static const char *
hint(int error)
{
	switch (error) {
	case EBUSY:
		return ": another client has it; see: vale-ctl list";
	case EINVAL:
		return ": the switch does not take this name or mode";
	case ENXIO:
		return ": there is no such port";
	case ENOMEM:
		return ": a limit is reached; see: vale-ctl get";
	default:
		return "";
	}
}

static int
refused(const struct gen *g, int error)
{
	const char *why = vale_nm_why(), *port = g->opts.port;

	/* the switch's own sentence, which mostly begins with the name */
	if (why[0] != '\0' && strncmp(why, port, strlen(port)) == 0)
		gen_say("%s (%s)", why, vale_errno_name(error));
	else if (why[0] != '\0')
		gen_say("%s: %s (%s)", port, why, vale_errno_name(error));
	else
		gen_say("%s: %s%s (%s)", port, strerror(error), hint(error),
			vale_errno_name(error));
	return GEN_FAILED;
}

/* What the first descriptor asks for; with several threads, it gets ring 0. */
static int
prepare_first(struct gen *g, struct nmport_d *d)
{
	const struct gen_opts *o = &g->opts;

	if (o->tx_slots != 0)
		d->reg.nr_tx_slots = o->tx_slots;
	if (o->rx_slots != 0)
		d->reg.nr_rx_slots = o->rx_slots;
	if (o->tx_rings != 0)
		d->reg.nr_tx_rings = (uint16_t)o->tx_rings;
	if (o->rx_rings != 0)
		d->reg.nr_rx_rings = (uint16_t)o->rx_rings;
	if (o->nb_threads == 1)
		return GEN_OK;
	if (d->reg.nr_mode != NR_REG_ALL_NIC) {
		gen_say("%s: with -p, threads take rings by themselves; leave the ring out",
			o->port);
		return GEN_USAGE;
	}
	d->reg.nr_mode = NR_REG_ONE_NIC;
	if (d->reg.nr_tx_rings == 0)
		d->reg.nr_tx_rings = (uint16_t)o->nb_threads;
	if (d->reg.nr_rx_rings == 0)
		d->reg.nr_rx_rings = (uint16_t)o->nb_threads;
	return GEN_OK;
}

static int
check_rings(const struct gen *g, const struct nmport_d *d)
{
	unsigned int nb = g->opts.func == GEN_TX ? d->reg.nr_tx_rings : d->reg.nr_rx_rings;

	if (nb >= g->opts.nb_threads)
		return GEN_OK;
	gen_say("%s: has %u rings, too few for -p %u", g->opts.port, nb, g->opts.nb_threads);
	return GEN_FAILED;
}

static int
open_desc(struct gen *g, struct nmport_d *d)
{
	/* a frame that is only received shall not cost a look at transmit rings */
	if (g->opts.func == GEN_RX)
		d->reg.nr_flags |= NR_NO_TX_POLL;
	d->ctx->verbose = 0; /* what the switch refuses is said here, with more words */
	if (nmport_open_desc(d) < 0)
		return refused(g, errno);
	return GEN_OK;
}

static int
open_one(struct gen *g, unsigned int i)
{
	struct gen_thread *t = &g->threads[i];
	int rc = GEN_OK;

	if (i == 0) {
		t->d = nmport_prepare(g->opts.port);
		rc = t->d == NULL ? GEN_USAGE : prepare_first(g, t->d);
	} else {
		t->d = nmport_clone(g->threads[0].d);
		if (t->d == NULL)
			return refused(g, ENOMEM);
		t->d->reg.nr_ringid = (uint16_t)i;
		t->d->reg.nr_mode = NR_REG_ONE_NIC;
	}
	if (rc == GEN_OK)
		rc = open_desc(g, t->d);
	return rc == GEN_OK ? check_rings(g, t->d) : rc;
}

int
gen_port_open(struct gen *g)
{
	int rc;

	nmctx_get()->error = say_error;
	rc = check_switch();
	for (unsigned int i = 0; i < g->opts.nb_threads && rc == GEN_OK; i++)
		rc = open_one(g, i);
	return rc;
}

void
gen_port_close(struct gen *g)
{
	/* the first one last: the others' memory is its region */
	for (unsigned int i = g->opts.nb_threads; i-- > 0;) {
		nmport_close(g->threads[i].d);
		g->threads[i].d = NULL;
	}
}

int
gen_port_wait(struct gen_thread *t, short events, int timeout_ms)
{
	struct pollfd pfd = {.fd = t->d->fd, .events = events};

	if (vale_nm_poll(&pfd, 1, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	return (pfd.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? -ENXIO : 0;
}

int
gen_port_sync(struct gen_thread *t, unsigned long request)
{
	return vale_nm_ioctl(t->d->fd, request, NULL) < 0 ? -errno : 0;
}
