/*
 * trace/waterfall.c
 *		apm.waterfall(): one trace as lines of text for a terminal.
 *
 * The line of a span is: guides of the tree, op and description, duration, a
 * mark if its status is a failure, bar.  Labels take the columns they need up
 * to a share of the width, bars get the rest.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "trace/bar.h"
#include "trace/waterfall.h"
#include "types/hex.h"
#include "types/types.h"

#define MIN_WIDTH 40
#define MAX_WIDTH 400

/* Between label and bar: blank, duration, blank, mark, blank. */
#define DURATION_COLUMNS 8
#define MIDDLE_COLUMNS (DURATION_COLUMNS + 4)
#define MIN_LABEL_COLUMNS 12

/* Time between two siblings in which no span ran: shown from here on. */
#define GAP_US INT64CONST(100000)
#define GAP_LABEL "(no span)"

/* Error events listed below one span. */
#define MAX_ERRORS 3

/* Columns a level of the tree is indented by. */
#define LEVEL_COLUMNS 2

#define GUIDE_NONE		"  "
#define GUIDE_THROUGH	"\xe2\x94\x82 " /* vertical */
#define GUIDE_BRANCH	"\xe2\x94\x9c " /* vertical and right */
#define GUIDE_LAST		"\xe2\x94\x94 " /* up and right */
#define GUIDE_ORPHAN	"\xe2\x94\x84 " /* dashed */
#define ELLIPSIS		"\xe2\x80\xa6"
#define FAILED			"\xe2\x9c\x97"	/* ballot x */
#define NOTED			"!"
#define RULE			0x2500	/* horizontal */

void
waterfall_put(Waterfall *w, StringInfo line)
{
	Datum		value;
	bool		isnull = false;

	while (line->len > 0 && line->data[line->len - 1] == ' ')
		line->data[--line->len] = '\0';
	value = PointerGetDatum(cstring_to_text_with_len(line->data, line->len));
	tuplestore_putvalues(w->rsinfo->setResult, w->rsinfo->setDesc, &value, &isnull);
	pfree(DatumGetPointer(value));
	resetStringInfo(line);
}

static int
indent_columns(const Waterfall *w, const TraceNode *node)
{
	return LEVEL_COLUMNS * Min(node->depth, w->max_levels);
}

/*
 * Guides of the levels above a line, level 1 to depth.  Below max_levels the
 * tree is not indented any further, the depth is written instead.
 */
static void
put_guides(const Waterfall *w, StringInfo line, int depth)
{
	int			level;

	if (w->in_orphan)
		appendStringInfoString(line, GUIDE_NONE);
	if (depth > w->max_levels)
	{
		appendStringInfoSpaces(line, LEVEL_COLUMNS * w->max_levels);
		return;
	}
	for (level = 1; level <= depth; level++)
		appendStringInfoString(line, w->more[level] ? GUIDE_THROUGH : GUIDE_NONE);
}

static void
put_indent(const Waterfall *w, StringInfo line, const TraceNode *node, const char *guide)
{
	if (node->depth == 0)
		appendStringInfoString(line, node->orphan ? GUIDE_ORPHAN : "");
	else if (node->depth > w->max_levels)
	{
		/* The ellipsis takes three bytes and one column. */
		char	   *depth = psprintf(ELLIPSIS "%d ", node->depth);
		int			columns = (int) strlen(depth) - 2;

		if (w->in_orphan)
			appendStringInfoString(line, GUIDE_NONE);
		appendStringInfoSpaces(line, Max(LEVEL_COLUMNS * w->max_levels - columns, 0));
		appendStringInfoString(line, depth);
	}
	else
	{
		put_guides(w, line, node->depth - 1);
		appendStringInfoString(line, guide);
	}
}

/*
 * What a span is called: op and description; for a segment, the name of its
 * transaction, and its service if the trace has several.
 */
