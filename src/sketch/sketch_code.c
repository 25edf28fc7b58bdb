/*
 * sketch/sketch_code.c
 *		The compact form: writing, reading the header, checking.  Pure.
 *
 * Byte 0 is the version; a bit stream follows, filled with zeros to a byte.
 * "number" is 6 bits of length and the bits behind the top one.
 *
 *	1	kind: 0 exact, 1 buckets
 *
 * exact:
 *	5	n - 1
 *	1	weights follow the values (else all are 1)
 *	4	scale: values are multiples of 10^-scale, or 15: raw
 *		raw: n times 64 bits of the double, in order
 *		scaled: number: the first, zigzag; if n > 1, 6 bits k and n - 1
 *		differences as Golomb codes of order k
 *		weights: number: their greatest common divisor in 1/1000; 6 bits k;
 *		n Golomb codes of quotient - 1
 *
 * buckets:
 *		number: n
 *	1	ticks follow (else one count is weight 1, and there are n)
 *		number: tick, the greatest common divisor of all counts in 1/1000
 *		number: total weight in ticks
 *	4	scale of min and max, as above
 *		raw: two times 64 bits; scaled: number min, zigzag; number max - min
 *		the sum, if min and max say that it is kept: 4 bits z, 1 bit sign,
 *		7 bits length, bits: sum in 1e-12 without z decimal zeros
 *		the buckets: for each, Golomb code of the empty ones before it (not
 *		for the first) and of its count; see SketchModel.  The first bucket
 *		is that of min and the last that of max.
 */
#include "sketch/sketch_private.h"

#define SCALE_MAX	9
#define SCALE_RAW	15
#define DECIMAL_MAX 9007199254740992.0	/* 2^53 */
#define ZEROS_MAX	15

static const double powers_of_ten[SCALE_MAX + 1] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9
};

static inline double
from_scaled(int64 number, int scale)
{
	return (double) number / powers_of_ten[scale];
}

/* A value as a whole number of 10^-scale, if it is one to the last bit. */
static bool
to_scaled(double value, int scale, int64 *number)
{
	double		scaled = value * powers_of_ten[scale];

	if (!(scaled <= DECIMAL_MAX && scaled >= -DECIMAL_MAX))
		return false;
	*number = (int64) (scaled + (scaled < 0 ? -0.5 : 0.5));
	return from_scaled(*number, scale) == value;
}

/* The smallest scale that fits all the values; numbers is filled for it. */
static int
common_scale(const double *values, int n, int64 *numbers)
{
	int			scale;
	int			i;

	for (scale = 0; scale <= SCALE_MAX; scale++)
	{
		for (i = 0; i < n; i++)
			if (!to_scaled(values[i], scale, &numbers[i]))
				break;
		if (i == n)
			return scale;
	}
	return SCALE_RAW;
}

static void
put_raw(SketchWriter *w, double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	sketch_put_bits(w, bits, 64);
}

