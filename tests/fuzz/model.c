/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that writes slots at random, some of them wrong, and foretells what the switch does
 * with each: which frames arrive, in which slots of the receiver, whose memory may be wrong, too;
 * and how each counter moves. It knows the rules of docs/netmap-ports.md and nothing of how the
 * switch does it. Frames go from valem:p to valem:q, and nobody else is on that switch.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "vale_control_client.h"
#include "vale_stats.h"

#define FRAME_MIN 14
#define FRAME_MAX 9216
/* Frames that the switch takes in one go: the others may see another moment. */
#define BATCH 1024
#define WAIT_S 8

/** A sender's slot as the model wants it. */
struct sent {
	bool bad, indirect, more;
	uint16_t len;
	uint64_t off;
};

/** What both ports count. */
struct counts {
	uint64_t rx, tx, drops[VALE_DROP_MAX];
};

static struct target p, q;
static struct dice d;
static struct counts want; /* of both together, since the ports are there */
static struct counts total;
static uint32_t hdr_p, hdr_q;
static uint32_t last_bad_head;
static uint32_t p_at, q_at, q_first; /* next slot to send from; to be filled; first given back */
static uint32_t q_room;
static bool q_present, q_active, p_active, p_offsets, q_offsets;
static uint64_t nb_rounds;
/* Fastest end of a port whose head was none, of so many. */
static double fastest_end = 1e9;
static unsigned int nb_wrong_ends;

/* What the receiver is to find, slot by slot. */
static struct expected {
	uint16_t len, flags;
	uint32_t frame, pos; /* which bytes */
	uint32_t hdr;	     /* zeros before them */
	bool skipped;
} expected[VALE_NM_SLOTS_MAX + 1];
static uint32_t nb_expected;

static bool q_bad[VALE_NM_SLOTS_MAX]; /* the receiver's slots that cannot be written to */
static uint32_t q_space[VALE_NM_SLOTS_MAX];
static uint32_t q_buf[VALE_NM_SLOTS_MAX], p_buf[VALE_NM_SLOTS_MAX];
static struct sent slots[VALE_NM_SLOTS_MAX];

/* ---- the switch's rules ---- */

/* A frame on its way: pieces of a chain, or one. */
struct frame {
	uint32_t nb, len, seg_len;
	uint32_t piece[VALE_NM_FRAGS_MAX];
	bool chain;
	uint32_t id;
};

static void
count(unsigned int reason, uint32_t n)
{
	want.drops[reason] += n;
	total.drops[reason] += n;
}

/* Whether the rest of the batch is lost, too. */
static bool
lost(bool *rest)
{
	count(VALE_DROP_DST_FULL, 1);
	*rest = true;
	return false;
}

static struct expected *
next_expected(uint32_t id, uint32_t pos)
{
	struct expected *e = &expected[nb_expected++];

	*e = (struct expected){.frame = id, .pos = pos};
	q_at = (q_at + 1) % q.st.nb_rx_slots;
	q_room--;
	return e;
}

static void
deliver_chain(const struct frame *f, bool *rest)
{
	uint32_t piece[VALE_NM_FRAGS_MAX + 1], nb = 0, from = nb_expected, at = q_at, room = q_room;
	uint32_t used = 0, space = 0, n = 0, pos = 0;
	bool keep = f->chain;

	if (hdr_q > 0)
		piece[nb++] = hdr_q;
	for (uint32_t i = 0; i < f->nb; i++)
		if (f->piece[i] > 0)
			piece[nb++] = f->piece[i];
	for (uint32_t i = 0; i < nb; i++) {
		uint32_t done = 0;
		bool is_hdr = i == 0 && hdr_q > 0;

		while (done < piece[i]) {
			uint32_t part;

			if (used == space) {
				bool full = n == VALE_NM_FRAGS_MAX;

				if (full || q_room == 0 || q_bad[q_at]) {
					nb_expected = from;
					q_at = at;
					q_room = room;
					if (full)
						count(VALE_DROP_TOO_LONG, 1);
					else
						lost(rest);
					return;
				}
				space = q_space[q_at];
				used = 0;
				n++;
				next_expected(f->id, pos);
			}
			part = piece[i] - done < space - used ? piece[i] - done : space - used;
			expected[nb_expected - 1].len += (uint16_t)part;
			expected[nb_expected - 1].hdr += is_hdr ? part : 0;
			done += part;
			used += part;
			pos += is_hdr ? 0 : part;
		}
		/* the header shares the first slot */
		if (keep && !is_hdr)
			space = used;
	}
	for (uint32_t i = 0; i < n; i++)
		expected[from + i].flags =
			(uint16_t)(n << NS_PORT_SHIFT | (i + 1 < n ? NS_MOREFRAG : 0));
	want.tx++;
	total.tx++;
}

