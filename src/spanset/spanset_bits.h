/*
 * spanset/spanset_bits.h
 *		Varints and bit streams, least significant bit first.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_SPANSET_BITS_H
#define PG_APM_SPANSET_BITS_H

#include "shim.h"

static inline int
bit_length(uint64 v)
{
	return v == 0 ? 0 : 64 - __builtin_clzll(v);
}

static inline uint64
zigzag(int64 v)
{
	return ((uint64) v << 1) ^ (uint64) (v >> 63);
}

static inline int64
unzigzag(uint64 v)
{
	return (int64) ((v >> 1) ^ (~(v & 1) + 1));
}

static inline uint8 *
write_varint(uint8 *p, uint64 v)
{
	while (v >= 0x80)
	{
		*p++ = (uint8) v | 0x80;
		v >>= 7;
	}
	*p++ = (uint8) v;
	return p;
}

static inline uint64
load_be64(const uint8 *p)
{
	uint64		v;

	memcpy(&v, p, 8);
#ifndef WORDS_BIGENDIAN
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline uint64
load_le64(const uint8 *p)
{
	return __builtin_bswap64(load_be64(p));
}

/* Eight bytes as 16 lower-case hex digits. */
static inline void
hex_digits(const uint8 *p, char *digits)
{
	int			i;

	for (i = 0; i < 8; i += 4)
	{
		uint64		t = p[i] | (uint64) p[i + 1] << 16 | (uint64) p[i + 2] << 32 | (uint64) p[i + 3] << 48;

		/* A nibble a byte, the upper ones first; then '0' more, or 'a' - 10. */
		t = (t >> 4 | t << 8) & UINT64CONST(0x0f0f0f0f0f0f0f0f);
		t += UINT64CONST(0x3030303030303030) +
			((t + UINT64CONST(0x0606060606060606)) >> 4 & UINT64CONST(0x0101010101010101)) * ('a' - 10 - '0');
#ifdef WORDS_BIGENDIAN
		t = __builtin_bswap64(t);
#endif
		memcpy(digits + 2 * i, &t, 8);
	}
}

/* The caller has reserved enough room. */
typedef struct BitWriter
{
	uint8	   *pos;
	uint64		acc;
	int			nbits;			/* below 8 between calls */
} BitWriter;

/* Writes the lowest n bits of v, n <= 56; v has no others. */
static inline void
bits_put(BitWriter *w, uint64 v, int n)
{
	w->acc |= v << w->nbits;
	w->nbits += n;
	while (w->nbits >= 8)
	{
		*w->pos++ = (uint8) w->acc;
		w->acc >>= 8;
		w->nbits -= 8;
	}
}

/* Pads to a whole byte. */
static inline uint8 *
bits_finish(BitWriter *w)
{
	if (w->nbits > 0)
		*w->pos++ = (uint8) w->acc;
	w->acc = 0;
	w->nbits = 0;
	return w->pos;
}

typedef struct BitReader
{
	const uint8 *pos;
	const uint8 *end;
	uint64		acc;
	int			nbits;			/* how many of acc's bits are there to take */
} BitReader;

static inline void
bits_init(BitReader *r, const uint8 *pos, const uint8 *end)
{
	r->pos = pos;
	r->end = end;
	r->acc = 0;
	r->nbits = 0;
}

/* At least 56 bits afterwards, or all there are; those above are zero or true. */
static inline void
bits_refill(BitReader *r)
{
	if (r->end - r->pos >= 8)
	{
		r->acc |= load_le64(r->pos) << r->nbits;
		r->pos += (63 - r->nbits) >> 3;
		r->nbits |= 56;
	}
	else
		while (r->nbits < 56 && r->pos < r->end)
		{
			r->acc |= (uint64) *r->pos++ << r->nbits;
			r->nbits += 8;
		}
}

/* Takes n <= 32 bits; false if there are not so many. */
static inline bool
bits_get(BitReader *r, int n, uint64 *v)
{
	if (r->nbits < n)
		bits_refill(r);
	if (r->nbits < n)
		return false;
	*v = r->acc & ((UINT64CONST(1) << n) - 1);
	r->acc >>= n;
	r->nbits -= n;
	return true;
}

/* Where the next whole byte lies. */
static inline const uint8 *
bits_end(const BitReader *r)
{
	return r->pos - r->nbits / 8;
}

#endif							/* PG_APM_SPANSET_BITS_H */
