/*
 * trace/bounds.h
 *		When a trace was.
 */
#ifndef PG_APM_TRACE_BOUNDS_H
#define PG_APM_TRACE_BOUNDS_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct TraceBounds
{
	bool		found;
	TimestampTz first;
	TimestampTz last;
} TraceBounds;

/*
 * The first and last time of the rows of a trace in a relation partitioned by
 * time, as the active snapshot sees them.  It tells only when: who may read the
 * rows is up to the query that reads them.
 */
extern TraceBounds trace_bounds(const char *schema, const char *relation, const char *time_column, Datum trace_id);

#endif							/* PG_APM_TRACE_BOUNDS_H */
