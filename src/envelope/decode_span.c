/*
 * envelope/decode_span.c
 *		Span v1: children of a transaction and standalone span items.  Pure.
 */
#include "envelope/decode.h"

static const struct
{
	const char *reason;			/* of a child; without "span_" on its own */
	const char *detail;
}			faults[SPAN_FAULTS] = {
	[SPAN_OK] = {"span_ok", "span is valid"},
	[SPAN_NOT_OBJECT] = {"span_not_object", "span is not a JSON object"},
	[SPAN_TIMESTAMP] = {"span_timestamp", "span lacks a valid start or end time"},
	[SPAN_NEGATIVE_DURATION] = {"span_negative_duration", "span ends before it starts"},
	[SPAN_TRACE_ID] = {"span_trace_id", "span lacks a valid trace id"},
	[SPAN_SPAN_ID] = {"span_span_id", "span lacks a valid span id"},
	[SPAN_NAME] = {"span_name", "span lacks a name"},
	[SPAN_STATUS] = {"span_status", "span lacks a status"},
	[SPAN_TOO_MANY] = {"span_too_many", "item has more spans than can be held"},
	[SPAN_TOO_LARGE] = {"span_too_large", "span is larger than pg_apm.max_span_size"}
};

const char *
span_fault_reason(SpanFault fault, bool child)
{
	return child ? faults[fault].reason : faults[fault].reason + strlen("span_");
}

const char *
span_fault_detail(SpanFault fault)
{
	return faults[fault].detail;
}

void
span_drop(SpanDrops *drops, SpanFault fault, int64 offset)
{
	if (drops->count[fault]++ == 0)
		drops->offset[fault] = offset;
	if (drops->first == SPAN_OK)
		drops->first = fault;
}

void
span_report_drops(Decoder *d, const SpanDrops *drops, ApmOutcome outcome, bool child)
{
	int			fault;

	for (fault = SPAN_OK + 1; fault < SPAN_FAULTS; fault++)
		if (drops->count[fault] > 0)
			decode_problem(d, outcome, span_fault_reason(fault, child),
						   span_fault_detail(fault), drops->offset[fault],
						   drops->count[fault]);
}

/*
 * Attributes of a span: its data, with what else it has and no column for.
 * data alone, the usual case, is handed on as it stands.
 */
static ApmStr
attributes(const SpanV1 *s)
{
	DecodeBuf	buf = {0};

	if (s->tags.data == NULL && s->links.data == NULL && s->measurements.data == NULL)
		return s->data;
	buf_append_char(&buf, '{');
	buf_append_inner(&buf, s->data);
	buf_append_member(&buf, "tags", s->tags);
	buf_append_member(&buf, "links", s->links);
	buf_append_member(&buf, "measurements", s->measurements);
	buf_append_char(&buf, '}');
	return buf_str(&buf);
}

/* A container with something in it, as it stands; else NULL. */
static bool
container_or_null(JsonReader *r, ApmStr *text)
{
	JsonKind	kind = json_reader_peek(r);

	*text = str_null();
	if (kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY)
		return json_reader_skip(r);
	if (!json_reader_capture(r, text, NULL))
		return false;
	if (json_is_empty(*text))
		*text = str_null();
	return true;
}

/* Fields that few spans have. */
static bool
read_rare_field(JsonReader *r, const JsonString *key, SpanV1 *s)
{
	ApmSpan    *span = &s->span;
	int8		flag;

	if (KEY_IS(key, "tags"))
		return container_or_null(r, &s->tags);
	if (KEY_IS(key, "exclusive_time"))
		return value_millis(r, &span->self_time_us);
	if (KEY_IS(key, "segment_id"))
		return value_span_id(r, &span->segment_id);
	if (KEY_IS(key, "is_segment"))
	{
		if (!value_bool(r, &flag))
			return false;
		s->sent_is_segment = flag == 1;
		return true;
	}
	if (KEY_IS(key, "measurements"))
		return container_or_null(r, &s->measurements);
	if (KEY_IS(key, "links"))
		return container_or_null(r, &s->links);
	return json_reader_skip(r);
}

/* The fields of a span v1, in the order in which SDKs send most of them. */
static bool
read_field(JsonReader *r, const JsonString *key, SpanV1 *s, bool *has_trace)
{
	ApmSpan    *span = &s->span;

	if (KEY_IS(key, "span_id"))
		return value_span_id(r, &span->span_id);
	if (KEY_IS(key, "trace_id"))
		return value_trace_id(r, span->trace_id, has_trace);
	if (KEY_IS(key, "data"))
		return value_object(r, &s->data);
	if (KEY_IS(key, "description"))
		return value_text(r, &span->description);
	if (KEY_IS(key, "parent_span_id"))
		return value_span_id(r, &span->parent_span_id);
	if (KEY_IS(key, "start_timestamp"))
		return value_time(r, &s->start);
	if (KEY_IS(key, "timestamp"))
		return value_time(r, &s->end);
	if (KEY_IS(key, "status"))
		return value_status(r, &span->status);
	if (KEY_IS(key, "op"))
		return value_text(r, &span->op);
	if (KEY_IS(key, "origin"))
		return value_text(r, &span->origin);
	return read_rare_field(r, key, s);
}

