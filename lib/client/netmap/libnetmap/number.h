/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LIBNETMAP_NUMBER_H
#define LIBNETMAP_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

static inline bool
number_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/**
 * Take a decimal number from the front of *scan, and move behind it.
 * @return 0, or -1 if there is none or it is above max: then *scan is unchanged.
 */
static inline int
number_take(const char **scan, uint64_t max, uint64_t *value)
{
	const char *s = *scan;
	uint64_t n = 0;

	if (!number_is_digit(*s))
		return -1;
	for (; number_is_digit(*s); s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (digit > max || n > (max - digit) / 10)
			return -1;
		n = n * 10 + digit;
	}
	*scan = s;
	*value = n;
	return 0;
}

#endif /* LIBNETMAP_NUMBER_H */
