/*
 * envelope/decode_container.c
 *		Span v2 containers: {"version": 2, "items": [span, ...]}.  Pure.
 *
 * A container is a piece of a stream: it may hold spans of several segments
 * and traces, or children without their segment.
 */
#include "envelope/decode.h"

#include <math.h>

#include "types/hex.h"

/* What the attributes of one span say beyond being attributes. */
typedef struct SpanAttributes
{
	ApmStr		op;
	ApmStr		origin;
	ApmStr		status;
	ApmStr		status_message;
	uint64		segment_id;
	ApmStr		segment_name;
	ApmStr		source;
	ApmStr		old_source;
	ApmStr		environment;
	ApmStr		release;
	ApmStr		platform;
	ApmStr		sdk_name;
	ApmStr		sdk_version;
	UserFields	user;
	UserFields	sentry_user;	/* the older names */
	ApmStr		http_method;
	int32		http_status;
	int64		self_time_us;
	double		client_sample_rate;
	double		sample_rate;
	DecodeBuf	vitals;			/* measurements, without the closing brace */
} SpanAttributes;

/* State of a container being read. */
typedef struct Container
{
	bool		has_items;
	char	   *flat;			/* attributes of all spans as plain JSON objects */
	size_t		flat_len;
	ApmSpan    *spans;
	SpanExtra  *extra;
	int32		nspans;
	int32		cap;
	ApmTransaction *transactions;
	int32		ntransactions;
	int32		transactions_cap;
	SpanDrops	drops;
} Container;

/* Attributes whose names begin with "sentry.". */
static bool
sentry_attribute(JsonReader *r, const JsonString *key, SpanAttributes *a)
{
	if (KEY_IS(key, "sentry.op"))
		return value_text(r, &a->op);
	if (KEY_IS(key, "sentry.origin"))
		return value_text(r, &a->origin);
	if (KEY_IS(key, "sentry.segment.id"))
		return value_span_id(r, &a->segment_id);
	if (KEY_IS(key, "sentry.segment.name"))
		return value_text(r, &a->segment_name);
	if (KEY_IS(key, "sentry.segment.name.source"))
		return value_text(r, &a->source);
	if (KEY_IS(key, "sentry.source") || KEY_IS(key, "sentry.transaction_info.source") ||
		KEY_IS(key, "sentry.span.source"))
		return value_text(r, &a->old_source);
	if (KEY_IS(key, "sentry.release"))
		return value_text(r, &a->release);
	if (KEY_IS(key, "sentry.environment"))
		return value_text(r, &a->environment);
	if (KEY_IS(key, "sentry.sdk.name"))
		return value_text(r, &a->sdk_name);
	if (KEY_IS(key, "sentry.sdk.version"))
		return value_text(r, &a->sdk_version);
	if (KEY_IS(key, "sentry.platform"))
		return value_text(r, &a->platform);
	if (KEY_IS(key, "sentry.status"))
		return value_text(r, &a->status);
	if (KEY_IS(key, "sentry.status.message"))
		return value_text(r, &a->status_message);
	if (KEY_IS(key, "sentry.exclusive_time"))
		return value_millis(r, &a->self_time_us);
	if (KEY_IS(key, "sentry.client_sample_rate"))
		return value_rate(r, &a->client_sample_rate);
	if (KEY_IS(key, "sentry.sample_rate"))
		return value_rate(r, &a->sample_rate);
	if (KEY_IS(key, "sentry.user.id"))
		return value_text(r, &a->sentry_user.id);
	if (KEY_IS(key, "sentry.user.username"))
		return value_text(r, &a->sentry_user.username);
	if (KEY_IS(key, "sentry.user.email"))
		return value_text(r, &a->sentry_user.email);
	if (KEY_IS(key, "sentry.user.ip"))
		return value_text(r, &a->sentry_user.ip);
	return json_reader_skip(r);
}

/* Attributes whose names begin with "user.". */
static bool
user_attribute(JsonReader *r, const JsonString *key, UserFields *user)
{
	if (KEY_IS(key, "user.id"))
		return value_text(r, &user->id);
	if (KEY_IS(key, "user.username") || KEY_IS(key, "user.name"))
		return value_text(r, &user->username);
	if (KEY_IS(key, "user.email"))
		return value_text(r, &user->email);
	if (KEY_IS(key, "user.ip_address"))
		return value_text(r, &user->ip);
	return json_reader_skip(r);
}

