/*
 * metrics/modules.c
 *		Spans of one kind of work - queries, requests, caches, queues - out of
 *		packed sets, with what their attributes say about it.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "metrics/modules.h"
#include "spanset/glue.h"
#include "types/types.h"

typedef struct Module
{
	const char *name;
	const char *category;
	const char *op_start;		/* of the ops that count; NULL: all */
	size_t		label;			/* which string of the facts tells its spans apart */
	bool		by_transaction; /* rollups tell transactions apart, too */
} Module;

#define NO_LABEL 0
#define LABEL(field) (offsetof(SpanFacts, field) + 1)

/* Requests are those that a service sends, not those that it serves. */
static const Module modules[] = {
	{"queries", "db", NULL, LABEL(system), false},
	{"requests", "http", "http.client", NO_LABEL, false},
	{"caches", "cache", NULL, LABEL(key_prefix), true},
	{"queues", "queue", NULL, LABEL(destination), false}
};

/* NULL for "all". */
static const Module *
module_named(const text *name)
{
	int			i;

	if (VARSIZE_ANY_EXHDR(name) == 3 && memcmp(VARDATA_ANY(name), "all", 3) == 0)
		return NULL;
	for (i = 0; i < (int) lengthof(modules); i++)
		if (strlen(modules[i].name) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(modules[i].name, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return &modules[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind of spans"),
			 errhint("There are queries, requests, caches, queues, and all.")));
}

/* Whether entry number code of a column of strings begins with start, or is it. */
static bool
string_matches(const SpansetStrings *column, uint32 code, const char *start, bool whole)
{
	ApmStr		s;
	size_t		len = strlen(start);

	if (code == 0)
		return false;
	s = column->strings[code - 1];
	return (whole ? s.len == len : s.len >= len) && memcmp(s.data, start, len) == 0;
}

static bool
span_matches(const SpansetColumns *c, int i, const Module *m)
{
	return string_matches(&c->category, c->category.codes[i], m->category, true) &&
		(m->op_start == NULL || string_matches(&c->op, c->op.codes[i], m->op_start, false));
}

/* The module that a span belongs to, among the one wanted or (NULL) all; NULL: none. */
static const Module *
module_of(const SpansetColumns *c, int i, const Module *wanted)
{
	int			k;

	if (wanted != NULL)
		return span_matches(c, i, wanted) ? wanted : NULL;
	for (k = 0; k < (int) lengthof(modules); k++)
		if (span_matches(c, i, &modules[k]))
			return &modules[k];
	return NULL;
}

/* Whether any string of the category's table is the module's: most sets have none. */
static bool
set_matches(const SpansetColumns *c, const Module *m)
{
	uint32		k;

	if (m == NULL)
		return c->n > 0;
	for (k = 1; c->n > 0 && k <= c->category.count; k++)
		if (string_matches(&c->category, k, m->category, true))
			return true;
	return false;
}

/* _apm.has_module_spans(spans, module): of the first columns alone */
PG_FUNCTION_INFO_V1(has_module_spans);
Datum
has_module_spans(PG_FUNCTION_ARGS)
{
	SpansetColumns *c = fcinfo->flinfo->fn_extra;

	if (c == NULL)
		c = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(*c));
	spanset_open_again(c, PG_GETARG_DATUM(0), SPANSET_CATEGORY, fcinfo->flinfo->fn_mcxt);
	PG_RETURN_BOOL(set_matches(c, module_named(PG_GETARG_TEXT_PP(1))));
}

