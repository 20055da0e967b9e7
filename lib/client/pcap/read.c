/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from the port's receive rings to the program. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "handle.h"

/* How long pcap_breakloop from another thread may go unseen. */
#define SLICE_MS 200

/* One frame: its bytes, in the ring or put together in h->frame. */
struct frame {
	const unsigned char *data;
	uint32_t len;  /* on the switch */
	uint32_t have; /* bytes at data */
	uint32_t next; /* slot behind it */
};

/* The frame at the head of a ring that is not empty. */
static void
look_at_frame(struct vp_handle *h, struct netmap_ring *ring, struct frame *f)
{
	uint32_t i = ring->head, left = nm_ring_space(ring);
	const struct netmap_slot *slot = &ring->slot[i];

	f->data = (const unsigned char *)NETMAP_BUF(ring, slot->buf_idx);
	f->len = f->have = slot->len;
	f->next = nm_ring_next(ring, i);
	if ((slot->flags & NS_MOREFRAG) == 0)
		return;
	f->data = h->frame;
	f->len = f->have = 0;
	for (; left > 0; left--) {
		uint32_t room = VP_FRAME_MAX - f->have;
		uint32_t len = slot->len < room ? slot->len : room;

		memcpy(h->frame + f->have, NETMAP_BUF(ring, slot->buf_idx), len);
		f->have += len;
		f->len += slot->len;
		i = nm_ring_next(ring, i);
		if ((slot->flags & NS_MOREFRAG) == 0)
			break;
		slot = &ring->slot[i];
	}
	f->next = i;
}

static void
fill_header(const struct vp_handle *h, const struct frame *f, struct pcap_pkthdr *hdr)
{
	hdr->ts.tv_sec = h->ts.tv_sec;
	hdr->ts.tv_usec =
		h->precision == PCAP_TSTAMP_PRECISION_NANO ? h->ts.tv_nsec : h->ts.tv_nsec / 1000;
	hdr->len = f->len;
	hdr->caplen = f->have < (uint32_t)h->snaplen ? f->have : (uint32_t)h->snaplen;
}

static bool
passes(const struct vp_handle *h, const struct frame *f, const struct pcap_pkthdr *hdr)
{
	struct pcap_pkthdr whole = *hdr;

	if (h->filter.bf_insns == NULL)
		return true;
	/* a filter sees the frame, not the snapshot */
	whole.caplen = f->have;
	return VP_REAL(pcap_offline_filter)(&h->filter, &whole, f->data) != 0;
}

/* All frames of one ring, at most cnt that pass (cnt < 1: all). */
static int
read_ring(struct vp_handle *h, struct netmap_ring *ring, int cnt, pcap_handler cb, u_char *user)
{
	int nb = 0;

	while (!nm_ring_empty(ring) && (cnt < 1 || nb < cnt) && !atomic_load(&h->stop)) {
		struct pcap_pkthdr hdr;
		struct frame f;

		look_at_frame(h, ring, &f);
		fill_header(h, &f, &hdr);
		if (passes(h, &f, &hdr)) {
			h->nb_received++;
			nb++;
			cb(user, &hdr, f.data);
		}
		ring->head = ring->cur = f.next;
	}
	return nb;
}

static bool
any_frame(const struct vp_handle *h)
{
	const struct nmport_d *d = h->port;

	for (int i = d->first_rx_ring; i <= d->last_rx_ring; i++)
		if (!nm_ring_empty(NETMAP_RXRING(d->nifp, i)))
			return true;
	return false;
}

static int
read_rings(struct vp_handle *h, int cnt, pcap_handler cb, u_char *user)
{
	struct nmport_d *d = h->port;
	int nb = 0;

	for (int i = d->first_rx_ring; i <= d->last_rx_ring && (cnt < 1 || nb < cnt); i++)
		nb += read_ring(h, NETMAP_RXRING(d->nifp, i), cnt < 1 ? cnt : cnt - nb, cb, user);
	return nb;
}