static void
deliver(const struct frame *f, bool *rest)
{
	struct expected *e;

	if (!q_present || !q_active) {
		count(q_present ? VALE_DROP_PORT_GONE : VALE_DROP_NO_DST, 1);
		return;
	}
	if (*rest || q_room == 0) {
		count(VALE_DROP_DST_FULL, 1);
		return;
	}
	if (q_bad[q_at]) {
		e = next_expected(f->id, 0);
		e->skipped = true;
		count(VALE_DROP_DST_FULL, 1);
		return;
	}
	if (f->seg_len == f->len && f->len + hdr_q <= q_space[q_at]) {
		e = next_expected(f->id, 0);
		e->hdr = hdr_q;
		e->len = (uint16_t)(f->len + hdr_q);
		e->flags = 1 << NS_PORT_SHIFT;
		want.tx++;
		total.tx++;
		return;
	}
	deliver_chain(f, rest);
}

/* A frame as its sender's slots make it; counts it if it is none. */
static bool
make_frame(struct frame *f, const struct sent *s, uint32_t n)
{
	bool bad = n > VALE_NM_FRAGS_MAX, too_long = false;

	f->len = f->nb = 0;
	f->chain = s[0].more;
	for (uint32_t i = 0; i < n && i < VALE_NM_FRAGS_MAX; i++) {
		bool wrong = s[i].bad || s[i].indirect || s[i].off > p.offset_max;

		bad = bad || wrong;
		too_long = too_long || (!wrong && s[i].len > VALE_NM_BUF_SZ - s[i].off);
		f->piece[f->nb++] = s[i].len;
		f->len += s[i].len;
	}
	want.rx++;
	total.rx++;
	f->seg_len = f->piece[0];
	if (bad)
		count(VALE_DROP_BAD_SLOT, 1);
	else if (too_long)
		count(VALE_DROP_TOO_LONG, 1);
	else if ((f->chain && f->len == 0) ||
		 (hdr_p > 0 && (f->len <= hdr_p || f->seg_len < hdr_p)))
		count(VALE_DROP_RUNT, 1);
	else
		return true;
	return false;
}

static void
strip_header(struct frame *f)
{
	f->len -= hdr_p;
	f->piece[0] -= hdr_p;
	if (f->chain && hdr_p > 0 && f->piece[0] == 0) {
		f->nb--;
		memmove(f->piece, f->piece + 1, f->nb * sizeof(f->piece[0]));
	}
	f->seg_len = f->piece[0];
}

/* All n slots that are published, in one batch or in as many as it takes, none of which the
 * receiver is too slow for. */
static void
foretell(uint32_t n)
{
	bool rest = false;
	struct frame f;

	for (uint32_t i = 0, used; i < n; i += used) {
		for (used = 1; i + used < n && slots[i + used - 1].more; used++)
			;
		f.id = i;
		if (!make_frame(&f, &slots[i], used))
			continue;
		strip_header(&f);
		if (f.len < FRAME_MIN || f.seg_len < FRAME_MIN)
			count(VALE_DROP_RUNT, 1);
		else if (f.len > FRAME_MAX)
			count(VALE_DROP_TOO_LONG, 1);
		else
			deliver(&f, &rest);
	}
}

/* ---- what is sent ---- */

/* Byte i of what is sent in slot n of this round. */
static uint8_t
byte_at(uint32_t n, uint32_t i)
{
	return (uint8_t)(nb_rounds * 31 + n * 7 + i * 13 + (i >> 8));
}

