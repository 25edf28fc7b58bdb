/*
 * sketch/sketch_query.c
 *		Percentiles, ranks, sums: answers from a view of either form.  Pure.
 *
 * The values of a bucket are taken to lie evenly in that part of it from
 * which every value of the bucket is within SKETCH_ERROR.  So the bound holds
 * wherever they really are, and smooth data is answered far better than it.
 */
#include <float.h>
#include <math.h>

#include "sketch/sketch_private.h"

#define SUM_UNIT INT64CONST(1000000000000)

/* The part of a bucket where values can be: between min and max. */
static void
bucket_span(const SketchView *view, int32 key, double *lower, double *upper)
{
	sketch_key_bounds(key, lower, upper);
	if (*lower < view->min)
		*lower = view->min;
	if (*upper > view->max)
		*upper = view->max;
	if (key == 0)
	{
		/* Zero and subnormal values: zero, unless all have one sign. */
		*lower = *upper = view->min > 0 ? view->min : view->max < 0 ? view->max : 0;
	}
}

/* The part of a bucket from which every value of it is within SKETCH_ERROR. */
static void
bucket_centre(const SketchView *view, int32 key, double *lower, double *upper)
{
	bucket_span(view, key, lower, upper);
	if (key > 0 && key < SKETCH_KEY_INF)
	{
		double		low = *lower;

		*lower = fmax(low, *upper * (1 - SKETCH_ERROR));
		*upper = fmin(*upper, low * (1 + SKETCH_ERROR));
	}
	else if (key < 0 && key > -SKETCH_KEY_INF)
	{
		double		high = *upper;

		*upper = fmin(high, *lower * (1 - SKETCH_ERROR));
		*lower = fmax(*lower, high * (1 + SKETCH_ERROR));
	}
}

/*
 * One step of the walk over either kind: values of weight milli together,
 * equal ones or those of a bucket.
 */
typedef struct Run
{
	uint64		milli;
	double		value;			/* exact */
	int32		key;			/* buckets */
} Run;

typedef struct RunWalk
{
	const SketchView *view;
	int			entry;
	SketchWalk	walk;
} RunWalk;

static void
runs_begin(RunWalk *runs, const SketchView *view)
{
	runs->view = view;
	runs->entry = 0;
	if (!view->exact)
		sketch_walk_begin(&runs->walk, view);
}

static inline bool
runs_next(RunWalk *runs, Run *run)
{
	const SketchView *view = runs->view;

	if (view->exact)
	{
		if (runs->entry >= view->n_entries)
			return false;
		run->value = view->entries[runs->entry].value;
		run->milli = view->entries[runs->entry].milli;
		run->key = 0;
		runs->entry++;
		return true;
	}
	if (!sketch_walk_next(&runs->walk))
		return false;
	run->key = runs->walk.key;
	run->value = 0;
	run->milli = runs->walk.count * view->tick;
	return true;
}

/* The value so far into a run, from 0 to 1, whose values lie evenly. */
static double
run_at(const SketchView *view, const Run *run, double share)
{
	double		lower;
	double		upper;

	if (view->exact)
		return run->value;
	bucket_centre(view, run->key, &lower, &upper);
	return lower == upper ? lower : lower + share * (upper - lower);
}

/* Whether every run weighs a whole number of values. */
static bool
whole_weights(const SketchView *view)
{
	int			i;

	if (!view->exact)
		return view->tick % SKETCH_MILLI == 0;
	for (i = 0; i < view->n_entries; i++)
		if (view->entries[i].milli % SKETCH_MILLI != 0)
			return false;
	return true;
}

static double
clamp(const SketchView *view, double value)
{
	if (value < view->min)
		return view->min;
	if (value > view->max)
		return view->max;
	return value;
}

/* A rank that is asked for, and where its value goes. */
typedef struct RankWanted
{
	uint64		rank;
	double	   *value;
} RankWanted;

static int
rank_wanted_cmp(const void *a, const void *b)
{
	uint64		x = ((const RankWanted *) a)->rank;
	uint64		y = ((const RankWanted *) b)->rank;

	return x < y ? -1 : x > y;
}

