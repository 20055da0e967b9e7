/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "offload_frame.h"

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t
get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/** RFC 1071, one byte after the other. */
static uint32_t
sum_bytes(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static uint32_t
ip_off(const struct frame_spec *s)
{
	return 14 + 4 * s->tags;
}

static uint32_t
ip_len(const struct frame_spec *s)
{
	return s->ipv6 ? 40 : 20 + s->ip_options;
}

uint32_t
frame_l4_off(const struct frame_spec *s)
{
	return ip_off(s) + ip_len(s);
}

uint32_t
frame_hdr_len(const struct frame_spec *s)
{
	return frame_l4_off(s) + (s->udp ? 8 : 20 + s->tcp_options);
}

static uint32_t
pseudo_sum(const struct frame_spec *s, const uint8_t *frame, uint32_t l4_len)
{
	const uint8_t *ip = frame + ip_off(s);
	uint8_t rest[4] = {0, s->udp ? 17 : 6, (uint8_t)(l4_len >> 8), (uint8_t)l4_len};
	uint32_t sum = s->ipv6 ? sum_bytes(0, ip + 8, 32) : sum_bytes(0, ip + 12, 8);

	return sum_bytes(sum, rest, sizeof(rest));
}

static void
write_ip(const struct frame_spec *s, uint8_t *ip, uint32_t l4_len)
{
	memset(ip, 0, ip_len(s));
	if (s->ipv6) {
		ip[0] = 0x60;
		put16(ip + 4, l4_len);
		ip[6] = s->udp ? 17 : 6;
		ip[7] = 64;
		for (unsigned int i = 0; i < 32; i++)
			ip[8 + i] = (uint8_t)(0x20 + 7 * i);
		return;
	}
	ip[0] = (uint8_t)(0x40 | ip_len(s) / 4);
	put16(ip + 2, ip_len(s) + l4_len);
	put16(ip + 4, s->ip_id);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = s->udp ? 17 : 6;
	put32(ip + 12, 0x0a070001);
	put32(ip + 16, 0x0a0700fe);
	memset(ip + 20, 1, s->ip_options);
	put16(ip + 10, ~sum_bytes(0, ip, ip_len(s)) & 0xffff);
}

static void
write_l4(const struct frame_spec *s, uint8_t *l4, uint32_t l4_len, uint32_t pseudo)
{
	put16(l4, 4660);
	put16(l4 + 2, 80);
	if (s->udp) {
		put16(l4 + 4, l4_len);
		put16(l4 + 6, pseudo);
		return;
	}
	put32(l4 + 4, s->seq);
	put32(l4 + 8, 0x01020304);
	l4[12] = (uint8_t)((20 + s->tcp_options) / 4 << 4);
	l4[13] = s->flags;
	put16(l4 + 14, 0x2000);
	put16(l4 + 16, pseudo);
	put16(l4 + 18, 0);
	memset(l4 + 20, 1, s->tcp_options);
}

static uint8_t
payload_byte(uint32_t i)
{
	return (uint8_t)(i ^ i >> 8 ^ i >> 16 ^ 0x5a);
}

uint32_t
frame_write(const struct frame_spec *s, uint8_t *to)
{
	uint32_t l4_len = frame_hdr_len(s) - frame_l4_off(s) + s->payload;
	uint8_t *p = to + frame_hdr_len(s);

	memcpy(to, s->dst, 6);
	memcpy(to + 6, s->src, 6);
	for (unsigned int i = 0; i < s->tags; i++) {
		put16(to + 12 + 4 * i, i + 1 < s->tags ? 0x88a8 : 0x8100);
		put16(to + 14 + 4 * i, 100 + i);
	}
	put16(to + ip_off(s) - 2, s->ipv6 ? 0x86dd : 0x0800);
	write_ip(s, to + ip_off(s), l4_len);
	write_l4(s, to + frame_l4_off(s), l4_len, pseudo_sum(s, to, l4_len));
	for (uint32_t i = 0; i < s->payload; i++)
		p[i] = payload_byte(i);
	return frame_hdr_len(s) + s->payload;
}

void
frame_write_vnet(const struct frame_spec *s, uint8_t *to)
{
	uint32_t start = frame_l4_off(s), hdr_len = frame_hdr_len(s);

	memset(to, 0, 12);
	to[0] = 1; /* NEEDS_CSUM */
	to[6] = (uint8_t)start;
	to[8] = s->udp ? 6 : 16;
	to[10] = 1;
	if (s->gso_size == 0)
		return;
	to[1] = (uint8_t)((s->ipv6 ? 4 : 1) | (s->flags & FRAME_CWR ? 0x80 : 0));
	to[2] = (uint8_t)hdr_len;
	to[4] = (uint8_t)s->gso_size;
	to[5] = (uint8_t)(s->gso_size >> 8);
}

/** Headers before TCP and UDP. @param id  IPv4's identification that is expected. */
static const char *
look_ip(const struct frame_spec *s, const uint8_t *frame, uint32_t l4_len, uint32_t id)
{
	const uint8_t *ip = frame + ip_off(s);
	uint8_t want[60];

	write_ip(s, want, l4_len);
	if (s->ipv6)
		return memcmp(ip, want, 40) == 0 ? NULL : "the IPv6 header";
	if (sum_bytes(0, ip, ip_len(s)) != 0xffff)
		return "IPv4's checksum";
	if (get16(ip + 4) != (id & 0xffff))
		return "IPv4's identification";
	put16(want + 4, id);
	memcpy(want + 10, ip + 10, 2);
	return memcmp(ip, want, ip_len(s)) == 0 ? NULL : "the IPv4 header";
}

static const char *
look_tcp(const struct frame_spec *s, const struct frame_seen *seen, const uint8_t *tcp,
	uint32_t payload)
{
	uint8_t flags = s->flags;

	if (get32(tcp + 4) != s->seq + seen->payload)
		return "TCP's sequence number";
	if (seen->payload + payload < s->payload)
		flags &= (uint8_t) ~(FRAME_FIN | FRAME_PSH);
	if (seen->nb > 0)
		flags &= (uint8_t)~FRAME_CWR;
	if (tcp[13] != flags)
		return "TCP's flags";
	if (tcp[12] >> 4 != (20 + s->tcp_options) / 4)
		return "TCP's header length";
	for (uint32_t i = 0; i < s->tcp_options; i++) {
		if (tcp[20 + i] != 1)
			return "TCP's options";
	}
	return NULL;
}

const char *
frame_look(const struct frame_spec *s, struct frame_seen *seen, const uint8_t *frame, uint32_t len)
{
	uint32_t hdr_len = frame_hdr_len(s), l4 = frame_l4_off(s), payload;
	const char *bad;
	uint8_t eth[22];

	if (len < hdr_len || len - hdr_len > s->payload - seen->payload)
		return "the length";
	payload = len - hdr_len;
	if (s->gso_size != 0 &&
		payload != (s->payload - seen->payload < s->gso_size ? s->payload - seen->payload
								     : s->gso_size))
		return "the length of a segment";
	memcpy(eth, s->dst, 6);
	memcpy(eth + 6, s->src, 6);
	if (memcmp(frame, eth, 12) != 0)
		return "the addresses";
	if (get16(frame + ip_off(s) - 2) != (s->ipv6 ? 0x86dd : 0x0800) ||
		(s->tags > 0 && get16(frame + ip_off(s) - 4) != 99 + s->tags))
		return "type and tags";
	bad = look_ip(s, frame, len - l4, s->ip_id + seen->nb);
	if (bad == NULL &&
		sum_bytes(pseudo_sum(s, frame, len - l4), frame + l4, len - l4) != 0xffff)
		bad = s->udp ? "UDP's checksum" : "TCP's checksum";
	if (bad == NULL && !s->udp)
		bad = look_tcp(s, seen, frame + l4, payload);
	for (uint32_t i = 0; bad == NULL && i < payload; i++) {
		if (frame[hdr_len + i] != payload_byte(seen->payload + i))
			bad = "the payload";
	}
	seen->payload += payload;
	seen->nb++;
	return bad;
}

const char *
frame_look_open(const struct frame_spec *s, const uint8_t *frame, uint32_t len)
{
	static uint8_t want[70000];

	if (len != frame_write(s, want))
		return "the length";
	return memcmp(frame, want, len) == 0 ? NULL : "a byte";
}
