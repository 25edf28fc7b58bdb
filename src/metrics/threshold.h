/*
 * metrics/threshold.h
 *		The threshold argument of Apdex and user misery.
 */
#ifndef PG_APM_METRICS_THRESHOLD_H
#define PG_APM_METRICS_THRESHOLD_H

#include "postgres.h"

#include "fmgr.h"

#define METRIC_DEFAULT_THRESHOLD_MS 300.0

/*
 * The argument at position arg: NaN if it is NULL, 300 ms if the function has
 * none; an error unless it is above 0.
 */
extern double metric_threshold(FunctionCallInfo fcinfo, int arg);

#endif							/* PG_APM_METRICS_THRESHOLD_H */
