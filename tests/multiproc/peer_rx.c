/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>

#include "peer.h"
#include "vale_dpdk_shm.h"

#define STREAMS_MAX 512
/* Between looks at empty queues: polling without a pause takes the CPU from what is tested. */
#define NAP_US 50
/* For frames that are to come: senders and the switch may have to wait for a CPU. */
#define PATIENCE_MS 20000

/* The frames of one `tx` from one queue: they are in order if their numbers rise. */
struct stream {
	uint32_t run;
	uint16_t queue;
	uint32_t next; /* lowest number that would be in order */
};

/* What an `rx` found. */
struct found {
	uint64_t packets, bytes;
	uint64_t bad, alien;
	uint64_t disorder;    /* numbers that did not rise */
	uint64_t wrong_queue; /* not in queue k modulo n */
	uint64_t odd; /* mbufs that are not ours to keep: shared, indirect, of another pool */
	uint64_t queue[RTE_ETHDEV_QUEUE_STAT_CNTRS];
	uint32_t first, last;
	uint64_t nb_good;
	uint16_t segs;	     /* most in a frame */
	uint64_t latency_ns; /* of the first frame */
	struct stream stream[STREAMS_MAX];
	unsigned int nb_streams;
	unsigned int hit;
};

static struct found found;

static struct stream *
stream_of(struct found *f, const struct peer_tag *tag)
{
	struct stream *s = &f->stream[f->hit];

	if (f->nb_streams > 0 && s->run == tag->run && s->queue == tag->queue)
		return s;
	for (f->hit = 0; f->hit < f->nb_streams; f->hit++) {
		s = &f->stream[f->hit];
		if (s->run == tag->run && s->queue == tag->queue)
			return s;
	}
	if (f->nb_streams == STREAMS_MAX) {
		f->hit = 0;
		return NULL;
	}
	s = &f->stream[f->nb_streams++];
	*s = (struct stream){.run = tag->run, .queue = tag->queue};
	return s;
}

static void
note_number(struct found *f, const struct peer_tag *tag)
{
	struct stream *s = stream_of(f, tag);

	if (f->nb_good++ == 0) {
		f->first = tag->seq;
		f->latency_ns = peer_now_ns() - tag->sent_ns;
	}
	f->last = tag->seq;
	if (s == NULL || tag->seq < s->next) {
		f->disorder++;
		return;
	}
	s->next = tag->seq + 1;
}

static bool
is_odd(const struct rte_mbuf *m, uint16_t port_id)
{
	bool odd = m->port != port_id;

	for (; m != NULL; m = m->next)
		odd |= m->pool != peer_pool() || !RTE_MBUF_DIRECT(m) ||
		       rte_mbuf_refcnt_read(m) != 1;
	return odd;
}

static void
note_frame(struct found *f, uint16_t port_id, uint16_t queue, uint16_t nb_queues,
	const struct rte_mbuf *m)
{
	struct peer_tag tag;

	f->packets++;
	f->bytes += m->pkt_len;
	f->queue[queue % RTE_DIM(f->queue)]++;
	f->segs = RTE_MAX(f->segs, m->nb_segs);
	f->odd += is_odd(m, port_id);
	switch (peer_frame_check(m, &tag)) {
	case PEER_FRAME_GOOD:
		note_number(f, &tag);
		f->wrong_queue += tag.queue % nb_queues != queue;
		break;
	case PEER_FRAME_ALIEN:
		f->alien++;
		break;
	case PEER_FRAME_BAD:
		f->bad++;
		break;
	}
}

/* One look at every queue. */
static unsigned int
receive(struct found *f, uint16_t port_id, uint16_t nb_queues)
{
	struct rte_mbuf *m[PEER_BURST_MAX];
	unsigned int total = 0;

	for (uint16_t q = 0; q < nb_queues; q++) {
		uint16_t n = rte_eth_rx_burst(port_id, q, m, PEER_BURST_MAX);

		for (uint16_t i = 0; i < n; i++)
			note_frame(f, port_id, q, nb_queues, m[i]);
		rte_pktmbuf_free_bulk(m, n);
		total += n;
	}
	return total;
}

static void
report(const struct found *f, uint16_t nb_queues, const char *more)
{
	char queues[RTE_DIM(f->queue) * 21] = "";
	size_t used = 0;

	for (uint16_t q = 0; q < nb_queues && used < sizeof(queues); q++)
		used += snprintf(queues + used, sizeof(queues) - used, "%s%" PRIu64, q ? "," : "",
			f->queue[q % RTE_DIM(f->queue)]);
	peer_ok("packets=%" PRIu64 " bytes=%" PRIu64
		" first=%u last=%u in_order=%s disorder=%" PRIu64 " bad=%" PRIu64 " alien=%" PRIu64
		" odd=%" PRIu64 " wrong_queue=%" PRIu64
		" streams=%u segs=%u queues=%s latency_us=%" PRIu64 "%s",
		f->packets, f->bytes, f->first, f->last, f->disorder == 0 ? "yes" : "no",
		f->disorder, f->bad, f->alien, f->odd, f->wrong_queue, f->nb_streams, f->segs,
		queues, f->latency_ns / 1000, more);
}

