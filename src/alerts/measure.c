/*
 * alerts/measure.c
 *		Measuring a rule's metric with the rights of the rule's owner.
 *
 * Metrics can be registered in SQL, and the worker is a superuser: it must not
 * lend its rights to what a metric's expression calls.  Whoever defined the
 * rule last is its owner, and a superuser who evaluates it becomes that role
 * for the measurement.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static const char measure_sql[] =
"SELECT m.value, m.samples FROM apm.metric_value($1, $2, $3, $4, $5, $6, $7, $8) m";

/* The columns of apm.alert_rules that are arguments of the query. */
static const struct
{
	const char *column;
	Oid			type;
}			arguments[] = {
	{"metric", TEXTOID},
	{NULL, TIMESTAMPTZOID},
	{NULL, TIMESTAMPTZOID},
	{"project_id", INT4OID},
	{"transaction_name", TEXTOID},
	{"op", TEXTOID},
	{"environment", TEXTOID},
	{"release", TEXTOID}
};

static Oid
rule_owner(HeapTupleHeader rule)
{
	bool		isnull;
	Datum		owner = GetAttributeByName(rule, "owner", &isnull);
	char	   *name = isnull ? NULL : TextDatumGetCString(owner);
	Oid			role = isnull ? InvalidOid : get_role_oid(name, true);

	if (!OidIsValid(role))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("the owner of the rule, role \"%s\", does not exist", name ? name : ""),
				errhint("Whoever calls apm.alter_alert becomes the owner."));
	return role;
}

/*
 * _apm.measure(rule, since, until): value and samples.  Errors go to the
 * caller; the role is restored with the subtransaction then.
 */
PG_FUNCTION_INFO_V1(alerts_measure);
Datum
alerts_measure(PG_FUNCTION_ARGS)
{
	HeapTupleHeader rule = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc;
	Oid			types[lengthof(arguments)];
	Datum		args[lengthof(arguments)];
	char		nulls[lengthof(arguments)];
	Datum		values[2];
	bool		result_nulls[2];
	Oid			user;
	int			context;
	size_t		i;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);

	for (i = 0; i < lengthof(arguments); i++)
	{
		bool		isnull = false;

		types[i] = arguments[i].type;
		if (arguments[i].column != NULL)
			args[i] = GetAttributeByName(rule, arguments[i].column, &isnull);
		else
			args[i] = PG_GETARG_DATUM(i);
		nulls[i] = isnull ? 'n' : ' ';
	}

	GetUserIdAndSecContext(&user, &context);
	if (superuser())
		SetUserIdAndSecContext(rule_owner(rule),
							   context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
	SPI_connect();
	if (SPI_execute_with_args(measure_sql, lengthof(arguments), types, args, nulls, true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not measure the metric of an alert rule");
	for (i = 0; i < 2; i++)
		values[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &result_nulls[i]);
	/* both are passed by value, so they outlive SPI */
	SPI_finish();
	SetUserIdAndSecContext(user, context);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, result_nulls)));
}

/* _apm.calling_role(): who called, seen through SECURITY DEFINER. */
PG_FUNCTION_INFO_V1(alerts_calling_role);
Datum
alerts_calling_role(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(GetUserNameFromId(GetOuterUserId(), false)));
}
