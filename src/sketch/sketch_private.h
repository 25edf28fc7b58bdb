/*
 * sketch/sketch_private.h
 *		What the files of the pure sketch share: bit streams, sortable doubles,
 *		128 bit sums, the walk over buckets.
 */
#ifndef PG_APM_SKETCH_PRIVATE_H
#define PG_APM_SKETCH_PRIVATE_H

#include "sketch/sketch.h"

typedef __int128 SketchSum;
typedef unsigned __int128 SketchMagnitude;

#define SKETCH_OCTAVE_MAX	2047
#define SKETCH_KEY_INF		(SKETCH_OCTAVE_MAX << SKETCH_SUB_BITS)
#define SKETCH_KEY_NAN		(SKETCH_KEY_INF + 1)
#define SKETCH_KEYS			(2 * SKETCH_KEY_NAN + 1)

/*
 * The sum is in fixed point unless some value is larger than this; the sum of
 * a larger group, and of one whose values are all too small for a fixed point
 * to catch them, is estimated from the buckets.  Both follow from min and max.
 */
#define SKETCH_SUM_SMALLEST 1e-6
#define SKETCH_SUM_LARGEST	8796093022208.0 /* 2^43 */
#define SKETCH_SUM_FINE		4194304.0	/* 2^22: below, 1e-9 are kept */

/* Bits of a double as a number that sorts as SQL does: NaN above all. */
static inline int64
sketch_sort_key(double value)
{
	int64		bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits >= 0 ? bits : bits ^ INT64_MAX;
}

