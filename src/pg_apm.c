/*
 * pg_apm.c
 *		Module entry: magic block and settings, nothing else.
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "alerts/alerts.h"
#include "settings.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

int			apm_validation = APM_VALIDATION_LENIENT;
int			apm_max_json_depth = 128;
bool		apm_auto_create_projects = true;
int			apm_seen_horizon_minutes = 24 * 60;
int			apm_max_partitions = 4000;
bool		apm_correct_clock_drift = true;
bool		apm_normalize_names = true;
int			apm_max_past_seconds = 0;
int			apm_max_future_seconds = 0;
bool		apm_scrub_data = true;
char	   *apm_databases = NULL;
int			apm_worker_interval_ms = 10000;

static const struct config_enum_entry validation_options[] = {
	{"lenient", APM_VALIDATION_LENIENT, false},
	{"strict", APM_VALIDATION_STRICT, false},
	{NULL, 0, false}
};

/* Refuses a list of databases that cannot be split. */
static bool
check_databases(char **value, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*value);
	List	   *names = NIL;
	bool		valid = SplitGUCList(copy, ',', &names);

	if (!valid)
		GUC_check_errdetail("List syntax is invalid.");
	list_free(names);
	pfree(copy);
	return valid;
}

void
_PG_init(void)
{
	DefineCustomBoolVariable("pg_apm.auto_create_projects",
							 "Creates a project when data for an unknown one arrives.",
							 "When off, such data is refused and counted in apm.outcomes.",
							 &apm_auto_create_projects, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("pg_apm.databases",
							   "Databases that get a worker, if they have the extension.",
							   "A list of names; \"*\" means all, an empty list none.",
							   &apm_databases, "*",
							   PGC_SIGHUP, GUC_LIST_INPUT, check_databases, NULL, NULL);
	DefineCustomBoolVariable("pg_apm.correct_clock_drift",
							 "Corrects times of senders whose clock is off by 55 minutes or more.",
							 "The difference of arrival and the sender's time of sending is added to every time.",
							 &apm_correct_clock_drift, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_apm.max_future",
							"What ends later than this after its arrival is moved to its arrival.",
							"0 turns this off.",
							&apm_max_future_seconds, 0, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_apm.max_json_depth",
							"Deepest nesting of JSON that is accepted in payloads.",
							NULL,
							&apm_max_json_depth, 128, 8, 128,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_apm.max_partitions",
							"Most daily partitions that arriving data may make, for each table.",
							"Data for a further day is refused and counted in apm.outcomes.",
							&apm_max_partitions, 4000, 1, 100000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_apm.max_past",
							"What ended earlier than this before its arrival is moved to its arrival.",
							"0 turns this off.",
							&apm_max_past_seconds, 0, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_apm.normalize_names",
							 "Stars ids in transaction names that are URLs.",
							 "The name as sent stays in the description of the segment span.",
							 &apm_normalize_names, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_apm.scrub_data",
							 "Replaces passwords, tokens, card numbers and the like before anything is stored.",
							 "The table apm.scrub_rules says what, for each project.",
							 &apm_scrub_data, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_apm.seen_horizon",
							"How long a repeated event or span is recognized.",
							NULL,
							&apm_seen_horizon_minutes, 24 * 60, 1, 60 * 24 * 60,
							PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomEnumVariable("pg_apm.validation",
							 "Whether one bad span refuses its whole transaction.",
							 "\"lenient\" drops and counts the bad part; \"strict\" refuses the item as Sentry's Relay does.",
							 &apm_validation, APM_VALIDATION_LENIENT, validation_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_apm.worker_interval",
							"Longest pause between two rounds of a worker.",
							"A rule that is due earlier is evaluated earlier.",
							&apm_worker_interval_ms, 10000, 100, 3600000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	MarkGUCPrefixReserved("pg_apm");

	if (process_shared_preload_libraries_in_progress)
		alerts_register_launcher();
}
