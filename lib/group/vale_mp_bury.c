/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_string_fns.h>

#include "vale_eal_mp_proto.h"
#include "vale_mp_bury.h"

/* What the primary asks of secondaries when its memory changes: lib/eal/common/malloc_mp.c. */
static const char *const questions[] = {"mp_malloc_sync", "mp_malloc_rollback"};

static bool
address(const char *name, struct sockaddr_un *sa)
{
	int n;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/%s", rte_eal_get_runtime_dir(), name);
	return n > 0 && (size_t)n < sizeof(sa->sun_path);
}

static void
leave_out(int fd, const struct sockaddr_un *primary, const char *question)
{
	struct vale_eal_mp_dgram d = {.type = VALE_EAL_MP_IGN};

	strlcpy(d.msg.name, question, sizeof(d.msg.name));
	/* to nobody who waits for it this means nothing */
	(void)sendto(fd, &d, VALE_EAL_MP_DGRAM_SZ, MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)primary, sizeof(*primary));
}

/** What came while the name was taken: it would have been refused otherwise. */
static void
answer_late(int fd, const struct sockaddr_un *primary)
{
	struct vale_eal_mp_dgram d;

	while (recv(fd, &d, sizeof(d), MSG_DONTWAIT) == (ssize_t)VALE_EAL_MP_DGRAM_SZ) {
		d.msg.name[sizeof(d.msg.name) - 1] = '\0';
		if (d.type == VALE_EAL_MP_REQ)
			leave_out(fd, primary, d.msg.name);
	}
}

void
vale_mp_bury(const char *name)
{
	struct sockaddr_un dead, primary;
	int fd;

	if (!address(name, &dead) || !address("mp_socket", &primary))
		return;
	unlink(dead.sun_path);
	fd = vale_eal_mp_known() ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	if (fd < 0)
		return;
	if (bind(fd, (struct sockaddr *)&dead, sizeof(dead)) == 0) {
		for (unsigned int i = 0; i < RTE_DIM(questions); i++)
			leave_out(fd, &primary, questions[i]);
		unlink(dead.sun_path);
		answer_late(fd, &primary);
	}
	close(fd);
}
