/*
 * envelope/decode_value.c
 *		Single values of payloads.  Pure.
 *
 * Each function consumes one value of any kind.  A value of a kind that the
 * field cannot have is passed over and counts as not sent, as it does in the
 * reference server; only a JSON error makes a function return false.
 */
#include "envelope/decode.h"

#include <math.h>

#include "types/hex.h"

#define SECS_PER_DAY	86400
#define MICROS			INT64CONST(1000000)

/*
 * A value of any kind, and which it is; text is that of a string or a number,
 * else NULL.
 */
static JsonKind
value_any(JsonReader *r, ApmStr *text)
{
	JsonString	s;
	JsonKind	kind = json_reader_scalar(r, &s);

	switch (kind)
	{
		case JSON_KIND_STRING:
			*text = json_string_text(&s);
			break;
		case JSON_KIND_NUMBER:
			*text = str_slice(s.data, s.data + s.len);
			break;
		case JSON_KIND_OBJECT:
		case JSON_KIND_ARRAY:
			*text = str_null();
			if (!json_reader_skip(r))
				kind = JSON_KIND_ERROR;
			break;
		default:
			*text = str_null();
			break;
	}
	return kind;
}

/* A string, or the digits of a number. */
bool
value_text(JsonReader *r, ApmStr *text)
{
	return value_any(r, text) != JSON_KIND_ERROR;
}

/* A string only. */
bool
value_string(JsonReader *r, ApmStr *text)
{
	JsonKind	kind = value_any(r, text);

	if (kind != JSON_KIND_STRING)
		*text = str_null();
	return kind != JSON_KIND_ERROR;
}

/* The text of an object. */
bool
value_object(JsonReader *r, ApmStr *text)
{
	if (json_reader_peek(r) == JSON_KIND_OBJECT)
		return json_reader_capture(r, text, NULL);
	*text = str_null();
	return json_reader_skip(r);
}

/* Dashes are tolerated, as in a UUID. */
bool
value_trace_id(JsonReader *r, uint8 id[16], bool *valid)
{
	ApmStr		text;

	if (!value_string(r, &text))
		return false;
	*valid = text.data != NULL && hex_read_id(text.data, text.len, true, id, 16);
	return true;
}

/* 0 if it is none. */
bool
value_span_id(JsonReader *r, uint64 *id)
{
	ApmStr		text;

	if (!value_string(r, &text))
		return false;
	if (text.data == NULL || !hex_read_span_id(text.data, text.len, id))
		*id = 0;
	return true;
}

bool
value_event_id(JsonReader *r, uint8 event_id[16], bool *valid)
{
	ApmStr		text;
	bool		nil;

	if (!value_string(r, &text))
		return false;
	*valid = text.data != NULL &&
		envelope_read_event_id(text.data, text.len, event_id, &nil) && !nil;
	return true;
}

/*
 * The 7th to 9th decimal of a number of seconds, less what rounding to
 * microseconds has made of them; 0 if it has an exponent.
 */
static int32
number_nanos(ApmStr text)
{
	const char *p = memchr(text.data, '.', text.len);
	const char *end = text.data + text.len;
	int32		ns = 0;
	int			i;

	if (p == NULL || end - p <= 7)
		return 0;
	if (memchr(p, 'e', end - p) != NULL || memchr(p, 'E', end - p) != NULL)
		return 0;
	p += 7;
	for (i = 0; i < 3; i++)
		ns = ns * 10 + (p < end ? *p++ - '0' : 0);
	return ns >= 500 ? ns - 1000 : ns;
}

/*
 * A point in time: a number of seconds since 1970 or an RFC 3339 string.
 * APM_MICROS_NULL if it is neither, or beyond int64.  (Whatever is not
 * negative and fits into int64 fits into timestamptz, too.)
 */
bool
value_time_signed(JsonReader *r, DecodeTime *time)
{
	ApmStr		text;
	JsonKind	kind = value_any(r, &text);
	bool		ok;

	if (kind == JSON_KIND_ERROR)
		return false;
	time->ns = 0;
	time->number = str_null();
	if (kind == JSON_KIND_NUMBER)
	{
		ok = json_number_micros(text, &time->us);
		time->ns = number_nanos(text);
		time->number = text;
	}
	else
		ok = text.data != NULL && decode_rfc3339(text.data, text.len, time);
	if (!ok)
		time->us = APM_MICROS_NULL;
	return true;
}

/* The same, with APM_MICROS_NULL for times before 1970. */
bool
value_time(JsonReader *r, DecodeTime *time)
{
	if (!value_time_signed(r, time))
		return false;
	if (time->us < 0)
		time->us = APM_MICROS_NULL;
	return true;
}

