/* SPDX-License-Identifier: BSD-3-Clause */
/* A netmap program with virtio-net headers: long TCP segments and open checksums, to another one,
 * to one without headers, and to the host by a tap. Counters are looked at by switch_vnet.sh. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/offload_frame.h"
#include "switch_client.h"

#define FRAME_MAX 66000
#define HDR_MAX 12

/* Long frames without tags only: the host takes tags off. */
static const struct frame_spec base = {.dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	.src = {2, 0, 0, 0, 0, 0xa},
	.payload = 64000,
	.gso_size = 1448,
	.tcp_options = 12,
	.flags = FRAME_ACK | FRAME_PSH,
	.ip_id = 0xfff0,
	.seq = 0xfffffff0};

static struct client a, b, c;
static int tap = -1;
static uint8_t frame[HDR_MAX + FRAME_MAX];

static void
set_hdr_len(const char *port, uint32_t len)
{
	struct nmreq_port_hdr hdr = {.nr_hdr_len = len};
	int fd = client_dial();

	CHECK(client_ctrl(fd, NETMAP_REQ_PORT_HDR_SET, port, &hdr, sizeof(hdr), NULL, 0, NULL) ==
		0);
	close(fd);
}

static void
open_tap(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int sz = 8 << 20;

	tap = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	CHECK(tap >= 0);
	CHECK(setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &sz, sizeof(sz)) == 0);
	at.sll_ifindex = (int)if_nametoindex(name);
	CHECK(at.sll_ifindex > 0 && bind(tap, (struct sockaddr *)&at, sizeof(at)) == 0);
}

static void
open_all(void)
{
	client_open(&a, "vale0:a");
	client_open(&b, "vale0:b");
	client_open(&c, "vale0:c");
	set_hdr_len("vale0:a", 12);
	set_hdr_len("vale0:b", 10);
	open_tap("tap0");
}

/* Bytes into slots of transmit ring 0, the first of which has @p first of them. */
static void
send_slots(struct client *s, const uint8_t *data, uint32_t len, uint32_t first)
{
	struct netmap_ring *ring = client_tx(s, 0);

	for (uint32_t at = 0, n; at < len; at += n) {
		struct netmap_slot *slot = &ring->slot[ring->head];

		n = at == 0 ? first : 2048;
		n = n < len - at ? n : len - at;
		memcpy(client_buf(s, slot->buf_idx), data + at, n);
		slot->len = (uint16_t)n;
		slot->flags = at + n < len ? NS_MOREFRAG : 0;
		ring->head = ring->cur = (ring->head + 1) % ring->num_slots;
	}
	client_wait_sent(s, 0);
}

static void
send_open(struct client *s, const struct frame_spec *spec, uint32_t first)
{
	frame_write_vnet(spec, frame);
	send_slots(s, frame, HDR_MAX + frame_write(spec, frame + HDR_MAX), first);
}

/* The next frame of receive ring 0, of as many slots as it has. Returns its length. */
static uint32_t
take_frame(struct client *r, uint8_t *to)
{
	struct netmap_ring *ring = client_rx(r, 0);
	uint32_t len = 0, left = client_wait_rx(r, 0, 1), flags;

	CHECK(left > 0);
	do {
		struct netmap_slot *slot = &ring->slot[ring->head];

		CHECK(left-- > 0 && len + slot->len <= HDR_MAX + FRAME_MAX);
		memcpy(to + len, client_buf(r, slot->buf_idx), slot->len);
		len += slot->len;
		flags = slot->flags;
		ring->head = ring->cur = (ring->head + 1) % ring->num_slots;
	} while (flags & NS_MOREFRAG);
	return len;
}

static void
expect_open(struct client *r, const struct frame_spec *spec, uint32_t hdr_len)
{
	static uint8_t got[HDR_MAX + FRAME_MAX];
	uint32_t len = take_frame(r, got);
	uint8_t want[HDR_MAX];
	const char *bad;

	frame_write_vnet(spec, want);
	/* without segmentation there is no hint of the headers' length */
	CHECK(len > hdr_len && memcmp(got, want, hdr_len) == 0);
	bad = frame_look_open(spec, got + hdr_len, len - hdr_len);
	if (bad != NULL)
		die("a frame that was carried: %s is wrong", bad);
}

