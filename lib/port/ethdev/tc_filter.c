/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "tc_filter.h"

/* First of all filters, and ours by this number. */
#define PRIORITY 1
#define HANDLE 0x56

struct request {
	struct nlmsghdr hdr;
	struct tcmsg tc;
	char attrs[256];
};

static void
request_init(struct request *r, uint16_t type, uint16_t flags, unsigned int ifindex)
{
	memset(r, 0, sizeof(*r));
	r->hdr.nlmsg_len = NLMSG_LENGTH(sizeof(r->tc));
	r->hdr.nlmsg_type = type;
	r->hdr.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	r->tc.tcm_family = AF_UNSPEC;
	r->tc.tcm_ifindex = (int)ifindex;
}

static struct rtattr *
attr_add(struct request *r, uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->hdr.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(a), data, len);
	r->hdr.nlmsg_len = NLMSG_ALIGN(r->hdr.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

/** Send it and take the kernel's answer: 0 or -errno. */
static int
request_do(struct request *r)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	union {
		struct nlmsghdr hdr;
		char buf[1024];
	} answer;
	ssize_t n = -1;
	int ret;

	if (fd < 0)
		return -errno;
	if (sendto(fd, r, r->hdr.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) >= 0)
		n = recv(fd, &answer, sizeof(answer), 0);
	ret = n < 0 ? -errno : 0;
	close(fd);
	if (ret < 0)
		return ret;
	if ((size_t)n < NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
		answer.hdr.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((struct nlmsgerr *)NLMSG_DATA(&answer.hdr))->error;
}

static int
qdisc_add(unsigned int ifindex)
{
	struct request r;

	request_init(&r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex);
	r.tc.tcm_parent = TC_H_CLSACT;
	r.tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	attr_add(&r, TCA_KIND, "clsact", sizeof("clsact"));
	return request_do(&r);
}

static void
qdisc_del(unsigned int ifindex)
{
	struct request r;

	request_init(&r, RTM_DELQDISC, 0, ifindex);
	r.tc.tcm_parent = TC_H_CLSACT;
	r.tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	/* gone already where the interface is */
	(void)request_do(&r);
}

static void
filter_init(struct request *r, uint16_t type, uint16_t flags, unsigned int ifindex, bool egress)
{
	request_init(r, type, flags, ifindex);
	r->tc.tcm_parent = TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
	r->tc.tcm_handle = HANDLE;
	r->tc.tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
	attr_add(r, TCA_KIND, "bpf", sizeof("bpf"));
}

int
tc_filter_add(unsigned int ifindex, bool egress, int prog_fd, bool *own_qdisc)
{
	uint32_t fd = prog_fd, flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtattr *options;
	struct request r;
	int ret = qdisc_add(ifindex);

	*own_qdisc = ret == 0;
	if (ret < 0 && ret != -EEXIST)
		return ret;
	/* without NLM_F_EXCL: what a switch that was killed left is replaced */
	filter_init(&r, RTM_NEWTFILTER, NLM_F_CREATE, ifindex, egress);
	options = attr_add(&r, TCA_OPTIONS, NULL, 0);
	attr_add(&r, TCA_BPF_FD, &fd, sizeof(fd));
	attr_add(&r, TCA_BPF_NAME, "vale", sizeof("vale"));
	attr_add(&r, TCA_BPF_FLAGS, &flags, sizeof(flags));
	options->rta_len = (uint16_t)((char *)&r + r.hdr.nlmsg_len - (char *)options);
	ret = request_do(&r);
	if (ret < 0 && *own_qdisc)
		qdisc_del(ifindex);
	return ret;
}

void
tc_filter_del(unsigned int ifindex, bool egress, bool own_qdisc)
{
	struct request r;

	filter_init(&r, RTM_DELTFILTER, 0, ifindex, egress);
	(void)request_do(&r);
	if (own_qdisc)
		qdisc_del(ifindex);
}
