/*
 * plugin/registry.c
 *		Formats by name, through the table apm.formats.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

#include "compat.h"
#include "plugin/registry.h"

/* Calls a handler and checks what it returns. */
static const ApmFormat *
format_of_handler(Oid handler, const char *name)
{
	const ApmFormat *format;

	format = (const ApmFormat *) DatumGetPointer(OidFunctionCall1(handler, PointerGetDatum(NULL)));
	if (format == NULL || format->magic != APM_PLUGIN_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("handler of format \"%s\" did not return a format of pg_apm", name)));
	if (format->abi != APM_PLUGIN_ABI || format->size < sizeof(ApmFormat) || format->decode == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("handler of format \"%s\" is built for another version of pg_apm", name),
				 errdetail("It has interface version %u, this is version %u.",
						   format->abi, APM_PLUGIN_ABI),
				 errhint("Build the plugin again with the installed header pg_apm_plugin.h.")));
	return format;
}

static pg_attribute_noreturn() void
unknown_format(const char *name)
{
	char	   *known = NULL;

	if (SPI_execute("SELECT pg_catalog.string_agg(name, ', ' ORDER BY name) FROM apm.formats",
					true, 1) == SPI_OK_SELECT && SPI_processed == 1)
		known = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown format \"%s\"", name),
			 errhint("Known formats: %s.", known ? known : "none")));
}

const ApmFormat *
registry_format(const char *name)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext context = CurrentMemoryContext;
	Datum		value = CStringGetTextDatum(name);
	char	   *handler;
	Oid			oid;

	if (plan == NULL)
	{
		Oid			type = TEXTOID;

		plan = SPI_prepare("SELECT handler FROM apm.formats WHERE name = $1", 1, &type);
		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
	}
	if (SPI_execute_plan(plan, &value, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read apm.formats");
	if (SPI_processed == 0)
		unknown_format(name);
	handler = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	MemoryContextSwitchTo(context); /* SPI leaves its own current */
	oid = DatumGetObjectId(DirectFunctionCall1(regprocedurein, CStringGetDatum(handler)));
	return format_of_handler(oid, name);
}

/* _apm.check_format_handler(handler regprocedure, name text): an error unless it is a handler. */
PG_FUNCTION_INFO_V1(check_format_handler);
Datum
check_format_handler(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));

	format_of_handler(PG_GETARG_OID(0), name);
	PG_RETURN_VOID();
}
