/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom workers wake. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bind.h"

/* Tokens sent to a descriptor at once. More threads than that do not wait on one. */
#define TOKENS_MAX 64

/* Control thread only. */
static struct vale_workers *sleepers_ws;

void
nm_sleepers_init(struct vale_workers *ws)
{
	sleepers_ws = ws;
}

struct nm_sleepers *
nm_sleepers_alloc(unsigned int nb)
{
	return calloc(1, sizeof(struct nm_sleepers) + nb * sizeof(struct nm_sleeper));
}

/* Publish who may sleep: all binds of the port but @p without. */
int
nm_sleepers_update(struct nm_port *p, const struct nm_bind *without)
{
	struct nm_sleepers *old, *l = nm_sleepers_alloc(p->nb_binds);
	struct nm_bind *b;

	if (l == NULL)
		return -ENOMEM;
	TAILQ_FOREACH (b, &p->binds, next) {
		if (b == without || b->conn == NULL)
			continue;
		l->of[l->nb++] = (struct nm_sleeper){
			.shm = nm_region_bind(p->region, b->idx),
			.fd = vale_conn_fd(b->conn),
		};
	}
	/* acq_rel: who reads the pointer sees the list */
	old = atomic_exchange_explicit(&p->sleepers, l, memory_order_acq_rel);
	vale_workers_synchronize(sleepers_ws);
	free(old);
	return 0;
}

/* No worker may use its socket any more. Where there is no memory for a shorter list, the entry is
 * made harmless. */
void
nm_sleepers_remove(struct nm_port *p, const struct nm_bind *b)
{
	struct nm_sleepers *l = atomic_load(&p->sleepers);

	if (nm_sleepers_update(p, b) == 0)
		return;
	for (uint16_t i = 0; i < l->nb; i++) {
		if (l->of[i].shm == nm_region_bind(p->region, b->idx))
			l->of[i].fd = -1;
	}
	vale_workers_synchronize(sleepers_ws);
}

/* ---- workers ---- */

static void
send_tokens(const struct nm_sleeper *s, _Atomic uint32_t *count)
{
	const char token = VALE_NM_TOKEN;
	uint32_t n;

	if (atomic_load_explicit(count, memory_order_relaxed) == 0)
		return;
	n = atomic_exchange_explicit(count, 0, memory_order_relaxed);
	for (n = RTE_MIN(n, (uint32_t)TOKENS_MAX); n > 0; n--) {
		/* a full socket is readable, which is all that a token is for */
		if (send(s->fd, &token, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
	}
}

void
nm_wake_sleepers(struct nm_port *p, bool rx)
{
	/* acquire: the list was built before it was published */
	const struct nm_sleepers *l = atomic_load_explicit(&p->sleepers, memory_order_acquire);

	for (uint16_t i = 0; i < l->nb; i++)
		send_tokens(&l->of[i], rx ? &l->of[i].shm->sleep_rx : &l->of[i].shm->sleep_tx);
}
