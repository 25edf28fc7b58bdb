/*
 * metrics/apdex.h
 *		Counters of Apdex, shared by the aggregate and by the cells of rollups.
 */
#ifndef PG_APM_METRICS_APDEX_H
#define PG_APM_METRICS_APDEX_H

#include "postgres.h"

#include <math.h>

#define APDEX_SATISFIED 0
#define APDEX_TOLERATED 1
#define APDEX_TOTAL 2
#define APDEX_COUNTERS 3

/*
 * Counts a duration in milliseconds, of so many units, against a threshold.
 * NaN stands for unknown; neither that nor a duration below 0 counts.
 */
static inline void
apdex_count(int64 n[APDEX_COUNTERS], double v, double threshold, int64 units)
{
	if (!(v >= 0) || isnan(threshold))
		return;
	n[APDEX_TOTAL] += units;
	if (v <= threshold)
		n[APDEX_SATISFIED] += units;
	else if (v <= 4 * threshold)
		n[APDEX_TOLERATED] += units;
}

#endif							/* PG_APM_METRICS_APDEX_H */
