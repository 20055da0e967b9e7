/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <sys/syscall.h>

#include <rte_common.h>

#include "host_stack.h"
#include "tc_filter.h"

/* of Linux 6.6; older headers lack them */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47

#define MARK_OFF ((short)offsetof(struct __sk_buff, mark))

#define MOV(reg, value)                                                                    \
	{                                                                                  \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (int)(value) \
	}
#define LOAD_MARK(reg)                                                                     \
	{                                                                                  \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (reg), .src_reg = BPF_REG_1, \
		.off = MARK_OFF                                                            \
	}
#define STORE_MARK(reg)                                                                    \
	{                                                                                  \
		.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_1, .src_reg = (reg), \
		.off = MARK_OFF                                                            \
	}
/* 32 bits wide: a mark is not to be taken for a negative number */
#define IF_EQUAL_SKIP(reg, value, nb)                                               \
	{                                                                           \
		.code = BPF_JMP32 | BPF_JEQ | BPF_K, .dst_reg = (reg), .off = (nb), \
		.imm = (int)(value)                                                 \
	}
#define CALL(fn)                                        \
	{                                               \
		.code = BPF_JMP | BPF_CALL, .imm = (fn) \
	}
#define END                                \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

static int
sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

/** Load a program: its descriptor or -errno. */
static int
load(const struct bpf_insn *insns, unsigned int nb)
{
	static const char license[] = "BSD";
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = nb;
	attr.license = (uintptr_t)license;
	memcpy(attr.prog_name, "vale_host", sizeof("vale_host"));
	fd = sys_bpf(BPF_PROG_LOAD, &attr);
	return fd < 0 ? -errno : fd;
}

static int
load_drop(void)
{
	static const struct bpf_insn insns[] = {MOV(BPF_REG_0, TC_ACT_SHOT), END};

	return load(insns, RTE_DIM(insns));
}

/** To the stack goes what bears our mark, without it. */
static int
load_marked_only(void)
{
	static const struct bpf_insn insns[] = {
		LOAD_MARK(BPF_REG_2),
		IF_EQUAL_SKIP(BPF_REG_2, HOST_STACK_MARK, 2),
		MOV(BPF_REG_0, TC_ACT_SHOT),
		END,
		MOV(BPF_REG_2, 0),
		STORE_MARK(BPF_REG_2),
		MOV(BPF_REG_0, TC_ACT_UNSPEC),
		END,
	};

	return load(insns, RTE_DIM(insns));
}

/** What the stack sends by the interface is sent by the tap. */
static int
load_to_tap(unsigned int tap)
{
	const struct bpf_insn insns[] = {
		MOV(BPF_REG_1, tap),
		MOV(BPF_REG_2, 0),
		CALL(BPF_FUNC_redirect),
		END,
	};

	return load(insns, RTE_DIM(insns));
}

/** What the tap receives is received by the interface, marked. */
static int
load_to_stack(unsigned int ifindex)
{
	const struct bpf_insn insns[] = {
		MOV(BPF_REG_2, HOST_STACK_MARK),
		STORE_MARK(BPF_REG_2),
		MOV(BPF_REG_1, ifindex),
		MOV(BPF_REG_2, BPF_F_INGRESS),
		CALL(BPF_FUNC_redirect),
		END,
	};

	return load(insns, RTE_DIM(insns));
}

static int
link_tcx(unsigned int ifindex, bool egress, int prog)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = prog;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS;
	fd = sys_bpf(BPF_LINK_CREATE, &attr);
	return fd < 0 ? -errno : fd;
}

/** Hang a program, which it closes, on an interface. */
static int
hook(struct host_stack *h, unsigned int ifindex, bool egress, int prog)
{
	struct host_hook *k = &h->hook[h->nb];
	int ret = 0;

	if (prog < 0)
		return prog;
	*k = (struct host_hook){.ifindex = ifindex, .egress = egress};
	k->link_fd = link_tcx(ifindex, egress, prog);
	if (k->link_fd < 0) {
		k->link_fd = -1;
		ret = tc_filter_add(ifindex, egress, prog, &k->own_qdisc);
	}
	close(prog);
	if (ret == 0)
		h->nb++;
	return ret;
}

int
host_stack_cut(struct host_stack *h, unsigned int ifindex)
{
	int ret;

	memset(h, 0, sizeof(*h));
	ret = hook(h, ifindex, false, load_drop());
	if (ret == 0)
		ret = hook(h, ifindex, true, load_drop());
	if (ret < 0)
		host_stack_restore(h);
	return ret;
}

int
host_stack_join(struct host_stack *h, unsigned int ifindex, unsigned int tap)
{
	int ret;

	memset(h, 0, sizeof(*h));
	ret = hook(h, ifindex, false, load_marked_only());
	if (ret == 0)
		ret = hook(h, tap, false, load_to_stack(ifindex));
	if (ret == 0)
		ret = hook(h, ifindex, true, load_to_tap(tap));
	if (ret < 0)
		host_stack_restore(h);
	return ret;
}

void
host_stack_restore(struct host_stack *h)
{
	/* the last first: a qdisc goes with what was hung on it first */
	while (h->nb > 0) {
		struct host_hook *k = &h->hook[--h->nb];

		if (k->link_fd >= 0)
			close(k->link_fd);
		else
			tc_filter_del(k->ifindex, k->egress, k->own_qdisc);
	}
}