/* Where byte @p at of a frame lies, its header counted; NULL if that is nowhere. */
static uint8_t *
frame_byte(uint32_t id, uint32_t at, uint32_t *n, uint32_t *i)
{
	for (*n = id; *n < VALE_NM_SLOTS_MAX; ++*n) {
		const struct sent *s = &slots[*n];

		if (at < s->len) {
			*i = at;
			return s->off + at >= VALE_NM_BUF_SZ || s->len > VALE_NM_BUF_SZ
				       ? NULL
				       : target_buf(&p, p_buf[(p_at + *n) % p.st.nb_tx_slots]) +
						 s->off + at;
		}
		at -= s->len;
		if (!s->more)
			break;
	}
	return NULL;
}

static void
fill(uint32_t n)
{
	const struct sent *s = &slots[n];
	uint8_t *b = target_buf(&p, p_buf[(p_at + n) % p.st.nb_tx_slots]);

	for (uint32_t i = 0; i < s->len && s->off + i < VALE_NM_BUF_SZ; i++)
		b[s->off + i] = byte_at(n, i);
}

/* An empty virtio-net header, and addresses that everybody gets. */
static void
fill_header(uint32_t id)
{
	uint32_t n, i;

	for (uint32_t k = 0; k < hdr_p + 12; k++) {
		uint8_t *b = frame_byte(id, k, &n, &i);

		if (b != NULL)
			*b = k < hdr_p ? 0 : k < hdr_p + 6 ? 0xff : mac_d[k - hdr_p - 6];
	}
}

static uint32_t
bad_buffer(uint32_t nb_bufs)
{
	const uint32_t n[] = {0, 1, nb_bufs, nb_bufs + 1 + dice(&d, 100000), 0x7fffffff, 0x80000000,
		0xffffffff, nb_bufs + dice(&d, 0x7fffffff)};

	return n[dice(&d, 8)];
}

/* Wrong in at most one respect, so that each check is needed. */
static struct sent
any_slot(uint32_t wrong, bool in_chain)
{
	uint32_t max = p.offset_max < VALE_NM_BUF_SZ ? p.offset_max : VALE_NM_BUF_SZ;
	struct sent s = {.off = p_offsets ? dice(&d, max + 1) : 0};
	uint32_t room = VALE_NM_BUF_SZ - (uint32_t)s.off;

	s.len = (uint16_t)(in_chain ? dice(&d, 200) : 14 + hdr_p + dice(&d, 1486));
	s.len = s.len > room ? (uint16_t)room : s.len;
	if (dice(&d, 100) >= wrong)
		return s;
	switch (dice(&d, 6)) {
	case 0:
		s.bad = true;
		break;
	case 1:
		s.indirect = true;
		break;
	case 2:
		s.len = (uint16_t)(room + 1 + (dice(&d, 2) ? 0 : dice(&d, 65535 - room)));
		break;
	case 3:
		if (!p_offsets)
			break;
		s.off = max + 1 + (dice(&d, 2) ? 0 : dice(&d, 65535 - max));
		if (dice(&d, 4) == 0)
			s.off = (uint64_t)(1 + dice(&d, 1000)) << 32 | dice(&d, max + 1);
		room = s.off < VALE_NM_BUF_SZ ? VALE_NM_BUF_SZ - (uint32_t)s.off : 0;
		s.len = (uint16_t)(room > 0 ? dice(&d, room) : 0);
		break;
	case 4:
		s.len = (uint16_t)dice(&d, 14 + hdr_p);
		break;
	default:
		s.len = 0;
	}
	return s;
}

