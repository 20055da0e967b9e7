/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <sys/syscall.h>

#include <rte_common.h>

#include "ethdev_port.h"

/*
 * A veth hands its peer's super-frames (TSO, up to 64 KB) through whole. While a native XDP program
 * is on our end the kernel takes segmentation offload from the peer (veth_xdp_set() in the kernel's
 * drivers/net/veth.c), wherever the peer is; so we attach one that does nothing.
 */

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

static int
sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

static int
load_pass(void)
{
	static const char license[] = "BSD";
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.expected_attach_type = BPF_XDP;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = RTE_DIM(insns);
	attr.license = (uintptr_t)license;
	/* with fragments, so that the peer keeps its large MTU */
	attr.prog_flags = BPF_F_XDP_HAS_FRAGS;
	memcpy(attr.prog_name, "vale_pass", sizeof("vale_pass"));
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

int
xdp_guard_attach(unsigned int ifindex)
{
	union bpf_attr attr;
	int prog, link, err;

	prog = load_pass();
	if (prog < 0)
		return -errno;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = prog;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = XDP_FLAGS_DRV_MODE;
	link = sys_bpf(BPF_LINK_CREATE, &attr);
	err = errno;
	close(prog);
	return link < 0 ? -err : link;
}
