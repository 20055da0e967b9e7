/* SPDX-License-Identifier: BSD-3-Clause */
/* What vale-gen knows without a switch: addresses, frames, percentiles, streams, pace. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../app/gen/addr.h"
#include "../../app/gen/frame.h"
#include "../../app/gen/hist.h"
#include "../../app/gen/pace.h"
#include "../../app/gen/seq.h"

/* ---- addresses ----------------------------------------------------------------------- */

static void
addr_parse_reads_what_pktgen_reads(void **state)
{
	struct addr_range r;
	const char *why;

	assert_int_equal(addr_parse("10.0.0.1:2000-10.0.0.9:3000", &r, &why), 0);
	assert_int_equal(r.ip0, 0x0a000001);
	assert_int_equal(r.ip1, 0x0a000009);
	assert_int_equal(r.port0, 2000);
	assert_int_equal(r.port1, 3000);
	assert_int_equal(addr_parse("10.0.0.9-10.0.0.1", &r, &why), 0);
	assert_int_equal(r.ip0, 0x0a000001);
	assert_int_equal(r.ip1, 0x0a000009);
	assert_int_equal(r.port0, ADDR_PORT);
	assert_int_equal(addr_parse("255.255.255.255:65535", &r, &why), 0);
	assert_true(addr_is_single(&r));
}

static void
addr_parse_refuses_the_rest(void **state)
{
	static const char *const bad[] = {"", "10.0.0", "10.0.0.256", "10.0.0.1:", "10.0.0.1:x",
		"10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1-", "-10.0.0.1",
		"10.0.0.1:1-10.0.0.2:", "::1", "10.0.0.1 ", "10.0.0.1:1:2",
		"10.0.0.1:2000-10.0.0.9:3000-10.0.0.1:2000-10.0.0.9:3000-10.0.0.1:2000"};
	struct addr_range r, before;
	const char *why;

	memset(&r, 0x5a, sizeof(r));
	before = r;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		if (addr_parse(bad[i], &r, &why) != -EINVAL || why == NULL)
			fail_msg("'%s' was taken", bad[i]);
		assert_memory_equal(&r, &before, sizeof(r));
	}
}

static void
addr_next_goes_through_ports_then_addresses(void **state)
{
	struct addr_range r = {5, 6, 10, 11};
	struct addr a = {5, 10};

	assert_false(addr_next(&r, &a));
	assert_int_equal(a.port, 11);
	assert_false(addr_next(&r, &a));
	assert_int_equal(a.ip, 6);
	assert_int_equal(a.port, 10);
	assert_false(addr_next(&r, &a));
	assert_true(addr_next(&r, &a));
	assert_int_equal(a.ip, 5);
	assert_int_equal(a.port, 10);
}

/* ---- frames -------------------------------------------------------------------------- */

static uint32_t
words(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return sum;
}

static uint16_t
folded(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Both checksums, from the bytes alone. */
static void
check_sums(const uint8_t *d, uint32_t len)
{
	assert_int_equal(d[12] << 8 | d[13], 0x0800);
	assert_int_equal(d[16] << 8 | d[17], len - 14);
	assert_int_equal(d[38] << 8 | d[39], len - 34);
	assert_int_equal(folded(words(d + 14, 20)), 0xffff);
	assert_int_not_equal(d[40] << 8 | d[41], 0);
	assert_int_equal(
		folded(words(d + 34, len - 34) + words(d + 26, 8) + 17 + len - 34), 0xffff);
}

static const struct frame_params params = {
	.len = 60,
	.smac = {2, 0, 0, 0, 0, 1},
	.dmac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	.src = {0x0a000001, 0x0a000002, 1000, 1002},
	.dst = {0x0a010001, 0x0a010003, 7, 7},
	.kind = FRAME_PING,
	.stream = 0xdeadbeef,
};

static void
frames_of_all_lengths_have_right_checksums(void **state)
{
	struct frame_params p = params;
	struct frame_tag tag;
	struct frame f;

	for (p.len = 42; p.len < 9217; p.len += p.len < 130 ? 1 : 997) {
		p.random_dst = p.len % 2 == 0;
		assert_int_equal(frame_init(&f, &p), 0);
		for (uint64_t i = 0; i < 20; i++) {
			frame_next(&f, i << 30);
			check_sums(f.data, p.len);
			assert_int_equal(frame_tag_read(f.data, p.len, &tag), p.len >= 58);
			if (p.len < 58)
				continue;
			assert_int_equal(tag.stream, p.stream);
			assert_int_equal(tag.seq, i << 30);
			assert_int_equal(frame_tag_kind(&tag), FRAME_PING);
		}
		frame_fini(&f);
	}
}

static void
frames_go_through_both_ranges(void **state)
{
	struct frame f;
	const uint8_t *d;

	assert_int_equal(frame_init(&f, &params), 0);
	d = f.data;
	for (unsigned int i = 0; i < 2 * 6 * 3; i++) {
		frame_next(&f, i);
		assert_int_equal(d[34] << 8 | d[35], 1000 + i % 3);
		assert_int_equal(d[29], 1 + i / 3 % 2);
		assert_int_equal(d[33], 1 + i / 6 % 3);
		assert_int_equal(d[36] << 8 | d[37], 7);
	}
	frame_fini(&f);
}

static void
reply_turns_addresses_and_keeps_checksums(void **state)
{
	static const uint8_t own[6] = {2, 9, 9, 9, 9, 9};
	struct frame_tag tag;
	struct frame f;

	assert_int_equal(frame_init(&f, &params), 0);
	for (uint64_t i = 0; i < 70000; i += 7) {
		frame_next(&f, i);
		assert_true(frame_wants_reply(f.data, 60));
		frame_make_reply(f.data, 60, own);
		check_sums(f.data, 60);
		assert_memory_equal(f.data, params.smac, 6);
		assert_memory_equal(f.data + 6, own, 6);
		assert_int_equal(f.data[26] << 8 | f.data[27], 0x0a01);
		assert_int_equal(f.data[34] << 8 | f.data[35], 7);
		assert_true(frame_tag_read(f.data, 60, &tag));
		assert_int_equal(tag.seq, i);
		assert_int_equal(frame_tag_kind(&tag), FRAME_REPLY);
		assert_false(frame_wants_reply(f.data, 60));
		memcpy(f.data, params.dmac, 6);
		memcpy(f.data + 6, params.smac, 6);
	}
	f.data[23] = 6;
	assert_false(frame_wants_reply(f.data, 60));
	assert_false(frame_wants_reply(f.data, 41));
	frame_fini(&f);
}

/* ---- percentiles --------------------------------------------------------------------- */

static void
hist_percentiles_of_known_values(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));
	static const struct {
		uint32_t ppm;
		uint64_t want;
	} c[] = {{500000, 500000}, {900000, 900000}, {990000, 990000}, {999000, 999000}};

	assert_int_equal(hist_percentile(h, 500000), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		hist_add(h, i * 1000);
	assert_int_equal(h->min, 1000);
	assert_int_equal(h->max, 1000000);
	assert_int_equal(h->sum, 500500000);
	for (size_t i = 0; i < 4; i++) {
		uint64_t got = hist_percentile(h, c[i].ppm);

		assert_in_range(got, c[i].want, c[i].want + c[i].want / 64 + 1);
	}
	assert_int_equal(hist_percentile(h, 1000000), 1000000);
	free(h);
}

