/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vale_name.h"

struct name_case {
	const char *text;
	int rc;
};

static void
check_cases(const struct name_case *cases, size_t nb)
{
	static const struct vale_name zero;

	for (size_t i = 0; i < nb; i++) {
		struct vale_name n;
		const char *why = "unset";
		int rc;

		memset(&n, 0xa5, sizeof(n));
		rc = vale_name_parse(cases[i].text, &n, &why);
		if (rc != cases[i].rc)
			fail_msg("'%s': got %d (%s), want %d", cases[i].text, rc,
				why == NULL ? "-" : why, cases[i].rc);
		if (rc == 0) {
			assert_null(why);
			assert_string_equal(n.full, cases[i].text);
		} else {
			assert_non_null(why);
			assert_true(strlen(why) > 10);
			assert_memory_equal(&n, &zero, sizeof(n));
		}
		assert_int_equal(vale_name_parse(cases[i].text, &n, NULL), rc);
	}
}

/* Every row of what was observed on real netmap that names a VALE port, or none. */
static const struct name_case netmap_cases[] = {
	{"vale0:a", 0},
	{"vale:x", -EINVAL}, /* netmap takes it: SSS is empty */
	{"vale:", -EINVAL},  /* netmap takes it: SSS and PPP are empty */
	{"vale", -ENOMEM},
	{"vale0", -ENOMEM},
	{"vale0:", -EINVAL}, /* netmap takes it: PPP is empty */
	{"valex", -ENOMEM},
	{"valexyz:1", 0},
	{"VALE0:a", -ENXIO},
	{"Vale0:a", -ENXIO},
	{"foo", -ENXIO},
	{"", -ENXIO},
	{"vale0:a:b", -EINVAL}, /* netmap takes these: bad characters in PPP */
	{"vale0:a b", -EINVAL},
	{"vale 0:a", -ENOMEM},
	{"vale-0:a", -ENOMEM},
	{"vale.0:a", -ENOMEM},
	{"vale_0:a", 0},
	{"vale0:a-b", -EINVAL}, /* netmap takes these, to the next remark */
	{"vale0:a.b", -EINVAL},
	{"vale0:a/b", -EINVAL},
	{"vale0:a@b", -EINVAL},
	{"vale0:a*", -EINVAL},
	{"vale0:a^", -EINVAL},
	{"vale0:a{1", -EINVAL},
	{"vale0:a{x", -EINVAL},
	{"vale0:\xc3\xa9", -EINVAL},
	{"vale0:\n", -EINVAL},
	{"vale\xc3\xa9:a", -ENOMEM},
	{"vale0::a", -EINVAL},		   /* netmap takes it */
	{"vale0:12345678901234", -EINVAL}, /* netmap takes these two, and cuts them */
	{"vale0:123456789012345", -EINVAL},
	{"vale0:1234567890123456", -ENOMEM},
	{"vale0:12345678901234567", -ENOMEM},
	{"vale12345678901:a", -EINVAL}, /* netmap takes it, and cuts it */
	{"vale123456789012:a", -ENOMEM},
	{"vale1234567890123:a", -ENOMEM},
	{"vale12345678901234567890:a", -ENOMEM},
	{"vale12345678901234567890123456789012345678901234567890:a", -ENOMEM},
	{"vale1234567890123456789012345678901234567890:123456789012345", -ENOMEM},
	{"dummy0", -ENXIO},  /* an interface, no VALE port */
	{"vale0:dummy0", 0}, /* refused by the caller if there is such an interface */
	{"vale0:lo", 0},     /* the same */
	{"lo", -ENXIO},
	{"val:a", -EINVAL}, /* netmap takes it: it compares three letters only */
	{"vale0:nosuch0", 0},
};

/* What follows from the same rules and was not tried on netmap. */
static const struct name_case more_cases[] = {
	{"val", -ENOMEM}, {"valb:a", -EINVAL}, {"va:a", -ENXIO}, {"v", -ENXIO}, {":", -ENXIO},
	{":a", -ENXIO}, {"vale0:a ", -EINVAL}, {" vale0:a", -ENXIO}, {"vale\t0:a", -ENOMEM},
	{"vale0:_", 0}, {"vale_:_", 0}, {"valeAZaz09:AZ_9", 0}, /* 15 characters */
	{"valeAZaz09:AZ_90", -EINVAL},				/* 16 */
	{"vale123456789:a", 0}, {"vale1234567890:a", -EINVAL}, {"vale0:123456789", 0},
	{"vale0:1234567890", -EINVAL},
	{"vale0:@234567890123456", -ENOMEM}, /* netmap's refusal before the manual's */
};

static void
parse_netmap_table_same_errno(void **state)
{
	(void)state;
	check_cases(netmap_cases, sizeof(netmap_cases) / sizeof(netmap_cases[0]));
}

static void
parse_edge_cases_documented_errno(void **state)
{
	(void)state;
	check_cases(more_cases, sizeof(more_cases) / sizeof(more_cases[0]));
}

static void
parse_64_bytes_without_nul_enomem(void **state)
{
	char text[64];
	struct vale_name n;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "vale0:", 6);
	assert_int_equal(vale_name_parse(text, &n, NULL), -ENOMEM);
	memset(text, 'x', sizeof(text));
	memcpy(text, "vale", 4);
	assert_int_equal(vale_name_parse(text, &n, NULL), -ENOMEM);
}

