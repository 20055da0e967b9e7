/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "vale_control_proto.h"

#include "sys.h"
#include "why.h"

/* Never without an end, though threads that are refused at once may mix their words. */
static char last[VALE_CTL_TEXT_SZ];
static bool verbose;

void
vnm_why_init(void)
{
	const char *env = getenv("VALE_NETMAP_VERBOSE");

	verbose = env != NULL && env[0] != '\0' && strcmp(env, "0") != 0;
}

static void
tell(const char *text)
{
	struct iovec v[3] = {{(void *)(uintptr_t) "vale-netmap: ", 13},
		{(void *)(uintptr_t)text, strlen(text)}, {(void *)(uintptr_t) "\n", 1}};

	vnm_sys6(SYS_writev, 2, (long)v, 3, 0, 0, 0);
}

void
vnm_why_set(const char *text)
{
	size_t len = strnlen(text, sizeof(last) - 1);

	memmove(last, text, len);
	last[len] = '\0';
	if (verbose && len > 0)
		tell(last);
}

const char *
vnm_why(void)
{
	return last;
}
