/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Checksum offload of receive, in software: programs such as l3fwd ask for it and would not start
 * without. Only ports configured with it pay for it. What cannot be judged is left unknown.
 */
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "vale_pmd.h"

static uint64_t
verdict(bool good, uint64_t if_good, uint64_t if_bad)
{
	return good ? if_good : if_bad;
}

/** Whether a transport header may be judged: UDP without a checksum has none to judge. */
static bool
has_l4_cksum(const struct rte_mbuf *m, uint32_t ptype, const struct rte_net_hdr_lens *l)
{
	uint32_t off = l->l2_len + l->l3_len;
	const struct rte_udp_hdr *udp;

	switch (ptype & RTE_PTYPE_L4_MASK) {
	case RTE_PTYPE_L4_TCP:
		return off + sizeof(struct rte_tcp_hdr) <= m->data_len;
	case RTE_PTYPE_L4_UDP:
		udp = rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, off);
		return off + sizeof(*udp) <= m->data_len && udp->dgram_cksum != 0;
	default:
		return false;
	}
}

static uint64_t
check_ipv4(const struct rte_mbuf *m, uint32_t ptype, const struct rte_net_hdr_lens *l)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, l->l2_len);
	uint64_t flags;
	bool good;

	flags = verdict(rte_raw_cksum(ip, l->l3_len) == 0xffff, RTE_MBUF_F_RX_IP_CKSUM_GOOD,
		RTE_MBUF_F_RX_IP_CKSUM_BAD);
	/* padding behind the datagram would be summed up with it */
	if (l->l2_len + (uint32_t)rte_be_to_cpu_16(ip->total_length) != m->pkt_len ||
		!has_l4_cksum(m, ptype, l))
		return flags;
	good = rte_ipv4_udptcp_cksum_mbuf_verify(m, ip, l->l2_len + l->l3_len) == 0;
	return flags | verdict(good, RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD);
}

static uint64_t
check_ipv6(const struct rte_mbuf *m, uint32_t ptype, const struct rte_net_hdr_lens *l)
{
	const struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, l->l2_len);
	bool good;

	if (l->l2_len + sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len) != m->pkt_len ||
		!has_l4_cksum(m, ptype, l))
		return 0;
	good = rte_ipv6_udptcp_cksum_mbuf_verify(m, ip, l->l2_len + l->l3_len) == 0;
	return verdict(good, RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD);
}

static uint64_t
check(const struct rte_mbuf *m)
{
	struct rte_net_hdr_lens l;
	uint32_t ptype;

	ptype = rte_net_get_ptype(m, &l, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);
	if (l.l2_len + l.l3_len > m->data_len)
		return 0;
	if (RTE_ETH_IS_IPV4_HDR(ptype))
		return check_ipv4(m, ptype, &l);
	/* extension headers are not part of the pseudo header's length */
	if ((ptype & RTE_PTYPE_L3_MASK) == RTE_PTYPE_L3_IPV6)
		return check_ipv6(m, ptype, &l);
	return 0;
}

void
vale_rx_cksum(struct rte_mbuf **pkts, uint16_t nb)
{
	for (uint16_t i = 0; i < nb; i++)
		pkts[i]->ol_flags |= check(pkts[i]);
}

uint16_t
vale_rx_burst_cksum(void *rxq, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t n = vale_rx_burst(rxq, pkts, nb);

	vale_rx_cksum(pkts, n);
	return n;
}
