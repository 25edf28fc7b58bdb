/*
 * json/text.c
 *		Text of JSON strings: resolving, comparing and writing escapes.  Pure.
 *
 * Strings come from the reader, which has checked them.  These functions do
 * not rely on it: an escape that is none stands for itself, and nothing is
 * read beyond the string.
 */
#include "json/reader.h"

#define REPLACEMENT_CHARACTER	0xfffd

/* The code unit in \uXXXX at p, or -1 if there is none. */
static int
unicode_escape(const char *p, const char *end)
{
	int			value = 0;
	int			i;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (i = 2; i < 6; i++)
	{
		unsigned char c = (unsigned char) p[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

static int
put_utf8(char *dst, int code)
{
	if (code < 0x80)
	{
		dst[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		dst[0] = (char) (0xc0 | code >> 6);
		dst[1] = (char) (0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000)
	{
		dst[0] = (char) (0xe0 | code >> 12);
		dst[1] = (char) (0x80 | (code >> 6 & 0x3f));
		dst[2] = (char) (0x80 | (code & 0x3f));
		return 3;
	}
	dst[0] = (char) (0xf0 | code >> 18);
	dst[1] = (char) (0x80 | (code >> 12 & 0x3f));
	dst[2] = (char) (0x80 | (code >> 6 & 0x3f));
	dst[3] = (char) (0x80 | (code & 0x3f));
	return 4;
}

/*
 * Resolves the escape at *p into dst (at most 4 bytes, and no more than the
 * escape is long), moves *p behind it and returns the length.
 */
static int
resolve_escape(const char **p, const char *end, char *dst)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	int			code = unicode_escape(*p, end);
	const char *name;

	if (code >= 0)
	{
		*p += 6;
		if (code >= 0xd800 && code <= 0xdbff)
		{
			int			low = unicode_escape(*p, end);

			if (low >= 0xdc00 && low <= 0xdfff)
			{
				*p += 6;
				return put_utf8(dst, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
			}
		}
		if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
			code = REPLACEMENT_CHARACTER;
		return put_utf8(dst, code);
	}
	name = end - *p >= 2 ? memchr(names, (*p)[1], sizeof(names) - 1) : NULL;
	if (name == NULL)
	{
		*dst = *(*p)++;
		return 1;
	}
	*dst = values[name - names];
	*p += 2;
	return 1;
}

size_t
json_unescape(const JsonString *s, char *dst)
{
	const char *p = s->data;
	const char *end = s->data + s->len;
	char	   *out = dst;

	while (p < end)
	{
		const char *backslash = memchr(p, '\\', end - p);
		size_t		run = (backslash != NULL ? backslash : end) - p;

		memcpy(out, p, run);
		out += run;
		p += run;
		if (p < end)
			out += resolve_escape(&p, end, out);
	}
	return out - dst;
}

ApmStr
json_string_copy(const JsonString *s)
{
	char	   *copy = palloc(s->len);
	ApmStr		text;

	text.data = copy;
	text.len = (uint32) json_unescape(s, copy);
	return text;
}

bool
json_string_is(const JsonString *s, const char *literal)
{
	const char *p = s->data;
	const char *end = s->data + s->len;

	/* A decoder asks this many times a key; most differ in the first byte. */
	if (!(s->seen & JSON_SEEN_ESCAPE))
	{
		while (p < end && *p == *literal && *literal != '\0')
		{
			p++;
			literal++;
		}
		return p == end && *literal == '\0';
	}

	while (p < end)
	{
		char		buf[4];
		int			n = 1;

		if (*p == '\\')
			n = resolve_escape(&p, end, buf);
		else
			buf[0] = *p++;
		/* strncmp stops at the literal's end; resolved text holds no NUL. */
		if (strncmp(literal, buf, n) != 0)
			return false;
		literal += n;
	}
	return *literal == '\0';
}

size_t
json_quote(const char *s, size_t len, char *dst)
{
	static const char hex[] = "0123456789abcdef";
	static const char shorthand[] = "btn\0fr";	/* for 0x08 to 0x0d */
	const char *end = s + len;
	char	   *out = dst;

	*out++ = '"';
	while (s < end)
	{
		unsigned char c = (unsigned char) *s++;

		if (c >= 0x20 && c != '"' && c != '\\')
		{
			*out++ = (char) c;
			continue;
		}
		*out++ = '\\';
		if (c >= 0x20)
			*out++ = (char) c;
		else if (c >= 0x08 && c <= 0x0d && shorthand[c - 0x08] != '\0')
			*out++ = shorthand[c - 0x08];
		else
		{
			memcpy(out, "u00", 3);
			out[3] = hex[c >> 4];
			out[4] = hex[c & 0x0f];
			out += 5;
		}
	}
	*out++ = '"';
	return out - dst;
}
