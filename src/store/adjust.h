/*
 * store/adjust.h
 *		Steps of apm.ingest that change times and names before storing.
 */
#ifndef PG_APM_ADJUST_H
#define PG_APM_ADJUST_H

#include "store/store.h"

/*
 * Corrects the times of everything in the batch: for the sender's clock
 * (pg_apm.correct_clock_drift), then for age (pg_apm.max_past and
 * pg_apm.max_future).  Durations never change.  Says what it moved.
 */
extern void adjust_times(StoreBatch *batch);

/*
 * Gives spans and transactions without op or status those that the rest of
 * them says (pg_apm.infer_ops, pg_apm.infer_statuses).
 */
extern void adjust_inferred(StoreBatch *batch);

/*
 * Gives a transaction the name it is counted under: better than "GET", and
 * with pg_apm.normalize_names without ids.  The name as sent stays in the
 * description of the segment span.
 */
extern void adjust_name(StoreSegment *s);

#endif							/* PG_APM_ADJUST_H */