static void
parse_every_byte_in_ppp_only_id_chars_pass(void **state)
{
	static const char id_chars[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	(void)state;
	for (int c = 1; c < 256; c++) {
		char text[] = "vale0:aXb", sw[] = "valeX:ab";
		int is_id = strchr(id_chars, c) != NULL;
		struct vale_name n;

		text[7] = (char)c;
		assert_int_equal(vale_name_parse(text, &n, NULL), is_id ? 0 : -EINVAL);
		sw[4] = (char)c;
		if (c == ':') /* "vale::ab": SSS is empty, PPP is ":ab" */
			assert_int_equal(vale_name_parse(sw, &n, NULL), -EINVAL);
		else
			assert_int_equal(vale_name_parse(sw, &n, NULL), is_id ? 0 : -ENOMEM);
	}
}

static void
parse_good_name_taken_apart_rest_zero(void **state)
{
	static const struct vale_name want = {"valea:port1", "valea", "port1"};
	struct vale_name n;

	(void)state;
	memset(&n, 0xa5, sizeof(n));
	assert_int_equal(vale_name_parse("valea:port1", &n, NULL), 0);
	assert_memory_equal(&n, &want, sizeof(n));
}

static void
parse_switch_names_documented_errno(void **state)
{
	static const struct name_case cases[] = {
		{"valea", 0},
		{"valea:", 0},
		{"vale_Z9", 0},
		{"vale123456789", 0}, /* 13 characters and ":x" are 15 */
		{"vale123456789:", 0},
		{"vale1234567890", -EINVAL}, /* no port could have a name */
		{"vale12345678901", -EINVAL},
		{"vale123456789012", -ENOMEM},
		{"vale", -EINVAL},
		{"vale:", -EINVAL},
		{"val", -EINVAL},
		{"valb", -EINVAL},
		{"valea::", -EINVAL},
		{"valea:0", -EINVAL},
		{"vale-a", -ENOMEM},
		{"vale a:", -ENOMEM},
		{"VALEa", -ENXIO},
		{"", -ENXIO},
		{":", -ENXIO},
		{"eth0", -ENXIO},
	};
	static const char zero[VALE_NAME_SZ];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char sw[VALE_NAME_SZ];
		const char *why = "unset";
		int rc;

		memset(sw, 0xa5, sizeof(sw));
		rc = vale_name_parse_switch(cases[i].text, sw, &why);
		if (rc != cases[i].rc)
			fail_msg("'%s': got %d (%s), want %d", cases[i].text, rc,
				why == NULL ? "-" : why, cases[i].rc);
		assert_int_equal(why == NULL, rc == 0);
		if (rc != 0)
			assert_memory_equal(sw, zero, sizeof(sw));
		else
			assert_memory_equal(sw, cases[i].text,
				strcspn(cases[i].text, ":") + 1 -
					(strchr(cases[i].text, ':') != NULL));
		assert_int_equal(vale_name_parse_switch(cases[i].text, sw, NULL), rc);
	}
}

static void
parse_switch_colon_dropped_rest_zero(void **state)
{
	static const char want[VALE_NAME_SZ] = "valea";
	char sw[VALE_NAME_SZ];

	(void)state;
	memset(sw, 0xa5, sizeof(sw));
	assert_int_equal(vale_name_parse_switch("valea:", sw, NULL), 0);
	assert_memory_equal(sw, want, sizeof(sw));
}

static void
is_interface_lo_yes_other_no(void **state)
{
	struct vale_name n;

	(void)state;
	assert_int_equal(vale_name_parse("vale0:lo", &n, NULL), 0);
	assert_int_equal(vale_name_is_interface(&n), 1);
	assert_int_equal(vale_name_parse("vale0:nosuch0", &n, NULL), 0);
	assert_int_equal(vale_name_is_interface(&n), 0);
}

static void
mac_any_name_local_unicast_and_stable(void **state)
{
	uint8_t a[6], b[6];

	(void)state;
	vale_name_mac("valea:0", a);
	vale_name_mac("valea:0", b);
	assert_memory_equal(a, b, 6);
	vale_name_mac("", a);
	assert_int_equal(a[0] & 3, 2);
}

static void
mac_many_names_all_differ(void **state)
{
	enum { SWITCHES = 16, PORTS = 254 };
	static uint8_t macs[SWITCHES * PORTS][6];
	size_t nb = 0;

	(void)state;
	for (int s = 0; s < SWITCHES; s++)
		for (int p = 0; p < PORTS; p++) {
			char full[32];

			snprintf(full, sizeof(full), "vale%d:%d", s, p);
			vale_name_mac(full, macs[nb]);
			assert_int_equal(macs[nb][0] & 3, 2);
			nb++;
		}
	for (size_t i = 0; i < nb; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(memcmp(macs[i], macs[j], 6), 0);
}

static void
mac_known_name_known_address(void **state)
{
	static const uint8_t want[6] = {0x86, 0x19, 0xe2, 0xc7, 0x6d, 0x2a};
	uint8_t mac[6];

	(void)state;
	vale_name_mac("valea:0", mac);
	assert_memory_equal(mac, want, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_netmap_table_same_errno),
		cmocka_unit_test(parse_edge_cases_documented_errno),
		cmocka_unit_test(parse_64_bytes_without_nul_enomem),
		cmocka_unit_test(parse_every_byte_in_ppp_only_id_chars_pass),
		cmocka_unit_test(parse_good_name_taken_apart_rest_zero),
		cmocka_unit_test(parse_switch_names_documented_errno),
		cmocka_unit_test(parse_switch_colon_dropped_rest_zero),
		cmocka_unit_test(is_interface_lo_yes_other_no),
		cmocka_unit_test(mac_any_name_local_unicast_and_stable),
		cmocka_unit_test(mac_known_name_known_address),
		cmocka_unit_test(mac_many_names_all_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