/* Values at some ranks, in one walk that ends with the last of them. */
static bool
values_at_ranks(const SketchView *view, RankWanted *wanted, int n)
{
	uint64		units = view->milli / SKETCH_MILLI;
	uint64		before = 0;
	int			done = 0;
	RunWalk		runs;
	Run			run;

	if (n > 2)
		qsort(wanted, n, sizeof(RankWanted), rank_wanted_cmp);
	runs_begin(&runs, view);
	while (done < n && runs_next(&runs, &run))
	{
		uint64		count = run.milli / SKETCH_MILLI;

		for (; done < n && wanted[done].rank < before + count; done++)
		{
			uint64		rank = wanted[done].rank;

			if (rank == 0)
				*wanted[done].value = view->min;
			else if (rank == units - 1)
				*wanted[done].value = view->max;
			else
				*wanted[done].value = run_at(view, &run, ((rank - before) + 0.5) / count);
		}
		before += count;
	}
	return done == n;
}

/*
 * Percentiles where all weights are whole: the value of weight w stands for w
 * equal ones, and neighbouring ranks are joined by the very arithmetic of
 * percentile_cont, so that exact groups answer to the last bit as it does.
 */
static SketchStatus
quantiles_of_ranks(const SketchView *view, const double *fractions, int n, double *result)
{
	int64		units = (int64) (view->milli / SKETCH_MILLI);
	RankWanted	few[2];
	double		few_values[2];
	RankWanted *wanted = n == 1 ? few : palloc(2 * n * sizeof(RankWanted));
	double	   *values = n == 1 ? few_values : palloc(2 * n * sizeof(double));
	bool		found;
	int			i;

	for (i = 0; i < n; i++)
	{
		wanted[2 * i].rank = (uint64) floor(fractions[i] * (units - 1));
		wanted[2 * i].value = &values[2 * i];
		wanted[2 * i + 1].rank = (uint64) ceil(fractions[i] * (units - 1));
		wanted[2 * i + 1].value = &values[2 * i + 1];
	}
	found = values_at_ranks(view, wanted, 2 * n);
	for (i = 0; i < n && found; i++)
	{
		double		position = fractions[i] * (units - 1);
		double		low = values[2 * i];
		double		high = values[2 * i + 1];

		if (floor(position) == ceil(position))
			result[i] = low;
		else
			result[i] = low + (position - floor(position)) * (high - low);
		result[i] = clamp(view, result[i]);
	}
	if (n != 1)
	{
		pfree(wanted);
		pfree(values);
	}
	return found ? SKETCH_OK : SKETCH_MALFORMED;
}

/*
 * Percentile where weights are fractions: the mean of the values over one
 * unit of weight (or all there is, if less) that begins at fraction * (total
 * - 1).  With whole weights this is the rule above.
 */
static SketchStatus
quantile_of_weight(const SketchView *view, double fraction, double *result)
{
	double		total = (double) view->milli;
	double		window = fmin(total, SKETCH_MILLI);
	double		from = fraction * (total - window);
	double		to = from + window;
	double		before = 0;
	double		mean = 0;
	RunWalk		runs;
	Run			run;

	if (fraction == 0 || fraction == 1)
	{
		*result = fraction == 0 ? view->min : view->max;
		return SKETCH_OK;
	}
	runs_begin(&runs, view);
	while (before < to && runs_next(&runs, &run))
	{
		double		after = before + run.milli;
		double		low = fmax(from, before);
		double		high = fmin(to, after);

		if (high > low)
			mean += run_at(view, &run, ((low + high) / 2 - before) / run.milli) *
				((high - low) / window);
		before = after;
	}
	if (before < to && !view->exact && runs.walk.malformed)
		return SKETCH_MALFORMED;
	*result = clamp(view, mean);
	return SKETCH_OK;
}

SketchStatus
sketch_quantiles(const SketchView *view, const double *fractions, int n, double *result)
{
	SketchStatus status = SKETCH_OK;
	int			i;

	if (whole_weights(view))
		return n > 0 ? quantiles_of_ranks(view, fractions, n, result) : SKETCH_OK;
	for (i = 0; i < n && status == SKETCH_OK; i++)
		status = quantile_of_weight(view, fractions[i], &result[i]);
	return status;
}

/*
 * Weight, in 1/1000, of the values up to and including one.  In the bucket of
 * that value they are taken to lie evenly.
 */
