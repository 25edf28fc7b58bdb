/*
 * types/ids.c
 *		SQL functions of apm.trace_id and apm.span_id.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "compat.h"
#include "types/hex.h"
#include "types/types.h"

#define SPAN_ID_LEN 8

/* Long input is cut between two characters, so that the message stays valid UTF-8. */
static pg_attribute_noreturn() void
id_text_error(const char *type, const char *s, int digits)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%.*s\"", type,
					pg_mbcliplen(s, (int) strlen(s), 100), s),
			 errdetail("It takes %d hexadecimal digits that are not all zero.", digits)));
}

static pg_attribute_noreturn() void
id_zero_error(const char *type, int bytes)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid bytes for type %s", type),
			 errdetail("It takes %d bytes that are not all zero.", bytes)));
}

/* Text of given length to a new trace id; error unless it is one. */
static TraceId *
trace_id_parse(const char *s, size_t len)
{
	TraceId    *id = palloc(sizeof(TraceId));

	if (!hex_read_id(s, len, true, id->bytes, sizeof(id->bytes)))
		id_text_error("apm.trace_id", pnstrdup(s, len), 32);
	return id;
}

static uint64
span_id_parse(const char *s, size_t len)
{
	uint64		id;

	if (!hex_read_span_id(s, len, &id))
		id_text_error("apm.span_id", pnstrdup(s, len), 16);
	return id;
}

/* 16 bytes to a new trace id; error if they are all zero. */
static TraceId *
trace_id_from_bytes(const void *bytes)
{
	static const TraceId zero;
	TraceId    *id = palloc(sizeof(TraceId));

	memcpy(id, bytes, sizeof(TraceId));
	if (memcmp(id, &zero, sizeof(zero)) == 0)
		id_zero_error("apm.trace_id", 16);
	return id;
}

static uint64
span_id_from_bytes(const uint8 *bytes)
{
	uint64		id = 0;
	int			i;

	for (i = 0; i < SPAN_ID_LEN; i++)
		id = (id << 8) | bytes[i];
	if (id == 0)
		id_zero_error("apm.span_id", SPAN_ID_LEN);
	return id;
}

static char *
span_id_cstring(uint64 id)
{
	uint8		bytes[SPAN_ID_LEN];
	char	   *s = palloc0(2 * SPAN_ID_LEN + 1);

	hex_span_id_bytes(id, bytes);
	hex_write(bytes, SPAN_ID_LEN, s);
	return s;
}

static char *
trace_id_cstring(const TraceId *id)
{
	char	   *s = palloc0(2 * sizeof(id->bytes) + 1);

	hex_write(id->bytes, sizeof(id->bytes), s);
	return s;
}

/* Input and output of trace_id. */

PG_FUNCTION_INFO_V1(trace_id_in);
Datum
trace_id_in(PG_FUNCTION_ARGS)
{
	char	   *s = PG_GETARG_CSTRING(0);

	PG_RETURN_POINTER(trace_id_parse(s, strlen(s)));
}

PG_FUNCTION_INFO_V1(trace_id_out);
Datum
trace_id_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(trace_id_cstring(PG_GETARG_TRACE_ID_P(0)));
}

PG_FUNCTION_INFO_V1(trace_id_recv);
Datum
trace_id_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);

	PG_RETURN_POINTER(trace_id_from_bytes(pq_getmsgbytes(buf, sizeof(TraceId))));
}

PG_FUNCTION_INFO_V1(trace_id_send);
Datum
trace_id_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, (char *) PG_GETARG_TRACE_ID_P(0)->bytes, sizeof(TraceId));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* Input and output of span_id. */

PG_FUNCTION_INFO_V1(span_id_in);
Datum
span_id_in(PG_FUNCTION_ARGS)
{
	char	   *s = PG_GETARG_CSTRING(0);

	PG_RETURN_SPAN_ID(span_id_parse(s, strlen(s)));
}

PG_FUNCTION_INFO_V1(span_id_out);
Datum
span_id_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(span_id_cstring(PG_GETARG_SPAN_ID(0)));
}

PG_FUNCTION_INFO_V1(span_id_recv);
Datum
span_id_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);

	PG_RETURN_SPAN_ID(span_id_from_bytes((const uint8 *) pq_getmsgbytes(buf, SPAN_ID_LEN)));
}

