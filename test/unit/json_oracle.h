/*
 * json_oracle.h
 *		Holds the JSON reader against itself and against jansson.
 *
 * Used by the unit test and by the fuzzer.  json_oracle_check() reads one
 * document in all ways there are and returns NULL, or what did not agree.
 *
 * Differences from jansson that are meant, each with a name:
 *
 *		BIG_INTEGER		jansson refuses integers beyond 64 bits and reals
 *						beyond double; to the reader a number is its text
 *		NUL_KEY			jansson refuses \u0000 in keys
 *		DEPTH			jansson allows 2048 levels, the reader 1024
 *		RAW_NUL			jansson passes over a zero byte behind a number or a
 *						literal
 */
#ifndef JSON_ORACLE_H
#define JSON_ORACLE_H

#include <jansson.h>
#include <math.h>

#include "json/reader.h"

typedef enum JsonDifference
{
	JSON_SAME,
	JSON_DIFF_BIG_INTEGER,
	JSON_DIFF_NUL_KEY,
	JSON_DIFF_DEPTH,
	JSON_DIFF_RAW_NUL
} JsonDifference;

/* How one pass over a document ended. */
typedef struct JsonOutcome
{
	JsonErrorCode error;
	size_t		offset;
	uint32		seen;
	uint32		nul_escapes;
	uint32		lone_surrogates;
} JsonOutcome;

static JsonOutcome
json_outcome(const JsonReader *r)
{
	JsonOutcome o = {r->error, json_reader_offset(r), r->seen, r->nul_escapes, r->lone_surrogates};

	return o;
}

static bool
json_outcome_equal(JsonOutcome a, JsonOutcome b)
{
	return a.error == b.error && a.offset == b.offset && a.seen == b.seen &&
		a.nul_escapes == b.nul_escapes && a.lone_surrogates == b.lone_surrogates;
}

static JsonOutcome
json_outcome_of_skip(const char *data, size_t len, int max_depth, bool strict)
{
	JsonReader	r;

	json_reader_init(&r, data, len, max_depth);
	r.strict_surrogates = strict;
	if (json_reader_skip(&r))
		(void) json_reader_finish(&r);
	return json_outcome(&r);
}

/*
 * Reads everything by the calls a decoder would make, scalars by the call for
 * any of them or by that for their kind.  Recursion is fine here.
 */
static void
json_walk(JsonReader *r, bool any_scalar)
{
	JsonString	s;
	ApmStr		number;
	bool		flag;
	JsonKind	kind = any_scalar ? json_reader_scalar(r, &s) : json_reader_peek(r);

	if (any_scalar && kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY)
		return;
	switch (kind)
	{
		case JSON_KIND_OBJECT:
			if (json_reader_enter_object(r))
			{
				while (json_reader_next_key(r, &s))
					json_walk(r, any_scalar);
			}
			break;
		case JSON_KIND_ARRAY:
			if (json_reader_enter_array(r))
			{
				while (json_reader_next_element(r))
					json_walk(r, any_scalar);
			}
			break;
		case JSON_KIND_STRING:
			(void) json_reader_string(r, &s);
			break;
		case JSON_KIND_NUMBER:
			(void) json_reader_number(r, &number);
			break;
		case JSON_KIND_TRUE:
		case JSON_KIND_FALSE:
			(void) json_reader_bool(r, &flag);
			break;
		case JSON_KIND_NULL:
			(void) json_reader_null(r);
			break;
		case JSON_KIND_ERROR:
			break;
	}
}

/*
 * Text of a string against jansson's idea of it, in which NUL is NUL.  Also
 * writes it and reads it back, and compares it by json_string_is().
 */
static const char *
json_check_string(const JsonString *s, const char *expected, size_t expected_len)
{
	ApmStr		text = json_string_text(s);
	char	   *quoted = palloc(6 * (size_t) text.len + 2);
	char	   *literal = palloc((size_t) text.len + 1);
	size_t		quoted_len = json_quote(text.data, text.len, quoted);
	const char *problem = NULL;
	JsonReader	r;
	JsonString	again;
	size_t		at = 0;
	size_t		i;

	for (i = 0; i < expected_len; i++)
	{
		const char *c = expected[i] != '\0' ? expected + i : "\xef\xbf\xbd";
		size_t		n = expected[i] != '\0' ? 1 : 3;

		if (at + n > text.len || memcmp(text.data + at, c, n) != 0)
			break;
		at += n;
	}
	if (i < expected_len || at != text.len)
		problem = "string differs from jansson's";

	json_reader_init(&r, quoted, quoted_len, 0);
	if (!json_reader_string(&r, &again) || !json_reader_finish(&r))
		problem = "quoted string cannot be read";
	else
	{
		ApmStr		back = json_string_text(&again);

		if (back.len != text.len || memcmp(back.data, text.data, text.len) != 0)
			problem = "quoted string reads differently";
		if (back.data != again.data)
			pfree((char *) back.data);
	}

	memcpy(literal, text.data, text.len);
	literal[text.len] = '\0';
	if (!json_string_is(s, literal))
		problem = "string is not itself";
	if (text.len > 0)
	{
		literal[text.len - 1] ^= 1;
		if (json_string_is(s, literal))
			problem = "string is another that differs at the end";
		literal[text.len - 1] = '\0';
		if (json_string_is(s, literal))
			problem = "string is its own beginning";
	}
	if (text.data != s->data)
		pfree((char *) text.data);
	pfree(literal);
	pfree(quoted);
	return problem;
}

