/*
 * envelope/handler.c
 *		The handlers by which the registry finds the formats "sentry" and
 *		"sentry_store".
 */
#include "postgres.h"

#include "fmgr.h"

#include "envelope/envelope.h"

PG_FUNCTION_INFO_V1(format_sentry);
Datum
format_sentry(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&envelope_format_sentry);
}

PG_FUNCTION_INFO_V1(format_sentry_store);
Datum
format_sentry_store(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&envelope_format_sentry_store);
}
