/*
 * alerts/status.c
 *		What SQL asks of the worker of this database, and small helpers of the
 *		rules: the state machine and the nearest name.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "alerts/shmem.h"
#include "alerts/state.h"
#include "compat.h"
#include "settings.h"

/*
 * Why this database has no worker, or NULL when it has one or will get one
 * soon.  Messages continue "no worker evaluates alert rules here: ".
 */
static const char *
worker_problem(void)
{
	HeapTuple	tuple;
	bool		template = false;
	bool		launcher;

	if (alerts_shared == NULL)
		return "the library pg_apm is not preloaded";
	alerts_lock(LW_SHARED);
	launcher = alerts_shared->launcher_pid != 0;
	alerts_unlock();
	if (!launcher)
		return RecoveryInProgress() ? "the server is a standby" : "the launcher is not running";
	if (!alerts_database_listed(get_database_name(MyDatabaseId)))
		return "the setting pg_apm.databases does not name this database";
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	if (HeapTupleIsValid(tuple))
	{
		template = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
		ReleaseSysCache(tuple);
	}
	return template ? "this database is a template" : NULL;
}

void
alerts_say_no_worker(void)
{
	const char *problem = worker_problem();

	if (problem == NULL)
		return;
	ereport(NOTICE,
			errmsg("no worker evaluates alert rules in this database: %s", problem),
			errhint("Set shared_preload_libraries = 'pg_apm' and restart the server, "
					"or call SELECT * FROM apm.evaluate_alerts() from any scheduler."));
}

