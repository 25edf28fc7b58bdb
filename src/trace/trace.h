/*
 * trace/trace.h
 *		One trace in memory: its spans in waterfall order with their errors.
 *
 * Private to this room.
 */
#ifndef PG_APM_TRACE_H
#define PG_APM_TRACE_H

#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"

#include "plugin/pg_apm_plugin.h"
#include "trace/tree.h"

/* Columns of the query for spans. */
typedef enum SpanColumn
{
	SPAN_PROJECT,
	SPAN_TRANSACTION_NAME,
	SPAN_ID,
	SPAN_PARENT,
	SPAN_SEGMENT,
	SPAN_IS_SEGMENT,
	SPAN_OP,
	SPAN_DESCRIPTION,
	SPAN_STATUS,
	SPAN_START,
	SPAN_DURATION,
	SPAN_SEGMENT_END,
	SPAN_COLUMNS
} SpanColumn;

/* Columns of the query for errors. */
typedef enum ErrorColumn
{
	ERROR_PROJECT,
	ERROR_TRANSACTION_NAME,
	ERROR_SPAN,
	ERROR_LEVEL,
	ERROR_TYPE,
	ERROR_VALUE,
	ERROR_TIME,
	ERROR_COLUMNS
} ErrorColumn;

/* An error event and the node that it is shown with. */
typedef struct TraceError
{
	int32		node;
	int32		row;			/* of error_rows */
	int64		time;
} TraceError;

/*
 * Nodes 0 … nspans - 1 are the rows of span_rows; the nodes behind them are
 * errors whose span is not in the trace.  Times are microseconds as in
 * timestamptz.  All of it lives until SPI_finish().
 */
typedef struct Trace
{
	SPITupleTable *span_rows;
	SPITupleTable *error_rows;
	int			nspans;
	int			nerrors;
	int			nnodes;
	ApmSpan    *spans;			/* ids, times and self time of the spans */
	TraceNode  *nodes;
	int32	   *order;			/* nnodes indexes of nodes */
	TraceError *errors;			/* by node and time */
	int32	   *first_error;	/* of node i: first_error[i] … first_error[i + 1] - 1 */
	int64		start;			/* first start of a span; without spans, of an error */
	int64		end;			/* last end of a span */
} Trace;

/* Reads and orders a trace; SPI is connected. */
extern void trace_load(Trace *trace, Datum trace_id);

/* Microseconds from one moment to another; saturates. */
extern int64 trace_elapsed(int64 since, int64 until);

/* "type: value" of an error row, cut to max_columns; returns its columns. */
extern int	trace_error_text(StringInfo buf, const Trace *trace, int row, int max_columns);

/* Values of the columns of a row. */
extern void trace_span_values(const Trace *trace, int row, Datum *values, bool *nulls);
extern void trace_error_values(const Trace *trace, int row, Datum *values, bool *nulls);

/*
 * Appends text in one line: white space collapses to one blank, control and
 * formatting characters go.  What does not fit into max_columns columns of a
 * terminal ends in an ellipsis.  Returns the columns used.
 */
extern int	text_append(StringInfo buf, const char *s, int len, int max_columns);
extern int	text_append_datum(StringInfo buf, Datum text, int max_columns);

/* Columns of text that is in one line already. */
extern int	text_columns(const char *s, int len);

#endif							/* PG_APM_TRACE_H */
