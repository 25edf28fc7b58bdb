/*
 * metrics/weighted.c
 *		Estimates from sampled rows, with their confidence.
 *
 * A row of weight w stands for w rows.  The state is a float8[] of sums that
 * serves counts, sums and means alike.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "metrics/weight.h"
#include "sketch/glue.h"

/* The sums of a state. */
enum
{
	SUM_ROWS,					/* rows that count */
	SUM_W,						/* of w */
	SUM_WW,						/* of w² - w: variance of the count */
	SUM_XW,						/* of x w */
	SUM_XXWW,					/* of x² (w² - w): variance of the sum */
	SUM_COUNT
};

/* Quantiles of the normal distribution: 95 %, and two such bounds at once. */
#define Z_ONE	1.96
#define Z_TWO	2.24

/* Half-widths up to this share of the value are called reliable. */
#define RELIABLE_SHARE 0.5

double
metric_weight(FunctionCallInfo fcinfo, int arg)
{
	double		weight;

	if (PG_ARGISNULL(arg))
		return 1;
	weight = PG_GETARG_FLOAT8(arg);
	if (!(weight >= 0) || isinf(weight))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight must be finite and not negative")));
	return weight;
}

static double *
sums_of(ArrayType *array)
{
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != SUM_COUNT || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the state must be an array of %d numbers", SUM_COUNT)));
	return (double *) ARR_DATA_PTR(array);
}

static ArrayType *
state_array(FunctionCallInfo fcinfo, double **sums)
{
	ArrayType  *array;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the state must be an array of %d numbers", SUM_COUNT)));
	array = AggCheckCallContext(fcinfo, NULL) ? PG_GETARG_ARRAYTYPE_P(0)
		: PG_GETARG_ARRAYTYPE_P_COPY(0);
	*sums = sums_of(array);
	return array;
}

static void
add_row(double *sums, double x, double weight)
{
	double		excess = weight * weight - weight;

	sums[SUM_ROWS]++;
	sums[SUM_W] += weight;
	sums[SUM_WW] += excess;
	sums[SUM_XW] += x * weight;
	sums[SUM_XXWW] += x * x * excess;
}

/* Transition of estimate_count(weight). */
PG_FUNCTION_INFO_V1(estimate_accum_count);
Datum
estimate_accum_count(PG_FUNCTION_ARGS)
{
	double	   *sums;
	ArrayType  *state = state_array(fcinfo, &sums);

	add_row(sums, 1, metric_weight(fcinfo, 1));
	PG_RETURN_ARRAYTYPE_P(state);
}

/* Transition of estimate_sum(v, weight) and estimate_avg(v, weight). */
PG_FUNCTION_INFO_V1(estimate_accum);
Datum
estimate_accum(PG_FUNCTION_ARGS)
{
	double	   *sums;
	ArrayType  *state = state_array(fcinfo, &sums);
	double		weight = metric_weight(fcinfo, 2);

	if (!PG_ARGISNULL(1))
		add_row(sums, PG_GETARG_FLOAT8(1), weight);
	PG_RETURN_ARRAYTYPE_P(state);
}

PG_FUNCTION_INFO_V1(estimate_combine);
Datum
estimate_combine(PG_FUNCTION_ARGS)
{
	double	   *to;
	ArrayType  *state = state_array(fcinfo, &to);
	const double *from;
	int			i;

	if (PG_ARGISNULL(1))
		PG_RETURN_ARRAYTYPE_P(state);
	from = sums_of(PG_GETARG_ARRAYTYPE_P(1));
	for (i = 0; i < SUM_COUNT; i++)
		to[i] += from[i];
	PG_RETURN_ARRAYTYPE_P(state);
}

