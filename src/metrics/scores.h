/*
 * metrics/scores.h
 *		Arguments that name a web vital or a quality.
 */
#ifndef PG_APM_METRICS_SCORES_H
#define PG_APM_METRICS_SCORES_H

#include "postgres.h"

#include "metrics/vitals.h"

/* An error with the nearest name unless it is a web vital. */
extern Vital vital_argument(const text *value);

/* Does good, meh, poor or any hold?  An error on any other word. */
extern bool vital_quality_matches(const text *quality, VitalRating rating);

#endif							/* PG_APM_METRICS_SCORES_H */
