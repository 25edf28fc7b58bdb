/*
 * store/gather.c
 *		What cells of transactions and of spans add up.
 *
 * _apm.cube_columns says the same in SQL, from which readers read the rows
 * that are not rolled up; tests hold one against the other.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "metrics/apdex.h"
#include "metrics/modules.h"
#include "sketch/distinct.h"
#include "sketch/glue.h"
#include "spanset/glue.h"
#include "store/cells.h"
#include "types/types.h"

/* Sums of spans end here, lest a sender of absurd times stops the roller. */
#define SUM_LIMIT INT64CONST(9000000000000000000)

static inline void
add_up(int64 *sum, double v)
{
	int64		n = (int64) rint(v);

	*sum = n > SUM_LIMIT - *sum ? SUM_LIMIT : *sum + n;
}

static void
sketch_in(SketchState **sketch, double v, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	SketchState *before = *sketch;

	if (before == NULL)
		*sketch = sketch_create();
	sketch_state_add(sketch, v);
	if (before != NULL && *sketch != before)
		pfree(before);
	MemoryContextSwitchTo(old);
}

static Datum
sketch_or_null(const SketchState *sketch, bool *isnull)
{
	*isnull = sketch == NULL;
	return *isnull ? (Datum) 0 : sketch_datum_compact(sketch);
}

static void
user_in(HllWork **users, ApmStr key, bool mark, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	HllWork    *before = *users;

	if (before == NULL)
		*users = hll_work_new(true);
	before = *users;
	*users = hll_add(before, hll_hash(key.data, key.len), mark);
	if (*users != before)
		pfree(before);
	MemoryContextSwitchTo(old);
}

static Datum
users_or_null(const HllWork *users, bool *isnull)
{
	*isnull = users == NULL;
	return *isnull ? (Datum) 0 : distinct_datum_compact(users);
}

/* ---- transactions ---- */

typedef struct TransactionCell
{
	int64		n;
	int64		user_rows;
	int64		measured;
	int64		apdex[APDEX_COUNTERS];
	TimestampTz first_at;
	TimestampTz last_at;
	SketchState *sketch;
	HllWork    *users;			/* those measured, the miserable ones marked */
	HllWork    *other_users;
} TransactionCell;

enum
{
	ROW_PROJECT, ROW_AT, ROW_NAME, ROW_OP, ROW_ENVIRONMENT, ROW_RELEASE, ROW_STATUS,
	ROW_DURATION, ROW_VALUE, ROW_THRESHOLD, ROW_USER
};

/* By name and op, or of all transactions. */
static void
transaction_in(CellTable *table, const Datum *row, const bool *isnull, bool named)
{
	const ApmStr user = cells_text(row, isnull, ROW_USER);
	const double value = isnull[ROW_VALUE] ? NAN : DatumGetFloat8(row[ROW_VALUE]);
	const double threshold = isnull[ROW_THRESHOLD] ? NAN : DatumGetFloat8(row[ROW_THRESHOLD]);
	TimestampTz at = DatumGetTimestampTz(row[ROW_AT]);
	TransactionCell *cell;
	int			level = 0;
	int			i;

	cells_key_int(table, DatumGetInt32(row[ROW_PROJECT]));
	for (i = named ? ROW_NAME : ROW_ENVIRONMENT; i <= ROW_RELEASE; i++)
		cells_key_text(table, cells_text(row, isnull, i));
	cells_key_status(table, isnull[ROW_STATUS] ? InvalidOid : DatumGetObjectId(row[ROW_STATUS]));
	while ((cell = cells_next(table, &level)) != NULL)
	{
		MemoryContext context = cells_context(table);

		cell->first_at = cell->n == 0 ? at : Min(cell->first_at, at);
		cell->last_at = cell->n == 0 ? at : Max(cell->last_at, at);
		cell->n++;
		cell->user_rows += user.data != NULL;
		cell->measured += !isnull[ROW_VALUE];
		apdex_count(cell->apdex, value, threshold, 1);
		if (!isnull[ROW_DURATION])
			sketch_in(&cell->sketch, DatumGetFloat8(row[ROW_DURATION]), context);
		if (user.data != NULL && !(value > 0))
			user_in(&cell->other_users, user, false, context);
		else if (user.data != NULL && !isnan(threshold))
			user_in(&cell->users, user, value > 4 * threshold, context);
	}
}

static void
take_transaction(CellTable *table, const Datum *row, const bool *isnull)
{
	transaction_in(table, row, isnull, true);
}

static void
take_transaction_total(CellTable *table, const Datum *row, const bool *isnull)
{
	transaction_in(table, row, isnull, false);
}

