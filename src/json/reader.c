/*
 * json/reader.c
 *		Pull reader over JSON text.  Pure.
 *
 * Scanning functions take a position and return the position behind what
 * they read, or NULL after noting the error; the public functions move
 * r->pos only when a piece is complete.  An input that is the beginning of
 * valid JSON always fails with JSON_ERR_EOF, never with another code, so that
 * callers can tell a truncated payload from a malformed one.
 */
#include "json/reader.h"
#include "json/scan.h"

/* Longest input: lengths of slices have to fit into 32 bits with room. */
#define JSON_INPUT_LIMIT	((size_t) 1 << 30)

/* Kind of a value by its first byte; JSON_KIND_ERROR is 0. */
static const uint8 kind_of_byte[256] = {
	['{'] = JSON_KIND_OBJECT, ['['] = JSON_KIND_ARRAY, ['"'] = JSON_KIND_STRING,
	['t'] = JSON_KIND_TRUE, ['f'] = JSON_KIND_FALSE, ['n'] = JSON_KIND_NULL,
	['-'] = JSON_KIND_NUMBER,
	['0'] = JSON_KIND_NUMBER, ['1'] = JSON_KIND_NUMBER, ['2'] = JSON_KIND_NUMBER,
	['3'] = JSON_KIND_NUMBER, ['4'] = JSON_KIND_NUMBER, ['5'] = JSON_KIND_NUMBER,
	['6'] = JSON_KIND_NUMBER, ['7'] = JSON_KIND_NUMBER, ['8'] = JSON_KIND_NUMBER,
	['9'] = JSON_KIND_NUMBER
};

static const char *fail(JsonReader *r, JsonErrorCode code, const char *where) __attribute__((noinline, cold));

/* Notes the first error.  Returns NULL, so that scanners can return the call. */
static const char *
fail(JsonReader *r, JsonErrorCode code, const char *where)
{
	if (r->error == JSON_OK)
	{
		r->error = code;
		r->error_pos = where;
	}
	return NULL;
}

/*
 * Does the rest of the input start with word?  Otherwise *mismatch is the
 * first byte that differs, r->end if the input ends before that.
 */
static bool
starts_with(const JsonReader *r, const char *p, const char *word, const char **mismatch)
{
	while (*word != '\0' && p < r->end && *p == *word)
	{
		p++;
		word++;
	}
	*mismatch = p;
	return *word == '\0';
}

/* What stands at p is not a value: say why. */
static const char *
fail_value(JsonReader *r, const char *p)
{
	const char *ignored;

	if (p >= r->end)
		return fail(r, JSON_ERR_EOF, r->end);
	if (starts_with(r, p, "NaN", &ignored) || starts_with(r, p, "Infinity", &ignored) ||
		starts_with(r, p, "-Infinity", &ignored))
		return fail(r, JSON_ERR_NAN, p);
	return fail(r, JSON_ERR_SYNTAX, p);
}

/* Something other than the punctuation that has to come stands at p. */
static const char *
fail_punctuation(JsonReader *r, const char *p)
{
	return fail(r, p < r->end ? JSON_ERR_SYNTAX : JSON_ERR_EOF, p);
}

/*
 * Passes over a run of non-ASCII characters.  The bounds of the second byte
 * exclude overlong forms, surrogates and what lies beyond U+10FFFF.
 */
