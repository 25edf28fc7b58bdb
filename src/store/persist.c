/*
 * store/persist.c
 *		Decoded things into tables: plain SQL statements over arrays of rows,
 *		one for each table and batch.
 *
 * No tuple is inserted behind SQL's back: on a distributed table such rows
 * would be lost without an error.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "settings.h"
#include "spanset/glue.h"
#include "store/adjust.h"
#include "store/cut.h"
#include "store/enrich.h"
#include "store/statement.h"
#include "store/store.h"
#include "store/vitals.h"
#include "types/rows.h"
#include "types/selftime.h"
#include "types/types.h"

/* End of a segment: its own, or of the last of its spans. */
int64
store_segment_end_us(const StoreSegment *s)
{
	int64		end = INT64_MIN;
	int			i;

	if (s->segment.transaction != NULL)
		return s->transaction.start_us + s->transaction.duration_us;
	for (i = 0; i < s->segment.nspans; i++)
		end = Max(end, s->segment.spans[i].start_us + s->segment.spans[i].duration_us);
	return end;
}

StoreBody *
persist_item_body(StoreBatch *batch, int item)
{
	return &batch->bodies[batch->items[item].body];
}

/* Errors without a time of their own happened when they came. */
static int64
error_time_us(StoreBatch *batch, const StoreError *e)
{
	if (e->error.event_us != APM_MICROS_NULL)
		return e->error.event_us;
	return types_unix_micros(persist_item_body(batch, e->item)->received_at);
}

static void
refuse_day(StoreBatch *batch, int item, const char *type, PartitionState state)
{
	StoreBody  *body = persist_item_body(batch, item);
	int32		ordinal = batch->items[item].ordinal;

	if (state == PARTITION_RETIRED)
		store_note(body, APM_OUTCOME_REJECTED, ordinal, type, "retention",
				   "Data of that day was dropped, see apm.retention.", 1);
	else
		store_note(body, APM_OUTCOME_REJECTED, ordinal, type, "partition_limit",
				   "No further daily partition may be made, see pg_apm.max_partitions.", 1);
}

/*
 * Makes missing partitions of one table for segments.  Where retention has
 * dropped the spans of a day and keeps its transactions, a transaction is
 * stored without its spans.
 */
static void
check_segment_partitions(StoreBatch *batch, StoreTable table)
{
	int			i;

	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];
		bool		has_transaction = s->segment.transaction != NULL;
		PartitionState state;

		if (s->segment.nspans == 0 || s->refused || (table == STORE_TRANSACTIONS && !has_transaction))
			continue;
		state = partition_ensure(table, types_timestamp(store_segment_end_us(s)));
		if (state == PARTITION_READY)
			continue;
		s->spans_retired = table == STORE_SPAN_BATCHES && state == PARTITION_RETIRED && has_transaction;
		s->refused = !s->spans_retired;
		if (s->refused)
			refuse_day(batch, s->item, s->segment.has_event_id ? "transaction" : "span", state);
	}
}

/* Spans that are not stored although their transaction is. */
static void
note_retired_spans(StoreBatch *batch)
{
	int			i;

	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];

		if (s->spans_retired)
			store_note(persist_item_body(batch, s->item), APM_OUTCOME_DROPPED,
					   batch->items[s->item].ordinal, "span", "retention",
					   "Spans of that day were dropped, see apm.retention.", s->segment.nspans);
	}
}

/*
 * Makes missing partitions; what may not have one is refused.  Making one
 * locks its table for others who would make one: so table by table, that two
 * batches cannot deadlock.
 */
void
persist_check_partitions(StoreBatch *batch)
{
	int			i;

	check_segment_partitions(batch, STORE_SPAN_BATCHES);
	check_segment_partitions(batch, STORE_TRANSACTIONS);
	note_retired_spans(batch);
	for (i = 0; i < batch->nerrors; i++)
	{
		StoreError *e = &batch->errors[i];
		PartitionState state = partition_ensure(STORE_ERRORS, types_timestamp(error_time_us(batch, e)));

		if (state == PARTITION_READY)
			continue;
		e->refused = true;
		refuse_day(batch, e->item, "event", state);
	}
}