static void
put_transaction(const void *measures, Datum *values, bool *isnull)
{
	const TransactionCell *cell = measures;

	values[0] = Int64GetDatum(cell->n);
	values[1] = Int64GetDatum(cell->user_rows);
	values[2] = Int64GetDatum(cell->measured);
	values[3] = Int64GetDatum(cell->apdex[APDEX_SATISFIED]);
	values[4] = Int64GetDatum(cell->apdex[APDEX_TOLERATED]);
	values[5] = Int64GetDatum(cell->apdex[APDEX_TOTAL] - cell->apdex[APDEX_SATISFIED] -
							  cell->apdex[APDEX_TOLERATED]);
	values[6] = TimestampTzGetDatum(cell->first_at);
	values[7] = TimestampTzGetDatum(cell->last_at);
	values[8] = sketch_or_null(cell->sketch, &isnull[8]);
	values[9] = users_or_null(cell->users, &isnull[9]);
	values[10] = users_or_null(cell->other_users, &isnull[10]);
}

#define TRANSACTION_ROW "izttttsffft"
#define TRANSACTION_MEASURES 11

PG_FUNCTION_INFO_V1(gather_transactions);
Datum
gather_transactions(PG_FUNCTION_ARGS)
{
	static const CellKind kind = {
		TRANSACTION_ROW, "itttts", TRANSACTION_MEASURES, sizeof(TransactionCell),
		take_transaction, put_transaction
	};

	return cells_gather(fcinfo, &kind);
}

PG_FUNCTION_INFO_V1(gather_transaction_totals);
Datum
gather_transaction_totals(PG_FUNCTION_ARGS)
{
	static const CellKind kind = {
		TRANSACTION_ROW, "itts", TRANSACTION_MEASURES, sizeof(TransactionCell),
		take_transaction_total, put_transaction
	};

	return cells_gather(fcinfo, &kind);
}

/* ---- spans ---- */

#define SPAN_ROW "iztttp"

enum
{
	SEGMENT_PROJECT, SEGMENT_AT, SEGMENT_NAME, SEGMENT_ENVIRONMENT, SEGMENT_RELEASE, SEGMENT_SPANS
};

/* Keys of the segment that the spans of a row belong to, but for its name. */
static void
segment_keys(CellTable *table, const Datum *row, const bool *isnull)
{
	cells_key_int(table, DatumGetInt32(row[SEGMENT_PROJECT]));
	cells_key_text(table, cells_text(row, isnull, SEGMENT_ENVIRONMENT));
	cells_key_text(table, cells_text(row, isnull, SEGMENT_RELEASE));
}

typedef struct SpanCell
{
	int64		n;
	SketchState *sketch;
	int64		self_us;
	SketchState *self_sketch;
	char	   *description;	/* the least of them */
	int32		description_len;
	int64		responses;
	int64		redirects;
	int64		client_errors;
	int64		server_errors;
	int64		hits;
	int64		misses;
	int64		sized;
	int64		bytes;
	int64		waited;
	int64		wait_us;
	int64		delivered;
	int64		retries;
} SpanCell;

/* As min() in the collation "C" would choose. */
static void
description_in(SpanCell *cell, ApmStr s, MemoryContext context)
{
	if (s.data == NULL)
		return;
	if (cell->description != NULL)
	{
		int			order = memcmp(s.data, cell->description, Min(s.len, (uint32) cell->description_len));

		if (order > 0 || (order == 0 && s.len >= (uint32) cell->description_len))
			return;
		pfree(cell->description);
	}
	cell->description = memcpy(MemoryContextAlloc(context, s.len + 1), s.data, s.len);
	cell->description_len = s.len;
}

static void
facts_in(SpanCell *cell, const SpanFacts *f)
{
	cell->responses += !isnan(f->http_status);
	cell->redirects += f->http_status >= 300 && f->http_status < 400;
	cell->client_errors += f->http_status >= 400 && f->http_status < 500;
	cell->server_errors += f->http_status >= 500 && f->http_status < 600;
	cell->hits += f->hit == 1;
	cell->misses += f->hit == 0;
	if (!isnan(f->item_size))
	{
		cell->sized++;
		add_up(&cell->bytes, f->item_size);
	}
	if (!isnan(f->latency_ms))
	{
		cell->waited++;
		add_up(&cell->wait_us, f->latency_ms * 1000);
	}
	if (!isnan(f->retries))
	{
		cell->delivered++;
		add_up(&cell->retries, f->retries);
	}
}

static void
span_in(SpanCell *cell, const ModuleSpan *span, MemoryContext context)
{
	double		self_ms = (double) span->self_time_us / 1000.0;

	cell->n++;
	sketch_in(&cell->sketch, (double) span->duration_us / 1000.0, context);
	if (span->self_time_us != APM_MICROS_NULL)
	{
		add_up(&cell->self_us, self_ms * 1000);
		sketch_in(&cell->self_sketch, self_ms, context);
	}
	if (span->module.data == NULL)
		return;
	description_in(cell, span->description, context);
	facts_in(cell, &span->facts);
}

