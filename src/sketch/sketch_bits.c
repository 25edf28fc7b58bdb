/*
 * sketch/sketch_bits.c
 *		Bit streams, most significant bit first, and the codes written to them.
 *		Pure.
 */
#include "sketch/sketch_private.h"

void
sketch_writer_init(SketchWriter *w, size_t headroom, size_t expect)
{
	w->capacity = headroom + expect;
	w->data = palloc(w->capacity);
	memset(w->data, 0, headroom);
	w->len = headroom;
	w->pending = 0;
	w->n_pending = 0;
}

static void
writer_flush(SketchWriter *w)
{
	while (w->n_pending >= 8)
	{
		if (w->len == w->capacity)
		{
			w->capacity *= 2;
			w->data = repalloc(w->data, w->capacity);
		}
		w->n_pending -= 8;
		w->data[w->len++] = (uint8) (w->pending >> w->n_pending);
	}
}

/* The lower n bits of a number, 0 <= n <= 64. */
void
sketch_put_bits(SketchWriter *w, uint64 bits, int n)
{
	if (n > 32)
	{
		sketch_put_bits(w, bits >> 32, n - 32);
		n = 32;
	}
	/* At most 7 bits are pending, so 39 after this. */
	w->pending = (w->pending << n) | (bits & ((UINT64CONST(1) << n) - 1));
	w->n_pending += n;
	writer_flush(w);
}

/* A number of unknown size: 6 bits of length, then what follows its top bit. */
void
sketch_put_number(SketchWriter *w, uint64 x)
{
	int			length = sketch_bit_length(x);

	Assert(length < 64);
	sketch_put_bits(w, length, 6);
	if (length > 1)
		sketch_put_bits(w, x, length - 1);
}

/* Exponential Golomb code of order k; x + 2^k must not overflow. */
void
sketch_put_golomb(SketchWriter *w, uint64 x, int k)
{
	uint64		y = x + (UINT64CONST(1) << k);
	int			length = sketch_bit_length(y);

	sketch_put_bits(w, 0, length - 1 - k);
	sketch_put_bits(w, y, length);
}

int
sketch_golomb_bits(uint64 x, int k)
{
	return 2 * sketch_bit_length(x + (UINT64CONST(1) << k)) - 1 - k;
}

/* Fills the last byte with zero bits. */
void
sketch_writer_finish(SketchWriter *w)
{
	if (w->n_pending > 0)
		sketch_put_bits(w, 0, 8 - w->n_pending);
}

/* The next 57 bits or more, left-aligned, zeros behind the end. */
static inline uint64
reader_peek(const SketchReader *r)
{
	size_t		at = r->pos >> 3;
	uint64		word = 0;

	if (likely(at + 8 <= r->len))
	{
		int			i;

		/* Compilers make one load and a byte swap of this. */
		for (i = 0; i < 8; i++)
			word = (word << 8) | r->data[at + i];
	}
	else
	{
		int			i;

		for (i = 0; i < 8; i++)
			word = (word << 8) | (at + i < r->len ? r->data[at + i] : 0);
	}
	return word << (r->pos & 7);
}

static inline void
reader_skip(SketchReader *r, int n)
{
	r->pos += n;
	if (unlikely(r->pos > r->len * 8))
		r->failed = true;
}

uint64
sketch_get_bits(SketchReader *r, int n)
{
	uint64		high = 0;

	if (n > 32)
	{
		high = sketch_get_bits(r, n - 32) << 32;
		n = 32;
	}
	if (n > 0)
	{
		high |= reader_peek(r) >> (64 - n);
		reader_skip(r, n);
	}
	return high;
}

uint64
sketch_get_number(SketchReader *r)
{
	int			length = (int) sketch_get_bits(r, 6);

	if (length <= 1)
		return length;
	return (UINT64CONST(1) << (length - 1)) | sketch_get_bits(r, length - 1);
}

/* Fails on anything that would need more than 56 bits: no encoder writes it. */
uint64
sketch_get_golomb(SketchReader *r, int k)
{
	uint64		word = reader_peek(r);
	int			zeros;
	int			length;

	if (unlikely(word < (UINT64CONST(1) << 8)))
	{
		r->failed = true;
		return 0;
	}
	zeros = __builtin_clzll(word);
	length = zeros + 1 + k;
	if (unlikely(length > 57))
	{
		r->failed = true;
		return 0;
	}
	if (likely(zeros + length <= 57))
	{
		reader_skip(r, zeros + length);
		word = (word << zeros) >> (64 - length);
	}
	else
	{
		reader_skip(r, zeros);
		word = sketch_get_bits(r, length);
	}
	return word - (UINT64CONST(1) << k);
}

/* Whether nothing is left but the zero bits that fill the last byte. */
bool
sketch_at_end(const SketchReader *r)
{
	size_t		bits = r->len * 8;

	return !r->failed && r->pos <= bits && bits - r->pos < 8 &&
		(bits == r->pos || reader_peek(r) == 0);
}
