/* SPDX-License-Identifier: BSD-3-Clause */
#include "ready.h"
#include "ring.h"
#include "sys.h"

#define TX (POLLOUT | POLLWRNORM)
#define RX (POLLIN | POLLRDNORM)

/** Transmit rings: all are sent, unless the descriptor was opened with NR_NO_TX_POLL and nobody
 * asks for POLLOUT; once space was found, only those with something to send. */
static short
ready_tx(int fd, struct vnm_file *f, short want)
{
	short found = 0;
	unsigned int i;

	for (i = 0; i < f->nb_rings[0]; i++) {
		if (want == 0 && !vnm_ring_tx_pending(f, i))
			continue;
		switch (vnm_ring_txsync(fd, f, i)) {
		case VNM_SYNC_READY:
			found |= want;
			want = 0;
			break;
		case VNM_SYNC_WRONG:
			found |= POLLERR;
			break;
		default:
			break;
		}
	}
	return found;
}

static short
ready_rx(struct vnm_file *f, short want)
{
	short found = 0;
	unsigned int i;

	for (i = 0; i < f->nb_rings[1]; i++) {
		switch (vnm_ring_rxsync(f, i)) {
		case VNM_SYNC_READY:
			found |= want;
			break;
		case VNM_SYNC_WRONG:
			found |= POLLERR;
			break;
		default:
			break;
		}
	}
	return found;
}

short
vnm_ready(int fd, struct vnm_file *f, short events)
{
	short found = 0;

	if ((events & TX) || !(f->flags & NR_NO_TX_POLL))
		found |= ready_tx(fd, f, events & TX);
	if ((events & RX) || (f->flags & NR_DO_RX_POLL))
		found |= ready_rx(f, events & RX);
	return found;
}

void
vnm_ready_arm(struct vnm_file *f, short events)
{
	if (events & RX)
		atomic_fetch_add(&f->bind->sleep_rx, 1);
	if (events & TX)
		atomic_fetch_add(&f->bind->sleep_tx, 1);
	atomic_fetch_add(&f->region->sleepers, 1);
	atomic_thread_fence(memory_order_seq_cst);
}

/** Take back one sleeper; false if the switch has taken all and sent tokens for them. */
static bool
sleeper_back(_Atomic uint32_t *count)
{
	uint32_t n = atomic_load(count);

	while (n != 0)
		if (atomic_compare_exchange_weak(count, &n, n - 1))
			return true;
	return false;
}

/** One token. None there only means that another sleeper took it, or that it is still coming. */
static bool
token_read(int fd)
{
	char token;

	return vnm_sys_recv(fd, &token, 1, MSG_DONTWAIT) == 1;
}

/** Awake by a token that was not for this sleeper. Left alone it would keep everybody awake. If it
 * may have been another sleeper's, who will not see it now, one is put into his place. */
static void
token_foreign(int fd, struct vnm_file *f, short events)
{
	if (token_read(fd) && atomic_load(&f->region->sleepers) > 1)
		atomic_fetch_add((events & RX) ? &f->bind->sleep_rx : &f->bind->sleep_tx, 1);
}

void
vnm_ready_disarm(int fd, struct vnm_file *f, short events, bool token)
{
	bool ours = false;

	if ((events & RX) && !sleeper_back(&f->bind->sleep_rx))
		ours = token_read(fd) || ours;
	if ((events & TX) && !sleeper_back(&f->bind->sleep_tx))
		ours = token_read(fd) || ours;
	if (token && !ours)
		token_foreign(fd, f, events);
	atomic_fetch_sub(&f->region->sleepers, 1);
}

bool
vnm_ready_gone(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	struct timespec now = {0};

	return vnm_sys_ppoll(&p, 1, &now, NULL) != 0;
}
