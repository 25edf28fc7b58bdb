/*
 * types/rows.c
 *		C structs to SQL row types and back.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "compat.h"
#include "json/jsonb.h"
#include "json/reader.h"
#include "types/rows.h"
#include "types/types.h"

/* The columns we fill, in any order; RowShape says where each one lies. */
typedef enum SpanColumn
{
	S_TRACE_ID, S_SPAN_ID, S_PARENT_SPAN_ID, S_SEGMENT_ID, S_IS_SEGMENT, S_OP,
	S_DESCRIPTION, S_STATUS, S_START_TIME, S_DURATION_MS, S_SELF_TIME_MS,
	S_CATEGORY, S_SPAN_GROUP, S_ORIGIN, S_ATTRIBUTES, S_COUNT
} SpanColumn;

static const char *const span_columns[S_COUNT] = {
	"trace_id", "span_id", "parent_span_id", "segment_id", "is_segment", "op",
	"description", "status", "start_time", "duration_ms", "self_time_ms",
	"category", "span_group", "origin", "attributes"
};

typedef enum TransactionColumn
{
	T_PROJECT_ID, T_EVENT_ID, T_TRACE_ID, T_SPAN_ID, T_PARENT_SPAN_ID, T_NAME,
	T_SOURCE, T_OP, T_STATUS, T_START_TIME, T_END_TIME, T_DURATION_MS,
	T_ENVIRONMENT, T_RELEASE, T_PLATFORM, T_SDK, T_USER_KEY, T_HTTP_METHOD,
	T_HTTP_STATUS, T_MEASUREMENTS, T_TAGS, T_CONTEXTS, T_SAMPLE_RATE, T_WEIGHT,
	T_SPAN_COUNT, T_RECEIVED_AT, T_COUNT
} TransactionColumn;

static const char *const transaction_columns[T_COUNT] = {
	"project_id", "event_id", "trace_id", "span_id", "parent_span_id", "name",
	"source", "op", "status", "start_time", "end_time", "duration_ms",
	"environment", "release", "platform", "sdk", "user_key", "http_method",
	"http_status", "measurements", "tags", "contexts", "sample_rate", "weight",
	"span_count", "received_at"
};

typedef enum ErrorColumn
{
	E_PROJECT_ID, E_EVENT_ID, E_TRACE_ID, E_SPAN_ID, E_LEVEL, E_TYPE, E_VALUE,
	E_CULPRIT, E_HANDLED, E_TRANSACTION_NAME, E_RELEASE, E_ENVIRONMENT,
	E_USER_KEY, E_FINGERPRINT, E_EVENT_TIME, E_TAGS, E_DATA, E_COUNT
} ErrorColumn;

static const char *const error_columns[E_COUNT] = {
	"project_id", "event_id", "trace_id", "span_id", "level", "type", "value",
	"culprit", "handled", "transaction_name", "release", "environment",
	"user_key", "fingerprint", "event_time", "tags", "data"
};

#define ROW_MAX_COLUMNS 64

typedef struct RowShape
{
	const char *type;
	const char *const *columns;
	int			ncolumns;
	TupleDesc	desc;			/* NULL: not loaded */
	Oid			relid;			/* the type's pg_class row */
	int			position[ROW_MAX_COLUMNS];	/* column to attribute index */
} RowShape;

static RowShape span_shape = {"span", span_columns, S_COUNT, NULL, InvalidOid, {0}};
static RowShape transaction_shape = {"transaction", transaction_columns, T_COUNT, NULL, InvalidOid, {0}};
static RowShape error_shape = {"error_event", error_columns, E_COUNT, NULL, InvalidOid, {0}};

static bool shapes_stale = false;

/*
 * A changed type or a re-created extension makes the shapes stale.  They are
 * thrown away at the next use, not here: a caller may hold a descriptor.
 */
static void
shapes_type_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	shapes_stale = true;
}

static void
shapes_relation_changed(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == span_shape.relid ||
		relid == transaction_shape.relid || relid == error_shape.relid)
		shapes_stale = true;
}

static void
shape_load(RowShape *shape)
{
	static bool registered = false;
	Oid			type = types_apm_type(shape->type);
	TupleDesc	desc;
	MemoryContext old;
	int			i;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(TYPEOID, shapes_type_changed, (Datum) 0);
		CacheRegisterRelcacheCallback(shapes_relation_changed, (Datum) 0);
		registered = true;
	}
	desc = lookup_rowtype_tupdesc(type, -1);
	if (desc->natts > ROW_MAX_COLUMNS)
		elog(ERROR, "type apm.%s has too many attributes", shape->type);
	for (i = 0; i < shape->ncolumns; i++)
	{
		int			att;

		for (att = 0; att < desc->natts; att++)
			if (!TupleDescAttr(desc, att)->attisdropped &&
				strcmp(NameStr(TupleDescAttr(desc, att)->attname), shape->columns[i]) == 0)
				break;
		if (att == desc->natts)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("type apm.%s has no attribute \"%s\"",
							shape->type, shape->columns[i]),
					 errhint("The library and the extension are of different versions; run ALTER EXTENSION pg_apm UPDATE.")));
		shape->position[i] = att;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	shape->desc = CreateTupleDescCopy(desc);
	MemoryContextSwitchTo(old);
	ReleaseTupleDesc(desc);
	shape->relid = get_typ_typrelid(type);
}

