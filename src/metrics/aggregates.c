/*
 * metrics/aggregates.c
 *		Apdex and shares of rows, over counters in an array.
 *
 * The state is a bigint[] of fixed length, updated in place inside an
 * aggregate.  Its initial value has all counters at 0, so it is never NULL.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

#include "compat.h"
#include "metrics/apdex.h"
#include "metrics/rules.h"
#include "metrics/scores.h"
#include "metrics/threshold.h"
#include "metrics/weight.h"
#include "plugin/pg_apm_plugin.h"
#include "types/types.h"

/* Counters of a share. */
#define SHARE_HITS 0
#define SHARE_TOTAL 1
#define SHARE_COUNTERS 2

/* Weighted states count thousandths, so that they add up in any order. */
#define WEIGHT_UNITS 1000

/* The counters of an array that has exactly n of them. */
static int64 *
counters_of(ArrayType *array, int n)
{
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != n || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != INT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the state must be an array of %d bigint counters", n)));
	return (int64 *) ARR_DATA_PTR(array);
}

static pg_attribute_noreturn() void
null_state_error(int n)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("the state must be an array of %d bigint counters", n)));
	pg_unreachable();
}

/* The state to write to: itself inside an aggregate, else a copy. */
static ArrayType *
state_array(FunctionCallInfo fcinfo, int n, int64 **counters)
{
	ArrayType  *array;

	if (PG_ARGISNULL(0))
		null_state_error(n);
	array = AggCheckCallContext(fcinfo, NULL) ? PG_GETARG_ARRAYTYPE_P(0)
		: PG_GETARG_ARRAYTYPE_P_COPY(0);
	*counters = counters_of(array, n);
	return array;
}

double
metric_threshold(FunctionCallInfo fcinfo, int arg)
{
	double		threshold;

	if (PG_NARGS() <= arg)
		return METRIC_DEFAULT_THRESHOLD_MS;
	if (PG_ARGISNULL(arg))
		return NAN;
	threshold = PG_GETARG_FLOAT8(arg);
	if (!(threshold > 0) || isinf(threshold))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("threshold_ms must be a finite number above 0"),
				 errhint("It is in milliseconds, such as 300.")));
	return threshold;
}

/* A row counts by this many units. */
static Datum
apdex_add(FunctionCallInfo fcinfo, int64 units)
{
	int64	   *n;
	ArrayType  *state = state_array(fcinfo, APDEX_COUNTERS, &n);
	double		threshold = metric_threshold(fcinfo, 2);

	apdex_count(n, PG_ARGISNULL(1) ? NAN : PG_GETARG_FLOAT8(1), threshold, units);
	PG_RETURN_ARRAYTYPE_P(state);
}

/* The weight at an argument in whole units. */
static int64
weight_units(FunctionCallInfo fcinfo, int arg)
{
	double		units = rint(metric_weight(fcinfo, arg) * WEIGHT_UNITS);

	/* As in a sketch: a total below 2^53 units stays exact as a double. */
	if (units > (double) (INT64CONST(1) << 53))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight is out of range")));
	return (int64) units;
}

/*
 * Transition of apdex(duration_ms [, threshold_ms]).  Rows without a duration,
 * with one below 0 or without a threshold do not count.
 */
PG_FUNCTION_INFO_V1(apdex_accum);
Datum
apdex_accum(PG_FUNCTION_ARGS)
{
	return apdex_add(fcinfo, 1);
}

/* Transition of apdex(duration_ms, threshold_ms, weight). */
PG_FUNCTION_INFO_V1(apdex_accum_weighted);
Datum
apdex_accum_weighted(PG_FUNCTION_ARGS)
{
	return apdex_add(fcinfo, weight_units(fcinfo, 3));
}

PG_FUNCTION_INFO_V1(apdex_final);
Datum
apdex_final(PG_FUNCTION_ARGS)
{
	const int64 *n = counters_of(PG_GETARG_ARRAYTYPE_P(0), APDEX_COUNTERS);

	if (n[APDEX_TOTAL] == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((n[APDEX_SATISFIED] + n[APDEX_TOLERATED] / 2.0) / n[APDEX_TOTAL]);
}

/* Combine function of every state here: counters add up. */
PG_FUNCTION_INFO_V1(counters_combine);
Datum
counters_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *other;
	ArrayType  *state;
	int64	   *to;
	const int64 *from;
	int			n;
	int			i;

	if (PG_ARGISNULL(1))
		null_state_error(SHARE_COUNTERS);
	other = PG_GETARG_ARRAYTYPE_P(1);
	n = ARR_NDIM(other) == 1 ? ARR_DIMS(other)[0] : SHARE_COUNTERS;
	from = counters_of(other, n);
	state = state_array(fcinfo, n, &to);
	for (i = 0; i < n; i++)
		to[i] += from[i];
	PG_RETURN_ARRAYTYPE_P(state);
}

static Datum
share_add_units(FunctionCallInfo fcinfo, int64 units, bool hit)
{
	int64	   *n;
	ArrayType  *state = state_array(fcinfo, SHARE_COUNTERS, &n);

	n[SHARE_TOTAL] += units;
	n[SHARE_HITS] += hit ? units : 0;
	PG_RETURN_ARRAYTYPE_P(state);
}

static Datum
share_add(FunctionCallInfo fcinfo, bool counts, bool hit)
{
	return share_add_units(fcinfo, counts, hit);
}

/* What a call site remembers: the last list of statuses and its mask. */
typedef struct FailingList
{
	ArrayType  *list;
	uint32		mask;
} FailingList;