/* A row of type apm.estimate; NULL unless anything was counted. */
static Datum
estimate_row(FunctionCallInfo fcinfo, const double *sums, double value, double half_width)
{
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {false, false, false, false, false};
	bool		high;

	if (sums[SUM_ROWS] == 0 || isnan(value))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	high = half_width == 0 || (value != 0 && half_width / fabs(value) <= RELIABLE_SHARE);
	values[0] = Float8GetDatum(value);
	values[1] = Float8GetDatum(half_width);
	values[2] = CStringGetTextDatum(high ? "high" : "low");
	values[3] = Int64GetDatum((int64) sums[SUM_ROWS]);
	values[4] = Float8GetDatum(sums[SUM_ROWS] / sums[SUM_W]);
	nulls[4] = sums[SUM_W] == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

PG_FUNCTION_INFO_V1(estimate_count_final);
Datum
estimate_count_final(PG_FUNCTION_ARGS)
{
	const double *sums = sums_of(PG_GETARG_ARRAYTYPE_P(0));

	return estimate_row(fcinfo, sums, rint(sums[SUM_W]),
						Z_ONE * sqrt(Max(0, sums[SUM_WW])));
}

PG_FUNCTION_INFO_V1(estimate_sum_final);
Datum
estimate_sum_final(PG_FUNCTION_ARGS)
{
	const double *sums = sums_of(PG_GETARG_ARRAYTYPE_P(0));

	return estimate_row(fcinfo, sums, sums[SUM_XW], Z_ONE * sqrt(Max(0, sums[SUM_XXWW])));
}

/* Half the distance between the extremes that sum and count allow together. */
PG_FUNCTION_INFO_V1(estimate_avg_final);
Datum
estimate_avg_final(PG_FUNCTION_ARGS)
{
	const double *sums = sums_of(PG_GETARG_ARRAYTYPE_P(0));
	double		count = sums[SUM_W];
	double		sum = sums[SUM_XW];
	double		count_error = Z_TWO * sqrt(Max(0, sums[SUM_WW]));
	double		sum_error = Z_TWO * sqrt(Max(0, sums[SUM_XXWW]));
	double		half_width = INFINITY;

	if (count == 0)
		PG_RETURN_NULL();
	if (count > count_error)
		half_width = ((sum + sum_error) / (count - count_error) -
					  (sum - sum_error) / (count + count_error)) / 2;
	return estimate_row(fcinfo, sums, sum / count, fabs(half_width));
}

/* _apm.normal_two_sided(z) */
PG_FUNCTION_INFO_V1(normal_two_sided);
Datum
normal_two_sided(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(erfc(fabs(PG_GETARG_FLOAT8(0)) / M_SQRT2));
}

/*
 * _apm.percentile_error(sketch, p): standard error of a percentile, which is
 * the distance in values of one standard error in ranks, on both sides.
 */
PG_FUNCTION_INFO_V1(percentile_error);
Datum
percentile_error(PG_FUNCTION_ARGS)
{
	double		p = PG_GETARG_FLOAT8(1);
	double		fractions[2];
	double		values[2];
	double		error;
	SketchView	view;

	if (!(p >= 0 && p <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("p must be between 0 and 1, not %g", p)));
	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	error = sqrt(p * (1 - p) / view.n);
	fractions[0] = Max(p - error, 0);
	fractions[1] = Min(p + error, 1);
	if (!(fractions[1] > fractions[0]))
		PG_RETURN_NULL();
	sketch_ok(sketch_quantiles(&view, fractions, 2, values));
	PG_RETURN_FLOAT8((values[1] - values[0]) * error / (fractions[1] - fractions[0]));
}

/* _apm.check_significance(significance): true, or an error that names it. */
PG_FUNCTION_INFO_V1(check_significance);
Datum
check_significance(PG_FUNCTION_ARGS)
{
	double		significance = PG_GETARG_FLOAT8(0);

	if (!(significance > 0 && significance < 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("significance must be above 0 and below 1, not %g", significance),
				 errhint("It is the probability of calling a difference of chance significant: 0.01 is one in a hundred.")));
	PG_RETURN_BOOL(true);
}
