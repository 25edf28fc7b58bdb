/*
 * spanset/spanset_codec.c
 *		Compression of a block of text against a dictionary of known words.
 *		Pure: no server headers.
 *
 * A block is one or two kilobytes of attributes and descriptions: too small
 * for a compressor that must learn the words first.  So this one begins with
 * a dictionary (spanset_words.c, or a lexicon that a database has learned),
 * and an often repeated layout, which JSON of one SDK has, costs a single byte
 * by repeating the last distance.
 *
 * A block is a sequence of: a token, literals, a match.  The token's bits are
 *		0-2		number of literals; 7: a varint of what is above 7 follows
 *		3-5		length of the match above its minimum; 7: one byte more
 *		6-7		where the match lies: 0 at the last distance again, 1 one byte
 *				of distance, 2 two bytes of distance, 3 two bytes of offset
 *				into the dictionary
 * After the last literals there is no match and the token's upper bits are 0.
 */
#include "spanset/spanset_codec.h"
#include "spanset/spanset_words.h"

#define LITERALS_MORE	7
#define LENGTH_MORE		7
#define MIN_REPEAT		3
#define MIN_MATCH		4
#define MAX_ABOVE		(LENGTH_MORE + 255)
#define WINDOW			65536

#define FROM_REPEAT		0
#define FROM_NEAR		1
#define FROM_FAR		2
#define FROM_DICTIONARY 3

#define TABLE_BITS_MIN	6
#define TABLE_BITS_MAX	13
#define KNOWN_BITS		13
#define LEARNED_BITS	15
#define LEARNED_DEPTH	12		/* places of the same hash that are tried */

typedef struct Match
{
	int			from;
	uint32		where;			/* distance, or offset into the dictionary */
	uint32		len;
	int			gain;			/* bytes saved, roughly */
} Match;

static inline uint32
hash4(const uint8 *p, int bits)
{
	uint32		v;

	memcpy(&v, p, 4);
	return (v * UINT32_C(2654435761)) >> (32 - bits);
}

static void
dictionary_fill(CodecDictionary *d)
{
	uint32		i;

	for (i = 0; i + 4 <= d->len; i++)
	{
		uint16	   *head = &d->heads[hash4(d->text + i, d->bits)];

		if (d->before != NULL)
			d->before[i] = *head;
		*head = i + 1;
	}
}

const CodecDictionary *
codec_known_text(void)
{
	static uint16 heads[1 << KNOWN_BITS];
	static CodecDictionary known = {NULL, 0, KNOWN_BITS, heads, NULL};

	if (known.text == NULL)
	{
		known.text = (const uint8 *) spanset_dictionary;
		known.len = spanset_dictionary_len;
		dictionary_fill(&known);
	}
	return &known;
}

void
codec_dictionary_init(CodecDictionary *d, const uint8 *text, uint32 len)
{
	d->text = text;
	d->len = Min(len, CODEC_MAX_DICTIONARY);
	d->bits = LEARNED_BITS;
	d->heads = palloc0(sizeof(uint16) << LEARNED_BITS);
	d->before = palloc0(sizeof(uint16) * Max(d->len, 1));
	dictionary_fill(d);
}

/* How many bytes at a and b agree, at most max. */
static inline uint32
common_length(const uint8 *a, const uint8 *b, uint32 max)
{
	uint32		n = 0;

	while (n + 8 <= max)
	{
		uint64		x;
		uint64		y;

		memcpy(&x, a + n, 8);
		memcpy(&y, b + n, 8);
		if (x != y)
		{
#ifndef WORDS_BIGENDIAN
			return n + __builtin_ctzll(x ^ y) / 8;
#else
			return n + __builtin_clzll(x ^ y) / 8;
#endif
		}
		n += 8;
	}
	while (n < max && a[n] == b[n])
		n++;
	return n;
}

static inline void
match_consider(Match *best, int from, uint32 where, uint32 len)
{
	static const int cost[] = {1, 2, 3, 3};
	int			gain = (int) len - cost[from];

	if (gain > best->gain)
	{
		best->from = from;
		best->where = where;
		best->len = len;
		best->gain = gain;
	}
}

/* The best match at pos; gain 0 if there is none. */
static inline Match
find_match(const CodecDictionary *d, const uint8 *src, size_t pos, size_t len,
		   uint32 candidate, uint32 distance)
{
	Match		best = {0, 0, 0, 0};
	const uint8 *p = src + pos;
	uint32		max = Min(len - pos, MIN_MATCH + MAX_ABOVE);
	uint32		n;

	if (distance > 0)
	{
		n = common_length(p, p - distance, Min(max, MIN_REPEAT + MAX_ABOVE));
		if (n >= MIN_REPEAT)
			match_consider(&best, FROM_REPEAT, distance, n);
	}
	if (candidate > 0 && pos - (candidate - 1) <= WINDOW)
	{
		uint32		back = pos - (candidate - 1);

		n = common_length(p, p - back, max);
		if (n >= MIN_MATCH)
			match_consider(&best, back <= 256 ? FROM_NEAR : FROM_FAR, back, n);
	}
	if (best.len < 16)
	{
		uint32		at = d->heads[hash4(p, d->bits)];
		int			tries = d->before == NULL ? 1 : LEARNED_DEPTH;

		for (; at > 0 && tries > 0; tries--)
		{
			at--;
			n = common_length(p, d->text + at, Min(max, d->len - at));
			if (n >= MIN_MATCH)
				match_consider(&best, FROM_DICTIONARY, at, n);
			at = d->before == NULL ? 0 : d->before[at];
		}
	}
	return best;
}

