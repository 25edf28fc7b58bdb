/*
 * metrics/vitals.h
 *		Web vitals: ratings and scores.  Pure.
 */
#ifndef PG_APM_METRICS_VITALS_H
#define PG_APM_METRICS_VITALS_H

#include "metrics/grammar.h"

typedef enum Vital
{
	VITAL_LCP,
	VITAL_FCP,
	VITAL_FP,
	VITAL_FID,
	VITAL_CLS,
	VITAL_INP,
	VITAL_TTFB,
	VITAL_COUNT
} Vital;

typedef enum VitalRating
{
	VITAL_UNRATED,				/* negative or not a number */
	VITAL_GOOD,
	VITAL_MEH,
	VITAL_POOR
} VitalRating;

/* Weights and scores of one event, by vital; absent ones have weight 0. */
typedef struct PerformanceScore
{
	double		weight[VITAL_COUNT];
	double		ratio[VITAL_COUNT]; /* the score of the value by itself */
	double		total;
} PerformanceScore;

extern const char *const vital_names[VITAL_COUNT];
extern const char *const vital_rating_names[];

/* -1 if there is none of that name, in lower case. */
extern int	vital_find(MetricText name);
extern VitalRating vital_rate(Vital vital, double value);

/* Is a browser of this name one on a phone? */
extern bool vital_is_mobile(MetricText browser);

/* Score 0 to 1 of a value; NaN for one without curve (fp) and for NaN. */
extern double vital_score(Vital vital, double value, bool mobile);

/* Upper tail of the log-normal with quantiles p10 and p50: 0.9 and 0.5 there. */
extern double vital_curve(double value, double p10, double p50);

/*
 * Scores one event from the values of its vitals, NaN where there is none.
 * False if there is nothing to score.
 */
extern bool vital_performance(const double *values, MetricText browser,
							  PerformanceScore *score);

/* Weighted mean of mean scores, NaN where there is none; NaN without any. */
extern double vital_page_score(const double *ratios);

#endif							/* PG_APM_METRICS_VITALS_H */
