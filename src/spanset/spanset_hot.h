/*
 * spanset/spanset_hot.h
 *		Durations or self times and the codes of one column of strings, of sets
 *		in the form that nearly all have.  Pure: no server headers.
 *
 * For those who count durations by a key: nothing is filled but an array of
 * durations, and strings stay where they are.  A set is taken only if it
 * passes all that spanset_read() checks of the same columns; what is not
 * taken, for being rare or for being wrong, is left to spanset_read().
 */
#ifndef PG_APM_SPANSET_HOT_H
#define PG_APM_SPANSET_HOT_H

#include "spanset/spanset_bits.h"
#include "spanset/spanset_format.h"
#include "spanset/spanset_words.h"

#define SPANSET_HOT_SPANS	512		/* a set of more is not taken */
#define SPANSET_HOT_STRINGS	127		/* nor one with more strings in a table */
#define SPANSET_HOT_BITS	28		/* nor one with a duration above some four minutes */
#define SPANSET_HOT_US		(1u << (SPANSET_HOT_BITS + 1))	/* all durations are below */

/*
 * Words are loaded whole, so so many bytes must lie behind all that is taken.
 * They do: further on each span has 8 bytes of id.
 */
#define SPANSET_HOT_AHEAD	8

typedef struct SpansetHot
{
	int			n;
	uint32		count;			/* of strings */
	int			width;			/* of a code, at most 8 */
	uint32		base;			/* of all codes, at most count */
	const uint8 *codes;
	const uint8 *table;			/* the strings: see hot_string() */
	const uint8 *end;			/* of the value */
	const SpansetLexicon *lexicon;	/* that it needs, or NULL */
	uint32		us[SPANSET_HOT_SPANS];
} SpansetHot;

/* Where a column goes on after its base, if it has one: NULL after a long one. */
static inline const uint8 *
hot_base(const uint8 *p, bool has, uint32 *base)
{
	*base = 0;
	if (likely(!has))
		return p;
	*base = p[0] & 0x7f;
	if (p[0] < 0x80)
		return p + 1;
	*base |= (uint32) (p[1] & 0x7f) << 7;
	if (p[1] < 0x80)
		return p + 2;
	*base |= (uint32) p[2] << 14;
	return p[2] < 0x80 ? p + 3 : NULL;
}

/*
 * A column of numbers: where the next column begins, NULL if it is not taken.
 *
 * "left" holds the bits to come, inverted.  nbits of them are sure; those
 * above are right or 0.  Where a number begins depends on the one before by a
 * count of ones and one shift only: a number that is taken has at most 41
 * bits, so 15 of 56 are left over, in which the ones of the next can be
 * counted before more are loaded.
 */
static inline const uint8 *
hot_numbers(const uint8 *p, const uint8 *end, int n, uint32 *v)
{
	const uint8 head = *p++;
	const int	bits = head & NUMBERS_BITS;
	uint64		left;
	int			nbits = 56;
	uint32		base;
	int			i;

	if (unlikely(head & ~(NUMBERS_BITS | NUMBERS_BASE) || bits >= SPANSET_HOT_BITS))
		return NULL;
	p = hot_base(p, (head & NUMBERS_BASE) != 0, &base);
	/* So much follows: the ids of all spans. */
	if (unlikely(p == NULL || end - p < 8 * (n + 2)))
		return NULL;
	left = ~load_le64(p);
	p += 7;
	for (i = 0; i < n; i++)
	{
		int			q;
		int			width;
		int			total;

		if (unlikely(left == 0))
			return NULL;
		q = __builtin_ctzll(left);
		width = bits + NUMBERS_STEP * q;
		if (unlikely(width >= SPANSET_HOT_BITS))
			return NULL;
		total = width + q + 1;
		left |= ~load_le64(p) << nbits;
		p += (63 - nbits) >> 3;
		nbits |= 56;
		v[i] = ((uint32) (~left >> (q + 1)) & (((uint32) 1 << width) - 1)) + base;
		left >>= total;
		nbits -= total;
	}
	return p - nbits / 8;
}

/* Version, number of spans, flags: where the durations begin, or NULL. */
static inline const uint8 *
hot_header(SpansetHot *h, const uint8 *data, size_t len, const SpansetLexicon *lexicon, uint32 *flags)
{
	const uint8 *p = data;

	/* All of it, and the head of the durations, takes less than this. */
	if (unlikely(len < 24))
		return NULL;
	h->end = data + len;
	h->lexicon = NULL;
	if (*p == SPANSET_LEXICON && lexicon != NULL && spanset_lexicon_id(data, len) == lexicon->id)
	{
		h->lexicon = lexicon;
		p += SPANSET_LEXICON_HEADER;
	}
	else if (*p++ != SPANSET_VERSION)
		return NULL;
	h->n = *p++;
	if (h->n >= 0x80)
	{
		h->n = (h->n & 0x7f) | *p << 7;
		if (*p++ >= 0x80)
			return NULL;
	}
	if (unlikely(h->n == 0 || h->n > SPANSET_HOT_SPANS || h->n > (h->end - p) / 8))
		return NULL;
	*flags = p[0] & 0x7f;
	if (*p++ >= 0x80)
	{
		/* Two bytes hold the flags that are not rare. */
		*flags |= (uint32) (p[0] & 0x7f) << 7;
		if (*p++ >= 0x80)
			return NULL;
	}
	return p;
}