SketchStatus
sketch_weight_up_to(const SketchView *view, double value, double *milli)
{
	int64		wanted = sketch_sort_key(value + 0.0);
	int32		key = sketch_key(value);
	double		sum = 0;
	SketchWalk	walk;
	int			i;

	*milli = 0;
	if (view->exact)
	{
		for (i = 0; i < view->n_entries; i++)
			if (sketch_sort_key(view->entries[i].value) <= wanted)
				*milli += view->entries[i].milli;
		return SKETCH_OK;
	}
	if (wanted < sketch_sort_key(view->min))
		return SKETCH_OK;
	*milli = (double) view->milli;
	if (wanted >= sketch_sort_key(view->max))
		return SKETCH_OK;
	sketch_walk_begin(&walk, view);
	while (sketch_walk_next(&walk) && walk.key <= key)
	{
		double		count = (double) walk.count * view->tick;
		double		lower;
		double		upper;

		if (walk.key == key)
		{
			bucket_span(view, key, &lower, &upper);
			if (upper > lower && value < upper)
				count *= fmax(0, (value - lower) / (upper - lower));
		}
		sum += count;
	}
	if (walk.malformed)
		return SKETCH_MALFORMED;
	/* One value at least is min, and one is max. */
	*milli = fmin(fmax(sum, view->tick), (double) view->milli - view->tick);
	return SKETCH_OK;
}

/* Sum of exact values, with the rounding errors carried along. */
static double
sum_of_entries(const SketchView *view)
{
	double		sum = 0;
	double		lost = 0;
	int			i;

	for (i = 0; i < view->n_entries; i++)
	{
		double		x = view->entries[i].value * ((double) view->entries[i].milli / SKETCH_MILLI);
		double		next = sum + x;

		if (sketch_abs(sum) >= sketch_abs(x))
			lost += (sum - next) + x;
		else
			lost += (x - next) + sum;
		sum = next;
	}
	/* Beyond the range of doubles the errors mean nothing. */
	return isfinite(sum) ? sum + lost : sum;
}

SketchStatus
sketch_sum(const SketchView *view, double *sum)
{
	double		largest = fmax(sketch_abs(view->min), sketch_abs(view->max));
	RunWalk		runs;
	Run			run;

	if (view->exact)
	{
		*sum = sum_of_entries(view);
		return SKETCH_OK;
	}
	if (sketch_sum_kept(view->min, view->max) && largest >= SKETCH_SUM_SMALLEST)
	{
		SketchSum	kept = sketch_sum_pack(view->sum_lo, view->sum_hi);

		/* Whole part and fraction apart, so that whole sums come out whole. */
		*sum = (double) (kept / SUM_UNIT) + (double) (int64) (kept % SUM_UNIT) / SUM_UNIT;
		return SKETCH_OK;
	}
	*sum = 0;
	runs_begin(&runs, view);
	while (runs_next(&runs, &run))
		*sum += run_at(view, &run, 0.5) * ((double) run.milli / SKETCH_MILLI);
	return runs.walk.malformed ? SKETCH_MALFORMED : SKETCH_OK;
}

SketchStatus
sketch_mean(const SketchView *view, double *mean)
{
	double		sum;
	SketchStatus status = sketch_sum(view, &sum);

	if (status == SKETCH_OK)
		*mean = clamp(view, sum / ((double) view->milli / SKETCH_MILLI));
	return status;
}

/* Whether percentiles of this group are exact. */
bool
sketch_is_exact(const SketchView *view)
{
	return view->exact || (view->min == view->max);
}

SketchStatus
sketch_buckets(const SketchView *view, SketchBucket **buckets, int *n_buckets)
{
	int			capacity = 64;
	int			n = 0;
	SketchBucket *all = palloc(capacity * sizeof(SketchBucket));
	SketchWalk	walk;
	int			i;

	*buckets = all;
	*n_buckets = 0;
	for (i = 0; i < view->n_entries && view->exact; i++)
	{
		const SketchEntry *entry = &view->entries[i];

		/* Equal values follow each other. */
		if (n > 0 && sketch_sort_key(all[n - 1].lower) == sketch_sort_key(entry->value))
		{
			all[n - 1].milli += entry->milli;
			continue;
		}
		all[n].lower = all[n].upper = entry->value;
		all[n++].milli = entry->milli;
	}
	if (!view->exact)
	{
		sketch_walk_begin(&walk, view);
		while (sketch_walk_next(&walk))
		{
			if (n == capacity)
			{
				capacity *= 2;
				all = repalloc(all, capacity * sizeof(SketchBucket));
			}
			bucket_span(view, walk.key, &all[n].lower, &all[n].upper);
			all[n++].milli = walk.count * view->tick;
		}
		if (walk.malformed)
		{
			pfree(all);
			*buckets = NULL;
			return SKETCH_MALFORMED;
		}
	}
	*buckets = all;
	*n_buckets = n;
	return SKETCH_OK;
}
