/*
 * json/reader.h
 *		Pull reader over JSON text: one pass, no tree, no allocation.
 *
 * Strictly RFC 8259; UTF-8 is checked (no overlong forms, no surrogates, at
 * most U+10FFFF); duplicate keys are the caller's affair.  The reader never
 * copies: strings and captured values are slices of the input, escapes are
 * resolved by json_unescape() when somebody wants the text.  An input that is
 * the beginning of valid JSON fails with JSON_ERR_EOF, never otherwise (but
 * the beginning of a nested value may be too deep).
 *
 * Errors are sticky: after the first one every call fails, peek answers
 * JSON_KIND_ERROR, and error/error_pos say what and where.
 *
 * Usage:
 *		json_reader_init(&r, data, len, 128);
 *		if (json_reader_enter_object(&r))
 *			while (json_reader_next_key(&r, &key))
 *				if (json_string_is(&key, "spans")) ... else json_reader_skip(&r);
 *		if (!json_reader_finish(&r)) ... r.error, json_reader_offset(&r)
 *
 * After json_reader_next_key() or a true json_reader_next_element() the
 * caller must consume exactly one value (enter and drain, read, skip or
 * capture).
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_JSON_READER_H
#define PG_APM_JSON_READER_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/* The reader's own limit of open containers, whatever the caller allows. */
#define JSON_DEPTH_LIMIT	1024

typedef enum JsonKind
{
	JSON_KIND_ERROR,
	JSON_KIND_NULL,
	JSON_KIND_FALSE,
	JSON_KIND_TRUE,
	JSON_KIND_NUMBER,
	JSON_KIND_STRING,
	JSON_KIND_ARRAY,
	JSON_KIND_OBJECT
} JsonKind;

typedef enum JsonErrorCode
{
	JSON_OK,
	JSON_ERR_SYNTAX,			/* not JSON */
	JSON_ERR_EOF,				/* ends in the middle of a value, or is empty */
	JSON_ERR_NAN,				/* NaN, Infinity or -Infinity in place of a value */
	JSON_ERR_UTF8,				/* not UTF-8 */
	JSON_ERR_SURROGATE,			/* lone surrogate escape, only with strict_surrogates */
	JSON_ERR_DEPTH,				/* nested deeper than max_depth */
	JSON_ERR_TYPE				/* caller asked for another kind of value */
} JsonErrorCode;

/* What was met inside strings and numbers; or-ed into JsonReader.seen. */
#define JSON_SEEN_ESCAPE		0x01	/* some backslash */
#define JSON_SEEN_NUL			0x02	/* \u0000 */
#define JSON_SEEN_SURROGATE		0x04	/* a lone \ud800..\udfff */

typedef struct JsonString
{
	const char *data;			/* between the quotes, escapes unresolved */
	uint32		len;
	uint32		seen;			/* JSON_SEEN_ bits of this string */
} JsonString;

typedef struct JsonReader
{
	const char *start;
	const char *pos;
	const char *end;
	int			depth;			/* containers that are open */
	int			max_depth;
	bool		strict_surrogates;	/* a lone surrogate is an error */
	bool		expect_first;	/* a container was just entered */
	uint32		seen;			/* JSON_SEEN_ bits of everything so far */
	uint32		nul_escapes;	/* how many \u0000 so far */
	uint32		lone_surrogates;	/* how many lone surrogates so far */
	JsonErrorCode error;
	const char *error_pos;
} JsonReader;

/*
 * Starts reading.  max_depth counts open containers and is cut to
 * JSON_DEPTH_LIMIT; input longer than 1 GB is refused as a syntax error.
 * strict_surrogates starts false.
 */
extern void json_reader_init(JsonReader *r, const char *data, size_t len, int max_depth);

/* Kind of the value that comes next, by its first byte; consumes white space only. */
extern JsonKind json_reader_peek(JsonReader *r);

/* Containers: enter consumes the bracket; next is false at the end or on error. */
extern bool json_reader_enter_object(JsonReader *r);
extern bool json_reader_next_key(JsonReader *r, JsonString *key);
extern bool json_reader_enter_array(JsonReader *r);
extern bool json_reader_next_element(JsonReader *r);

/* Scalars: false and JSON_ERR_TYPE when the next value is of another kind. */
extern bool json_reader_string(JsonReader *r, JsonString *s);
extern bool json_reader_number(JsonReader *r, ApmStr *text);
extern bool json_reader_bool(JsonReader *r, bool *value);
extern bool json_reader_null(JsonReader *r);

/*
 * Reads the next value if it is a scalar, in one call instead of a peek and
 * one of the above: text is that of a string as json_reader_string() gives
 * it, or a number or literal as it stands.  An object or array is left to be
 * entered or passed over.  Returns the kind, JSON_KIND_ERROR on error.
 */
extern JsonKind json_reader_scalar(JsonReader *r, JsonString *text);

/* Passes over one value of any kind, checking it fully. */
extern bool json_reader_skip(JsonReader *r);

/* The same, and hands back its text (and in *seen, if not NULL, its JSON_SEEN_ bits). */
extern bool json_reader_capture(JsonReader *r, ApmStr *text, uint32 *seen);

/* True if there was no error and only white space is left. */
extern bool json_reader_finish(JsonReader *r);

/* Byte offset of the error, or of the current position. */
extern size_t json_reader_offset(const JsonReader *r);

/* A short English phrase for an error code, for details of messages. */
extern const char *json_error_text(JsonErrorCode code);

/*
 * Resolves escapes into dst, which has room for s->len bytes (the result is
 * never longer), and returns the length.  \u0000 and lone surrogates become
 * U+FFFD; s->len bytes still suffice.
 */
extern size_t json_unescape(const JsonString *s, char *dst);

/* A palloc'd copy of a string, escapes resolved as by json_unescape(). */
extern ApmStr json_string_copy(const JsonString *s);

/* The text of a string: the slice itself when nothing is escaped, else a copy. */
static inline ApmStr
json_string_text(const JsonString *s)
{
	ApmStr		text;

	if (s->seen & JSON_SEEN_ESCAPE)
		return json_string_copy(s);
	text.data = s->data;
	text.len = s->len;
	return text;
}

/* Is this string, escapes resolved, equal to the C string? */
extern bool json_string_is(const JsonString *s, const char *literal);

/*
 * The functions on numbers may be given any text, such as that of a string:
 * what is not a JSON number gives NaN or false.
 */

/* Number text to double, correctly rounded; overflow gives +-infinity. */
extern double json_number_double(ApmStr text);

/* True if the text is an integer (no fraction, no exponent) that fits. */
extern bool json_number_int64(ApmStr text, int64 *value);

/*
 * Decimal seconds to whole microseconds, computed on the decimal digits (no
 * float in between), rounding half away from zero.  Exponents are allowed.
 * False if the result does not fit into int64, or is APM_MICROS_NULL.
 */
extern bool json_number_micros(ApmStr text, int64 *micros);

/*
 * Writes s as a JSON string, with quotes, into dst (room for 6 * len + 2
 * bytes) and returns the length: control characters and quotes are escaped,
 * everything else is copied.
 */
extern size_t json_quote(const char *s, size_t len, char *dst);

#endif							/* PG_APM_JSON_READER_H */
