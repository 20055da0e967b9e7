/* SPDX-License-Identifier: BSD-3-Clause */
/* All other functions of libpcap that take a handle or the name of a device. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "handle.h"

/* A function of one form that answers a constant, or something simple, for our handles. */
#define ANSWER(type, func, ...)                                      \
	type func(pcap_t *p)                                         \
	{                                                            \
		struct vp_handle *h = vp_handle(p);                  \
                                                                     \
		return h == NULL ? VP_REAL(func)(p) : (__VA_ARGS__); \
	}

/* Known before a handle is activated. */
ANSWER(int, pcap_can_set_rfmon, 0)
ANSWER(int, pcap_get_tstamp_precision, h->precision)
ANSWER(char *, pcap_geterr, h->err)
ANSWER(FILE *, pcap_file, NULL)
ANSWER(int, pcap_fileno, h->port != NULL ? h->port->fd : PCAP_ERROR)
ANSWER(int, pcap_get_selectable_fd, h->port != NULL ? h->port->fd : PCAP_ERROR)
ANSWER(const struct timeval *, pcap_get_required_select_timeout, NULL)

/* Known when it is. */
ANSWER(int, pcap_datalink, h->port != NULL ? DLT_EN10MB : vp_check_active(h, "pcap_datalink"))
ANSWER(int, pcap_datalink_ext,
	h->port != NULL ? DLT_EN10MB : vp_check_active(h, "pcap_datalink_ext"))
ANSWER(int, pcap_snapshot, h->port != NULL ? h->snaplen : vp_check_active(h, "pcap_snapshot"))
ANSWER(int, pcap_is_swapped, h->port != NULL ? 0 : vp_check_active(h, "pcap_is_swapped"))
ANSWER(int, pcap_bufsize, h->port != NULL ? VP_FRAME_MAX : vp_check_active(h, "pcap_bufsize"))
ANSWER(int, pcap_major_version,
	h->port != NULL ? VP_REAL(pcap_major_version)(h->dead)
			: vp_check_active(h, "pcap_major_version"))
ANSWER(int, pcap_minor_version,
	h->port != NULL ? VP_REAL(pcap_minor_version)(h->dead)
			: vp_check_active(h, "pcap_minor_version"))

void
pcap_perror(pcap_t *p, const char *prefix)
{
	struct vp_handle *h = vp_handle(p);

	if (h == NULL)
		VP_REAL(pcap_perror)(p, prefix);
	else
		fprintf(stderr, "%s: %s\n", prefix, h->err);
}

int
pcap_list_tstamp_types(pcap_t *p, int **types)
{
	if (vp_handle(p) == NULL)
		return VP_REAL(pcap_list_tstamp_types)(p, types);
	*types = NULL; /* none to choose from */
	return 0;
}

int
pcap_list_datalinks(pcap_t *p, int **types)
{
	struct vp_handle *h = vp_handle(p);
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_list_datalinks)(p, types);
	rc = vp_check_active(h, "pcap_list_datalinks");
	if (rc != 0)
		return rc;
	*types = malloc(sizeof(**types)); /* pcap_free_datalinks is free() */
	if (*types == NULL)
		return vp_fail(h, "out of memory");
	**types = DLT_EN10MB;
	return 1;
}

int
pcap_set_datalink(pcap_t *p, int dlt)
{
	struct vp_handle *h = vp_handle(p);
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_set_datalink)(p, dlt);
	rc = vp_check_active(h, "pcap_set_datalink");
	if (rc == 0 && dlt != DLT_EN10MB)
		rc = vp_fail(h, "%s: a VALE port has Ethernet frames (EN10MB)", h->name);
	return rc;
}

int
pcap_stats(pcap_t *p, struct pcap_stat *st)
{
	struct vp_handle *h = vp_handle(p);
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_stats)(p, st);
	rc = vp_check_active(h, "pcap_stats");
	memset(st, 0, sizeof(*st)); /* what did not fit is counted by the switch: vale-ctl show */
	st->ps_recv = (u_int)h->nb_received;
	return rc;
}