static const char *
scan_utf8(JsonReader *r, const char *p)
{
	while (p < r->end && (unsigned char) *p >= 0x80)
	{
		unsigned char lead = (unsigned char) *p;
		unsigned char low = 0x80;
		unsigned char high = 0xbf;
		int			follow;
		int			i;

		if (lead >= 0xc2 && lead <= 0xdf)
			follow = 1;
		else if (lead >= 0xe0 && lead <= 0xef)
			follow = 2;
		else if (lead >= 0xf0 && lead <= 0xf4)
			follow = 3;
		else
			return fail(r, JSON_ERR_UTF8, p);

		if (lead == 0xe0)
			low = 0xa0;
		else if (lead == 0xed)
			high = 0x9f;
		else if (lead == 0xf0)
			low = 0x90;
		else if (lead == 0xf4)
			high = 0x8f;

		for (i = 1; i <= follow; i++)
		{
			unsigned char c;

			if (p + i >= r->end)
				return fail(r, JSON_ERR_EOF, r->end);
			c = (unsigned char) p[i];
			if (c < low || c > high)
				return fail(r, JSON_ERR_UTF8, p);
			low = 0x80;
			high = 0xbf;
		}
		p += follow + 1;
	}
	return p;
}

static inline int
hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Four hex digits at p, or -1; *stop is the first byte that is no digit. */
static int
hex4(const char *p, const char *end, const char **stop)
{
	int			value = 0;
	int			i;

	for (i = 0; i < 4; i++)
	{
		int			digit = p + i < end ? hex_value((unsigned char) p[i]) : -1;

		*stop = p + i;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	*stop = p + 4;
	return value;
}

static inline bool
is_high_surrogate(int code)
{
	return code >= 0xd800 && code <= 0xdbff;
}

static inline bool
is_low_surrogate(int code)
{
	return code >= 0xdc00 && code <= 0xdfff;
}

/*
 * Passes over \uXXXX at p, or over both halves of a surrogate pair.  A high
 * surrogate is not known to be alone before the input shows what follows.
 */
static const char *
scan_unicode_escape(JsonReader *r, const char *p, uint32 *seen)
{
	const char *stop;
	int			code = hex4(p + 2, r->end, &stop);

	if (code < 0)
		return fail_punctuation(r, stop);
	if (code == 0)
	{
		*seen |= JSON_SEEN_NUL;
		r->nul_escapes++;
	}
	if (!is_high_surrogate(code) && !is_low_surrogate(code))
		return stop;

	if (is_high_surrogate(code))
	{
		const char *second = stop;

		if (starts_with(r, second, "\\u", &stop))
		{
			if (is_low_surrogate(hex4(second + 2, r->end, &stop)))
				return stop;
		}
		if (stop >= r->end)
			return fail(r, JSON_ERR_EOF, r->end);
		stop = second;
	}
	if (r->strict_surrogates)
		return fail(r, JSON_ERR_SURROGATE, p);
	*seen |= JSON_SEEN_SURROGATE;
	r->lone_surrogates++;
	return stop;
}

/* Passes over one escape, p at the backslash. */
static const char *
scan_escape(JsonReader *r, const char *p, uint32 *seen)
{
	*seen |= JSON_SEEN_ESCAPE;
	if (p + 1 >= r->end)
		return fail(r, JSON_ERR_EOF, r->end);
	switch (p[1])
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			return p + 2;
		case 'u':
			return scan_unicode_escape(r, p, seen);
		default:
			return fail(r, JSON_ERR_SYNTAX, p);
	}
}

/* The rest of a string, p behind the opening quote or further on. */
static const char *scan_any_string(JsonReader *r, const char *p, uint32 *seen) __attribute__((noinline));

static const char *
scan_any_string(JsonReader *r, const char *p, uint32 *seen)
{
	for (;;)
	{
		p = scan_plain(p, r->end);
		if (unlikely(p >= r->end))
			return fail(r, JSON_ERR_EOF, r->end);
		if (likely(*p == '"'))
			return p + 1;
		if (*p == '\\')
			p = scan_escape(r, p, seen);
		else if ((unsigned char) *p >= 0x80)
			p = scan_utf8(r, p);
		else
			return fail(r, JSON_ERR_SYNTAX, p);
		if (unlikely(p == NULL))
			return NULL;
	}
}

