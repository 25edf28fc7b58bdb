/*
 * sketch/distinct.c
 *		The type apm.hll and its aggregates.
 *
 * The state of an aggregate is a value of the type, in a layout of its own
 * that is written in place (sketch/hll.h).  That layout never gets out: every
 * final function and the output functions give the compact one, and the input
 * functions refuse any other.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"

#include "compat.h"
#include "sketch/distinct.h"
#include "sketch/hll.h"

static void
refuse(const char *problem, int sqlerrcode)
{
	if (problem != NULL)
		ereport(ERROR,
				(errcode(sqlerrcode),
				 errmsg("invalid value of type apm.hll"),
				 errdetail("The bytes do not hold a distinct count: %s.", problem)));
}

static void
check_view(const void *block, size_t size, HllView *view, int sqlerrcode)
{
	refuse(hll_view(block, size, view), sqlerrcode);
}

/* A datum with a plain length word; *work is set if it has the working layout. */
static struct varlena *
open_hll(Datum datum, const HllWork **work)
{
	struct varlena *block = PG_DETOAST_DATUM(datum);

	*work = hll_is_work(block, VARSIZE(block)) ? (const HllWork *) block : NULL;
	return block;
}

static HllWork *
sized(HllWork *work)
{
	SET_VARSIZE(work, hll_work_size(work));
	return work;
}

Datum
distinct_datum_compact(const HllWork *state)
{
	size_t		size;
	struct varlena *block = (struct varlena *) hll_compact(state, &size);

	SET_VARSIZE(block, size);
	return PointerGetDatum(block);
}

/* The compact form of a datum in either layout. */
static struct varlena *
compact_of(Datum datum)
{
	const HllWork *work;
	struct varlena *block = open_hll(datum, &work);
	HllView		view;

	if (work != NULL)
		return (struct varlena *) DatumGetPointer(distinct_datum_compact(work));
	check_view(block, VARSIZE(block), &view, ERRCODE_DATA_CORRUPTED);
	return block;
}

static void
check_marks(bool state, bool other)
{
	if (state != other)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("distinct counts with and without marks cannot be merged"),
				 errhint("Marks come from apm.hll_agg(value, mark) and from apm.user_misery.")));
}

/*
 * The state of an aggregate in progress, in the layout that is written in
 * place: only our own transition functions make it, so it needs no check.
 * NULL if the first argument is anything else.
 */
static inline HllWork *
live_state(FunctionCallInfo fcinfo)
{
	HllWork    *state;

	if (PG_ARGISNULL(0) || fcinfo->context == NULL ||
		!(IsA(fcinfo->context, AggState) || IsA(fcinfo->context, WindowAggState)))
		return NULL;
	state = (HllWork *) PG_GETARG_POINTER(0);
	return VARATT_IS_4B_U(state) &&
		(state->form == HLL_WORK_DENSE || state->form == HLL_WORK_SET) ? state : NULL;
}

HllWork *
distinct_state(FunctionCallInfo fcinfo, bool marked)
{
	HllWork    *state;
	struct varlena *block;
	const HllWork *work;
	HllView		view;

	if (PG_ARGISNULL(0))
		return sized(hll_work_new(marked));
	if ((state = live_state(fcinfo)) != NULL)
	{
		check_marks(state->marked, marked);
		return state;
	}
	block = open_hll(PG_GETARG_DATUM(0), &work);
	if (work != NULL)
	{
		check_marks(work->marked, marked);
		return sized(hll_work_copy(work));
	}
	check_view(block, VARSIZE(block), &view, ERRCODE_DATA_CORRUPTED);
	check_marks(view.marked, marked);
	return sized(hll_work_from_view(&view));
}

HllWork *
distinct_add(HllWork *state, const text *value, bool mark)
{
	HllWork    *next = hll_add(state, hll_hash(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)),
							   mark);

	return next == state ? state : sized(next);
}

double
distinct_count_of(Datum datum, bool marked_only)
{
	const HllWork *work;
	struct varlena *block = open_hll(datum, &work);
	HllView		view;

	if (work != NULL)
		return hll_work_count(work, marked_only);
	check_view(block, VARSIZE(block), &view, ERRCODE_DATA_CORRUPTED);
	return hll_view_count(&view, marked_only);
}

/* Hex digits of the compact bytes, without the length word. */
PG_FUNCTION_INFO_V1(hll_in);
Datum
hll_in(PG_FUNCTION_ARGS)
{
	const char *digits = PG_GETARG_CSTRING(0);
	size_t		len = strlen(digits);
	struct varlena *block = palloc0(VARHDRSZ + len / 2 + 1);
	size_t		size = VARHDRSZ + hex_decode(digits, len, VARDATA(block));
	HllView		view;

	check_view(block, size, &view, ERRCODE_INVALID_TEXT_REPRESENTATION);
	SET_VARSIZE(block, size);
	PG_RETURN_POINTER(block);
}