static int
put_name(const Waterfall *w, StringInfo line, int at, int max_columns)
{
	const TraceNode *node = &w->trace.nodes[at];
	Datum		values[SPAN_COLUMNS];
	bool		nulls[SPAN_COLUMNS];
	bool		is_segment = w->trace.spans[at].is_segment;
	int			what = SPAN_DESCRIPTION;
	StringInfoData name;
	int			columns;

	trace_span_values(&w->trace, at, values, nulls);
	if (is_segment && !nulls[SPAN_TRANSACTION_NAME])
		what = SPAN_TRANSACTION_NAME;
	initStringInfo(&name);
	if (w->nservices > 1 && (is_segment || node->depth == 0))
		appendStringInfo(&name, "[%s] ", waterfall_service_name(w, node->group));
	if (!nulls[SPAN_OP])
		text_append_datum(&name, values[SPAN_OP], max_columns);
	if (!nulls[what])
	{
		if (name.len > 0)
			appendStringInfoChar(&name, ' ');
		text_append_datum(&name, values[what], max_columns);
	}
	if (name.len == 0)
		appendStringInfoString(&name, "(no name)");
	columns = text_append(line, name.data, name.len, max_columns);
	pfree(name.data);
	return columns;
}

/* Ends a label: blanks up to the duration, which stands to the right. */
static void
put_middle(const Waterfall *w, StringInfo line, const char *duration, const char *mark)
{
	int			used = text_columns(line->data, line->len);

	appendStringInfoSpaces(line, Max(w->label_columns - used, 0));
	appendStringInfo(line, " %*s %s ", DURATION_COLUMNS, duration, mark);
}

static void
clear_cells(Waterfall *w)
{
	int			i;

	for (i = 0; i < w->bar_columns; i++)
		w->cells[i] = ' ';
}

static void
put_cells(const Waterfall *w, StringInfo line)
{
	enlargeStringInfo(line, w->bar_columns * 3 + 1);
	line->len += bar_utf8(w->cells, w->bar_columns, line->data + line->len);
	line->data[line->len] = '\0';
}

/* A moment as a fraction of the whole trace. */
static double
fraction(const Waterfall *w, int64 time)
{
	return (double) trace_elapsed(w->trace.start, time) / (double) w->total;
}

/* Start plus duration; saturates. */
static int64
span_end(const ApmSpan *span)
{
	return trace_elapsed(-span->duration_us, span->start_us);
}

/* Text on the line above the bars, at a column. */
static void
put_tick(Waterfall *w, int at, int64 us)
{
	char		text[BAR_DURATION_SIZE];
	int			len;
	int			i;

	bar_duration(us, text);
	len = (int) strlen(text);
	at = Max(0, Min(at - len / 2, w->bar_columns - len));
	if (at > 0)
		w->cells[at - 1] = ' ';
	for (i = 0; i < len && at + i < w->bar_columns; i++)
		w->cells[at + i] = (unsigned char) text[i];
	if (at + len < w->bar_columns)
		w->cells[at + len] = ' ';
}

static void
put_scale(Waterfall *w)
{
	StringInfoData line;
	int			i;

	initStringInfo(&line);
	put_middle(w, &line, "", " ");
	for (i = 0; i < w->bar_columns; i++)
		w->cells[i] = RULE;
	put_tick(w, 0, 0);
	if (w->bar_columns >= 36)
		put_tick(w, w->bar_columns / 2, w->total / 2);
	put_tick(w, w->bar_columns, w->total);
	put_cells(w, &line);
	waterfall_put(w, &line);
}

/* The statuses that the failure rate counts as failures. */
static bool
is_failure(int status)
{
	return status > 2;
}

static void
put_span(Waterfall *w, int at)
{
	const TraceNode *node = &w->trace.nodes[at];
	const ApmSpan *span = &w->trace.spans[at];
	Datum		values[SPAN_COLUMNS];
	bool		nulls[SPAN_COLUMNS];
	char		duration[BAR_DURATION_SIZE] = "";
	bool		failed = false;
	StringInfoData line;

	trace_span_values(&w->trace, at, values, nulls);
	initStringInfo(&line);
	put_indent(w, &line, node, w->last[at] ? GUIDE_LAST : GUIDE_BRANCH);
	put_name(w, &line, at, w->label_columns - text_columns(line.data, line.len));

	clear_cells(w);
	bar_draw(w->cells, w->bar_columns, fraction(w, span->start_us), fraction(w, span_end(span)));
	if (!nulls[SPAN_STATUS])
	{
		int			status = types_status_code(DatumGetObjectId(values[SPAN_STATUS]));

		failed = is_failure(status);
		if (failed)
			bar_note(w->cells, w->bar_columns, apm_status_names[status]);
	}
	if (!nulls[SPAN_DURATION])
		bar_duration(span->duration_us, duration);
	put_middle(w, &line, duration, failed ? FAILED : " ");
	put_cells(w, &line);
	waterfall_put(w, &line);
}

