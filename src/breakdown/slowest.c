/*
 * breakdown/slowest.c
 *		apm.slowest_spans: the n slowest spans of packed sets, packed again.
 *
 * The state is a row of how many to keep, the duration that a span must reach
 * to be one of them, and those that are kept.  Of nearly all sets only the
 * durations are read; a set is unpacked when one of its spans is slow enough.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/typcache.h"

#include "breakdown/glue.h"
#include "breakdown/prefetch.h"
#include "spanset/glue.h"

#define MAX_KEPT 10000

typedef struct Slowest
{
	int32		n;
	int64		floor_us;		/* below this nothing is kept; -1 while there is room */
	Datum		spans;
	bool		empty;
} Slowest;

/* What a call site keeps from row to row. */
typedef struct Site
{
	TupleDesc	desc;			/* of the state */
	SpansetColumns durations;
	Prefetch	ahead;
} Site;

static Site *
site_of(FunctionCallInfo fcinfo, Oid row_type)
{
	Site	   *site = fcinfo->flinfo->fn_extra;

	if (site == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		site = palloc0(sizeof(Site));
		site->desc = lookup_rowtype_tupdesc_copy(row_type, -1);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = site;
	}
	return site;
}

static void
read_state(Slowest *s, Datum state, TupleDesc desc)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(state);
	HeapTupleData tuple;
	Datum		values[3];
	bool		nulls[3];

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, values, nulls);
	if (nulls[0] || nulls[1] || nulls[2])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("state of apm.slowest_spans must not hold nulls")));
	s->n = DatumGetInt32(values[0]);
	s->floor_us = DatumGetInt64(values[1]);
	s->spans = values[2];
	s->empty = false;
}

/* Slower first; then what is earlier, so that the order of arrival never shows. */
static int
compare_spans(const void *a, const void *b)
{
	const ApmSpan *x = a;
	const ApmSpan *y = b;
	int			c;

	if (x->duration_us != y->duration_us)
		return x->duration_us > y->duration_us ? -1 : 1;
	if (x->start_us != y->start_us)
		return x->start_us < y->start_us ? -1 : 1;
	c = memcmp(x->trace_id, y->trace_id, sizeof(x->trace_id));
	if (c != 0)
		return c;
	return (x->span_id > y->span_id) - (x->span_id < y->span_id);
}

static int
append(ApmSpan *spans, int n, const SpansetColumns *c)
{
	int			i;

	for (i = 0; i < c->n; i++)
	{
		memset(&spans[n], 0, sizeof(ApmSpan));
		spanset_get(c, i, &spans[n++]);
	}
	return n;
}

/* The state with the spans of a set, the slowest n of all. */
static Datum
with_spans(const Slowest *s, Datum set, TupleDesc desc)
{
	SpansetColumns kept = {0};
	SpansetColumns more = {0};
	ApmSpan    *spans;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	int			n = 0;

	spanset_open(&more, set, SPANSET_ALL);
	if (!s->empty)
		spanset_open(&kept, s->spans, SPANSET_ALL);
	spans = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) kept.n + more.n + 1) * sizeof(ApmSpan));
	n = append(spans, n, &kept);
	n = append(spans, n, &more);
	qsort(spans, n, sizeof(ApmSpan), compare_spans);
	n = Min(n, s->n);
	values[0] = Int32GetDatum(s->n);
	values[1] = Int64GetDatum(n < s->n ? -1 : spans[n - 1].duration_us);
	values[2] = spanset_datum(spans, n);
	pfree(spans);
	spanset_free(&kept);
	spanset_free(&more);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
unchanged(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* (state, spans, n) */
PG_FUNCTION_INFO_V1(slowest_add);
Datum
slowest_add(PG_FUNCTION_ARGS)
{
	Site	   *site;
	Slowest		s = {0, -1, (Datum) 0, true};
	int			i;

	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	site = site_of(fcinfo, get_fn_expr_rettype(fcinfo->flinfo));
	if (!PG_ARGISNULL(0))
		read_state(&s, PG_GETARG_DATUM(0), site->desc);
	else if (PG_ARGISNULL(2) || PG_GETARG_INT32(2) < 1 || PG_GETARG_INT32(2) > MAX_KEPT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("n must be between 1 and %d", MAX_KEPT)));
	else
		s.n = PG_GETARG_INT32(2);
	prefetch_around(&site->ahead, DatumGetPointer(PG_GETARG_DATUM(1)));
	spanset_open_again(&site->durations, PG_GETARG_DATUM(1), SPANSET_DURATION, fcinfo->flinfo->fn_mcxt);
	site->ahead.bytes = site->durations.end;
	for (i = 0; i < site->durations.n; i++)
		if (site->durations.duration_us[i] >= s.floor_us)
			return with_spans(&s, PG_GETARG_DATUM(1), site->desc);
	return unchanged(fcinfo);
}

/* (state, state) */
PG_FUNCTION_INFO_V1(slowest_combine);
Datum
slowest_combine(PG_FUNCTION_ARGS)
{
	Site	   *site;
	Slowest		s;
	Slowest		other;

	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	site = site_of(fcinfo, get_fn_expr_rettype(fcinfo->flinfo));
	read_state(&s, PG_GETARG_DATUM(0), site->desc);
	read_state(&other, PG_GETARG_DATUM(1), site->desc);
	s.n = Max(s.n, other.n);
	return with_spans(&s, other.spans, site->desc);
}

PG_FUNCTION_INFO_V1(slowest_final);
Datum
slowest_final(PG_FUNCTION_ARGS)
{
	Slowest		s;
	Site	   *site = site_of(fcinfo, get_fn_expr_argtype(fcinfo->flinfo, 0));

	read_state(&s, PG_GETARG_DATUM(0), site->desc);
	PG_RETURN_DATUM(s.spans);
}