static TupleDesc
shape_desc(RowShape *shape)
{
	if (shapes_stale)
	{
		/* The old copies stay allocated: somebody may still point to one. */
		span_shape.desc = transaction_shape.desc = error_shape.desc = NULL;
		shapes_stale = false;
	}
	if (shape->desc == NULL)
		shape_load(shape);
	return shape->desc;
}

TupleDesc
rows_span_desc(void)
{
	return shape_desc(&span_shape);
}

TupleDesc
rows_transaction_desc(void)
{
	return shape_desc(&transaction_shape);
}

TupleDesc
rows_error_desc(void)
{
	return shape_desc(&error_shape);
}

/* Bytes of short texts that a row under construction has room for itself. */
#define ROW_TEXT_ROOM	1024

/* Values under construction: everything is NULL until set. */
typedef struct RowBuilder
{
	RowShape   *shape;
	Size		text_used;
	char		text[ROW_TEXT_ROOM];
	Datum		values[ROW_MAX_COLUMNS];
	bool		nulls[ROW_MAX_COLUMNS];
} RowBuilder;

static void
row_begin(RowBuilder *row, RowShape *shape)
{
	row->shape = shape;
	row->text_used = 0;
	memset(row->nulls, true, shape_desc(shape)->natts * sizeof(bool));
}

static void
row_set(RowBuilder *row, int column, Datum value)
{
	int			att = row->shape->position[column];

	row->values[att] = value;
	row->nulls[att] = false;
}

/* A short text gets the form that it has in a tuple, where it is going. */
static void
row_set_text(RowBuilder *row, int column, ApmStr s)
{
	Size		size = s.len + VARHDRSZ_SHORT;
	char	   *text = row->text + row->text_used;

	if (s.data == NULL)
		return;
	if (size > VARATT_SHORT_MAX || size > ROW_TEXT_ROOM - row->text_used)
	{
		row_set(row, column, PointerGetDatum(cstring_to_text_with_len(s.data, s.len)));
		return;
	}
	SET_VARSIZE_SHORT(text, size);
	memcpy(VARDATA_SHORT(text), s.data, s.len);
	row->text_used += size;
	row_set(row, column, PointerGetDatum(text));
}

static void
row_set_json(RowBuilder *row, int column, ApmStr s)
{
	if (s.data != NULL)
		row_set(row, column, JsonbPGetDatum(json_text_to_jsonb(s)));
}

static void
row_set_span_id(RowBuilder *row, int column, uint64 id)
{
	if (id != 0)
		row_set(row, column, SpanIdGetDatum(id));
}

static void
row_set_status(RowBuilder *row, int column, int status)
{
	if (status != APM_STATUS_NULL)
		row_set(row, column, ObjectIdGetDatum(types_status_oid(status)));
}

static void
row_set_millis(RowBuilder *row, int column, int64 micros)
{
	if (micros != APM_MICROS_NULL)
		row_set(row, column, Float8GetDatum((double) micros / 1000.0));
}

static HeapTuple
row_end(RowBuilder *row)
{
	return heap_form_tuple(row->shape->desc, row->values, row->nulls);
}

static void
row_put(RowBuilder *row, Tuplestorestate *rows)
{
	tuplestore_putvalues(rows, row->shape->desc, row->values, row->nulls);
}

static void
set_span(RowBuilder *row, const ApmSpan *span)
{
	row_begin(row, &span_shape);
	row_set(row, S_TRACE_ID, PointerGetDatum(span->trace_id));
	row_set_span_id(row, S_SPAN_ID, span->span_id);
	row_set_span_id(row, S_PARENT_SPAN_ID, span->parent_span_id);
	row_set_span_id(row, S_SEGMENT_ID, span->segment_id);
	row_set(row, S_IS_SEGMENT, BoolGetDatum(span->is_segment));
	row_set_text(row, S_OP, span->op);
	row_set_text(row, S_DESCRIPTION, span->description);
	row_set_status(row, S_STATUS, span->status);
	row_set(row, S_START_TIME, TimestampTzGetDatum(types_timestamp(span->start_us)));
	row_set_millis(row, S_DURATION_MS, span->duration_us);
	row_set_millis(row, S_SELF_TIME_MS, span->self_time_us);
	row_set_text(row, S_CATEGORY, span->category);
	row_set_text(row, S_SPAN_GROUP, span->span_group);
	row_set_text(row, S_ORIGIN, span->origin);
	row_set_json(row, S_ATTRIBUTES, span->attributes);
}