void
peer_cmd_rx(const struct peer_cmd *c)
{
	uint64_t quiet_ms, first_ms, want = UINT64_MAX, good = UINT64_MAX, expect = 0, end;
	uint16_t port_id, nb_queues;

	if (!peer_port(c, &port_id) || !peer_number(c->word[2], 600000, &quiet_ms))
		return;
	if (!peer_number_option(c, "expect", UINT64_MAX, &expect))
		return;
	first_ms = expect > 0 ? PATIENCE_MS : quiet_ms;
	if (!peer_number_option(c, "want", UINT64_MAX, &want) ||
		!peer_number_option(c, "good", UINT64_MAX, &good) ||
		!peer_number_option(c, "first", 600000, &first_ms))
		return;
	nb_queues = peer_nb_rxq(port_id);
	memset(&found, 0, sizeof(found));
	end = peer_now_ns() + first_ms * 1000000;
	while (found.packets < want && found.nb_good < good && peer_now_ns() < end) {
		if (receive(&found, port_id, nb_queues) > 0)
			end = peer_now_ns() +
			      (found.packets < expect ? first_ms : quiet_ms) * 1000000;
		else
			usleep(NAP_US);
	}
	report(&found, nb_queues, "");
}

/* ---- sleeping ---- */

static int
watch_queues(uint16_t port_id, uint16_t nb_queues, int op)
{
	int ret = 0;

	for (uint16_t q = 0; q < nb_queues && ret == 0; q++)
		ret = rte_eth_dev_rx_intr_ctl_q(port_id, q, RTE_EPOLL_PER_THREAD, op, NULL);
	return ret;
}

static int
sleep_on_queues(uint16_t port_id, uint16_t nb_queues, int timeout_ms)
{
	struct rte_epoll_event ev[VALE_DPDK_QUEUES_MAX];
	int n;

	for (uint16_t q = 0; q < nb_queues; q++)
		if (rte_eth_dev_rx_intr_enable(port_id, q) != 0)
			return -1;
	n = rte_epoll_wait(RTE_EPOLL_PER_THREAD, ev, RTE_DIM(ev), timeout_ms);
	for (uint16_t q = 0; q < nb_queues; q++)
		rte_eth_dev_rx_intr_disable(port_id, q);
	return n;
}

void
peer_cmd_rxintr(const struct peer_cmd *c)
{
	uint16_t port_id, nb_queues;
	uint64_t ms, start;
	char more[64];
	int n;

	if (!peer_port(c, &port_id) || !peer_number(c->word[2], 600000, &ms))
		return;
	nb_queues = peer_nb_rxq(port_id);
	memset(&found, 0, sizeof(found));
	n = watch_queues(port_id, nb_queues, RTE_INTR_EVENT_ADD);
	if (n != 0) {
		peer_fail("rxintr %s: %s", c->word[1], rte_strerror(-n));
		return;
	}
	start = peer_now_ns();
	n = sleep_on_queues(port_id, nb_queues, (int)ms);
	receive(&found, port_id, nb_queues);
	snprintf(more, sizeof(more), " woke=%d slept_us=%" PRIu64, n,
		(peer_now_ns() - start) / 1000);
	watch_queues(port_id, nb_queues, RTE_INTR_EVENT_DEL);
	report(&found, nb_queues, more);
}

/* ---- sending back ---- */

static void
swap_addresses(struct rte_mbuf *m)
{
	struct rte_ether_hdr *hdr = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ether_addr addr = hdr->dst_addr;

	hdr->dst_addr = hdr->src_addr;
	hdr->src_addr = addr;
}

static uint16_t
send_back(uint16_t port_id, uint16_t queue)
{
	struct rte_mbuf *m[PEER_BURST_MAX];
	uint16_t n = rte_eth_rx_burst(port_id, queue, m, PEER_BURST_MAX);
	uint16_t sent;

	for (uint16_t i = 0; i < n; i++)
		swap_addresses(m[i]);
	sent = rte_eth_tx_burst(port_id, queue, m, n);
	rte_pktmbuf_free_bulk(m + sent, n - sent);
	return n;
}

void
peer_cmd_macswap(const struct peer_cmd *c)
{
	uint64_t ms, end, total = 0;
	uint16_t port_id, n;

	if (!peer_port(c, &port_id) || !peer_number(c->word[2], 600000, &ms))
		return;
	end = peer_now_ns() + ms * 1000000;
	while (peer_now_ns() < end) {
		n = send_back(port_id, 0);
		total += n;
		if (n > 0)
			end = peer_now_ns() + ms * 1000000;
		else
			usleep(NAP_US);
	}
	peer_ok("packets=%" PRIu64, total);
}
