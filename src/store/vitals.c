/*
 * store/vitals.c
 *		Web vitals that arrive apart from their page.
 *
 * A page's largest paint, shift of layout and slowest interaction are known
 * when it is left: SDKs send them on spans of their own, in another envelope
 * than the page load, which may come before it.  _apm.page_vitals has a row
 * for each page and for what waits for one.  Both sides write the row of
 * their page, in sorted order, so of two connections that bring a page and
 * its vitals at once the second waits there and sees the first.  Whoever is
 * second adds the vitals to the page: to the row it is about to store, or by
 * an update of the stored one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "compat.h"
#include "json/jsonb.h"
#include "settings.h"
#include "store/measure.h"
#include "store/statement.h"
#include "store/vitals.h"
#include "types/types.h"

#define PAGE_COLUMNS 10

/* A page of the batch, or the vitals of one. */
typedef struct PageEntry
{
	int32		project_id;
	const uint8 *trace_id;
	uint64		span_id;
	StoreSegment *page;			/* NULL: not in this batch */
	MeasureSet	vitals;
	int64		observed_us;
	ApmStr		name;
	ApmStr		environment;
	ApmStr		release;
	ApmStr		browser;
	int			sequence;
} PageEntry;

typedef struct PageList
{
	PageEntry  *entries;
	int			n;
	int			max;
} PageList;

static bool
str_is(ApmStr s, const char *literal)
{
	return s.data != NULL && s.len == strlen(literal) && memcmp(s.data, literal, s.len) == 0;
}

/* Can vitals of this transaction arrive later? */
static bool
is_page(const ApmTransaction *t)
{
	return str_is(t->op, "pageload") || str_is(t->op, "navigation") ||
		(t->op.data != NULL && t->op.len > 3 && memcmp(t->op.data, "ui.", 3) == 0) ||
		str_is(t->platform, "javascript");
}

static ApmStr
root_browser(const StoreSegment *s)
{
	ApmStr		browser = measure_context_browser(s->transaction.contexts);
	int			i;

	for (i = 0; browser.data == NULL && i < s->segment.nspans; i++)
		if (s->segment.spans[i].span_id == s->transaction.span_id)
		{
			browser = measure_attribute_browser(s->segment.spans[i].attributes);
			break;
		}
	return browser;
}

static PageEntry *
list_add(PageList *list, StoreBatch *batch, StoreSegment *s, uint64 span_id)
{
	PageEntry  *e;

	if (list->n == list->max)
	{
		list->max = Max(16, list->max * 2);
		list->entries = list->entries == NULL ? palloc(sizeof(PageEntry) * list->max) :
			repalloc_huge(list->entries, sizeof(PageEntry) * list->max);
	}
	e = &list->entries[list->n];
	memset(e, 0, sizeof(*e));
	e->project_id = batch->bodies[batch->items[s->item].body].project_id;
	e->trace_id = s->segment.trace_id;
	e->span_id = span_id;
	e->sequence = list->n++;
	return e;
}

/*
 * The vital that a span brings, for the segment it names, else for the page
 * load it names.  Older SDKs name neither: then it stands for itself.
 */
static bool
add_vital(PageList *list, StoreBatch *batch, StoreSegment *s, const ApmSpan *span)
{
	SpanVitals	sent;
	PageEntry  *e;
	uint64		page = span->segment_id;

	if (!measure_is_vital_op(span->op) || !measure_span_vitals(span->attributes, &sent))
		return false;
	if (page == 0 || page == span->span_id)
		page = sent.page_span_id != 0 ? sent.page_span_id : span->span_id;
	e = list_add(list, batch, s, page);
	e->trace_id = span->trace_id;
	e->vitals = sent.vitals;
	e->observed_us = span->start_us + span->duration_us;
	e->name = s->segment.transaction_name;
	e->environment = s->segment.environment;
	e->release = s->segment.release;
	e->browser = sent.browser;
	return true;
}

static void
collect(PageList *list, StoreBatch *batch)
{
	int			i;
	int			j;

	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];
		bool		found = false;

		if (s->refused || s->duplicate)
			continue;
		for (j = 0; j < s->segment.nspans; j++)
			if (add_vital(list, batch, s, &s->segment.spans[j]))
				found = true;
		if (s->segment.transaction != NULL && s->segment.nspans > 0 &&
			(found || is_page(&s->transaction)))
		{
			PageEntry  *e = list_add(list, batch, s, s->transaction.span_id);

			e->page = s;
			e->observed_us = store_segment_end_us(s);
			e->browser = root_browser(s);
		}
	}
}