static const char *json_check_value(ApmStr text, const json_t *expected);

/* One member of an object, held until it is known which of equal keys is last. */
typedef struct JsonMember
{
	JsonString	key;
	ApmStr		value;
} JsonMember;

/*
 * Members from last to first: the first of equal keys met that way is the
 * one jansson keeps.
 */
static const char *
json_check_members(const JsonMember *members, int n, const json_t *expected)
{
	json_t	   *done = json_object();
	const char *problem = NULL;

	while (problem == NULL && --n >= 0)
	{
		ApmStr		key = json_string_text(&members[n].key);

		if (json_object_getn(done, key.data, key.len) == NULL)
		{
			json_t	   *value = json_object_getn(expected, key.data, key.len);

			json_object_setn_new_nocheck(done, key.data, key.len, json_true());
			if (value == NULL)
				problem = "jansson has no such key";
			else
				problem = json_check_value(members[n].value, value);
		}
		if (key.data != members[n].key.data)
			pfree((char *) key.data);
	}
	if (problem == NULL && json_object_size(done) != json_object_size(expected))
		problem = "number of keys differs from jansson's";
	json_decref(done);
	return problem;
}

static const char *
json_check_object(JsonReader *r, const json_t *expected)
{
	JsonMember *members = palloc(sizeof(JsonMember));
	int			n = 0;
	const char *problem = NULL;

	if (!json_reader_enter_object(r))
		problem = "object cannot be entered";
	while (problem == NULL && json_reader_next_key(r, &members[n].key))
	{
		if (!json_reader_capture(r, &members[n].value, NULL))
			problem = "member cannot be captured";
		n++;
		members = repalloc(members, sizeof(JsonMember) * (n + 1));
	}
	if (problem == NULL)
		problem = json_check_members(members, n, expected);
	pfree(members);
	return problem;
}

static const char *
json_check_array(JsonReader *r, const json_t *expected)
{
	size_t		n = 0;
	ApmStr		element;
	const char *problem = NULL;

	if (!json_reader_enter_array(r))
		return "array cannot be entered";
	while (problem == NULL && json_reader_next_element(r))
	{
		if (!json_reader_capture(r, &element, NULL))
			problem = "element cannot be captured";
		else if (n >= json_array_size(expected))
			problem = "array is longer than jansson's";
		else
			problem = json_check_value(element, json_array_get(expected, n));
		n++;
	}
	if (problem == NULL && n != json_array_size(expected))
		problem = "array is shorter than jansson's";
	return problem;
}

static const char *
json_check_number(ApmStr text, const json_t *expected)
{
	int64		integer = 0;
	bool		is_integer = json_number_int64(text, &integer);

	if (json_is_integer(expected))
	{
		if (!is_integer || integer != json_integer_value(expected))
			return "integer differs from jansson's";
		if (json_number_double(text) != (double) integer)
			return "integer as double differs";
	}
	else
	{
		double		real = json_number_double(text);

		if (is_integer)
			return "integer is a real to jansson";
		if (real != json_real_value(expected) || signbit(real) != signbit(json_real_value(expected)))
			return "real differs from jansson's";
	}
	return NULL;
}

