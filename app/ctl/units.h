/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CTL_UNITS_H
#define VALE_CTL_UNITS_H

/* Numbers and addresses, as people write and read them. */

#include <stdint.h>

#define UNITS_SZ 24

/* "812", "12.3 k", "4.56 M": three digits that count. */
const char *units_count(char buf[UNITS_SZ], double n);
/* "812 B", "12.3 kB". */
const char *units_bytes(char buf[UNITS_SZ], double n);
/* "02:00:00:00:00:01". */
const char *units_mac(char buf[UNITS_SZ], const uint8_t mac[6]);
/* Read a MAC address. Returns 0 or -EINVAL. */
int units_parse_mac(const char *text, uint8_t mac[6]);
/* Read seconds, with a fraction if need be. Returns 0 or -EINVAL. */
int units_parse_seconds(const char *text, int *ms);

#endif /* VALE_CTL_UNITS_H */
