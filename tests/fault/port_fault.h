/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PORT_FAULT_H
#define PORT_FAULT_H

/**
 * @file
 * port-fault: a secondary that is killed after every n-th instruction of what it does with a port
 * of a switch, and two ports that must not notice.
 *
 *   port_fault.c   checks, with two ports of its own; starts this program again as
 *   port_victim.c  a secondary without ports, the parent of those that are killed: a child made by
 *                  fork() is a client of its own, and costs a thousandth of a start
 *
 * The two talk through a pipe each way.
 */

#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#define VICTIM_PORT "valea:v"
#define CHECKER_PORTS                \
	{                            \
		"valea:a", "valea:b" \
	}

/** Frames in a burst that is stepped through; the last is a chain where chains are sent. */
#define STEP_BURST 4

/** What is stepped through. */
enum scenario {
	STEP_ATTACH,
	STEP_FIRST_ALLOC, /**< the first use of the pool: join it and fill the lcore cache */
	STEP_ALLOC_FREE,
	STEP_SEND,
	STEP_SEND_COPIES,  /**< of mbufs that are not the sender's alone */
	STEP_SEND_FOREIGN, /**< of mbufs that are not of the switch's pool and have no tag */
	STEP_RECEIVE,
	STEP_RECEIVE_ALL, /**< single segments and a chain, more than one look at the ring */
	STEP_FREE,	  /**< what was received */
	STEP_START,	  /**< configure and start, with frames waiting that nobody asked for */
	STEP_DETACH,
	STEP_NB,
	STEP_NOTHING, /**< attach, say hello, and be killed: the name can be taken again */
};

/** Whether a victim waits for STEP_BURST frames before it is stepped. */
static inline int
scenario_has_frames(uint32_t s)
{
	return s == STEP_RECEIVE || s == STEP_RECEIVE_ALL || s == STEP_FREE || s == STEP_START;
}

/** Whether a victim attaches and says hello, a frame to the checker, before it is stepped. */
static inline int
scenario_says_hello(uint32_t s)
{
	return s != STEP_ATTACH;
}

/** From the checker: make a victim and kill it. */
struct order {
	uint32_t scenario; /**< enum scenario */
	uint32_t steps;
	struct rte_ether_addr checker;
};

/** To the checker: it is dead and has been waited for. */
struct outcome {
	uint32_t begun; /**< it came to where its instructions are counted */
	uint32_t steps; /**< instructions that it ran; fewer than ordered at the end of its work */
};

/** Run as the victims' parent until @p orders is closed. */
int victims_main(int orders, int outcomes);

#endif /* PORT_FAULT_H */