static uint32_t
choose_slots(void)
{
	uint32_t nb = p.st.nb_tx_slots - 1, wrong = dice(&d, 2) ? 0 : dice(&d, 60);
	bool many = dice(&d, 2) == 0 && nb > BATCH && q_present && q_active && !q_offsets &&
		    hdr_q == 0 && q.st.nb_rx_slots > nb && !p_offsets;
	uint32_t n = many ? nb : dice(&d, 4) ? 1 + dice(&d, 40) : 1 + dice(&d, 1000);

	if (dice(&d, 20) == 0) {
		/* one chain that does not end */
		for (uint32_t i = 0; i < nb; i++)
			slots[i] = (struct sent){.more = true, .len = 64};
		return nb;
	}
	n = n > nb ? nb : n;
	for (uint32_t i = 0; i < n;) {
		uint32_t chain = dice(&d, 3)   ? 1
				 : dice(&d, 6) ? 1 + dice(&d, 8)
					       : 60 + dice(&d, 10);

		chain = many ? 2 : chain;
		chain = chain > n - i ? n - i : chain;
		for (uint32_t k = 0; k < chain; k++) {
			slots[i + k] = any_slot(many || chain > 8 ? 0 : wrong, chain > 1);
			slots[i + k].more = k + 1 < chain;
			if (k == 0 && chain > 1 && slots[i].len < 14 + hdr_p && dice(&d, 4))
				slots[i].len =
					(uint16_t)(14 + hdr_p + (slots[i].off > 2000 ? 0 : 20));
			if (slots[i + k].off <= VALE_NM_BUF_SZ && chain > 1 && k == 0 &&
				slots[i].len > VALE_NM_BUF_SZ - slots[i].off && wrong == 0)
				slots[i].len = (uint16_t)(VALE_NM_BUF_SZ - slots[i].off);
		}
		/* near the longest frame, or beyond */
		for (uint32_t k = 0, large = dice(&d, 8) == 0; large && chain < 9 && k < chain; k++)
			if (chain > 4 && slots[i + k].off < 100 && !slots[i + k].bad)
				slots[i + k].len = (uint16_t)(1500 + dice(&d, 400));
		/* nothing at all, in several slots */
		for (uint32_t k = 0, empty = dice(&d, 25) == 0; empty && chain < 9 && k < chain;
			k++)
			if (slots[i + k].off <= VALE_NM_BUF_SZ)
				slots[i + k].len = 0;
		i += chain;
	}
	/* the last that is published ends a chain, whatever it says */
	if (dice(&d, 10) == 0)
		slots[n - 1].more = true;
	return n;
}

static void
write_slots(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct netmap_slot *s = &p.tx[0]->slot[(p_at + i) % p.st.nb_tx_slots];

		*s = (struct netmap_slot){
			.buf_idx = slots[i].bad ? bad_buffer(p.nb_bufs)
						: p_buf[(p_at + i) % p.st.nb_tx_slots],
			.len = slots[i].len,
			.flags = (uint16_t)((slots[i].more ? NS_MOREFRAG : 0) |
					    (slots[i].indirect ? NS_INDIRECT : 0)),
			.ptr = p_offsets ? slots[i].off : dice(&d, UINT32_MAX),
		};
		fill(i);
	}
	/* a header may reach into the second slot */
	for (uint32_t i = 0; i < n; i++)
		if (i == 0 || !slots[i - 1].more)
			fill_header(i);
}

/* ---- the receiver ---- */

/* What is wrong costs the rest of a batch, so nothing is where there are several. */
static void
offer_slots(uint32_t nb_sent)
{
	uint32_t wrong = nb_sent >= BATCH || dice(&d, 3) ? 0 : dice(&d, 20);
	uint32_t nb = q.st.nb_rx_slots;
	uint32_t max = q.offset_max < VALE_NM_BUF_SZ ? q.offset_max : VALE_NM_BUF_SZ;
	/* little room in each slot: a frame takes many */
	bool tight = max >= 64 && dice(&d, 2);

	for (uint32_t i = 0; i < nb; i++) {
		struct netmap_slot *s = &q.rx[0]->slot[i];
		uint32_t off = !q_offsets ? 0 : tight ? max - 1 - dice(&d, 16) : dice(&d, max + 1);

		q_space[i] = VALE_NM_BUF_SZ - off;
		q_bad[i] = off == VALE_NM_BUF_SZ;
		*s = (struct netmap_slot){.buf_idx = q_buf[i], .len = 77, .flags = 7, .ptr = off};
		if (dice(&d, 100) >= wrong)
			continue;
		q_bad[i] = true;
		if (q_offsets && dice(&d, 2))
			s->ptr = dice(&d, 2) ? max + 1 : (uint64_t)(1 + dice(&d, 9)) << 32;
		else
			s->buf_idx = bad_buffer(q.nb_bufs);
	}
	q_first = q_at;
	q_room = nb - 1;
	if (dice(&d, 15) == 0) {
		/* no head at all: there is no room */
		atomic_store(&target_rx_kring(&q, 0)->head,
			dice(&d, 2) ? nb : nb + dice(&d, UINT32_MAX - nb));
		q_room = 0;
		return;
	}
	atomic_store(&target_rx_kring(&q, 0)->head, q_at);
}

