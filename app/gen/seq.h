/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GEN_SEQ_H
#define VALE_GEN_SEQ_H

/*
 * What a receiver knows of the streams of numbered frames: each sending thread is a stream. Frames
 * may arrive in any order and in several threads; what is lost is what is missing between the first
 * and the last number seen.
 */

#include <stdbool.h>
#include <stdint.h>

#define SEQ_STREAMS 64 /* more are counted as one more kind of foreign frames */

struct seq_stream {
	uint32_t stream;
	uint64_t nb, first, last; /* frames; lowest and highest number */
	uint64_t late;		  /* came after a higher number */
};

struct seq {
	uint32_t nb_streams;
	uint32_t cur; /* index of the stream seen last */
	uint64_t untagged;
	uint64_t late;
	struct seq_stream streams[SEQ_STREAMS];
};

void seq_add(struct seq *s, uint32_t stream, uint64_t seq);

/* Put what another thread saw into s. */
void seq_merge(struct seq *s, const struct seq *other);

/* Numbered frames, and how many are missing. With frames that came twice none may seem missing. */
uint64_t seq_received(const struct seq *s);
uint64_t seq_lost(const struct seq *s);

#endif /* VALE_GEN_SEQ_H */
