/*
 * spanset/aggregate.c
 *		apm.spanset_agg: spans into one packed set.
 *
 * The state has the type of the result, so that partial aggregates travel
 * between processes and nodes like any value.  While it grows it has a
 * working form: a header, then the spans one after the other, with room to
 * spare inside of the datum.  That form is written in place, but only by the
 * functions here, only when the first byte says so and only under an
 * aggregate.  Growing makes a new block and leaves the old one alone: the
 * executor owns it.  The final function and the output functions pack it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "compat.h"
#include "spanset/glue.h"
#include "types/rows.h"

typedef struct Working
{
	int32		vl_len_;
	uint8		form;			/* SPANSET_WORKING */
	uint8		unused[3];
	uint32		count;
	uint32		used;			/* bytes of data */
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Working;

#define WORKING_HEADER	offsetof(Working, data)
#define WORKING_START	1024
#define SPAN_STRINGS	6

/* The strings of a span, in the order in which the working form keeps them. */
static void
span_strings(ApmSpan *span, ApmStr *s[SPAN_STRINGS])
{
	s[0] = &span->op;
	s[1] = &span->description;
	s[2] = &span->category;
	s[3] = &span->span_group;
	s[4] = &span->origin;
	s[5] = &span->attributes;
}

/*
 * Is this datum in working form?  Then it may be used as a Working, unless it
 * has come through a tuple that shortened its header.
 */
static bool
is_working(const struct varlena *value)
{
	return VARSIZE_ANY_EXHDR(value) >= WORKING_HEADER - VARHDRSZ &&
		*(const uint8 *) VARDATA_ANY(value) == SPANSET_WORKING;
}

static Working *
working_new(size_t room)
{
	size_t		size = WORKING_HEADER + Max(room, WORKING_START);
	Working    *w;

	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many spans for one apm.spanset")));
	w = palloc(size);
	memset(w, 0, WORKING_HEADER);
	SET_VARSIZE(w, size);
	w->form = SPANSET_WORKING;
	return w;
}

/* The state with room for so many bytes more: itself, or a larger copy. */
static Working *
working_reserve(Working *w, size_t more)
{
	size_t		room = VARSIZE(w) - WORKING_HEADER;
	Working    *larger;

	if (room - w->used >= more)
		return w;
	larger = working_new(Max(Min(2 * room, MaxAllocSize - WORKING_HEADER), w->used + more));
	larger->count = w->count;
	larger->used = w->used;
	memcpy(larger->data, w->data, w->used);
	return larger;
}

static Working *
working_add(Working *w, ApmSpan *span)
{
	ApmStr	   *s[SPAN_STRINGS];
	size_t		size = sizeof(ApmSpan);
	char	   *p;
	int			i;

	span_strings(span, s);
	for (i = 0; i < SPAN_STRINGS; i++)
		size += s[i]->len;
	w = working_reserve(w, size);
	p = w->data + w->used;
	memcpy(p, span, sizeof(ApmSpan));
	p += sizeof(ApmSpan);
	for (i = 0; i < SPAN_STRINGS; i++)
		if (s[i]->len > 0)
		{
			memcpy(p, s[i]->data, s[i]->len);
			p += s[i]->len;
		}
	w->used += size;
	w->count++;
	return w;
}

/*
 * Spans whose strings point into the state.  Nobody but this file writes such
 * bytes; a damaged page must not crash the server, though.
 */
static ApmSpan *
working_spans(const Working *w)
{
	ApmSpan    *spans = NULL;
	const char *p = w->data;
	size_t		left = w->used;
	uint32		k;
	int			i;

	if (left <= VARSIZE(w) - WORKING_HEADER && w->count <= left / sizeof(ApmSpan))
		spans = MemoryContextAllocHuge(CurrentMemoryContext,
									   (Size) Max(w->count, 1) * sizeof(ApmSpan));
	for (k = 0; spans != NULL && k < w->count; k++)
	{
		ApmStr	   *s[SPAN_STRINGS];
		size_t		size = sizeof(ApmSpan);

		if (left < size)
			break;
		memcpy(&spans[k], p, size);
		span_strings(&spans[k], s);
		for (i = 0; i < SPAN_STRINGS; i++)
		{
			if (s[i]->data != NULL)
				s[i]->data = p + size;
			size += s[i]->len;
		}
		if (left < size)
			break;
		p += size;
		left -= size;
	}
	if (spans == NULL || k < w->count || left > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("state of apm.spanset_agg is damaged")));
	return spans;
}

/* A working form that may be written: the datum itself, or what it holds in a new one. */
static Working *
working_open(Datum value)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);
	SpansetColumns c = {0};
	Working    *w;
	int			i;

	/* VARATT_IS_4B_U: neither short nor toasted, so it is where we put it. */
	if (VARATT_IS_4B_U(v) && is_working(v))
		return (Working *) v;
	v = PG_DETOAST_DATUM_COPY(value);
	if (is_working(v))
		return (Working *) v;
	spanset_open(&c, PointerGetDatum(v), SPANSET_ALL);
	w = working_new(2 * VARSIZE(v));
	for (i = 0; i < c.n; i++)
	{
		ApmSpan		span;

		memset(&span, 0, sizeof(span));
		spanset_get(&c, i, &span);
		w = working_add(w, &span);
	}
	spanset_free(&c);
	return w;
}

struct varlena *
spanset_compact(Datum value)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);
	ApmSpan    *spans;

	if (!is_working(v))
		return v;
	v = PG_DETOAST_DATUM(PointerGetDatum(v));
	spans = working_spans((Working *) v);
	v = (struct varlena *) DatumGetPointer(spanset_datum(spans, ((Working *) v)->count));
	pfree(spans);
	return v;
}

static void
need_aggregate(FunctionCallInfo fcinfo, const char *name)
{
	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function %s must be called as part of an aggregate", name),
				 errhint("Use apm.spanset_agg(span).")));
}

PG_FUNCTION_INFO_V1(spanset_agg_transition);
Datum
spanset_agg_transition(PG_FUNCTION_ARGS)
{
	Working    *w;
	ApmSpan		span;
	const char *error;

	need_aggregate(fcinfo, "_apm.spanset_agg_transition");
	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	rows_read_span(PG_GETARG_DATUM(1), &span);
	error = spanset_check_span(&span);
	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("invalid span"),
				 errdetail("It cannot be packed: %s.", error)));
	w = PG_ARGISNULL(0) ? working_new(WORKING_START) : working_open(PG_GETARG_DATUM(0));
	PG_RETURN_POINTER(working_add(w, &span));
}

PG_FUNCTION_INFO_V1(spanset_agg_combine);
Datum
spanset_agg_combine(PG_FUNCTION_ARGS)
{
	Working    *w;
	Working    *other;

	need_aggregate(fcinfo, "_apm.spanset_agg_combine");
	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	other = working_open(PG_GETARG_DATUM(1));
	w = PG_ARGISNULL(0) ? working_new(other->used) : working_open(PG_GETARG_DATUM(0));
	w = working_reserve(w, other->used);
	memcpy(w->data + w->used, other->data, other->used);
	w->used += other->used;
	w->count += other->count;
	PG_RETURN_POINTER(w);
}

PG_FUNCTION_INFO_V1(spanset_agg_final);
Datum
spanset_agg_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(spanset_compact(PG_GETARG_DATUM(0)));
}
