/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>

#include "seq.h"

/* The stream's place; a new one if there is room. */
static struct seq_stream *
find(struct seq *s, uint32_t stream, uint64_t seq)
{
	uint32_t i;

	for (i = 0; i < s->nb_streams; i++) {
		if (s->streams[i].stream == stream) {
			s->cur = i;
			return &s->streams[i];
		}
	}
	if (s->nb_streams == SEQ_STREAMS)
		return NULL;
	s->cur = s->nb_streams++;
	s->streams[s->cur] = (struct seq_stream){.stream = stream, .first = seq, .last = seq};
	return &s->streams[s->cur];
}

void
seq_add(struct seq *s, uint32_t stream, uint64_t seq)
{
	struct seq_stream *st = &s->streams[s->cur];

	if (s->nb_streams == 0 || st->stream != stream)
		st = find(s, stream, seq);
	if (st == NULL) {
		s->untagged++;
		return;
	}
	st->nb++;
	if (seq >= st->last) {
		st->last = seq;
		return;
	}
	st->late++;
	s->late++;
	if (seq < st->first)
		st->first = seq;
}

void
seq_merge(struct seq *s, const struct seq *other)
{
	for (uint32_t i = 0; i < other->nb_streams; i++) {
		const struct seq_stream *o = &other->streams[i];
		struct seq_stream *st = find(s, o->stream, o->first);

		if (st == NULL) {
			s->untagged += o->nb;
			continue;
		}
		st->nb += o->nb;
		st->late += o->late;
		st->first = o->first < st->first ? o->first : st->first;
		st->last = o->last > st->last ? o->last : st->last;
	}
	s->untagged += other->untagged;
	s->late += other->late;
}

uint64_t
seq_received(const struct seq *s)
{
	uint64_t nb = 0;

	for (uint32_t i = 0; i < s->nb_streams; i++)
		nb += s->streams[i].nb;
	return nb;
}

uint64_t
seq_lost(const struct seq *s)
{
	uint64_t lost = 0;

	for (uint32_t i = 0; i < s->nb_streams; i++) {
		const struct seq_stream *st = &s->streams[i];
		uint64_t sent = st->last - st->first + 1;

		lost += sent > st->nb ? sent - st->nb : 0;
	}
	return lost;
}
