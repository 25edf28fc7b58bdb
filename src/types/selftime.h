/*
 * types/selftime.h
 *		Self time (exclusive time) of the spans of one segment.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_SELFTIME_H
#define PG_APM_SELFTIME_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/*
 * Sets self_time_us of each of the n spans: its duration less the union of
 * its direct children's intervals, clipped to its own.  A child is a span of
 * the array whose parent_span_id is its span_id.  Microseconds in, micro-
 * seconds out; n log n.  Formula: reference of Relay's exclusive time.
 */
extern void selftime_compute(ApmSpan *spans, int n);

#endif							/* PG_APM_SELFTIME_H */
