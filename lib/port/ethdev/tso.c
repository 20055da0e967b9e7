/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_memcpy.h>
#include <rte_net.h>
#include <rte_tcp.h>

#include "ethdev_port.h"
#include "vale_pkt_copy.h"

/*
 * A virtual machine may hand out TCP segments of up to 64 KB and leave the cutting to us (TSO).
 * They are cut where they come in: so all kinds of ports receive frames that every host takes,
 * counters count the same frames on both sides, and no frame is longer than VALE_FRAME_LEN_MAX. Not
 * by rte_gso, whose frames point into the long one: mbufs that go to other processes must be whole.
 *
 * What the machine says is not believed: lengths are checked against the frame, and a segment size
 * below what TCP allows, which would make thousands of frames of one, is refused.
 */

/* Linux: TCP_MIN_SND_MSS */
#define MSS_MIN 48
#define HDR_LEN_MAX 192
/* pieces of one segment: a header, and mbufs of payload */
#define PIECES_MAX 16

static bool
has_backlog(const struct tso *t)
{
	return t->first < t->end;
}

bool
ethdev_tso_waits(const struct tso *t)
{
	return t != NULL && has_backlog(t);
}

void
ethdev_tso_free(struct tso *t)
{
	if (t != NULL && has_backlog(t))
		rte_pktmbuf_free_bulk(&t->m[t->first], t->end - t->first);
	free(t);
}

/** Find the headers of a long frame. False if it is none that can be cut. */
static bool
begin(struct tso *t, const struct rte_mbuf *m)
{
	struct rte_net_hdr_lens lens;
	uint32_t ptype = rte_net_get_ptype(
		m, &lens, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);

	if ((ptype & RTE_PTYPE_L4_MASK) != RTE_PTYPE_L4_TCP ||
		lens.l4_len < sizeof(struct rte_tcp_hdr))
		return false;
	t->is_ipv6 = !RTE_ETH_IS_IPV4_HDR(ptype);
	/* no extension headers: their sum is another */
	if (t->is_ipv6 ? lens.l3_len != sizeof(struct rte_ipv6_hdr)
		       : lens.l3_len < sizeof(struct rte_ipv4_hdr))
		return false;
	t->l2_len = lens.l2_len;
	t->l3_len = lens.l3_len;
	t->hdr_len = lens.l2_len + lens.l3_len + lens.l4_len;
	t->mss = m->tso_segsz;
	t->off = t->hdr_len;
	t->nb = 0;
	return t->hdr_len <= HDR_LEN_MAX && t->hdr_len <= m->data_len && t->hdr_len < m->pkt_len &&
	       t->mss >= MSS_MIN && t->hdr_len + t->mss <= VALE_FRAME_LEN_MAX;
}

/** Bytes [off, off + len) of a chain, as pieces from piece[1] on. Number of pieces, 0 if there are
 * too many. */
static unsigned int
pieces_of(const struct rte_mbuf *m, uint32_t off, uint32_t len, struct vale_seg *piece)
{
	unsigned int n = 1;
	uint32_t here;

	for (; m != NULL && len > 0; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		if (n == PIECES_MAX)
			return 0;
		here = RTE_MIN(m->data_len - off, len);
		piece[n++] = (struct vale_seg){
			.data = rte_pktmbuf_mtod_offset(m, const uint8_t *, off), .len = here};
		len -= here;
		off = 0;
	}
	return len == 0 ? n : 0;
}

static void
finish_ip(const struct tso *t, struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip4;
	struct rte_ipv6_hdr *ip6;

	if (t->is_ipv6) {
		ip6 = rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, t->l2_len);
		ip6->payload_len = rte_cpu_to_be_16(m->pkt_len - t->l2_len - t->l3_len);
		return;
	}
	ip4 = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, t->l2_len);
	ip4->total_length = rte_cpu_to_be_16(m->pkt_len - t->l2_len);
	ip4->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip4->packet_id) + t->nb);
	ip4->hdr_checksum = 0;
	ip4->hdr_checksum = rte_ipv4_cksum(ip4);
}

