/*
 * sketch/sketch.h
 *		Mergeable quantile sketch.  Pure core.
 *
 * A sketch stands for a multiset of (value, weight).  Up to SKETCH_EXACT_MAX
 * values are kept as they are; beyond that they are counted in buckets whose
 * number is the upper bits of the double, 64 to an octave.  Everything stored
 * is a function of the multiset alone, so neither the order of adding nor the
 * way of merging ever shows: equal multisets encode to equal bytes.
 *
 * There are two forms.  The working form (SketchState) is one contiguous
 * block that is also a varlena: counters, their directory and spare capacity
 * lie inside its size.  The compact form is a version byte and a bit stream.
 * A SketchView reads either.
 *
 * Growing.  A function that takes a SketchState ** may replace *state by a
 * larger block from palloc.  It never frees, reallocates or keeps the block
 * it was given: in an aggregate the executor frees that, elsewhere the caller
 * does (if (*state != old) pfree(old)).
 */
#ifndef PG_APM_SKETCH_H
#define PG_APM_SKETCH_H

#include "shim.h"

#define SKETCH_VERSION			1	/* first byte of the compact form */
#define SKETCH_WORKING			0xFF	/* same place, in the working form */
#define SKETCH_EXACT_MAX		32
#define SKETCH_SUB_BITS			6
#define SKETCH_SUB				(1 << SKETCH_SUB_BITS)
#define SKETCH_KEY_SHIFT		(52 - SKETCH_SUB_BITS)
#define SKETCH_NO_BLOCK			0xFFFF
#define SKETCH_MILLI			1000	/* weight 1 */
#define SKETCH_ERROR			0.01	/* relative error beyond exact */

/* Total weight of one sketch: so much that the 128 bit sum cannot overflow. */
#define SKETCH_MAX_MILLI		(UINT64CONST(1) << 53)
#define SKETCH_MAX_UNITS		(SKETCH_MAX_MILLI / SKETCH_MILLI)

/* Bits of the smallest normal double, and of 2^22: see sketch_add_fast. */
#define SKETCH_MIN_NORMAL_BITS	(UINT64CONST(1) << 52)
#define SKETCH_FINE_BITS		((UINT64CONST(1023) + 22) << 52)

typedef enum SketchStatus
{
	SKETCH_OK,
	SKETCH_MALFORMED,			/* bytes that no encoder wrote */
	SKETCH_FUTURE,				/* a version this code does not know */
	SKETCH_OVERFLOW				/* total weight above SKETCH_MAX_MILLI */
} SketchStatus;

typedef enum SketchKind
{
	SKETCH_EXACT,				/* entries follow the header */
	SKETCH_BUCKETS				/* directory and counter blocks follow */
} SketchKind;

/*
 * The working form.  64 bytes of header, then
 *
 * exact: capacity values (weighted: capacity SketchEntry), n of them in use,
 * in order of arrival;
 *
 * buckets: dir_size block numbers (uint16), one for each octave from
 * first_octave on, SKETCH_NO_BLOCK where nothing was counted; then capacity
 * blocks of SKETCH_SUB counters of 1 << width bytes, the first "blocks" of
 * them in use.  Octaves are signed: the biased exponent of the double,
 * negated for negative values; octave 0 holds what is nearer to zero than any
 * normal number.
 *
 * A state that is not weighted counts values; a weighted one counts 1/1000.
 * The sum is a signed 128 bit number of 1e-9, times the unit of counting.
 */
typedef struct SketchState
{
	int32		vl_len_;		/* varlena header, set by the server's glue */
	uint8		form;			/* SKETCH_WORKING */
	uint8		kind;			/* SketchKind */
	uint8		width;			/* log2 of a counter's bytes: 0 to 3 */
	uint8		weighted;
	int16		first_octave;
	uint16		dir_size;
	uint16		blocks;
	uint16		capacity;		/* entries or blocks */
	uint64		n;				/* values added */
	uint64		weight;			/* their total in 1/1000, if weighted */
	uint64		sum_lo;
	int64		sum_hi;
	int64		min_key;		/* sortable bits, see sketch_sort_key */
	int64		max_key;
} SketchState;

typedef struct SketchEntry
{
	double		value;
	uint64		milli;
} SketchEntry;

