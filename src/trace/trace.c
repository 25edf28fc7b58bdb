/*
 * trace/trace.c
 *		apm.trace(): the spans of one trace as rows in waterfall order.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "trace/trace.h"
#include "types/types.h"

/* Longest description of an error row, in columns. */
#define ERROR_DESCRIPTION_COLUMNS 1000

/* Output columns of apm.trace. */
typedef enum TraceColumn
{
	OUT_ORDINAL,
	OUT_DEPTH,
	OUT_KIND,
	OUT_PROJECT,
	OUT_TRANSACTION_NAME,
	OUT_SPAN,
	OUT_PARENT,
	OUT_SEGMENT,
	OUT_IS_SEGMENT,
	OUT_OP,
	OUT_DESCRIPTION,
	OUT_STATUS,
	OUT_START,
	OUT_OFFSET,
	OUT_DURATION,
	OUT_SELF_TIME,
	OUT_IS_ORPHAN,
	OUT_ERRORS,
	OUT_COLUMNS
} TraceColumn;

/* Where each column of the query for spans goes. */
static const struct
{
	SpanColumn	in;
	TraceColumn out;
}			span_columns[] = {
	{SPAN_PROJECT, OUT_PROJECT},
	{SPAN_TRANSACTION_NAME, OUT_TRANSACTION_NAME},
	{SPAN_ID, OUT_SPAN},
	{SPAN_PARENT, OUT_PARENT},
	{SPAN_SEGMENT, OUT_SEGMENT},
	{SPAN_IS_SEGMENT, OUT_IS_SEGMENT},
	{SPAN_OP, OUT_OP},
	{SPAN_DESCRIPTION, OUT_DESCRIPTION},
	{SPAN_STATUS, OUT_STATUS},
	{SPAN_START, OUT_START},
	{SPAN_DURATION, OUT_DURATION}
};

static void
set_value(Datum *values, bool *nulls, int column, Datum value)
{
	values[column] = value;
	nulls[column] = false;
}

static void
span_row(const Trace *trace, int at, Datum *values, bool *nulls)
{
	Datum		in[SPAN_COLUMNS];
	bool		in_nulls[SPAN_COLUMNS];
	int			i;

	trace_span_values(trace, at, in, in_nulls);
	for (i = 0; i < lengthof(span_columns); i++)
	{
		values[span_columns[i].out] = in[span_columns[i].in];
		nulls[span_columns[i].out] = in_nulls[span_columns[i].in];
	}
	set_value(values, nulls, OUT_KIND, CStringGetTextDatum("span"));
	if (!in_nulls[SPAN_DURATION])
		set_value(values, nulls, OUT_SELF_TIME,
				  Float8GetDatum(trace->spans[at].self_time_us / 1000.0));
}

/* An error whose span is not in the trace. */
static void
error_row(const Trace *trace, int at, Datum *values, bool *nulls)
{
	int			row = trace->errors[trace->first_error[at]].row;
	Datum		in[ERROR_COLUMNS];
	bool		in_nulls[ERROR_COLUMNS];
	StringInfoData text;

	trace_error_values(trace, row, in, in_nulls);
	initStringInfo(&text);
	trace_error_text(&text, trace, row, ERROR_DESCRIPTION_COLUMNS);
	set_value(values, nulls, OUT_KIND, CStringGetTextDatum("error"));
	set_value(values, nulls, OUT_OP, CStringGetTextDatum("error"));
	set_value(values, nulls, OUT_DESCRIPTION, CStringGetTextDatum(text.data));
	set_value(values, nulls, OUT_IS_SEGMENT, BoolGetDatum(false));
	values[OUT_PROJECT] = in[ERROR_PROJECT];
	nulls[OUT_PROJECT] = in_nulls[ERROR_PROJECT];
	values[OUT_TRANSACTION_NAME] = in[ERROR_TRANSACTION_NAME];
	nulls[OUT_TRANSACTION_NAME] = in_nulls[ERROR_TRANSACTION_NAME];
	values[OUT_SPAN] = in[ERROR_SPAN];
	nulls[OUT_SPAN] = in_nulls[ERROR_SPAN];
	values[OUT_START] = in[ERROR_TIME];
	nulls[OUT_START] = in_nulls[ERROR_TIME];
}

static void
put_node(const Trace *trace, int ordinal, ReturnSetInfo *rsinfo)
{
	int			at = trace->order[ordinal - 1];
	const TraceNode *node = &trace->nodes[at];
	Datum		values[OUT_COLUMNS] = {0};
	bool		nulls[OUT_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	if (at < trace->nspans)
		span_row(trace, at, values, nulls);
	else
		error_row(trace, at, values, nulls);
	set_value(values, nulls, OUT_ORDINAL, Int32GetDatum(ordinal));
	set_value(values, nulls, OUT_DEPTH, Int32GetDatum(node->depth));
	set_value(values, nulls, OUT_IS_ORPHAN, BoolGetDatum(node->orphan));
	set_value(values, nulls, OUT_ERRORS,
			  Int32GetDatum(trace->first_error[at + 1] - trace->first_error[at]));
	if (!nulls[OUT_START])
		set_value(values, nulls, OUT_OFFSET,
				  Float8GetDatum(trace_elapsed(trace->start, node->start) / 1000.0));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(trace_rows);
Datum
trace_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext row_context;
	Trace		trace;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	trace_load(&trace, PG_GETARG_DATUM(0));
	row_context = AllocSetContextCreate(CurrentMemoryContext, "apm.trace row",
										ALLOCSET_DEFAULT_SIZES);
	for (i = 1; i <= trace.nnodes; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);

		CHECK_FOR_INTERRUPTS();
		put_node(&trace, i, rsinfo);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	SPI_finish();
	return (Datum) 0;
}