/* Writes literals and a match (none if len is 0); NULL if dst is full. */
static uint8 *
put_sequence(uint8 *dst, const uint8 *end, const uint8 *literals, size_t nliterals, const Match *m)
{
	uint32		above = 0;
	uint8	   *token = dst;
	size_t		n;

	if ((size_t) (end - dst) < nliterals + 16)
		return NULL;
	dst++;
	*token = Min(nliterals, LITERALS_MORE);
	if (nliterals >= LITERALS_MORE)
	{
		for (n = nliterals - LITERALS_MORE; n >= 0x80; n >>= 7)
			*dst++ = (uint8) n | 0x80;
		*dst++ = (uint8) n;
	}
	memcpy(dst, literals, nliterals);
	dst += nliterals;
	if (m->len == 0)
		return dst;
	above = m->len - (m->from == FROM_REPEAT ? MIN_REPEAT : MIN_MATCH);
	*token |= Min(above, LENGTH_MORE) << 3 | m->from << 6;
	if (above >= LENGTH_MORE)
		*dst++ = above - LENGTH_MORE;
	if (m->from == FROM_NEAR)
		*dst++ = m->where - 1;
	else if (m->from != FROM_REPEAT)
	{
		uint32		where = m->from == FROM_FAR ? m->where - 1 : m->where;

		*dst++ = (uint8) where;
		*dst++ = (uint8) (where >> 8);
	}
	return dst;
}

size_t
codec_compress(const CodecDictionary *d, const uint8 *src, size_t len, uint8 *dst)
{
	uint32		table[1 << TABLE_BITS_MAX];
	const uint8 *end = dst + len;
	uint8	   *out = dst;
	uint32		distance = 0;
	size_t		literals = 0;
	size_t		pos = 0;
	int			bits = TABLE_BITS_MIN;
	Match		none = {0, 0, 0, 0};

	while (bits < TABLE_BITS_MAX && (size_t) 1 << bits < len)
		bits++;
	memset(table, 0, sizeof(uint32) << bits);

	while (pos + MIN_MATCH <= len)
	{
		uint32	   *slot = &table[hash4(src + pos, bits)];
		Match		m = find_match(d, src, pos, len, *slot, distance);

		*slot = pos + 1;
		if (m.gain <= 0)
		{
			pos++;
			continue;
		}
		out = put_sequence(out, end, src + literals, pos - literals, &m);
		if (out == NULL)
			return 0;
		if (m.from != FROM_DICTIONARY)
			distance = m.where;
		literals = pos + m.len;
		for (pos++; pos < literals; pos++)
			if (pos + MIN_MATCH <= len)
				table[hash4(src + pos, bits)] = pos + 1;
	}
	if (literals < len)
		out = put_sequence(out, end, src + literals, len - literals, &none);
	return out == NULL || (size_t) (out - dst) >= len ? 0 : (size_t) (out - dst);
}

/* Number of literals of a token; the source moves on. */
static bool
get_literals(const uint8 **src, const uint8 *end, uint32 token, uint64 *n)
{
	int			shift;

	*n = token & 7;
	if (*n < LITERALS_MORE)
		return true;
	for (shift = 0; shift < 35 && *src < end; shift += 7)
	{
		uint8		b = *(*src)++;

		*n += (uint64) (b & 0x7f) << shift;
		if (b < 0x80)
			return true;
	}
	return false;
}

static void
copy_match(uint8 *dst, size_t distance, size_t len)
{
	const uint8 *from = dst - distance;

	if (distance >= len)
		memcpy(dst, from, len);
	else
		while (len-- > 0)
			*dst++ = *from++;
}

bool
codec_restore(const CodecDictionary *d, const uint8 *src, size_t len, uint8 *dst, size_t rawlen)
{
	const uint8 *end = src + len;
	uint8	   *start = dst;
	uint8	   *full = dst + rawlen;
	size_t		distance = 0;

	while (src < end)
	{
		uint32		token = *src++;
		uint32		from = token >> 6;
		uint64		n;
		uint32		where = 0;

		if (!get_literals(&src, end, token, &n) ||
			n > (size_t) (end - src) || n > (size_t) (full - dst))
			return false;
		memcpy(dst, src, n);
		src += n;
		dst += n;
		if (src == end && dst == full && token >> 3 == 0)
			break;
		n = (token >> 3 & 7) + (from == FROM_REPEAT ? MIN_REPEAT : MIN_MATCH);
		if ((token >> 3 & 7) == LENGTH_MORE)
		{
			if (src == end)
				return false;
			n += *src++;
		}
		if (n > (size_t) (full - dst))
			return false;
		if (from != FROM_REPEAT)
		{
			int			bytes = from == FROM_NEAR ? 1 : 2;

			if (end - src < bytes)
				return false;
			where = bytes == 1 ? src[0] : src[0] | (uint32) src[1] << 8;
			src += bytes;
		}
		if (from == FROM_DICTIONARY)
		{
			if (where + n > d->len)
				return false;
			memcpy(dst, d->text + where, n);
		}
		else
		{
			if (from != FROM_REPEAT)
				distance = (size_t) where + 1;
			if (distance == 0 || distance > (size_t) (dst - start))
				return false;
			copy_match(dst, distance, n);
		}
		dst += n;
	}
	return dst == full;
}