/* A sketch of either form, header read, ready to be walked. */
typedef struct SketchView
{
	bool		exact;
	uint64		n;
	uint64		milli;			/* total weight in 1/1000 */
	uint64		tick;			/* weight of one count, in 1/1000: buckets only */
	double		min;
	double		max;
	uint64		sum_lo;			/* in 1e-12 */
	int64		sum_hi;
	int			n_entries;		/* exact: entries in order of value */
	SketchEntry entries[SKETCH_EXACT_MAX];
	uint64		divisor;		/* of a working form: counters to ticks */
	const SketchState *state;	/* buckets of a working form, or */
	const uint8 *bytes;			/* of a compact one */
	size_t		len;
	size_t		stream;			/* bit where the buckets begin */
} SketchView;

/* Building. */
extern SketchState *sketch_create(void);
extern size_t sketch_state_size(const SketchState *state);

/* These return false when the total weight would exceed SKETCH_MAX_MILLI. */
extern bool sketch_add(SketchState **state, double value);
extern bool sketch_add_weighted(SketchState **state, double value, uint64 milli);
extern bool sketch_add_repeated(SketchState **state, double value, uint64 times);
extern SketchStatus sketch_merge(SketchState **state, const SketchView *other);
extern SketchStatus sketch_from_view(const SketchView *view, SketchState **state);

/*
 * Counters of at least 1 << width bytes in a state with buckets.  Values that
 * are counted do not show it; who adds many does so faster if all their
 * sketches have the same.
 */
extern void sketch_widen(SketchState **state, int width);

/* A weight in 1/1000, rounded once; false if negative, NaN or too large. */
extern bool sketch_weight_milli(double weight, uint64 *milli);

/* Reading either form.  sketch_view_state trusts its argument. */
extern void sketch_view_state(SketchView *view, const SketchState *state);
extern SketchStatus sketch_view_bytes(SketchView *view, const uint8 *bytes, size_t len);

/* Whether a working form of so many bytes is sound enough to be read. */
extern bool sketch_state_valid(const SketchState *state, size_t size);

/*
 * Compact form in a new block whose first headroom bytes are the caller's
 * (VARHDRSZ for a datum) and counted in *len.  NULL if the view is of a
 * compact form that turns out malformed.
 */
extern uint8 *sketch_encode(const SketchView *view, size_t headroom, size_t *len);

/* Whether these are bytes that sketch_encode writes: the whole check. */
extern SketchStatus sketch_check(const uint8 *bytes, size_t len);

/*
 * Questions.  Those over buckets can find a compact form malformed.
 * Fractions are within [0, 1], which the caller has checked.
 */
extern SketchStatus sketch_quantiles(const SketchView *view, const double *fractions,
									 int n, double *result);
extern SketchStatus sketch_weight_up_to(const SketchView *view, double value, double *milli);
extern SketchStatus sketch_sum(const SketchView *view, double *sum);
extern SketchStatus sketch_mean(const SketchView *view, double *mean);
extern bool sketch_is_exact(const SketchView *view);

/* One bucket, or one exact value (lower = upper), with its weight. */
typedef struct SketchBucket
{
	double		lower;
	double		upper;
	uint64		milli;
} SketchBucket;

/* All of them in order, in a new array; *n_buckets may be 0 only if malformed. */
extern SketchStatus sketch_buckets(const SketchView *view, SketchBucket **buckets, int *n_buckets);

/* Number of the bucket of a value, and the values a bucket spans. */
extern int32 sketch_key(double value);
extern void sketch_key_bounds(int32 key, double *lower, double *upper);

/*
 * The common cases of sketch_add, inline: a value that is kept as it is, and a
 * positive normal value below 2^22 that falls into a bucket in being, whose
 * counter has room.  False, with nothing changed, in every other case.
 */