/* Events below the level error are marked as notes. */
static const char *
error_mark(const Trace *trace, int row)
{
	Datum		values[ERROR_COLUMNS];
	bool		nulls[ERROR_COLUMNS];
	char	   *level;

	trace_error_values(trace, row, values, nulls);
	if (nulls[ERROR_LEVEL])
		return FAILED;
	level = TextDatumGetCString(values[ERROR_LEVEL]);
	return strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0 ? FAILED : NOTED;
}

/* Error events of a span, on lines of their own below it. */
static void
put_errors(Waterfall *w, int at)
{
	const Trace *trace = &w->trace;
	int			first = trace->first_error[at];
	int			n = trace->first_error[at + 1] - first;
	int			i;

	for (i = 0; i < Min(n, MAX_ERRORS + 1); i++)
	{
		StringInfoData line;

		initStringInfo(&line);
		put_guides(w, &line, trace->nodes[at].depth);
		appendStringInfoString(&line, w->has_children[at] ? GUIDE_THROUGH : GUIDE_NONE);
		if (i == MAX_ERRORS)
			appendStringInfo(&line, ELLIPSIS " %d more", n - MAX_ERRORS);
		else
		{
			int			row = trace->errors[first + i].row;

			appendStringInfo(&line, "%s ", error_mark(trace, row));
			trace_error_text(&line, trace, row,
							 w->width - text_columns(line.data, line.len));
		}
		waterfall_put(w, &line);
	}
}

/* An error whose span is not in the trace. */
static void
put_orphan_error(Waterfall *w, int at)
{
	const Trace *trace = &w->trace;
	const TraceError *error = &trace->errors[trace->first_error[at]];
	char		offset[BAR_DURATION_SIZE];
	int64		us = trace_elapsed(trace->start, error->time);
	char	   *where;
	StringInfoData line;

	bar_duration(us < 0 ? trace_elapsed(us, 0) : us, offset);
	where = psprintf(us < 0 ? " (no span, %s before)" : " (no span, at %s)", offset);
	initStringInfo(&line);
	appendStringInfo(&line, GUIDE_ORPHAN "%s ", error_mark(trace, error->row));
	trace_error_text(&line, trace, error->row,
					 w->width - text_columns(line.data, line.len) - (int) strlen(where));
	appendStringInfoString(&line, where);
	waterfall_put(w, &line);
}

/*
 * A line for the time between a span and its elder siblings in which nothing
 * is known to have run.  Not in browsers, where that is the user's time, and
 * not before the work of another service, which has a start of its own.
 */
static void
put_gap(Waterfall *w, int at)
{
	const TraceNode *node = &w->trace.nodes[at];
	const ApmSpan *span = &w->trace.spans[at];
	char		duration[BAR_DURATION_SIZE];
	int64		busy;
	StringInfoData line;

	if (node->up < 0)
		return;
	busy = w->busy_until[node->up];
	w->busy_until[node->up] = Max(busy, span_end(span));
	if (busy == PG_INT64_MIN || span->is_segment || w->browser[node->up] ||
		trace_elapsed(busy, span->start_us) < GAP_US)
		return;
	initStringInfo(&line);
	put_indent(w, &line, node, GUIDE_BRANCH);
	text_append(&line, GAP_LABEL, strlen(GAP_LABEL),
				w->label_columns - text_columns(line.data, line.len));
	bar_duration(trace_elapsed(busy, span->start_us), duration);
	put_middle(w, &line, duration, " ");
	clear_cells(w);
	bar_shade(w->cells, w->bar_columns, fraction(w, busy), fraction(w, span->start_us));
	put_cells(w, &line);
	waterfall_put(w, &line);
}

/*
 * Columns for labels and bars: as many as the longest label takes, within
 * three fifths of what is there.
 */