static void
check_bytes(const struct expected *e, const uint8_t *got)
{
	uint32_t n, i;

	for (uint32_t k = e->hdr; k < e->len; k++) {
		const uint8_t *b = frame_byte(e->frame, hdr_p + e->pos + k - e->hdr, &n, &i);

		if (b == NULL || got[k] != *b)
			die("byte %u of a slot of %u differs", k, e->len);
	}
}

static void
check_received(void)
{
	for (uint32_t i = 0; i < nb_expected; i++) {
		uint32_t at = (q_first + i) % q.st.nb_rx_slots;
		const struct netmap_slot *s = &q.rx[0]->slot[at];
		const struct expected *e = &expected[i];

		if (s->len != e->len || s->flags != e->flags)
			die("slot %u of %u: %u bytes, flags %#x instead of %u, %#x", i, nb_expected,
				s->len, s->flags, e->len, e->flags);
		if (!e->skipped)
			check_bytes(e, target_buf(&q, s->buf_idx) + (q_offsets ? s->ptr : 0));
	}
}

/* ---- the switch's counters ---- */

static void
add_port(struct counts *c, const struct vale_ctl_port_rec *r)
{
	c->rx += r->rx_packets;
	c->tx += r->tx_packets;
	for (unsigned int i = 0; i < VALE_DROP_MAX; i++)
		c->drops[i] += r->drops[i];
}

/* The records of an answer; NULL if there are none. */
static void *
records(struct vale_ctl_hdr *req, size_t rec_sz, uint32_t *nb)
{
	struct vale_ctl_reply r = {0};
	static int fd = -1;
	int mem = -1, ret;
	void *map;

	if (fd < 0)
		fd = client_dial();
	ret = fuzz_ask(fd, req, &r, sizeof(r), &mem);
	*nb = r.nb_recs;
	if (ret == ENOENT)
		return NULL;
	if (ret != 0)
		die("the switch does not tell its counters: %s", r.text);
	map = r.nb_recs == 0 ? NULL
			     : mmap(NULL, rec_sz * r.nb_recs, PROT_READ, MAP_PRIVATE, mem, 0);
	close(mem);
	return map;
}

static struct counts
counts_now(void)
{
	struct vale_ctl_name_req req = {.name = "valem"};
	struct counts c = {0};
	struct vale_ctl_port_rec *r;
	uint32_t nb;

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_LIST, sizeof(req));
	r = records(&req.hdr, sizeof(*r), &nb);
	for (uint32_t i = 0; i < nb; i++)
		add_port(&c, &r[i]);
	if (r != NULL)
		munmap(r, sizeof(*r) * nb);
	return c;
}

static void
check_counts(const char *what)
{
	double end = now_s() + WAIT_S;
	struct counts c = counts_now();
	uint64_t out = want.tx;

	while (memcmp(&c, &want, sizeof(c)) != 0 && now_s() < end) {
		usleep(500);
		c = counts_now();
	}
	if (c.rx != want.rx || c.tx != want.tx)
		fprintf(stderr, "rx %ju, foretold %ju; tx %ju, %ju\n", (uintmax_t)c.rx,
			(uintmax_t)want.rx, (uintmax_t)c.tx, (uintmax_t)want.tx);
	for (unsigned int i = 0; i < VALE_DROP_MAX; i++) {
		out += want.drops[i];
		if (c.drops[i] != want.drops[i])
			fprintf(stderr, "%s %ju, foretold %ju\n", vale_drop_names[i],
				(uintmax_t)c.drops[i], (uintmax_t)want.drops[i]);
	}
	if (memcmp(&c, &want, sizeof(c)) != 0)
		die("%s: counters differ from what was foretold", what);
	/* a wrong head is counted as one that came, too */
	if (out != want.rx)
		die("rx is not tx and drops");
}

/* ---- rounds ---- */

static void
wait_index(const _Atomic uint32_t *at, uint32_t wanted, const char *what)
{
	double end = now_s() + WAIT_S;

	while (atomic_load(at) != wanted) {
		if (now_s() > end)
			die("%s is %u, not %u", what, atomic_load(at), wanted);
		usleep(20);
	}
}

