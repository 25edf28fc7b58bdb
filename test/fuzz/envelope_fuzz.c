/*
 * envelope_fuzz.c
 *		Framing and all decoders, in both modes, over any bytes.
 *
 * Beyond not crashing: lenient mode keeps at least what strict mode keeps,
 * spans handed out are in order, and every slice is readable to its end.
 */
#include "context.h"

#include "envelope/decode.h"
#include "envelope/dsn.h"
#include "envelope/envelope.h"
#include "envelope/framing.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Tally
{
	int64		spans;
	int64		transactions;
	int64		errors;
	bool		framed;
	volatile unsigned sum;
} Tally;

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

/* Text has to be readable and, where it is text, without NUL. */
static void
touch(Tally *tally, ApmStr s, bool is_text)
{
	uint32		i;

	for (i = 0; i < s.len; i++)
	{
		if (is_text)
			expect(s.data[i] != '\0');
		tally->sum += (unsigned char) s.data[i];
	}
}

/* JSON that is handed out has to be JSON: jsonb is made of it later. */
static void
touch_json(Tally *tally, ApmStr s, JsonKind kind)
{
	JsonReader	r;

	if (s.data == NULL)
		return;
	touch(tally, s, true);
	json_reader_init(&r, s.data, s.len, JSON_DEPTH_LIMIT);
	expect(json_reader_peek(&r) == kind);
	expect(json_reader_skip(&r));
	expect(json_reader_finish(&r));
}

static void
on_segment(void *arg, const ApmSegment *segment)
{
	Tally	   *tally = arg;
	const ApmTransaction *t = segment->transaction;
	bool		found = false;
	int32		i;

	expect(segment->nspans > 0);
	for (i = 0; i < segment->nspans; i++)
	{
		const ApmSpan *span = &segment->spans[i];

		expect(memcmp(span->trace_id, segment->trace_id, 16) == 0);
		expect(span->segment_id == segment->segment_id);
		expect(span->span_id != 0 && span->start_us >= 0 && span->duration_us >= 0);
		expect(span->status >= APM_STATUS_NULL && span->status < APM_STATUS_COUNT);
		expect(span->self_time_us >= 0 || span->self_time_us == APM_MICROS_NULL);
		touch(tally, span->op, true);
		touch(tally, span->description, true);
		touch(tally, span->origin, true);
		touch_json(tally, span->attributes, JSON_KIND_OBJECT);
		found |= t != NULL && span->span_id == t->span_id && span->is_segment;
	}
	tally->spans += segment->nspans;
	touch(tally, segment->transaction_name, true);
	if (t == NULL)
		return;
	expect(found);
	expect(t->span_count >= segment->nspans);
	expect(t->weight >= 1 && t->duration_us >= 0);
	tally->transactions++;
	touch(tally, t->name, true);
	touch(tally, t->user_key, true);
	touch(tally, t->sdk, true);
	touch_json(tally, t->tags, JSON_KIND_OBJECT);
	touch_json(tally, t->measurements, JSON_KIND_OBJECT);
	touch_json(tally, t->contexts, JSON_KIND_OBJECT);
	touch(tally, envelope_better_name(t, segment->spans[0].attributes), true);
}

static void
on_error(void *arg, int32 ordinal, const ApmError *error)
{
	Tally	   *tally = arg;

	expect(ordinal > 0);
	tally->errors++;
	touch(tally, error->type, true);
	touch(tally, error->value, true);
	touch(tally, error->culprit, true);
	touch(tally, error->user_key, true);
	touch_json(tally, error->tags, JSON_KIND_OBJECT);
	touch_json(tally, error->data, JSON_KIND_OBJECT);
	touch_json(tally, error->fingerprint, JSON_KIND_ARRAY);
}

static void
on_header(void *arg, const ApmEnvelope *envelope)
{
	expect(envelope->sent_us >= 0 || envelope->sent_us == APM_MICROS_NULL);
	expect(envelope->project_id >= 0);
	touch(arg, envelope->public_key, true);
}

static void
on_item(void *arg, const ApmItem *item)
{
	touch_json(arg, item->header, JSON_KIND_OBJECT);
	touch(arg, item->payload, false);
}

static void
on_problem(void *arg, const ApmProblem *problem)
{
	Tally	   *tally = arg;

	expect(problem->quantity > 0);
	expect(problem->reason != NULL && problem->detail != NULL);
	touch(tally, problem->type, true);
	if (problem->ordinal == 0 && problem->outcome == APM_OUTCOME_REJECTED)
		tally->framed = false;
}

static void
decode(const uint8_t *data, size_t size, bool strict, Tally *tally)
{
	ApmDecodeOptions options = {.strict = strict, .max_depth = 128};
	ApmSink		sink = {
		.arg = tally, .header = on_header, .segment = on_segment,
		.error = on_error, .item = on_item, .problem = on_problem
	};
	uint8		event_id[16];

	memset(tally, 0, sizeof(*tally));
	tally->framed = true;
	envelope_decode((const char *) data, size, &options, &sink, event_id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Tally		strict;
	Tally		lenient;
	EnvelopeDsn dsn;

	context_begin();
	decode(data, size, true, &strict);
	decode(data, size, false, &lenient);
	context_end();
	expect(lenient.framed || !strict.framed);
	expect(lenient.spans >= strict.spans);
	expect(lenient.transactions >= strict.transactions);
	expect(lenient.errors >= strict.errors);
	envelope_parse_dsn(str_slice((const char *) data, (const char *) data + size), &dsn);
	return 0;
}
