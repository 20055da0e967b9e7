/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "json.h"

void
json_begin(struct json *j, FILE *out)
{
	*j = (struct json){.out = out};
}

void
json_end(struct json *j)
{
	fputc('\n', j->out);
}

/* How many bytes of a UTF-8 sequence begin at s; 0 if what is there is not UTF-8 (RFC 3629). */
static size_t
utf8_len(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

	for (size_t i = 0; i < 3; i++) {
		uint32_t code = s[0] & (unsigned char)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		/* a NUL is no continuation byte: never reads past the end */
		for (size_t k = 1; k < i + 2; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[k] & 0x3f);
		}
		if (code < forms[i].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return 0;
		return i + 2;
	}
	return s[0] < 0x80 ? 1 : 0;
}

static void
write_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s != '\0') {
		size_t len = utf8_len(s);

		if (len == 0) {
			fputs("\\ufffd", out);
			len = 1;
		} else if (*s == '"' || *s == '\\') {
			fprintf(out, "\\%c", *s);
		} else if (*s < 0x20 || *s == 0x7f) {
			fprintf(out, "\\u%04x", *s);
		} else {
			fwrite(s, 1, len, out);
		}
		s += len;
	}
	fputc('"', out);
}

/* What stands before a value: a comma after its predecessor, its key. */
static void
write_lead(struct json *j, const char *key)
{
	if (j->depth > 0) {
		if (j->filled[j->depth - 1])
			fputc(',', j->out);
		j->filled[j->depth - 1] = true;
	}
	if (key != NULL) {
		write_string(j->out, key);
		fputc(':', j->out);
	}
}

static void
open_level(struct json *j, const char *key, char opener, char closer)
{
	write_lead(j, key);
	/* the depth is fixed by our own code, never by data */
	if (j->depth >= JSON_DEPTH_MAX)
		abort();
	fputc(opener, j->out);
	j->closer[j->depth] = closer;
	j->filled[j->depth] = false;
	j->depth++;
}

void
json_object(struct json *j, const char *key)
{
	open_level(j, key, '{', '}');
}

void
json_array(struct json *j, const char *key)
{
	open_level(j, key, '[', ']');
}

void
json_close(struct json *j)
{
	fputc(j->closer[--j->depth], j->out);
}

void
json_number(struct json *j, const char *key, uint64_t n)
{
	write_lead(j, key);
	fprintf(j->out, "%" PRIu64, n);
}

void
json_bool(struct json *j, const char *key, bool b)
{
	write_lead(j, key);
	fputs(b ? "true" : "false", j->out);
}

void
json_null(struct json *j, const char *key)
{
	write_lead(j, key);
	fputs("null", j->out);
}

void
json_string(struct json *j, const char *key, const char *s)
{
	if (s == NULL) {
		json_null(j, key);
		return;
	}
	write_lead(j, key);
	write_string(j->out, s);
}
