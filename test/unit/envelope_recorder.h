/*
 * envelope_recorder.h
 *		A sink that writes down what a decoder emits, one line for each thing,
 *		so that a test compares texts.
 */
#ifndef ENVELOPE_RECORDER_H
#define ENVELOPE_RECORDER_H

#include <stdarg.h>

#include "envelope/envelope.h"
#include "types/hex.h"

/* The decoder leaves its memory to a context that these programs do not have. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static int	failures = 0;

#define CHECK(c) \
	do { \
		if (!(c)) \
		{ \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); \
			failures++; \
		} \
	} while (0)

typedef struct Recorder
{
	char		text[65536];
	size_t		len;
	int			segments;
	int			transactions;
	int			spans;
	int			errors;
	int64		problems[4];	/* quantity by outcome */
	const char *reason;			/* of the last rejection */
	int64		offset;
	ApmTransaction transaction; /* the last one */
	ApmSpan		span;			/* the last one */
	ApmError	error;			/* the last one */
	ApmItem		item;			/* the last one not decoded */
	ApmEnvelope envelope;
} Recorder;

static void record(Recorder *rec, const char *format,...) __attribute__((format(printf, 2, 3)));

static void
record(Recorder *rec, const char *format,...)
{
	va_list		args;
	int			n;

	va_start(args, format);
	n = vsnprintf(rec->text + rec->len, sizeof(rec->text) - rec->len, format, args);
	va_end(args);
	rec->len = Min(rec->len + n, sizeof(rec->text) - 1);
}

/* Whatever is handed out has to be readable to its last byte. */
static unsigned
touch(ApmStr s)
{
	unsigned	sum = 0;
	uint32		i;

	for (i = 0; i < s.len; i++)
		sum += (unsigned char) s.data[i];
	return sum;
}

static void
record_segment(void *arg, const ApmSegment *segment)
{
	Recorder   *rec = arg;
	int32		i;

	rec->segments++;
	record(rec, "segment %016llx%s: ", (unsigned long long) segment->segment_id,
		   segment->transaction != NULL ? " with transaction" : "");
	if (segment->transaction != NULL)
	{
		rec->transactions++;
		rec->transaction = *segment->transaction;
		record(rec, "\"%.*s\" ", (int) segment->transaction->name.len,
			   segment->transaction->name.data);
		touch(segment->transaction->contexts);
		touch(segment->transaction->tags);
		touch(segment->transaction->measurements);
		touch(segment->transaction->user_key);
	}
	for (i = 0; i < segment->nspans; i++)
	{
		const ApmSpan *span = &segment->spans[i];

		rec->spans++;
		rec->span = *span;
		CHECK(memcmp(span->trace_id, segment->trace_id, 16) == 0);
		CHECK(span->segment_id == segment->segment_id);
		CHECK(span->duration_us >= 0);
		CHECK(span->start_us >= 0);
		CHECK(span->span_id != 0);
		record(rec, "%s%llx", i > 0 ? "," : "", (unsigned long long) span->span_id);
		touch(span->attributes);
		touch(span->description);
		touch(span->op);
	}
	record(rec, "\n");
}

static void
record_header(void *arg, const ApmEnvelope *envelope)
{
	Recorder   *rec = arg;

	rec->envelope = *envelope;
}

static void
record_item(void *arg, const ApmItem *item)
{
	Recorder   *rec = arg;

	rec->item = *item;
	touch(item->header);
	touch(item->payload);
}

static void
record_error(void *arg, int32 ordinal, const ApmError *error)
{
	Recorder   *rec = arg;

	rec->errors++;
	rec->error = *error;
	touch(error->data);
	touch(error->tags);
	record(rec, "error %d: %.*s\n", (int) ordinal, (int) error->type.len,
		   error->type.data == NULL ? "" : error->type.data);
}

static void
record_problem(void *arg, const ApmProblem *problem)
{
	static const char *const outcomes[] = {"rejected", "skipped", "dropped", "repaired"};
	Recorder   *rec = arg;

	rec->problems[problem->outcome] += problem->quantity;
	if (problem->outcome == APM_OUTCOME_REJECTED)
	{
		rec->reason = problem->reason;
		rec->offset = problem->offset;
	}
	record(rec, "%s %d %s %d\n", outcomes[problem->outcome], (int) problem->ordinal,
		   problem->reason, (int) problem->quantity);
}

/* Decodes len bytes from a copy of exactly that length, so that ASan sees a read beyond. */
static void
decode_bytes(Recorder *rec, const char *body, size_t len, bool strict)
{
	ApmDecodeOptions options = {.strict = strict, .max_depth = 128};
	ApmSink		sink = {
		.arg = rec, .header = record_header, .segment = record_segment,
		.error = record_error, .item = record_item, .problem = record_problem
	};
	char	   *copy = palloc(len);
	uint8		event_id[16];

	memset(rec, 0, sizeof(*rec));
	if (len > 0)
		memcpy(copy, body, len);
	envelope_decode(copy, len, &options, &sink, event_id);
	/* copy stays: the recorder keeps slices of it */
}

static inline void
decode_text(Recorder *rec, const char *body, bool strict)
{
	decode_bytes(rec, body, strlen(body), strict);
}

static inline bool
str_is(ApmStr s, const char *text)
{
	return text == NULL ? s.data == NULL :
		s.data != NULL && s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

#endif							/* ENVELOPE_RECORDER_H */
