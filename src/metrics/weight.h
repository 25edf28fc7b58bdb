/*
 * metrics/weight.h
 *		The weight argument of aggregates over sampled rows.
 */
#ifndef PG_APM_METRICS_WEIGHT_H
#define PG_APM_METRICS_WEIGHT_H

#include "postgres.h"

#include "fmgr.h"

/* 1 if it is NULL; an error unless finite and not negative. */
extern double metric_weight(FunctionCallInfo fcinfo, int arg);

#endif							/* PG_APM_METRICS_WEIGHT_H */