static double
get_raw(SketchReader *r)
{
	uint64		bits = sketch_get_bits(r, 64);
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/*
 * Some numbers as Golomb codes of one order: of the six orders up to the
 * length of their mean the one that makes them shortest, or the lowest such.
 */
static void
put_list(SketchWriter *w, const uint64 *numbers, int n)
{
	uint64		sum = 0;
	int			best = 0;
	int			best_bits = INT32_MAX;
	int			last;
	int			k;
	int			i;

	for (i = 0; i < n; i++)
		sum += numbers[i];
	last = sketch_bit_length(sum / n);
	for (k = Max(last - 5, 0); k <= last; k++)
	{
		int			bits = 0;

		for (i = 0; i < n; i++)
			bits += sketch_golomb_bits(numbers[i], k);
		if (bits < best_bits)
		{
			best = k;
			best_bits = bits;
		}
	}
	sketch_put_bits(w, best, 6);
	for (i = 0; i < n; i++)
		sketch_put_golomb(w, numbers[i], best);
}

static void
put_weights(SketchWriter *w, const SketchEntry *entries, int n)
{
	uint64		quotients[SKETCH_EXACT_MAX];
	uint64		divisor = 0;
	int			i;

	for (i = 0; i < n; i++)
		divisor = sketch_common_divisor(entries[i].milli, divisor);
	for (i = 0; i < n; i++)
		quotients[i] = entries[i].milli / divisor - 1;
	sketch_put_number(w, divisor);
	put_list(w, quotients, n);
}

static void
encode_exact(SketchWriter *w, const SketchView *view)
{
	double		values[SKETCH_EXACT_MAX];
	int64		numbers[SKETCH_EXACT_MAX];
	int			n = view->n_entries;
	bool		weighted = false;
	int			scale;
	int			i;

	for (i = 0; i < n; i++)
	{
		values[i] = view->entries[i].value;
		weighted |= view->entries[i].milli != SKETCH_MILLI;
	}
	scale = common_scale(values, n, numbers);
	sketch_put_bits(w, n - 1, 5);
	sketch_put_bits(w, weighted, 1);
	sketch_put_bits(w, scale, 4);
	if (scale == SCALE_RAW)
		for (i = 0; i < n; i++)
			put_raw(w, values[i]);
	else
	{
		uint64		differences[SKETCH_EXACT_MAX];

		sketch_put_number(w, sketch_zigzag(numbers[0]));
		for (i = 1; i < n; i++)
			differences[i - 1] = (uint64) (numbers[i] - numbers[i - 1]);
		if (n > 1)
			put_list(w, differences, n - 1);
	}
	if (weighted)
		put_weights(w, view->entries, n);
}

/* min and max of buckets. */
static void
put_range(SketchWriter *w, double min, double max)
{
	double		values[2];
	int64		numbers[2];
	int			scale;

	values[0] = min;
	values[1] = max;
	scale = common_scale(values, 2, numbers);
	sketch_put_bits(w, scale, 4);
	if (scale == SCALE_RAW)
	{
		put_raw(w, min);
		put_raw(w, max);
	}
	else
	{
		sketch_put_number(w, sketch_zigzag(numbers[0]));
		sketch_put_number(w, (uint64) (numbers[1] - numbers[0]));
	}
}

static void
put_sum(SketchWriter *w, SketchSum sum)
{
	SketchMagnitude size = sum < 0 ? -(SketchMagnitude) sum : (SketchMagnitude) sum;
	uint64		power = 100000000;
	int			zeros = 0;
	int			step;
	int			length;

	/* 8, 4, 2, 1: as many zeros as there are, up to ZEROS_MAX. */
	for (step = 8; step > 0 && size != 0; step /= 2)
	{
		if (size % power == 0)
		{
			size /= power;
			zeros += step;
		}
		power = step == 8 ? 10000 : step == 4 ? 100 : 10;
	}
	length = (uint64) (size >> 64) != 0 ? 64 + sketch_bit_length((uint64) (size >> 64)) :
		sketch_bit_length((uint64) size);
	sketch_put_bits(w, zeros, 4);
	sketch_put_bits(w, sum < 0, 1);
	sketch_put_bits(w, length, 7);
	if (length > 64)
		sketch_put_bits(w, (uint64) (size >> 64), length - 64);
	sketch_put_bits(w, (uint64) size, Min(length, 64));
}

static bool
encode_buckets(SketchWriter *w, const SketchView *view)
{
	int32		key = 0;
	bool		first = true;
	SketchModel model;
	SketchWalk	walk;

	sketch_put_number(w, view->n);
	if (view->tick == SKETCH_MILLI && view->milli / SKETCH_MILLI == view->n)
		sketch_put_bits(w, 0, 1);
	else
	{
		sketch_put_bits(w, 1, 1);
		sketch_put_number(w, view->tick);
		sketch_put_number(w, view->milli / view->tick);
	}
	put_range(w, view->min, view->max);
	if (sketch_sum_kept(view->min, view->max))
		put_sum(w, sketch_sum_pack(view->sum_lo, view->sum_hi));

	sketch_model_init(&model);
	sketch_walk_begin(&walk, view);
	while (sketch_walk_next(&walk))
	{
		uint64		distance = sketch_zigzag((int64) (walk.count - sketch_model_expected(&model)));

		if (!first)
		{
			uint64		gap = (uint64) (walk.key - key - 1);

			sketch_put_golomb(w, gap, sketch_model_k(model.gap));
			model.gap = sketch_model_mean(model.gap, gap);
		}
		if (sketch_model_by_distance(&model))
			sketch_put_golomb(w, distance, sketch_model_k(model.distance));
		else
			sketch_put_golomb(w, walk.count - 1, sketch_model_k(model.count));
		sketch_model_counted(&model, walk.count, distance);
		key = walk.key;
		first = false;
	}
	return !walk.malformed;
}

uint8 *
sketch_encode(const SketchView *view, size_t headroom, size_t *len)
{
	SketchWriter w;

	Assert(view->n > 0);
	sketch_writer_init(&w, headroom, view->exact ? 320 : 1024);
	sketch_put_bits(&w, SKETCH_VERSION, 8);
	sketch_put_bits(&w, !view->exact, 1);
	if (view->exact)
		encode_exact(&w, view);
	else if (!encode_buckets(&w, view))
	{
		pfree(w.data);
		return NULL;
	}
	sketch_writer_finish(&w);
	*len = w.len;
	return w.data;
}

static void
decode_values(SketchReader *r, SketchView *view, int scale)
{
	int			n = view->n_entries;
	int64		number;
	int			k = 0;
	int			i;

	if (scale == SCALE_RAW)
	{
		for (i = 0; i < n; i++)
			view->entries[i].value = get_raw(r);
		return;
	}
	number = sketch_unzigzag(sketch_get_number(r));
	if (n > 1)
		k = (int) sketch_get_bits(r, 6);
	for (i = 0; i < n && k < 55; i++)
	{
		/* The limit also keeps the running number far from overflow. */
		if (number > (int64) DECIMAL_MAX || number < -(int64) DECIMAL_MAX)
			break;
		view->entries[i].value = from_scaled(number, scale);
		if (i + 1 < n)
			number += (int64) sketch_get_golomb(r, k);
	}
	if (i < n)
		r->failed = true;
}

static void
decode_weights(SketchReader *r, SketchView *view)
{
	uint64		divisor = sketch_get_number(r);
	int			k = (int) sketch_get_bits(r, 6);
	int			i;

	for (i = 0; i < view->n_entries && k < 55; i++)
	{
		uint64		quotient = sketch_get_golomb(r, k) + 1;

		if (divisor == 0 || quotient > SKETCH_MAX_MILLI / divisor)
			break;
		view->entries[i].milli = quotient * divisor;
		if (view->entries[i].milli > SKETCH_MAX_MILLI - view->milli)
			break;
		view->milli += view->entries[i].milli;
	}
	if (i < view->n_entries)
		r->failed = true;
}

/* Whether a value is one that sketches keep: not -0, and one NaN only. */
static bool
canonical_value(double value)
{
	int64		key = sketch_sort_key(value);

	return key != -1 && (!sketch_is_nan(value) || key == INT64CONST(0x7FF8) << 48);
}

/* Values in order of themselves, then of their weights. */
static bool
entries_in_order(const SketchView *view)
{
	int			i;

	for (i = 0; i < view->n_entries; i++)
	{
		double		value = view->entries[i].value;
		int64		key = sketch_sort_key(value);

		if (!canonical_value(value))
			return false;
		if (i > 0 && (sketch_sort_key(view->entries[i - 1].value) > key ||
					  (view->entries[i - 1].value == value &&
					   view->entries[i - 1].milli > view->entries[i].milli)))
			return false;
	}
	return true;
}

static SketchStatus
decode_exact(SketchReader *r, SketchView *view)
{
	bool		weighted;
	int			scale;
	int			i;

	view->n_entries = (int) sketch_get_bits(r, 5) + 1;
	view->n = view->n_entries;
	weighted = sketch_get_bits(r, 1) != 0;
	scale = (int) sketch_get_bits(r, 4);
	if (scale > SCALE_MAX && scale != SCALE_RAW)
		return SKETCH_MALFORMED;
	decode_values(r, view, scale);
	view->milli = 0;
	if (weighted)
		decode_weights(r, view);
	else
	{
		for (i = 0; i < view->n_entries; i++)
			view->entries[i].milli = SKETCH_MILLI;
		view->milli = view->n * SKETCH_MILLI;
	}
	if (!sketch_at_end(r) || !entries_in_order(view))
		return SKETCH_MALFORMED;
	view->min = view->entries[0].value;
	view->max = view->entries[view->n_entries - 1].value;
	return SKETCH_OK;
}

static bool
decode_range(SketchReader *r, SketchView *view)
{
	int			scale = (int) sketch_get_bits(r, 4);

	if (scale == SCALE_RAW)
	{
		view->min = get_raw(r);
		view->max = get_raw(r);
	}
	else
	{
		int64		low = sketch_unzigzag(sketch_get_number(r));
		uint64		width = sketch_get_number(r);

		if (scale > SCALE_MAX || low > (int64) DECIMAL_MAX || low < -(int64) DECIMAL_MAX ||
			width > 2 * (uint64) DECIMAL_MAX)
			return false;
		view->min = from_scaled(low, scale);
		view->max = from_scaled(low + (int64) width, scale);
	}
	return canonical_value(view->min) && canonical_value(view->max) &&
		sketch_sort_key(view->min) <= sketch_sort_key(view->max);
}

static bool
decode_sum(SketchReader *r, SketchView *view)
{
	/* No sum is larger than that of as many of the largest value. */
	SketchMagnitude most = (SketchMagnitude) view->milli *
		((SketchMagnitude) SKETCH_SUM_LARGEST * 1000000000);
	int			zeros = (int) sketch_get_bits(r, 4);
	bool		negative = sketch_get_bits(r, 1) != 0;
	int			length = (int) sketch_get_bits(r, 7);
	SketchMagnitude size = 0;
	SketchSum	sum;

	if (length > 64)
		size = (SketchMagnitude) sketch_get_bits(r, length - 64) << 64;
	size |= sketch_get_bits(r, Min(length, 64));
	while (zeros-- > 0 && size <= most)
		size *= 10;
	if (size > most)
		return false;
	sum = negative ? -(SketchSum) size : (SketchSum) size;
	view->sum_lo = (uint64) sum;
	view->sum_hi = (int64) (sum >> 64);
	return true;
}

static SketchStatus
decode_buckets(SketchReader *r, SketchView *view)
{
	view->n = sketch_get_number(r);
	if (sketch_get_bits(r, 1) == 0)
	{
		if (view->n > SKETCH_MAX_UNITS)
			return SKETCH_MALFORMED;
		view->tick = SKETCH_MILLI;
		view->milli = view->n * SKETCH_MILLI;
	}
	else
	{
		uint64		ticks;

		view->tick = sketch_get_number(r);
		ticks = sketch_get_number(r);
		if (view->tick == 0 || ticks == 0 || ticks > SKETCH_MAX_MILLI / view->tick)
			return SKETCH_MALFORMED;
		view->milli = ticks * view->tick;
	}
	if (view->n <= SKETCH_EXACT_MAX || view->n > view->milli ||
		!decode_range(r, view))
		return SKETCH_MALFORMED;
	if (sketch_sum_kept(view->min, view->max) && !decode_sum(r, view))
		return SKETCH_MALFORMED;
	view->stream = r->pos;
	return r->failed ? SKETCH_MALFORMED : SKETCH_OK;
}

/*
 * Reads the header of a compact form, and all of an exact one.  Safe on any
 * bytes; that they are canonical is for sketch_check to say.
 */
SketchStatus
sketch_view_bytes(SketchView *view, const uint8 *bytes, size_t len)
{
	SketchReader reader;

	if (len < 1)
		return SKETCH_MALFORMED;
	if (bytes[0] != SKETCH_VERSION)
		return bytes[0] == 0 || bytes[0] == SKETCH_WORKING ? SKETCH_MALFORMED : SKETCH_FUTURE;
	reader.data = bytes;
	reader.len = len;
	reader.pos = 8;
	reader.failed = false;
	view->state = NULL;
	view->bytes = bytes;
	view->len = len;
	view->stream = 0;
	view->sum_lo = view->sum_hi = 0;
	view->n_entries = 0;
	view->exact = sketch_get_bits(&reader, 1) == 0;
	if (view->exact)
		return decode_exact(&reader, view);
	return decode_buckets(&reader, view);
}

/*
 * Decodes everything and encodes it again: only bytes that come out the same
 * are a sketch, so each multiset has exactly one form and nothing malformed
 * gets past.
 */
SketchStatus
sketch_check(const uint8 *bytes, size_t len)
{
	SketchView	view;
	SketchState *state;
	SketchStatus status = sketch_view_bytes(&view, bytes, len);
	uint8	   *again;
	size_t		again_len;

	if (status != SKETCH_OK)
		return status;
	status = sketch_from_view(&view, &state);
	if (status != SKETCH_OK)
		return SKETCH_MALFORMED;
	sketch_view_state(&view, state);
	again = sketch_encode(&view, 0, &again_len);
	if (again == NULL || again_len != len || memcmp(again, bytes, len) != 0)
		status = SKETCH_MALFORMED;
	if (again != NULL)
		pfree(again);
	pfree(state);
	return status;
}
