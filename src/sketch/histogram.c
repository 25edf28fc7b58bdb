/*
 * sketch/histogram.c
 *		Sketches as histograms: as rows, as text, and made from one.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "sketch/glue.h"

#define TEXT_BARS		40		/* longest bar, in characters */
#define TEXT_LINES		40		/* most lines */
#define TEXT_LINEAR		12		/* aim where lines are equally wide */

PG_FUNCTION_INFO_V1(apm_sketch_histogram);
PG_FUNCTION_INFO_V1(apm_sketch_histogram_text);
PG_FUNCTION_INFO_V1(apm_sketch_from_histogram);

static SketchBucket *
buckets_of_argument(FunctionCallInfo fcinfo, SketchView *view, int *n)
{
	SketchBucket *buckets;

	sketch_view_datum(view, PG_GETARG_DATUM(0), false);
	sketch_ok(sketch_buckets(view, &buckets, n));
	return buckets;
}

Datum
apm_sketch_histogram(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SketchView	view;
	SketchBucket *buckets;
	int			n;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	buckets = buckets_of_argument(fcinfo, &view, &n);
	for (i = 0; i < n; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		values[0] = Float8GetDatum(buckets[i].lower);
		values[1] = Float8GetDatum(buckets[i].upper);
		values[2] = Float8GetDatum((double) buckets[i].milli / SKETCH_MILLI);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* The largest of 1, 2, 5, 10, … (any power of ten) that is not above x > 0. */
static double
round_down(double x)
{
	double		power = pow(10, floor(log10(x)));

	/* Powers and logarithms may be off by their last bit. */
	if (x / power < 1)
		power /= 10;
	else if (x / power >= 10)
		power *= 10;
	return x / power >= 5 ? 5 * power : x / power >= 2 ? 2 * power : power;
}

/* What follows a bound of that series. */
static double
next_round(double bound)
{
	return round_down(bound * 2.6);
}

/*
 * Bounds of the lines of a text: in the series 1, 2, 5 where positive values
 * span more than a factor of 20, else equally wide.  Both cover low..high.
 */
static int
text_bounds(double low, double high, double *bounds)
{
	int			n = 0;
	double		step;
	double		from;

	if (low > 0 && high / low > 20)
	{
		/* The first line holds what is smaller, too: no need to begin there. */
		double		bound = round_down(Max(low, 1e-300));
		double		lines = 3 * (log10(high) - log10(bound)) + 3;
		int			skip = lines > TEXT_LINES ? (int) ceil(lines / (TEXT_LINES / 2)) : 1;
		int			i;

		while (n < TEXT_LINES)
		{
			bounds[n++] = bound;
			if (bound > high)
				break;
			for (i = 0; i < skip; i++)
				bound = next_round(bound);
		}
		return n;
	}
	step = (high / TEXT_LINEAR - low / TEXT_LINEAR);
	if (!(step >= DBL_MIN * 1e10))
	{
		bounds[0] = low;
		bounds[1] = high;
		return 2;
	}
	step = next_round(round_down(step));
	from = floor(low / step);
	for (n = 0; n < TEXT_LINES; n++)
	{
		bounds[n] = (from + n) * step;
		if (bounds[n] > high)
			return n + 1;
	}
	return n;
}

/* Share of a bucket that lies below a bound; a bound is below its own line. */
static double
share_below(const SketchBucket *bucket, double bound)
{
	if (bucket->upper < bound)
		return 1;
	if (bucket->lower >= bound)
		return 0;
	return (bound - bucket->lower) / (bucket->upper - bucket->lower);
}

/* Finite buckets among all; the others are lines of their own. */
static int
finite_buckets(const SketchBucket *buckets, int n, int *first)
{
	int			last = n;

	*first = 0;
	while (*first < n && isinf(buckets[*first].lower))
		++*first;
	while (last > *first && !isfinite(buckets[last - 1].upper))
		last--;
	return last - *first;
}

static void
put_line(StringInfo text, const char *lower, const char *upper, double weight, double most)
{
	int			bar = (int) ceil(weight / most * TEXT_BARS);

	appendStringInfo(text, "\n%12s %12s %12.6g ", lower, upper, weight);
	while (bar-- > 0)
		appendStringInfoChar(text, '#');
	while (text->data[text->len - 1] == ' ')
		text->data[--text->len] = '\0';
}

/* A line for each bucket without a size. */
static void
put_infinite(StringInfo text, const SketchBucket *buckets, int n, double most)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		const char *name = isnan(buckets[i].lower) ? "NaN" :
			buckets[i].lower < 0 ? "-Infinity" : "Infinity";

		put_line(text, name, name, (double) buckets[i].milli / SKETCH_MILLI, most);
	}
}

