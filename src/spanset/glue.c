/*
 * spanset/glue.c
 *		SQL functions of apm.spanset.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "spanset/spanset.h"
#include "types/rows.h"
#include "types/types.h"

static pg_attribute_noreturn() void
spanset_bytes_error(int code, const char *reason)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("invalid bytes for type apm.spanset"),
			 errdetail("The packed value cannot be read: %s.", reason)));
}

/* Input, output. */

static bytea *
spanset_from_outside(const uint8 *data, size_t len)
{
	const char *error = spanset_check(data, len);
	bytea	   *value;

	if (error != NULL)
		spanset_bytes_error(ERRCODE_INVALID_BINARY_REPRESENTATION, error);
	value = palloc(VARHDRSZ + len);
	SET_VARSIZE(value, VARHDRSZ + len);
	memcpy(VARDATA(value), data, len);
	return value;
}

PG_FUNCTION_INFO_V1(spanset_in);
Datum
spanset_in(PG_FUNCTION_ARGS)
{
	const char *s = PG_GETARG_CSTRING(0);
	size_t		len = strlen(s);
	uint8	   *data;

	if (len < 2 || s[0] != '\\' || s[1] != 'x')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type apm.spanset"),
				 errdetail("It takes \"\\x\" and hexadecimal digits.")));
	data = palloc(len / 2);
	len = hex_decode(s + 2, len - 2, (char *) data);
	PG_RETURN_BYTEA_P(spanset_from_outside(data, len));
}

PG_FUNCTION_INFO_V1(spanset_out);
Datum
spanset_out(PG_FUNCTION_ARGS)
{
	bytea	   *value = PG_GETARG_BYTEA_PP(0);
	size_t		len = VARSIZE_ANY_EXHDR(value);
	char	   *s = palloc(2 * len + 3);

	s[0] = '\\';
	s[1] = 'x';
	s[2 + hex_encode(VARDATA_ANY(value), len, s + 2)] = '\0';
	PG_RETURN_CSTRING(s);
}

PG_FUNCTION_INFO_V1(spanset_recv);
Datum
spanset_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len = buf->len - buf->cursor;

	PG_RETURN_BYTEA_P(spanset_from_outside((const uint8 *) pq_getmsgbytes(buf, len), len));
}

PG_FUNCTION_INFO_V1(spanset_send);
Datum
spanset_send(PG_FUNCTION_ARGS)
{
	bytea	   *value = PG_GETARG_BYTEA_PP(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* Reading. */

static void
spanset_open(SpansetColumns *c, bytea *value, uint32 wanted)
{
	const char *error;

	memset(c, 0, sizeof(*c));
	error = spanset_read(c, (const uint8 *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), wanted);
	if (error != NULL)
		spanset_bytes_error(ERRCODE_DATA_CORRUPTED, error);
}

PG_FUNCTION_INFO_V1(spanset_unnest);
Datum
spanset_unnest(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SpansetColumns c;
	MemoryContext row_context;
	MemoryContext old;
	int			i;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	spanset_open(&c, PG_GETARG_BYTEA_PP(0), SPANSET_ALL);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "apm.unnest row",
										ALLOCSET_DEFAULT_SIZES);
	for (i = 0; i < c.n; i++)
	{
		ApmSpan		span;

		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(row_context);
		spanset_get(&c, i, &span);
		tuplestore_puttuple(rsinfo->setResult, rows_span(&span));
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	MemoryContextDelete(row_context);
	spanset_free(&c);
	PG_RETURN_NULL();
}