static inline bool
sketch_add_fast(SketchState *state, double value)
{
	uint64		bits;
	unsigned int octave;
	size_t		index;
	uint16		block;
	const uint16 *dir = (const uint16 *) (state + 1);
	char	   *counters = (char *) (dir + state->dir_size);
	int64		fixed;
	uint64		lo;

	memcpy(&bits, &value, sizeof(bits));
	if (unlikely(bits - SKETCH_MIN_NORMAL_BITS >= SKETCH_FINE_BITS - SKETCH_MIN_NORMAL_BITS ||
				 state->weighted || state->n >= SKETCH_MAX_UNITS))
		return false;
	if (state->kind == SKETCH_EXACT)
	{
		if (state->n >= state->capacity)
			return false;
		((double *) (state + 1))[state->n++] = value;
		return true;
	}
	octave = (unsigned int) ((int) (bits >> 52) - state->first_octave);
	if (unlikely(octave >= state->dir_size))
		return false;
	block = dir[octave];
	if (unlikely(block == SKETCH_NO_BLOCK))
		return false;
	index = (size_t) block * SKETCH_SUB + ((bits >> SKETCH_KEY_SHIFT) & (SKETCH_SUB - 1));
	switch (state->width)
	{
		case 0:
			if (unlikely(((uint8 *) counters)[index] == UINT8_MAX))
				return false;
			((uint8 *) counters)[index]++;
			break;
		case 1:
			if (unlikely(((uint16 *) counters)[index] == UINT16_MAX))
				return false;
			((uint16 *) counters)[index]++;
			break;
		case 2:
			if (unlikely(((uint32 *) counters)[index] == UINT32_MAX))
				return false;
			((uint32 *) counters)[index]++;
			break;
		default:
			((uint64 *) counters)[index]++;
			break;
	}
	state->n++;
	fixed = (int64) (value * 1e9 + 0.5);
	lo = state->sum_lo + (uint64) fixed;
	state->sum_hi += lo < state->sum_lo;
	state->sum_lo = lo;
	if ((int64) bits < state->min_key)
		state->min_key = (int64) bits;
	if ((int64) bits > state->max_key)
		state->max_key = (int64) bits;
	return true;
}

#define SKETCH_US_LIMIT		(1u << 30)

/*
 * sketch_add_fast(state, us / 1000.0) for whole microseconds below
 * SKETCH_US_LIMIT and buckets of two or four bytes; false in more cases.
 *
 * The double next to 1/1000 is too large by less than a fifth of half a unit
 * in its last place.  So the product is the quotient or the next double above
 * it, and the quotient itself where that begins a bucket: the bucket is the
 * same.  In the fixed point the quotient is off by a quarter at most, which
 * rounding takes away: that is a whole multiple of us.
 */
static inline bool
sketch_add_us(SketchState *state, uint32 us)
{
	const double about = (double) (int32) us * 0.001;
	const uint16 *dir = (const uint16 *) (state + 1);
	const uint16 *counters = dir + state->dir_size;
	const bool	two = memcmp(&state->form, "\xff\1\1", 4) == 0;
	unsigned int octave;
	size_t		index;
	uint16		block;
	uint64		bits;
	uint64		lo;

	if (unlikely((!two && memcmp(&state->form, "\xff\1\2", 4) != 0) || state->n >= SKETCH_MAX_UNITS))
		return false;
	memcpy(&bits, &about, sizeof(bits));
	octave = (unsigned int) ((int) (bits >> 52) - state->first_octave);
	if (unlikely(octave >= state->dir_size))
		return false;
	block = dir[octave];
	if (unlikely(block == SKETCH_NO_BLOCK))
		return false;
	index = (size_t) block * SKETCH_SUB + ((bits >> SKETCH_KEY_SHIFT) & (SKETCH_SUB - 1));
	if (likely(two))
	{
		if (unlikely(((uint16 *) counters)[index] == UINT16_MAX))
			return false;
		((uint16 *) counters)[index]++;
	}
	else
	{
		if (unlikely(((uint32 *) counters)[index] == UINT32_MAX))
			return false;
		((uint32 *) counters)[index]++;
	}
	state->n++;
	lo = state->sum_lo + (uint64) us * 1000000;
	state->sum_hi += lo < state->sum_lo;
	state->sum_lo = lo;
	if (unlikely((int64) bits <= state->min_key || (int64) bits > state->max_key))
	{
		const double value = (double) us / 1000.0;

		memcpy(&bits, &value, sizeof(bits));
		state->min_key = Min(state->min_key, (int64) bits);
		state->max_key = Max(state->max_key, (int64) bits);
	}
	return true;
}

#endif							/* PG_APM_SKETCH_H */
