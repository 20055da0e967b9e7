/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles: made, set up, activated, closed. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "handle.h"

/* Which handles are ours; signal handlers look here, so there is no lock. */
static _Atomic(struct vp_handle *) handles[VP_HANDLES_MAX];

void *
vp_real(const char *func)
{
	void *f = dlsym(RTLD_NEXT, func);

	if (f == NULL) {
		fprintf(stderr, "libvale-pcap: there is no %s in this program's libpcap\n", func);
		abort();
	}
	return f;
}

bool
vp_is_port_name(const char *device)
{
	return device != NULL && strncmp(device, "vale", 4) == 0 && strchr(device, ':') != NULL;
}

struct vp_handle *
vp_handle(const pcap_t *p)
{
	for (int i = 0; i < VP_HANDLES_MAX; i++) {
		struct vp_handle *h = atomic_load_explicit(&handles[i], memory_order_acquire);

		if (h != NULL && (const pcap_t *)h == p)
			return h;
	}
	return NULL;
}

static bool
remember(struct vp_handle *h)
{
	for (int i = 0; i < VP_HANDLES_MAX; i++) {
		struct vp_handle *none = NULL;

		if (atomic_compare_exchange_strong(&handles[i], &none, h))
			return true;
	}
	return false;
}

static void
forget(struct vp_handle *h)
{
	for (int i = 0; i < VP_HANDLES_MAX; i++) {
		struct vp_handle *it = h;

		if (atomic_compare_exchange_strong(&handles[i], &it, NULL))
			return;
	}
}

int
vp_fail(struct vp_handle *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->err, sizeof(h->err), fmt, ap);
	va_end(ap);
	return PCAP_ERROR;
}

int
vp_check_active(struct vp_handle *h, const char *func)
{
	if (h->port != NULL)
		return 0;
	vp_fail(h, "%s: %s is not activated", h->name, func);
	return PCAP_ERROR_NOT_ACTIVATED;
}

static void
note_error(struct nmctx *ctx, const char *message)
{
	struct vp_handle *h = (struct vp_handle *)((char *)ctx - offsetof(struct vp_handle, ctx));

	vp_fail(h, "%s", message);
}

pcap_t *
pcap_create(const char *device, char *errbuf)
{
	struct vp_handle *h;

	if (!vp_is_port_name(device))
		return VP_REAL(pcap_create)(device, errbuf);
	h = calloc(1, sizeof(*h));
	if (h == NULL || strlen(device) >= sizeof(h->name) || !remember(h)) {
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "%.40s: %s", device,
			h == NULL			    ? "out of memory"
			: strlen(device) >= sizeof(h->name) ? "the name is too long"
							    : "too many captures in one program");
		free(h);
		return NULL;
	}
	memcpy(h->name, device, strlen(device) + 1);
	h->snaplen = VP_SNAPLEN_MAX;
	h->ctx = *nmctx_get();
	h->ctx.mem_descs = NULL;
	h->ctx.verbose = 1;
	h->ctx.error = note_error;
	return (pcap_t *)h;
}

void
pcap_close(pcap_t *p)
{
	struct vp_handle *h = vp_handle(p);

	if (h == NULL) {
		VP_REAL(pcap_close)(p);
		return;
	}
	forget(h);
	nmport_close(h->port);
	if (h->dead != NULL)
		VP_REAL(pcap_close)(h->dead);
	free(h->filter.bf_insns);
	free(h->frame);
	free(h);
}

/* NULL: said in h->err. */
static struct nmport_d *
open_port(struct vp_handle *h)
{
	struct nmport_d *d = nmport_new();

	if (d == NULL) {
		vp_fail(h, "out of memory");
		return NULL;
	}
	d->ctx = &h->ctx;
	if (nmport_parse(d, h->name) < 0) {
		nmport_undo_prepare(d);
		return NULL;
	}
	d->reg.nr_flags |= NR_NO_TX_POLL;
	/* one look makes the preload know all that it needs to, while this program is still root */
	if (nmport_open_desc(d) < 0 || ioctl(d->fd, NIOCRXSYNC, NULL) < 0) {
		nmport_close(d);
		return NULL;
	}
	return d;
}

