/*
 * breakdown/aggregate.c
 *		Aggregates over apm.spanset that read it column by column: durations and
 *		self times by op, category and span group, and the union of breakdowns.
 */
#include "postgres.h"

#include "breakdown/glue.h"
#include "breakdown/prefetch.h"
#include "spanset/glue.h"

/* What a call site keeps from row to row. */
typedef struct Reading
{
	Prefetch	ahead;
	SpansetColumns columns;
	BreakdownTarget *targets;
	uint32		ntargets;
} Reading;

/* The state as it came, where a row brings nothing. */
static Datum
unchanged(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

static Reading *
reading_of(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Reading));
	return fcinfo->flinfo->fn_extra;
}

/* Room for the targets of so many strings and of NULL. */
static BreakdownTarget *
targets_for(FunctionCallInfo fcinfo, Reading *r, uint32 strings)
{
	if (r->ntargets <= strings)
	{
		if (r->targets != NULL)
			pfree(r->targets);
		r->targets = NULL;
		r->ntargets = 0;
		r->targets = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, (strings + 64) * sizeof(BreakdownTarget));
		r->ntargets = strings + 64;
	}
	return r->targets;
}

/*
 * Adds a value that lies in line and in the common form; false if it has to be
 * read column by column.
 */
static inline bool
add_packed(BreakdownState **state, Reading *r, Datum value, uint32 key_column, bool self_time)
{
	const struct varlena *v = (const struct varlena *) DatumGetPointer(value);

	if (VARATT_IS_EXTERNAL(v) || VARATT_IS_4B_C(v))
		return false;
	breakdown_ok(breakdown_add_packed(state, key_column, self_time, (const uint8 *) VARDATA_ANY(v),
									  VARSIZE_ANY_EXHDR(v), r->columns.lexicon, &r->ahead.bytes));
	return r->ahead.bytes > 0;
}

/* (state, spans): the durations or self times of one value under the strings of one column. */
static pg_attribute_always_inline Datum
add_spans(FunctionCallInfo fcinfo, uint32 key_column, bool self_time)
{
	BreakdownState *state;
	Reading    *r;
	const SpansetStrings *keys;

	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	r = reading_of(fcinfo);
	prefetch_around(&r->ahead, DatumGetPointer(PG_GETARG_DATUM(1)));
	state = breakdown_arg_state(fcinfo);
	if (add_packed(&state, r, PG_GETARG_DATUM(1), key_column, self_time))
		return breakdown_state_datum(state);
	spanset_open_again(&r->columns, PG_GETARG_DATUM(1),
					   key_column | (self_time ? SPANSET_SELF_TIME : SPANSET_DURATION),
					   fcinfo->flinfo->fn_mcxt);
	r->ahead.bytes = r->columns.end;
	if (r->columns.n == 0)
		return unchanged(fcinfo);
	keys = key_column == SPANSET_OP ? &r->columns.op :
		key_column == SPANSET_CATEGORY ? &r->columns.category : &r->columns.group;
	breakdown_ok(breakdown_add_column(&state, keys,
									  self_time ? r->columns.self_time_us : r->columns.duration_us,
									  r->columns.n, targets_for(fcinfo, r, keys->count)));
	if (state->count == 0)
		return unchanged(fcinfo);
	return breakdown_state_datum(state);
}

PG_FUNCTION_INFO_V1(breakdown_add_durations_by_op);
Datum
breakdown_add_durations_by_op(PG_FUNCTION_ARGS)
{
	return add_spans(fcinfo, SPANSET_OP, false);
}

PG_FUNCTION_INFO_V1(breakdown_add_durations_by_category);
Datum
breakdown_add_durations_by_category(PG_FUNCTION_ARGS)
{
	return add_spans(fcinfo, SPANSET_CATEGORY, false);
}

PG_FUNCTION_INFO_V1(breakdown_add_durations_by_group);
Datum
breakdown_add_durations_by_group(PG_FUNCTION_ARGS)
{
	return add_spans(fcinfo, SPANSET_GROUP, false);
}

PG_FUNCTION_INFO_V1(breakdown_add_self_times_by_op);
Datum
breakdown_add_self_times_by_op(PG_FUNCTION_ARGS)
{
	return add_spans(fcinfo, SPANSET_OP, true);
}

PG_FUNCTION_INFO_V1(breakdown_add_self_times_by_category);
Datum
breakdown_add_self_times_by_category(PG_FUNCTION_ARGS)
{
	return add_spans(fcinfo, SPANSET_CATEGORY, true);
}

PG_FUNCTION_INFO_V1(breakdown_add_self_times_by_group);
Datum
breakdown_add_self_times_by_group(PG_FUNCTION_ARGS)
{
	return add_spans(fcinfo, SPANSET_GROUP, true);
}

/* (state, state or breakdown): merges the second into the first */
PG_FUNCTION_INFO_V1(breakdown_combine);
Datum
breakdown_combine(PG_FUNCTION_ARGS)
{
	BreakdownState *state;
	struct varlena *value;
	const BreakdownState *other;

	if (PG_ARGISNULL(1))
		return unchanged(fcinfo);
	state = breakdown_arg_state(fcinfo);
	value = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(1));
	other = breakdown_working(value);
	breakdown_ok(other != NULL ? breakdown_merge_state(&state, other) :
				 breakdown_merge_bytes(&state, (const uint8 *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
	return breakdown_state_datum(state);
}

PG_FUNCTION_INFO_V1(breakdown_final);
Datum
breakdown_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(breakdown_compact(PG_GETARG_DATUM(0)));
}
