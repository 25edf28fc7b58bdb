/*
 * types/rows.h
 *		Between the C structs and the SQL row types apm.span,
 *		apm.transaction and apm.error_event.
 *
 * Attributes are found by name, so that a later version may append some.
 * Datums are palloc'd in the current context; JSON text becomes jsonb.
 */
#ifndef PG_APM_ROWS_H
#define PG_APM_ROWS_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "utils/tuplestore.h"

#include "plugin/pg_apm_plugin.h"

/* Blessed descriptors of the three row types, cached for the session. */
extern TupleDesc rows_span_desc(void);
extern TupleDesc rows_transaction_desc(void);
extern TupleDesc rows_error_desc(void);

/* Tuples; for a composite datum take HeapTupleGetDatum() of one. */
extern HeapTuple rows_span(const ApmSpan *span);

/* project_id 0: the one inside; received_at DT_NOBEGIN: NULL. */
extern HeapTuple rows_transaction(const ApmTransaction *t, int32 project_id,
								  TimestampTz received_at);
extern HeapTuple rows_error(const ApmError *e, int32 project_id);

/* The same, put into the result of a set-returning function. */
extern void rows_put_span(Tuplestorestate *rows, const ApmSpan *span);
extern void rows_put_transaction(Tuplestorestate *rows, const ApmTransaction *t);

/*
 * A composite datum of type apm.span back to the struct.  Strings point into
 * memory palloc'd in the current context.  Raises an error naming the column
 * if trace_id, span_id, start_time or duration_ms is NULL or out of range.
 */
extern void rows_read_span(Datum composite, ApmSpan *span);

#endif							/* PG_APM_ROWS_H */