int
pcap_setfilter(pcap_t *p, struct bpf_program *fp)
{
	struct vp_handle *h = vp_handle(p);
	struct bpf_insn *copy;
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_setfilter)(p, fp);
	rc = vp_check_active(h, "pcap_setfilter");
	if (rc != 0)
		return rc;
	/* what is run later must not jump out of the program or read beyond the frame's end */
	if (fp->bf_insns == NULL || !VP_REAL(bpf_validate)(fp->bf_insns, (int)fp->bf_len))
		return vp_fail(h, "%s: the filter is not a valid BPF program", h->name);
	copy = malloc(fp->bf_len * sizeof(*copy));
	if (copy == NULL)
		return vp_fail(h, "out of memory");
	memcpy(copy, fp->bf_insns, fp->bf_len * sizeof(*copy));
	free(h->filter.bf_insns);
	h->filter = (struct bpf_program){.bf_len = fp->bf_len, .bf_insns = copy};
	return 0;
}

int
pcap_compile(pcap_t *p, struct bpf_program *fp, const char *text, int optimize, bpf_u_int32 mask)
{
	struct vp_handle *h = vp_handle(p);
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_compile)(p, fp, text, optimize, mask);
	rc = vp_check_active(h, "pcap_compile");
	if (rc == 0)
		rc = VP_REAL(pcap_compile)(h->dead, fp, text, optimize, mask);
	if (rc != 0 && h->dead != NULL)
		vp_fail(h, "%s", VP_REAL(pcap_geterr)(h->dead));
	return rc;
}

int
pcap_setdirection(pcap_t *p, pcap_direction_t dir)
{
	struct vp_handle *h = vp_handle(p);
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_setdirection)(p, dir);
	rc = vp_check_active(h, "pcap_setdirection");
	if (rc == 0 && dir == PCAP_D_OUT)
		rc = vp_fail(h, "%s: a port sees what comes to it, nothing that it sends", h->name);
	return rc;
}

int
pcap_getnonblock(pcap_t *p, char *errbuf)
{
	struct vp_handle *h = vp_handle(p);

	return h == NULL ? VP_REAL(pcap_getnonblock)(p, errbuf) : h->nonblock;
}

int
pcap_setnonblock(pcap_t *p, int nonblock, char *errbuf)
{
	struct vp_handle *h = vp_handle(p);

	if (h == NULL)
		return VP_REAL(pcap_setnonblock)(p, nonblock, errbuf);
	h->nonblock = nonblock != 0;
	return 0;
}

int
pcap_inject(pcap_t *p, const void *buf, size_t size)
{
	struct vp_handle *h = vp_handle(p);
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_inject)(p, buf, size);
	rc = vp_check_active(h, "pcap_inject");
	if (rc != 0)
		return rc;
	/* what the ring holds goes out first, so that there is room */
	if (ioctl(h->port->fd, NIOCTXSYNC, NULL) < 0 || nmport_inject(h->port, buf, size) == 0 ||
		ioctl(h->port->fd, NIOCTXSYNC, NULL) < 0)
		return vp_fail(
			h, "%s: cannot send: the ring is full, or the port is gone", h->name);
	return (int)size;
}

int
pcap_sendpacket(pcap_t *p, const u_char *buf, int size)
{
	if (vp_handle(p) == NULL)
		return VP_REAL(pcap_sendpacket)(p, buf, size);
	return pcap_inject(p, buf, (size_t)size) < 0 ? PCAP_ERROR : 0;
}

/* Files are written by the real one, for the handle that stands in. */
#define DUMP(func, type)                                                 \
	pcap_dumper_t *func(pcap_t *p, type where)                       \
	{                                                                \
		struct vp_handle *h = vp_handle(p);                      \
		pcap_dumper_t *dumper;                                   \
                                                                         \
		if (h == NULL)                                           \
			return VP_REAL(func)(p, where);                  \
		if (vp_check_active(h, #func) != 0)                      \
			return NULL;                                     \
		dumper = VP_REAL(func)(h->dead, where);                  \
		if (dumper == NULL)                                      \
			vp_fail(h, "%s", VP_REAL(pcap_geterr)(h->dead)); \
		return dumper;                                           \
	}

DUMP(pcap_dump_open, const char *)
DUMP(pcap_dump_open_append, const char *)
DUMP(pcap_dump_fopen, FILE *)

int
pcap_lookupnet(const char *device, bpf_u_int32 *net, bpf_u_int32 *mask, char *errbuf)
{
	if (!vp_is_port_name(device))
		return VP_REAL(pcap_lookupnet)(device, net, mask, errbuf);
	*net = *mask = 0; /* a port has no address; "not known" in a filter's eyes */
	return 0;
}