PG_FUNCTION_INFO_V1(span_id_send);
Datum
span_id_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint64(&buf, PG_GETARG_SPAN_ID(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* Comparison.  memcmp order for trace ids, unsigned order for span ids: the same order as their text. */

#define TRACE_ID_CMP() memcmp(PG_GETARG_TRACE_ID_P(0), PG_GETARG_TRACE_ID_P(1), sizeof(TraceId))

#define ID_COMPARISONS(type, condition) \
	PG_FUNCTION_INFO_V1(type); \
	Datum type(PG_FUNCTION_ARGS) \
	{ \
		PG_RETURN_BOOL(condition); \
	} \
	extern Datum type(PG_FUNCTION_ARGS)

ID_COMPARISONS(trace_id_eq, TRACE_ID_CMP() == 0);
ID_COMPARISONS(trace_id_ne, TRACE_ID_CMP() != 0);
ID_COMPARISONS(trace_id_lt, TRACE_ID_CMP() < 0);
ID_COMPARISONS(trace_id_le, TRACE_ID_CMP() <= 0);
ID_COMPARISONS(trace_id_gt, TRACE_ID_CMP() > 0);
ID_COMPARISONS(trace_id_ge, TRACE_ID_CMP() >= 0);
ID_COMPARISONS(span_id_eq, PG_GETARG_SPAN_ID(0) == PG_GETARG_SPAN_ID(1));
ID_COMPARISONS(span_id_ne, PG_GETARG_SPAN_ID(0) != PG_GETARG_SPAN_ID(1));
ID_COMPARISONS(span_id_lt, PG_GETARG_SPAN_ID(0) < PG_GETARG_SPAN_ID(1));
ID_COMPARISONS(span_id_le, PG_GETARG_SPAN_ID(0) <= PG_GETARG_SPAN_ID(1));
ID_COMPARISONS(span_id_gt, PG_GETARG_SPAN_ID(0) > PG_GETARG_SPAN_ID(1));
ID_COMPARISONS(span_id_ge, PG_GETARG_SPAN_ID(0) >= PG_GETARG_SPAN_ID(1));

PG_FUNCTION_INFO_V1(trace_id_cmp);
Datum
trace_id_cmp(PG_FUNCTION_ARGS)
{
	int			c = TRACE_ID_CMP();

	PG_RETURN_INT32((c > 0) - (c < 0));
}

PG_FUNCTION_INFO_V1(span_id_cmp);
Datum
span_id_cmp(PG_FUNCTION_ARGS)
{
	uint64		a = PG_GETARG_SPAN_ID(0);
	uint64		b = PG_GETARG_SPAN_ID(1);

	PG_RETURN_INT32((a > b) - (a < b));
}

PG_FUNCTION_INFO_V1(trace_id_hash);
Datum
trace_id_hash(PG_FUNCTION_ARGS)
{
	return hash_any(PG_GETARG_TRACE_ID_P(0)->bytes, sizeof(TraceId));
}

PG_FUNCTION_INFO_V1(trace_id_hash_extended);
Datum
trace_id_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended(PG_GETARG_TRACE_ID_P(0)->bytes, sizeof(TraceId), PG_GETARG_INT64(1));
}

PG_FUNCTION_INFO_V1(span_id_hash);
Datum
span_id_hash(PG_FUNCTION_ARGS)
{
	uint64		id = PG_GETARG_SPAN_ID(0);

	return hash_any((unsigned char *) &id, sizeof(id));
}

PG_FUNCTION_INFO_V1(span_id_hash_extended);
Datum
span_id_hash_extended(PG_FUNCTION_ARGS)
{
	uint64		id = PG_GETARG_SPAN_ID(0);

	return hash_any_extended((unsigned char *) &id, sizeof(id), PG_GETARG_INT64(1));
}

/* Casts. */

PG_FUNCTION_INFO_V1(trace_id_to_uuid);
Datum
trace_id_to_uuid(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	memcpy(uuid->data, PG_GETARG_TRACE_ID_P(0)->bytes, UUID_LEN);
	PG_RETURN_UUID_P(uuid);
}

PG_FUNCTION_INFO_V1(trace_id_from_uuid);
Datum
trace_id_from_uuid(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(trace_id_from_bytes(PG_GETARG_UUID_P(0)->data));
}

static bytea *
id_bytea(const void *bytes, int len)
{
	bytea	   *b = palloc(VARHDRSZ + len);

	SET_VARSIZE(b, VARHDRSZ + len);
	memcpy(VARDATA(b), bytes, len);
	return b;
}

PG_FUNCTION_INFO_V1(trace_id_to_bytea);
Datum
trace_id_to_bytea(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(id_bytea(PG_GETARG_TRACE_ID_P(0)->bytes, sizeof(TraceId)));
}

PG_FUNCTION_INFO_V1(trace_id_from_bytea);
Datum
trace_id_from_bytea(PG_FUNCTION_ARGS)
{
	bytea	   *b = PG_GETARG_BYTEA_PP(0);

	if (VARSIZE_ANY_EXHDR(b) != sizeof(TraceId))
		id_zero_error("apm.trace_id", sizeof(TraceId));
	PG_RETURN_POINTER(trace_id_from_bytes(VARDATA_ANY(b)));
}

PG_FUNCTION_INFO_V1(trace_id_to_text);
Datum
trace_id_to_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(trace_id_cstring(PG_GETARG_TRACE_ID_P(0))));
}

PG_FUNCTION_INFO_V1(trace_id_from_text);
Datum
trace_id_from_text(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(0);

	PG_RETURN_POINTER(trace_id_parse(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)));
}

PG_FUNCTION_INFO_V1(span_id_to_bytea);
Datum
span_id_to_bytea(PG_FUNCTION_ARGS)
{
	uint8		bytes[SPAN_ID_LEN];

	hex_span_id_bytes(PG_GETARG_SPAN_ID(0), bytes);
	PG_RETURN_BYTEA_P(id_bytea(bytes, SPAN_ID_LEN));
}

PG_FUNCTION_INFO_V1(span_id_from_bytea);
Datum
span_id_from_bytea(PG_FUNCTION_ARGS)
{
	bytea	   *b = PG_GETARG_BYTEA_PP(0);

	if (VARSIZE_ANY_EXHDR(b) != SPAN_ID_LEN)
		id_zero_error("apm.span_id", SPAN_ID_LEN);
	PG_RETURN_SPAN_ID(span_id_from_bytes((const uint8 *) VARDATA_ANY(b)));
}

PG_FUNCTION_INFO_V1(span_id_to_text);
Datum
span_id_to_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(span_id_cstring(PG_GETARG_SPAN_ID(0))));
}

PG_FUNCTION_INFO_V1(span_id_from_text);
Datum
span_id_from_text(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(0);

	PG_RETURN_SPAN_ID(span_id_parse(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)));
}
