/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FUZZ_H
#define FUZZ_H

/**
 * @file
 * What the roles of netmap-fuzz share. Each role is a process; the first that ends otherwise than
 * with 0 fails the whole.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch_client.h"

/** Behind every byte that the witness sends, and in no frame. */
#define SECRET "S3CR3T!\x9c"
#define SECRET_LEN 8

/** Random numbers, one stream for each thread. */
struct dice {
	uint64_t state;
};

/** A stream of its own for everybody who asks with another @p who. */
struct dice dice_make(uint64_t who);
uint32_t dice(struct dice *d, uint32_t n);
/** A number of the kind that breaks arithmetic: around @p edge, or anything. */
uint32_t dice_nasty(struct dice *d, uint32_t edge);

double now_s(void);
/** Whether the role should go on. */
bool time_left(void);

/** A memory with @p bind, kept apart from what is written in it. */
struct target {
	int fd, memfd;
	uint8_t *mem;
	struct vale_ctl_nm_state_reply st;
	struct nmreq_register reg;
	uint32_t nb_bufs, binds_off, krings_off, rings_off;
	uint64_t bufs_off;
	struct netmap_ring *tx[VALE_NM_RINGS_MAX], *rx[VALE_NM_RINGS_MAX];
	uint32_t offset_max;
};

/** What comes of a request on a connection; @p fd_out (may be NULL) receives a descriptor or -1.
 * Returns the errno of the answer, or -1 if there was none. */
int fuzz_ask(int fd, struct vale_ctl_hdr *req, void *reply, size_t reply_sz, int *fd_out);

/** Dial and register with t->reg and, with @p offsets, NETMAP_REQ_OPT_OFFSETS; then map. Returns
 * netmap's errno. */
int target_open(struct target *t, const char *name, const struct nmreq_opt_offsets *offsets);
void target_close(struct target *t);
struct vale_nm_kring *target_tx_kring(const struct target *t, unsigned int i);
struct vale_nm_kring *target_rx_kring(const struct target *t, unsigned int i);
uint8_t *target_buf(const struct target *t, uint32_t idx);
/** Ring for the switch, whether it sleeps or not. */
void target_bell(const struct target *t);

/* roles */
void traffic_main(void);
void witness_main(void);
void spy_main(void);
void attack_main(unsigned int id);
void noise_main(void);
void refusals_main(void);
void stranger_main(void);
void model_main(void);

#endif /* FUZZ_H */
