/* SPDX-License-Identifier: BSD-3-Clause */
/* The line that tells the rate now and then, and the summary. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gen.h"
#include "../ctl/json.h"
#include "../ctl/units.h"

/* FCS, preamble and gap: what a frame costs on a wire beside its bytes. */
#define FRAMING 24

static const char *const func_name[] = {"tx", "rx", "ping", "pong"};

/* All threads' counters, and times. */
struct total {
	uint64_t frames, bytes, batches;
	uint64_t duration_ns;
	double pps, bps;
};

static void
sum_counters(const struct gen *g, struct total *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned int i = 0; i < g->opts.nb_threads; i++) {
		const struct gen_thread *t = &g->threads[i];

		s->frames += atomic_load_explicit(&t->frames, memory_order_relaxed);
		s->bytes += atomic_load_explicit(&t->bytes, memory_order_relaxed);
		s->batches += atomic_load_explicit(&t->batches, memory_order_relaxed);
	}
}

static void
set_rates(const struct gen *g, struct total *s)
{
	double seconds = (double)s->duration_ns / 1e9;
	uint64_t bytes = s->bytes + (g->opts.framing ? s->frames * FRAMING : 0);

	if (s->duration_ns == 0)
		return;
	s->pps = (double)s->frames / seconds;
	s->bps = (double)bytes * 8 / seconds;
}

/* "12.3 M" and a unit, or all digits. */
static const char *
rate_text(const struct gen *g, char buf[UNITS_SZ + 8], double n, const char *unit)
{
	char count[UNITS_SZ];

	if (g->opts.plain_units) {
		snprintf(buf, UNITS_SZ + 8, "%.0f %s", n, unit);
	} else {
		units_count(count, n);
		snprintf(buf, UNITS_SZ + 8, "%s%s%s", count, strchr(count, ' ') == NULL ? " " : "",
			unit);
	}
	return buf;
}

void
gen_report_begin(struct gen_report *r)
{
	memset(r, 0, sizeof(*r));
	r->begin_ns = r->last_ns = gen_now_ns();
}

void
gen_report_line(struct gen_report *r, const struct gen *g)
{
	char pps[UNITS_SZ + 8], bps[UNITS_SZ + 8];
	FILE *out = g->opts.json ? stderr : stdout;
	uint64_t now = gen_now_ns();
	struct total all, s;

	sum_counters(g, &all);
	s = all;
	s.frames -= r->frames;
	s.bytes -= r->bytes;
	s.batches -= r->batches;
	s.duration_ns = now - r->last_ns;
	set_rates(g, &s);
	fprintf(out, "%8.3f s  %s  %s  %s  %" PRIu64 " frames, %.1f at once\n",
		(double)(now - r->begin_ns) / 1e9, func_name[g->opts.func],
		rate_text(g, pps, s.pps, "pps"), rate_text(g, bps, s.bps, "bit/s"), s.frames,
		s.batches > 0 ? (double)s.frames / (double)s.batches : 0.0);
	fflush(out);
	r->last_ns = now;
	r->frames = all.frames;
	r->bytes = all.bytes;
	r->batches = all.batches;
}

/* From the first thread's first frame to the last one's last. */
static void
sum_all(const struct gen *g, struct total *s)
{
	uint64_t first = UINT64_MAX, last = 0;

	sum_counters(g, s);
	for (unsigned int i = 0; i < g->opts.nb_threads; i++) {
		const struct gen_thread *t = &g->threads[i];

		if (t->first_ns != 0 && t->first_ns < first)
			first = t->first_ns;
		if (t->last_ns > last)
			last = t->last_ns;
	}
	s->duration_ns = last > first ? last - first : 0;
	set_rates(g, s);
}

static void
sum_seq(const struct gen *g, struct seq *all)
{
	*all = g->threads[0].seq;
	for (unsigned int i = 1; i < g->opts.nb_threads; i++)
		seq_merge(all, &g->threads[i].seq);
}

static const struct {
	const char *key, *text;
	uint32_t ppm;
} percentiles[] = {
	{"p50", "50%", 500000},
	{"p90", "90%", 900000},
	{"p99", "99%", 990000},
	{"p99_9", "99.9%", 999000},
};
#define NB_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static void
text_latency(const struct gen_thread *t)
{
	const struct hist *h = &t->hist;

	printf("ping: %" PRIu64 " requests, %" PRIu64 " replies, %" PRIu64 " lost\n", t->nb_sent,
		h->nb, t->nb_sent - h->nb);
	if (h->nb == 0)
		return;
	printf("round trip in us: min %.1f", (double)h->min / 1000);
	for (size_t i = 0; i < NB_PERCENTILES; i++)
		printf("  %s %.1f", percentiles[i].text,
			(double)hist_percentile(h, percentiles[i].ppm) / 1000);
	printf("  max %.1f  mean %.1f\n", (double)h->max / 1000,
		(double)h->sum / (double)h->nb / 1000);
}

