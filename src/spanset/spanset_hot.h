/*
 * spanset/spanset_hot.h
 *		Durations and the codes of ops or categories, of sets in the form that
 *		nearly all have.  Pure: no server headers.
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
	const uint8 *table;			/* the strings */
	const uint8 *end;			/* of the table, if all of them are words */
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
 * bits, so 15 of 56 are left over, in which its ones can be counted before
 * more are loaded.
 */
static inline const uint8 *
hot_numbers(const uint8 *p, const uint8 *end, int n, uint32 *v)
{
	const uint8 *last = end - SPANSET_HOT_AHEAD;
	const uint8 head = *p++;
	const int	bits = head & NUMBERS_BITS;
	uint64		left;
	int			nbits = 56;
	uint32		base;
	int			i;

	if (unlikely(head & ~(NUMBERS_BITS | NUMBERS_BASE) || bits >= SPANSET_HOT_BITS))
		return NULL;
	p = hot_base(p, (head & NUMBERS_BASE) != 0, &base);
	if (unlikely(p == NULL || p > last))
		return NULL;
	left = ~load_le64(p);
	p += 7;
	for (i = 0; i < n; i++)
	{
		int			q;
		int			width;
		int			total;

		if (unlikely(left == 0 || p > last))
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
hot_header(const uint8 *data, size_t len, uint32 lexicon_id, int *n, uint32 *flags)
{
	const uint8 *p = data;

	/* All of it, and the head of the durations, takes less than this. */
	if (unlikely(len < 24))
		return NULL;
	if (*p == SPANSET_LEXICON && lexicon_id != 0 && spanset_lexicon_id(data, len) == lexicon_id)
		p += SPANSET_LEXICON_HEADER;
	else if (*p++ != SPANSET_VERSION)
		return NULL;
	*n = *p++;
	if (*n >= 0x80)
	{
		*n = (*n & 0x7f) | *p << 7;
		if (*p++ >= 0x80)
			return NULL;
	}
	if (unlikely(*n == 0 || *n > SPANSET_HOT_SPANS || (size_t) *n > (len - (p - data)) / 8))
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
hot_codes(SpansetHot *h, const uint8 *p, const uint8 *end)
{
	uint8		head;

	if (unlikely(end - p < 2 * SPANSET_HOT_AHEAD))
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
	p += ((size_t) h->n * h->width + 7) / 8;
	h->table = p;
	h->end = p + 2 * (size_t) h->count;
	return likely(p < end && end - p >= 2 * (ptrdiff_t) h->count + SPANSET_HOT_AHEAD);
}

/* Whether a column that is passed over is one that spanset_read() lets pass. */
static inline bool
hot_all_words(const SpansetHot *h)
{
	uint32		k;

	for (k = 0; k < h->count; k++)
		if (h->table[2 * k] != STRING_WORD || spanset_words[h->table[2 * k + 1]].data == NULL)
			return false;
	return true;
}

/*
 * Takes a set, with the codes of one column of strings (SPANSET_OP or
 * SPANSET_CATEGORY), or does not.  lexicon_id is that of the lexicon which
 * spanset_read() would be given, or 0.
 *
 * It is left to the caller to check that every string of the table is
 * STRING_WORD and the number of one that spanset_words has, and each code,
 * base included, at most h->count: the caller looks at them all anyway.
 */
static inline bool
spanset_hot_open(SpansetHot *h, const uint8 *data, size_t len, uint32 lexicon_id, uint32 column)
{
	const uint8 *end = data + len;
	const uint8 *p;
	uint32		flags;

	p = hot_header(data, len, lexicon_id, &h->n, &flags);
	if (unlikely(p == NULL))
		return false;
	p = hot_numbers(p, end, h->n, h->us);
	if (unlikely(p == NULL))
		return false;
	if (column == SPANSET_CATEGORY && flags & SF_OP)
	{
		if (!hot_codes(h, p, end) || !hot_all_words(h))
			return false;
		p = h->end;
	}
	return likely(flags & (column == SPANSET_CATEGORY ? SF_CATEGORY : SF_OP)) && hot_codes(h, p, end);
}

#endif							/* PG_APM_SPANSET_HOT_H */