static void
hist_takes_every_value(void **state)
{
	struct hist *h = calloc(1, sizeof(*h));

	for (unsigned int bit = 0; bit < 64; bit++) {
		memset(h, 0, sizeof(*h));
		hist_add(h, 1ull << bit);
		assert_int_equal(hist_percentile(h, 500000), 1ull << bit);
		hist_add(h, UINT64_MAX);
		assert_in_range(hist_percentile(h, 500000), 1ull << bit,
			(1ull << bit) + ((1ull << bit) >> 6));
		assert_int_equal(hist_percentile(h, 999000), UINT64_MAX);
	}
	free(h);
}

/* ---- streams ------------------------------------------------------------------------- */

static void
seq_counts_what_is_missing(void **state)
{
	struct seq s = {0}, other = {0};

	for (uint64_t i = 100; i < 200; i++)
		if (i % 10 != 5 || i == 195)
			seq_add(i % 2 == 0 ? &s : &other, 7, i);
	assert_int_equal(seq_received(&s) + seq_received(&other), 91);
	seq_merge(&s, &other);
	assert_int_equal(seq_received(&s), 91);
	assert_int_equal(seq_lost(&s), 9);
	assert_int_equal(s.late, 0);
	seq_add(&s, 7, 105);
	assert_int_equal(s.late, 1);
	assert_int_equal(seq_lost(&s), 8);
	seq_add(&s, 8, 1);
	seq_add(&s, 8, 3);
	assert_int_equal(s.nb_streams, 2);
	assert_int_equal(seq_lost(&s), 9);
}

static void
seq_full_counts_others_apart(void **state)
{
	struct seq s = {0};

	for (uint32_t i = 0; i < SEQ_STREAMS + 3; i++)
		seq_add(&s, i, 0);
	assert_int_equal(s.nb_streams, SEQ_STREAMS);
	assert_int_equal(s.untagged, 3);
	assert_int_equal(seq_lost(&s), 0);
}

/* ---- pace ---------------------------------------------------------------------------- */

static void
pace_keeps_the_rate(void **state)
{
	struct pace p;
	uint64_t now = 1000000000, due, total = 0;

	pace_init(&p, 10000, 1, now);
	assert_int_equal(pace_due(&p, now), 1);
	for (; now < 2000000000; now += 130000) {
		due = pace_due(&p, now);
		total += due;
		pace_sent(&p, due);
		assert_int_equal(pace_due(&p, now), 0);
		assert_true(pace_when(&p, 1) > now && pace_when(&p, 1) <= now + 100001);
	}
	assert_in_range(total, 9990, 10002);
	pace_init(&p, 0, 512, now);
	assert_true(pace_due(&p, now) > 1000000);
}

static void
pace_held_up_does_not_make_up_for_all(void **state)
{
	struct pace p;

	pace_init(&p, 10000, 1, 0);
	pace_sent(&p, pace_due(&p, 0));
	/* 5 s are 50,000 frames, 10 ms are 100 */
	assert_int_equal(pace_due(&p, 5000000000), 100);
	pace_sent(&p, 100);
	assert_int_equal(pace_due(&p, 5000000000), 0);
	assert_in_range(pace_due(&p, 5001000000), 9, 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_parse_reads_what_pktgen_reads),
		cmocka_unit_test(addr_parse_refuses_the_rest),
		cmocka_unit_test(addr_next_goes_through_ports_then_addresses),
		cmocka_unit_test(frames_of_all_lengths_have_right_checksums),
		cmocka_unit_test(frames_go_through_both_ranges),
		cmocka_unit_test(reply_turns_addresses_and_keeps_checksums),
		cmocka_unit_test(hist_percentiles_of_known_values),
		cmocka_unit_test(hist_takes_every_value),
		cmocka_unit_test(seq_counts_what_is_missing),
		cmocka_unit_test(seq_full_counts_others_apart),
		cmocka_unit_test(pace_keeps_the_rate),
		cmocka_unit_test(pace_held_up_does_not_make_up_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