/* browser.web_vital.<name>.value: a number becomes a measurement. */
static bool
vital_attribute(JsonReader *r, const JsonString *key, DecodeBuf *vitals)
{
	static const char prefix[] = "browser.web_vital.";
	static const char suffix[] = ".value";
	const char *name = key->data + sizeof(prefix) - 1;
	size_t		len;
	ApmStr		value;
	const char *unit;

	if (key->seen != 0 || key->len <= sizeof(prefix) - 1 + sizeof(suffix) - 1 ||
		memcmp(key->data, prefix, sizeof(prefix) - 1) != 0 ||
		memcmp(key->data + key->len - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) != 0 ||
		json_reader_peek(r) != JSON_KIND_NUMBER)
		return json_reader_skip(r);
	if (!json_reader_number(r, &value))
		return false;
	len = key->len - (sizeof(prefix) - 1) - (sizeof(suffix) - 1);
	unit = len == 3 && memcmp(name, "cls", 3) == 0 ? "none" : "millisecond";
	buf_append_char(vitals, vitals->len == 0 ? '{' : ',');
	buf_append_char(vitals, '"');
	buf_append(vitals, name, len);
	buf_append(vitals, "\":{\"value\":", 11);
	buf_append(vitals, value.data, value.len);
	buf_append(vitals, ",\"unit\":\"", 9);
	buf_append(vitals, unit, strlen(unit));
	buf_append(vitals, "\"}", 2);
	return true;
}

/* The value of one attribute: most are told apart by their first letters. */
static bool
attribute_value(JsonReader *r, const JsonString *key, SpanAttributes *a)
{
	if (key->len > 7 && memcmp(key->data, "sentry.", 7) == 0)
		return sentry_attribute(r, key, a);
	if (key->len > 5 && memcmp(key->data, "user.", 5) == 0)
		return user_attribute(r, key, &a->user);
	if (key->len > 8 && memcmp(key->data, "browser.", 8) == 0)
		return vital_attribute(r, key, &a->vitals);
	if (KEY_IS(key, "http.request.method") || KEY_IS(key, "http.method"))
		return value_string(r, &a->http_method);
	if (KEY_IS(key, "http.response.status_code"))
		return value_http_status(r, &a->http_status);
	return json_reader_skip(r);
}

/* {"type", "value"}: the slice of its value; data == NULL if it has none. */
static bool
typed_value(JsonReader *r, const JsonString *key, SpanAttributes *a, ApmStr *value)
{
	JsonString	field;
	const char *start;

	*value = str_null();
	if (!json_reader_enter_object(r))
		return false;
	while (json_reader_next_key(r, &field))
	{
		if (KEY_IS(&field, "value"))
		{
			if (json_reader_peek(r) == JSON_KIND_ERROR)
				return false;
			start = r->pos;
			if (!attribute_value(r, key, a))
				return false;
			*value = str_slice(start, r->pos);
		}
		else if (!json_reader_skip(r))
			return false;
	}
	return r->error == JSON_OK;
}

static void
flat_append(Container *c, const char *s, size_t len)
{
	memcpy(c->flat + c->flat_len, s, len);
	c->flat_len += len;
}

/*
 * attributes: typed values flattened to {"key": value}.  The text that is
 * written is never longer than what was read, so one buffer of the payload's
 * length holds those of all spans.
 */
static bool
read_attributes(Container *c, JsonReader *r, SpanAttributes *a, ApmStr *flat)
{
	JsonString	key;
	ApmStr		value;
	size_t		start = c->flat_len;

	*flat = str_null();
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	flat_append(c, "{", 1);
	while (json_reader_next_key(r, &key))
	{
		if (json_reader_peek(r) == JSON_KIND_OBJECT)
		{
			if (!typed_value(r, &key, a, &value))
				return false;
			if (value.data == NULL)
				continue;
		}
		else if (!json_reader_capture(r, &value, NULL))
			return false;		/* an untyped value stays as it is */
		if (c->flat_len > start + 1)
			flat_append(c, ",", 1);
		flat_append(c, key.data - 1, key.len + 2);
		flat_append(c, ":", 1);
		flat_append(c, value.data, value.len);
	}
	if (r->error != JSON_OK)
		return false;
	flat_append(c, "}", 1);
	*flat = str_slice(c->flat + start, c->flat + c->flat_len);
	return true;
}