/* The codes of a column of strings, and where its table lies; false: not taken. */
static inline bool
hot_codes(SpansetHot *h, const uint8 *p)
{
	uint8		head;

	if (unlikely(h->end - p < 2 * SPANSET_HOT_AHEAD))
		return false;
	h->count = *p++;
	if (unlikely(h->count == 0 || h->count > (uint32) h->n || h->count > SPANSET_HOT_STRINGS))
		return false;
	head = *p++;
	h->width = head & CODES_WIDTH;
	if (unlikely(h->width > 8 || head & ~(CODES_WIDTH | CODES_BASE)))
		return false;
	p = hot_base(p, (head & CODES_BASE) != 0, &h->base);
	if (unlikely(p == NULL || h->base > h->count))
		return false;
	h->codes = p;
	h->table = p + ((size_t) h->n * h->width + 7) / 8;
	return likely(h->end - p >= (h->table - p) + SPANSET_HOT_AHEAD);
}

/*
 * The next string of a table.  One that is stored as a number becomes digits,
 * room for 16 of them; NULL if nobody wants to see it.  False: not taken.
 */
static inline bool
hot_string(const SpansetHot *h, const uint8 **pos, char *digits, ApmStr *s)
{
	const uint8 *p = *pos;
	const ptrdiff_t left = h->end - p;
	const uint32 literal = h->lexicon != NULL ? STRING_LITERAL_LEXICON : STRING_LITERAL;
	uint32		head;

	if (unlikely(left < 2 * SPANSET_HOT_AHEAD))
		return false;
	head = *p++;
	if (head == STRING_WORD)
		*s = spanset_words[*p++];
	else if (head == STRING_HEX)
	{
		s->data = digits != NULL ? digits : (const char *) p;
		s->len = 16;
		if (digits != NULL)
			hex_digits(p, digits);
		p += 8;
	}
	else if (head == STRING_LEARNED && h->lexicon != NULL)
	{
		uint32		number = p[0] & 0x7f;

		if (*p++ >= 0x80)
		{
			number |= (uint32) p[0] << 7;
			if (*p++ >= 0x80)
				return false;
		}
		if (number >= h->lexicon->nwords)
			return false;
		*s = h->lexicon->words[number];
	}
	else
	{
		s->data = (const char *) p;
		s->len = head - literal;
		if (head >= 0x80 || left < (ptrdiff_t) s->len + 2 * SPANSET_HOT_AHEAD)
			return false;
		p += s->len;
	}
	*pos = p;
	return s->data != NULL;
}

/* Passes over a column: codes that nobody looks at are not checked by spanset_read() either. */
static inline const uint8 *
hot_pass(SpansetHot *h, const uint8 *p)
{
	ApmStr		s;
	uint32		k;

	if (!hot_codes(h, p))
		return NULL;
	p = h->table;
	for (k = 0; k < h->count; k++)
		if (!hot_string(h, &p, NULL, &s))
			return NULL;
	return p;
}

/* Self times in the place of the durations; false: not taken. */
static inline bool
hot_self_times(SpansetHot *h, const uint8 *bitmap)
{
	const uint8 *p = bitmap + (h->n + 7) / 8;
	int			i;

	for (i = 0; i < h->n; i += 8)
	{
		unsigned int bits = *bitmap++;

		for (; bits != 0; bits &= bits - 1)
		{
			const int	k = i + __builtin_ctz(bits);
			uint64		v = 0;
			int			shift;

			/* Four bytes at most; NULL, which is 0, is not taken. */
			if (unlikely(k >= h->n || h->end - p < SPANSET_HOT_AHEAD))
				return false;
			for (shift = 0; shift < 28 && *p >= 0x80; shift += 7)
				v |= (uint64) (*p++ & 0x7f) << shift;
			v |= (uint64) *p++ << shift;
			if (unlikely(v == 0 || shift == 28))
				return false;
			h->us[k] -= (uint32) unzigzag(v);
			if (unlikely(h->us[k] >= SPANSET_HOT_US))
				return false;
		}
	}
	return true;
}

/*
 * Takes a set, with the codes of one column of strings (SPANSET_OP,
 * SPANSET_CATEGORY or SPANSET_GROUP), or does not.  The lexicon, or NULL, is
 * that which spanset_read() would be given.
 *
 * It is left to the caller to check that hot_string() takes every string of the
 * table, and that each code, base included, is at most h->count: the caller
 * looks at all of them anyway.
 */
static inline bool
spanset_hot_open(SpansetHot *h, const uint8 *data, size_t len, const SpansetLexicon *lexicon,
				 uint32 column, bool self_time)
{
	static const uint32 columns[][2] = {
		{SF_OP, SPANSET_OP}, {SF_CATEGORY, SPANSET_CATEGORY}, {SF_GROUP, SPANSET_GROUP}
	};
	const uint8 *p;
	uint32		flags;
	int			i;

	p = hot_header(h, data, len, lexicon, &flags);
	if (unlikely(p == NULL))
		return false;
	p = hot_numbers(p, h->end, h->n, h->us);
	if (unlikely(p == NULL))
		return false;
	if (self_time)
	{
		const uint8 *q = p;

		for (i = 0; i < 3 && q != NULL; i++)
			if (flags & columns[i][0])
				q = hot_pass(h, q);
		if (q == NULL || (flags & SF_SELF && (h->end - q < (h->n + 7) / 8 || !hot_self_times(h, q))))
			return false;
	}
	for (i = 0; columns[i][1] != column; i++)
		if (flags & columns[i][0])
		{
			p = hot_pass(h, p);
			if (unlikely(p == NULL))
				return false;
		}
	return likely(flags & columns[i][0]) && hot_codes(h, p);
}

#endif							/* PG_APM_SPANSET_HOT_H */
