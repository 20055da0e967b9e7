/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HOST_STACK_H
#define HOST_STACK_H

/**
 * @file
 * The kernel's own network stack above an interface that is on a switch.
 *
 * netmap takes a NIC away from the stack (`vale-ctl -a`), or puts both on the switch, each with a
 * port of its own (`-h`). Here programs at the interface's ends do that, with no module of the
 * kernel:
 *
 *   cut     what arrives is dropped behind our packet socket, which has seen it; what the stack
 * sends is dropped. joined  what the stack sends goes into a tap of ours instead, which is a port;
 * what the switch sends to that port comes out of the tap and goes into the stack as if the
 * interface had received it, marked, so that our packet socket does not take it again. Addresses,
 * routes and connections stay on the interface.
 *
 * The programs hang on links where the kernel has them (tcx, Linux 6.6), which end with this
 * process however it ends; else on filters of a clsact qdisc.
 */

#include <stdbool.h>
#include <stdint.h>

/** Mark of frames that come from the switch: "VALE". */
#define HOST_STACK_MARK 0x56414c45u

#define HOST_STACK_HOOKS 3

/** Where a program hangs. */
struct host_hook {
	unsigned int ifindex; /**< 0: nowhere */
	bool egress;
	int link_fd;	/**< its link; -1: a filter */
	bool own_qdisc; /**< the filter's qdisc was made for it */
};

/** What was done to an interface. All zero: nothing. */
struct host_stack {
	unsigned int nb;
	struct host_hook hook[HOST_STACK_HOOKS];
};

/** Take an interface away from the stack. 0 or -errno, then nothing was done. Control thread. */
int host_stack_cut(struct host_stack *h, unsigned int ifindex);
/** Connect the stack above an interface to a tap. 0 or -errno, then nothing was done. */
int host_stack_join(struct host_stack *h, unsigned int ifindex, unsigned int tap);
/** Undo it. */
void host_stack_restore(struct host_stack *h);

#endif /* HOST_STACK_H */
