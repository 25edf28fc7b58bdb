/*
 * envelope/decode_event.c
 *		Transaction and event items.  Pure.
 */
#include "envelope/decode.h"

#include <math.h>

/* Room for one more span; false if there are too many. */
static bool
grow_spans(EventPayload *e)
{
	if (e->nspans < e->spans_cap)
		return true;
	if (e->nspans >= DECODE_MAX_SPANS)
		return false;
	e->spans_cap = e->spans_cap == 0 ? 16 : e->spans_cap * 2;
	e->spans = e->spans == NULL ? palloc(e->spans_cap * sizeof(ApmSpan)) :
		repalloc(e->spans, e->spans_cap * sizeof(ApmSpan));
	return true;
}

/* spans: the children.  Bad ones are only counted here. */
static bool
read_spans(Decoder *d, JsonReader *r, EventPayload *e)
{
	SpanV1		s;
	SpanFault	fault;
	const char *start;

	e->nspans = 1;
	memset(&e->drops, 0, sizeof(e->drops));
	if (json_reader_peek(r) != JSON_KIND_ARRAY)
		return json_reader_skip(r);
	if (!json_reader_enter_array(r))
		return false;
	while (json_reader_next_element(r))
	{
		start = r->pos;
		if (!span_v1_read(r, &s, &fault))
			return false;
		if (fault == SPAN_OK && !grow_spans(e))
			fault = SPAN_TOO_MANY;
		if (fault == SPAN_OK)
			e->spans[e->nspans++] = s.span;
		else
			span_drop(&e->drops, fault, decode_offset(d, start));
	}
	return r->error == JSON_OK;
}

/* transaction_info.source */
static bool
read_source(JsonReader *r, ApmStr *source)
{
	JsonString	key;
	bool		ok = true;

	*source = str_null();
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
		ok = KEY_IS(&key, "source") ? value_string(r, source) : json_reader_skip(r);
	return r->error == JSON_OK;
}

/* timestamp, and whether it lies before 1970. */
static bool
read_end(JsonReader *r, EventPayload *e)
{
	if (!value_time_signed(r, &e->end))
		return false;
	e->before_1970 = e->end.us < 0 && e->end.us != APM_MICROS_NULL;
	if (e->before_1970)
		e->end.us = APM_MICROS_NULL;
	return true;
}

/* Fields with a column of their own; *known tells whether key is one. */
static bool
read_column(JsonReader *r, const JsonString *key, EventPayload *e, bool *known)
{
	*known = true;
	if (KEY_IS(key, "event_id"))
		return value_event_id(r, e->event_id, &e->has_event_id);
	if (KEY_IS(key, "transaction"))
		return value_text(r, &e->name);
	if (KEY_IS(key, "timestamp"))
		return read_end(r, e);
	if (KEY_IS(key, "release"))
		return value_text(r, &e->release);
	if (KEY_IS(key, "environment"))
		return value_text(r, &e->environment);
	if (KEY_IS(key, "tags"))
		return value_tags(r, &e->tags, &e->tag_http_status, &e->dropped_tags);
	if (KEY_IS(key, "type"))
		return value_string(r, &e->type);
	if (KEY_IS(key, "level"))
		return value_string(r, &e->level);
	if (KEY_IS(key, "culprit"))
		return value_text(r, &e->culprit);
	if (KEY_IS(key, "fingerprint"))
		return value_fingerprint(r, &e->fingerprint);
	*known = false;
	return true;
}

