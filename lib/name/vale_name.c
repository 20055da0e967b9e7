/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <net/if.h>

#include "vale_name.h"

#define PREFIX "vale"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
/* netmap compares one letter less than it should ("val:a" is a VALE port there). */
#define NETMAP_PREFIX_LEN (PREFIX_LEN - 1)
/* netmap wants the colon among the first 16 characters, and 15 at most behind it. */
#define NETMAP_COLON_MAX 15
#define NETMAP_PORT_LEN_MAX 15
/* Longer than any name that netmap takes; nothing behind this changes an answer. */
#define READ_MAX 64
/* A switch name leaves room for the colon and a port of one character. */
#define SWITCH_LEN_MAX (VALE_NAME_LEN_MAX - 2)

static int
refuse(int err, const char *sentence, const char **why)
{
	if (why != NULL)
		*why = sentence;
	return err;
}

static int
accept_name(const char **why)
{
	return refuse(0, NULL, why);
}

/* Not isalnum(): the answer must not depend on the locale. */
static bool
is_id_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_';
}

/* Length of the leading run of id characters, over at most len characters. */
static size_t
id_len(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len && is_id_char(s[i]))
		i++;
	return i;
}

static bool
starts_with(const char *text, size_t len, size_t prefix_len)
{
	return len >= prefix_len && memcmp(text, PREFIX, prefix_len) == 0;
}

/*
 * What stands in front of the colon (or of the end, if there is no colon): first what netmap
 * refuses, with its errno, then what the manual page forbids.
 */
static int
check_switch_as_netmap(const char *text, size_t len, size_t sw_len, const char **why)
{
	if (!starts_with(text, len, NETMAP_PREFIX_LEN))
		return refuse(-ENXIO, "a VALE name starts with 'vale', in lower case", why);
	if (sw_len > NETMAP_COLON_MAX)
		return refuse(-ENOMEM, "the switch name is too long", why);
	if (sw_len < len && text[sw_len] != ':')
		return refuse(-ENOMEM,
			"the switch name has a character other than 0-9, a-z, A-Z and _", why);
	return 0;
}

static int
check_switch_as_manual(const char *text, size_t sw_len, const char **why)
{
	if (!starts_with(text, sw_len, PREFIX_LEN))
		return refuse(-EINVAL, "a VALE name starts with 'vale', not just 'val'", why);
	if (sw_len == PREFIX_LEN)
		return refuse(-EINVAL, "the switch name needs a character after 'vale'", why);
	return 0;
}

static int
check_port_as_manual(const char *port, size_t port_len, const char **why)
{
	if (port_len == 0)
		return refuse(-EINVAL, "the port name behind the colon is empty", why);
	if (id_len(port, port_len) != port_len)
		return refuse(-EINVAL,
			"the port name has a character other than 0-9, a-z, A-Z and _", why);
	return 0;
}

static int
check_full(const char *text, size_t len, size_t sw_len, const char **why)
{
	int rc;

	rc = check_switch_as_netmap(text, len, sw_len, why);
	if (rc != 0)
		return rc;
	if (sw_len == len)
		return refuse(-ENOMEM, "no colon between switch and port name", why);
	if (len - sw_len - 1 > NETMAP_PORT_LEN_MAX)
		return refuse(-ENOMEM, "the port name is too long", why);
	rc = check_switch_as_manual(text, sw_len, why);
	if (rc != 0)
		return rc;
	rc = check_port_as_manual(text + sw_len + 1, len - sw_len - 1, why);
	if (rc != 0)
		return rc;
	if (len > VALE_NAME_LEN_MAX)
		return refuse(-EINVAL, "the name is longer than 15 characters", why);
	return accept_name(why);
}

int
vale_name_parse(const char *text, struct vale_name *out, const char **why)
{
	size_t len = strnlen(text, READ_MAX);
	size_t sw_len = id_len(text, len);
	int rc;

	memset(out, 0, sizeof(*out));
	rc = check_full(text, len, sw_len, why);
	if (rc != 0)
		return rc;
	memcpy(out->full, text, len);
	memcpy(out->sw, text, sw_len);
	memcpy(out->port, text + sw_len + 1, len - sw_len - 1);
	return 0;
}

int
vale_name_parse_switch(const char *text, char sw[VALE_NAME_SZ], const char **why)
{
	size_t len = strnlen(text, READ_MAX);
	size_t sw_len = id_len(text, len);
	int rc;

	memset(sw, 0, VALE_NAME_SZ);
	rc = check_switch_as_netmap(text, len, sw_len, why);
	if (rc != 0)
		return rc;
	rc = check_switch_as_manual(text, sw_len, why);
	if (rc != 0)
		return rc;
	if (len > sw_len + 1)
		return refuse(-EINVAL, "a switch name ends at its colon; this names a port", why);
	if (sw_len > SWITCH_LEN_MAX)
		return refuse(-EINVAL,
			"the switch name is too long: with ':' and a port, 15 characters", why);
	memcpy(sw, text, sw_len);
	return accept_name(why);
}

int
vale_name_is_interface(const struct vale_name *name)
{
	return if_nametoindex(name->port) != 0;
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits: fixed, so that a port keeps its address for ever. */
static uint64_t
fnv1a(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s != '\0'; s++) {
		h ^= (uint8_t)*s;
		h *= UINT64_C(0x100000001b3);
	}
	return h;
}

void
vale_name_mac(const char *full, uint8_t mac[6])
{
	uint64_t h = fnv1a(full);

	/* Fold the top bits in: names that differ in their last letter differ there least. */
	h ^= h >> 48;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(h >> (8 * i));
	mac[0] = (mac[0] & ~1) | 2;
}