static int
key_cmp(const PageEntry *x, const PageEntry *y)
{
	int			c;

	if (x->project_id != y->project_id)
		return x->project_id < y->project_id ? -1 : 1;
	c = memcmp(x->trace_id, y->trace_id, 16);
	if (c != 0)
		return c;
	return x->span_id == y->span_id ? 0 : x->span_id < y->span_id ? -1 : 1;
}

static int
entry_cmp(const void *a, const void *b)
{
	const PageEntry *x = a;
	const PageEntry *y = b;
	int			c = key_cmp(x, y);

	return c != 0 ? c : x->sequence - y->sequence;
}

static void
prefer(ApmStr *s, ApmStr other)
{
	if (s->data == NULL)
		*s = other;
}

/* Sorts, and makes one entry of those of one page. */
static void
merge_entries(PageList *list)
{
	int			kept = 0;
	int			i;

	qsort(list->entries, list->n, sizeof(PageEntry), entry_cmp);
	for (i = 0; i < list->n; i++)
	{
		PageEntry  *e = &list->entries[i];
		PageEntry  *k = kept > 0 ? &list->entries[kept - 1] : NULL;

		if (k == NULL || key_cmp(k, e) != 0)
		{
			list->entries[kept++] = *e;
			continue;
		}
		measure_merge_set(&k->vitals, &e->vitals);
		k->observed_us = Max(k->observed_us, e->observed_us);
		if (k->page == NULL)
			k->page = e->page;
		prefer(&k->name, e->name);
		prefer(&k->environment, e->environment);
		prefer(&k->release, e->release);
		prefer(&k->browser, e->browser);
	}
	list->n = kept;
}

