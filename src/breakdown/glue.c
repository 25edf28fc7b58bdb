/*
 * breakdown/glue.c
 *		The type apm.breakdown: input, output, reading.
 */
#include "postgres.h"

#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "breakdown/glue.h"
#include "sketch/glue.h"

static pg_attribute_noreturn() void
raise_status(BreakdownStatus status, int malformed_code)
{
	if (status == BREAKDOWN_OVERFLOW)
		sketch_raise(SKETCH_OVERFLOW);
	if (status == BREAKDOWN_FULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many keys for one apm.breakdown"),
				 errhint("Aggregate over fewer spans, or GROUP BY something.")));
	if (status == BREAKDOWN_FUTURE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("unsupported version of apm.breakdown"),
				 errdetail("This server reads version %d.", BREAKDOWN_VERSION),
				 errhint("The bytes come from a newer version of pg_apm.")));
	ereport(ERROR,
			(errcode(malformed_code),
			 errmsg("malformed apm.breakdown"),
			 errdetail("The bytes are not those of any breakdown.")));
}

void
breakdown_ok(BreakdownStatus status)
{
	if (unlikely(status != BREAKDOWN_OK))
		raise_status(status, ERRCODE_DATA_CORRUPTED);
}

/* Bytes from outside as a datum, after the whole check. */
static struct varlena *
from_outside(const char *bytes, size_t len, int malformed_code)
{
	BreakdownStatus status = breakdown_check((const uint8 *) bytes, len);
	struct varlena *value;

	if (status != BREAKDOWN_OK)
		raise_status(status, malformed_code);
	value = palloc(VARHDRSZ + len);
	SET_VARSIZE(value, VARHDRSZ + len);
	memcpy(VARDATA(value), bytes, len);
	return value;
}

const BreakdownState *
breakdown_working(struct varlena *value)
{
	const BreakdownState *state = (const BreakdownState *) value;

	if (VARATT_IS_1B(value) || VARSIZE(value) <= VARHDRSZ || state->form != BREAKDOWN_WORKING)
		return NULL;
	if (PointerGetDatum(value) != MAXALIGN(value))
	{
		state = palloc(VARSIZE(value));
		memcpy((void *) state, value, VARSIZE(value));
	}
	if (!breakdown_state_valid(state, VARSIZE(value)))
		breakdown_ok(BREAKDOWN_MALFORMED);
	return state;
}

struct varlena *
breakdown_compact(Datum datum)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(datum);
	const BreakdownState *state = breakdown_working(value);
	size_t		len;

	if (state == NULL)
		return value;
	value = (struct varlena *) breakdown_encode(state, VARHDRSZ, &len);
	if (value == NULL)
		breakdown_ok(BREAKDOWN_FULL);
	SET_VARSIZE(value, len);
	return value;
}

BreakdownState *
breakdown_arg_state(FunctionCallInfo fcinfo)
{
	struct varlena *value;
	const BreakdownState *other;
	BreakdownState *state;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a transition function of apm.breakdown was called outside an aggregate")));
	if (PG_ARGISNULL(0))
		return breakdown_create();
	state = (BreakdownState *) PG_GETARG_POINTER(0);
	if (likely(VARATT_IS_4B_U(state) && state->form == BREAKDOWN_WORKING))
		return state;
	value = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
	state = breakdown_create();
	other = breakdown_working(value);
	breakdown_ok(other != NULL ? breakdown_merge_state(&state, other) :
				 breakdown_merge_bytes(&state, (const uint8 *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
	return state;
}

/* Text form: the compact form in hexadecimal digits. */
PG_FUNCTION_INFO_V1(breakdown_in);
Datum
breakdown_in(PG_FUNCTION_ARGS)
{
	const char *s = PG_GETARG_CSTRING(0);
	size_t		len = strlen(s);
	char	   *bytes;

	if (len < 2 || s[0] != '\\' || s[1] != 'x')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type apm.breakdown"),
				 errdetail("It takes \\x and hexadecimal digits, as its text form shows them.")));
	bytes = palloc(len / 2);
	len = hex_decode(s + 2, len - 2, bytes);
	PG_RETURN_POINTER(from_outside(bytes, len, ERRCODE_INVALID_TEXT_REPRESENTATION));
}

PG_FUNCTION_INFO_V1(breakdown_out);
Datum
breakdown_out(PG_FUNCTION_ARGS)
{
	struct varlena *value = breakdown_compact(PG_GETARG_DATUM(0));
	size_t		len = VARSIZE_ANY_EXHDR(value);
	char	   *s = palloc(2 * len + 3);

	s[0] = '\\';
	s[1] = 'x';
	s[2 + hex_encode(VARDATA_ANY(value), len, s + 2)] = '\0';
	PG_RETURN_CSTRING(s);
}

PG_FUNCTION_INFO_V1(breakdown_recv);
Datum
breakdown_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len = buf->len - buf->cursor;

	PG_RETURN_POINTER(from_outside(pq_getmsgbytes(buf, len), len, ERRCODE_INVALID_BINARY_REPRESENTATION));
}

PG_FUNCTION_INFO_V1(breakdown_send);
Datum
breakdown_send(PG_FUNCTION_ARGS)
{
	struct varlena *value = breakdown_compact(PG_GETARG_DATUM(0));
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* key, spans, total_ms, durations */
PG_FUNCTION_INFO_V1(breakdown_by_key);
Datum
breakdown_by_key(PG_FUNCTION_ARGS)
{
	struct varlena *value = breakdown_compact(PG_GETARG_DATUM(0));
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	BreakdownReader r;
	BreakdownStatus status;

	InitMaterializedSRF(fcinfo, 0);
	breakdown_ok(breakdown_open(&r, (const uint8 *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
	while (breakdown_next(&r, &status))
	{
		bool		nulls[4] = {r.key.data == NULL, false, false, false};
		Datum		values[4];
		SketchView	view;
		double		total;
		struct varlena *sketch = palloc(VARHDRSZ + r.sketch_len);

		CHECK_FOR_INTERRUPTS();
		sketch_ok(sketch_view_bytes(&view, r.sketch, r.sketch_len));
		sketch_ok(sketch_sum(&view, &total));
		SET_VARSIZE(sketch, VARHDRSZ + r.sketch_len);
		memcpy(VARDATA(sketch), r.sketch, r.sketch_len);
		values[0] = nulls[0] ? (Datum) 0 :
			PointerGetDatum(cstring_to_text_with_len(r.key.data, r.key.len));
		values[1] = Int64GetDatum((int64) view.n);
		values[2] = Float8GetDatum(total);
		values[3] = PointerGetDatum(sketch);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(sketch);
	}
	breakdown_ok(status);
	PG_RETURN_NULL();
}