static void
choose_columns(Waterfall *w)
{
	const Trace *trace = &w->trace;
	int			most = (w->width - MIDDLE_COLUMNS) * 3 / 5;
	int			need = MIN_LABEL_COLUMNS;
	int			i;

	w->max_levels = most / LEVEL_COLUMNS / 2;
	for (i = 0; i < trace->nnodes && need < most; i++)
	{
		int			at = trace->order[i];
		const TraceNode *node = &trace->nodes[at];
		MemoryContext old = MemoryContextSwitchTo(w->line_context);
		StringInfoData name;
		int			columns;

		if (node->depth == 0)
			w->in_orphan = node->orphan;
		if (at < trace->nspans)
		{
			initStringInfo(&name);
			columns = (w->in_orphan ? LEVEL_COLUMNS : 0) + indent_columns(w, node);
			columns += put_name(w, &name, at, most);
			need = Max(need, columns);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(w->line_context);
	}
	w->label_columns = Min(need, most);
	w->bar_columns = w->width - MIDDLE_COLUMNS - w->label_columns;
	w->cells = palloc(sizeof(uint32) * w->bar_columns);
	w->more = palloc0(sizeof(bool) * (w->max_levels + 2));
}

/* Which nodes are the last of their siblings, have children, run in a browser. */
static void
mark_nodes(Waterfall *w)
{
	const Trace *trace = &w->trace;
	bool	   *seen = palloc0(sizeof(bool) * (trace->nnodes + 1));
	int			i;

	/* Backwards, the first child met is the last one. */
	for (i = trace->nnodes - 1; i >= 0; i--)
	{
		int			at = trace->order[i];
		int			up = trace->nodes[at].up;

		w->busy_until[at] = PG_INT64_MIN;
		w->last[at] = up < 0 || !seen[up];
		if (up >= 0)
			seen[up] = w->has_children[up] = true;
	}
	for (i = 0; i < trace->nnodes; i++)
	{
		int			at = trace->order[i];
		int			up = trace->nodes[at].up;

		if (up >= 0 && at < trace->nspans && !trace->spans[at].is_segment)
			w->browser[at] |= w->browser[up];
	}
	pfree(seen);
}

static void
waterfall_init(Waterfall *w, Datum trace_id)
{
	int			n;

	trace_load(&w->trace, trace_id);
	n = w->trace.nnodes + 1;
	w->total = Max(trace_elapsed(w->trace.start, w->trace.end), 1);
	w->last = palloc0(sizeof(bool) * n);
	w->has_children = palloc0(sizeof(bool) * n);
	w->browser = palloc0(sizeof(bool) * n);
	w->busy_until = palloc0(sizeof(int64) * n);
	w->line_context = AllocSetContextCreate(CurrentMemoryContext, "apm.waterfall line",
											ALLOCSET_DEFAULT_SIZES);
	waterfall_services(w);
	waterfall_browsers(w, trace_id);
	mark_nodes(w);
	choose_columns(w);
}

static void
put_node(Waterfall *w, int at)
{
	const TraceNode *node = &w->trace.nodes[at];

	if (node->depth == 0)
		w->in_orphan = node->orphan;
	if (at >= w->trace.nspans)
	{
		put_orphan_error(w, at);
		return;
	}
	put_gap(w, at);
	if (node->depth <= w->max_levels)
		w->more[node->depth] = !w->last[at];
	put_span(w, at);
	put_errors(w, at);
}

/* Says what the dashed guide means. */
static void
put_legend(Waterfall *w)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfoString(&line, GUIDE_ORPHAN "parent is not in this trace");
	waterfall_put(w, &line);
}

static void
put_nodes(Waterfall *w)
{
	int			i;

	if (w->trace.end > w->trace.start)
		put_scale(w);
	for (i = 0; i < w->trace.nnodes; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(w->line_context);

		CHECK_FOR_INTERRUPTS();
		put_node(w, w->trace.order[i]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(w->line_context);
	}
	for (i = 0; i < w->trace.nspans; i++)
	{
		if (w->trace.nodes[i].orphan)
		{
			put_legend(w);
			break;
		}
	}
}

PG_FUNCTION_INFO_V1(trace_waterfall);
Datum
trace_waterfall(PG_FUNCTION_ARGS)
{
	Datum		trace_id = PG_GETARG_DATUM(0);
	Waterfall	w;

	memset(&w, 0, sizeof(w));
	w.width = PG_GETARG_INT32(1);
	if (w.width < MIN_WIDTH || w.width > MAX_WIDTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("width must be between %d and %d, not %d", MIN_WIDTH, MAX_WIDTH, w.width),
				 errhint("It is the number of columns of the terminal.")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	w.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	waterfall_init(&w, trace_id);
	if (w.trace.nnodes == 0)
	{
		StringInfoData line;
		char		id[33] = "";

		hex_write(DatumGetTraceIdP(trace_id)->bytes, 16, id);
		initStringInfo(&line);
		appendStringInfo(&line, "trace %s not found", id);
		waterfall_put(&w, &line);
	}
	else
	{
		waterfall_header(&w, trace_id);
		put_nodes(&w);
	}
	SPI_finish();
	return (Datum) 0;
}