HeapTuple
rows_span(const ApmSpan *span)
{
	RowBuilder	row;

	set_span(&row, span);
	return row_end(&row);
}

void
rows_put_span(Tuplestorestate *rows, const ApmSpan *span)
{
	RowBuilder	row;

	set_span(&row, span);
	row_put(&row, rows);
}

static void
set_transaction(RowBuilder *row, const ApmTransaction *t, int32 project_id,
				TimestampTz received_at)
{
	row_begin(row, &transaction_shape);
	if (project_id == 0)
		project_id = t->project_id;
	if (project_id != 0)
		row_set(row, T_PROJECT_ID, Int32GetDatum(project_id));
	if (t->has_event_id)
		row_set(row, T_EVENT_ID, PointerGetDatum(t->event_id));
	row_set(row, T_TRACE_ID, PointerGetDatum(t->trace_id));
	row_set_span_id(row, T_SPAN_ID, t->span_id);
	row_set_span_id(row, T_PARENT_SPAN_ID, t->parent_span_id);
	row_set_text(row, T_NAME, t->name);
	row_set_text(row, T_SOURCE, t->source);
	row_set_text(row, T_OP, t->op);
	row_set_status(row, T_STATUS, t->status);
	row_set(row, T_START_TIME, TimestampTzGetDatum(types_timestamp(t->start_us)));
	row_set(row, T_END_TIME,
			TimestampTzGetDatum(types_timestamp(t->start_us + t->duration_us)));
	row_set_millis(row, T_DURATION_MS, t->duration_us);
	row_set_text(row, T_ENVIRONMENT, t->environment);
	row_set_text(row, T_RELEASE, t->release);
	row_set_text(row, T_PLATFORM, t->platform);
	row_set_text(row, T_SDK, t->sdk);
	row_set_text(row, T_USER_KEY, t->user_key);
	row_set_text(row, T_HTTP_METHOD, t->http_method);
	if (t->http_status != 0)
		row_set(row, T_HTTP_STATUS, Int32GetDatum(t->http_status));
	row_set_json(row, T_MEASUREMENTS, t->measurements);
	row_set_json(row, T_TAGS, t->tags);
	row_set_json(row, T_CONTEXTS, t->contexts);
	if (!isnan(t->sample_rate))
		row_set(row, T_SAMPLE_RATE, Float8GetDatum(t->sample_rate));
	row_set(row, T_WEIGHT, Float8GetDatum(t->weight));
	row_set(row, T_SPAN_COUNT, Int32GetDatum(t->span_count));
	if (!TIMESTAMP_IS_NOBEGIN(received_at))
		row_set(row, T_RECEIVED_AT, TimestampTzGetDatum(received_at));
}

HeapTuple
rows_transaction(const ApmTransaction *t, int32 project_id, TimestampTz received_at)
{
	RowBuilder	row;

	set_transaction(&row, t, project_id, received_at);
	return row_end(&row);
}

void
rows_put_transaction(Tuplestorestate *rows, const ApmTransaction *t)
{
	RowBuilder	row;

	set_transaction(&row, t, 0, DT_NOBEGIN);
	row_put(&row, rows);
}

/* JSON array of strings to text[]; anything else gives NULL. */
static bool
fingerprint_array(ApmStr json, Datum *result)
{
	JsonReader	r;
	JsonString	s;
	ArrayBuildState *state = initArrayResult(TEXTOID, CurrentMemoryContext, false);

	json_reader_init(&r, json.data, json.len, 8);
	if (!json_reader_enter_array(&r))
		return false;
	while (json_reader_next_element(&r))
	{
		ApmStr		t;

		if (json_reader_peek(&r) != JSON_KIND_STRING)
		{
			json_reader_skip(&r);
			continue;
		}
		if (!json_reader_string(&r, &s))
			return false;
		t = json_string_text(&s);
		state = accumArrayResult(state,
								 PointerGetDatum(cstring_to_text_with_len(t.data, t.len)),
								 false, TEXTOID, CurrentMemoryContext);
	}
	if (r.error != JSON_OK)
		return false;
	*result = makeArrayResult(state, CurrentMemoryContext);
	return true;
}