/* The same, where most strings are read: those without anything special. */
static inline const char *
scan_string(JsonReader *r, const char *p, uint32 *seen)
{
#ifdef __SSE2__
	while (likely(r->end - p >= 16))
	{
		unsigned int special = find_special(p);

		if (special == 0)
		{
			p += 16;
			continue;
		}
		p += __builtin_ctz(special);
		if (likely(*p == '"'))
			return p + 1;
		break;
	}
#endif
	return scan_any_string(r, p, seen);
}

/* A number, p at its first byte: a digit or the minus sign. */
static const char *
scan_number(JsonReader *r, const char *p)
{
	const char *end = r->end;
	const char *digits;

	if (*p == '-')
	{
		p++;
		if (p < end && *p == 'I')
			return fail_value(r, p - 1);
	}
	if (p < end && *p == '0')
		p++;
	else
	{
		digits = p;
		p = scan_digits(p, end);
		if (p == digits)
			return fail_punctuation(r, p);
	}
	if (p < end && *p == '.')
	{
		digits = ++p;
		p = scan_digits(p, end);
		if (p == digits)
			return fail_punctuation(r, p);
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		p = scan_digits(p, end);
		if (p == digits)
			return fail_punctuation(r, p);
	}
	return p;
}

static const char *
scan_literal(JsonReader *r, const char *p, const char *word)
{
	const char *stop;

	if (starts_with(r, p, word, &stop))
		return stop;
	return fail_punctuation(r, stop);
}

/* A value that is no container, p at its first byte. */
static inline const char *
scan_scalar(JsonReader *r, const char *p)
{
	switch ((JsonKind) kind_of_byte[(unsigned char) *p])
	{
		case JSON_KIND_STRING:
			return scan_string(r, p + 1, &r->seen);
		case JSON_KIND_NUMBER:
			return scan_number(r, p);
		case JSON_KIND_TRUE:
			return scan_literal(r, p, "true");
		case JSON_KIND_FALSE:
			return scan_literal(r, p, "false");
		case JSON_KIND_NULL:
			return scan_literal(r, p, "null");
		default:
			return fail_value(r, p);
	}
}

/* A key and its colon, p at the opening quote if all is well. */
static inline const char *
scan_key(JsonReader *r, const char *p, JsonString *key)
{
	if (unlikely(p >= r->end || *p != '"'))
		return fail_punctuation(r, p);
	key->data = p + 1;
	key->seen = 0;
	p = scan_string(r, p + 1, &key->seen);
	r->seen |= key->seen;
	if (unlikely(p == NULL))
		return NULL;
	key->len = (uint32) (p - 1 - key->data);
	p = scan_space(p, r->end);
	if (unlikely(p >= r->end || *p != ':'))
		return fail_punctuation(r, p);
	return p + 1;
}

/*
 * One value of any kind.  The stack of open containers is an array of the
 * brackets that close them, so depth costs no C stack and no allocation.
 */
static const char *
scan_value(JsonReader *r, const char *p)
{
	const char *end = r->end;
	int			room = r->max_depth - r->depth;
	int			open = 0;
	char		closers[JSON_DEPTH_LIMIT + 1];
	JsonString	key;

	closers[0] = '\0';
	for (;;)
	{
		/* Here a value has to come. */
		p = scan_space(p, end);
		if (unlikely(p >= end))
			return fail(r, JSON_ERR_EOF, end);
		if (*p == '{' || *p == '[')
		{
			/* In ASCII, both kinds of brackets close two further on. */
			char		closer = (char) (*p + 2);

			if (open >= room)
				return fail(r, JSON_ERR_DEPTH, p);
			closers[++open] = closer;
			p = scan_space(p + 1, end);
			if (p >= end || *p != closer)
			{
				if (closer == '}' && (p = scan_key(r, p, &key)) == NULL)
					return NULL;
				continue;
			}
		}
		else
		{
			p = *p == '"' ? scan_string(r, p + 1, &r->seen) : scan_scalar(r, p);
			if (unlikely(p == NULL))
				return NULL;
		}

		/* Here a value, or all but the end of an empty container, is read. */
		for (;;)
		{
			if (open == 0)
				return p;
			p = scan_space(p, end);
			if (unlikely(p >= end))
				return fail(r, JSON_ERR_EOF, end);
			if (*p == ',')
				break;
			if (unlikely(*p != closers[open]))
				return fail(r, JSON_ERR_SYNTAX, p);
			p++;
			open--;
		}
		p++;
		if (closers[open] == '}')
		{
			p = scan_key(r, scan_space(p, end), &key);
			if (unlikely(p == NULL))
				return NULL;
		}
	}
}