/* The statuses that the list at an argument names; those of the default for NULL. */
static uint32
mask_argument(FunctionCallInfo fcinfo, int arg)
{
	FailingList *known = fcinfo->flinfo->fn_extra;
	ArrayType  *list;

	if (PG_ARGISNULL(arg))
		return FAILURE_DEFAULT_MASK;
	list = PG_GETARG_ARRAYTYPE_P(arg);
	if (known == NULL)
		known = fcinfo->flinfo->fn_extra =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(FailingList));
	if (known->list == NULL || VARSIZE(known->list) != VARSIZE(list) ||
		memcmp(known->list, list, VARSIZE(list)) != 0)
	{
		known->mask = failure_mask(list);
		if (known->list != NULL)
			pfree(known->list);
		known->list = NULL;
		known->list = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, VARSIZE(list));
		memcpy(known->list, list, VARSIZE(list));
	}
	return known->mask;
}

/* Is the status at argument 1 one of the mask? NULL counts as none. */
static bool
is_among(FunctionCallInfo fcinfo, uint32 mask)
{
	return !PG_ARGISNULL(1) && ((mask >> types_status_code(PG_GETARG_OID(1))) & 1) != 0;
}

/*
 * Transition of failure_rate(status) and failure_count(status).  A row
 * without status counts, and not as a failure, as if it were unknown.
 */
PG_FUNCTION_INFO_V1(failure_accum);
Datum
failure_accum(PG_FUNCTION_ARGS)
{
	return share_add(fcinfo, true, is_among(fcinfo, FAILURE_DEFAULT_MASK));
}

/* Transition of failure_count(status, failing). */
PG_FUNCTION_INFO_V1(failure_accum_listed);
Datum
failure_accum_listed(PG_FUNCTION_ARGS)
{
	return share_add(fcinfo, true, is_among(fcinfo, mask_argument(fcinfo, 2)));
}

/* Transition of failure_rate(status, weight [, failing]). */
PG_FUNCTION_INFO_V1(failure_accum_weighted);
Datum
failure_accum_weighted(PG_FUNCTION_ARGS)
{
	uint32		mask = PG_NARGS() > 3 ? mask_argument(fcinfo, 3) : FAILURE_DEFAULT_MASK;

	return share_add_units(fcinfo, weight_units(fcinfo, 2), is_among(fcinfo, mask));
}

/* Transition of trace_status_rate(status, wanted): a row without status counts. */
PG_FUNCTION_INFO_V1(status_accum);
Datum
status_accum(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("wanted must not be NULL")));
	return share_add(fcinfo, true, !PG_ARGISNULL(1) && PG_GETARG_OID(1) == PG_GETARG_OID(2));
}

/*
 * Transition of share(hit) and cache_miss_rate(hit): rows that are neither
 * true nor false do not count.
 */
PG_FUNCTION_INFO_V1(share_accum);
Datum
share_accum(PG_FUNCTION_ARGS)
{
	return share_add(fcinfo, !PG_ARGISNULL(1), !PG_ARGISNULL(1) && PG_GETARG_BOOL(1));
}

/* Transition of http_response_rate(http_status, class). */
PG_FUNCTION_INFO_V1(http_class_accum);
Datum
http_class_accum(PG_FUNCTION_ARGS)
{
	int32		class = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);

	if (class < 1 || class > 5)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("class must be the first digit of an HTTP status, 1 to 5")));
	return share_add(fcinfo, !PG_ARGISNULL(1),
					 !PG_ARGISNULL(1) && PG_GETARG_INT32(1) / 100 == class);
}

/*
 * Transition of count_web_vitals(v, vital, quality): all with a value count,
 * those of the quality are hits.
 */
PG_FUNCTION_INFO_V1(vital_accum);
Datum
vital_accum(PG_FUNCTION_ARGS)
{
	VitalRating rating;
	Vital		vital;
	bool		hit;

	if (PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("vital and quality must not be NULL")));
	vital = vital_argument(PG_GETARG_TEXT_PP(2));
	rating = PG_ARGISNULL(1) ? VITAL_UNRATED : vital_rate(vital, PG_GETARG_FLOAT8(1));
	hit = vital_quality_matches(PG_GETARG_TEXT_PP(3), rating);
	return share_add(fcinfo, rating != VITAL_UNRATED, hit);
}

PG_FUNCTION_INFO_V1(share_final);
Datum
share_final(PG_FUNCTION_ARGS)
{
	const int64 *n = counters_of(PG_GETARG_ARRAYTYPE_P(0), SHARE_COUNTERS);

	if (n[SHARE_TOTAL] == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) n[SHARE_HITS] / n[SHARE_TOTAL]);
}

/* The share of all others. */
PG_FUNCTION_INFO_V1(share_misses_final);
Datum
share_misses_final(PG_FUNCTION_ARGS)
{
	const int64 *n = counters_of(PG_GETARG_ARRAYTYPE_P(0), SHARE_COUNTERS);

	if (n[SHARE_TOTAL] == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) (n[SHARE_TOTAL] - n[SHARE_HITS]) / n[SHARE_TOTAL]);
}

/* The numerator of a share. */
PG_FUNCTION_INFO_V1(share_hits_final);
Datum
share_hits_final(PG_FUNCTION_ARGS)
{
	const int64 *n = counters_of(PG_GETARG_ARRAYTYPE_P(0), SHARE_COUNTERS);

	if (n[SHARE_TOTAL] == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(n[SHARE_HITS]);
}
