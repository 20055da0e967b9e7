/* SPDX-License-Identifier: BSD-3-Clause */
/* A memif port: frames are written and read where they lie, in the client's own region. */
#include <stdlib.h>
#include <unistd.h>

#include "../memif/mclient.h"
#include "traffic.h"

static struct memif_desc *
desc_at(struct mclient *c, struct memif_ring *r, uint16_t slot)
{
	return (struct memif_desc *)&r->desc[slot & (c->ring_sz - 1)];
}

static void
memif_open(struct tport *p, const char *name, unsigned int rings)
{
	struct mclient *c = calloc(1, sizeof(*c));
	const char *path = traffic.memif_socket, *at;
	int ret;

	if (c == NULL)
		traffic_die("no memory");
	/* NAME, or NAME@SOCKET */
	at = strchr(name, '@');
	c->name = at == NULL ? name : strndup(name, (size_t)(at - name));
	path = at == NULL ? path : at + 1;
	/* a switch may send by any of several queues; frames to it take one */
	c->nb_rings = (uint16_t)traffic.memif_rings;
	c->nb_c2s = 1;
	c->log2_ring_sz = (uint8_t)__builtin_ctz(rings);
	c->buf_sz = BUF_SZ;
	ret = mclient_open(c, path);
	if (ret < 0)
		traffic_die("%s at %s: %s %s", name, path, strerror(-ret), c->reason);
	/* net_memif, as a server, begins both indices at 0 when it connects */
	for (uint16_t i = 0; i < c->nb_rings; i++)
		atomic_store_explicit(&c->s2c[i]->head, (uint16_t)c->ring_sz, memory_order_release);
	p->own = c;
}

static unsigned int
memif_used(struct tport *p)
{
	struct mclient *c = p->own;

	return (uint16_t)(c->head[0] -
			  atomic_load_explicit(&c->c2s[0]->tail, memory_order_acquire));
}

static void
write_frame(struct mclient *c, uint64_t stamp)
{
	unsigned int left = traffic.len;

	for (bool first = true; left > 0; first = false) {
		struct memif_desc *d = desc_at(c, c->c2s[0], c->head[0]++);
		unsigned int n = left < BUF_SZ ? left : BUF_SZ;
		uint8_t *buf = c->mem + d->offset;

		lines_write(buf, n);
		if (first)
			frame_head(buf, stamp);
		left -= n;
		d->length = n;
		d->flags = left > 0 ? MEMIF_DESC_NEXT : 0;
	}
}

static void
publish(struct mclient *c)
{
	uint64_t one = 1;

	atomic_store_explicit(&c->c2s[0]->head, c->head[0], memory_order_release);
	/* full fence: either the switch sees the frames, or we see that it sleeps */
	atomic_thread_fence(memory_order_seq_cst);
	if (!(atomic_load_explicit(&c->c2s[0]->flags, memory_order_relaxed) & MEMIF_RING_MASK_INT))
		(void)!write(c->c2s_fd[0], &one, sizeof(one));
}

static unsigned int
memif_send(struct tport *p, unsigned int n, uint64_t stamp)
{
	struct mclient *c = p->own;

	for (unsigned int i = 0; i < n; i++)
		write_frame(c, i == 0 ? stamp : 0);
	publish(c);
	return n;
}

static void
read_frame(struct mclient *c, uint16_t ring)
{
	unsigned int len = 0;
	uint8_t *head = NULL;
	bool more = true;

	while (more) {
		struct memif_desc *d = desc_at(c, c->s2c[ring], c->seen[ring]++);
		uint8_t *buf = c->mem + d->offset;

		lines_read(buf, d->length);
		head = head == NULL ? buf : head;
		len += d->length;
		more = d->flags & MEMIF_DESC_NEXT;
		d->length = BUF_SZ;
		d->flags = 0;
	}
	head_read(head, len);
}

static unsigned int
receive_ring(struct mclient *c, uint16_t ring, unsigned int n)
{
	uint16_t tail = atomic_load_explicit(&c->s2c[ring]->tail, memory_order_acquire);
	unsigned int got = 0;

	if (tail == c->seen[ring])
		return 0;
	for (; got < n && c->seen[ring] != tail; got++)
		read_frame(c, ring);
	/* release: what was read is an empty buffer again */
	atomic_store_explicit(
		&c->s2c[ring]->head, (uint16_t)(c->seen[ring] + c->ring_sz), memory_order_release);
	return got;
}

static unsigned int
memif_receive(struct tport *p, unsigned int n)
{
	struct mclient *c = p->own;
	unsigned int got = 0;

	for (uint16_t i = 0; i < c->nb_rings; i++)
		got += receive_ring(c, i, n - got);
	return got;
}

static void
memif_speak(struct tport *p, const uint8_t *dst, const uint8_t *src)
{
	uint8_t frame[FRAME_MIN] = {0};

	frame_addresses(frame, dst, src, FRAME_SPOKEN);
	while (!mclient_tx(p->own, 0, frame, sizeof(frame)))
		usleep(100);
}

const struct tport_ops tport_memif = {
	.open = memif_open,
	.used = memif_used,
	.send = memif_send,
	.receive = memif_receive,
	.speak = memif_speak,
};