/* Moves to p, the outcome of a scanner. */
static inline bool
advance(JsonReader *r, const char *p)
{
	if (unlikely(p == NULL))
		return false;
	r->pos = p;
	return true;
}

/* Kind of the next value, r->pos moved to where it starts. */
static inline JsonKind
peek(JsonReader *r)
{
	JsonKind	kind = JSON_KIND_ERROR;

	if (unlikely(r->error != JSON_OK))
		return JSON_KIND_ERROR;
	r->pos = scan_space(r->pos, r->end);
	if (likely(r->pos < r->end))
		kind = (JsonKind) kind_of_byte[(unsigned char) *r->pos];
	if (unlikely(kind == JSON_KIND_ERROR))
		fail_value(r, r->pos);
	return kind;
}

/* Is the next value of this kind?  If not, that is the caller's mistake or the text's. */
static inline bool
want(JsonReader *r, JsonKind kind)
{
	JsonKind	next = peek(r);

	if (likely(next == kind))
		return true;
	if (next != JSON_KIND_ERROR)
		fail(r, JSON_ERR_TYPE, r->pos);
	return false;
}

void
json_reader_init(JsonReader *r, const char *data, size_t len, int max_depth)
{
	memset(r, 0, sizeof(JsonReader));
	if (data == NULL)
	{
		data = "";
		len = 0;
	}
	r->start = data;
	r->pos = data;
	r->end = data + len;
	r->max_depth = Min(Max(max_depth, 0), JSON_DEPTH_LIMIT);
	if (len > JSON_INPUT_LIMIT)
		fail(r, JSON_ERR_SYNTAX, data);
}

JsonKind
json_reader_peek(JsonReader *r)
{
	return peek(r);
}

/* Goes into the container that peek has seen. */
static inline bool
enter(JsonReader *r)
{
	if (unlikely(r->depth >= r->max_depth))
		return fail(r, JSON_ERR_DEPTH, r->pos) != NULL;
	r->pos++;
	r->depth++;
	r->expect_first = true;
	return true;
}

bool
json_reader_enter_object(JsonReader *r)
{
	return want(r, JSON_KIND_OBJECT) && enter(r);
}

bool
json_reader_enter_array(JsonReader *r)
{
	return want(r, JSON_KIND_ARRAY) && enter(r);
}

/*
 * Goes to where the next member of the innermost container starts, or past
 * the container's end (then false).
 */
static inline bool
next_member(JsonReader *r, char closer)
{
	const char *p;

	if (unlikely(r->error != JSON_OK))
		return false;
	p = scan_space(r->pos, r->end);
	if (unlikely(r->depth == 0))
		return fail(r, JSON_ERR_TYPE, p) != NULL;
	if (p < r->end && *p == closer)
	{
		r->pos = p + 1;
		r->depth--;
		r->expect_first = false;
		return false;
	}
	if (r->expect_first)
		r->expect_first = false;
	else if (p < r->end && *p == ',')
		p = scan_space(p + 1, r->end);
	else
		return fail_punctuation(r, p) != NULL;
	r->pos = p;
	return true;
}

bool
json_reader_next_key(JsonReader *r, JsonString *key)
{
	return next_member(r, '}') && advance(r, scan_key(r, r->pos, key));
}

bool
json_reader_next_element(JsonReader *r)
{
	return next_member(r, ']') && peek(r) != JSON_KIND_ERROR;
}