/* Wait up to timeout_ms (-1: no end) for frames. 1, 0 (none), or PCAP_ERROR. */
static int
wait_frames(struct vp_handle *h, int timeout_ms)
{
	struct pollfd pfd = {.fd = h->port->fd, .events = POLLIN};

	/* who waited in select has had the rings filled there; what is left from before has its
	 * time */
	if (!h->left_over)
		clock_gettime(CLOCK_REALTIME, &h->ts);
	while (!any_frame(h) && !atomic_load(&h->stop)) {
		int ms = timeout_ms < 0 || timeout_ms > SLICE_MS ? SLICE_MS : timeout_ms;
		int rc = poll(&pfd, 1, ms);

		if ((rc < 0 && errno != EINTR) || (rc > 0 && (pfd.revents & POLLIN) == 0))
			return vp_fail(
				h, "%s: the switch is gone, or has taken the port away", h->name);
		clock_gettime(CLOCK_REALTIME, &h->ts);
		if (timeout_ms >= 0 && (timeout_ms -= ms) <= 0)
			break;
	}
	return any_frame(h);
}

/* -2 once after pcap_breakloop. */
static bool
stopped(struct vp_handle *h)
{
	return atomic_exchange(&h->stop, false);
}

static int
wait_time(const struct vp_handle *h)
{
	if (h->nonblock)
		return 0;
	return h->timeout_ms > 0 ? h->timeout_ms : -1;
}

int
pcap_dispatch(pcap_t *p, int cnt, pcap_handler cb, u_char *user)
{
	struct vp_handle *h = vp_handle(p);
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_dispatch)(p, cnt, cb, user);
	rc = vp_check_active(h, "pcap_dispatch");
	if (rc == 0)
		rc = wait_frames(h, wait_time(h));
	if (rc > 0)
		rc = read_rings(h, cnt, cb, user);
	return rc == 0 && stopped(h) ? PCAP_ERROR_BREAK : rc;
}

int
pcap_loop(pcap_t *p, int cnt, pcap_handler cb, u_char *user)
{
	struct vp_handle *h = vp_handle(p);
	int rc, nb = 0;

	if (h == NULL)
		return VP_REAL(pcap_loop)(p, cnt, cb, user);
	rc = vp_check_active(h, "pcap_loop");
	while (rc >= 0) {
		rc = wait_frames(h, -1);
		if (rc > 0)
			rc = read_rings(h, cnt < 1 ? cnt : cnt - nb, cb, user);
		if (rc > 0)
			nb += rc;
		if (stopped(h))
			return PCAP_ERROR_BREAK;
		if (cnt > 0 && nb >= cnt)
			return 0;
	}
	return rc;
}

/* pcap_next and pcap_next_ex: what they gave stays until the next call. */
static void
keep(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	struct vp_handle *h = (struct vp_handle *)(void *)user;

	h->hdr = *hdr;
	if (data != h->frame)
		memcpy(h->frame, data, hdr->caplen);
}

int
pcap_next_ex(pcap_t *p, struct pcap_pkthdr **hdr, const u_char **data)
{
	struct vp_handle *h = vp_handle(p);
	int rc;

	if (h == NULL)
		return VP_REAL(pcap_next_ex)(p, hdr, data);
	rc = pcap_dispatch(p, 1, keep, (u_char *)h);
	if (rc <= 0)
		return rc;
	*hdr = &h->hdr;
	*data = h->frame;
	return 1;
}

const u_char *
pcap_next(pcap_t *p, struct pcap_pkthdr *hdr)
{
	struct vp_handle *h = vp_handle(p);

	if (h == NULL)
		return VP_REAL(pcap_next)(p, hdr);
	if (pcap_dispatch(p, 1, keep, (u_char *)h) <= 0)
		return NULL;
	*hdr = h->hdr;
	return h->frame;
}

void
pcap_breakloop(pcap_t *p)
{
	struct vp_handle *h = vp_handle(p);

	if (h == NULL)
		VP_REAL(pcap_breakloop)(p);
	else
		atomic_store(&h->stop, true);
}
