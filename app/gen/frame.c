/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

/* Where fields are, in bytes from the beginning of the frame. */
enum {
	ETH_DST = 0,
	ETH_SRC = 6,
	ETH_TYPE = 12,
	IP_HDR = 14,
	IP_LEN = 16,
	IP_PROTO = 23,
	IP_SUM = 24,
	IP_SRC = 26,
	IP_DST = 30,
	UDP_HDR = 34,
	UDP_SPORT = 34,
	UDP_DPORT = 36,
	UDP_LEN = 38,
	UDP_SUM = 40,
	TAG = FRAME_UDP_PAYLOAD,
};

static const char filler[] = "vale-gen fills its frames with this. ";

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Sum of 16-bit words in network order, not folded; an odd byte at the end counts as high byte. */
static uint32_t
sum_words(const uint8_t *p, size_t len, uint32_t sum)
{
	for (; len > 1; len -= 2, p += 2)
		sum += get16(p);
	if (len > 0)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint32_t
sum_ip(uint32_t ip)
{
	return (ip >> 16) + (ip & 0xffff);
}

static void
fill_headers(struct frame *f, const struct frame_params *p)
{
	uint8_t *d = f->data;

	memcpy(d + ETH_DST, p->dmac, 6);
	memcpy(d + ETH_SRC, p->smac, 6);
	put16(d + ETH_TYPE, 0x0800);
	d[IP_HDR] = 0x45;
	put16(d + IP_LEN, (uint16_t)(p->len - IP_HDR));
	d[IP_HDR + 6] = 0x40; /* don't fragment */
	d[IP_HDR + 8] = 64;   /* time to live */
	d[IP_PROTO] = 17;
	put16(d + UDP_LEN, (uint16_t)(p->len - UDP_HDR));
}

int
frame_init(struct frame *f, const struct frame_params *p)
{
	size_t room = (p->len + 63) / 64 * 64, at;

	memset(f, 0, sizeof(*f));
	f->data = aligned_alloc(64, room);
	if (f->data == NULL)
		return -ENOMEM;
	memset(f->data, 0, room);
	f->len = p->len;
	f->tagged = p->len >= FRAME_TAG_END;
	f->random_src = p->random_src;
	f->random_dst = p->random_dst;
	f->vary = p->random_src || p->random_dst || !addr_is_single(&p->src) ||
		  !addr_is_single(&p->dst);
	f->kind = p->kind;
	f->stream = p->stream;
	f->src_range = p->src;
	f->dst_range = p->dst;
	f->src = (struct addr){p->src.ip0, p->src.port0};
	f->dst = (struct addr){p->dst.ip0, p->dst.port0};
	f->rng = 0x9e3779b97f4a7c15u ^ p->stream;
	fill_headers(f, p);
	for (at = f->tagged ? FRAME_TAG_END : FRAME_UDP_PAYLOAD; at < p->len; at++)
		f->data[at] = (uint8_t)filler[at % (sizeof(filler) - 1)];
	/* all variable fields are 0 now; the pseudo header has protocol and length once more */
	f->ip_sum = sum_words(f->data + IP_HDR, 20, 0);
	f->udp_sum = fold(sum_words(f->data + UDP_HDR, p->len - UDP_HDR, 17 + p->len - UDP_HDR));
	return 0;
}

void
frame_fini(struct frame *f)
{
	free(f->data);
	f->data = NULL;
}

/* xorshift: good enough to look random in a flow table */
static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
draw_addr(struct frame *f, struct addr *a)
{
	uint64_t r = draw(&f->rng);

	a->ip = (uint32_t)r;
	a->port = (uint16_t)(r >> 32);
}

/* As pkt-gen: the source goes round before the destination steps. */
static void
step_addresses(struct frame *f)
{
	bool round = true;

	if (f->random_src)
		draw_addr(f, &f->src);
	else
		round = addr_next(&f->src_range, &f->src);
	if (f->random_dst)
		draw_addr(f, &f->dst);
	else if (round)
		addr_next(&f->dst_range, &f->dst);
}

static uint32_t
put_tag(struct frame *f, uint64_t seq)
{
	struct frame_tag tag = {
		.magic = htonl(FRAME_MAGIC | f->kind),
		.stream = htonl(f->stream),
		.seq = htobe64(seq),
	};

	memcpy(f->data + TAG, &tag, sizeof(tag));
	return sum_words(f->data + TAG, sizeof(tag), 0);
}

void
frame_next(struct frame *f, uint64_t seq)
{
	uint32_t addrs = sum_ip(f->src.ip) + sum_ip(f->dst.ip);
	uint32_t udp = f->udp_sum + addrs + f->src.port + f->dst.port;
	uint8_t *d = f->data;
	uint32_t ip;

	ip = htonl(f->src.ip);
	memcpy(d + IP_SRC, &ip, 4);
	ip = htonl(f->dst.ip);
	memcpy(d + IP_DST, &ip, 4);
	put16(d + UDP_SPORT, f->src.port);
	put16(d + UDP_DPORT, f->dst.port);
	put16(d + IP_SUM, (uint16_t)~fold(f->ip_sum + addrs));
	if (f->tagged)
		udp += put_tag(f, seq);
	udp = (uint16_t)~fold(udp);
	put16(d + UDP_SUM, udp != 0 ? (uint16_t)udp : 0xffff); /* 0 would mean: no checksum */
	if (f->vary)
		step_addresses(f);
}

bool
frame_tag_read(const void *data, uint32_t len, struct frame_tag *tag)
{
	if (len < FRAME_TAG_END)
		return false;
	memcpy(tag, (const uint8_t *)data + TAG, sizeof(*tag));
	tag->magic = ntohl(tag->magic);
	if ((tag->magic & ~0xffu) != FRAME_MAGIC)
		return false;
	tag->stream = ntohl(tag->stream);
	tag->seq = be64toh(tag->seq);
	return true;
}

bool
frame_wants_reply(const uint8_t *data, uint32_t len)
{
	struct frame_tag tag;

	if (len < FRAME_UDP_PAYLOAD || get16(data + ETH_TYPE) != 0x0800 || data[IP_HDR] != 0x45 ||
		data[IP_PROTO] != 17)
		return false;
	/* two pongers would else answer each other for ever */
	return !frame_tag_read(data, len, &tag) || frame_tag_kind(&tag) != FRAME_REPLY;
}

static void
swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t tmp[6];

	memcpy(tmp, a, len);
	memcpy(a, b, len);
	memcpy(b, tmp, len);
}

void
frame_make_reply(uint8_t *data, uint32_t len, const uint8_t smac[6])
{
	struct frame_tag tag;
	uint16_t was, is, sum;

	swap(data + ETH_DST, data + ETH_SRC, 6);
	if ((data[ETH_SRC] & 1) != 0)
		memcpy(data + ETH_SRC, smac, 6);
	swap(data + IP_SRC, data + IP_DST, 4);
	swap(data + UDP_SPORT, data + UDP_DPORT, 2);
	if (!frame_tag_read(data, len, &tag))
		return;
	was = get16(data + TAG + 2);
	data[TAG + 3] = FRAME_REPLY;
	is = get16(data + TAG + 2);
	sum = get16(data + UDP_SUM);
	if (sum == 0)
		return;
	/* RFC 1624, equation 3 */
	sum = (uint16_t)~fold((uint16_t)~sum + (uint32_t)(uint16_t)~was + is);
	put16(data + UDP_SUM, sum != 0 ? sum : 0xffff);
}