/*
 * Microseconds from start to end, neither of which may be unknown, rounded;
 * negative if end is first.
 *
 * SDKs compute in doubles and print the shortest decimal that stands for one.
 * Where the decimals lie half way between two microseconds, the doubles
 * themselves tell which is nearer.
 */
int64
decode_duration(DecodeTime start, DecodeTime end)
{
	int32		ns = end.ns - start.ns;
	int32		below = (ns + 2000) / 1000 - 2; /* ns lies between -2000 and 2000 */
	int64		whole = end.us - start.us + below;
	int32		part = ns - below * 1000;

	if (part != 500)
		return part > 500 ? whole + 1 : whole;
	if (start.number.data == NULL || end.number.data == NULL)
		return whole;
	return (json_number_double(end.number) - json_number_double(start.number)) * 1e6 >
		(double) whole + 0.5 ? whole + 1 : whole;
}

/* A name, an alias or a code; a string that is none of them means unknown. */
bool
value_status(JsonReader *r, int8 *status)
{
	ApmStr		text;
	JsonKind	kind = value_any(r, &text);
	int64		code;

	if (kind == JSON_KIND_ERROR)
		return false;
	*status = APM_STATUS_NULL;
	if (kind == JSON_KIND_NUMBER)
		*status = json_number_int64(text, &code) && code >= 0 && code < APM_STATUS_COUNT ?
			(int8) code : 2;
	else if (text.len > 0)
	{
		*status = (int8) hex_status_code(text.data, text.len);
		if (*status == APM_STATUS_NULL)
			*status = 2;
	}
	return true;
}

/* A number; NaN if it is none. */
bool
value_double(JsonReader *r, double *value)
{
	ApmStr		text;

	*value = NAN;
	if (json_reader_peek(r) != JSON_KIND_NUMBER)
		return json_reader_skip(r);
	if (!json_reader_number(r, &text))
		return false;
	*value = json_number_double(text);
	return true;
}

/* A number of milliseconds, not negative; APM_MICROS_NULL if it is none. */
bool
value_millis(JsonReader *r, int64 *micros)
{
	double		ms;

	if (!value_double(r, &ms))
		return false;
	/* NaN fails the comparison; the bound keeps the product inside int64. */
	if (ms >= 0 && ms < 9e15)
		*micros = (int64) floor(ms * 1000.0 + 0.5);
	else
		*micros = APM_MICROS_NULL;
	return true;
}

/* A number of seconds, not negative and below a century; APM_MICROS_NULL if it is none. */
bool
value_seconds(JsonReader *r, int64 *micros)
{
	double		s;

	if (!value_double(r, &s))
		return false;
	if (s >= 0 && s < 100 * 366.0 * SECS_PER_DAY)
		*micros = (int64) floor(s * 1e6 + 0.5);
	else
		*micros = APM_MICROS_NULL;
	return true;
}

/* A whole number, not negative; -1 if it is none, or beyond int64. */
bool
value_count(JsonReader *r, int64 *count)
{
	ApmStr		text;

	*count = -1;
	if (json_reader_peek(r) != JSON_KIND_NUMBER)
		return json_reader_skip(r);
	if (!json_reader_number(r, &text))
		return false;
	if (!json_number_int64(text, count) || *count < 0)
		*count = -1;
	return true;
}

/* A UUID, with dashes or without; null counts as absent. */
bool
value_uuid(JsonReader *r, uint8 id[16], UuidKind *kind)
{
	ApmStr		text;
	bool		nil;

	*kind = UUID_ABSENT;
	if (json_reader_peek(r) == JSON_KIND_NULL)
		return json_reader_null(r);
	if (!value_string(r, &text))
		return false;
	if (text.data == NULL || !envelope_read_event_id(text.data, text.len, id, &nil))
		*kind = UUID_MALFORMED;
	else
		*kind = nil ? UUID_NIL : UUID_GIVEN;
	return true;
}

/* -1 unless true or false. */
bool
value_bool(JsonReader *r, int8 *value)
{
	bool		b;

	*value = -1;
	switch (json_reader_peek(r))
	{
		case JSON_KIND_TRUE:
		case JSON_KIND_FALSE:
			if (!json_reader_bool(r, &b))
				return false;
			*value = b ? 1 : 0;
			return true;
		default:
			return json_reader_skip(r);
	}
}