static void
set_text(Datum *values, bool *nulls, int i, ApmStr s)
{
	nulls[i] = (s.data == NULL);
	if (s.data != NULL)
		values[i] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

static Datum
entry_row(const PageEntry *e, TupleDesc desc)
{
	Datum		values[PAGE_COLUMNS];
	bool		nulls[PAGE_COLUMNS] = {0};
	ApmStr		vitals = measure_write(&e->vitals);

	values[0] = Int32GetDatum(e->project_id);
	values[1] = PointerGetDatum(e->trace_id);
	values[2] = SpanIdGetDatum(e->span_id);
	nulls[3] = (e->page == NULL);
	if (e->page != NULL)
		values[3] = TimestampTzGetDatum(types_timestamp(store_segment_end_us(e->page)));
	nulls[4] = (vitals.data == NULL);
	if (vitals.data != NULL)
		values[4] = JsonbPGetDatum(json_text_to_jsonb(vitals));
	values[5] = TimestampTzGetDatum(types_timestamp(e->observed_us));
	set_text(values, nulls, 6, e->name);
	set_text(values, nulls, 7, e->environment);
	set_text(values, nulls, 8, e->release);
	set_text(values, nulls, 9, e->browser);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
row_array(Datum *rows, int n)
{
	return PointerGetDatum(construct_array(rows, n, statement_row_type("_apm", "page_vital"),
										   -1, false, TYPALIGN_DOUBLE));
}

/*
 * Writes the rows of the pages; what they hold then comes back in the same
 * order.  Rows of stored pages whose vitals came now are put into updates.
 */
static int
write_pages(PageList *list, TupleDesc desc, Datum *updates)
{
	static Statement upsert = {
		"INSERT INTO _apm.page_vitals AS p SELECT r.* FROM pg_catalog.unnest($1) r"
		" ON CONFLICT (project_id, trace_id, span_id) DO UPDATE SET"
		" page_end = coalesce(excluded.page_end, p.page_end),"
		" vitals = _apm.merge_measurements(p.vitals, excluded.vitals),"
		" browser = coalesce(excluded.browser, p.browser)"
		" RETURNING *",
		1, {InvalidOid}, "_apm", "page_vital", NULL, InvalidOid
	};
	Datum	   *rows = palloc(sizeof(Datum) * list->n);
	Datum		array;
	int			n = 0;
	int			i;

	for (i = 0; i < list->n; i++)
		rows[i] = entry_row(&list->entries[i], desc);
	array = row_array(rows, list->n);
	statement_run(&upsert, &array, NULL, SPI_OK_INSERT_RETURNING);
	if (SPI_processed != (uint64) list->n)
		elog(ERROR, "pages came back incomplete");
	for (i = 0; i < list->n; i++)
	{
		PageEntry  *e = &list->entries[i];
		Datum		values[PAGE_COLUMNS];
		bool		nulls[PAGE_COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
		if (DatumGetSpanId(values[2]) != e->span_id ||
			memcmp(DatumGetPointer(values[1]), e->trace_id, 16) != 0)
			elog(ERROR, "pages came back out of order");
		if (nulls[4])
			continue;
		if (e->page != NULL)
		{
			Jsonb	   *vitals = DatumGetJsonbP(values[4]);

			e->page->late_vitals.data = JsonbToCString(NULL, &vitals->root, VARSIZE(vitals));
			e->page->late_vitals.len = strlen(e->page->late_vitals.data);
		}
		else if (!nulls[3])
			updates[n++] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	}
	SPI_freetuptable(SPI_tuptable);
	return n;
}

void
vitals_persist(StoreBatch *batch)
{
	static Statement update = {
		"SELECT _apm.add_vitals($1)", 1, {InvalidOid}, "_apm", "page_vital", NULL, InvalidOid
	};
	PageList	list = {NULL, 0, 0};
	TupleDesc	desc;
	Datum	   *updates;
	Datum		array;
	int			n;

	collect(&list, batch);
	if (list.n == 0)
		return;
	merge_entries(&list);
	desc = lookup_rowtype_tupdesc(statement_row_type("_apm", "page_vital"), -1);
	updates = palloc(sizeof(Datum) * list.n);
	n = write_pages(&list, desc, updates);
	ReleaseTupleDesc(desc);
	if (n == 0)
		return;
	array = row_array(updates, n);
	statement_run(&update, &array, NULL, SPI_OK_SELECT);
	SPI_freetuptable(SPI_tuptable);
}

void
vitals_measure(StoreSegment *s)
{
	ApmTransaction *t = &s->transaction;
	MeasureSet	set = {NULL, 0, 0};

	if (s->late_vitals.data == NULL && (t->measurements.data == NULL || !apm_derive_measurements))
		return;
	measure_read(&set, t->measurements);
	measure_merge_vitals(&set, s->late_vitals);
	if (apm_derive_measurements)
		measure_derive(&set, t->duration_us, root_browser(s));
	if (set.n > 0)
		t->measurements = measure_write(&set);
}

static ApmStr
jsonb_argument(FunctionCallInfo fcinfo, int n)
{
	ApmStr		s = {NULL, 0};
	Jsonb	   *value;

	if (PG_ARGISNULL(n))
		return s;
	value = PG_GETARG_JSONB_P(n);
	s.data = JsonbToCString(NULL, &value->root, VARSIZE(value));
	s.len = strlen(s.data);
	return s;
}

/*
 * _apm.merge_measurements(measurements, vitals): both together, of each vital
 * the larger; with a duration and a browser also what is computed.
 */
PG_FUNCTION_INFO_V1(apm_merge_measurements);
Datum
apm_merge_measurements(PG_FUNCTION_ARGS)
{
	MeasureSet	set = {NULL, 0, 0};
	ApmStr		result;

	measure_read(&set, jsonb_argument(fcinfo, 0));
	measure_merge_vitals(&set, jsonb_argument(fcinfo, 1));
	if (PG_NARGS() == 4 && apm_derive_measurements)
	{
		ApmStr		browser = {NULL, 0};
		double		duration_ms = PG_ARGISNULL(2) ? 0 : PG_GETARG_FLOAT8(2);

		if (!PG_ARGISNULL(3))
		{
			text	   *name = PG_GETARG_TEXT_PP(3);

			browser.data = VARDATA_ANY(name);
			browser.len = VARSIZE_ANY_EXHDR(name);
		}
		measure_derive(&set, duration_ms > 0 && duration_ms < 1e15 ? (int64) (duration_ms * 1000) : 0,
					   browser);
	}
	result = measure_write(&set);
	if (result.data == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(json_text_to_jsonb(result));
}