/* For a look in psql: what is in the sketch, then a bar for each interval. */
Datum
apm_sketch_histogram_text(PG_FUNCTION_ARGS)
{
	static const double fractions[3] = {0.5, 0.95, 0.99};
	SketchView	view;
	double		percentiles[3];
	double		bounds[TEXT_LINES + 1];
	double		weights[TEXT_LINES + 1];
	StringInfoData text;
	SketchBucket *buckets;
	int			n;
	int			first;
	int			n_finite;
	int			n_bounds = 0;
	double		most = 0;
	int			i;
	int			j;

	buckets = buckets_of_argument(fcinfo, &view, &n);
	sketch_ok(sketch_quantiles(&view, fractions, 3, percentiles));
	initStringInfo(&text);
	appendStringInfo(&text, "values " UINT64_FORMAT "  min %g  p50 %g  p95 %g  p99 %g  max %g",
					 view.n, view.min, percentiles[0], percentiles[1], percentiles[2], view.max);
	appendStringInfo(&text, "\n%12s %12s %12s", "from", "to", "count");

	n_finite = finite_buckets(buckets, n, &first);
	if (n_finite > 0)
		n_bounds = text_bounds(buckets[first].lower, buckets[first + n_finite - 1].upper, bounds);
	for (i = 0; i + 1 < n_bounds; i++)
	{
		weights[i] = 0;
		for (j = first; j < first + n_finite; j++)
		{
			double		share = (i + 2 == n_bounds ? 1 : share_below(&buckets[j], bounds[i + 1])) -
				(i == 0 ? 0 : share_below(&buckets[j], bounds[i]));

			weights[i] += share * buckets[j].milli / SKETCH_MILLI;
		}
		most = Max(most, weights[i]);
	}
	for (i = 0; i < n; i++)
		if (i < first || i >= first + n_finite)
			most = Max(most, (double) buckets[i].milli / SKETCH_MILLI);

	put_infinite(&text, buckets, first, most);
	for (i = 0; i + 1 < n_bounds; i++)
		put_line(&text, psprintf("%g", bounds[i]), psprintf("%g", bounds[i + 1]), weights[i], most);
	put_infinite(&text, buckets + first + n_finite, n - first - n_finite, most);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}

static void
add_repeated(SketchState **state, double value, uint64 times)
{
	SketchState *old = *state;

	if (!sketch_add_repeated(state, value, times))
		sketch_raise(SKETCH_OVERFLOW);
	if (*state != old)
		pfree(old);
}

/*
 * How many of count values, spread evenly over lower..upper with half a
 * distance to both ends, lie below x.
 */
static uint64
spread_below(double lower, double upper, uint64 count, double x)
{
	double		below = ceil((x - lower) / (upper - lower) * count - 0.5);

	return below <= 0 ? 0 : below >= count ? count : (uint64) below;
}

/*
 * One bar of a histogram.  Few values are added one by one, more of them
 * bucket by bucket.
 */
static void
add_bar(SketchState **state, double lower, double upper, uint64 count)
{
	double		width = upper - lower;
	uint64		done = 0;
	int32		key;

	if (count <= SKETCH_EXACT_MAX || width <= 0)
	{
		if (width <= 0)
			add_repeated(state, lower, count);
		else
			while (done < count)
				add_repeated(state, lower + (done++ + 0.5) / count * width, 1);
		return;
	}
	for (key = sketch_key(lower + 0.5 / count * width); done < count; key++)
	{
		double		from;
		double		to;
		uint64		below;

		CHECK_FOR_INTERRUPTS();
		sketch_key_bounds(key, &from, &to);
		if (key == 0)
			to = DBL_MIN;
		below = key >= sketch_key(upper) ? count : spread_below(lower, upper, count, to);
		if (below > done)
		{
			from = Max(from, lower);
			to = Min(to, upper);
			add_repeated(state, key == 0 ? from : from + (to - from) / 2, below - done);
			done = below;
		}
	}
}

static pg_attribute_noreturn() void
bad_histogram(const char *message, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message), detail != NULL ? errdetail("%s", detail) : 0));
}

/* Finite bounds in ascending order. */
static double *
histogram_bounds(ArrayType *array, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	double	   *bounds;
	int			i;

	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, n);
	bounds = palloc((*n + 1) * sizeof(double));
	for (i = 0; i < *n; i++)
	{
		if (nulls[i] || !isfinite(DatumGetFloat8(elements[i])))
			bad_histogram("bounds must be finite numbers", NULL);
		bounds[i] = DatumGetFloat8(elements[i]);
		if (i > 0 && bounds[i] <= bounds[i - 1])
			bad_histogram("bounds must ascend", NULL);
	}
	if (*n > 0 && isinf(bounds[*n - 1] - bounds[0]))
		bad_histogram("bounds are too far apart", NULL);
	return bounds;
}

static uint64 *
histogram_counts(ArrayType *array, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	uint64	   *counts;
	int			i;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, n);
	counts = palloc((*n + 1) * sizeof(uint64));
	for (i = 0; i < *n; i++)
	{
		if (nulls[i] || DatumGetInt64(elements[i]) < 0)
			bad_histogram("counts must not be negative or NULL", NULL);
		counts[i] = (uint64) DatumGetInt64(elements[i]);
	}
	return counts;
}

/*
 * (bounds, counts): one count less than bounds, each between two of them; or
 * one more, the first of what is below all bounds and the last of what is
 * above them.  Below means from zero where the first bound is positive; above
 * means at the last bound, as nothing tells how far it went.
 */
Datum
apm_sketch_from_histogram(PG_FUNCTION_ARGS)
{
	int			n_bounds;
	int			n_counts;
	double	   *bounds = histogram_bounds(PG_GETARG_ARRAYTYPE_P(0), &n_bounds);
	uint64	   *counts = histogram_counts(PG_GETARG_ARRAYTYPE_P(1), &n_counts);
	bool		open = n_counts == n_bounds + 1;
	SketchState *state = sketch_create();
	int			i;

	if (n_bounds == 0 || (!open && n_counts != n_bounds - 1))
		bad_histogram("bounds and counts do not match",
					  "Counts are one less than bounds, or one more where the first and the last interval are open.");
	for (i = 0; i < n_counts; i++)
	{
		int			above = open ? i : i + 1;
		double		upper = bounds[Min(above, n_bounds - 1)];
		double		lower = above > 0 ? bounds[above - 1] : Min(0, upper);

		if (counts[i] > 0)
			add_bar(&state, above == 0 && lower < 0 ? upper : lower, upper, counts[i]);
	}
	if (state->n == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(sketch_datum_compact(state));
}
