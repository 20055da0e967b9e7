/* SPDX-License-Identifier: BSD-3-Clause */
/* The name at the front of a port's specification. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "device.h"
#include "libnetmap.h"

/* What may end the name: a mode, an option, or nothing. */
#define NAME_ENDS "-*^/@"

/* Letters of the C locale, whatever the program's. */
static bool
is_identifier(const char *s, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_";

	return strspn(s, letters) >= len;
}

void
nmreq_header_init(struct nmreq_header *hdr, uint16_t reqtype, void *body)
{
	memset(hdr, 0, sizeof(*hdr));
	hdr->nr_version = NETMAP_API;
	hdr->nr_reqtype = reqtype;
	hdr->nr_body = (uintptr_t)body;
}

/*
 * Where the name begins that is sent: after "netmap:", which is dropped, or at "vale", which stays.
 * *port is what follows the colon. NULL: said why.
 */
static const char *
skip_prefix(const char *spec, const char **port, struct nmctx *ctx)
{
	bool is_vale = strncmp(spec, NM_BDG_NAME, strlen(NM_BDG_NAME)) == 0;
	const char *id = spec + strlen(is_vale ? NM_BDG_NAME : "netmap");
	const char *colon;

	if (!is_vale && strncmp(spec, "netmap", strlen("netmap")) != 0) {
		nmctx_ferror(ctx, "%s: a port's name begins with netmap: or vale", spec);
		return NULL;
	}
	colon = strchr(id, ':');
	if (colon == NULL) {
		nmctx_ferror(ctx, "%s: there is no ':' in this name", spec);
		return NULL;
	}
	if (!is_vale && colon != id) {
		nmctx_ferror(ctx, "%s: nothing may stand between netmap and ':'", spec);
		return NULL;
	}
	if (!is_identifier(id, (size_t)(colon - id))) {
		nmctx_ferror(ctx, "%s: '%.*s' may have letters, digits and _ only", spec,
			(int)(colon - id), id);
		return NULL;
	}
	*port = colon + 1;
	return is_vale ? spec : colon + 1;
}

/* A pipe's end, {ID or }ID, may be within the len bytes of the port's part. */
static int
check_pipe(const char *spec, const char *port, size_t len, struct nmctx *ctx)
{
	size_t before = strcspn(port, "{}");

	if (before >= len)
		return 0;
	if (before + 1 == len) {
		nmctx_ferror(ctx, "%s: the pipe has no name", spec);
		return -1;
	}
	if (!is_identifier(port + before + 1, len - before - 1)) {
		nmctx_ferror(ctx, "%s: '%.*s' may have letters, digits and _ only", spec,
			(int)(len - before - 1), port + before + 1);
		return -1;
	}
	return 0;
}

static const char *
decode_name(const char *spec, struct nmreq_header *hdr, struct nmctx *ctx)
{
	const char *port = NULL, *name = skip_prefix(spec, &port, ctx), *end;
	size_t len;

	if (name == NULL)
		return NULL;
	end = port + strcspn(port, NAME_ENDS);
	if (check_pipe(spec, port, (size_t)(end - port), ctx) < 0)
		return NULL;
	len = (size_t)(end - name);
	if (len == 0) {
		nmctx_ferror(ctx, "%s: the port has no name", spec);
		return NULL;
	}
	if (len >= sizeof(hdr->nr_name)) {
		nmctx_ferror(ctx, "%s: the name is longer than %zu bytes", spec,
			sizeof(hdr->nr_name) - 1);
		return NULL;
	}
	memcpy(hdr->nr_name, name, len);
	hdr->nr_name[len] = '\0';
	return end;
}

int
nmreq_header_decode(const char **ppspec, struct nmreq_header *hdr, struct nmctx *ctx)
{
	const char *end = decode_name(*ppspec, hdr, ctx);

	if (end == NULL) {
		errno = EINVAL;
		return -1;
	}
	*ppspec = end;
	return 0;
}

int32_t
nmreq_get_mem_id(const char **portname, struct nmctx *ctx)
{
	const char *scan = *portname;
	struct nmreq_port_info_get info;
	struct nmreq_header hdr;
	int fd, saved;

	if (scan == NULL) {
		errno = EINVAL;
		return -1;
	}
	memset(&info, 0, sizeof(info));
	nmreq_header_init(&hdr, NETMAP_REQ_PORT_INFO_GET, &info);
	if (nmreq_header_decode(&scan, &hdr, ctx) < 0)
		return -1;
	fd = device_open();
	if (fd < 0) {
		nmctx_ferror(ctx, "/dev/netmap: %s", strerror(errno));
		return -1;
	}
	if (device_ioctl(fd, NIOCCTRL, &hdr) < 0) {
		saved = errno;
		nmctx_ferror(ctx, "%s: %s", hdr.nr_name, strerror(saved));
		device_close(fd);
		errno = saved;
		return -1;
	}
	device_close(fd);
	*portname = scan;
	return info.nr_mem_id;
}
