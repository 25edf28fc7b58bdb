/*
 * sketch/accessors.c
 *		Scalar functions on an apm.sketch: they walk the stored bytes and build
 *		no state.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "sketch/glue.h"

PG_FUNCTION_INFO_V1(apm_sketch_percentile);
PG_FUNCTION_INFO_V1(apm_sketch_percentiles);
PG_FUNCTION_INFO_V1(apm_sketch_percentile_rank);
PG_FUNCTION_INFO_V1(apm_sketch_apdex);
PG_FUNCTION_INFO_V1(apm_sketch_num_values);
PG_FUNCTION_INFO_V1(apm_sketch_total_weight);
PG_FUNCTION_INFO_V1(apm_sketch_min_value);
PG_FUNCTION_INFO_V1(apm_sketch_max_value);
PG_FUNCTION_INFO_V1(apm_sketch_mean_value);
PG_FUNCTION_INFO_V1(apm_sketch_sum_value);
PG_FUNCTION_INFO_V1(apm_sketch_relative_error);

static void
check_fraction(double p)
{
	if (!(p >= 0 && p <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("p must be between 0 and 1, not %g", p),
				 p > 1 && p <= 100 ?
				 errhint("The 95th percentile is written 0.95.") : 0));
}

Datum
apm_sketch_percentile(PG_FUNCTION_ARGS)
{
	double		p = PG_GETARG_FLOAT8(1);
	SketchView	view;
	double		result;

	check_fraction(p);
	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	sketch_ok(sketch_quantiles(&view, &p, 1, &result));
	PG_RETURN_FLOAT8(result);
}

/* Element by element, NULL for NULL, in the shape of the argument. */
Datum
apm_sketch_percentiles(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	SketchView	view;
	Datum	   *elements;
	bool	   *nulls;
	double	   *fractions;
	double	   *results;
	int			n;
	int			wanted = 0;
	int			i;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &n);
	if (n == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT8OID));
	fractions = palloc(n * sizeof(double));
	results = palloc(n * sizeof(double));
	for (i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		fractions[wanted] = DatumGetFloat8(elements[i]);
		check_fraction(fractions[wanted++]);
	}
	sketch_ok(sketch_quantiles(&view, fractions, wanted, results));
	wanted = 0;
	for (i = 0; i < n; i++)
		if (!nulls[i])
			elements[i] = Float8GetDatum(results[wanted++]);
	PG_RETURN_ARRAYTYPE_P(construct_md_array(elements, nulls, ARR_NDIM(array), ARR_DIMS(array),
											 ARR_LBOUND(array), FLOAT8OID, sizeof(float8),
											 FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

Datum
apm_sketch_percentile_rank(PG_FUNCTION_ARGS)
{
	SketchView	view;
	double		milli;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	sketch_ok(sketch_weight_up_to(&view, PG_GETARG_FLOAT8(1), &milli));
	PG_RETURN_FLOAT8(milli / (double) view.milli);
}

/* Satisfied up to t, tolerated up to 4 t, which count half. */
Datum
apm_sketch_apdex(PG_FUNCTION_ARGS)
{
	double		threshold = PG_GETARG_FLOAT8(1);
	SketchView	view;
	double		satisfied;
	double		tolerated;

	if (!(threshold > 0) || isinf(threshold))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("threshold_ms must be greater than 0 and finite, not %g", threshold)));
	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	sketch_ok(sketch_weight_up_to(&view, threshold, &satisfied));
	sketch_ok(sketch_weight_up_to(&view, 4 * threshold, &tolerated));
	PG_RETURN_FLOAT8((satisfied + (tolerated - satisfied) / 2) / (double) view.milli);
}

Datum
apm_sketch_num_values(PG_FUNCTION_ARGS)
{
	SketchView	view;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	PG_RETURN_INT64((int64) view.n);
}

Datum
apm_sketch_total_weight(PG_FUNCTION_ARGS)
{
	SketchView	view;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	PG_RETURN_FLOAT8((double) view.milli / SKETCH_MILLI);
}

Datum
apm_sketch_min_value(PG_FUNCTION_ARGS)
{
	SketchView	view;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	PG_RETURN_FLOAT8(view.min);
}

Datum
apm_sketch_max_value(PG_FUNCTION_ARGS)
{
	SketchView	view;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	PG_RETURN_FLOAT8(view.max);
}

Datum
apm_sketch_mean_value(PG_FUNCTION_ARGS)
{
	SketchView	view;
	double		mean;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	sketch_ok(sketch_mean(&view, &mean));
	PG_RETURN_FLOAT8(mean);
}

Datum
apm_sketch_sum_value(PG_FUNCTION_ARGS)
{
	SketchView	view;
	double		sum;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	sketch_ok(sketch_sum(&view, &sum));
	PG_RETURN_FLOAT8(sum);
}

Datum
apm_sketch_relative_error(PG_FUNCTION_ARGS)
{
	SketchView	view;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), false);
	PG_RETURN_FLOAT8(sketch_is_exact(&view) ? 0 : SKETCH_ERROR);
}
