/*
 * trace/text.c
 *		Text of any origin in one line of a terminal.
 *
 * Width is counted as psql counts it, so that columns stay aligned: wide
 * characters take two columns, combining ones none.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "trace/trace.h"

#define ELLIPSIS "\xe2\x80\xa6"

/* Combining characters kept on one base; more only pile up. */
#define MAX_COMBINING 3

/*
 * Characters without a glyph that change how their neighbours look or run:
 * zero-width spaces and joiners, marks and overrides of direction, tags.
 */
static bool
is_formatting(pg_wchar c)
{
	return c == 0x00ad || c == 0x061c || c == 0xfeff ||
		(c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
		(c >= 0x2060 && c <= 0x206f) || (c >= 0xe0000 && c <= 0xe007f);
}

static bool
is_blank(pg_wchar c)
{
	return c <= ' ' || (c >= 0x7f && c <= 0xa0) || c == 0x1680 ||
		(c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
		c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Bytes of the character at s, never more than there are. */
static int
char_bytes(const char *s, const char *end)
{
	return Min(pg_encoding_mblen(PG_UTF8, s), (int) (end - s));
}

int
text_columns(const char *s, int len)
{
	const char *end = s + len;
	int			columns = 0;

	for (; s < end; s += char_bytes(s, end))
		columns += Max(pg_encoding_dsplen(PG_UTF8, s), 0);
	return columns;
}

/*
 * A character with a glyph is written when it is known that it fits.  The end
 * of the last text that leaves room for the ellipsis is remembered: there the
 * text is cut if it turns out to be too long.
 */
int
text_append(StringInfo buf, const char *s, int len, int max_columns)
{
	const char *end = s + len;
	int			columns = 0;
	int			cut_len = buf->len;
	int			cut_columns = 0;
	int			combining = 0;
	bool		blank = false;

	if (max_columns <= 0)
		return 0;
	while (s < end)
	{
		int			bytes = char_bytes(s, end);
		pg_wchar	c = utf8_to_unicode((const unsigned char *) s);
		int			width = pg_encoding_dsplen(PG_UTF8, s);

		if (is_blank(c) || width < 0)
			blank = columns > 0;
		else if (width == 0)
		{
			if (!is_formatting(c) && !blank && columns > 0 && ++combining <= MAX_COMBINING)
				appendBinaryStringInfo(buf, s, bytes);
		}
		else if (!is_formatting(c))
		{
			if (columns < max_columns)
			{
				cut_len = buf->len;
				cut_columns = columns;
			}
			if (columns + blank + width > max_columns)
			{
				buf->len = cut_len;
				buf->data[cut_len] = '\0';
				appendStringInfoString(buf, ELLIPSIS);
				return cut_columns + 1;
			}
			if (blank)
				appendStringInfoChar(buf, ' ');
			appendBinaryStringInfo(buf, s, bytes);
			columns += blank + width;
			blank = false;
			combining = 0;
		}
		s += bytes;
	}
	return columns;
}

int
text_append_datum(StringInfo buf, Datum datum, int max_columns)
{
	text	   *t = DatumGetTextPP(datum);

	return text_append(buf, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), max_columns);
}
