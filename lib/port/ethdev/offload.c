/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "ethdev_port.h"
#include "vale_offload.h"
#include "vale_pool.h"

/*
 * A virtual machine may leave checksums open and hand out TCP segments of up to 64 KB, and may take
 * such frames from others. net_vhost tells that something was left open, and the size of segments;
 * the rest we read from the frame, which is in our own memory.
 */

/* What net_vhost says of a frame that is not finished: CKSUM_NONE has the bits of both others. */
#define OPEN_FLAGS (RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_MASK)

static bool
has_frames(const struct held *h)
{
	return h->first < h->end;
}

bool
ethdev_held_waits(const struct held *h)
{
	return h != NULL && has_frames(h);
}

void
ethdev_held_free(struct held *h)
{
	if (h != NULL && has_frames(h))
		rte_pktmbuf_free_bulk(&h->m[h->first], h->end - h->first);
	free(h);
}

/**
 * Complete the checksum of a frame that nobody could be told of: TCP or UDP behind IPv6 extension
 * headers. What is neither stays as it is: the library has dealt with it.
 */
static void
complete(struct rte_mbuf *m)
{
	struct rte_net_hdr_lens lens;
	uint32_t ptype = rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK) & RTE_PTYPE_L4_MASK;
	uint32_t off = (uint32_t)lens.l2_len + lens.l3_len;
	uint32_t field =
		off + (ptype == RTE_PTYPE_L4_TCP ? offsetof(struct rte_tcp_hdr, cksum)
						 : offsetof(struct rte_udp_hdr, dgram_cksum));
	uint16_t sum;

	if ((ptype != RTE_PTYPE_L4_TCP && ptype != RTE_PTYPE_L4_UDP) || field + 2 > m->data_len ||
		rte_raw_cksum_mbuf(m, off, m->pkt_len - off, &sum) != 0)
		return;
	sum = sum == 0xffff ? 0xffff : (uint16_t)~sum;
	memcpy(rte_pktmbuf_mtod_offset(m, void *, field), &sum, sizeof(sum));
}

bool
ethdev_open_frame(struct rte_mbuf *m, struct vale_rx_refused *bad)
{
	uint64_t flags = m->ol_flags & OPEN_FLAGS;
	uint16_t gso_size = flags & RTE_MBUF_F_RX_LRO ? m->tso_segsz : 0;
	struct vale_offload ol;

	m->ol_flags &= KEPT_FLAGS;
	if (likely(flags == 0))
		return true;
	if (vale_offload_find(rte_pktmbuf_mtod(m, const uint8_t *),
		    RTE_MIN(m->data_len, VALE_HEAD_MAX), m->pkt_len, gso_size, &ol)) {
		vale_offload_to_mbuf(&ol, m);
		return true;
	}
	if (gso_size != 0) {
		bad->bad_desc++;
		return false;
	}
	complete(m);
	return true;
}

uint16_t
ethdev_rx_held(struct vale_rxq *q, struct rte_mbuf **out, uint16_t n, struct vale_rx_refused *bad)
{
	const struct ethdev_ep *e = (const struct ethdev_ep *)q->ep;
	struct held *h = ((struct ethdev_rxq *)q)->held;
	uint32_t frames = 0;
	uint16_t nb = 0;

	if (!has_frames(h)) {
		h->first = 0;
		h->end = rte_eth_rx_burst(e->port_id, q->id, h->m, RTE_MIN(n, HELD_BURST));
	}
	while (has_frames(h) && frames < n) {
		struct rte_mbuf *m = h->m[h->first++];

		frames++;
		if (unlikely(!ethdev_open_frame(m, bad))) {
			rte_pktmbuf_free(m);
			continue;
		}
		out[nb++] = m;
		if (unlikely(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)) {
			struct vale_offload ol = vale_offload_of_mbuf(m);

			frames += vale_offload_nb_frames(&ol, m->pkt_len) - 1;
		}
	}
	return nb;
}

/**
 * Let the first mbuf end behind the IP header. rte_vhost would write the sum of TCP's pseudo-header
 * anew, as NICs want it for segmentation: without the length (rte_net_intel_cksum_prepare). In
 * virtio-net it has the length, and a machine that forwards such a frame and cuts it by itself
 * would make wrong checksums of it. That function leaves headers alone that are not in one piece;
 * the sum that is there is the sender's.
 */
static bool
divide_headers(struct rte_mbuf *m, uint32_t at, struct rte_mempool *pool)
{
	struct rte_mbuf *rest;

	if (m->data_len <= at)
		return true;
	rest = rte_pktmbuf_alloc(pool);
	if (rest == NULL)
		return false;
	if (unlikely(rte_pktmbuf_tailroom(rest) < m->data_len - at)) {
		rte_pktmbuf_free(rest);
		return false;
	}
	vale_pool_tag_if_governed(rest);
	rest->data_len = (uint16_t)(m->data_len - at);
	memcpy(rte_pktmbuf_mtod(rest, void *), rte_pktmbuf_mtod_offset(m, void *, at),
		rest->data_len);
	rest->next = m->next;
	m->next = rest;
	m->data_len = (uint16_t)at;
	m->nb_segs++;
	return true;
}

bool
ethdev_send_open(const struct vale_offload *ol, struct rte_mbuf *m, struct rte_mempool *pool)
{
	if (ol->gso_size != 0 && !divide_headers(m, ol->csum_start, pool))
		return false;
	m->ol_flags &= KEPT_FLAGS;
	vale_offload_to_mbuf(ol, m);
	return true;
}
