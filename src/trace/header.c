/*
 * trace/header.c
 *		The head of a text waterfall: what the trace is, who took part.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "trace/bar.h"
#include "trace/waterfall.h"
#include "types/hex.h"
#include "types/types.h"

#define SEPARATOR	" \xc2\xb7 "	/* middle dot */
#define SEPARATOR_COLUMNS 3

/* Names of services written out, and the columns each may take. */
#define MAX_NAMES 4
#define NAME_COLUMNS 24

static const char *const names_query =
	"SELECT p.project_id, p.name FROM apm.projects p"
	" WHERE p.project_id OPERATOR(pg_catalog.=) ANY ($1)";

/*
 * Transactions of browsers: newer SDKs send no platform, so the name of the
 * SDK and the operations that only browsers have count too.  The bounds are
 * the ends of the segments themselves: they prune partitions.
 */
static const char *const browser_query =
	"SELECT t.project_id, t.span_id FROM apm.transactions t"
	" WHERE t.trace_id OPERATOR(pg_catalog.=) $1"
	" AND t.end_time OPERATOR(pg_catalog.>=) $2 AND t.end_time OPERATOR(pg_catalog.<=) $3"
	" AND (t.platform OPERATOR(pg_catalog.=) 'javascript'"
	" OR t.op OPERATOR(pg_catalog.=) 'pageload' OR t.op OPERATOR(pg_catalog.=) 'navigation'"
	" OR pg_catalog.starts_with(t.sdk, 'sentry.javascript.browser'))";

static int
int32_cmp(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return (x > y) - (x < y);
}

/* Position of a project among the services; every node's project is there. */
static int
service_at(const Waterfall *w, int32 project)
{
	const int32 *found = bsearch(&project, w->services, w->nservices, sizeof(int32), int32_cmp);

	return found ? (int) (found - w->services) : -1;
}

const char *
waterfall_service_name(const Waterfall *w, int32 project)
{
	int			at = service_at(w, project);

	if (at >= 0 && w->service_names[at])
		return w->service_names[at];
	return psprintf("project %d", project);
}

static void
collect_services(Waterfall *w)
{
	const Trace *trace = &w->trace;
	int			n = 0;
	int			i;

	w->services = palloc(sizeof(int32) * (trace->nnodes + 1));
	for (i = 0; i < trace->nnodes; i++)
		w->services[i] = trace->nodes[i].group;
	qsort(w->services, trace->nnodes, sizeof(int32), int32_cmp);
	for (i = 0; i < trace->nnodes; i++)
		if (i == 0 || w->services[i] != w->services[n - 1])
			w->services[n++] = w->services[i];
	w->nservices = n;
	w->service_names = palloc0(sizeof(char *) * (n + 1));
}