static inline double
sketch_sort_value(int64 key)
{
	double		value;
	int64		bits = key >= 0 ? key : key ^ INT64_MAX;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline bool
sketch_is_nan(double value)
{
	return value != value;
}

static inline double
sketch_abs(double value)
{
	return value < 0 ? -value : value;
}

static inline int
sketch_bit_length(uint64 x)
{
	return x == 0 ? 0 : 64 - __builtin_clzll(x);
}

static inline SketchSum
sketch_sum_pack(uint64 lo, int64 hi)
{
	return (SketchSum) (((SketchMagnitude) (uint64) hi << 64) | lo);
}

static inline uint64
sketch_common_divisor(uint64 a, uint64 b)
{
	while (b != 0)
	{
		uint64		rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Whether a group with these extremes has its sum in fixed point. */
static inline bool
sketch_sum_kept(double min, double max)
{
	return min >= -SKETCH_SUM_LARGEST && max <= SKETCH_SUM_LARGEST;
}

/* sketch_bits.c */
typedef struct SketchWriter
{
	uint8	   *data;
	size_t		capacity;		/* bytes */
	size_t		len;			/* whole bytes written */
	uint64		pending;		/* the last bits, right-aligned */
	int			n_pending;
} SketchWriter;

typedef struct SketchReader
{
	const uint8 *data;
	size_t		len;
	size_t		pos;			/* next bit */
	bool		failed;			/* read past the end, or an impossible code */
} SketchReader;

extern void sketch_writer_init(SketchWriter *w, size_t headroom, size_t expect);
extern void sketch_put_bits(SketchWriter *w, uint64 bits, int n);
extern void sketch_put_number(SketchWriter *w, uint64 x);
extern void sketch_put_golomb(SketchWriter *w, uint64 x, int k);
extern void sketch_writer_finish(SketchWriter *w);
extern uint64 sketch_get_bits(SketchReader *r, int n);
extern uint64 sketch_get_number(SketchReader *r);
extern bool sketch_at_end(const SketchReader *r);
extern int	sketch_golomb_bits(uint64 x, int k);

/* The next 57 bits or more, left-aligned, zeros behind the end. */
static inline uint64
sketch_peek(const SketchReader *r)
{
	size_t		at = r->pos >> 3;
	uint64		word = 0;

	if (likely(at + 8 <= r->len))
	{
		memcpy(&word, r->data + at, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		word = __builtin_bswap64(word);
#endif
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
sketch_skip(SketchReader *r, int n)
{
	r->pos += n;
	if (unlikely(r->pos > r->len * 8))
		r->failed = true;
}

/* Fails on anything that would need more than 56 bits: no encoder writes it. */
static inline uint64
sketch_get_golomb(SketchReader *r, int k)
{
	uint64		word = sketch_peek(r);
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
		sketch_skip(r, zeros + length);
		word = (word << zeros) >> (64 - length);
	}
	else
	{
		sketch_skip(r, zeros);
		word = sketch_get_bits(r, length);
	}
	return word - (UINT64CONST(1) << k);
}

static inline uint64
sketch_zigzag(int64 x)
{
	return ((uint64) x << 1) ^ (uint64) (x >> 63);
}

static inline int64
sketch_unzigzag(uint64 x)
{
	return (int64) (x >> 1) ^ -(int64) (x & 1);
}

/*
 * Adaptive coding of the buckets.  Three running means, in 1/16, choose the
 * parameter of the codes: of the empty buckets between, of the counts, and of
 * the distance of a count from what its two neighbours let expect.  A count
 * is coded directly or as that distance, whichever the means say is shorter.
 */
typedef struct SketchModel
{
	uint64		gap;
	uint64		count;
	uint64		distance;
	uint64		last;
	uint64		before_last;
} SketchModel;

static inline void
sketch_model_init(SketchModel *m)
{
	m->gap = 32;
	m->count = 32;
	m->distance = 128;
	m->last = m->before_last = 0;
}

static inline int
sketch_model_k(uint64 mean)
{
	int			length = sketch_bit_length(mean >> 4);

	return length > 0 ? length - 1 : 0;
}

static inline uint64
sketch_model_mean(uint64 mean, uint64 x)
{
	return mean - (mean >> 3) + (x << 1);
}

static inline uint64
sketch_model_expected(const SketchModel *m)
{
	return (3 * m->last + m->before_last + 2) >> 2;
}

static inline bool
sketch_model_by_distance(const SketchModel *m)
{
	return m->distance < m->count;
}

static inline void
sketch_model_counted(SketchModel *m, uint64 count, uint64 distance)
{
	m->count = sketch_model_mean(m->count, count - 1);
	m->distance = sketch_model_mean(m->distance, distance);
	m->before_last = m->last;
	m->last = count;
}

/* Walk over the buckets of a view that is not exact. */
typedef struct SketchWalk
{
	const SketchView *view;
	int32		key;			/* of the current bucket */
	uint64		count;			/* its count, in ticks */
	bool		malformed;
	/* working form */
	int			octave;			/* index into the directory */
	int			sub;			/* next counter of its block */
	/* compact form */
	SketchReader reader;
	SketchModel model;
	int32		last_key;
	bool		started;
	uint64		left;			/* ticks not yet walked */
} SketchWalk;

extern void sketch_walk_begin(SketchWalk *walk, const SketchView *view);
extern bool sketch_walk_next(SketchWalk *walk);

static inline bool
sketch_walk_malformed(SketchWalk *walk)
{
	walk->malformed = true;
	return false;
}

/* The count that comes next in the stream; 0 if it is none. */
static inline uint64
sketch_walk_count(SketchWalk *walk)
{
	SketchModel *model = &walk->model;
	uint64		expected = sketch_model_expected(model);
	uint64		count;
	uint64		distance;

	if (sketch_model_by_distance(model))
	{
		distance = sketch_get_golomb(&walk->reader, sketch_model_k(model->distance));
		count = expected + (uint64) sketch_unzigzag(distance);
	}
	else
	{
		count = sketch_get_golomb(&walk->reader, sketch_model_k(model->count)) + 1;
		distance = sketch_zigzag((int64) (count - expected));
	}
	/* A negative count is a huge one here. */
	if (walk->reader.failed || count > walk->left)
		return 0;
	sketch_model_counted(model, count, distance);
	return count;
}

/* The next bucket of a compact form; inline, for merging does nothing else. */
static inline bool
sketch_walk_bytes(SketchWalk *walk)
{
	if (!walk->started)
	{
		walk->started = true;
		walk->key = sketch_key(walk->view->min);
	}
	else if (walk->key == walk->last_key)
	{
		if (walk->left != 0 || !sketch_at_end(&walk->reader))
			return sketch_walk_malformed(walk);
		return false;
	}
	else
	{
		uint64		gap = sketch_get_golomb(&walk->reader, sketch_model_k(walk->model.gap));

		if (walk->reader.failed || gap >= (uint64) (walk->last_key - walk->key))
			return sketch_walk_malformed(walk);
		walk->model.gap = sketch_model_mean(walk->model.gap, gap);
		walk->key += (int32) gap + 1;
	}
	walk->count = sketch_walk_count(walk);
	if (walk->count == 0)
		return sketch_walk_malformed(walk);
	walk->left -= walk->count;
	return true;
}

/* Parts of a working form with buckets. */
static inline uint16 *
sketch_directory(const SketchState *state)
{
	return (uint16 *) (state + 1);
}

static inline char *
sketch_counters(const SketchState *state)
{
	return (char *) (sketch_directory(state) + state->dir_size);
}

static inline uint64
sketch_counter(const SketchState *state, size_t index)
{
	const char *base = sketch_counters(state);

	switch (state->width)
	{
		case 0:
			return ((const uint8 *) base)[index];
		case 1:
			return ((const uint16 *) base)[index];
		case 2:
			return ((const uint32 *) base)[index];
		default:
			return ((const uint64 *) base)[index];
	}
}

#endif							/* PG_APM_SKETCH_PRIVATE_H */
