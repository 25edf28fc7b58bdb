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
	if (unlikely(w->len + 8 > w->capacity))
	{
		w->capacity = 2 * (w->capacity + 8);
		w->data = repalloc(w->data, w->capacity);
	}
	while (w->n_pending >= 8)
	{
		w->n_pending -= 8;
		w->data[w->len++] = (uint8) (w->pending >> w->n_pending);
	}
}

/* The lower n bits of a number, 0 <= n <= 64. */
void
sketch_put_bits(SketchWriter *w, uint64 bits, int n)
{
	if (n > 56)
	{
		sketch_put_bits(w, bits >> 32, n - 32);
		n = 32;
	}
	/* At most 7 bits are pending, so 63 after this. */
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

	if (likely(2 * length - 1 - k <= 56))
		sketch_put_bits(w, y, 2 * length - 1 - k);	/* with its zeros in front */
	else
	{
		sketch_put_bits(w, 0, length - 1 - k);
		sketch_put_bits(w, y, length);
	}
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
		high |= sketch_peek(r) >> (64 - n);
		sketch_skip(r, n);
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

/* Whether nothing is left but the zero bits that fill the last byte. */
bool
sketch_at_end(const SketchReader *r)
{
	size_t		bits = r->len * 8;

	return !r->failed && r->pos <= bits && bits - r->pos < 8 &&
		(bits == r->pos || sketch_peek(r) == 0);
}