/* A captured value against jansson's tree. */
static const char *
json_check_value(ApmStr text, const json_t *expected)
{
	const char *problem = NULL;
	JsonReader	r;
	JsonString	s;
	ApmStr		number;
	bool		flag;

	json_reader_init(&r, text.data, text.len, JSON_DEPTH_LIMIT);
	switch (json_reader_peek(&r))
	{
		case JSON_KIND_OBJECT:
			problem = json_is_object(expected) ? json_check_object(&r, expected) : "not an object to jansson";
			break;
		case JSON_KIND_ARRAY:
			problem = json_is_array(expected) ? json_check_array(&r, expected) : "not an array to jansson";
			break;
		case JSON_KIND_STRING:
			if (!json_reader_string(&r, &s) || !json_is_string(expected))
				return "not a string to jansson";
			problem = json_check_string(&s, json_string_value(expected), json_string_length(expected));
			break;
		case JSON_KIND_NUMBER:
			if (!json_reader_number(&r, &number) || !json_is_number(expected))
				return "not a number to jansson";
			problem = json_check_number(number, expected);
			break;
		case JSON_KIND_TRUE:
		case JSON_KIND_FALSE:
			if (!json_reader_bool(&r, &flag) || !json_is_boolean(expected) || flag != json_boolean_value(expected))
				return "not the same boolean to jansson";
			break;
		case JSON_KIND_NULL:
			if (!json_reader_null(&r) || !json_is_null(expected))
				return "not null to jansson";
			break;
		case JSON_KIND_ERROR:
			return "captured value cannot be read";
	}
	if (problem == NULL && !json_reader_finish(&r))
		problem = "captured value holds more than a value";
	return problem;
}

/* The verdict of jansson, which knows strict surrogates only, and its values. */
static const char *
json_check_jansson(const char *data, size_t len, JsonOutcome strict, JsonDifference *difference)
{
	json_error_t error;
	json_t	   *tree = json_loadb(data, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	const char *problem = NULL;

	*difference = JSON_SAME;
	if (tree != NULL && strict.error == JSON_OK)
	{
		ApmStr		text = {data, (uint32_t) len};

		problem = json_check_value(text, tree);
	}
	else if (tree != NULL)
	{
		if (strict.error == JSON_ERR_DEPTH)
			*difference = JSON_DIFF_DEPTH;
		else if (strict.error == JSON_ERR_SYNTAX && strict.offset > 0 && data[strict.offset] == '\0')
			*difference = JSON_DIFF_RAW_NUL;
		else
			problem = "refused, but jansson accepts it";
	}
	else if (strict.error == JSON_OK)
	{
		switch (json_error_code(&error))
		{
			case json_error_numeric_overflow:
				*difference = JSON_DIFF_BIG_INTEGER;
				break;
			case json_error_null_byte_in_key:
				*difference = JSON_DIFF_NUL_KEY;
				break;
			default:
				problem = "accepted, but jansson refuses it";
		}
	}
	json_decref(tree);
	return problem;
}

/*
 * Everything at once.  The input is copied to memory that ends where it
 * ends, so that the sanitizer sees a read beyond.  *difference says which of
 * the named differences from jansson was met, if not NULL.
 */
static const char *
json_oracle_check(const char *input, size_t len, int max_depth, JsonDifference *difference)
{
	char	   *data = palloc(len);
	const char *problem = NULL;
	JsonOutcome skip;
	JsonOutcome strict;
	JsonDifference ignored;
	JsonReader	r;
	ApmStr		text;
	uint32		seen;

	if (len > 0)
		memcpy(data, input, len);
	skip = json_outcome_of_skip(data, len, max_depth, false);
	strict = json_outcome_of_skip(data, len, max_depth, true);

	json_reader_init(&r, data, len, max_depth);
	json_walk(&r, false);
	(void) json_reader_finish(&r);
	if (!json_outcome_equal(skip, json_outcome(&r)))
		problem = "walk and skip disagree";

	json_reader_init(&r, data, len, max_depth);
	json_walk(&r, true);
	(void) json_reader_finish(&r);
	if (!json_outcome_equal(skip, json_outcome(&r)))
		problem = "walk by scalars and skip disagree";

	json_reader_init(&r, data, len, max_depth);
	if (json_reader_capture(&r, &text, &seen))
	{
		(void) json_reader_finish(&r);
		if (json_outcome_of_skip(text.data, text.len, max_depth, false).error != JSON_OK || seen != r.seen)
			problem = "captured text is not a value";
	}
	if (!json_outcome_equal(skip, json_outcome(&r)))
		problem = "capture and skip disagree";

	json_reader_init(&r, data, len, max_depth);
	r.strict_surrogates = true;
	json_walk(&r, false);
	(void) json_reader_finish(&r);
	if (!json_outcome_equal(strict, json_outcome(&r)))
		problem = "strict walk and skip disagree";

	/* Strictness refuses lone surrogates and nothing else. */
	if (skip.lone_surrogates == 0 ? !json_outcome_equal(skip, strict) :
		strict.error != JSON_ERR_SURROGATE || strict.offset >= skip.offset)
		problem = "strict and lenient disagree";

	if (problem == NULL)
		problem = json_check_jansson(data, len, strict, difference != NULL ? difference : &ignored);
	pfree(data);
	return problem;
}

#endif							/* JSON_ORACLE_H */
