/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that behave: two that exchange numbered frames and lose none, one that has a secret behind
 * what it sends, and one that looks at every byte that it gets. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define CANARY 0xc5
#define BURST_MAX 200
/* A worker that takes longer hangs; a busy machine needs a second. */
#define STALL_S 8

static struct client pair[2];
static uint32_t sent[2], got[2];

/* Buffers that are in no slot keep what was written there, and so does what is behind a frame. */
static void
canaries_set(const struct client *c)
{
	for (uint32_t i = 0; i < c->region->nb_bufs; i++)
		memset(client_buf(c, i), CANARY, VALE_NM_BUF_SZ);
}

static void
canaries_check(const struct client *c)
{
	for (uint32_t i = 0; i < c->reg.nr_extra_bufs; i++) {
		const uint8_t *p = client_buf(c, c->region->nb_bufs - 1 - i);

		if (p[0] != CANARY || memcmp(p, p + 1, VALE_NM_BUF_SZ - 1) != 0)
			die("somebody wrote into a buffer that is in no slot");
	}
}

static void
pair_send(unsigned int from, uint32_t n, struct dice *d)
{
	for (uint32_t i = 0; i < n; i++)
		client_put(&pair[from], from == 0 ? mac_b : mac_a, from == 0 ? mac_a : mac_b,
			60 + dice(d, 1441), sent[from]++);
	client_tx_sync(&pair[from], 0);
}

static void
pair_receive(unsigned int at, uint32_t n)
{
	struct netmap_ring *rx = client_rx(&pair[at], 0);
	double end = now_s() + STALL_S;
	uint32_t have;

	while ((have = client_rx_sync(&pair[at], 0)) < n && now_s() < end)
		usleep(50);
	if (have != n)
		die("of %u frames %u came to the port that behaves; sent %u, head %u, hwcur %u, "
		    "armed %u",
			n, have, sent[1 - at],
			atomic_load(&client_tx_kring(&pair[1 - at], 0)->head),
			atomic_load(&client_tx_kring(&pair[1 - at], 0)->hwcur),
			atomic_load(&client_tx_kring(&pair[1 - at], 0)->armed));
	for (; n > 0; n--) {
		const struct netmap_slot *s = &rx->slot[rx->head];
		uint8_t *p = client_buf(&pair[at], s->buf_idx);
		uint32_t number = client_number(p, s->len);

		if (number != got[at]++)
			die("frame %u came, not %u", number, got[at] - 1);
		for (uint32_t i = s->len; i < VALE_NM_BUF_SZ; i++)
			if (p[i] != CANARY)
				die("byte %u behind a frame of %u was written", i, s->len);
		memset(p, CANARY, VALE_NM_BUF_SZ);
		rx->head = rx->cur = rx->head + 1 == rx->num_slots ? 0 : rx->head + 1;
	}
	client_rx_sync(&pair[at], 0);
}

void
traffic_main(void)
{
	struct dice d = dice_make(1);
	double worst = 0;

	for (unsigned int i = 0; i < 2; i++) {
		pair[i].reg.nr_extra_bufs = 256;
		client_open(&pair[i], i == 0 ? "valeg:0" : "valeg:1");
		canaries_set(&pair[i]);
	}
	while (time_left()) {
		double begin = now_s();
		uint32_t n = 1 + dice(&d, BURST_MAX), m = 1 + dice(&d, BURST_MAX);

		pair_send(0, n, &d);
		pair_send(1, m, &d);
		pair_receive(1, n);
		pair_receive(0, m);
		for (unsigned int i = 0; i < 2; i++)
			canaries_check(&pair[i]);
		worst = now_s() - begin > worst ? now_s() - begin : worst;
		usleep(dice(&d, 3000));
	}
	printf("traffic: %u and %u frames, none lost; longest turn %.0f ms\n", sent[0], sent[1],
		worst * 1e3);
}

/* Sends to everybody from buffers that hold a secret behind the frame. */
void
witness_main(void)
{
	struct dice d = dice_make(2);
	struct client c = {.reg.nr_extra_bufs = 64};

	client_open(&c, "valeh:w");
	for (uint32_t i = 0; i < c.region->nb_bufs; i++)
		for (uint32_t j = 0; j < VALE_NM_BUF_SZ; j += SECRET_LEN)
			memcpy(client_buf(&c, i) + j, SECRET, SECRET_LEN);
	while (time_left()) {
		for (uint32_t n = dice(&d, 64); n > 0; n--) {
			struct netmap_slot *s = &client_tx(&c, 0)->slot[client_tx(&c, 0)->head];
			uint8_t *p = client_buf(&c, s->buf_idx);

			for (uint32_t j = 0; j < VALE_NM_BUF_SZ; j += SECRET_LEN)
				memcpy(p + j, SECRET, SECRET_LEN);
			client_put(&c, mac_all, mac_c, 18 + dice(&d, 1500), n);
		}
		client_wait_sent(&c, 0);
		client_rx(&c, 0)->head = client_rx(&c, 0)->tail;
		client_rx_sync(&c, 0);
		usleep(dice(&d, 1000));
	}
}

/* Gets what the attackers and the witness send: whole frames, not one byte more, nobody's secret.
 */
void
spy_main(void)
{
	struct client c = {.reg.nr_extra_bufs = 64};
	struct netmap_ring *rx;
	uint64_t n = 0;

	client_open(&c, "valeh:s");
	canaries_set(&c);
	rx = client_rx(&c, 0);
	while (time_left()) {
		for (uint32_t have = client_rx_sync(&c, 0); have > 0; have--, n++) {
			const struct netmap_slot *s = &rx->slot[rx->head];
			uint8_t *p = client_buf(&c, s->buf_idx);

			if (s->len > VALE_NM_BUF_SZ)
				die("a slot of %u bytes", s->len);
			if (memmem(p, s->len, SECRET, SECRET_LEN) != NULL)
				die("what lies behind a frame came with it");
			memset(p, CANARY, VALE_NM_BUF_SZ);
			rx->head = rx->cur = rx->head + 1 == rx->num_slots ? 0 : rx->head + 1;
		}
		canaries_check(&c);
		usleep(200);
	}
	printf("spy: %ju slots, no secrets\n", (uintmax_t)n);
}
