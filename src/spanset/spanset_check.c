/*
 * spanset/spanset_check.c
 *		What a packed value from outside must fulfil beyond being decodable.
 *		Pure: no server headers.
 */
#include "json/reader.h"
#include "spanset/spanset_format.h"

#define CHECK_MAX_DEPTH 128

/* The earliest timestamptz, in microseconds since 1970. */
#define MIN_START_US	INT64CONST(-210866803200000000)

/* Durations from here on are refused, as they are when a row of apm.span is read. */
#define END_DURATION_US INT64CONST(4000000000000000000)

/* Longest string that a text datum holds. */
#define MAX_STRING		(UINT32_C(0x3fffffff) - 64)

/* Bytes of the UTF-8 character at p, 0 if there is none. */
static int
utf8_length(const uint8 *p, size_t left)
{
	int			len;
	int			i;

	if (p[0] < 0x80)
		return p[0] != 0;
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || (size_t) len > left)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

const char *
spanset_check_text(ApmStr s)
{
	const uint8 *p = (const uint8 *) s.data;
	size_t		left = s.len;

	if (s.data == NULL)
		return NULL;
	if (s.len > MAX_STRING)
		return "a string is too long";
	while (left > 0)
	{
		int			len = utf8_length(p, left);

		if (len == 0)
			return "a string is not UTF-8 or holds NUL";
		p += len;
		left -= len;
	}
	return NULL;
}

static const char *
check_json(ApmStr s)
{
	JsonReader	r;

	if (s.data == NULL)
		return NULL;
	if (s.len > MAX_STRING)
		return "attributes are too long";
	json_reader_init(&r, s.data, s.len, CHECK_MAX_DEPTH);
	if (!json_reader_skip(&r) || !json_reader_finish(&r))
		return "attributes are not JSON or nested too deeply";
	return NULL;
}

/* The fields that are not strings. */
static const char *
check_fields(const ApmSpan *span)
{
	static const uint8 zero[16];

	if (memcmp(span->trace_id, zero, sizeof(zero)) == 0)
		return "a trace id is zero";
	if (span->span_id == 0)
		return "a span id is zero";
	if (span->status < APM_STATUS_NULL || span->status >= APM_STATUS_COUNT)
		return "a status is unknown";
	if (span->start_us < MIN_START_US)
		return "a start time is out of range";
	if (span->duration_us < 0 || span->duration_us >= END_DURATION_US ||
		span->duration_us > INT64_MAX - Max(span->start_us, 0))
		return "a duration is out of range";
	if (span->self_time_us != APM_MICROS_NULL &&
		(span->self_time_us < 0 || span->self_time_us >= END_DURATION_US))
		return "a self time is out of range";
	return NULL;
}

const char *
spanset_check_span(const ApmSpan *span)
{
	const char *error;

	if ((error = check_fields(span)) != NULL ||
		(error = spanset_check_text(span->op)) != NULL ||
		(error = spanset_check_text(span->description)) != NULL ||
		(error = spanset_check_text(span->category)) != NULL ||
		(error = spanset_check_text(span->span_group)) != NULL ||
		(error = spanset_check_text(span->origin)) != NULL)
		return error;
	return check_json(span->attributes);
}

/* Each string of a column once, however often it is used. */
static const char *
check_strings(const SpansetStrings *column)
{
	const char *error;
	uint32		i;

	for (i = 0; i < column->count; i++)
		if ((error = spanset_check_text(column->strings[i])) != NULL)
			return error;
	return NULL;
}

static const char *
check_columns(const SpansetColumns *c)
{
	const SpansetStrings *const columns[] = {
		&c->op, &c->category, &c->group, &c->origin, &c->description
	};
	const char *error;
	int			i;

	for (i = 0; i < (int) lengthof(columns); i++)
		if ((error = check_strings(columns[i])) != NULL)
			return error;
	for (i = 0; i < c->n; i++)
	{
		ApmSpan		span;

		spanset_get(c, i, &span);
		if ((error = check_fields(&span)) != NULL ||
			(error = check_json(span.attributes)) != NULL)
			return error;
	}
	return NULL;
}

const char *
spanset_check(const uint8 *data, size_t len)
{
	SpansetColumns c;
	const char *error;

	memset(&c, 0, sizeof(c));
	if (spanset_lexicon_id(data, len) != 0)
		return "it needs a lexicon, which only the database that stored it has";
	error = spanset_read(&c, data, len, SPANSET_ALL);
	if (error == NULL)
		error = check_columns(&c);
	spanset_free(&c);
	return error;
}