PG_FUNCTION_INFO_V1(hll_out);
Datum
hll_out(PG_FUNCTION_ARGS)
{
	struct varlena *block = compact_of(PG_GETARG_DATUM(0));
	size_t		len = VARSIZE(block) - VARHDRSZ;
	char	   *digits = palloc(len * 2 + 1);

	digits[hex_encode(VARDATA(block), len, digits)] = '\0';
	PG_RETURN_CSTRING(digits);
}

PG_FUNCTION_INFO_V1(hll_recv);
Datum
hll_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len = buf->len - buf->cursor;
	struct varlena *block = palloc(VARHDRSZ + len);
	HllView		view;

	pq_copymsgbytes(buf, VARDATA(block), len);
	check_view(block, VARHDRSZ + len, &view, ERRCODE_INVALID_BINARY_REPRESENTATION);
	SET_VARSIZE(block, VARHDRSZ + len);
	PG_RETURN_POINTER(block);
}

PG_FUNCTION_INFO_V1(hll_send);
Datum
hll_send(PG_FUNCTION_ARGS)
{
	struct varlena *block = compact_of(PG_GETARG_DATUM(0));
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA(block), VARSIZE(block) - VARHDRSZ);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/*
 * Transition of hll_agg(text) and count_unique(text).
 *
 * In a large group nearly every row ends in the first block: a plain text goes
 * into a register of an aggregate in progress.
 */
PG_FUNCTION_INFO_V1(hll_accum);
Datum
hll_accum(PG_FUNCTION_ARGS)
{
	HllWork    *state = live_state(fcinfo);
	HllWork    *next;
	const text *value;
	uint64		hash;

	if (unlikely(PG_ARGISNULL(1)))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	value = (const text *) PG_GETARG_POINTER(1);
	if (unlikely(VARATT_IS_1B_E(value) || VARATT_IS_4B_C(value)))
		value = PG_GETARG_TEXT_PP(1);
	hash = hll_hash(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	if (likely(state != NULL && hll_add_fast(state, hash)))
		PG_RETURN_POINTER(state);
	state = distinct_state(fcinfo, false);
	next = hll_add(state, hash, false);
	PG_RETURN_POINTER(next == state ? state : sized(next));
}

/* Transition of hll_agg(text, mark); an unknown mark is none. */
PG_FUNCTION_INFO_V1(hll_accum_marked);
Datum
hll_accum_marked(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	PG_RETURN_POINTER(distinct_add(distinct_state(fcinfo, true), PG_GETARG_TEXT_PP(1),
								   !PG_ARGISNULL(2) && PG_GETARG_BOOL(2)));
}

/* Transition of hll_merge and combine function of all: state and a value. */
PG_FUNCTION_INFO_V1(hll_combine);
Datum
hll_combine(PG_FUNCTION_ARGS)
{
	HllWork    *state;
	HllWork    *next;
	const HllWork *work;
	struct varlena *block;
	const char *problem = NULL;
	HllView		view;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	block = open_hll(PG_GETARG_DATUM(1), &work);
	if (work == NULL)
		refuse(hll_view_frame(block, VARSIZE(block), &view), ERRCODE_DATA_CORRUPTED);
	state = distinct_state(fcinfo, work ? work->marked : view.marked);
	next = work ? hll_merge_work(state, work) : hll_merge_view(state, &view, &problem);
	refuse(problem, ERRCODE_DATA_CORRUPTED);
	PG_RETURN_POINTER(next == state ? state : sized(next));
}

/* Final of the aggregates that return an apm.hll; leaves the state alone. */
PG_FUNCTION_INFO_V1(hll_final);
Datum
hll_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(compact_of(PG_GETARG_DATUM(0)));
}

/* apm.distinct_count(hll), and final of count_unique. */
PG_FUNCTION_INFO_V1(hll_distinct_count);
Datum
hll_distinct_count(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) rint(distinct_count_of(PG_GETARG_DATUM(0), false)));
}

/* apm.marked_count(hll), and final of count_miserable. */
PG_FUNCTION_INFO_V1(hll_marked_count);
Datum
hll_marked_count(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) rint(distinct_count_of(PG_GETARG_DATUM(0), true)));
}

/* apm.standard_error(hll): 0 where the count is exact. */
PG_FUNCTION_INFO_V1(hll_standard_error);
Datum
hll_standard_error(PG_FUNCTION_ARGS)
{
	const HllWork *work;
	struct varlena *block = open_hll(PG_GETARG_DATUM(0), &work);
	HllView		view;

	if (work == NULL)
		check_view(block, VARSIZE(block), &view, ERRCODE_DATA_CORRUPTED);
	PG_RETURN_FLOAT8((work ? work->form == HLL_WORK_SET : view.form == HLL_SET) ? 0 :
					 HLL_STANDARD_ERROR);
}