/** Flags as RFC 9293 and RFC 3168 want them: the last tells of the end, the first of congestion. */
static void
finish_tcp(const struct tso *t, struct rte_mbuf *m, bool last)
{
	uint32_t off = t->l2_len + t->l3_len;
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, off);
	const void *ip = rte_pktmbuf_mtod_offset(m, const void *, t->l2_len);
	uint16_t sum;

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + t->nb * t->mss);
	if (!last)
		tcp->tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (t->nb > 0)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
	tcp->cksum = t->is_ipv6 ? rte_ipv6_phdr_cksum(ip, 0) : rte_ipv4_phdr_cksum(ip, 0);
	if (rte_raw_cksum_mbuf(m, off, m->pkt_len - off, &sum) == 0)
		tcp->cksum = ~sum;
}

/** The next segment of a long frame, NULL without memory. */
static struct rte_mbuf *
next_segment(struct tso *t, const struct rte_mbuf *m, struct rte_mempool *pool)
{
	uint32_t len = RTE_MIN(t->mss, m->pkt_len - t->off);
	struct vale_seg piece[PIECES_MAX];
	struct vale_pkt pkt = {.segs = piece, .flags = VALE_PKT_SEGS};
	struct rte_mbuf *s;

	/* the driver fills its mbufs: a segment never has as many pieces as there is room for */
	if (unlikely(pieces_of(m, t->off, len, piece) == 0))
		return NULL;
	piece[0] =
		(struct vale_seg){.data = rte_pktmbuf_mtod(m, const uint8_t *), .len = t->hdr_len};
	pkt.data = piece[0].data;
	pkt.seg_len = t->hdr_len;
	pkt.len = t->hdr_len + len;
	s = vale_pkt_to_mbuf(&pkt, pool);
	if (s == NULL)
		return NULL;
	finish_ip(t, s);
	finish_tcp(t, s, t->off + len == m->pkt_len);
	t->off += len;
	t->nb++;
	return s;
}

/** Cut the first frame of the backlog into at most @p n. True when it is done with. */
static bool
cut_first(const struct ethdev_ep *e, struct tso *t, struct rte_mbuf **out, uint16_t *nb, uint16_t n,
	struct vale_rx_refused *bad)
{
	const struct rte_mbuf *m = t->m[t->first];
	struct rte_mbuf *s;

	if (!t->cutting && !begin(t, m)) {
		bad->bad_desc++;
		return true;
	}
	t->cutting = true;
	while (*nb < n && t->off < m->pkt_len) {
		s = next_segment(t, m, e->pool);
		if (unlikely(s == NULL)) {
			/* what is left of it is lost, as on a wire */
			bad->no_mbuf++;
			return true;
		}
		out[(*nb)++] = s;
	}
	return t->off >= m->pkt_len;
}

uint16_t
ethdev_rx_tso(struct vale_rxq *q, struct rte_mbuf **out, uint16_t n, struct vale_rx_refused *bad)
{
	struct ethdev_ep *e = (struct ethdev_ep *)q->ep;
	struct tso *t = ((struct ethdev_rxq *)q)->tso;
	uint16_t nb = 0;

	if (!has_backlog(t)) {
		t->first = 0;
		t->end = rte_eth_rx_burst(e->port_id, q->id, t->m, RTE_MIN(n, TSO_BURST));
	}
	while (has_backlog(t) && nb < n) {
		if (likely(!(t->m[t->first]->ol_flags & RTE_MBUF_F_RX_LRO))) {
			out[nb++] = t->m[t->first++];
			continue;
		}
		if (!cut_first(e, t, out, &nb, n, bad))
			break;
		t->cutting = false;
		rte_pktmbuf_free(t->m[t->first++]);
	}
	return nb;
}