HeapTuple
rows_error(const ApmError *e, int32 project_id)
{
	RowBuilder	row;
	Datum		fingerprint;

	row_begin(&row, &error_shape);
	if (project_id == 0)
		project_id = e->project_id;
	if (project_id != 0)
		row_set(&row, E_PROJECT_ID, Int32GetDatum(project_id));
	if (e->has_event_id)
		row_set(&row, E_EVENT_ID, PointerGetDatum(e->event_id));
	if (e->has_trace_id)
		row_set(&row, E_TRACE_ID, PointerGetDatum(e->trace_id));
	row_set_span_id(&row, E_SPAN_ID, e->span_id);
	row_set_text(&row, E_LEVEL, e->level);
	row_set_text(&row, E_TYPE, e->type);
	row_set_text(&row, E_VALUE, e->value);
	row_set_text(&row, E_CULPRIT, e->culprit);
	if (e->handled >= 0)
		row_set(&row, E_HANDLED, BoolGetDatum(e->handled == 1));
	row_set_text(&row, E_TRANSACTION_NAME, e->transaction_name);
	row_set_text(&row, E_RELEASE, e->release);
	row_set_text(&row, E_ENVIRONMENT, e->environment);
	row_set_text(&row, E_USER_KEY, e->user_key);
	if (e->fingerprint.data != NULL && fingerprint_array(e->fingerprint, &fingerprint))
		row_set(&row, E_FINGERPRINT, fingerprint);
	if (e->event_us != APM_MICROS_NULL)
		row_set(&row, E_EVENT_TIME, TimestampTzGetDatum(types_timestamp(e->event_us)));
	row_set_json(&row, E_TAGS, e->tags);
	row_set_json(&row, E_DATA, e->data);
	return row_end(&row);
}

/* Reading a span back. */

typedef struct RowReader
{
	Datum		values[ROW_MAX_COLUMNS];
	bool		nulls[ROW_MAX_COLUMNS];
} RowReader;

static bool
row_get(const RowReader *row, SpanColumn column, Datum *value)
{
	int			att = span_shape.position[column];

	*value = row->values[att];
	return !row->nulls[att];
}

static Datum
row_need(const RowReader *row, SpanColumn column)
{
	Datum		value;

	if (!row_get(row, column, &value))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("attribute \"%s\" of a span must not be null", span_columns[column])));
	return value;
}

static ApmStr
row_get_text(const RowReader *row, SpanColumn column)
{
	ApmStr		s = {NULL, 0};
	Datum		value;

	if (row_get(row, column, &value))
	{
		text	   *t = DatumGetTextPP(value);

		s.data = VARDATA_ANY(t);
		s.len = VARSIZE_ANY_EXHDR(t);
	}
	return s;
}

static uint64
row_get_span_id(const RowReader *row, SpanColumn column)
{
	Datum		value;

	return row_get(row, column, &value) ? DatumGetSpanId(value) : 0;
}

/* Milliseconds to whole microseconds; an error unless 0 <= v < 2^62. */
static int64
row_micros(Datum value, SpanColumn column)
{
	double		us = rint(DatumGetFloat8(value) * 1000.0);

	if (isnan(us) || us < 0 || us >= 4.0e18)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("attribute \"%s\" of a span is out of range", span_columns[column])));
	return (int64) us;
}

void
rows_read_span(Datum composite, ApmSpan *span)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(composite);
	HeapTupleData tuple;
	RowReader	row;
	Datum		value;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, rows_span_desc(), row.values, row.nulls);

	memset(span, 0, sizeof(*span));
	memcpy(span->trace_id, DatumGetTraceIdP(row_need(&row, S_TRACE_ID)), 16);
	span->span_id = DatumGetSpanId(row_need(&row, S_SPAN_ID));
	span->parent_span_id = row_get_span_id(&row, S_PARENT_SPAN_ID);
	span->segment_id = row_get_span_id(&row, S_SEGMENT_ID);
	span->is_segment = row_get(&row, S_IS_SEGMENT, &value) && DatumGetBool(value);
	span->status = row_get(&row, S_STATUS, &value) ?
		types_status_code(DatumGetObjectId(value)) : APM_STATUS_NULL;
	value = row_need(&row, S_START_TIME);
	if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(value)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("attribute \"start_time\" of a span must be finite")));
	span->start_us = types_unix_micros(DatumGetTimestampTz(value));
	span->duration_us = row_micros(row_need(&row, S_DURATION_MS), S_DURATION_MS);
	span->self_time_us = row_get(&row, S_SELF_TIME_MS, &value) ?
		row_micros(value, S_SELF_TIME_MS) : APM_MICROS_NULL;
	span->op = row_get_text(&row, S_OP);
	span->description = row_get_text(&row, S_DESCRIPTION);
	span->category = row_get_text(&row, S_CATEGORY);
	span->span_group = row_get_text(&row, S_SPAN_GROUP);
	span->origin = row_get_text(&row, S_ORIGIN);
	if (row_get(&row, S_ATTRIBUTES, &value))
	{
		Jsonb	   *jb = DatumGetJsonbP(value);

		span->attributes.data = JsonbToCString(NULL, &jb->root, VARSIZE(jb));
		span->attributes.len = strlen(span->attributes.data);
	}
}