/*
 * v2 knows ok and error only.  Where an SDK also sends the finer name, as
 * sentry.status or as the status' message, that is taken.
 */
static int8
span_status(ApmStr status, const SpanAttributes *a)
{
	int			code = APM_STATUS_NULL;

	if (status.len == 0)
		return APM_STATUS_NULL;
	if (status.len == 5 && memcmp(status.data, "unset", 5) == 0 && a->status.len == 0)
		return APM_STATUS_NULL;
	if (a->status.len > 0)
		code = hex_status_code(a->status.data, a->status.len);
	if (code == APM_STATUS_NULL && a->status_message.len > 0)
		code = hex_status_code(a->status_message.data, a->status_message.len);
	if (code == APM_STATUS_NULL && !(status.len == 5 && memcmp(status.data, "error", 5) == 0))
		code = hex_status_code(status.data, status.len);
	else if (code == APM_STATUS_NULL)
		code = 13;				/* internal_error */
	return code == APM_STATUS_NULL ? 2 : (int8) code;
}

/* The user: of each field the current name, else the older one. */
static ApmStr
span_user_key(const SpanAttributes *a)
{
	UserFields	user = a->user;

	if (user.id.len == 0)
		user.id = a->sentry_user.id;
	if (user.username.len == 0)
		user.username = a->sentry_user.username;
	if (user.email.len == 0)
		user.email = a->sentry_user.email;
	if (user.ip.len == 0)
		user.ip = a->sentry_user.ip;
	return decode_user_key(&user);
}

/* A segment span makes a transaction; returns its index. */
static int32
add_transaction(Decoder *d, Container *c, const ApmSpan *span, SpanAttributes *a)
{
	ApmTransaction *t;

	if (c->ntransactions == c->transactions_cap)
	{
		c->transactions_cap = c->transactions_cap == 0 ? 4 : c->transactions_cap * 2;
		c->transactions = c->transactions == NULL ?
			palloc(c->transactions_cap * sizeof(ApmTransaction)) :
			repalloc(c->transactions, c->transactions_cap * sizeof(ApmTransaction));
	}
	t = &c->transactions[c->ntransactions];
	memset(t, 0, sizeof(*t));
	t->project_id = d->project_id;
	memcpy(t->trace_id, span->trace_id, 16);
	t->span_id = span->span_id;
	t->parent_span_id = span->parent_span_id;
	t->name = a->segment_name.len > 0 ? a->segment_name : span->description;
	if (t->name.len == 0)
		t->name = str_literal(UNLABELED_TRANSACTION);
	t->source = str_nonempty(a->source.len > 0 ? a->source : a->old_source);
	t->op = span->op;
	t->status = span->status;
	t->start_us = span->start_us;
	t->duration_us = span->duration_us;
	t->environment = str_nonempty(a->environment);
	t->release = str_nonempty(a->release);
	t->platform = str_nonempty(a->platform);
	t->sdk = decode_sdk(a->sdk_name, a->sdk_version);
	if (t->sdk.data == NULL)
		t->sdk = d->header_sdk;
	t->user_key = span_user_key(a);
	t->http_method = str_nonempty(a->http_method);
	t->http_status = a->http_status;
	if (a->vitals.len > 0)
	{
		buf_append_char(&a->vitals, '}');
		t->measurements = buf_str(&a->vitals);
	}
	t->sample_rate = !isnan(a->client_sample_rate) ? a->client_sample_rate :
		!isnan(a->sample_rate) ? a->sample_rate : d->dsc_sample_rate;
	t->weight = decode_weight(t->sample_rate);
	return c->ntransactions++;
}

