/* SPDX-License-Identifier: BSD-3-Clause */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_memcpy.h>

#include "ethdev_port.h"

/*
 * net_af_packet asks the kernel to reassemble IPv4 fragments (PACKET_FANOUT_FLAG_DEFRAG, so that
 * all of one datagram reach one queue). A switch must hand out what came in, and the receiver could
 * not take the whole datagram: so it is cut again, at the MTU of the interface that it came by.
 * Fragments keep the datagram's identification, and are lent from the endpoint's own pool, one
 * piece each.
 */

/* IPv4 options: end, no operation, and the flag of those that every fragment carries (RFC 791) */
#define OPT_END 0
#define OPT_NOP 1
#define OPT_COPIED 0x80

/** Whether a frame was joined by the kernel; if so *l2_len is set. Super-frames of TCP are not ours
 * to cut. */
static bool
is_joined(const struct rte_mbuf *m, uint32_t max, uint16_t *l2_len)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip;
	uint16_t l2 = RTE_ETHER_HDR_LEN;
	uint32_t total;

	if (p[12] == 0x81 && p[13] == 0x00)
		l2 += RTE_VLAN_HLEN;
	if (m->pkt_len <= max + l2 - RTE_ETHER_HDR_LEN || p[l2 - 2] != 0x08 || p[l2 - 1] != 0x00)
		return false;
	ip = (const struct rte_ipv4_hdr *)(p + l2);
	total = rte_be_to_cpu_16(ip->total_length);
	if (rte_ipv4_hdr_len(ip) < sizeof(*ip) || l2 + total > m->pkt_len ||
		total <= max - RTE_ETHER_HDR_LEN)
		return false;
	if (ip->next_proto_id == IPPROTO_TCP &&
		(ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG)))
		return false;
	*l2_len = l2;
	return true;
}

/** Options that only the first fragment carries become padding in the others. */
static void
blank_options(uint8_t *opt, uint32_t len)
{
	uint32_t i = 0, opt_len;

	while (i < len && opt[i] != OPT_END) {
		if (opt[i] == OPT_NOP) {
			i++;
			continue;
		}
		opt_len = i + 1 < len ? opt[i + 1] : 0;
		if (opt_len < 2 || i + opt_len > len)
			return;
		if (!(opt[i] & OPT_COPIED))
			memset(opt + i, OPT_NOP, opt_len);
		i += opt_len;
	}
}

/** The bytes of [off, off + len) of the datagram's payload, behind a header of their own. NULL
 * without a buffer. */
static struct rte_mbuf *
make_fragment(const struct rte_mbuf *m, uint16_t l2_len, uint32_t off, uint32_t len, bool last)
{
	const uint8_t *src = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t ip_len = rte_ipv4_hdr_len((const struct rte_ipv4_hdr *)(src + l2_len));
	struct rte_mbuf *f = rte_pktmbuf_alloc(m->pool);
	struct rte_ipv4_hdr *ip;
	uint8_t *dst;
	uint16_t df;

	if (f == NULL)
		return NULL;
	dst = rte_pktmbuf_mtod(f, uint8_t *);
	rte_memcpy(dst, src, l2_len + ip_len);
	rte_memcpy(dst + l2_len + ip_len, src + l2_len + ip_len + off, len);
	f->data_len = l2_len + ip_len + len;
	f->pkt_len = f->data_len;
	ip = (struct rte_ipv4_hdr *)(dst + l2_len);
	if (off > 0)
		blank_options((uint8_t *)(ip + 1), ip_len - sizeof(*ip));
	df = rte_be_to_cpu_16(ip->fragment_offset) & RTE_IPV4_HDR_DF_FLAG;
	ip->fragment_offset = rte_cpu_to_be_16(df | off / 8 | (last ? 0 : RTE_IPV4_HDR_MF_FLAG));
	ip->total_length = rte_cpu_to_be_16(ip_len + len);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return f;
}

static struct rte_mbuf *
next_fragment(struct cut *c, uint32_t max)
{
	const struct rte_mbuf *m = c->m[c->first];
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, c->l2_len);
	uint32_t ip_len = rte_ipv4_hdr_len(ip);
	uint32_t total = rte_be_to_cpu_16(ip->total_length) - ip_len;
	uint32_t len = (max - RTE_ETHER_HDR_LEN - ip_len) & ~7u;
	bool last = total - c->off <= len;
	struct rte_mbuf *f;

	f = make_fragment(m, c->l2_len, c->off, last ? total - c->off : len, last);
	c->off += len;
	c->cutting = !last && f != NULL;
	return f;
}

/** Take the next frame, or the next fragment of one. NULL: it could not be made. */
static struct rte_mbuf *
next_frame(struct cut *c, uint32_t max)
{
	struct rte_mbuf *m = c->m[c->first], *f;

	if (!c->cutting) {
		if (likely(!is_joined(m, max, &c->l2_len))) {
			c->first++;
			return m;
		}
		c->cutting = true;
		c->off = 0;
	}
	f = next_fragment(c, max);
	if (!c->cutting) {
		rte_pktmbuf_free(m);
		c->first++;
	}
	return f;
}

uint16_t
ethdev_rx_cut(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad)
{
	const struct ethdev_ep *e = (const struct ethdev_ep *)q->ep;
	struct cut *c = ((struct ethdev_rxq *)q)->cut;
	uint32_t max = atomic_load_explicit(&e->tx_len_max, memory_order_relaxed);
	struct rte_mbuf *m;
	uint16_t nb = 0;

	if (c->first == c->end) {
		c->first = 0;
		c->end = ethdev_rx_mbufs(e, q->id, c->m, RTE_MIN(n, VALE_BATCH_MAX), bad);
	}
	while (nb < n && c->first < c->end) {
		m = next_frame(c, max);
		if (unlikely(m == NULL)) {
			/* no buffer; what is left of the datagram would be of no use */
			bad->too_long++;
			continue;
		}
		pkts[nb++] = (struct vale_pkt){
			.data = rte_pktmbuf_mtod(m, const uint8_t *),
			.mbuf = m,
			.len = m->pkt_len,
			.seg_len = m->data_len,
		};
	}
	return nb;
}

void
ethdev_cut_free(struct cut *c)
{
	if (c == NULL)
		return;
	while (c->first < c->end)
		rte_pktmbuf_free(c->m[c->first++]);
	free(c);
}
