/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

static const char *
with_unit(char buf[UNITS_SZ], double n, const char *unit)
{
	static const char *const prefix[] = {"", "k", "M", "G", "T", "P", "E"};
	size_t p = 0;
	int digits;

	/* 999.5 would be rounded to four digits */
	while (n >= 999.5 && p + 1 < sizeof(prefix) / sizeof(prefix[0])) {
		n /= 1000;
		p++;
	}
	digits = p == 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;
	snprintf(buf, UNITS_SZ, "%.*f%s%s%s", digits, n, p > 0 || unit[0] != '\0' ? " " : "",
		prefix[p], unit);
	return buf;
}

const char *
units_count(char buf[UNITS_SZ], double n)
{
	return with_unit(buf, n, "");
}

const char *
units_bytes(char buf[UNITS_SZ], double n)
{
	return with_unit(buf, n, "B");
}

const char *
units_mac(char buf[UNITS_SZ], const uint8_t mac[6])
{
	snprintf(buf, UNITS_SZ, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
	return buf;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
units_parse_mac(const char *text, uint8_t mac[6])
{
	if (strlen(text) != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++) {
		int hi = hex_digit(text[3 * i]), lo = hex_digit(text[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

int
units_parse_seconds(const char *text, int *ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(s) || s < 0 || s > INT_MAX / 1000)
		return -EINVAL;
	*ms = (int)(s * 1000);
	return 0;
}
