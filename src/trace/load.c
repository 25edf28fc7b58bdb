/*
 * trace/load.c
 *		Reads one trace from apm.spans and apm.errors and orders it.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "trace/bounds.h"
#include "trace/trace.h"
#include "types/selftime.h"
#include "types/types.h"

/* Keeps every array below the limit of one allocation. */
#define MAX_ROWS 5000000

static const char *const span_query =
	"SELECT s.project_id, s.transaction_name, s.span_id, s.parent_span_id, s.segment_id,"
	" s.is_segment, s.op, s.description, s.status, s.start_time, s.duration_ms,"
	" s.segment_end_time"
	" FROM apm.spans s WHERE s.trace_id OPERATOR(pg_catalog.=) $1";
static const char *const span_bounds =
	" AND s.segment_end_time OPERATOR(pg_catalog.>=) $2 AND s.segment_end_time OPERATOR(pg_catalog.<=) $3";

static const char *const error_query =
	"SELECT e.project_id, e.transaction_name, e.span_id, e.level, e.type, e.value, e.event_time"
	" FROM apm.errors e WHERE e.trace_id OPERATOR(pg_catalog.=) $1";
static const char *const error_bounds =
	" AND e.event_time OPERATOR(pg_catalog.>=) $2 AND e.event_time OPERATOR(pg_catalog.<=) $3";

/*
 * Runs one of the two queries for the days that the trace is of; returns the
 * number of rows.  A trace that is not there is looked for before all time, so
 * that the result has its columns.
 */
