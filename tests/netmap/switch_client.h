/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SWITCH_CLIENT_H
#define SWITCH_CLIENT_H

/**
 * @file
 * A netmap program as the switch sees it: control messages and a mapped region, nothing between.
 * Tests use it to do what no library would.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net/netmap.h>

#include "vale_control_proto.h"
#include "vale_netmap_shm.h"

/** A descriptor bound to a port. */
struct client {
	int fd;
	struct vale_ctl_nm_state_reply st;
	struct nmreq_register reg; /**< as answered */
	uint8_t *mem;
	struct vale_nm_region *region;
	struct netmap_if *nifp;
	char text[VALE_CTL_TEXT_SZ]; /**< sentence of the last refusal */
};

/** Where a connection is made to: the argument of the program. */
extern const char *socket_path;

#define CHECK(cond)                                                  \
	do {                                                         \
		if (!(cond))                                         \
			die("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

extern const uint8_t mac_all[6], mac_a[6], mac_b[6], mac_c[6], mac_d[6];

/** A named test; the table ends with NULL. */
struct test_case {
	const char *name;
	void (*fn)(void);
};

/** Cases of switch_ports.c, which are part of switch-cases. */
extern const struct test_case switch_port_cases[];

/** main() of a program of cases: `PROGRAM SOCKET CASE`. */
int run_case(int argc, char **argv, const struct test_case *cases);

/** Print a message and the errno, end the process with status 1. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/** Connect, unbound. */
int client_dial(void);

/** One request and its answer; returns netmap's errno, 0 for success. Options may be NULL. */
int client_ctrl(int fd, uint16_t reqtype, const char *name, void *body, size_t body_sz,
	struct vale_ctl_nm_opt *opts, unsigned int nb_opts, char *text);

/** Dial and register; returns netmap's errno. c->reg is what to ask for. */
int client_register(struct client *c, const char *name);
/** Ask for the state and map the region. */
void client_map(struct client *c);
/** client_register() with defaults and client_map(), or die. */
void client_open(struct client *c, const char *name);
void client_close(struct client *c);

struct netmap_ring *client_tx(const struct client *c, unsigned int i);
struct netmap_ring *client_rx(const struct client *c, unsigned int i);
struct vale_nm_kring *client_tx_kring(const struct client *c, unsigned int i);
struct vale_nm_kring *client_rx_kring(const struct client *c, unsigned int i);
uint8_t *client_buf(const struct client *c, uint32_t idx);

/** Publish what is before ring->head, and ring if the switch sleeps. */
void client_tx_sync(struct client *c, unsigned int i);
/** See what has come; give back what is before ring->head. Returns frames' slots available. */
uint32_t client_rx_sync(struct client *c, unsigned int i);

/** Wait until n slots wait in receive ring i, at most 5 s; returns how many there are. */
uint32_t client_wait_rx(struct client *c, unsigned int i, uint32_t n);
/** Wait until the switch has taken all of transmit ring i. */
void client_wait_sent(struct client *c, unsigned int i);

/** Take n frames of one slot each from ring 0: numbered first, first + 1, ... whole. */
void client_take(struct client *c, uint32_t first, uint32_t n, uint32_t len);
/** Nothing is there, and nothing comes soon. */
void client_expect_none(struct client *c);
/** Send one frame of @p len bytes and wait until the switch has it. */
void client_send(
	struct client *c, const uint8_t *dst, const uint8_t *src, uint32_t len, uint32_t number);

/** Put a frame into the next slot of transmit ring 0, not published: returns the slot. */
struct netmap_slot *client_put(
	struct client *c, const uint8_t *dst, const uint8_t *src, uint32_t len, uint32_t number);
/** Number of a frame from client_put(), checked as far as it goes; dies if it is not whole. */
uint32_t client_number(const uint8_t *frame, uint32_t len);

#endif /* SWITCH_CLIENT_H */
