/*
 * store/adjust.c
 *		Steps of apm.ingest that change times and names before storing.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "envelope/envelope.h"
#include "settings.h"
#include "store/adjust.h"
#include "store/infer.h"
#include "store/normalize.h"
#include "types/types.h"

/*
 * A sender's clock counts as wrong when it is off by this much.  Below that,
 * the way of the body through queues is indistinguishable from drift.
 * Source: Relay's minimum clock drift.
 */
#define MINIMUM_DRIFT_SECONDS (55 * 60)

/* What to add to every time of a body because its sender's clock is wrong. */
static int64
body_drift(const StoreBody *body)
{
	int64		drift;

	if (!apm_correct_clock_drift || body->sent_us == APM_MICROS_NULL)
		return 0;
	drift = types_unix_micros(body->received_at) - body->sent_us;
	if (drift / USECS_PER_SEC > -MINIMUM_DRIFT_SECONDS && drift / USECS_PER_SEC < MINIMUM_DRIFT_SECONDS)
		return 0;
	return drift;
}

/* Further shift of something that ends at end_us, so that it is neither too old nor too new. */
static int64
age_shift(const StoreBody *body, int64 end_us, const char **reason)
{
	int64		received_us = types_unix_micros(body->received_at);

	if (apm_max_future_seconds > 0 &&
		end_us > received_us + apm_max_future_seconds * USECS_PER_SEC)
		*reason = "future_timestamp";
	else if (apm_max_past_seconds > 0 &&
			 end_us < received_us - apm_max_past_seconds * USECS_PER_SEC)
		*reason = "past_timestamp";
	else
		return 0;
	return received_us - end_us;
}

/* Times may be moved up to here, about the year 255,000: timestamptz holds more. */
#define LAST_UNIX_US INT64CONST(8000000000000000000)

/* Does a time stay between 1970 and the end of time when it is moved? */
static bool
shift_fits(int64 us, int64 shift)
{
	if (shift < 0)
		return us >= -shift;
	return us <= LAST_UNIX_US - shift;
}

static void
shift_segment(StoreSegment *s, int64 shift)
{
	ApmSpan    *spans = palloc(sizeof(ApmSpan) * Max(s->segment.nspans, 1));
	int			i;

	for (i = 0; i < s->segment.nspans; i++)
	{
		spans[i] = s->segment.spans[i];
		if (shift_fits(spans[i].start_us + spans[i].duration_us, shift) &&
			shift_fits(spans[i].start_us, shift))
			spans[i].start_us += shift;
	}
	s->segment.spans = spans;
	if (s->segment.transaction != NULL)
		s->transaction.start_us += shift;
}

static void
note_shift(StoreBatch *batch, int item, const char *type, const char *reason, const char *detail)
{
	store_note(&batch->bodies[batch->items[item].body], APM_OUTCOME_REPAIRED,
			   batch->items[item].ordinal, type, reason, detail, 1);
}

/* Shift for something that ends at end_us; 0: none. Says so. */
static int64
item_shift(StoreBatch *batch, int item, const char *type, int64 end_us)
{
	static const char *const drift_detail =
		"The sender's clock is off: all times were moved by the difference.";
	static const char *const age_detail =
		"It ended outside of the accepted time: it was moved to the moment of arrival.";
	const StoreBody *body = &batch->bodies[batch->items[item].body];
	const char *reason = NULL;
	int64		drift = body_drift(body);
	int64		age;

	if (drift != 0 && !shift_fits(end_us, drift))
		drift = 0;
	if (drift != 0)
		note_shift(batch, item, type, "clock_drift", drift_detail);
	age = age_shift(body, end_us + drift, &reason);
	if (age != 0)
		note_shift(batch, item, type, reason, age_detail);
	return drift + age;
}

void
adjust_times(StoreBatch *batch)
{
	int			i;

	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];
		int64		shift;

		if (s->segment.nspans == 0)
			continue;
		shift = item_shift(batch, s->item, s->segment.has_event_id ? "transaction" : "span",
						   store_segment_end_us(s));
		if (shift != 0)
			shift_segment(s, shift);
	}
	for (i = 0; i < batch->nerrors; i++)
	{
		ApmError   *error = &batch->errors[i].error;

		if (error->event_us != APM_MICROS_NULL)
			error->event_us += item_shift(batch, batch->errors[i].item, "event", error->event_us);
	}
}