/*
 * Bodies of unknown projects: the project is created, or the body refused,
 * as pg_apm.auto_create_projects says.
 */
void
persist_check_projects(StoreBatch *batch)
{
	static Statement missing = {
		"SELECT DISTINCT p FROM pg_catalog.unnest($1) p"
		" WHERE NOT EXISTS (SELECT FROM apm.projects WHERE project_id = p) ORDER BY p",
		1, {INT4ARRAYOID}, NULL, NULL, NULL, InvalidOid
	};
	static Statement create = {
		"SELECT _apm.auto_create_project($1)", 1, {INT4OID}, NULL, NULL, NULL, InvalidOid
	};
	Datum	   *ids = palloc(sizeof(Datum) * batch->nbodies);
	Datum		value;
	int32	   *unknown;
	int			nunknown;
	int			n = 0;
	int			i;
	int			j;

	for (i = 0; i < batch->nbodies; i++)
		if (i == 0 || batch->bodies[i].project_id != batch->bodies[i - 1].project_id)
			ids[n++] = Int32GetDatum(batch->bodies[i].project_id);
	value = PointerGetDatum(construct_array(ids, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	statement_run(&missing, &value, NULL, SPI_OK_SELECT);

	nunknown = (int) SPI_processed;
	unknown = palloc(sizeof(int32) * Max(nunknown, 1));
	for (i = 0; i < nunknown; i++)
	{
		bool		isnull;

		unknown[i] = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i],
												 SPI_tuptable->tupdesc, 1, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);

	for (i = 0; i < nunknown; i++)
	{
		if (apm_auto_create_projects && unknown[i] > 0)
		{
			value = Int32GetDatum(unknown[i]);
			statement_run(&create, &value, NULL, SPI_OK_SELECT);
			SPI_freetuptable(SPI_tuptable);
			continue;
		}
		for (j = 0; j < batch->nbodies; j++)
		{
			StoreBody  *body = &batch->bodies[j];

			if (body->project_id != unknown[i])
				continue;
			body->refused = true;
			body->rejected = 1;
			store_note(body, APM_OUTCOME_REJECTED, 0, "envelope", "unknown_project",
					   unknown[i] > 0 ?
					   "The project does not exist and pg_apm.auto_create_projects is off." :
					   "A project id is a positive number.", 1);
		}
	}
}

/* Runs INSERT … SELECT FROM unnest($1) over an array of row_type. */
static void
insert_rows(Statement *s, Datum *rows, int n)
{
	Datum		array;

	if (n == 0)
		return;
	array = PointerGetDatum(construct_array(rows, n, statement_row_type(s->row_schema, s->row_type),
											-1, false, TYPALIGN_DOUBLE));
	statement_run(s, &array, NULL, SPI_OK_INSERT);
}

static void
set_text(Datum *values, bool *nulls, int i, ApmStr s)
{
	nulls[i] = (s.data == NULL);
	if (s.data != NULL)
		values[i] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* One row of _apm.span_batches; spans get their self time, category and group here. */
static Datum
batch_row(StoreBatch *batch, StoreSegment *s, TupleDesc desc, const SpansetLexicon *lexicon)
{
	Datum		values[8];
	bool		nulls[8] = {0};
	ApmSpan    *spans = palloc(sizeof(ApmSpan) * s->segment.nspans);
	struct varlena *packed;
	size_t		len;

	memcpy(spans, s->segment.spans, sizeof(ApmSpan) * s->segment.nspans);
	selftime_compute(spans, s->segment.nspans);
	enrich_spans(spans, s->segment.nspans);
	packed = (struct varlena *) spanset_pack_with(lexicon, spans, s->segment.nspans, VARHDRSZ, &len);
	SET_VARSIZE(packed, len);
	pfree(spans);

	values[0] = Int32GetDatum(persist_item_body(batch, s->item)->project_id);
	values[1] = PointerGetDatum(s->segment.trace_id);
	values[2] = SpanIdGetDatum(s->segment.segment_id);
	nulls[2] = (s->segment.segment_id == 0);
	values[3] = TimestampTzGetDatum(types_timestamp(store_segment_end_us(s)));
	set_text(values, nulls, 4, s->segment.transaction_name);
	set_text(values, nulls, 5, s->segment.environment);
	set_text(values, nulls, 6, s->segment.release);
	values[7] = PointerGetDatum(packed);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/*
 * Rows on their way into the tables: so few at a time that their memory, used
 * again and again, stays in the caches and with the process.
 */
#define ROWS_AT_A_TIME 200

typedef struct SegmentRows
{
	MemoryContext context;		/* of the rows and their arrays */
	Datum		transactions[ROWS_AT_A_TIME];
	Datum		batches[ROWS_AT_A_TIME];
	int			ntransactions;
	int			nbatches;
} SegmentRows;

static void
store_segment_rows(SegmentRows *rows)
{
	static Statement insert_transactions = {
		"INSERT INTO apm.transactions SELECT t.* FROM pg_catalog.unnest($1) t",
		1, {InvalidOid}, "apm", "transaction", NULL, InvalidOid
	};
	static Statement insert_batches = {
		"INSERT INTO _apm.span_batches"
		" (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)"
		" SELECT b.* FROM pg_catalog.unnest($1) b",
		1, {InvalidOid}, "_apm", "span_batch", NULL, InvalidOid
	};
	MemoryContext old = MemoryContextSwitchTo(rows->context);

	insert_rows(&insert_transactions, rows->transactions, rows->ntransactions);
	insert_rows(&insert_batches, rows->batches, rows->nbatches);
	MemoryContextSwitchTo(old);
	MemoryContextReset(rows->context);
	rows->ntransactions = rows->nbatches = 0;
}

static void
persist_segments(StoreBatch *batch)
{
	SegmentRows rows = {0};
	TupleDesc	desc = lookup_rowtype_tupdesc(statement_row_type("_apm", "span_batch"), -1);
	const SpansetLexicon *lexicon = batch->nsegments > 0 ? lexicon_newest() : NULL;
	MemoryContext old;
	int			i;

	rows.context = AllocSetContextCreate(CurrentMemoryContext, "apm rows of segments", ALLOCSET_DEFAULT_SIZES);

	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];
		StoreBody  *body = persist_item_body(batch, s->item);

		if (s->refused || s->duplicate || s->segment.nspans == 0)
			continue;
		if (s->segment.transaction != NULL)
		{
			adjust_name(s);
			if (cut_text(&s->transaction.name, apm_cut_limits.name))
				store_note(body, APM_OUTCOME_REPAIRED, batch->items[s->item].ordinal,
						   "transaction", "cut", "A text longer than its limit was cut.", 1);
			s->segment.transaction_name = s->transaction.name;
			vitals_measure(s);
		}
		old = MemoryContextSwitchTo(rows.context);
		if (s->segment.transaction != NULL)
			rows.transactions[rows.ntransactions++] =
				HeapTupleGetDatum(rows_transaction(&s->transaction, body->project_id,
												   body->received_at));
		if (!s->spans_retired)
			rows.batches[rows.nbatches++] = batch_row(batch, s, desc, lexicon);
		MemoryContextSwitchTo(old);
		batch->items[s->item].stored = true;
		if (Max(rows.ntransactions, rows.nbatches) == ROWS_AT_A_TIME)
			store_segment_rows(&rows);
	}
	ReleaseTupleDesc(desc);
	store_segment_rows(&rows);
	MemoryContextDelete(rows.context);
}

static void
persist_errors(StoreBatch *batch)
{
	static Statement insert_errors = {
		"INSERT INTO apm.errors SELECT e.* FROM pg_catalog.unnest($1) e",
		1, {InvalidOid}, "apm", "error_event", NULL, InvalidOid
	};
	Datum	   *errors = palloc(sizeof(Datum) * Max(batch->nerrors, 1));
	int			n = 0;
	int			i;

	for (i = 0; i < batch->nerrors; i++)
	{
		StoreError *e = &batch->errors[i];

		if (e->refused || e->duplicate)
			continue;
		e->error.event_us = error_time_us(batch, e);
		errors[n++] = HeapTupleGetDatum(rows_error(&e->error, persist_item_body(batch, e->item)->project_id));
		batch->items[e->item].stored = true;
	}
	insert_rows(&insert_errors, errors, n);
}

void
persist_rows(StoreBatch *batch)
{
	vitals_persist(batch);
	persist_segments(batch);
	persist_errors(batch);
	persist_health(batch);
}

/* Outcomes. */

/* Adds to the row of these names: there are few, a scan finds it. */
void
persist_add_outcome(OutcomeList *list, int32 project_id, const char *category,
					const char *outcome, const char *reason, int64 quantity)
{
	OutcomeRow *row;
	int			i;

	for (i = list->n - 1; i >= 0 && i >= list->n - 64; i--)
	{
		row = &list->rows[i];
		if (row->project_id == project_id && strcmp(row->category, category) == 0 &&
			strcmp(row->outcome, outcome) == 0 &&
			(row->reason == reason ||
			 (row->reason && reason && strcmp(row->reason, reason) == 0)))
		{
			row->quantity += quantity;
			return;
		}
	}
	if (list->n == list->max)
	{
		list->max *= 2;
		list->rows = repalloc(list->rows, sizeof(OutcomeRow) * list->max);
	}
	row = &list->rows[list->n++];
	row->project_id = project_id;
	row->category = category;
	row->outcome = outcome;
	row->reason = reason;
	row->quantity = quantity;
}

/*
 * Item type to the category that quotas and reports of SDKs know.  Types that
 * nobody knows share one, so that senders cannot invent categories.
 */
const char *
persist_category(const char *type, ApmOutcome outcome, const char *reason)
{
	static const char *const map[][2] = {
		{"transaction", "transaction"}, {"span", "span"}, {"event", "error"},
		{"session", "session"}, {"sessions", "session"}, {"check_in", "monitor"},
		{"attachment", "attachment"}, {"replay_event", "replay"},
		{"replay_recording", "replay"}, {"replay_video", "replay"},
		{"feedback", "feedback"}, {"user_report", "feedback"}, {"log", "log_item"},
		{"trace_metric", "trace_metric"}, {"profile", "profile"},
		{"profile_chunk", "profile_chunk"}, {"profile_chunk_ui", "profile_chunk"},
		{"otel_span", "span"}, {"otel_traces_data", "span"}, {"statsd", "metric_bucket"},
		{"metric_buckets", "metric_bucket"}, {"metric_meta", "metric_bucket"},
		{"security", "security"}, {"raw_security", "security"}, {"nel", "security"},
		{"client_report", "internal"}, {"envelope", "envelope"}
	};
	int			i;

	/* A span that is left out of a transaction, or of one that came as an event. */
	if (outcome == APM_OUTCOME_DROPPED && strncmp(reason, "span_", 5) == 0)
		return "span";
	for (i = 0; i < lengthof(map); i++)
		if (strcmp(type, map[i][0]) == 0)
			return map[i][1];
	return "unknown";
}

static const char *const outcome_names[] = {"rejected", "skipped", "dropped", "repaired"};

static void
insert_outcomes(OutcomeList *list)
{
	static Statement insert = {
		"INSERT INTO _apm.outcome_log (project_id, category, outcome, reason, quantity)"
		" SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		" pg_catalog.unnest($4), pg_catalog.unnest($5))",
		5, {INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID},
		NULL, NULL, NULL, InvalidOid
	};
	Datum	   *columns[5];
	bool	   *nulls = palloc0(sizeof(bool) * list->n);
	Datum		values[5];
	int			lbound = 1;
	int			i;

	for (i = 0; i < 5; i++)
		columns[i] = palloc(sizeof(Datum) * list->n);
	for (i = 0; i < list->n; i++)
	{
		OutcomeRow *row = &list->rows[i];

		columns[0][i] = Int32GetDatum(row->project_id);
		columns[1][i] = CStringGetTextDatum(row->category);
		columns[2][i] = CStringGetTextDatum(row->outcome);
		nulls[i] = (row->reason == NULL);
		columns[3][i] = row->reason ? CStringGetTextDatum(row->reason) : (Datum) 0;
		columns[4][i] = Int64GetDatum(row->quantity);
	}
	values[0] = PointerGetDatum(construct_array(columns[0], list->n, INT4OID, 4, true, TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(columns[1], list->n, TEXTOID, -1, false, TYPALIGN_INT));
	values[2] = PointerGetDatum(construct_array(columns[2], list->n, TEXTOID, -1, false, TYPALIGN_INT));
	values[3] = PointerGetDatum(construct_md_array(columns[3], nulls, 1, &list->n, &lbound,
												   TEXTOID, -1, false, TYPALIGN_INT));
	values[4] = PointerGetDatum(construct_array(columns[4], list->n, INT8OID, 8, true, TYPALIGN_DOUBLE));
	statement_run(&insert, values, NULL, SPI_OK_INSERT);
}

/* "attachment_bytes" and the like: how much was passed over. */
static void
add_bytes(OutcomeList *list, int32 project_id, const StoreProblem *p)
{
	if (p->bytes > 0)
		persist_add_outcome(list, project_id,
							psprintf("%s_bytes", persist_category(p->type, p->outcome, p->reason)),
							outcome_names[p->outcome], p->reason, p->bytes);
}

/*
 * What became of a body's items, and of everything in them.  The category
 * "item" adds up to the items that came in; a body that is refused as a whole
 * counts as one.
 */
static void
add_body(OutcomeList *list, const StoreBody *body)
{
	int			i;

	if (body->accepted > 0)
		persist_add_outcome(list, body->project_id, "item", "accepted", NULL, body->accepted);
	if (body->rejected > 0)
		persist_add_outcome(list, body->project_id, "item", "rejected", NULL, body->rejected);
	if (body->skipped > 0)
		persist_add_outcome(list, body->project_id, "item", "skipped", NULL, body->skipped);
	for (i = 0; i < body->nproblems; i++)
	{
		const StoreProblem *p = &body->problems[i];

		persist_add_outcome(list, body->project_id, persist_category(p->type, p->outcome, p->reason),
							outcome_names[p->outcome], p->reason, p->quantity);
		add_bytes(list, body->project_id, p);
	}
}

/* Says what became of everything that came, in one statement. */
void
persist_outcomes(StoreBatch *batch)
{
	OutcomeList list;
	int			i;

	list.n = 0;
	list.max = 16;
	list.rows = palloc(sizeof(OutcomeRow) * list.max);
	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];
		int32		project_id = persist_item_body(batch, s->item)->project_id;

		if (s->refused || s->duplicate || s->segment.nspans == 0)
			continue;
		if (s->segment.transaction != NULL)
			persist_add_outcome(&list, project_id, "transaction", "accepted", NULL, 1);
		if (!s->spans_retired)
			persist_add_outcome(&list, project_id, "span", "accepted", NULL, s->segment.nspans);
	}
	for (i = 0; i < batch->nerrors; i++)
		if (!batch->errors[i].refused && !batch->errors[i].duplicate)
			persist_add_outcome(&list, persist_item_body(batch, batch->errors[i].item)->project_id,
								"error", "accepted", NULL, 1);
	persist_health_outcomes(batch, &list);
	for (i = 0; i < batch->nbodies; i++)
		add_body(&list, &batch->bodies[i]);
	if (list.n > 0)
		insert_outcomes(&list);
}