/* Fields that are read and, in an error, belong to its data as well. */
static bool
read_field(Decoder *d, JsonReader *r, const JsonString *key, EventPayload *e)
{
	if (KEY_IS(key, "contexts"))
		return event_contexts(r, e);
	if (KEY_IS(key, "spans"))
		return read_spans(d, r, e);
	if (KEY_IS(key, "start_timestamp"))
		return value_time(r, &e->start);
	if (KEY_IS(key, "user"))
		return event_user(r, e);
	if (KEY_IS(key, "request"))
		return event_request(r, e);
	if (KEY_IS(key, "extra"))
		return value_object(r, &e->extra_json);
	if (KEY_IS(key, "sdk"))
		return value_sdk(r, &e->sdk);
	if (KEY_IS(key, "platform"))
		return value_string(r, &e->platform);
	if (KEY_IS(key, "transaction_info"))
		return read_source(r, &e->source);
	if (KEY_IS(key, "measurements"))
		return value_measurements(r, &e->measurements, &e->bad_measurements);
	if (KEY_IS(key, "server_name"))
		return json_reader_capture(r, &e->server_name_json, NULL);
	if (KEY_IS(key, "dist"))
		return json_reader_capture(r, &e->dist_json, NULL);
	if (KEY_IS(key, "exception") || KEY_IS(key, "sentry.interfaces.Exception"))
		return event_exception(r, &e->exception);
	if (KEY_IS(key, "message"))
		return event_logentry(r, &e->message);
	if (KEY_IS(key, "logentry") || KEY_IS(key, "sentry.interfaces.Message"))
		return event_logentry(r, &e->logentry);
	return json_reader_skip(r);
}

/* Adds a member, "key":value, to the data of an error. */
static void
keep_rest(EventPayload *e, const char *start, const char *end)
{
	buf_append_char(&e->rest, e->rest.len == 0 ? '{' : ',');
	buf_append(&e->rest, start, end - start);
}

/* Reads a whole payload. */
static bool
read_payload(Decoder *d, JsonReader *r, EventPayload *e)
{
	JsonString	key;
	bool		known;

	if (!json_reader_enter_object(r))
		return false;
	while (json_reader_next_key(r, &key))
	{
		if (!read_column(r, &key, e, &known))
			return false;
		if (known)
			continue;
		if (!read_field(d, r, &key, e))
			return false;
		if (e->want_rest)
			keep_rest(e, key.data - 1, r->pos);
	}
	return json_reader_finish(r);
}

/*
 * The contexts column: contexts as sent, and what else of the payload has no
 * column but is asked for when looking at a transaction.
 */
static ApmStr
transaction_contexts(const EventPayload *e)
{
	DecodeBuf	buf = {0};

	if (e->user_json.data == NULL && e->request_json.data == NULL &&
		e->extra_json.data == NULL && e->server_name_json.data == NULL &&
		e->dist_json.data == NULL)
		return e->contexts_json;
	buf_append_char(&buf, '{');
	buf_append_inner(&buf, e->contexts_json);
	buf_append_member(&buf, "request", e->request_json);
	buf_append_member(&buf, "user", e->user_json);
	buf_append_member(&buf, "extra", e->extra_json);
	buf_append_member(&buf, "server_name", e->server_name_json);
	buf_append_member(&buf, "dist", e->dist_json);
	buf_append_char(&buf, '}');
	return buf_str(&buf);
}

/*
 * Status of the response that the transaction gave.  Relay goes on to the
 * status codes of child spans and breadcrumbs; those tell what a called
 * service answered, so they are left alone here.
 */
static int32
transaction_http_status(const EventPayload *e)
{
	if (e->tag_http_status != 0)
		return e->tag_http_status;
	if (e->trace.data_http_status != 0)
		return e->trace.data_http_status;
	return e->response_status;
}

static double
transaction_sample_rate(const Decoder *d, const EventPayload *e)
{
	if (!isnan(e->trace.client_sample_rate))
		return e->trace.client_sample_rate;
	if (!isnan(e->trace.data_sample_rate))
		return e->trace.data_sample_rate;
	return d->dsc_sample_rate;
}

