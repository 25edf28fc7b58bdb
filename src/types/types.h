/*
 * types/types.h
 *		The ids and the status of spans as the server sees them.
 *
 * apm.trace_id is 16 bytes by reference, apm.span_id a big-endian number
 * passed by value as an int64 datum.  Neither is ever all zero.
 */
#ifndef PG_APM_TYPES_H
#define PG_APM_TYPES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "plugin/pg_apm_plugin.h"

typedef struct TraceId
{
	uint8		bytes[16];
} TraceId;

#define DatumGetTraceIdP(X)		((TraceId *) DatumGetPointer(X))
#define TraceIdPGetDatum(X)		PointerGetDatum(X)
#define PG_GETARG_TRACE_ID_P(n) DatumGetTraceIdP(PG_GETARG_DATUM(n))

#define DatumGetSpanId(X)		((uint64) DatumGetInt64(X))
#define SpanIdGetDatum(X)		Int64GetDatum((int64) (X))
#define PG_GETARG_SPAN_ID(n)	DatumGetSpanId(PG_GETARG_DATUM(n))
#define PG_RETURN_SPAN_ID(x)	return SpanIdGetDatum(x)

/* Status code (0..16) to the oid of its label in apm.span_status, and back. */
extern Oid	types_status_oid(int code);
extern int	types_status_code(Oid label);

/* Oid of a type of schema apm, looked up by name; an error if it is missing. */
extern Oid	types_apm_type(const char *name);

/* Unix microseconds to timestamptz; the caller has checked the range. */
extern TimestampTz types_timestamp(int64 unix_us);
extern int64 types_unix_micros(TimestampTz t);

#endif							/* PG_APM_TYPES_H */
