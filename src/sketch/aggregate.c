/*
 * sketch/aggregate.c
 *		Aggregates into apm.sketch: transition, combine and final functions.
 *
 * All aggregates share their transition functions and have read-only finals,
 * so that several of them over one argument share one state.
 */
#include "postgres.h"

#include <math.h>

#include "nodes/execnodes.h"

#include "sketch/glue.h"

PG_FUNCTION_INFO_V1(apm_sketch_add);
PG_FUNCTION_INFO_V1(apm_sketch_add_weighted);
PG_FUNCTION_INFO_V1(apm_sketch_combine);
PG_FUNCTION_INFO_V1(apm_sketch_final);
PG_FUNCTION_INFO_V1(apm_sketch_p50_final);
PG_FUNCTION_INFO_V1(apm_sketch_p75_final);
PG_FUNCTION_INFO_V1(apm_sketch_p90_final);
PG_FUNCTION_INFO_V1(apm_sketch_p95_final);
PG_FUNCTION_INFO_V1(apm_sketch_p99_final);

/* The state as it came, where a row brings nothing. */
static Datum
unchanged(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/*
 * (state, value)
 *
 * Nearly every row ends in the first block: the state is a working form of an
 * aggregate in progress, the value is counted in place, and the block stays.
 */
Datum
apm_sketch_add(PG_FUNCTION_ARGS)
{
	SketchState *state;

	if (likely(!PG_ARGISNULL(0) && !PG_ARGISNULL(1) &&
			   fcinfo->context != NULL && IsA(fcinfo->context, AggState)))
	{
		state = (SketchState *) PG_GETARG_POINTER(0);
		if (likely(VARATT_IS_4B_U(state) && state->form == SKETCH_WORKING &&
				   sketch_add_fast(state, PG_GETARG_FLOAT8(1))))
			return PointerGetDatum(state);
	}
	if (unlikely(PG_ARGISNULL(1)))
		return unchanged(fcinfo);
	state = sketch_arg_state(fcinfo);
	sketch_state_add(&state, PG_GETARG_FLOAT8(1));
	return sketch_state_datum(state);
}

/* (state, value, weight) */
Datum
apm_sketch_add_weighted(PG_FUNCTION_ARGS)
{
	SketchState *state;
	double		weight;
	uint64		milli;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return unchanged(fcinfo);
	weight = PG_GETARG_FLOAT8(2);
	if (!sketch_weight_milli(weight, &milli))
		ereport(ERROR,
				(errcode(isnan(weight) || weight < 0 ? ERRCODE_INVALID_PARAMETER_VALUE :
						 ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight must be between 0 and " UINT64_FORMAT ", not %g",
						SKETCH_MAX_UNITS, weight)));
	if (milli == 0)
		return unchanged(fcinfo);
	state = sketch_arg_state(fcinfo);
	if (!sketch_add_weighted(&state, PG_GETARG_FLOAT8(1), milli))
		sketch_raise(SKETCH_OVERFLOW);
	return sketch_state_datum(state);
}

/* (state, state or sketch): merges the second into the first */
Datum
apm_sketch_combine(PG_FUNCTION_ARGS)
{
	SketchState *state;
	SketchView	view;

	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	state = sketch_arg_state(fcinfo);
	sketch_view_datum(&view, PG_GETARG_DATUM(1), true);
	sketch_ok(sketch_merge(&state, &view));
	return sketch_state_datum(state);
}

Datum
apm_sketch_final(PG_FUNCTION_ARGS)
{
	SketchView	view;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), true);
	if (view.state == NULL)
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_DATUM(sketch_view_compact(&view));
}

static Datum
percentile_final(FunctionCallInfo fcinfo, double fraction)
{
	SketchView	view;
	double		result;

	sketch_view_datum(&view, PG_GETARG_DATUM(0), true);
	sketch_ok(sketch_quantiles(&view, &fraction, 1, &result));
	PG_RETURN_FLOAT8(result);
}

Datum
apm_sketch_p50_final(PG_FUNCTION_ARGS)
{
	return percentile_final(fcinfo, 0.50);
}

Datum
apm_sketch_p75_final(PG_FUNCTION_ARGS)
{
	return percentile_final(fcinfo, 0.75);
}

Datum
apm_sketch_p90_final(PG_FUNCTION_ARGS)
{
	return percentile_final(fcinfo, 0.90);
}

Datum
apm_sketch_p95_final(PG_FUNCTION_ARGS)
{
	return percentile_final(fcinfo, 0.95);
}

Datum
apm_sketch_p99_final(PG_FUNCTION_ARGS)
{
	return percentile_final(fcinfo, 0.99);
}