static void
fill_transaction(Decoder *d, const EventPayload *e, ApmTransaction *t)
{
	const TraceContext *trace = &e->trace;

	memset(t, 0, sizeof(*t));
	t->project_id = d->project_id;
	t->has_event_id = d->frame.has_event_id || e->has_event_id;
	if (t->has_event_id)
		memcpy(t->event_id, d->frame.has_event_id ? d->frame.event_id : e->event_id, 16);
	memcpy(t->trace_id, trace->trace_id, 16);
	t->span_id = trace->span_id;
	t->parent_span_id = trace->parent_span_id;
	t->name = e->name.len > 0 ? e->name : str_literal(UNLABELED_TRANSACTION);
	t->source = str_nonempty(e->source);
	t->op = trace->op;
	t->status = trace->status;
	t->start_us = e->start.us;
	t->duration_us = decode_duration(e->start, e->end);
	t->environment = str_nonempty(e->environment);
	t->release = str_nonempty(e->release);
	t->platform = str_nonempty(e->platform);
	t->sdk = e->sdk.data != NULL ? e->sdk : d->header_sdk;
	t->user_key = decode_user_key(&e->user);
	t->http_method = str_nonempty(e->request_method.len > 0 ? e->request_method :
								  trace->data_method);
	t->http_status = transaction_http_status(e);
	t->measurements = e->measurements;
	t->tags = e->tags;
	t->contexts = transaction_contexts(e);
	t->sample_rate = transaction_sample_rate(d, e);
	t->weight = decode_weight(t->sample_rate);
	t->span_count = e->nspans;
}

/* The root span, made of the trace context; and the children's segment. */
static void
fill_spans(EventPayload *e, const ApmTransaction *t)
{
	ApmSpan    *root;
	int32		i;

	grow_spans(e);
	root = &e->spans[0];
	memset(root, 0, sizeof(*root));
	memcpy(root->trace_id, t->trace_id, 16);
	root->span_id = t->span_id;
	root->parent_span_id = t->parent_span_id;
	root->segment_id = t->span_id;
	root->is_segment = true;
	root->status = t->status;
	root->start_us = t->start_us;
	root->duration_us = t->duration_us;
	root->self_time_us = e->trace.self_time_us;
	root->op = t->op;
	root->description = t->name;
	root->origin = e->trace.origin;
	root->attributes = e->trace.data;
	for (i = 1; i < e->nspans; i++)
	{
		e->spans[i].segment_id = t->span_id;
		e->spans[i].is_segment = false;
	}
}

/* Hands out a transaction with its spans. */
static void
emit_transaction(Decoder *d, EventPayload *e)
{
	ApmTransaction *t = palloc(sizeof(ApmTransaction));	/* the receiver keeps it */
	ApmSegment	segment;
	SpanExtra  *extra;
	int32		i;

	fill_transaction(d, e, t);
	fill_spans(e, t);
	if (t->has_event_id)
		decode_note_event_id(d, t->event_id);
	for (i = 1; i < e->nspans; i++)
		if (memcmp(e->spans[i].trace_id, t->trace_id, 16) != 0)
			break;
	if (i == e->nspans)
	{
		memset(&segment, 0, sizeof(segment));
		segment.ordinal = d->item.ordinal;
		segment.has_event_id = t->has_event_id;
		segment.transaction = t;
		memcpy(segment.trace_id, t->trace_id, 16);
		segment.segment_id = t->span_id;
		segment.transaction_name = t->name;
		segment.environment = t->environment;
		segment.release = t->release;
		segment.spans = e->spans;
		segment.nspans = e->nspans;
		d->sink->segment(d->sink->arg, &segment);
		return;
	}

	/* Some children name another trace: they go out as parts of that one. */
	extra = palloc0(e->nspans * sizeof(SpanExtra));
	for (i = 0; i < e->nspans; i++)
	{
		extra[i].transaction = i == 0 ? 0 : -1;
		extra[i].segment_name = t->name;
		extra[i].environment = t->environment;
		extra[i].release = t->release;
	}
	group_emit(d, e->spans, extra, e->nspans, t);
}

/* Checks a transaction in the order in which Relay does, and hands it out. */
static bool
finish_transaction(Decoder *d, EventPayload *e)
{
	int64		offset = decode_offset(d, d->item.payload);

	if (e->end.us == APM_MICROS_NULL || e->start.us == APM_MICROS_NULL)
		return decode_reject(d, "timestamp",
							 "transaction lacks a valid start or end time", offset);
	if (decode_duration(e->start, e->end) < 0)
		return decode_reject(d, "negative_duration",
							 "transaction ends before it starts", offset);
	if (!e->trace.present)
		return decode_reject(d, "missing_trace_context",
							 "transaction lacks a trace context", offset);
	if (!e->trace.has_trace_id)
		return decode_reject(d, "trace_id", "transaction lacks a valid trace id", offset);
	if (e->trace.span_id == 0)
		return decode_reject(d, "span_id", "transaction lacks a valid span id", offset);
	if (e->drops.first != SPAN_OK && d->options->strict)
		return decode_reject(d, span_fault_reason(e->drops.first, true),
							 span_fault_detail(e->drops.first),
							 e->drops.offset[e->drops.first]);
	emit_transaction(d, e);
	span_report_drops(d, &e->drops, APM_OUTCOME_DROPPED, true);
	if (e->bad_measurements > 0)
		decode_problem(d, APM_OUTCOME_DROPPED, "measurement",
					   "measurement has no name or no number", offset, e->bad_measurements);
	return true;
}

