/* SPDX-License-Identifier: BSD-3-Clause */
/* Contexts: messages, memory, and the lock of the list of regions. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "libnetmap.h"

static pthread_mutex_t default_mutex = PTHREAD_MUTEX_INITIALIZER;

static void
default_error(struct nmctx *ctx, const char *message)
{
	(void)ctx;
	fprintf(stderr, "%s\n", message);
}

static void *
default_malloc(struct nmctx *ctx, size_t sz)
{
	(void)ctx;
	return malloc(sz);
}

static void
default_free(struct nmctx *ctx, void *p)
{
	(void)ctx;
	free(p);
}

static void
default_lock(struct nmctx *ctx, int lock)
{
	(void)ctx;
	if (lock)
		pthread_mutex_lock(&default_mutex);
	else
		pthread_mutex_unlock(&default_mutex);
}

static struct nmctx default_ctx = {
	.verbose = 1,
	.error = default_error,
	.malloc = default_malloc,
	.free = default_free,
	.lock = default_lock,
};
static struct nmctx *current = &default_ctx;

struct nmctx *
nmctx_get(void)
{
	return current;
}

struct nmctx *
nmctx_set_default(struct nmctx *ctx)
{
	struct nmctx *before = current;

	current = ctx;
	return before;
}

void
nmctx_set_threadsafe(void)
{
}

void
nmctx_ferror(struct nmctx *ctx, const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	if (!ctx->verbose || ctx->error == NULL)
		return;
	va_start(ap, fmt);
	if (vsnprintf(message, sizeof(message), fmt, ap) < 0)
		message[0] = '\0';
	va_end(ap);
	ctx->error(ctx, message);
}

void *
nmctx_malloc(struct nmctx *ctx, size_t sz)
{
	return ctx->malloc(ctx, sz);
}

void
nmctx_free(struct nmctx *ctx, void *p)
{
	if (p != NULL)
		ctx->free(ctx, p);
}

void
nmctx_lock(struct nmctx *ctx)
{
	if (ctx->lock != NULL)
		ctx->lock(ctx, 1);
}

void
nmctx_unlock(struct nmctx *ctx)
{
	if (ctx->lock != NULL)
		ctx->lock(ctx, 0);
}
