/* SPDX-License-Identifier: BSD-3-Clause */
/* What vale-ctl writes: JSON, tables, numbers with units. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../app/ctl/json.h"
#include "../../app/ctl/table.h"
#include "../../app/ctl/units.h"

/* A stream into memory. */
struct sink {
	FILE *f;
	char *text;
	size_t len;
};

static void
sink_open(struct sink *s)
{
	s->f = open_memstream(&s->text, &s->len);
	assert_non_null(s->f);
}

static void
sink_expect(struct sink *s, const char *text)
{
	fclose(s->f);
	assert_string_equal(s->text, text);
	free(s->text);
}

static void
json_nested_values_are_separated(void **state)
{
	struct sink s;
	struct json j;

	sink_open(&s);
	json_begin(&j, s.f);
	json_object(&j, NULL);
	json_array(&j, "a");
	json_number(&j, NULL, UINT64_MAX);
	json_bool(&j, NULL, false);
	json_object(&j, NULL);
	json_close(&j);
	json_close(&j);
	json_string(&j, "s", NULL);
	json_bool(&j, "t", true);
	json_null(&j, "n");
	json_close(&j);
	json_end(&j);
	sink_expect(
		&s, "{\"a\":[18446744073709551615,false,{}],\"s\":null,\"t\":true,\"n\":null}\n");
}

static void
expect_json_string(const char *text, const char *json)
{
	struct sink s;
	struct json j;

	sink_open(&s);
	json_begin(&j, s.f);
	json_string(&j, NULL, text);
	sink_expect(&s, json);
}

static void
json_string_special_characters_are_escaped(void **state)
{
	expect_json_string("a\"b\\c", "\"a\\\"b\\\\c\"");
	expect_json_string("\n\x01\x7f", "\"\\u000a\\u0001\\u007f\"");
	expect_json_string("", "\"\"");
}

static void
json_string_utf8_is_kept_and_the_rest_replaced(void **state)
{
	expect_json_string(
		"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8b", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8b\"");
	expect_json_string("\xff", "\"\\ufffd\"");
	expect_json_string("\xc3", "\"\\ufffd\""); /* cut short */
	expect_json_string("\xe2\x82", "\"\\ufffd\\ufffd\"");
	expect_json_string("\xc0\xaf", "\"\\ufffd\\ufffd\"");		 /* overlong */
	expect_json_string("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
	expect_json_string("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

static void
table_columns_are_aligned(void **state)
{
	static const char *const heads[] = {"NAME", ">N", "END"};
	struct table t;
	struct sink s;

	sink_open(&s);
	table_begin(&t, heads, 3);
	table_cell(&t, "a");
	table_cell(&t, "%d", 1000);
	table_cell(&t, "x");
	table_cell(&t, "longer");
	table_cell(&t, "%d", 7);
	table_cell(&t, "y");
	table_print(&t, s.f, 0, "\n");
	sink_expect(&s, "NAME       N  END\na       1000  x\nlonger     7  y\n");

	sink_open(&s);
	table_print(&t, s.f, 2, "|");
	sink_expect(&s, "NAME       N  END|a       1000  x|");
	table_end(&t);
}

static void
count_any_size_has_three_digits(void **state)
{
	char b[UNITS_SZ];

	assert_string_equal(units_count(b, 0), "0");
	assert_string_equal(units_count(b, 999), "999");
	assert_string_equal(units_count(b, 1000), "1.00 k");
	assert_string_equal(units_count(b, 9999), "10.0 k");
	assert_string_equal(units_count(b, 12345678), "12.3 M");
	assert_string_equal(units_count(b, 999999), "1.00 M");
	assert_string_equal(units_count(b, 18446744073709551615.0), "18.4 E");
	assert_string_equal(units_bytes(b, 64), "64 B");
	assert_string_equal(units_bytes(b, 640000), "640 kB");
}

static void
mac_text_is_read_strictly(void **state)
{
	const uint8_t expected[6] = {0x02, 0, 0xab, 0xCD, 0, 0x01};
	static const char *const bad[] = {"", "02:00:ab:cd:00",
		"02:00:ab:cd:00:01:", "02-00-ab-cd-00-01", "02:00:ab:cd:00:0g", "02:00:ab:cd:00: 1",
		"2:0:ab:cd:0:1", "02:00:ab:cd:00:\x10\x11"};
	uint8_t mac[6];
	char b[UNITS_SZ];

	assert_int_equal(units_parse_mac("02:00:ab:CD:00:01", mac), 0);
	assert_memory_equal(mac, expected, 6);
	assert_string_equal(units_mac(b, mac), "02:00:ab:cd:00:01");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(units_parse_mac(bad[i], mac), -EINVAL);
}

static void
seconds_text_is_read_strictly(void **state)
{
	static const char *const bad[] = {"", "x", "1x", "-1", "nan", "inf", "1e99"};
	int ms;

	assert_int_equal(units_parse_seconds("0", &ms), 0);
	assert_int_equal(ms, 0);
	assert_int_equal(units_parse_seconds("2.5", &ms), 0);
	assert_int_equal(ms, 2500);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(units_parse_seconds(bad[i], &ms), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_nested_values_are_separated),
		cmocka_unit_test(json_string_special_characters_are_escaped),
		cmocka_unit_test(json_string_utf8_is_kept_and_the_rest_replaced),
		cmocka_unit_test(table_columns_are_aligned),
		cmocka_unit_test(count_any_size_has_three_digits),
		cmocka_unit_test(mac_text_is_read_strictly),
		cmocka_unit_test(seconds_text_is_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