/* The code that programs know how to explain. */
static int
activate_error(int error)
{
	switch (error) {
	case ENXIO:
		return PCAP_ERROR_NO_SUCH_DEVICE;
	case EPERM:
	case EACCES:
		return PCAP_ERROR_PERM_DENIED;
	default:
		return PCAP_ERROR;
	}
}

int
pcap_activate(pcap_t *p)
{
	struct vp_handle *h = vp_handle(p);
	int saved;

	if (h == NULL)
		return VP_REAL(pcap_activate)(p);
	if (h->port != NULL)
		return PCAP_ERROR_ACTIVATED;
	if (h->rfmon)
		return PCAP_ERROR_RFMON_NOTSUP;
	if (h->snaplen <= 0 || h->snaplen > VP_SNAPLEN_MAX)
		h->snaplen = VP_SNAPLEN_MAX;
	h->frame = malloc(VP_FRAME_MAX);
	h->dead = VP_REAL(pcap_open_dead_with_tstamp_precision)(
		DLT_EN10MB, h->snaplen, (u_int)h->precision);
	errno = 0;
	h->port = h->frame != NULL && h->dead != NULL ? open_port(h) : NULL;
	if (h->port != NULL)
		return 0;
	saved = errno;
	if (h->err[0] == '\0')
		vp_fail(h, "%s: %s", h->name, strerror(saved != 0 ? saved : ENOMEM));
	if (h->dead != NULL)
		VP_REAL(pcap_close)(h->dead);
	h->dead = NULL;
	free(h->frame);
	h->frame = NULL;
	return activate_error(saved);
}

pcap_t *
pcap_open_live(const char *device, int snaplen, int promisc, int to_ms, char *errbuf)
{
	struct vp_handle *h;

	if (!vp_is_port_name(device))
		return VP_REAL(pcap_open_live)(device, snaplen, promisc, to_ms, errbuf);
	h = (struct vp_handle *)pcap_create(device, errbuf);
	if (h == NULL)
		return NULL;
	h->snaplen = snaplen;
	h->timeout_ms = to_ms;
	if (pcap_activate((pcap_t *)h) == 0)
		return (pcap_t *)h;
	snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s", h->err);
	pcap_close((pcap_t *)h);
	return NULL;
}

/* Setters: all have one form, and all but what is said take anything. */
#define SETTER(func, ...)                               \
	int func(pcap_t *p, int value)                  \
	{                                               \
		struct vp_handle *h = vp_handle(p);     \
                                                        \
		if (h == NULL)                          \
			return VP_REAL(func)(p, value); \
		if (h->port != NULL)                    \
			return PCAP_ERROR_ACTIVATED;    \
		__VA_ARGS__                             \
		return 0;                               \
	}

SETTER(pcap_set_snaplen, h->snaplen = value;)
SETTER(pcap_set_promisc, (void)value;) /* a port gets what is flooded or sent to it */
SETTER(pcap_set_rfmon, h->rfmon = value != 0;)
SETTER(pcap_set_timeout, h->timeout_ms = value;)
SETTER(pcap_set_immediate_mode, (void)value;) /* frames are never held back */
SETTER(pcap_set_buffer_size, (void)value;)    /* the port's ring it is */
SETTER(pcap_set_protocol_linux, (void)value;)
SETTER(pcap_set_tstamp_type, if (value != PCAP_TSTAMP_HOST) return PCAP_WARNING_TSTAMP_TYPE_NOTSUP;)
SETTER(pcap_set_tstamp_precision,
	if (value != PCAP_TSTAMP_PRECISION_MICRO &&
		value != PCAP_TSTAMP_PRECISION_NANO) return PCAP_ERROR_TSTAMP_PRECISION_NOTSUP;
	h->precision = value;)