/* Only spans of HTTP are searched for a status. */
static bool
is_http(ApmStr op)
{
	return op.data != NULL && op.len >= 4 && memcmp(op.data, "http", 4) == 0;
}

/* Sets what can be inferred of a span; false if it stays as it is. */
static bool
infer_span(const StoreSegment *s, ApmSpan *span)
{
	bool		is_root = s->segment.transaction != NULL && span->span_id == s->transaction.span_id;
	bool		changed = false;

	if (apm_infer_ops && span->op.data == NULL)
	{
		span->op = infer_op(span->attributes, span->is_segment);
		changed = span->op.data != NULL;
	}
	if (apm_infer_statuses && span->status == APM_STATUS_NULL)
	{
		if (is_root && s->transaction.http_status != 0)
			span->status = infer_http_status(s->transaction.http_status);
		else if (is_http(span->op))
			span->status = infer_span_status(span->attributes);
		changed = changed || span->status != APM_STATUS_NULL;
	}
	return changed;
}

static void
infer_segment(StoreSegment *s)
{
	ApmSpan    *copy = NULL;
	int			i;

	for (i = 0; i < s->segment.nspans; i++)
	{
		ApmSpan		span = s->segment.spans[i];

		if ((span.op.data != NULL && span.status != APM_STATUS_NULL) || !infer_span(s, &span))
			continue;
		if (copy == NULL)
		{
			copy = palloc_extended(sizeof(ApmSpan) * s->segment.nspans, MCXT_ALLOC_HUGE);
			memcpy(copy, s->segment.spans, sizeof(ApmSpan) * s->segment.nspans);
			s->segment.spans = copy;
		}
		copy[i] = span;
		if (s->segment.transaction != NULL && span.span_id == s->transaction.span_id)
		{
			if (s->transaction.op.data == NULL)
				s->transaction.op = span.op;
			if (s->transaction.status == APM_STATUS_NULL)
				s->transaction.status = span.status;
		}
	}
}

void
adjust_inferred(StoreBatch *batch)
{
	int			i;

	if (!apm_infer_ops && !apm_infer_statuses)
		return;
	for (i = 0; i < batch->nsegments; i++)
		infer_segment(&batch->segments[i]);
}

static bool
str_in(ApmStr s, const char *const *list, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		if (s.len == strlen(list[i]) && memcmp(s.data, list[i], s.len) == 0)
			return true;
	return false;
}

/* Does this SDK send raw URLs as names without saying so? */
static bool
sdk_sends_urls(ApmStr sdk)
{
	static const char *const names[] = {
		"sentry.javascript.browser", "sentry.javascript.angular", "sentry.javascript.ember",
		"sentry.javascript.gatsby", "sentry.javascript.react", "sentry.javascript.remix",
		"sentry.javascript.vue", "sentry.javascript.nextjs", "sentry.php.laravel",
		"sentry.php.symfony"
	};
	const char *at = sdk.len ? memchr(sdk.data, '@', sdk.len) : NULL;

	if (at != NULL)
		sdk.len = (uint32) (at - sdk.data);
	return sdk.data != NULL && str_in(sdk, names, lengthof(names));
}

/* Attributes of the segment span itself. */
static ApmStr
root_attributes(const StoreSegment *s)
{
	static const ApmStr none = {NULL, 0};
	int			i;

	for (i = 0; i < s->segment.nspans; i++)
		if (s->segment.spans[i].span_id == s->transaction.span_id)
			return s->segment.spans[i].attributes;
	return none;
}

void
adjust_name(StoreSegment *s)
{
	static const char *const url_sources[] = {"url", "sanitized"};
	ApmTransaction *t = &s->transaction;

	if (apm_name_by_path)
		t->name = envelope_better_name(t, root_attributes(s));
	if (apm_normalize_names)
	{
		bool		url;

		if (t->source.data != NULL)
			url = str_in(t->source, url_sources, lengthof(url_sources));
		else
			url = sdk_sends_urls(t->sdk) && memchr(t->name.data, '/', t->name.len) != NULL;
		if (url)
		{
			t->name = normalize_name(t->name);
			t->source.data = "sanitized";
			t->source.len = strlen(t->source.data);
		}
	}
}
