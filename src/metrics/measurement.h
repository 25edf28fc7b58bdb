/*
 * metrics/measurement.h
 *		Numbers out of the measurements of a transaction.
 */
#ifndef PG_APM_METRICS_MEASUREMENT_H
#define PG_APM_METRICS_MEASUREMENT_H

#include "postgres.h"

#include "utils/jsonb.h"

/*
 * {"lcp": {"value": 2500, "unit": …}} as stored, or a bare number under the
 * name.  False if there is no number; one too large for float8 is infinite.
 */
extern bool measurement_value(Jsonb *measurements, const char *name, int len,
							  double *value);

#endif							/* PG_APM_METRICS_MEASUREMENT_H */