static void
look(const char *who, const struct frame_spec *spec, struct frame_seen *seen, const uint8_t *data,
	uint32_t len)
{
	const char *bad = frame_look(spec, seen, data, len);

	if (bad != NULL)
		die("%s: segment %u of %u bytes, IPv%c, %u tags: %s is wrong", who, seen->nb,
			spec->payload, spec->ipv6 ? '6' : '4', spec->tags, bad);
}

/* Segments up to 2,036 bytes come in a slot each. */
static void
expect_finished(struct client *r, const struct frame_spec *spec)
{
	static uint8_t got[HDR_MAX + FRAME_MAX];
	struct netmap_ring *ring = client_rx(r, 0);
	struct frame_seen seen = {0};
	uint32_t len;

	while (seen.payload < spec->payload) {
		client_wait_rx(r, 0, 1);
		CHECK(ring->slot[ring->head].flags >> 8 == 1 || spec->gso_size > 2000 ||
			(spec->gso_size == 0 && spec->payload > 1900));
		len = take_frame(r, got);
		look("netmap", spec, &seen, got, len);
	}
	client_rx_sync(r, 0);
}

static void
expect_at_tap(const struct frame_spec *spec)
{
	static uint8_t got[FRAME_MAX];
	struct frame_seen seen = {0};
	struct pollfd p = {.fd = tap, .events = POLLIN};

	while (seen.payload < spec->payload) {
		ssize_t n;

		CHECK(poll(&p, 1, 5000) == 1);
		n = recv(tap, got, sizeof(got), MSG_TRUNC);
		CHECK(n > 0 && n <= (ssize_t)sizeof(got));
		if (n >= 12 && memcmp(got + 6, spec->src, 6) == 0)
			look("tap", spec, &seen, got, (uint32_t)n);
	}
}

/* What is sent with every kind of header arrives unchanged at b, finished at c and at the host. */
static void
all_kinds(void)
{
	static const uint32_t payloads[] = {1, 600, 1448, 1449, 9000, 30001, 65400};
	static const uint32_t firsts[] = {12, 26, 46, 78, 200, 2048};

	open_all();
	for (uint32_t i = 0; i < 2 * 3 * 7 * 2; i++) {
		struct frame_spec s = base;

		/* told apart at the tap, where the kernel takes tags off; the first is base's */
		s.src[4] = (uint8_t)i;
		s.ipv6 = i & 1;
		s.tags = i / 2 % 3;
		s.payload = payloads[i / 6 % 7];
		s.gso_size = i / 42 ? 8900 : s.payload > 1448 ? 1448 : 0;
		s.udp = s.gso_size == 0 && i % 4 < 2;
		s.flags |= i % 5 == 0 ? FRAME_CWR : i % 5 == 1 ? FRAME_FIN : 0;
		s.ip_options = !s.ipv6 && i % 7 == 0 ? 40 : 0;
		send_open(&a, &s, firsts[i % 6]);
		expect_open(&b, &s, 10);
		expect_finished(&c, &s);
		if (s.tags == 0)
			expect_at_tap(&s);
	}
	/* the other way round, to one address */
	struct frame_spec s = base;

	memcpy(s.dst, base.src, 6);
	memcpy(s.src, mac_b, 6);
	frame_write_vnet(&s, frame + 2);
	memmove(frame, frame + 2, 10);
	send_slots(&b, frame, 10 + frame_write(&s, frame + 10), 10);
	expect_open(&a, &s, 12);
}