/* The data of an error: its payload less what has a column. */
static ApmStr
error_data(EventPayload *e)
{
	if (e->rest.len == 0)
		return str_literal("{}");
	buf_append_char(&e->rest, '}');
	return buf_str(&e->rest);
}

/* Hands out an error or message event. */
static bool
finish_error(Decoder *d, EventPayload *e)
{
	ApmError	error;

	if (e->before_1970)
		return decode_reject(d, "timestamp", "time of the event lies before 1970",
							 decode_offset(d, d->item.payload));
	memset(&error, 0, sizeof(error));
	error.project_id = d->project_id;
	error.has_event_id = d->frame.has_event_id || e->has_event_id;
	if (error.has_event_id)
	{
		memcpy(error.event_id, d->frame.has_event_id ? d->frame.event_id : e->event_id, 16);
		decode_note_event_id(d, error.event_id);
	}
	error.has_trace_id = e->trace.has_trace_id;
	memcpy(error.trace_id, e->trace.trace_id, 16);
	error.span_id = e->trace.has_trace_id ? e->trace.span_id : 0;
	error.level = e->level.len > 0 ? e->level : str_literal("error");
	error.handled = -1;
	if (e->exception.count > 0)
	{
		error.type = e->exception.type.len > 0 ? e->exception.type : str_literal("<unknown>");
		error.value = e->exception.value;
		if (e->exception.any_unhandled)
			error.handled = 0;
		else if (e->exception.any_handled)
			error.handled = 1;
	}
	else
		error.value = e->logentry.data != NULL ? e->logentry : e->message;
	error.transaction_name = str_nonempty(e->name);
	error.culprit = e->culprit.len > 0 ? e->culprit : error.transaction_name;
	error.release = str_nonempty(e->release);
	error.environment = str_nonempty(e->environment);
	error.user_key = decode_user_key(&e->user);
	error.fingerprint = e->fingerprint;
	error.event_us = e->end.us;
	error.tags = e->tags;
	error.data = error_data(e);
	d->sink->error(d->sink->arg, d->item.ordinal, &error);
	return true;
}

/*
 * A transaction or event item.  An event item whose payload calls itself a
 * transaction is one.
 */
bool
event_decode(Decoder *d, bool is_transaction)
{
	JsonReader	r;
	EventPayload e;

	memset(&e, 0, sizeof(e));
	e.start.us = APM_MICROS_NULL;
	e.end.us = APM_MICROS_NULL;
	e.nspans = 1;
	e.want_rest = !is_transaction;

	json_reader_init(&r, d->item.payload, d->item.length, d->options->max_depth);
	r.strict_surrogates = d->options->strict;
	if (json_reader_peek(&r) != JSON_KIND_OBJECT && r.error == JSON_OK)
	{
		if (json_reader_skip(&r) && json_reader_finish(&r))
			return decode_reject(d, "not_object", "payload is not a JSON object",
								 decode_offset(d, d->item.payload));
		return decode_reject_json(d, &r);
	}
	if (!read_payload(d, &r, &e))
		return decode_reject_json(d, &r);
	if (e.type.len == 11 && memcmp(e.type.data, "transaction", 11) == 0)
		is_transaction = true;
	if (is_transaction ? !finish_transaction(d, &e) : !finish_error(d, &e))
		return false;
	if (e.dropped_tags > 0)
		decode_problem(d, APM_OUTCOME_DROPPED, "too_many_tags",
					   "payload has more than 100,000 tags in a list",
					   decode_offset(d, d->item.payload), e.dropped_tags);
	decode_repairs(d, &r);
	return true;
}