static void
text_seq(const struct seq *s)
{
	if (s->nb_streams > 0)
		printf("numbered: %" PRIu64 " frames of %" PRIu32 " sender%s, %" PRIu64
		       " lost, %" PRIu64 " out of order\n",
			seq_received(s), s->nb_streams, s->nb_streams == 1 ? "" : "s", seq_lost(s),
			s->late);
	if (s->untagged > 0)
		printf("not of vale-gen's, or without room for a number: %" PRIu64 " frames\n",
			s->untagged);
}

static void
text_summary(const struct gen *g, const struct total *s)
{
	static const char *const did[] = {"sent", "received", "answered", "answered"};
	char pps[UNITS_SZ + 8], bps[UNITS_SZ + 8];
	struct seq seq;

	printf("%s %" PRIu64 " frames, %" PRIu64 " bytes, in %.3f s: %s, %s\n", did[g->opts.func],
		s->frames, s->bytes, (double)s->duration_ns / 1e9, rate_text(g, pps, s->pps, "pps"),
		rate_text(g, bps, s->bps, "bit/s"));
	if (g->opts.func == GEN_RX) {
		sum_seq(g, &seq);
		text_seq(&seq);
	}
	if (g->opts.func == GEN_PING)
		text_latency(&g->threads[0]);
}

static void
json_seq(struct json *j, const struct gen *g)
{
	struct seq s;

	if (g->opts.func != GEN_RX) {
		json_null(j, "sequence");
		return;
	}
	sum_seq(g, &s);
	json_object(j, "sequence");
	json_number(j, "streams", s.nb_streams);
	json_number(j, "received", seq_received(&s));
	json_number(j, "lost", seq_lost(&s));
	json_number(j, "out_of_order", s.late);
	json_number(j, "other", s.untagged);
	json_close(j);
}

static void
json_latency(struct json *j, const struct gen *g)
{
	const struct gen_thread *t = &g->threads[0];
	const struct hist *h = &t->hist;

	if (g->opts.func != GEN_PING) {
		json_null(j, "requests");
		json_null(j, "lost");
		json_null(j, "latency_ns");
		return;
	}
	json_number(j, "requests", t->nb_sent);
	json_number(j, "lost", t->nb_sent - h->nb);
	if (h->nb == 0) {
		json_null(j, "latency_ns");
		return;
	}
	json_object(j, "latency_ns");
	json_number(j, "min", h->min);
	for (size_t i = 0; i < NB_PERCENTILES; i++)
		json_number(j, percentiles[i].key, hist_percentile(h, percentiles[i].ppm));
	json_number(j, "max", h->max);
	json_number(j, "mean", h->sum / h->nb);
	json_close(j);
}

static void
json_summary(const struct gen *g, const struct total *s, bool reached)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_string(&j, "function", func_name[g->opts.func]);
	json_string(&j, "port", g->opts.port);
	json_number(&j, "threads", g->opts.nb_threads);
	if (g->opts.count > 0)
		json_number(&j, "count", g->opts.count);
	else
		json_null(&j, "count");
	json_bool(&j, "reached", reached);
	json_number(&j, "frames", s->frames);
	json_number(&j, "bytes", s->bytes);
	json_number(&j, "batches", s->batches);
	json_number(&j, "duration_ns", s->duration_ns);
	json_number(&j, "pps", (uint64_t)s->pps);
	json_number(&j, "bps", (uint64_t)s->bps);
	json_seq(&j, g);
	json_latency(&j, g);
	json_close(&j);
	json_end(&j);
}

int
gen_summary(const struct gen *g)
{
	struct total s;
	bool reached, failed = false;

	for (unsigned int i = 0; i < g->opts.nb_threads; i++)
		failed |= g->threads[i].error != 0;
	sum_all(g, &s);
	reached = !failed && s.frames >= g->opts.count;
	if (g->opts.json)
		json_summary(g, &s, reached);
	else
		text_summary(g, &s);
	return reached ? GEN_OK : GEN_FAILED;
}