/* Room for one more span; false if there are too many. */
static bool
grow_spans(Container *c)
{
	if (c->nspans < c->cap)
		return true;
	if (c->nspans >= DECODE_MAX_SPANS)
		return false;
	c->cap = c->cap == 0 ? 32 : c->cap * 2;
	c->spans = c->spans == NULL ? palloc(c->cap * sizeof(ApmSpan)) :
		repalloc(c->spans, c->cap * sizeof(ApmSpan));
	c->extra = c->extra == NULL ? palloc(c->cap * sizeof(SpanExtra)) :
		repalloc(c->extra, c->cap * sizeof(SpanExtra));
	return true;
}

/* The plain fields of a span v2, as they come. */
typedef struct SpanV2
{
	ApmSpan		span;
	bool		has_trace_id;
	bool		has_name;
	DecodeTime	start;
	DecodeTime	end;
	ApmStr		status;
	int8		is_segment;		/* -1: not said */
	ApmStr		links;
	SpanAttributes a;
} SpanV2;

static bool
read_field(Container *c, JsonReader *r, const JsonString *key, SpanV2 *s)
{
	ApmSpan    *span = &s->span;

	if (KEY_IS(key, "attributes"))
	{
		/* Of duplicate keys the last counts: forget the earlier one. */
		memset(&s->a, 0, sizeof(s->a));
		s->a.self_time_us = APM_MICROS_NULL;
		s->a.client_sample_rate = NAN;
		s->a.sample_rate = NAN;
		return read_attributes(c, r, &s->a, &span->attributes);
	}
	if (KEY_IS(key, "name"))
	{
		s->has_name = json_reader_peek(r) == JSON_KIND_STRING ||
			json_reader_peek(r) == JSON_KIND_NUMBER;
		return value_text(r, &span->description);
	}
	if (KEY_IS(key, "span_id"))
		return value_span_id(r, &span->span_id);
	if (KEY_IS(key, "trace_id"))
		return value_trace_id(r, span->trace_id, &s->has_trace_id);
	if (KEY_IS(key, "parent_span_id"))
		return value_span_id(r, &span->parent_span_id);
	if (KEY_IS(key, "start_timestamp"))
		return value_time(r, &s->start);
	if (KEY_IS(key, "end_timestamp"))
		return value_time(r, &s->end);
	if (KEY_IS(key, "is_segment"))
		return value_bool(r, &s->is_segment);
	if (KEY_IS(key, "status"))
		return value_string(r, &s->status);
	if (KEY_IS(key, "links") && json_reader_peek(r) == JSON_KIND_ARRAY)
		return json_reader_capture(r, &s->links, NULL);
	return json_reader_skip(r);
}

/* What is wrong with a span.  Strict mode asks for all that v2 requires. */
static SpanFault
check_span(const SpanV2 *s, bool strict)
{
	if (s->start.us == APM_MICROS_NULL || s->end.us == APM_MICROS_NULL)
		return SPAN_TIMESTAMP;
	if (decode_duration(s->start, s->end) < 0)
		return SPAN_NEGATIVE_DURATION;
	if (!s->has_trace_id)
		return SPAN_TRACE_ID;
	if (s->span.span_id == 0)
		return SPAN_SPAN_ID;
	if (strict && !s->has_name)
		return SPAN_NAME;
	if (strict && s->status.len == 0)
		return SPAN_STATUS;
	return SPAN_OK;
}

/* Adds a valid span to the container. */
static void
add_span(Decoder *d, Container *c, SpanV2 *s)
{
	ApmSpan    *span = &c->spans[c->nspans];
	SpanExtra  *extra = &c->extra[c->nspans];
	SpanAttributes *a = &s->a;

	*span = s->span;
	span->start_us = s->start.us;
	span->duration_us = decode_duration(s->start, s->end);
	span->self_time_us = a->self_time_us;
	span->op = str_nonempty(a->op);
	span->origin = str_nonempty(a->origin);
	span->status = span_status(s->status, a);
	span->segment_id = a->segment_id;
	span->is_segment = s->is_segment == 1 ||
		(s->is_segment == -1 && a->segment_id == span->span_id);
	if (s->links.data != NULL && !json_is_empty(s->links))
	{
		DecodeBuf	buf = {0};

		buf_append_char(&buf, '{');
		buf_append_inner(&buf, span->attributes);
		buf_append_member(&buf, "links", s->links);
		buf_append_char(&buf, '}');
		span->attributes = buf_str(&buf);
	}

	extra->segment_name = str_nonempty(a->segment_name);
	extra->environment = str_nonempty(a->environment);
	extra->release = str_nonempty(a->release);
	extra->transaction = -1;
	extra->orphan = !span->is_segment && span->segment_id == 0;
	if (span->is_segment)
	{
		span->segment_id = span->span_id;
		extra->transaction = add_transaction(d, c, span, a);
	}
	c->nspans++;
}