static void
take_spans(CellTable *table, const Datum *row, const bool *isnull)
{
	const ApmStr name = cells_text(row, isnull, SEGMENT_NAME);
	const ApmStr no_name = {NULL, 0};
	SpansetColumns *c;
	int			mark;
	int			i;

	if (isnull[SEGMENT_SPANS])
		return;
	c = cells_spans(table, row[SEGMENT_SPANS], MODULE_WANTED);
	segment_keys(table, row, isnull);
	mark = cells_key_mark(table);
	for (i = 0; i < c->n; i++)
	{
		ModuleSpan	span;
		SpanCell   *cell;
		int			level = 0;

		CHECK_FOR_INTERRUPTS();
		module_span_read(c, i, &span);
		cells_key_back(table, mark);
		cells_key_text(table, span.by_transaction ? name : no_name);
		cells_key_text(table, span.module);
		cells_key_text(table, span.op);
		cells_key_text(table, span.category);
		cells_key_text(table, span.group);
		cells_key_text(table, span.label);
		cells_key_status(table, span.status == APM_STATUS_NULL ? InvalidOid : types_status_oid(span.status));
		while ((cell = cells_next(table, &level)) != NULL)
			span_in(cell, &span, cells_context(table));
	}
}

static void
put_spans(const void *measures, Datum *values, bool *isnull)
{
	const SpanCell *cell = measures;

	values[0] = Int64GetDatum(cell->n);
	values[1] = sketch_or_null(cell->sketch, &isnull[1]);
	values[2] = Int64GetDatum(cell->self_us);
	values[3] = sketch_or_null(cell->self_sketch, &isnull[3]);
	isnull[4] = cell->description == NULL;
	if (!isnull[4])
		values[4] = PointerGetDatum(cstring_to_text_with_len(cell->description, cell->description_len));
	values[5] = Int64GetDatum(cell->responses);
	values[6] = Int64GetDatum(cell->redirects);
	values[7] = Int64GetDatum(cell->client_errors);
	values[8] = Int64GetDatum(cell->server_errors);
	values[9] = Int64GetDatum(cell->hits);
	values[10] = Int64GetDatum(cell->misses);
	values[11] = Int64GetDatum(cell->sized);
	values[12] = Int64GetDatum(cell->bytes);
	values[13] = Int64GetDatum(cell->waited);
	values[14] = Int64GetDatum(cell->wait_us);
	values[15] = Int64GetDatum(cell->delivered);
	values[16] = Int64GetDatum(cell->retries);
}

PG_FUNCTION_INFO_V1(gather_spans);
Datum
gather_spans(PG_FUNCTION_ARGS)
{
	static const CellKind kind = {
		SPAN_ROW, "itttttttts", 17, sizeof(SpanCell), take_spans, put_spans
	};

	return cells_gather(fcinfo, &kind);
}

/* ---- all spans ---- */

typedef struct SpanTotal
{
	int64		n;
	int64		self_us;
} SpanTotal;

static int64
self_time_of(const SpansetColumns *c)
{
	int64		sum = 0;
	int			i;

	for (i = 0; i < c->n; i++)
		if (c->self_time_us[i] != APM_MICROS_NULL)
			sum = c->self_time_us[i] > SUM_LIMIT - sum ? SUM_LIMIT : sum + c->self_time_us[i];
	return sum;
}

static void
take_total(CellTable *table, const Datum *row, const bool *isnull)
{
	SpansetColumns *c;
	SpanTotal  *cell;
	int64		self_us;
	int			level = 0;

	if (isnull[SEGMENT_SPANS])
		return;
	c = cells_spans(table, row[SEGMENT_SPANS], SPANSET_SELF_TIME);
	self_us = self_time_of(c);
	segment_keys(table, row, isnull);
	cells_key_text(table, cells_text(row, isnull, SEGMENT_NAME));
	while ((cell = cells_next(table, &level)) != NULL)
	{
		cell->n += c->n;
		cell->self_us = self_us > SUM_LIMIT - cell->self_us ? SUM_LIMIT : cell->self_us + self_us;
	}
}

static void
put_total(const void *measures, Datum *values, bool *isnull)
{
	values[0] = Int64GetDatum(((const SpanTotal *) measures)->n);
	values[1] = Int64GetDatum(((const SpanTotal *) measures)->self_us);
}

PG_FUNCTION_INFO_V1(gather_span_totals);
Datum
gather_span_totals(PG_FUNCTION_ARGS)
{
	static const CellKind kind = {
		SPAN_ROW, "ittt", 2, sizeof(SpanTotal), take_total, put_total
	};

	return cells_gather(fcinfo, &kind);
}

/* _apm.self_time_us(spans): of all spans of a set, at most 9e18 */
PG_FUNCTION_INFO_V1(spanset_self_time_us);
Datum
spanset_self_time_us(PG_FUNCTION_ARGS)
{
	SpansetColumns c = {0};
	int64		sum;

	spanset_open(&c, PG_GETARG_DATUM(0), SPANSET_SELF_TIME);
	sum = self_time_of(&c);
	spanset_free(&c);
	PG_RETURN_INT64(sum);
}