/*
 * One span v1.  False on a JSON error only; *fault says whether the span,
 * well-formed as it is, may be kept.
 */
bool
span_v1_read(JsonReader *r, SpanV1 *out, SpanFault *fault)
{
	ApmSpan    *span = &out->span;
	JsonString	key;
	bool		has_trace = false;

	if (json_reader_peek(r) != JSON_KIND_OBJECT)
	{
		*fault = SPAN_NOT_OBJECT;
		return json_reader_skip(r);
	}
	memset(out, 0, sizeof(*out));
	span->status = APM_STATUS_NULL;
	out->start.us = APM_MICROS_NULL;
	out->end.us = APM_MICROS_NULL;
	span->self_time_us = APM_MICROS_NULL;

	if (!json_reader_enter_object(r))
		return false;
	while (json_reader_next_key(r, &key))
		if (!read_field(r, &key, out, &has_trace))
			return false;
	if (r->error != JSON_OK)
		return false;

	if (out->start.us == APM_MICROS_NULL || out->end.us == APM_MICROS_NULL)
		*fault = SPAN_TIMESTAMP;
	else if (decode_duration(out->start, out->end) < 0)
		*fault = SPAN_NEGATIVE_DURATION;
	else if (!has_trace)
		*fault = SPAN_TRACE_ID;
	else if (span->span_id == 0)
		*fault = SPAN_SPAN_ID;
	else
	{
		*fault = SPAN_OK;
		span->start_us = out->start.us;
		span->duration_us = decode_duration(out->start, out->end);
		span->op = str_nonempty(span->op);
		span->origin = str_nonempty(span->origin);
		span->attributes = attributes(out);
	}
	return true;
}

/* What the data of a standalone span says about its segment. */
static void
read_data(ApmStr data, ApmSpan *span, ApmSegment *segment, int max_depth)
{
	JsonReader	r;
	JsonString	key;
	ApmStr		sentry_name = str_null();
	ApmStr		sentry_release = str_null();
	ApmStr		sentry_environment = str_null();
	ApmStr		op = str_null();
	bool		ok = true;

	json_reader_init(&r, data.data, data.len, max_depth);
	if (data.data == NULL || !json_reader_enter_object(&r))
		return;
	while (ok && json_reader_next_key(&r, &key))
	{
		if (KEY_IS(&key, "sentry.segment.name"))
			ok = value_text(&r, &sentry_name);
		else if (KEY_IS(&key, "transaction"))
			ok = value_text(&r, &segment->transaction_name);
		else if (KEY_IS(&key, "sentry.release"))
			ok = value_text(&r, &sentry_release);
		else if (KEY_IS(&key, "release"))
			ok = value_text(&r, &segment->release);
		else if (KEY_IS(&key, "sentry.environment"))
			ok = value_text(&r, &sentry_environment);
		else if (KEY_IS(&key, "environment"))
			ok = value_text(&r, &segment->environment);
		else if (KEY_IS(&key, "sentry.op"))
			ok = value_text(&r, &op);
		else
			ok = json_reader_skip(&r);
	}
	segment->transaction_name = str_nonempty(sentry_name.len > 0 ? sentry_name :
											 segment->transaction_name);
	segment->release = str_nonempty(sentry_release.len > 0 ? sentry_release :
									segment->release);
	segment->environment = str_nonempty(sentry_environment.len > 0 ? sentry_environment :
										segment->environment);
	if (span->op.data == NULL)
		span->op = str_nonempty(op);
}

/*
 * A standalone span.  It never makes a transaction: SDKs mark the carriers of
 * single web vitals as segments of their own, and those are no page loads.
 */
bool
span_v1_decode(Decoder *d)
{
	JsonReader	r;
	SpanV1		s;
	SpanFault	fault;
	ApmSegment	segment;
	ApmSpan    *kept;

	json_reader_init(&r, d->item.payload, d->item.length, d->options->max_depth);
	r.strict_surrogates = d->options->strict;
	if (!span_v1_read(&r, &s, &fault) || !json_reader_finish(&r))
		return decode_reject_json(d, &r);
	if (fault != SPAN_OK)
		return decode_reject(d, span_fault_reason(fault, false), span_fault_detail(fault),
							 decode_offset(d, d->item.payload));

	s.span.is_segment = s.sent_is_segment || s.span.segment_id == s.span.span_id;
	if (s.span.is_segment)
		s.span.segment_id = s.span.span_id;

	memset(&segment, 0, sizeof(segment));
	segment.ordinal = d->item.ordinal;
	memcpy(segment.trace_id, s.span.trace_id, 16);
	segment.segment_id = s.span.segment_id;
	read_data(s.data, &s.span, &segment, d->options->max_depth);
	kept = palloc(sizeof(ApmSpan));
	*kept = s.span;
	segment.spans = kept;
	segment.nspans = 1;
	d->sink->segment(d->sink->arg, &segment);
	decode_repairs(d, &r);
	return true;
}