bool
json_reader_string(JsonReader *r, JsonString *s)
{
	bool		ok;

	if (!want(r, JSON_KIND_STRING))
		return false;
	s->data = r->pos + 1;
	s->seen = 0;
	ok = advance(r, scan_string(r, s->data, &s->seen));
	r->seen |= s->seen;
	if (ok)
		s->len = (uint32) (r->pos - 1 - s->data);
	return ok;
}

bool
json_reader_number(JsonReader *r, ApmStr *text)
{
	if (!want(r, JSON_KIND_NUMBER))
		return false;
	text->data = r->pos;
	if (!advance(r, scan_number(r, r->pos)))
		return false;
	text->len = (uint32) (r->pos - text->data);
	return true;
}

bool
json_reader_bool(JsonReader *r, bool *value)
{
	JsonKind	kind = peek(r);

	if (kind != JSON_KIND_TRUE && !want(r, JSON_KIND_FALSE))
		return false;
	*value = kind == JSON_KIND_TRUE;
	return advance(r, scan_literal(r, r->pos, *value ? "true" : "false"));
}

bool
json_reader_null(JsonReader *r)
{
	return want(r, JSON_KIND_NULL) && advance(r, scan_literal(r, r->pos, "null"));
}

JsonKind
json_reader_scalar(JsonReader *r, JsonString *text)
{
	JsonKind	kind = peek(r);
	uint32		seen_before = r->seen;
	const char *start = r->pos;
	int			quotes = kind == JSON_KIND_STRING;

	if (kind == JSON_KIND_ERROR || kind == JSON_KIND_OBJECT || kind == JSON_KIND_ARRAY)
		return kind;
	r->seen = 0;
	if (!advance(r, scan_scalar(r, start)))
		kind = JSON_KIND_ERROR;
	text->data = start + quotes;
	text->len = (uint32) (r->pos - start) - 2 * quotes;
	text->seen = r->seen;
	r->seen |= seen_before;
	return kind;
}

bool
json_reader_skip(JsonReader *r)
{
	return r->error == JSON_OK && advance(r, scan_value(r, r->pos));
}

bool
json_reader_capture(JsonReader *r, ApmStr *text, uint32 *seen)
{
	uint32		seen_before = r->seen;
	bool		ok;

	if (peek(r) == JSON_KIND_ERROR)
		return false;
	text->data = r->pos;
	r->seen = 0;
	ok = advance(r, scan_value(r, r->pos));
	if (seen != NULL)
		*seen = r->seen;
	r->seen |= seen_before;
	if (ok)
		text->len = (uint32) (r->pos - text->data);
	return ok;
}

bool
json_reader_finish(JsonReader *r)
{
	const char *p;

	if (r->error != JSON_OK)
		return false;
	p = scan_space(r->pos, r->end);
	if (p < r->end)
		return fail(r, JSON_ERR_SYNTAX, p) != NULL;
	/* A container was left open, or there was no value at all. */
	if (r->depth > 0 || scan_space(r->start, r->end) == r->end)
		return fail(r, JSON_ERR_EOF, p) != NULL;
	r->pos = p;
	return true;
}

size_t
json_reader_offset(const JsonReader *r)
{
	return (size_t) ((r->error != JSON_OK ? r->error_pos : r->pos) - r->start);
}

const char *
json_error_text(JsonErrorCode code)
{
	switch (code)
	{
		case JSON_OK:
			return "no error";
		case JSON_ERR_SYNTAX:
			return "malformed JSON";
		case JSON_ERR_EOF:
			return "unexpected end of JSON";
		case JSON_ERR_NAN:
			return "NaN or Infinity in JSON";
		case JSON_ERR_UTF8:
			return "invalid UTF-8 in JSON";
		case JSON_ERR_SURROGATE:
			return "lone surrogate in JSON";
		case JSON_ERR_DEPTH:
			return "JSON nested too deeply";
		case JSON_ERR_TYPE:
			return "JSON value of unexpected type";
	}
	return "unknown error";
}
