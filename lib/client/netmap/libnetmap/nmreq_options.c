/* SPDX-License-Identifier: BSD-3-Clause */
/* The options in a port's specification, and the list of options of a request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libnetmap.h"

static int
invalid(void)
{
	errno = EINVAL;
	return -1;
}

static const struct nmreq_opt_key *
find_key(const struct nmreq_opt_parser *p, const char *name)
{
	int i;

	for (i = 0; i < NMREQ_OPT_MAXKEYS && p->keys[i].key != NULL; i++)
		if (strcmp(p->keys[i].key, name) == 0)
			return &p->keys[i];
	return NULL;
}

/* One KEY=VALUE or KEY, NUL-terminated; it is written to. */
static int
take_key(char *text, const struct nmreq_opt_parser *p, struct nmreq_parse_ctx *pctx)
{
	char *value = strchr(text, '='), *s;
	const struct nmreq_opt_key *key;

	if (value != NULL)
		*value++ = '\0';
	for (s = text; *s != '\0'; s++)
		if (*s == '-')
			*s = '_';
	key = find_key(p, text);
	if (key == NULL) {
		nmctx_ferror(pctx->ctx, "option %s: there is no key '%s'", p->prefix, text);
		return invalid();
	}
	if (pctx->keys[key->id] != NULL) {
		nmctx_ferror(pctx->ctx, "option %s: key '%s' is given twice", p->prefix, text);
		return invalid();
	}
	if (value == NULL && (key->flags & NMREQ_OPTK_ALLOWEMPTY) == 0) {
		nmctx_ferror(pctx->ctx, "option %s: key '%s' needs a value", p->prefix, text);
		return invalid();
	}
	if (value == NULL)
		value = text;
	/* KEY= is the same as nothing */
	pctx->keys[key->id] = *value != '\0' ? value : NULL;
	return 0;
}

static int
take_keys(char *body, const struct nmreq_opt_parser *p, struct nmreq_parse_ctx *pctx)
{
	char *next;

	for (; body != NULL && *body != '\0'; body = next) {
		next = strchr(body, ',');
		if (next != NULL)
			*next++ = '\0';
		if (take_key(body, p, pctx) < 0)
			return -1;
	}
	return 0;
}

static int
check_mandatory(const struct nmreq_opt_parser *p, const struct nmreq_parse_ctx *pctx)
{
	int i;

	for (i = 0; i < NMREQ_OPT_MAXKEYS && p->keys[i].key != NULL; i++) {
		if ((p->keys[i].flags & NMREQ_OPTK_MUSTSET) == 0 ||
			pctx->keys[p->keys[i].id] != NULL)
			continue;
		nmctx_ferror(pctx->ctx, "option %s: key '%s' is needed", p->prefix, p->keys[i].key);
		return invalid();
	}
	return 0;
}

/* VALUE of @OPTION=VALUE. */
static int
take_default(const char *value, const struct nmreq_opt_parser *p, struct nmreq_parse_ctx *pctx)
{
	if (p->default_key < 0 || p->default_key >= NMREQ_OPT_MAXKEYS) {
		nmctx_ferror(
			pctx->ctx, "option %s: write it as %s:KEY=VALUE", p->prefix, p->prefix);
		return invalid();
	}
	if (*value == '\0') {
		nmctx_ferror(pctx->ctx, "option %s: there is no value behind '='", p->prefix);
		return invalid();
	}
	pctx->keys[p->default_key] = value;
	return 0;
}

static int
take_body(char delim, char *body, const struct nmreq_opt_parser *p, struct nmreq_parse_ctx *pctx)
{
	if (delim == '=')
		return take_default(body, p, pctx);
	if (delim == ':')
		return take_keys(body, p, pctx);
	if ((p->flags & NMREQ_OPTF_ALLOWEMPTY) != 0)
		return 0;
	nmctx_ferror(pctx->ctx, "option %s: write it as %s:KEY=VALUE", p->prefix, p->prefix);
	return invalid();
}

