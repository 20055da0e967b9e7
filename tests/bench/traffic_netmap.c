/* SPDX-License-Identifier: BSD-3-Clause */
/* A netmap port, without the preload between: frames are written and read in the region's buffers.
 */
#include <stdlib.h>
#include <unistd.h>

#include "../netmap/switch_client.h"
#include "traffic.h"

struct own {
	struct client c;
	struct netmap_ring *tx, *rx;
	struct vale_nm_kring *tx_kring;
};

static void
nm_open(struct tport *p, const char *name, unsigned int rings)
{
	struct own *o = calloc(1, sizeof(*o));

	if (o == NULL)
		traffic_die("no memory");
	socket_path = traffic.netmap_socket;
	o->c.reg.nr_tx_slots = o->c.reg.nr_rx_slots = rings;
	client_open(&o->c, name);
	o->tx = client_tx(&o->c, 0);
	o->rx = client_rx(&o->c, 0);
	o->tx_kring = client_tx_kring(&o->c, 0);
	p->own = o;
}

static unsigned int
nm_used(struct tport *p)
{
	struct own *o = p->own;
	/* acquire: the switch has read what was before it */
	uint32_t hwcur = atomic_load_explicit(&o->tx_kring->hwcur, memory_order_acquire);

	return (o->tx->head + o->tx->num_slots - hwcur) % o->tx->num_slots;
}

static inline uint32_t
next_slot(const struct netmap_ring *r, uint32_t i)
{
	return i + 1 == r->num_slots ? 0 : i + 1;
}

static uint32_t
write_frame(struct own *o, uint32_t at, uint64_t stamp)
{
	unsigned int left = traffic.len;

	for (bool first = true; left > 0; first = false) {
		struct netmap_slot *s = &o->tx->slot[at];
		unsigned int n = left < BUF_SZ ? left : BUF_SZ;
		uint8_t *buf = client_buf(&o->c, s->buf_idx);

		lines_write(buf, n);
		if (first)
			frame_head(buf, stamp);
		left -= n;
		s->len = (uint16_t)n;
		s->flags = left > 0 ? NS_MOREFRAG : 0;
		at = next_slot(o->tx, at);
	}
	return at;
}

static unsigned int
nm_send(struct tport *p, unsigned int n, uint64_t stamp)
{
	struct own *o = p->own;
	uint32_t at = o->tx->head;

	for (unsigned int i = 0; i < n; i++)
		at = write_frame(o, at, i == 0 ? stamp : 0);
	o->tx->head = o->tx->cur = at;
	client_tx_sync(&o->c, 0);
	return n;
}

static uint32_t
read_frame(struct own *o, uint32_t at)
{
	unsigned int len = 0;
	uint8_t *head = NULL;
	bool more = true;

	while (more) {
		const struct netmap_slot *s = &o->rx->slot[at];
		uint8_t *buf = client_buf(&o->c, s->buf_idx);

		lines_read(buf, s->len);
		head = head == NULL ? buf : head;
		len += s->len;
		more = s->flags & NS_MOREFRAG;
		at = next_slot(o->rx, at);
	}
	head_read(head, len);
	return at;
}

static unsigned int
nm_receive(struct tport *p, unsigned int n)
{
	struct own *o = p->own;
	uint32_t at = o->rx->head;
	unsigned int got = 0;

	if (client_rx_sync(&o->c, 0) == 0)
		return 0;
	for (; got < n && at != o->rx->tail; got++)
		at = read_frame(o, at);
	o->rx->head = o->rx->cur = at;
	client_rx_sync(&o->c, 0);
	return got;
}

static void
nm_speak(struct tport *p, const uint8_t *dst, const uint8_t *src)
{
	struct own *o = p->own;
	struct netmap_slot *s = &o->tx->slot[o->tx->head];

	while (nm_used(p) + 1 == o->tx->num_slots)
		usleep(100);
	frame_addresses(client_buf(&o->c, s->buf_idx), dst, src, FRAME_SPOKEN);
	s->len = FRAME_MIN;
	s->flags = 0;
	o->tx->head = o->tx->cur = next_slot(o->tx, o->tx->head);
	client_tx_sync(&o->c, 0);
}

const struct tport_ops tport_netmap = {
	.open = nm_open,
	.used = nm_used,
	.send = nm_send,
	.receive = nm_receive,
	.speak = nm_speak,
};