/* Headers that say what cannot be: each frame is dropped and counted. */
static void
lies(void)
{
	static const struct {
		uint8_t at, value;
	} lie[] = {
		{0, 0},		  /* to be cut, without an open checksum */
		{1, 4},		  /* IPv6 */
		{1, 3},		  /* UDP */
		{1, 0x81 ^ 0xff}, /* nothing */
		{4, 0},		  /* with the next: segments of 0x500 - 0x5a8 */
		{5, 0xff},	  /* segments beyond all lengths */
		{6, 35},	  /* sums from elsewhere, */
		{7, 0xff},
		{8, 6}, /* to elsewhere */
		{9, 1},
	};
	unsigned int nb = 0;

	open_all();
	for (unsigned int i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
		uint32_t len = HDR_MAX + frame_write(&base, frame + HDR_MAX);

		frame_write_vnet(&base, frame);
		frame[lie[i].at] = lie[i].value;
		if (lie[i].at == 4)
			frame[5] = 0;
		send_slots(&a, frame, len, 2048);
		nb++;
	}
	/* the frame is shorter than the header believes */
	for (uint32_t len = HDR_MAX + 14; len <= HDR_MAX + 66; len++, nb++) {
		frame_write(&base, frame + HDR_MAX);
		frame_write_vnet(&base, frame);
		send_slots(&a, frame, len, 2048);
	}
	client_expect_none(&b);
	client_expect_none(&c);
	send_open(&a, &base, 2048);
	expect_open(&b, &base, 10);
	expect_finished(&c, &base);
	printf("%u\n", nb);
}

static uint32_t
rnd(void)
{
	static uint32_t x = 88172645;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static void
discard(struct client *r)
{
	client_rx_sync(r, 0);
	client_rx(r, 0)->head = client_rx(r, 0)->cur = client_rx(r, 0)->tail;
}

/* Headers of random bytes, memory that changes while it is read, and header lengths that change
 * meanwhile: the switch lives, and a good frame passes. */
static void
random_headers(void)
{
	const char *rounds = getenv("VALE_VNET_ROUNDS");
	unsigned int nb = rounds != NULL ? (unsigned int)atoi(rounds) : 2000;

	open_all();
	for (unsigned int i = 0; i < nb; i++) {
		struct netmap_ring *ring = client_tx(&a, 0);
		struct frame_spec s = base;
		uint32_t len, at = ring->head;

		s.ipv6 = rnd() & 1;
		s.tags = rnd() % 3;
		s.payload = 1 + rnd() % (rnd() % 4 ? 3000 : 65000);
		s.gso_size = (uint16_t)(rnd() % 4000);
		frame_write_vnet(&s, frame);
		len = HDR_MAX + frame_write(&s, frame + HDR_MAX);
		for (uint32_t n = rnd() % 3; n > 0; n--)
			frame[rnd() % 12] = (uint8_t)rnd();
		for (uint32_t n = rnd() % 3; n > 0; n--)
			frame[rnd() % 160 % len] = (uint8_t)rnd();
		/* published, and written at the same time */
		for (uint32_t pos = 0, n; pos < len; pos += n) {
			struct netmap_slot *slot = &ring->slot[ring->head];

			n = len - pos < 2048 ? len - pos : 2048;
			memcpy(client_buf(&a, slot->buf_idx), frame + pos, n);
			slot->len = (uint16_t)n;
			slot->flags = pos + n < len ? NS_MOREFRAG : 0;
			ring->head = ring->cur = (ring->head + 1) % ring->num_slots;
		}
		client_tx_sync(&a, 0);
		for (unsigned int n = 0; n < 200; n++)
			client_buf(&a, ring->slot[at].buf_idx)[rnd() % 160] = (uint8_t)rnd();
		client_wait_sent(&a, 0);
		discard(&b);
		discard(&c);
		if (i % 50 == 0)
			set_hdr_len("vale0:b", i % 100 ? 10 : 0);
	}
	set_hdr_len("vale0:b", 10);
	usleep(100000);
	discard(&b);
	discard(&c);
	client_rx_sync(&b, 0);
	client_rx_sync(&c, 0);
	send_open(&a, &base, 2048);
	expect_open(&b, &base, 10);
	expect_finished(&c, &base);
}

int
main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		{"all_kinds", all_kinds},
		{"lies", lies},
		{"random_headers", random_headers},
		{NULL, NULL},
	};

	return run_case(argc, argv, cases);
}
