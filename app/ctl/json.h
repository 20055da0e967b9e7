/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CTL_JSON_H
#define VALE_CTL_JSON_H

/*
 * A writer of JSON: one document on one line. Objects and arrays nest up to JSON_DEPTH_MAX. The key
 * is NULL for the outermost value and inside arrays.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 8

struct json {
	FILE *out;
	unsigned int depth;
	char closer[JSON_DEPTH_MAX]; /* what ends the level */
	bool filled[JSON_DEPTH_MAX]; /* the level has a value already */
};

void json_begin(struct json *j, FILE *out);
/* Ends the document with a newline. Every level must have been closed. */
void json_end(struct json *j);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* End the innermost object or array. */
void json_close(struct json *j);

void json_number(struct json *j, const char *key, uint64_t n);
void json_bool(struct json *j, const char *key, bool b);
void json_null(struct json *j, const char *key);
/* NULL is written as null; bytes that are not UTF-8 as U+FFFD. */
void json_string(struct json *j, const char *key, const char *s);

#endif /* VALE_CTL_JSON_H */