/* 100 to 599 as number or string; else 0. */
bool
value_http_status(JsonReader *r, int32 *status)
{
	ApmStr		text;

	if (!value_text(r, &text))
		return false;
	*status = 0;
	if (text.data != NULL && text.len == 3 &&
		text.data[0] >= '1' && text.data[0] <= '5' &&
		text.data[1] >= '0' && text.data[1] <= '9' &&
		text.data[2] >= '0' && text.data[2] <= '9')
		*status = (text.data[0] - '0') * 100 + (text.data[1] - '0') * 10 + text.data[2] - '0';
	return true;
}

/* A sample rate: a number, or a string that holds one; NaN if it is neither. */
bool
value_rate(JsonReader *r, double *rate)
{
	ApmStr		text;

	if (!value_text(r, &text))
		return false;
	*rate = text.data == NULL ? NAN : json_number_double(text);
	return true;
}

/* How many transactions one stands for; rates outside (0, 1] say nothing. */
double
decode_weight(double sample_rate)
{
	return sample_rate > 0 && sample_rate <= 1 ? 1.0 / sample_rate : 1.0;
}

/* Exactly n digits at *p. */
static bool
digits(const char **p, const char *end, int n, int *value)
{
	*value = 0;
	if (end - *p < n)
		return false;
	while (n-- > 0)
	{
		if (**p < '0' || **p > '9')
			return false;
		*value = *value * 10 + (*(*p)++ - '0');
	}
	return true;
}

static bool
literal(const char **p, const char *end, char c)
{
	if (*p < end && **p == c)
	{
		(*p)++;
		return true;
	}
	return false;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64
days_from_civil(int year, int month, int day)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64		y = month <= 2 ? year - 1 : year;	/* leap days up to last February */

	return INT64CONST(365) * (year - 1970) + before[month - 1] + day - 1 +
		(y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static bool
valid_date(int year, int month, int day)
{
	static const int last[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month < 1 || month > 12 || day < 1 || day > last[month - 1])
		return false;
	if (month == 2 && day == 29)
		return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return true;
}

/*
 * Seconds east of UTC; nothing at all means UTC.  Forms: Z, +hh:mm, +hhmm, +hh.
 */
static bool
utc_offset(const char **p, const char *end, int *seconds)
{
	int			sign;
	int			hours;
	int			minutes = 0;

	*seconds = 0;
	if (*p == end || literal(p, end, 'Z') || literal(p, end, 'z'))
		return true;
	if (literal(p, end, '+'))
		sign = 1;
	else if (literal(p, end, '-'))
		sign = -1;
	else
		return false;
	if (!digits(p, end, 2, &hours))
		return false;
	if (*p < end)
	{
		literal(p, end, ':');
		if (!digits(p, end, 2, &minutes))
			return false;
	}
	if (hours > 23 || minutes > 59)
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

/*
 * RFC 3339: date, T or blank, time with up to any number of fractional
 * digits, zone.  Rounded to microseconds, as numbers are.  Second 60 is the
 * first of the next minute.
 */
bool
decode_rfc3339(const char *s, size_t len, DecodeTime *time)
{
	const char *p = s;
	const char *end = s + len;
	int			year,
				month,
				day,
				hour,
				minute,
				second,
				zone;
	int64		nanos = 0;
	int64		unit = 100000000;

	if (!digits(&p, end, 4, &year) || !literal(&p, end, '-') ||
		!digits(&p, end, 2, &month) || !literal(&p, end, '-') ||
		!digits(&p, end, 2, &day) || !valid_date(year, month, day))
		return false;
	if (!literal(&p, end, 'T') && !literal(&p, end, 't') && !literal(&p, end, ' '))
		return false;
	if (!digits(&p, end, 2, &hour) || !literal(&p, end, ':') ||
		!digits(&p, end, 2, &minute) || !literal(&p, end, ':') ||
		!digits(&p, end, 2, &second) ||
		hour > 23 || minute > 59 || second > 60)
		return false;
	if (literal(&p, end, '.'))
	{
		if (p == end || *p < '0' || *p > '9')
			return false;
		for (; p < end && *p >= '0' && *p <= '9'; p++)
		{
			nanos += (*p - '0') * unit;
			unit /= 10;
		}
	}
	if (!utc_offset(&p, end, &zone) || p != end)
		return false;
	time->us = (days_from_civil(year, month, day) * SECS_PER_DAY +
				hour * 3600 + minute * 60 + second - zone) * MICROS + nanos / 1000;
	time->ns = (int32) (nanos % 1000);
	if (time->ns >= 500)
	{
		time->us++;
		time->ns -= 1000;
	}
	return true;
}
