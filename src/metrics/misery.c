/*
 * metrics/misery.c
 *		Miserable users: those with at least one duration over four times the
 *		threshold.
 *
 * The state is an apm.hll of users in which the miserable ones are marked, so
 * that one look-up a row serves both counts, and stored states can be merged.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"

#include "metrics/threshold.h"
#include "sketch/distinct.h"

/* Beta prior of mean 0.05 and variance 0.0004. */
#define MISERY_ALPHA	5.8875
#define MISERY_BETA		111.8625

static double
misery_score(double miserable, double users, double alpha, double beta)
{
	return (miserable + alpha) / (users + alpha + beta);
}

/*
 * Transition of user_misery and count_miserable (user_key, duration_ms
 * [, threshold_ms]).  Rows without user, duration or threshold do not count,
 * nor do durations that are not above 0.
 */
PG_FUNCTION_INFO_V1(misery_accum);
Datum
misery_accum(PG_FUNCTION_ARGS)
{
	double		threshold = metric_threshold(fcinfo, 3);
	double		v = PG_ARGISNULL(2) ? NAN : PG_GETARG_FLOAT8(2);

	if (PG_ARGISNULL(1) || !(v > 0) || isnan(threshold))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	PG_RETURN_POINTER(distinct_add(distinct_state(fcinfo, true), PG_GETARG_TEXT_PP(1),
								   v > 4 * threshold));
}

/* Final of user_misery, and apm.misery(hll): NULL without users. */
PG_FUNCTION_INFO_V1(misery_final);
Datum
misery_final(PG_FUNCTION_ARGS)
{
	double		users;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	users = rint(distinct_count_of(PG_GETARG_DATUM(0), false));
	if (users == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(misery_score(rint(distinct_count_of(PG_GETARG_DATUM(0), true)), users,
								  MISERY_ALPHA, MISERY_BETA));
}

/* apm.misery_score(miserable, users, alpha, beta): NULL without users. */
PG_FUNCTION_INFO_V1(misery_score_scalar);
Datum
misery_score_scalar(PG_FUNCTION_ARGS)
{
	int64		miserable = PG_GETARG_INT64(0);
	int64		users = PG_GETARG_INT64(1);
	double		alpha = PG_GETARG_FLOAT8(2);
	double		beta = PG_GETARG_FLOAT8(3);

	if (miserable < 0 || users < miserable)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("miserable must lie between 0 and users")));
	if (!(alpha >= 0) || !(beta >= 0) || isinf(alpha) || isinf(beta))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("alpha and beta must be finite and not negative")));
	if (users == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(misery_score(miserable, users, alpha, beta));
}