static int
read_rows(const char *query, const char *within, Datum trace_id, TraceBounds bounds, SPITupleTable **rows)
{
	bool		any_time = bounds.found && TIMESTAMP_IS_NOBEGIN(bounds.first) && TIMESTAMP_IS_NOEND(bounds.last);
	Oid			types[3] = {types_apm_type("trace_id"), TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[3];

	values[0] = trace_id;
	values[1] = TimestampTzGetDatum(bounds.found ? bounds.first : DT_NOBEGIN);
	values[2] = TimestampTzGetDatum(bounds.found ? bounds.last : DT_NOBEGIN);
	if (SPI_execute_with_args(any_time ? query : psprintf("%s%s", query, within), any_time ? 1 : 3,
							  types, values, NULL, true, MAX_ROWS + 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read a trace");
	if (SPI_processed > MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trace has more than %d spans or errors", MAX_ROWS),
				 errhint("Query apm.spans by trace_id instead.")));
	*rows = SPI_tuptable;
	return (int) SPI_processed;
}

void
trace_span_values(const Trace *trace, int row, Datum *values, bool *nulls)
{
	heap_deform_tuple(trace->span_rows->vals[row], trace->span_rows->tupdesc, values, nulls);
}

void
trace_error_values(const Trace *trace, int row, Datum *values, bool *nulls)
{
	heap_deform_tuple(trace->error_rows->vals[row], trace->error_rows->tupdesc, values, nulls);
}

int64
trace_elapsed(int64 since, int64 until)
{
	int64		us;

	if (pg_sub_s64_overflow(until, since, &us))
		return until > since ? PG_INT64_MAX : PG_INT64_MIN;
	return us;
}

/* Milliseconds to microseconds, whatever a column may hold. */
static int64
micros(Datum datum, bool isnull)
{
	double		us = isnull ? 0 : rint(DatumGetFloat8(datum) * 1000.0);

	if (!(us > 0))
		return 0;
	return us < 9e18 ? (int64) us : INT64CONST(9000000000000000000);
}

/*
 * Fills the span and the node of each row of span_rows.
 *
 * Self time follows the rule for one event over all of the trace: a child in
 * the same service takes time from its parent, also when it came in another
 * envelope.  A child that begins a segment of its own does not: it is the
 * work of another service, during which this one waited.
 */
static void
fill_spans(Trace *trace)
{
	int			i;

	for (i = 0; i < trace->nspans; i++)
	{
		Datum		values[SPAN_COLUMNS];
		bool		nulls[SPAN_COLUMNS];
		ApmSpan    *span = &trace->spans[i];
		TraceNode  *node = &trace->nodes[i];

		CHECK_FOR_INTERRUPTS();
		trace_span_values(trace, i, values, nulls);
		span->span_id = nulls[SPAN_ID] ? 0 : DatumGetSpanId(values[SPAN_ID]);
		span->parent_span_id = nulls[SPAN_PARENT] ? 0 : DatumGetSpanId(values[SPAN_PARENT]);
		span->is_segment = !nulls[SPAN_IS_SEGMENT] && DatumGetBool(values[SPAN_IS_SEGMENT]);
		span->start_us = nulls[SPAN_START] ? 0 : DatumGetTimestampTz(values[SPAN_START]);
		span->duration_us = micros(values[SPAN_DURATION], nulls[SPAN_DURATION]);

		node->id = span->span_id;
		node->parent = span->parent_span_id;
		node->start = span->start_us;
		node->group = nulls[SPAN_PROJECT] ? 0 : DatumGetInt32(values[SPAN_PROJECT]);
	}
}

static void
compute_self_times(Trace *trace)
{
	int			i;

	for (i = 0; i < trace->nspans; i++)
		if (trace->spans[i].is_segment)
			trace->spans[i].parent_span_id = 0;
	selftime_compute(trace->spans, trace->nspans);
	for (i = 0; i < trace->nspans; i++)
		trace->spans[i].parent_span_id = trace->nodes[i].parent;
}

static int
error_cmp(const void *a, const void *b)
{
	const TraceError *x = a;
	const TraceError *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

/*
 * Gives each error to its span, or a node of its own when the span is not in
 * the trace: an error is never lost.
 */
static void
place_errors(Trace *trace)
{
	TraceIndex	index;
	int			i;

	trace_index_build(&index, trace->nodes, trace->nspans);
	for (i = 0; i < trace->nerrors; i++)
	{
		Datum		values[ERROR_COLUMNS];
		bool		nulls[ERROR_COLUMNS];
		TraceError *error = &trace->errors[i];
		uint64		span;
		int32		project;

		CHECK_FOR_INTERRUPTS();
		trace_error_values(trace, i, values, nulls);
		span = nulls[ERROR_SPAN] ? 0 : DatumGetSpanId(values[ERROR_SPAN]);
		project = nulls[ERROR_PROJECT] ? 0 : DatumGetInt32(values[ERROR_PROJECT]);
		error->row = i;
		error->time = nulls[ERROR_TIME] ? 0 : DatumGetTimestampTz(values[ERROR_TIME]);
		error->node = trace_index_find(&index, span, project);
		if (error->node < 0)
		{
			TraceNode  *node = &trace->nodes[trace->nnodes];

			memset(node, 0, sizeof(TraceNode));
			node->start = error->time;
			node->group = project;
			node->detached = true;
			error->node = trace->nnodes++;
		}
	}
	trace_index_free(&index);
	qsort(trace->errors, trace->nerrors, sizeof(TraceError), error_cmp);
}

static void
index_errors(Trace *trace)
{
	int			e = 0;
	int			i;

	trace->first_error = palloc(sizeof(int32) * (trace->nnodes + 1));
	for (i = 0; i <= trace->nnodes; i++)
	{
		while (e < trace->nerrors && trace->errors[e].node < i)
			e++;
		trace->first_error[i] = e;
	}
}

static void
find_bounds(Trace *trace)
{
	int			i;

	trace->start = 0;
	for (i = 0; i < trace->nspans; i++)
	{
		const ApmSpan *span = &trace->spans[i];
		int64		end;

		if (pg_add_s64_overflow(span->start_us, span->duration_us, &end))
			end = PG_INT64_MAX;
		if (i == 0 || span->start_us < trace->start)
			trace->start = span->start_us;
		if (i == 0 || end > trace->end)
			trace->end = end;
	}
	if (trace->nspans > 0)
		return;
	for (i = 0; i < trace->nerrors; i++)
		if (i == 0 || trace->errors[i].time < trace->start)
			trace->start = trace->errors[i].time;
	trace->end = trace->start;
}

void
trace_load(Trace *trace, Datum trace_id)
{
	memset(trace, 0, sizeof(Trace));
	trace->nspans = read_rows(span_query, span_bounds, trace_id,
							  trace_bounds("_apm", "span_batches", "end_time", trace_id), &trace->span_rows);
	trace->nerrors = read_rows(error_query, error_bounds, trace_id,
							   trace_bounds("apm", "errors", "event_time", trace_id), &trace->error_rows);
	trace->nnodes = trace->nspans;
	trace->spans = palloc0(sizeof(ApmSpan) * (trace->nspans + 1));
	trace->nodes = palloc0(sizeof(TraceNode) * (trace->nspans + trace->nerrors + 1));
	trace->errors = palloc0(sizeof(TraceError) * (trace->nerrors + 1));
	fill_spans(trace);
	compute_self_times(trace);
	place_errors(trace);
	index_errors(trace);
	trace->order = palloc(sizeof(int32) * (trace->nnodes + 1));
	trace_order(trace->nodes, trace->nnodes, trace->order);
	find_bounds(trace);
}

int
trace_error_text(StringInfo buf, const Trace *trace, int row, int max_columns)
{
	Datum		values[ERROR_COLUMNS];
	bool		nulls[ERROR_COLUMNS];
	StringInfoData whole;
	int			columns;

	trace_error_values(trace, row, values, nulls);
	initStringInfo(&whole);
	if (!nulls[ERROR_TYPE])
		text_append_datum(&whole, values[ERROR_TYPE], max_columns);
	if (!nulls[ERROR_VALUE])
	{
		if (whole.len > 0)
			appendStringInfoString(&whole, ": ");
		text_append_datum(&whole, values[ERROR_VALUE], max_columns);
	}
	if (whole.len == 0)
		appendStringInfoString(&whole, "(no message)");
	columns = text_append(buf, whole.data, whole.len, max_columns);
	pfree(whole.data);
	return columns;
}
