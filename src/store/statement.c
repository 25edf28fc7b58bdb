/*
 * store/statement.c
 *		SQL statements that are prepared once a session.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "store/statement.h"

Oid
statement_row_type(const char *schema, const char *name)
{
	Oid			oid = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									  PointerGetDatum(name),
									  ObjectIdGetDatum(get_namespace_oid(schema, false)));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type \"%s.%s\" does not exist", schema, name),
				 errhint("Run CREATE EXTENSION pg_apm in this database.")));
	return oid;
}

static void
statement_prepare(Statement *s, Oid array_type)
{
	Oid			types[STATEMENT_MAX_ARGS];
	SPIPlanPtr	plan;
	int			i;

	if (s->plan != NULL)
	{
		SPI_freeplan(s->plan);
		s->plan = NULL;
	}
	for (i = 0; i < s->nargs; i++)
		types[i] = OidIsValid(s->types[i]) ? s->types[i] : array_type;
	/* The plans do not depend on what the arrays hold: none is worth making twice. */
	plan = SPI_prepare_cursor(s->sql, s->nargs, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	s->plan = plan;
	s->array_type = array_type;
}

void
statement_run(Statement *s, Datum *values, const char *nulls, int expected)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			array_type = InvalidOid;
	int			result;

	if (s->row_type != NULL)
		array_type = get_array_type(statement_row_type(s->row_schema, s->row_type));
	if (s->plan == NULL || s->array_type != array_type)
		statement_prepare(s, array_type);
	result = SPI_execute_plan(s->plan, values, nulls, false, 0);
	if (result != expected)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));

	/* SPI leaves its own context current, which ends with SPI_finish(). */
	MemoryContextSwitchTo(context);
}