/* A head out of range: counted once, nothing moves. */
static void
wrong_head(void)
{
	struct vale_nm_kring *k = target_tx_kring(&p, 0);
	uint32_t nb = p.st.nb_tx_slots, v = dice(&d, 3) ? nb + dice(&d, UINT32_MAX - 1 - nb) : nb;

	if (dice(&d, 4) == 0 && last_bad_head != UINT32_MAX)
		v = last_bad_head;
	if (v != last_bad_head) {
		want.rx++;
		total.rx++;
		count(VALE_DROP_BAD_SLOT, 1);
		last_bad_head = v;
	}
	atomic_store(&k->head, v);
	for (int i = 0; i < 3; i++)
		target_bell(&p);
	check_counts("a wrong head");
	if (atomic_load(&k->hwcur) != p_at)
		die("the switch moved to a head that is none");
	atomic_store(&k->head, p_at);
}

static void
round_of_slots(void)
{
	struct vale_nm_kring *k = target_tx_kring(&p, 0);
	uint32_t n = choose_slots(), head = (p_at + n) % p.st.nb_tx_slots;

	nb_rounds++;
	nb_expected = 0;
	if (q_present && q_active)
		offer_slots(n);
	write_slots(n);
	foretell(n);
	/* release: after all of it */
	atomic_store_explicit(&k->head, head, memory_order_release);
	target_bell(&p);
	wait_index(&k->hwcur, head, "what was sent: hwcur");
	check_counts("a round");
	if (q_present && q_active) {
		wait_index(&target_rx_kring(&q, 0)->hwtail, q_at, "what came: hwtail");
		check_received();
	}
	p_at = head;
}

/* A ring that nobody bound does nothing. */
static void
round_of_nothing(void)
{
	atomic_store(&target_tx_kring(&p, 0)->head, 1 + dice(&d, p.st.nb_tx_slots - 1));
	target_bell(&p);
	usleep(2000);
	check_counts("an inactive ring");
}

static void
set_header(const char *name, uint32_t len)
{
	struct nmreq_port_hdr hdr = {.nr_hdr_len = len};
	int fd = client_dial();

	if (client_ctrl(fd, NETMAP_REQ_PORT_HDR_SET, name, &hdr, sizeof(hdr), NULL, 0, NULL) != 0)
		die("header of %s", name);
	close(fd);
}

static bool
open_end(struct target *t, const char *name, uint32_t mem_id, uint32_t flags, uint32_t *hdr)
{
	static const uint32_t nb_slots[] = {2, 3, 64, 256, 1024, 1024, 4096, 4096};
	uint32_t offset_max = dice(&d, 4)   ? dice(&d, 300)
			      : dice(&d, 2) ? 2048
					    : 2047 - dice(&d, 40);
	struct nmreq_opt_offsets o = {.nro_max_offset = offset_max};
	bool offsets = dice(&d, 3) == 0;
	int ret;

	t->reg = (struct nmreq_register){
		.nr_flags = NR_ACCEPT_VNET_HDR | flags, .nr_mem_id = (uint16_t)mem_id};
	t->reg.nr_tx_slots = nb_slots[dice(&d, 8)];
	t->reg.nr_rx_slots = nb_slots[dice(&d, 8)];
	ret = target_open(t, name, offsets ? &o : NULL);
	if (ret == ENOMEM && mem_id != 0)
		return open_end(t, name, 0, flags, hdr);
	if (ret != 0)
		die("%s cannot be opened: %d", name, ret);
	*hdr = dice(&d, 3) ? 0 : dice(&d, 2) ? 10 : 12;
	set_header(name, *hdr);
	return offsets;
}

static void
open_both(void)
{
	uint32_t tx_only = dice(&d, 12) == 0 ? NR_TX_RINGS_ONLY : 0;
	uint32_t rx_only = dice(&d, 12) == 0 ? NR_RX_RINGS_ONLY : 0;

	memset(&want, 0, sizeof(want));
	p_at = q_at = q_room = 0;
	last_bad_head = UINT32_MAX;
	p_offsets = open_end(&p, "valem:p", 0, rx_only, &hdr_p);
	q_present = dice(&d, 15) != 0;
	if (q_present)
		q_offsets =
			open_end(&q, "valem:q", dice(&d, 4) ? 0 : p.reg.nr_mem_id, tx_only, &hdr_q);
	p_active = rx_only == 0;
	q_active = tx_only == 0;
	for (uint32_t i = 0; p_active && i < p.st.nb_tx_slots; i++)
		p_buf[i] = p.tx[0]->slot[i].buf_idx;
	for (uint32_t i = 0; q_present && q_active && i < q.st.nb_rx_slots; i++)
		q_buf[i] = q.rx[0]->slot[i].buf_idx;
}

