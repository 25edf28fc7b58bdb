/*
 * spanset/spanset_read.c
 *		Columns out of a packed value.  Pure: no server headers.
 *
 * The bytes may come from anybody.  Every read is checked against the end,
 * counts are checked against what the bytes left could hold, and codes
 * against their table, so that a decoded column is always safe to use.
 */
#include "spanset/spanset_bits.h"
#include "spanset/spanset_codec.h"
#include "spanset/spanset_format.h"
#include "spanset/spanset_words.h"

#if SPANSET_WORDS != SPANSET_MAX_WORD
#error "numbers of words"
#endif

/* More text than this does not fit into one piece of memory. */
#define MAX_TEXT UINT64CONST(0x3fffffff)

typedef struct In
{
	const uint8 *pos;
	const uint8 *end;
	const char *error;			/* the first one; then nothing is left to read */
	int			n;
	uint32		flags;
	const SpansetLexicon *lexicon;	/* or NULL */
	uint32	   *scratch;		/* codes that nobody keeps */
} In;

static void
in_fail(In *in, const char *error)
{
	if (in->error == NULL)
		in->error = error;
	in->pos = in->end;
}

static inline size_t
in_left(const In *in)
{
	return in->end - in->pos;
}

static uint64
in_long_varint(In *in)
{
	uint64		v = 0;
	int			shift;

	for (shift = 0; shift < 64 && in->pos < in->end; shift += 7)
	{
		uint8		b = *in->pos++;

		if (shift == 63 && b > 1)
			break;
		v |= (uint64) (b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	in_fail(in, "a number is cut short or too long");
	return 0;
}

static inline uint64
in_varint(In *in)
{
	if (likely(in->pos < in->end && *in->pos < 0x80))
		return *in->pos++;
	return in_long_varint(in);
}

/* n bytes, or NULL. */
static inline const uint8 *
in_bytes(In *in, uint64 n)
{
	const uint8 *p = in->pos;

	if (n > in_left(in))
	{
		in_fail(in, "it is cut short");
		return NULL;
	}
	in->pos += n;
	return p;
}

/* A number whose form is wide or near the end of the bytes. */
static bool
get_long_number(BitReader *r, int bits, uint64 *v)
{
	uint64		bit;
	uint64		high = 0;
	int			width = bits;
	int			q;

	for (q = 0;; q++)
	{
		if (!bits_get(r, 1, &bit) || q > NUMBERS_MAX_STEPS)
			return false;
		if (bit == 0)
			break;
		width += NUMBERS_STEP;
	}
	width = Min(width, 64);
	if (!bits_get(r, Min(width, 32), v))
		return false;
	if (width > 32 && !bits_get(r, width - 32, &high))
		return false;
	*v |= high << 32;
	return true;
}

/* A column of numbers. */
static void
in_numbers(In *in, uint64 *v)
{
	const uint8 *head = in_bytes(in, 1);
	BitReader	r;
	uint64		base = 0;
	int			bits;
	int			i;

	if (head == NULL)
		return;
	if (*head & ~(NUMBERS_BITS | NUMBERS_BASE))
	{
		in_fail(in, "a column of numbers has an unknown form");
		return;
	}
	bits = *head & NUMBERS_BITS;
	if (*head & NUMBERS_BASE)
		base = in_varint(in);
	bits_init(&r, in->pos, in->end);
	for (i = 0; i < in->n; i++)
	{
		int			q;
		int			width;

		if (r.nbits < 56)
			bits_refill(&r);
		q = r.acc == UINT64_MAX ? 64 : __builtin_ctzll(~r.acc);
		width = bits + NUMBERS_STEP * q;
		if (likely(q + 1 + width <= r.nbits && q + 1 + width < 64))
		{
			v[i] = ((r.acc >> (q + 1)) & ((UINT64CONST(1) << width) - 1)) + base;
			r.acc >>= q + 1 + width;
			r.nbits -= q + 1 + width;
		}
		else
		{
			if (!get_long_number(&r, bits, &v[i]))
			{
				in_fail(in, "a column of numbers is cut short");
				return;
			}
			v[i] += base;
		}
	}
	in->pos = bits_end(&r);
}

/* A column of codes below limit; codes is NULL to pass over it. */
static void
in_codes(In *in, uint32 *codes, uint64 limit)
{
	const uint8 *head = in_bytes(in, 1);
	const uint8 *p;
	BitReader	r;
	uint64		base = 0;
	uint64		all = 0;
	uint64		mask;
	int			width;
	int			i;

	if (head == NULL)
		return;
	width = *head & CODES_WIDTH;
	if (width > CODES_MAX_WIDTH || *head & ~(CODES_WIDTH | CODES_BASE))
	{
		in_fail(in, "a column of codes has an unknown form");
		return;
	}
	if (*head & CODES_BASE)
		base = in_varint(in);
	p = in_bytes(in, ((uint64) in->n * width + 7) / 8);
	if (p == NULL || codes == NULL)
		return;
	if (base >= limit)
	{
		in_fail(in, "a code points outside of its table");
		return;
	}
	bits_init(&r, p, in->pos);
	mask = (UINT64CONST(1) << width) - 1;
	for (i = 0; i < in->n; i++)
	{
		uint64		code;

		if (r.nbits < width)
			bits_refill(&r);
		code = (r.acc & mask) + base;
		r.acc >>= width;
		r.nbits -= width;
		all = Max(all, code);
		codes[i] = (uint32) code;
	}
	if (all >= limit)
		in_fail(in, "a code points outside of its table");
}

/* One bit a span into codes. */
static void
in_bitmap(In *in, uint32 *codes)
{
	const uint8 *p = in_bytes(in, ((uint64) in->n + 7) / 8);
	int			i;

	for (i = 0; p != NULL && i < in->n; i++)
		codes[i] = (p[i / 8] >> (i % 8)) & 1;
}

/* A word of the code, or of the lexicon. */
static ApmStr
in_word(In *in, bool learned)
{
	ApmStr		s = {NULL, 0};
	const uint8 *p;
	uint64		number;

	if (learned)
	{
		number = in_varint(in);
		if (number < in->lexicon->nwords)
			return in->lexicon->words[number];
	}
	else if ((p = in_bytes(in, 1)) != NULL)
		s = spanset_words[*p];
	if (s.data == NULL)
		in_fail(in, "a word is unknown");
	return s;
}

/* Room for the digits of strings that are stored as numbers: 16 each, for column number k. */
static char *
digits_of_column(SpansetColumns *c, int k)
{
	if (c->digits == NULL)
		c->digits = palloc((size_t) c->capacity * 4 * 16);
	return c->digits + (size_t) c->capacity * k * 16;
}

/*
 * String i of the table of column number k.  The digits of one that is stored
 * as a number go to memory of c, which is NULL to pass over it.
 */
static ApmStr
in_string(In *in, SpansetColumns *c, int k, uint64 i)
{
	uint32		literal = in->lexicon != NULL ? STRING_LITERAL_LEXICON : STRING_LITERAL;
	ApmStr		s = {NULL, 0};
	uint64		head = in_varint(in);
	const uint8 *p;

	if (head != STRING_HEX && head < literal)
		return in_word(in, head == STRING_LEARNED);
	p = in_bytes(in, head == STRING_HEX ? 8 : head - literal);
	if (p == NULL)
		return s;
	s.data = (const char *) p;
	s.len = head - literal;
	if (head == STRING_HEX && c != NULL)
	{
		char	   *digits = digits_of_column(c, k) + 16 * i;

		hex_digits(p, digits);
		s.data = digits;
		s.len = 16;
	}
	return s;
}

/* A column of strings; column is NULL to pass over it. */
static void
in_strings(In *in, SpansetColumns *c, SpansetStrings *column, int k, uint32 flag)
{
	uint64		count;
	uint64		i;

	if (!(in->flags & flag))
	{
		if (column != NULL)
			memset(column->codes, 0, in->n * sizeof(uint32));
		return;
	}
	count = in_varint(in);
	if (count == 0 || count > (uint64) in->n)
	{
		in_fail(in, "a table of strings has a wrong size");
		return;
	}
	in_codes(in, column != NULL ? column->codes : NULL, count + 1);
	for (i = 0; i < count && in->error == NULL; i++)
	{
		/* Most strings are known words: two bytes, and no memory of their own. */
		if (likely(column != NULL && in_left(in) >= 2 && in->pos[0] == STRING_WORD &&
				   spanset_words[in->pos[1]].data != NULL))
		{
			column->strings[i] = spanset_words[in->pos[1]];
			column->words[i] = in->pos[1] + 1;
			in->pos += 2;
		}
		else if (column != NULL)
		{
			column->strings[i] = in_string(in, c, k, i);
			column->words[i] = 0;
		}
		else
			in_string(in, NULL, k, i);
	}
	if (column != NULL && in->error == NULL)
		column->count = count;
}

static void
in_self_times(In *in, SpansetColumns *c)
{
	int			i;

	memcpy(c->self_time_us, c->duration_us, in->n * sizeof(int64));
	if (!(in->flags & SF_SELF))
		return;
	in_bitmap(in, in->scratch);
	for (i = 0; i < in->n && in->error == NULL; i++)
	{
		uint64		v;

		if (in->scratch[i] == 0)
			continue;
		v = in_varint(in);
		c->self_time_us[i] = v == 0 ? APM_MICROS_NULL :
			(int64) ((uint64) c->duration_us[i] - (uint64) unzigzag(v));
	}
}

static void
in_traces(In *in, SpansetColumns *c)
{
	uint64		count = 1;

	if (in->flags & SF_TRACES)
	{
		count = in_varint(in);
		if (count == 0 || count > (uint64) in->n)
		{
			in_fail(in, "a table of trace ids has a wrong size");
			return;
		}
		in_codes(in, c->trace, count);
	}
	else
		memset(c->trace, 0, in->n * sizeof(uint32));
	c->ntraces = count;
	c->trace_ids = in_bytes(in, count * 16);
}

static void
in_status(In *in, SpansetColumns *c)
{
	int			i;

	if (in->flags & SF_STATUS)
	{
		in_codes(in, in->scratch, APM_STATUS_COUNT + 1);
		for (i = 0; i < in->n && in->error == NULL; i++)
			c->status[i] = (int) in->scratch[i] - 1;
	}
	else
		memset(c->status, in->flags & SF_ALL_OK ? 0 : APM_STATUS_NULL, in->n);
}

static void
in_starts(In *in, SpansetColumns *c)
{
	int			bytes = in->flags & SF_WIDE_START ? 8 : 7;
	const uint8 *p = in_bytes(in, bytes);
	uint64		start = 0;
	int			i;

	if (p == NULL)
		return;
	for (i = bytes - 1; i >= 0; i--)
		start = start << 8 | p[i];
	start = (uint64) unzigzag(start);
	in_numbers(in, (uint64 *) c->start_us);
	for (i = 0; i < in->n && in->error == NULL; i++)
	{
		start += (uint64) unzigzag((uint64) c->start_us[i]);
		c->start_us[i] = (int64) start;
		if (in->flags & SF_START_AFTER)
			start += (uint64) c->duration_us[i];
	}
}

/* Codes of links to ids. */
static void
in_link(In *in, const SpansetColumns *c, uint64 *ids, uint32 flag, const uint8 *outside,
		uint64 noutside)
{
	int			i;

	memset(ids, 0, in->n * sizeof(uint64));
	if (!(in->flags & flag))
		return;
	in_codes(in, in->scratch, noutside + in->n + 1);
	for (i = 0; i < in->n && in->error == NULL; i++)
	{
		uint32		code = in->scratch[i];

		if (code > (uint32) in->n)
			ids[i] = load_be64(outside + 8 * (size_t) (code - in->n - 1));
		else if (code > 0)
			ids[i] = c->span_id[code - 1];
	}
}

static void
in_ids_and_links(In *in, SpansetColumns *c)
{
	const uint8 *ids = in_bytes(in, 8 * (uint64) in->n);
	const uint8 *outside = NULL;
	uint64		noutside = 0;
	int			i;

	for (i = 0; ids != NULL && i < in->n; i++)
		c->span_id[i] = load_be64(ids + 8 * (size_t) i);
	if (in->flags & SF_OUTSIDE)
	{
		noutside = in_varint(in);
		if (noutside > 2 * (uint64) in->n)
			in_fail(in, "a table of span ids has a wrong size");
		else
			outside = in_bytes(in, noutside * 8);
	}
	if (in->error == NULL)
		in_link(in, c, c->parent_span_id, SF_PARENTS, outside, noutside);
	if (in->error == NULL)
		in_link(in, c, c->segment_id, SF_SEGMENTS, outside, noutside);
	if (in->error != NULL)
		return;
	if (in->flags & SF_SEGMENT_BITS)
		in_bitmap(in, in->scratch);
	for (i = 0; i < in->n && in->error == NULL; i++)
		c->is_segment[i] = in->flags & SF_SEGMENT_BITS ? in->scratch[i] != 0 :
			c->segment_id[i] == c->span_id[i];
}

/* The text of the block, which has len bytes; NULL on error. */
static const char *
in_text(In *in, SpansetColumns *c, uint64 len)
{
	const uint8 *head = in_bytes(in, 1);

	if (head == NULL)
		return NULL;
	if (*head & ~BLOCK_COMPRESSED)
		in_fail(in, "the text has an unknown form");
	else if (!(*head & BLOCK_COMPRESSED))
		return (const char *) in_bytes(in, len);
	else if (len > (uint64) in_left(in) * CODEC_MAX_RATIO)
		in_fail(in, "the text is shorter than its parts");
	if (in->error != NULL)
		return NULL;
	if (len > c->text_size)
	{
		if (c->text != NULL)
			pfree(c->text);
		c->text = palloc(len);
		c->text_size = len;
	}
	if (!codec_restore(in->lexicon != NULL ? &in->lexicon->text : codec_known_text(), in->pos, in_left(in), (uint8 *) c->text, len))
	{
		in_fail(in, "the text cannot be restored");
		return NULL;
	}
	in->pos = in->end;
	/* Texts that are all empty need no memory, but they are not NULL. */
	return len > 0 ? c->text : "";
}

/* Lengths of descriptions and attributes, then their text. */
static void
in_block(In *in, SpansetColumns *c)
{
	const uint64 limit = Min((uint64) in_left(in) * CODEC_MAX_RATIO, MAX_TEXT);
	uint64	   *lengths = (uint64 *) c->scratch64;
	uint64		count = 0;
	uint64		len = 0;
	const char *text;
	uint64		i;

	memset(c->description.codes, 0, in->n * sizeof(uint32));
	memset(c->attributes, 0, in->n * sizeof(ApmStr));
	memset(lengths, 0, in->n * sizeof(uint64));
	if (!(in->flags & (SF_DESCRIPTION | SF_ATTRIBUTES)))
		return;
	if (in->flags & SF_DESCRIPTION)
	{
		count = in_varint(in);
		if (count == 0 || count > (uint64) in->n)
		{
			in_fail(in, "a table of strings has a wrong size");
			return;
		}
		in_codes(in, c->description.codes, count + 1);
		for (i = 0; i < count && len <= limit; i++)
		{
			uint64		one = in_varint(in);

			one = Min(one, limit + 1);
			c->description.strings[i].len = (uint32) one;
			len += one;
		}
	}
	if (in->flags & SF_ATTRIBUTES)
		in_numbers(in, lengths);
	for (i = 0; in->error == NULL && i < (uint64) in->n && len <= limit; i++)
		len += lengths[i] == 0 ? 0 : Min(lengths[i] - 1, limit + 1);
	if (len > limit)
		in_fail(in, "the text is shorter than its parts");
	text = in->error == NULL ? in_text(in, c, len) : NULL;
	if (text == NULL)
		return;
	for (i = 0; i < count; i++)
	{
		c->description.strings[i].data = text;
		text += c->description.strings[i].len;
	}
	c->description.count = count;
	for (i = 0; i < (uint64) in->n; i++)
	{
		if (lengths[i] == 0)
			continue;
		c->attributes[i].data = text;
		c->attributes[i].len = (uint32) (lengths[i] - 1);
		text += c->attributes[i].len;
	}
}

/* Arrays for n spans, all in one block. */
static void
arrays_prepare(SpansetColumns *c, int n)
{
	const size_t per = 7 * sizeof(uint64) + 6 * sizeof(ApmStr) + 7 * sizeof(uint32) +
		4 * sizeof(uint16) + 2;
	char	   *p;

	if (likely(n <= c->capacity))
		return;
	if (c->arrays != NULL)
		pfree(c->arrays);
	if (c->digits != NULL)
		pfree(c->digits);
	c->arrays = c->digits = NULL;
	c->capacity = 0;
	p = palloc(per * Max(n, 16));
	c->arrays = p;
	c->capacity = Max(n, 16);
#define TAKE(field, type) \
	(field = (type *) p, p += c->capacity * sizeof(type))
	TAKE(c->duration_us, int64);
	TAKE(c->self_time_us, int64);
	TAKE(c->start_us, int64);
	TAKE(c->span_id, uint64);
	TAKE(c->parent_span_id, uint64);
	TAKE(c->segment_id, uint64);
	TAKE(c->scratch64, uint64);
	TAKE(c->attributes, ApmStr);
	TAKE(c->op.strings, ApmStr);
	TAKE(c->category.strings, ApmStr);
	TAKE(c->group.strings, ApmStr);
	TAKE(c->origin.strings, ApmStr);
	TAKE(c->description.strings, ApmStr);
	TAKE(c->op.codes, uint32);
	TAKE(c->category.codes, uint32);
	TAKE(c->group.codes, uint32);
	TAKE(c->origin.codes, uint32);
	TAKE(c->description.codes, uint32);
	TAKE(c->trace, uint32);
	TAKE(c->scratch32, uint32);
	TAKE(c->op.words, uint16);
	TAKE(c->category.words, uint16);
	TAKE(c->group.words, uint16);
	TAKE(c->origin.words, uint16);
	TAKE(c->is_segment, bool);
	TAKE(c->status, int8);
#undef TAKE
}

uint32
spanset_lexicon_id(const uint8 *data, size_t available)
{
	if (available < SPANSET_LEXICON_HEADER || data[0] != SPANSET_LEXICON)
		return 0;
	return (uint32) data[1] << 24 | (uint32) data[2] << 16 | (uint32) data[3] << 8 | data[4];
}

static const char *
in_header(In *in, const uint8 *data, size_t available, size_t len)
{
	uint64		n;

	memset(in, 0, sizeof(*in));
	in->pos = data;
	in->end = data + available;
	if (available < 2)
		return "it is cut short";
	if (*in->pos == SPANSET_LEXICON && available >= SPANSET_LEXICON_HEADER)
		in->pos += SPANSET_LEXICON_HEADER;
	else if (*in->pos++ != SPANSET_VERSION)
		return "its version is unknown";
	n = in_varint(in);
	if (in->error == NULL && (n > (len - (in->pos - data)) / 8 || n > SPANSET_MAX_SPANS))
		in_fail(in, "it is too short for the number of spans it claims");
	in->n = n;
	return in->error;
}

/* Columns beyond those that the frequent questions need. */
static void
in_rest(In *in, SpansetColumns *c, uint32 wanted)
{
	in_self_times(in, c);
	if (wanted & (SPANSET_ALL & ~(SPANSET_HOT | SPANSET_SELF_TIME)))
	{
		in_traces(in, c);
		in_status(in, c);
		in_starts(in, c);
	}
	if (wanted & (SPANSET_SPAN_ID | SPANSET_LINKS | SPANSET_ORIGIN | SPANSET_TEXT) &&
		in->error == NULL)
		in_ids_and_links(in, c);
	if (wanted & (SPANSET_ORIGIN | SPANSET_TEXT))
		in_strings(in, c, wanted & SPANSET_ORIGIN ? &c->origin : NULL, 3, SF_ORIGIN);
	if (wanted & SPANSET_TEXT && in->error == NULL)
	{
		in_block(in, c);
		if (in->error == NULL && in->pos != in->end)
			in_fail(in, "it goes on after its end");
	}
}

const char *
spanset_read(SpansetColumns *c, const uint8 *data, size_t len, uint32 wanted)
{
	return spanset_read_start(c, data, len, len, wanted);
}

const char *
spanset_read_start(SpansetColumns *c, const uint8 *data, size_t available, size_t len,
				   uint32 wanted)
{
	In			in;
	const char *error = in_header(&in, data, available, len);
	uint64		flags;

	c->n = 0;
	if (error != NULL)
		return error;
	if (data[0] == SPANSET_LEXICON)
	{
		if (c->lexicon == NULL || c->lexicon->id != spanset_lexicon_id(data, len))
			return "it needs a lexicon that is not at hand";
		in.lexicon = c->lexicon;
	}
	c->op.count = c->category.count = c->group.count = 0;
	c->origin.count = c->description.count = c->ntraces = 0;
	if (in.n == 0)
		return in_left(&in) == 0 ? NULL : "it goes on after its end";
	arrays_prepare(c, in.n);
	in.scratch = c->scratch32;
	flags = in_varint(&in);
	if (flags & ~(uint64) SF_KNOWN)
		return "it has columns of an unknown kind";
	in.flags = flags;

	in_numbers(&in, (uint64 *) c->duration_us);
	if (wanted & (SPANSET_ALL & ~SPANSET_DURATION))
		in_strings(&in, c, wanted & SPANSET_OP ? &c->op : NULL, 0, SF_OP);
	if (wanted & (SPANSET_ALL & ~(SPANSET_DURATION | SPANSET_OP)))
		in_strings(&in, c, wanted & SPANSET_CATEGORY ? &c->category : NULL, 1, SF_CATEGORY);
	if (wanted & (SPANSET_ALL & ~(SPANSET_DURATION | SPANSET_OP | SPANSET_CATEGORY)))
		in_strings(&in, c, wanted & SPANSET_GROUP ? &c->group : NULL, 2, SF_GROUP);
	if (wanted & (SPANSET_ALL & ~SPANSET_HOT) && in.error == NULL)
		in_rest(&in, c, wanted);
	c->end = in.pos - data;
	if (in.error == NULL)
		c->n = in.n;
	return in.error;
}

int
spanset_count(const uint8 *data, size_t available, size_t len)
{
	In			in;

	return in_header(&in, data, Min(available, len), len) == NULL ? in.n : -1;
}

static ApmStr
string_of(const SpansetStrings *column, int i)
{
	ApmStr		null = {NULL, 0};

	return column->codes[i] == 0 ? null : column->strings[column->codes[i] - 1];
}

void
spanset_get_wanted(const SpansetColumns *c, int i, uint32 wanted, ApmSpan *span)
{
	if (wanted & SPANSET_TRACE_ID)
		memcpy(span->trace_id, c->trace_ids + 16 * (size_t) c->trace[i], 16);
	if (wanted & SPANSET_SPAN_ID)
		span->span_id = c->span_id[i];
	if (wanted & SPANSET_LINKS)
	{
		span->parent_span_id = c->parent_span_id[i];
		span->segment_id = c->segment_id[i];
		span->is_segment = c->is_segment[i];
	}
	if (wanted & SPANSET_STATUS)
		span->status = c->status[i];
	if (wanted & SPANSET_START)
		span->start_us = c->start_us[i];
	if (wanted & SPANSET_DURATION)
		span->duration_us = c->duration_us[i];
	if (wanted & SPANSET_SELF_TIME)
		span->self_time_us = c->self_time_us[i];
	if (wanted & SPANSET_OP)
		span->op = string_of(&c->op, i);
	if (wanted & SPANSET_DESCRIPTION)
		span->description = string_of(&c->description, i);
	if (wanted & SPANSET_CATEGORY)
		span->category = string_of(&c->category, i);
	if (wanted & SPANSET_GROUP)
		span->span_group = string_of(&c->group, i);
	if (wanted & SPANSET_ORIGIN)
		span->origin = string_of(&c->origin, i);
	if (wanted & SPANSET_ATTRIBUTES)
		span->attributes = c->attributes[i];
}

void
spanset_get(const SpansetColumns *c, int i, ApmSpan *span)
{
	spanset_get_wanted(c, i, SPANSET_ALL, span);
}

void
spanset_free(SpansetColumns *c)
{
	if (c->arrays != NULL)
		pfree(c->arrays);
	if (c->digits != NULL)
		pfree(c->digits);
	if (c->text != NULL)
		pfree(c->text);
	memset(c, 0, sizeof(*c));
}