/* One element of items. */
static bool
read_span(Decoder *d, Container *c, JsonReader *r)
{
	const char *start = r->pos;
	size_t		flat_before = c->flat_len;
	SpanV2		s;
	JsonString	key;
	SpanFault	fault;

	if (json_reader_peek(r) != JSON_KIND_OBJECT)
	{
		span_drop(&c->drops, SPAN_NOT_OBJECT, decode_offset(d, start));
		return json_reader_skip(r);
	}
	memset(&s, 0, sizeof(s));
	s.start.us = APM_MICROS_NULL;
	s.end.us = APM_MICROS_NULL;
	s.is_segment = -1;
	s.a.self_time_us = APM_MICROS_NULL;
	s.a.client_sample_rate = NAN;
	s.a.sample_rate = NAN;
	if (!json_reader_enter_object(r))
		return false;
	while (json_reader_next_key(r, &key))
		if (!read_field(c, r, &key, &s))
			return false;
	if (r->error != JSON_OK)
		return false;

	fault = check_span(&s, d->options->strict);
	if (fault == SPAN_OK && d->options->max_span_size > 0 &&
		r->pos - start > d->options->max_span_size)
		fault = SPAN_TOO_LARGE;
	if (fault == SPAN_OK && !grow_spans(c))
		fault = SPAN_TOO_MANY;
	if (fault == SPAN_OK)
		add_span(d, c, &s);
	else
	{
		span_drop(&c->drops, fault, decode_offset(d, start));
		c->flat_len = flat_before;
	}
	return true;
}

/* items: of duplicate keys the last counts. */
static bool
read_items(Decoder *d, Container *c, JsonReader *r)
{
	c->has_items = json_reader_peek(r) == JSON_KIND_ARRAY;
	c->nspans = 0;
	c->ntransactions = 0;
	memset(&c->drops, 0, sizeof(c->drops));
	if (!c->has_items)
		return json_reader_skip(r);
	if (!json_reader_enter_array(r))
		return false;
	while (json_reader_next_element(r))
		if (!read_span(d, c, r))
			return false;
	return r->error == JSON_OK;
}

/*
 * A span v2 container.  Relay judges each span of it on its own, so in both
 * modes a bad span costs only itself.  An item_count that is wrong or absent
 * says nothing about the spans that are there, so it is not looked at.
 */
bool
container_decode(Decoder *d)
{
	JsonReader	r;
	JsonString	key;
	Container	c;
	bool		ok;

	memset(&c, 0, sizeof(c));
	json_reader_init(&r, d->item.payload, d->item.length, d->options->max_depth);
	r.strict_surrogates = d->options->strict;
	c.flat = palloc(d->item.length + 1);
	ok = json_reader_enter_object(&r);
	while (ok && json_reader_next_key(&r, &key))
		ok = KEY_IS(&key, "items") ? read_items(d, &c, &r) : json_reader_skip(&r);
	if (!ok || !json_reader_finish(&r))
		return decode_reject_json(d, &r);
	if (!c.has_items)
		return decode_reject(d, "container", "container has no list of items",
							 decode_offset(d, d->item.payload));

	if (c.nspans == 0 && c.drops.first == SPAN_OK)
		decode_problem(d, APM_OUTCOME_SKIPPED, "empty", "container has no spans", -1, 1);
	group_resolve(c.spans, c.extra, c.nspans);
	group_emit(d, c.spans, c.extra, c.nspans, c.transactions);
	span_report_drops(d, &c.drops,
					  d->options->strict ? APM_OUTCOME_REJECTED : APM_OUTCOME_DROPPED,
					  false);
	decode_repairs(d, &r);
	return true;
}