static void
close_both(void)
{
	double begin = now_s(), end = begin + WAIT_S;
	bool wrong = p_active && dice(&d, 2) == 0;
	struct vale_ctl_name_req req = {.name = "valem"};
	uint32_t nb = 1;

	if (wrong)
		atomic_store(&target_tx_kring(&p, 0)->head, p.st.nb_tx_slots);
	target_close(&p);
	if (q_present)
		target_close(&q);
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_LIST, sizeof(req));
	while (nb > 0) {
		void *r = records(&req.hdr, sizeof(struct vale_ctl_port_rec), &nb);

		if (r != NULL)
			munmap(r, sizeof(struct vale_ctl_port_rec) * nb);
		if (now_s() > end)
			die("ports stay when their programs have gone");
	}
	nb_wrong_ends += wrong;
	if (wrong && now_s() - begin < fastest_end)
		fastest_end = now_s() - begin;
	if (nb_wrong_ends >= 8 && fastest_end > 0.45)
		die("a port with a wrong head takes %.0f ms to end, or more", fastest_end * 1e3);
}

static uint64_t
worker_sleeps(void)
{
	struct vale_ctl_hdr req;
	struct vale_ctl_worker_rec *r;
	uint64_t sum = 0;
	uint32_t nb;

	vale_ctl_hdr_init(&req, VALE_CTL_WORKERS, sizeof(req));
	r = records(&req, sizeof(*r), &nb);
	for (uint32_t i = 0; i < nb; i++)
		sum += r[i].sleeps;
	munmap(r, sizeof(*r) * nb);
	return sum;
}

/* When all is quiet, a head that is none keeps no worker awake. */
static void
quiet_with_wrong_head(void)
{
	double end;
	uint64_t before;

	do {
		open_both();
		if (!p_active || !q_active || !q_present)
			close_both();
	} while (!p_active || !q_active || !q_present);
	atomic_store(&target_tx_kring(&p, 0)->head, p.st.nb_tx_slots + 5);
	target_bell(&p);
	usleep(200000);
	before = worker_sleeps();
	for (end = now_s() + WAIT_S; worker_sleeps() < before + 5; usleep(10000)) {
		target_bell(&p);
		if (now_s() > end)
			die("a wrong head keeps a worker awake");
	}
	close_both();
}

void
model_main(void)
{
	static const unsigned int reasons[] = {VALE_DROP_RUNT, VALE_DROP_TOO_LONG,
		VALE_DROP_BAD_SLOT, VALE_DROP_NO_DST, VALE_DROP_DST_FULL, VALE_DROP_PORT_GONE};
	uint64_t opened = 0;

	d = dice_make(3);
	p.fd = q.fd = p.memfd = q.memfd = -1;
	for (; time_left(); opened++) {
		open_both();
		for (uint32_t n = 1 + dice(&d, 30); n > 0 && time_left(); n--) {
			if (!p_active)
				round_of_nothing();
			else if (dice(&d, 6) == 0)
				wrong_head();
			else
				round_of_slots();
		}
		check_counts("the end");
		close_both();
	}
	printf("model: %ju rounds on %ju pairs, rx %ju, tx %ju", (uintmax_t)nb_rounds,
		(uintmax_t)opened, (uintmax_t)total.rx, (uintmax_t)total.tx);
	for (unsigned int i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		printf(", %s %ju", vale_drop_names[reasons[i]], (uintmax_t)total.drops[reasons[i]]);
	printf("\n");
	for (unsigned int i = 0; opened > 100 && i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (total.drops[reasons[i]] == 0)
			die("nothing was refused as %s", vale_drop_names[reasons[i]]);
	sleep(1);
	quiet_with_wrong_head();
}
