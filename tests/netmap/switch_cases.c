/* SPDX-License-Identifier: BSD-3-Clause */
/* What the switch does with netmap programs that behave. usage: switch-cases SOCKET CASE */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "switch_client.h"

static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 0xb};

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			die("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

static void
forward(void)
{
	struct client a = {0}, b = {0};
	struct netmap_ring *rx;

	client_open(&a, "vale0:a");
	client_open(&b, "vale0:b");
	rx = client_rx(&b, 0);
	for (uint32_t len = 14; len <= 2048; len++) {
		struct netmap_slot *s;

		client_put(&a, all, mac_a, len, len);
		client_tx_sync(&a, 0);
		CHECK(client_wait_rx(&b, 0, 1) == 1);
		s = &rx->slot[rx->head];
		CHECK(s->len == len && s->flags == 0x100);
		if (len >= 18)
			CHECK(client_number(client_buf(&b, s->buf_idx), len) == len);
		rx->head = rx->cur = (rx->head + 1) % rx->num_slots;
	}
	client_close(&a);
	client_close(&b);
	(void)mac_b;
}

int
main(int argc, char **argv)
{
	socket_path = argv[1];
	forward();
	printf("ok\n");
	return 0;
}
