/*
 * metrics/scores.c
 *		SQL functions over web vitals: ratings and scores.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "metrics/measurement.h"
#include "metrics/nearest.h"
#include "metrics/scores.h"

static MetricText
text_arg(FunctionCallInfo fcinfo, int arg)
{
	MetricText	result = {"", 0};
	text	   *value;

	if (PG_NARGS() <= arg || PG_ARGISNULL(arg))
		return result;
	value = PG_GETARG_TEXT_PP(arg);
	result.data = VARDATA_ANY(value);
	result.len = VARSIZE_ANY_EXHDR(value);
	return result;
}

Vital
vital_argument(const text *value)
{
	MetricText	name = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
	int			vital = vital_find(name);
	Nearest		nearest;
	int			i;

	if (vital >= 0)
		return vital;
	nearest_init(&nearest, name);
	for (i = 0; i < VITAL_COUNT; i++)
		nearest_offer(&nearest, vital_names[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no web vital \"%.*s\"", Min(name.len, NAMEDATALEN), name.data),
			 nearest.name != NULL ? errhint("Perhaps you meant \"%s\".", nearest.name) :
			 errhint("The web vitals are lcp, fcp, fp, fid, cls, inp and ttfb.")));
	pg_unreachable();
}

bool
vital_quality_matches(const text *quality, VitalRating rating)
{
	MetricText	name = {VARDATA_ANY(quality), VARSIZE_ANY_EXHDR(quality)};

	if (metric_text_is(name, "any"))
		return rating != VITAL_UNRATED;
	if (metric_text_is(name, "good"))
		return rating == VITAL_GOOD;
	if (metric_text_is(name, "meh"))
		return rating == VITAL_MEH;
	if (metric_text_is(name, "poor"))
		return rating == VITAL_POOR;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("quality must be good, meh, poor or any")));
	pg_unreachable();
}

static Datum
float_or_null(FunctionCallInfo fcinfo, double value)
{
	if (isnan(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}

/* apm.web_vital_rating(vital, v) */
PG_FUNCTION_INFO_V1(web_vital_rating);
Datum
web_vital_rating(PG_FUNCTION_ARGS)
{
	VitalRating rating = vital_rate(vital_argument(PG_GETARG_TEXT_PP(0)), PG_GETARG_FLOAT8(1));

	if (rating == VITAL_UNRATED)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(vital_rating_names[rating]));
}

/* apm.vital_score(vital, v, browser): browser may be NULL. */
PG_FUNCTION_INFO_V1(web_vital_score);
Datum
web_vital_score(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	return float_or_null(fcinfo, vital_score(vital_argument(PG_GETARG_TEXT_PP(0)), PG_GETARG_FLOAT8(1),
											 vital_is_mobile(text_arg(fcinfo, 2))));
}

/*
 * The parts of a score that was computed when the measurements were stored,
 * when more was known of the browser than a row may hold.
 */
static bool
stored_score(Jsonb *measurements, PerformanceScore *score)
{
	bool		found = false;
	int			i;

	for (i = 0; i < VITAL_COUNT; i++)
	{
		char		name[32];

		score->weight[i] = 0;
		snprintf(name, sizeof(name), "score.weight.%s", vital_names[i]);
		measurement_value(measurements, name, strlen(name), &score->weight[i]);
		snprintf(name, sizeof(name), "score.ratio.%s", vital_names[i]);
		if (score->weight[i] == 0)
			continue;
		if (!measurement_value(measurements, name, strlen(name), &score->ratio[i]))
			return false;
		found = true;
	}
	return found && measurement_value(measurements, "score.total", strlen("score.total"),
									  &score->total);
}

static bool
score_arguments(FunctionCallInfo fcinfo, PerformanceScore *score)
{
	double		values[VITAL_COUNT];
	Jsonb	   *measurements;
	int			i;

	if (PG_ARGISNULL(0))
		return false;
	measurements = PG_GETARG_JSONB_P(0);
	for (i = 0; i < VITAL_COUNT; i++)
		if (!measurement_value(measurements, vital_names[i], strlen(vital_names[i]),
							   &values[i]))
			values[i] = NAN;
	return stored_score(measurements, score) ||
		vital_performance(values, text_arg(fcinfo, 1), score);
}

/* apm.performance_score(measurements, browser): browser may be NULL. */
PG_FUNCTION_INFO_V1(performance_score);
Datum
performance_score(PG_FUNCTION_ARGS)
{
	PerformanceScore score;

	if (!score_arguments(fcinfo, &score))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(score.total);
}

/* apm.performance_scores(measurements, browser): a row for each component. */
PG_FUNCTION_INFO_V1(performance_scores);
Datum
performance_scores(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PerformanceScore score;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	if (!score_arguments(fcinfo, &score))
		return (Datum) 0;
	for (i = 0; i < VITAL_COUNT; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};

		if (score.weight[i] == 0)
			continue;
		values[0] = CStringGetTextDatum(vital_names[i]);
		values[1] = Float8GetDatum(score.weight[i]);
		values[2] = Float8GetDatum(score.ratio[i]);
		values[3] = Float8GetDatum(score.weight[i] * score.ratio[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* apm.page_score(lcp, fcp, cls, ttfb, inp): mean scores, NULL where none. */
PG_FUNCTION_INFO_V1(page_score);
Datum
page_score(PG_FUNCTION_ARGS)
{
	static const Vital order[] = {VITAL_LCP, VITAL_FCP, VITAL_CLS, VITAL_TTFB, VITAL_INP};
	double		ratios[VITAL_COUNT];
	int			i;

	for (i = 0; i < VITAL_COUNT; i++)
		ratios[i] = NAN;
	for (i = 0; i < (int) lengthof(order); i++)
		if (!PG_ARGISNULL(i))
			ratios[order[i]] = PG_GETARG_FLOAT8(i);
	return float_or_null(fcinfo, vital_page_score(ratios));
}

/* apm.log_normal_score(v, p10, p50) */
PG_FUNCTION_INFO_V1(log_normal_score);
Datum
log_normal_score(PG_FUNCTION_ARGS)
{
	double		p10 = PG_GETARG_FLOAT8(1);
	double		p50 = PG_GETARG_FLOAT8(2);

	if (!(p10 > 0) || !(p50 > p10) || isinf(p50))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("p10 must be above 0 and below p50")));
	return float_or_null(fcinfo, vital_curve(PG_GETARG_FLOAT8(0), p10, p50));
}