/* One option, without its '@', NUL-terminated; it is written to. */
static int
decode_one(char *text, struct nmreq_opt_parser *parsers, void *token, struct nmctx *ctx)
{
	struct nmreq_parse_ctx pctx = {.ctx = ctx, .token = token};
	char *body = text + strcspn(text, ":="), delim = *body;
	struct nmreq_opt_parser *p = parsers;

	if (delim != '\0')
		*body++ = '\0';
	while (p != NULL && strcmp(p->prefix, text) != 0)
		p = p->next;
	if (p == NULL) {
		nmctx_ferror(ctx, "there is no option '%s'", text);
		return invalid();
	}
	if ((p->flags & NMREQ_OPTF_DISABLED) != 0) {
		nmctx_ferror(ctx, "this program does not support option '%s'", text);
		errno = EOPNOTSUPP;
		return -1;
	}
	if (take_body(delim, body, p, &pctx) < 0 || check_mandatory(p, &pctx) < 0)
		return -1;
	return p->parse(&pctx);
}

static int
decode_copy(const char *opt, size_t len, struct nmreq_opt_parser *parsers, void *token,
	struct nmctx *ctx)
{
	char *copy = nmctx_malloc(ctx, len + 1);
	int ret, saved;

	if (copy == NULL) {
		nmctx_ferror(ctx, "out of memory");
		errno = ENOMEM;
		return -1;
	}
	memcpy(copy, opt, len);
	copy[len] = '\0';
	ret = decode_one(copy, parsers, token, ctx);
	saved = errno;
	nmctx_free(ctx, copy);
	errno = saved;
	return ret;
}

int
nmreq_options_decode(
	const char *opt, struct nmreq_opt_parser *parsers, void *token, struct nmctx *ctx)
{
	while (*opt != '\0') {
		size_t len;

		if (*opt != '@') {
			nmctx_ferror(ctx, "'%s': an option begins with '@'", opt);
			return invalid();
		}
		opt++;
		len = strcspn(opt, "@");
		if (len == 0) {
			nmctx_ferror(ctx, "there is nothing behind '@'");
			return invalid();
		}
		if (decode_copy(opt, len, parsers, token, ctx) < 0)
			return -1;
		opt += len;
	}
	return 0;
}

static struct nmreq_option *
option_at(uint64_t address)
{
	return (struct nmreq_option *)(uintptr_t)address;
}

void
nmreq_push_option(struct nmreq_header *h, struct nmreq_option *o)
{
	o->nro_next = h->nr_options;
	h->nr_options = (uintptr_t)o;
}

void
nmreq_remove_option(struct nmreq_header *h, struct nmreq_option *o)
{
	struct nmreq_option *prev;

	if (option_at(h->nr_options) == o) {
		h->nr_options = o->nro_next;
		o->nro_next = 0;
		return;
	}
	nmreq_foreach_option(h, prev)
	{
		if (option_at(prev->nro_next) != o)
			continue;
		prev->nro_next = o->nro_next;
		o->nro_next = 0;
		return;
	}
}

struct nmreq_option *
nmreq_find_option(struct nmreq_header *h, uint32_t reqtype)
{
	struct nmreq_option *o;

	nmreq_foreach_option(h, o) if (o->nro_reqtype == reqtype) return o;
	return NULL;
}

void
nmreq_free_options(struct nmreq_header *h)
{
	struct nmreq_option *o;

	while ((o = option_at(h->nr_options)) != NULL) {
		h->nr_options = o->nro_next;
		free(o);
	}
}

const char *
nmreq_option_name(uint32_t reqtype)
{
	switch (reqtype) {
	case NETMAP_REQ_OPT_EXTMEM:
		return "extmem";
	case NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS:
		return "sync-kloop-eventfds";
	case NETMAP_REQ_OPT_CSB:
		return "csb";
	case NETMAP_REQ_OPT_SYNC_KLOOP_MODE:
		return "sync-kloop-mode";
	case NETMAP_REQ_OPT_OFFSETS:
		return "offsets";
	default:
		return "unknown";
	}
}
