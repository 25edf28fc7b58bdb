/*
 * envelope/handler.c
 *		The handler by which the registry finds the format "sentry".
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
