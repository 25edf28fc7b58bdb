/*
 * store/persist_health.c
 *		Sessions, check-ins, client reports and raw items into tables.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "compat.h"
#include "json/jsonb.h"
#include "store/cron.h"
#include "store/statement.h"
#include "store/store.h"
#include "types/types.h"

/* Payloads of raw items that one statement takes; more go into the next. */
#define RAW_CHUNK	(32 * 1024 * 1024)

static void
set_text(Datum *values, bool *nulls, int i, ApmStr s)
{
	nulls[i] = (s.data == NULL);
	if (s.data != NULL)
		values[i] = PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

static void
set_micros(Datum *values, bool *nulls, int i, int64 micros)
{
	nulls[i] = (micros == APM_MICROS_NULL);
	if (!nulls[i])
		values[i] = Float8GetDatum(micros / 1000.0);
}

static Datum
row_array(const Statement *s, Datum *rows, int n)
{
	return PointerGetDatum(construct_array(rows, n, statement_row_type(s->row_schema, s->row_type),
										   -1, false, TYPALIGN_DOUBLE));
}

/* Sessions. */

static Statement insert_sessions = {
	"INSERT INTO apm.sessions AS t (project_id, session_id, user_key, release, environment, status,"
	" started_at, duration_ms, sequence, errors, quantity, received_at)"
	" SELECT s.* FROM pg_catalog.unnest($1) s"
	" ON CONFLICT (project_id, session_id) WHERE session_id IS NOT NULL DO UPDATE SET"
	" user_key = coalesce(excluded.user_key, t.user_key), release = excluded.release,"
	" environment = excluded.environment, status = excluded.status,"
	" started_at = excluded.started_at, duration_ms = coalesce(excluded.duration_ms, t.duration_ms),"
	" sequence = excluded.sequence, errors = excluded.errors, received_at = excluded.received_at"
	" WHERE (excluded.status <> 'ok', excluded.sequence) > (t.status <> 'ok', t.sequence)"
	" RETURNING project_id, session_id",
	1, {InvalidOid}, "_apm", "session_row", NULL, InvalidOid
};

static Datum
session_row(StoreBatch *batch, const StoreSession *entry, TupleDesc desc)
{
	const ApmSession *s = &entry->session;
	StoreBody  *body = persist_item_body(batch, entry->item);
	Datum		values[12];
	bool		nulls[12] = {0};

	values[0] = Int32GetDatum(body->project_id);
	values[1] = PointerGetDatum(s->session_id);
	nulls[1] = !s->has_session_id;
	set_text(values, nulls, 2, s->user);
	set_text(values, nulls, 3, s->release);
	set_text(values, nulls, 4, s->environment);
	set_text(values, nulls, 5, s->status);
	values[6] = TimestampTzGetDatum(types_timestamp(s->started_us));
	set_micros(values, nulls, 7, s->duration_us);
	values[8] = Int64GetDatum(s->sequence);
	values[9] = Int32GetDatum(s->errors);
	values[10] = Int64GetDatum(s->quantity);
	values[11] = TimestampTzGetDatum(body->received_at);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/*
 * An update of a session.  Updates of one session in a batch are applied one
 * after the other, in rounds: so each meets what it would have met alone.  Of
 * all sessions the first update comes in round 0, sorted, so that rows are
 * locked in one order.
 */
typedef struct Update
{
	const StoreSession *entry;
	int32		project_id;
	bool		ended;
	int			round;
	int			sequence;		/* of arrival */
} Update;

static int
update_key_cmp(const Update *a, const Update *b)
{
	if (a->project_id != b->project_id)
		return a->project_id < b->project_id ? -1 : 1;
	return memcmp(a->entry->session.session_id, b->entry->session.session_id, UUID_LEN);
}

static int
update_arrival_cmp(const void *a, const void *b)
{
	const Update *x = a;
	const Update *y = b;
	int			c = update_key_cmp(x, y);

	return c != 0 ? c : x->sequence - y->sequence;
}

static int
update_round_cmp(const void *a, const void *b)
{
	const Update *x = a;
	const Update *y = b;

	return x->round != y->round ? x->round - y->round : update_key_cmp(x, y);
}

static void
note_update(StoreBatch *batch, const Update *u, bool same)
{
	StoreItem  *item = &batch->items[u->entry->item];

	item->skipped = true;
	store_note(&batch->bodies[item->body], APM_OUTCOME_SKIPPED, item->ordinal, "session",
			   same ? "duplicate" : "superseded",
			   same ? "It was stored before." : "A later state of the session was stored before.", 1);
}

/* Tells updates that are stored already from such that came too late. */
static void
note_unapplied(StoreBatch *batch, const Update *updates, int n)
{
	static Statement compare = {
		"SELECT u.n, t.sequence = u.q AND (t.status <> 'ok') = u.e"
		"  FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		" pg_catalog.unnest($4)) WITH ORDINALITY AS u(p, k, q, e, n)"
		"  JOIN apm.sessions t ON t.project_id = u.p AND t.session_id = u.k",
		4, {INT4ARRAYOID, InvalidOid, INT8ARRAYOID, BOOLARRAYOID}, "pg_catalog", "uuid", NULL, InvalidOid
	};
	Datum	   *columns[4];
	bool	   *same = palloc0(sizeof(bool) * n);
	Datum		values[4];
	uint64		row;
	int			i;

	for (i = 0; i < 4; i++)
		columns[i] = palloc(sizeof(Datum) * n);
	for (i = 0; i < n; i++)
	{
		columns[0][i] = Int32GetDatum(updates[i].project_id);
		columns[1][i] = PointerGetDatum(updates[i].entry->session.session_id);
		columns[2][i] = Int64GetDatum(updates[i].entry->session.sequence);
		columns[3][i] = BoolGetDatum(updates[i].ended);
	}
	values[0] = PointerGetDatum(construct_array(columns[0], n, INT4OID, 4, true, TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(columns[1], n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	values[2] = PointerGetDatum(construct_array(columns[2], n, INT8OID, 8, true, TYPALIGN_DOUBLE));
	values[3] = PointerGetDatum(construct_array(columns[3], n, BOOLOID, 1, true, TYPALIGN_CHAR));
	statement_run(&compare, values, NULL, SPI_OK_SELECT);
	for (row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		int64		at = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[row],
													 SPI_tuptable->tupdesc, 1, &isnull));

		same[at - 1] = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[row],
												  SPI_tuptable->tupdesc, 2, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	for (i = 0; i < n; i++)
		note_update(batch, &updates[i], same[i]);
}

/* Stores sorted updates of different sessions; what comes back was stored, in the same order. */
static void
apply_updates(StoreBatch *batch, Update *updates, int n, TupleDesc desc)
{
	Datum	   *rows = palloc(sizeof(Datum) * n);
	Datum		array;
	uint64		row = 0;
	int			unapplied = 0;
	int			i;

	for (i = 0; i < n; i++)
		rows[i] = session_row(batch, updates[i].entry, desc);
	array = row_array(&insert_sessions, rows, n);
	statement_run(&insert_sessions, &array, NULL, SPI_OK_INSERT_RETURNING);
	for (i = 0; i < n; i++)
	{
		bool		isnull;

		if (row < SPI_processed)
		{
			HeapTuple	t = SPI_tuptable->vals[row];
			int32		project = DatumGetInt32(SPI_getbinval(t, SPI_tuptable->tupdesc, 1, &isnull));
			pg_uuid_t  *id = DatumGetUUIDP(SPI_getbinval(t, SPI_tuptable->tupdesc, 2, &isnull));

			if (project == updates[i].project_id &&
				memcmp(id->data, updates[i].entry->session.session_id, UUID_LEN) == 0)
			{
				batch->items[updates[i].entry->item].stored = true;
				row++;
				continue;
			}
		}
		updates[unapplied++] = updates[i];
	}
	if (row != SPI_processed)
		elog(ERROR, "stored sessions came back out of order");
	SPI_freetuptable(SPI_tuptable);
	if (unapplied > 0)
		note_unapplied(batch, updates, unapplied);
}

/* Applies updates in their rounds. */
static void
apply_rounds(StoreBatch *batch, Update *updates, int n, TupleDesc desc)
{
	int			start;
	int			i;

	qsort(updates, n, sizeof(Update), update_arrival_cmp);
	for (i = 0; i < n; i++)
		updates[i].round = i > 0 && update_key_cmp(&updates[i - 1], &updates[i]) == 0 ?
			updates[i - 1].round + 1 : 0;
	qsort(updates, n, sizeof(Update), update_round_cmp);
	for (start = 0; start < n; start = i)
	{
		for (i = start; i < n && updates[i].round == updates[start].round; i++)
			;
		apply_updates(batch, updates + start, i - start, desc);
	}
}

/* Buckets are rows of their own. */
static void
insert_buckets(Datum *rows, int n)
{
	Datum		array;

	if (n == 0)
		return;
	array = row_array(&insert_sessions, rows, n);
	statement_run(&insert_sessions, &array, NULL, SPI_OK_INSERT_RETURNING);
	SPI_freetuptable(SPI_tuptable);
}

static void
persist_sessions(StoreBatch *batch)
{
	TupleDesc	desc;
	Update	   *updates;
	Datum	   *buckets;
	int			nbuckets = 0;
	int			n = 0;
	int			i;

	if (batch->nsessions == 0)
		return;
	desc = lookup_rowtype_tupdesc(statement_row_type("_apm", "session_row"), -1);
	updates = palloc(sizeof(Update) * batch->nsessions);
	buckets = palloc(sizeof(Datum) * batch->nsessions);
	for (i = 0; i < batch->nsessions; i++)
	{
		StoreSession *entry = &batch->sessions[i];
		StoreItem  *item = &batch->items[entry->item];

		if (!entry->session.has_session_id)
		{
			if (item->duplicate)
				continue;
			buckets[nbuckets++] = session_row(batch, entry, desc);
			item->stored = true;
			continue;
		}
		updates[n].entry = entry;
		updates[n].project_id = persist_item_body(batch, entry->item)->project_id;
		updates[n].ended = !(entry->session.status.len == 2 &&
							 memcmp(entry->session.status.data, "ok", 2) == 0);
		updates[n].sequence = n;
		n++;
	}
	apply_rounds(batch, updates, n, desc);
	insert_buckets(buckets, nbuckets);
	ReleaseTupleDesc(desc);
}

/* Check-ins: few, and each may depend on the one before. */

typedef struct CheckInOrder
{
	const StoreCheckIn *entry;
	int32		project_id;
	int			sequence;
} CheckInOrder;

/* Order of storing: by monitor, of one monitor as they came. */
static int
check_in_cmp(const void *a, const void *b)
{
	const CheckInOrder *x = a;
	const CheckInOrder *y = b;
	ApmStr		s = x->entry->check_in.monitor;
	ApmStr		t = y->entry->check_in.monitor;
	int			c;

	if (x->project_id != y->project_id)
		return x->project_id < y->project_id ? -1 : 1;
	c = memcmp(s.data, t.data, Min(s.len, t.len));
	if (c == 0 && s.len != t.len)
		c = s.len < t.len ? -1 : 1;
	return c != 0 ? c : x->sequence - y->sequence;
}

/*
 * A check-in id may come under several monitors, and "the latest in progress"
 * names no id at all: rows would be locked in any order.  So a batch first
 * takes a lock for each id and each monitor of its check-ins, in one order.
 * They share a few numbers, that a batch may not fill the lock table.
 */
#define CHECK_IN_LOCK_CLASS	0x41504d43
#define CHECK_IN_LOCKS		256

static int
lock_number(int32 project_id, const void *name, size_t len)
{
	return hash_combine(hash_bytes_uint32((uint32) project_id),
						hash_bytes((const unsigned char *) name, (int) len)) % CHECK_IN_LOCKS;
}

static void
lock_check_ins(const CheckInOrder *order, int n)
{
	bool		wanted[CHECK_IN_LOCKS] = {false};
	int			i;

	for (i = 0; i < n; i++)
	{
		const ApmCheckIn *c = &order[i].entry->check_in;

		wanted[lock_number(order[i].project_id, c->monitor.data, c->monitor.len)] = true;
		if (c->has_check_in_id)
			wanted[lock_number(order[i].project_id, c->check_in_id, UUID_LEN)] = true;
	}
	for (i = 0; i < CHECK_IN_LOCKS; i++)
		if (wanted[i])
			DirectFunctionCall2(pg_advisory_xact_lock_int4, Int32GetDatum(CHECK_IN_LOCK_CLASS),
								Int32GetDatum(i));
}

static void
persist_check_in(StoreBatch *batch, const StoreCheckIn *entry)
{
	static Statement store = {
		"SELECT _apm.store_check_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		10, {INT4OID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, FLOAT8OID, TEXTOID, BYTEAOID, JSONBOID, TIMESTAMPTZOID},
		NULL, NULL, NULL, InvalidOid
	};
	const ApmCheckIn *c = &entry->check_in;
	StoreItem  *item = &batch->items[entry->item];
	StoreBody  *body = &batch->bodies[item->body];
	Datum		values[10];
	bool		isnull[10] = {0};
	char		nulls[11];
	char	   *reason;
	int			i;

	values[0] = Int32GetDatum(body->project_id);
	values[1] = PointerGetDatum(c->check_in_id);
	isnull[1] = !c->has_check_in_id;
	set_text(values, isnull, 2, c->monitor);
	set_text(values, isnull, 3, c->environment);
	set_text(values, isnull, 4, c->status);
	set_micros(values, isnull, 5, c->duration_us);
	set_text(values, isnull, 6, c->release);
	isnull[7] = !c->has_trace_id;
	if (!isnull[7])
		values[7] = PointerGetDatum(cstring_to_text_with_len((const char *) c->trace_id, 16));
	isnull[8] = c->config.data == NULL;
	if (!isnull[8])
		values[8] = JsonbPGetDatum(json_text_to_jsonb(c->config));
	values[9] = TimestampTzGetDatum(body->received_at);
	for (i = 0; i < 10; i++)
		nulls[i] = isnull[i] ? 'n' : ' ';
	nulls[10] = '\0';
	statement_run(&store, values, nulls, SPI_OK_SELECT);
	reason = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (reason == NULL)
		item->stored = true;
	else
	{
		bool		same = strcmp(reason, "duplicate") == 0;

		item->skipped = true;
		store_note(body, APM_OUTCOME_SKIPPED, item->ordinal, "check_in",
				   same ? "duplicate" : "superseded",
				   same ? "It was stored before." : "The check-in has ended before.", 1);
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
persist_check_ins(StoreBatch *batch)
{
	CheckInOrder *order = palloc(sizeof(CheckInOrder) * Max(batch->ncheck_ins, 1));
	int			n = 0;
	int			i;

	for (i = 0; i < batch->ncheck_ins; i++)
	{
		if (batch->items[batch->check_ins[i].item].duplicate)
			continue;
		order[n].entry = &batch->check_ins[i];
		order[n].project_id = persist_item_body(batch, batch->check_ins[i].item)->project_id;
		order[n].sequence = n;
		n++;
	}
	qsort(order, n, sizeof(CheckInOrder), check_in_cmp);
	lock_check_ins(order, n);
	for (i = 0; i < n; i++)
		persist_check_in(batch, order[i].entry);
}

/* Items that are kept as they came. */

static Datum
raw_row(StoreBatch *batch, const StoreRaw *entry, TupleDesc desc)
{
	StoreBody  *body = persist_item_body(batch, entry->item);
	const ApmItem *raw = &entry->raw;
	Datum		values[7];
	bool		nulls[7] = {0};

	values[0] = Int32GetDatum(body->project_id);
	values[1] = TimestampTzGetDatum(body->received_at);
	values[2] = PointerGetDatum(body->event_id);
	nulls[2] = !body->has_event_id;
	values[3] = Int32GetDatum(raw->ordinal);
	set_text(values, nulls, 4, raw->type);
	values[5] = JsonbPGetDatum(json_text_to_jsonb(raw->header));
	values[6] = PointerGetDatum(cstring_to_text_with_len(entry->kept.data, entry->kept.len));
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static void
persist_raws(StoreBatch *batch)
{
	static Statement insert = {
		"INSERT INTO apm.raw_items (project_id, received_at, event_id, ordinal, type, header, payload)"
		" SELECT r.* FROM pg_catalog.unnest($1) r",
		1, {InvalidOid}, "_apm", "raw_item", NULL, InvalidOid
	};
	TupleDesc	desc;
	Datum	   *rows;
	Datum		array;
	size_t		bytes = 0;
	int			n = 0;
	int			i;

	if (batch->nraws == 0)
		return;
	desc = lookup_rowtype_tupdesc(statement_row_type("_apm", "raw_item"), -1);
	rows = palloc(sizeof(Datum) * batch->nraws);
	for (i = 0; i < batch->nraws; i++)
	{
		StoreRaw   *entry = &batch->raws[i];

		if (batch->items[entry->item].duplicate)
			continue;
		batch->items[entry->item].stored = true;
		if (n > 0 && bytes + entry->kept.len > RAW_CHUNK)
		{
			array = row_array(&insert, rows, n);
			statement_run(&insert, &array, NULL, SPI_OK_INSERT);
			n = 0;
			bytes = 0;
		}
		rows[n++] = raw_row(batch, entry, desc);
		bytes += entry->kept.len;
	}
	if (n > 0)
	{
		array = row_array(&insert, rows, n);
		statement_run(&insert, &array, NULL, SPI_OK_INSERT);
	}
	ReleaseTupleDesc(desc);
}

void
persist_health(StoreBatch *batch)
{
	int			i;

	persist_sessions(batch);
	persist_check_ins(batch);
	persist_raws(batch);
	for (i = 0; i < batch->ndiscards; i++)
		if (!batch->items[batch->discards[i].item].duplicate)
			batch->items[batch->discards[i].item].stored = true;
}

/* Outcomes. */

/* The word itself if it is known, else the other: senders cannot make up words. */
static const char *
known_word(ApmStr s, const char *const *words, int n, const char *otherwise)
{
	int			i;

	for (i = 0; i < n; i++)
		if (s.len == strlen(words[i]) && memcmp(s.data, words[i], s.len) == 0)
			return words[i];
	return otherwise;
}

static void
add_discard(OutcomeList *list, int32 project_id, const ApmDiscard *discard)
{
	static const char *const reasons[] = {
		"queue_overflow", "cache_overflow", "buffer_overflow", "ratelimit_backoff",
		"network_error", "sample_rate", "before_send", "event_processor", "send_error",
		"internal_sdk_error", "insufficient_data", "backpressure", "no_parent_span", "ignored",
		"invalid", "rate_limited", "filtered", "filtered_sampling"
	};
	static const char *const categories[] = {
		"default", "error", "transaction", "span", "session", "attachment", "profile",
		"profile_chunk", "profile_chunk_ui", "replay", "monitor", "feedback", "log_item",
		"log_byte", "trace_metric", "metric_bucket", "statsd", "security", "internal"
	};

	persist_add_outcome(list, project_id,
						known_word(discard->category, categories, lengthof(categories), "unknown"),
						"client_discard",
						known_word(discard->reason, reasons, lengthof(reasons), "other"),
						discard->quantity);
}

void
persist_health_outcomes(StoreBatch *batch, OutcomeList *list)
{
	int			last = -1;
	int			i;

	for (i = 0; i < batch->nsessions; i++)
		if (batch->items[batch->sessions[i].item].stored)
			persist_add_outcome(list, persist_item_body(batch, batch->sessions[i].item)->project_id,
								"session", "accepted", NULL, batch->sessions[i].session.quantity);
	for (i = 0; i < batch->ncheck_ins; i++)
		if (batch->items[batch->check_ins[i].item].stored)
			persist_add_outcome(list, persist_item_body(batch, batch->check_ins[i].item)->project_id,
								"monitor", "accepted", NULL, 1);
	for (i = 0; i < batch->nraws; i++)
	{
		const StoreRaw *entry = &batch->raws[i];
		const char *category = persist_category(pnstrdup(entry->raw.type.data, entry->raw.type.len),
												APM_OUTCOME_SKIPPED, "not_stored");
		int32		project_id = persist_item_body(batch, entry->item)->project_id;

		if (!batch->items[entry->item].stored)
			continue;
		persist_add_outcome(list, project_id, category, "accepted", NULL, 1);
		persist_add_outcome(list, project_id, psprintf("%s_bytes", category), "accepted", NULL,
							entry->raw.payload.len);
	}
	for (i = 0; i < batch->ndiscards; i++)
	{
		const StoreDiscard *entry = &batch->discards[i];
		int32		project_id = persist_item_body(batch, entry->item)->project_id;

		if (!batch->items[entry->item].stored)
			continue;
		add_discard(list, project_id, &entry->discard);
		if (entry->item != last)
			persist_add_outcome(list, project_id, "internal", "accepted", NULL, 1);
		last = entry->item;
	}
}

/* Schedules. */

/*
 * _apm.cron_next(schedule text, after timestamp): the first matching minute after a
 * local time; NULL if the text is no schedule or never matches.
 */
PG_FUNCTION_INFO_V1(apm_cron_next);
Datum
apm_cron_next(PG_FUNCTION_ARGS)
{
	text	   *arg = PG_GETARG_TEXT_PP(0);
	Timestamp	after = PG_GETARG_TIMESTAMP(1);
	CronSchedule schedule;
	int64		minute;

	if (TIMESTAMP_NOT_FINITE(after) ||
		!cron_parse(VARDATA_ANY(arg), VARSIZE_ANY_EXHDR(arg), &schedule))
		PG_RETURN_NULL();
	minute = after / USECS_PER_MINUTE;
	if (after < 0 && after % USECS_PER_MINUTE != 0)
		minute--;
	minute = cron_next(&schedule, minute);
	if (minute == CRON_NEVER)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMP(minute * USECS_PER_MINUTE);
}