/* _apm.worker_state(): one row about the worker of this database. */
PG_FUNCTION_INFO_V1(alerts_worker_state);
Datum
alerts_worker_state(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[7];
	bool		nulls[7];
	const char *problem = worker_problem();

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	values[0] = BoolGetDatum(false);
	nulls[0] = false;

	if (alerts_shared != NULL)
	{
		WorkerSlot	copy;
		WorkerSlot *slot;

		memset(&copy, 0, sizeof(copy));
		alerts_lock(LW_SHARED);
		slot = alerts_find_slot(MyDatabaseId);
		if (slot != NULL)
			copy = *slot;
		alerts_unlock();

		values[0] = BoolGetDatum(copy.pid != 0);
		values[1] = Int32GetDatum((int32) copy.pid);
		nulls[1] = copy.pid == 0;
		values[2] = TimestampTzGetDatum(copy.started_at);
		nulls[2] = copy.pid == 0;
		values[3] = TimestampTzGetDatum(copy.last_tick);
		nulls[3] = copy.last_tick == 0;
		if (copy.last_error_at != 0)
		{
			values[4] = CStringGetTextDatum(copy.last_error);
			values[5] = TimestampTzGetDatum(copy.last_error_at);
			nulls[4] = nulls[5] = false;
		}
	}
	if (problem != NULL)
	{
		values[6] = CStringGetTextDatum(problem);
		nulls[6] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* _apm.closest_name(wanted, names): the most similar name, if similar enough. */
PG_FUNCTION_INFO_V1(alerts_closest_name);
Datum
alerts_closest_name(PG_FUNCTION_ARGS)
{
	text	   *wanted = PG_GETARG_TEXT_PP(0);
	Datum	   *names;
	bool	   *nulls;
	int			n;
	int			i;
	int			best = -1;
	int			wanted_len = VARSIZE_ANY_EXHDR(wanted);
	int			limit = 2 + wanted_len / 4;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &n);
	for (i = 0; i < n; i++)
	{
		text	   *name = nulls[i] ? NULL : DatumGetTextPP(names[i]);
		int			distance;

		if (name == NULL || VARSIZE_ANY_EXHDR(name) > 255 || wanted_len > 255)
			continue;
		distance = varstr_levenshtein_less_equal(VARDATA_ANY(wanted), wanted_len,
												 VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
												 1, 1, 1, limit, true);
		if (distance <= limit)
		{
			best = i;
			limit = distance - 1;
		}
		if (limit < 0)
			break;
	}
	if (best < 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(DatumGetTextPCopy(names[best]));
}

static double
row_float(HeapTupleHeader row, const char *column, bool *present)
{
	bool		isnull;
	Datum		value = GetAttributeByName(row, column, &isnull);

	if (present != NULL)
		*present = !isnull;
	else if (isnull)
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("column \"%s\" of an alert rule must not be null", column));
	return isnull ? 0 : DatumGetFloat8(value);
}

static int32
row_int(HeapTupleHeader row, const char *column)
{
	bool		isnull;
	Datum		value = GetAttributeByName(row, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

/* NULL for NULL. */
static char *
row_text(HeapTupleHeader row, const char *column)
{
	bool		isnull;
	Datum		value = GetAttributeByName(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
bad_word(const char *column)
{
	ereport(ERROR,
			errcode(ERRCODE_DATA_CORRUPTED),
			errmsg("column \"%s\" of an alert rule or its state holds an unknown word", column));
}

static void
read_rule(HeapTupleHeader row, AlertRule *rule)
{
	char	   *direction = row_text(row, "direction");
	char	   *no_data = row_text(row, "no_data");
	bool		isnull;
	Datum		needs_samples = GetAttributeByName(row, "needs_samples", &isnull);

	rule->above = direction != NULL && strcmp(direction, "above") == 0;
	if (!rule->above && (direction == NULL || strcmp(direction, "below") != 0))
		bad_word("direction");
	rule->critical = row_float(row, "critical", &rule->has_critical);
	rule->warning = row_float(row, "warning", &rule->has_warning);
	rule->resolve = row_float(row, "resolve", &rule->has_resolve);
	rule->fire_after = Max(row_int(row, "fire_after"), 1);
	rule->resolve_after = Max(row_int(row, "resolve_after"), 1);
	rule->min_samples = 0;
	if (!isnull && DatumGetBool(needs_samples))
		rule->min_samples = row_int(row, "min_samples");
	if (no_data == NULL || !alert_read_no_data(no_data, &rule->no_data))
		bad_word("no_data");
}

static void
read_state(HeapTupleHeader row, AlertState *state)
{
	char	   *status = row_text(row, "state");
	char	   *severity = row_text(row, "severity");

	alert_state_init(state);
	if (status != NULL && !alert_read_status(status, &state->status))
		bad_word("state");
	if (severity != NULL && !alert_read_severity(severity, &state->severity))
		bad_word("severity");
	state->warning_breaches = row_int(row, "warning_breaches");
	state->critical_breaches = row_int(row, "critical_breaches");
	state->calm = row_int(row, "calm");
	state->recoveries = row_int(row, "recoveries");
}

static void
set_word(const char *word, Datum *value, bool *isnull)
{
	*isnull = word == NULL;
	*value = word == NULL ? (Datum) 0 : CStringGetTextDatum(word);
}

/* _apm.alert_step(rule, state, value, samples, failed): the state machine. */
PG_FUNCTION_INFO_V1(alerts_step);
Datum
alerts_step(PG_FUNCTION_ARGS)
{
	AlertRule	rule;
	AlertState	state;
	AlertSample sample;
	AlertStep	step;
	TupleDesc	desc;
	Datum		values[8];
	bool		nulls[8];

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("an alert rule and its state must not be null"));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	read_rule(PG_GETARG_HEAPTUPLEHEADER(0), &rule);
	read_state(PG_GETARG_HEAPTUPLEHEADER(1), &state);

	memset(&sample, 0, sizeof(sample));
	if (!PG_ARGISNULL(4) && PG_GETARG_BOOL(4))
		sample.kind = ALERT_SAMPLE_FAILED;
	else if (PG_ARGISNULL(2))
		sample.kind = ALERT_SAMPLE_EMPTY;
	else
	{
		sample.kind = ALERT_SAMPLE_VALUE;
		sample.value = PG_GETARG_FLOAT8(2);
		sample.samples = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3);
	}
	step = alert_step(&rule, &state, &sample);

	memset(nulls, false, sizeof(nulls));
	set_word(alert_status_word(step.state.status), &values[0], &nulls[0]);
	set_word(alert_severity_word(step.state.severity), &values[1], &nulls[1]);
	values[2] = Int32GetDatum(step.state.warning_breaches);
	values[3] = Int32GetDatum(step.state.critical_breaches);
	values[4] = Int32GetDatum(step.state.calm);
	values[5] = Int32GetDatum(step.state.recoveries);
	set_word(alert_verdict_word(step.verdict), &values[6], &nulls[6]);
	set_word(alert_transition_word(step.transition), &values[7], &nulls[7]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