void
waterfall_services(Waterfall *w)
{
	Oid			type = INT4ARRAYOID;
	Datum	   *ids;
	Datum		array;
	uint64		row;
	int			i;

	collect_services(w);
	ids = palloc(sizeof(Datum) * (w->nservices + 1));
	for (i = 0; i < w->nservices; i++)
		ids[i] = Int32GetDatum(w->services[i]);
	array = PointerGetDatum(construct_array(ids, w->nservices, INT4OID, sizeof(int32), true,
											TYPALIGN_INT));
	if (SPI_execute_with_args(names_query, 1, &type, &array, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read projects");
	for (row = 0; row < SPI_processed; row++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[row];
		bool		isnull;
		int32		project = DatumGetInt32(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
		int			at = service_at(w, project);
		StringInfoData name;

		initStringInfo(&name);
		text_append_datum(&name, SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull),
						  NAME_COLUMNS);
		if (at >= 0 && name.len > 0)
			w->service_names[at] = name.data;
	}
}

/* Earliest and latest end of the trace's segments; false if there is none. */
static bool
segment_bounds(const Trace *trace, TimestampTz *first, TimestampTz *last)
{
	bool		any = false;
	int			i;

	for (i = 0; i < trace->nspans; i++)
	{
		Datum		values[SPAN_COLUMNS];
		bool		nulls[SPAN_COLUMNS];
		TimestampTz end;

		trace_span_values(trace, i, values, nulls);
		if (nulls[SPAN_SEGMENT_END])
			continue;
		end = DatumGetTimestampTz(values[SPAN_SEGMENT_END]);
		*first = any ? Min(*first, end) : end;
		*last = any ? Max(*last, end) : end;
		any = true;
	}
	return any;
}

void
waterfall_browsers(Waterfall *w, Datum trace_id)
{
	Oid			types[3] = {types_apm_type("trace_id"), TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		args[3] = {trace_id};
	TimestampTz first;
	TimestampTz last;
	TraceIndex	index;
	uint64		row;

	if (!segment_bounds(&w->trace, &first, &last))
		return;
	args[1] = TimestampTzGetDatum(first);
	args[2] = TimestampTzGetDatum(last);
	if (SPI_execute_with_args(browser_query, 3, types, args, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read transactions");
	trace_index_build(&index, w->trace.nodes, w->trace.nspans);
	for (row = 0; row < SPI_processed; row++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[row];
		bool		isnull;
		int32		project = DatumGetInt32(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
		uint64		span = DatumGetSpanId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
		int			at = trace_index_find(&index, span, project);

		if (at >= 0)
			w->browser[at] = true;
	}
	trace_index_free(&index);
}

/* Adds an item to the head; it goes to the next line when this one is full. */
static void
put_item(Waterfall *w, StringInfo line, const char *item)
{
	int			columns = text_columns(item, strlen(item));
	int			used = text_columns(line->data, line->len);

	if (used > 0 && used + SEPARATOR_COLUMNS + columns > w->width)
	{
		waterfall_put(w, line);
		used = 0;
	}
	if (used > 0)
		appendStringInfoString(line, SEPARATOR);
	text_append(line, item, strlen(item), w->width);
}

static void
put_count(Waterfall *w, StringInfo line, int n, const char *one, const char *many)
{
	put_item(w, line, psprintf("%d %s", n, n == 1 ? one : many));
}

static void
put_services(Waterfall *w, StringInfo line)
{
	StringInfoData item;
	int			i;

	initStringInfo(&item);
	appendStringInfo(&item, "%d %s: ", w->nservices, w->nservices == 1 ? "service" : "services");
	for (i = 0; i < Min(w->nservices, MAX_NAMES); i++)
		appendStringInfo(&item, "%s%s", i > 0 ? ", " : "",
						 waterfall_service_name(w, w->services[i]));
	if (w->nservices > MAX_NAMES)
		appendStringInfo(&item, " and %d more", w->nservices - MAX_NAMES);
	put_item(w, line, item.data);
}

static int
count_orphan_spans(const Trace *trace)
{
	int			n = 0;
	int			i;

	for (i = 0; i < trace->nspans; i++)
		n += trace->nodes[i].orphan;
	return n;
}

/* Time in the session's time zone and style. */
static char *
time_text(int64 time)
{
	return OidOutputFunctionCall(F_TIMESTAMPTZ_OUT, TimestampTzGetDatum(time));
}

void
waterfall_header(Waterfall *w, Datum trace_id)
{
	const Trace *trace = &w->trace;
	char		duration[BAR_DURATION_SIZE];
	char		id[33] = "";
	StringInfoData line;
	int			norphans = count_orphan_spans(trace);

	initStringInfo(&line);
	hex_write(DatumGetTraceIdP(trace_id)->bytes, 16, id);
	put_item(w, &line, psprintf("trace %s", id));
	put_item(w, &line, time_text(trace->start));
	if (trace->nspans > 0)
	{
		bar_duration(trace_elapsed(trace->start, trace->end), duration);
		put_item(w, &line, duration);
	}
	put_count(w, &line, trace->nspans, "span", "spans");
	put_services(w, &line);
	put_count(w, &line, trace->nerrors, "error", "errors");
	if (norphans > 0)
		put_count(w, &line, norphans, "orphan", "orphans");
	waterfall_put(w, &line);
}