static Datum
text_or_null(ApmStr s, bool *isnull)
{
	*isnull = s.data == NULL;
	return *isnull ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* The beginning of a string: a cell of a rollup holds no more of it. */
static ApmStr
cut(ApmStr s, int limit)
{
	if (s.len > (uint32) limit)
		s.len = pg_mbcliplen(s.data, s.len, limit);
	return s;
}

static Datum
number_or_null(double v, bool *isnull)
{
	*isnull = isnan(v);
	return *isnull ? (Datum) 0 : Float8GetDatum(v);
}

static ApmStr
string_of(const SpansetStrings *column, uint32 code)
{
	ApmStr		none = {NULL, 0};

	return code > 0 ? column->strings[code - 1] : none;
}

#define MODULE_COLUMNS 14
#define MAX_LABEL 200
#define MAX_DESCRIPTION 1000

/* A span of a module; m NULL: of none, whose attributes and description say nothing here. */
static void
read_span(const SpansetColumns *c, int i, const Module *m, ModuleSpan *span)
{
	const ApmStr none = {NULL, 0};

	span->module = span->label = span->description = none;
	span->by_transaction = m != NULL && m->by_transaction;
	span->op = string_of(&c->op, c->op.codes[i]);
	span->category = string_of(&c->category, c->category.codes[i]);
	span->group = string_of(&c->group, c->group.codes[i]);
	span->status = c->status[i];
	span->duration_us = c->duration_us[i];
	span->self_time_us = c->self_time_us[i];
	span_facts_read(m != NULL ? c->attributes[i] : none, &span->facts);
	if (m == NULL)
		return;
	span->module.data = m->name;
	span->module.len = strlen(m->name);
	span->description = cut(string_of(&c->description, c->description.codes[i]), MAX_DESCRIPTION);
	if (m->label != NO_LABEL)
		span->label = cut(*(ApmStr *) ((char *) &span->facts + m->label - 1), MAX_LABEL);
}

void
module_span_read(const SpansetColumns *c, int i, ModuleSpan *span)
{
	read_span(c, i, module_of(c, i, NULL), span);
}

static void
put_span(ReturnSetInfo *rsinfo, const ModuleSpan *s)
{
	Datum		values[MODULE_COLUMNS];
	bool		nulls[MODULE_COLUMNS] = {false};

	values[0] = text_or_null(s->module, &nulls[0]);
	values[1] = text_or_null(s->op, &nulls[1]);
	values[2] = text_or_null(s->category, &nulls[2]);
	values[3] = text_or_null(s->group, &nulls[3]);
	values[4] = text_or_null(s->label, &nulls[4]);
	values[5] = text_or_null(s->description, &nulls[5]);
	nulls[6] = s->status == APM_STATUS_NULL;
	values[6] = nulls[6] ? (Datum) 0 : ObjectIdGetDatum(types_status_oid(s->status));
	values[7] = Float8GetDatum((double) s->duration_us / 1000.0);
	nulls[8] = s->self_time_us == APM_MICROS_NULL;
	values[8] = Float8GetDatum((double) s->self_time_us / 1000.0);
	values[9] = number_or_null(s->facts.http_status, &nulls[9]);
	nulls[10] = isnan(s->facts.hit);
	values[10] = BoolGetDatum(s->facts.hit == 1);
	values[11] = number_or_null(s->facts.item_size, &nulls[11]);
	values[12] = number_or_null(s->facts.latency_ms, &nulls[12]);
	values[13] = number_or_null(s->facts.retries, &nulls[13]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* _apm.module_spans(spans, module) */
PG_FUNCTION_INFO_V1(module_spans);
Datum
module_spans(PG_FUNCTION_ARGS)
{
	const Module *m = module_named(PG_GETARG_TEXT_PP(1));
	Datum		set = PointerGetDatum(spanset_compact(PG_GETARG_DATUM(0)));
	SpansetColumns c = {0};
	MemoryContext row_context;
	MemoryContext old;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	spanset_open(&c, set, SPANSET_CATEGORY);
	if (!set_matches(&c, m))
		PG_RETURN_NULL();
	spanset_open(&c, set, MODULE_WANTED);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "apm module row", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(row_context);
	for (i = 0; i < c.n; i++)
	{
		const Module *found = module_of(&c, i, m);
		ModuleSpan	span;

		if (found == NULL && m != NULL)
			continue;
		CHECK_FOR_INTERRUPTS();
		read_span(&c, i, found, &span);
		put_span((ReturnSetInfo *) fcinfo->resultinfo, &span);
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row_context);
	spanset_free(&c);
	PG_RETURN_NULL();
}
