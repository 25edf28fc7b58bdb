/*
 * sketch_samples.h
 *		Random groups of values for the tests of the sketch, and sketches that
 *		own their blocks.
 */
#ifndef PG_APM_SKETCH_SAMPLES_H
#define PG_APM_SKETCH_SAMPLES_H

#include <float.h>
#include <math.h>

#include "sketch/sketch.h"

static int	failures = 0;

#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			failures++; \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)

static uint64 random_state = 20240229;

static inline uint64
random_bits(void)
{
	uint64		z = (random_state += UINT64CONST(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static inline uint64
random_below(uint64 n)
{
	return random_bits() % n;
}

/* Within (0, 1]. */
static inline double
random_unit(void)
{
	return ((random_bits() >> 11) + 1) * 0x1p-53;
}

static inline double
random_normal(void)
{
	return sqrt(-2 * log(random_unit())) * cos(2 * M_PI * random_unit());
}

typedef enum Shape
{
	LOG_NORMAL,					/* whole microseconds around 100 ms */
	LOG_NORMAL_WIDE,
	HEAVY_TAIL,					/* Pareto, infinite variance */
	BIMODAL,
	CONSTANT,
	FEW_VALUES,
	WHOLE_MS,
	BUCKET_EDGES,				/* next to both ends of buckets */
	UNIFORM,
	SIGNED,
	ZEROS_AND_TINY,
	ANY_BITS,					/* every double there is */
	N_SHAPES
} Shape;

#define POSITIVE_SHAPES (UNIFORM + 1)

/* At least one, as a decimal fraction reads. */
static inline double
whole_micros(double value)
{
	return floor(value * 1000 + 1) / 1000;
}

static inline double
random_value(Shape shape)
{
	double		value;
	uint64		bits;

	switch (shape)
	{
		case LOG_NORMAL:
			return whole_micros(100 * exp(0.7 * random_normal()));
		case LOG_NORMAL_WIDE:
			return 3 * exp(3 * random_normal());
		case HEAVY_TAIL:
			return 1 / pow(random_unit(), 1.25);
		case BIMODAL:
			return random_below(100) < 93 ? 2 + 0.1 * random_unit() : 4000 + 900 * random_unit();
		case CONSTANT:
			return 123.457;
		case FEW_VALUES:
			return 10.0 * (1 + random_below(5));
		case WHOLE_MS:
			return 1 + (double) random_below(3000);
		case BUCKET_EDGES:
			bits = ((1023 + random_below(12)) << 6 | random_below(64)) << SKETCH_KEY_SHIFT;
			bits -= random_below(2);
			memcpy(&value, &bits, sizeof(value));
			return value;
		case UNIFORM:
			return 1000 * random_unit();
		case SIGNED:
			return 50 * random_normal();
		case ZEROS_AND_TINY:
			switch (random_below(5))
			{
				case 0:
					return 0;
				case 1:
					return -0.0;
				case 2:
					return DBL_MIN * random_unit();
				case 3:
					return -DBL_MIN * random_unit();
				default:
					return 1e-9 * random_normal();
			}
		default:
			bits = random_bits();
			memcpy(&value, &bits, sizeof(value));
			if (random_below(20) == 0)
				value = random_below(2) ? INFINITY : -INFINITY;
			return value;
	}
}

/* Changes of a state that free the block they leave, as nodeAgg does. */
static inline void
keep(SketchState *old, SketchState *now)
{
	if (now != old)
		free(old);
}

static inline bool
add(SketchState **state, double value)
{
	SketchState *old = *state;
	bool		ok = sketch_add_fast(*state, value) || sketch_add(state, value);

	keep(old, *state);
	return ok;
}

static inline bool
add_weighted(SketchState **state, double value, uint64 milli)
{
	SketchState *old = *state;
	bool		ok = sketch_add_weighted(state, value, milli);

	keep(old, *state);
	return ok;
}

static inline SketchStatus
merge(SketchState **state, const SketchView *view)
{
	SketchState *old = *state;
	SketchStatus status = sketch_merge(state, view);

	keep(old, *state);
	return status;
}

typedef struct Bytes
{
	uint8	   *data;
	size_t		len;
} Bytes;

static inline Bytes
encode(const SketchState *state)
{
	SketchView	view;
	Bytes		bytes;

	sketch_view_state(&view, state);
	bytes.data = sketch_encode(&view, 0, &bytes.len);
	return bytes;
}

static inline bool
same_bytes(Bytes a, Bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static inline bool
same_double(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

/* A copy without a byte to spare: reading past the end is seen. */
static inline uint8 *
exact_copy(const uint8 *data, size_t len)
{
	uint8	   *copy = palloc(len);

	memcpy(copy, data, len);
	return copy;
}

static inline int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	if (x != x || y != y)
		return (x != x) - (y != y);
	return x < y ? -1 : x > y;
}

/* percentile_cont of sorted values. */
static inline double
percentile_cont(const double *sorted, size_t n, double p)
{
	double		position = p * (double) (n - 1);
	size_t		low = (size_t) floor(position);
	size_t		high = (size_t) ceil(position);

	if (low == high)
		return sorted[low];
	return sorted[low] + (position - low) * (sorted[high] - sorted[low]);
}

#endif							/* PG_APM_SKETCH_SAMPLES_H */
