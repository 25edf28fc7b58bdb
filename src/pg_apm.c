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
int			apm_lock_timeout_ms = 2000;
int			apm_compact_after_minutes = 2 * 24 * 60;
int			apm_compact_time_ms = 5000;
bool		apm_correct_clock_drift;
bool		apm_derive_measurements;
bool		apm_group_spans;
bool		apm_infer_categories;
bool		apm_infer_ops;
bool		apm_infer_statuses;
bool		apm_name_by_path;
bool		apm_normalize_names;
int			apm_max_past_seconds = 0;
int			apm_max_names = 2000;
bool		apm_use_rollups = true;
int			apm_max_future_seconds = 0;
bool		apm_scrub_data;
char	   *apm_databases = NULL;
int			apm_worker_interval_ms = 10000;

bool		apm_keep_raw_items = false;
ApmDecodeOptions apm_decode_limits;
ApmCutLimits apm_cut_limits;

#define KB 1024
#define MB (1024 * 1024)

/* Limits of what arrives.  Defaults are those of Sentry's Relay; 0 means no limit. */
static const struct
{
	const char *name;
	const char *description;
	int		   *value;
	int			initial;
	int			unit;
}			limits[] =
{
	{"pg_apm.max_attachment_size", "Largest attachment, and largest item of a type without a limit of its own.",
	&apm_decode_limits.max_attachment_size, 200 * MB, GUC_UNIT_BYTE},
	{"pg_apm.max_check_in_size", "Largest check-in.",
	&apm_decode_limits.max_check_in_size, 100 * KB, GUC_UNIT_BYTE},
	{"pg_apm.max_client_report_size", "Largest client report.",
	&apm_decode_limits.max_client_report_size, 100 * KB, GUC_UNIT_BYTE},
	{"pg_apm.max_container_size", "Largest container of spans, logs or metrics.",
	&apm_decode_limits.max_container_size, 12 * MB, GUC_UNIT_BYTE},
	{"pg_apm.max_envelope_size", "Largest body, decompressed.",
	&apm_decode_limits.max_envelope_size, 200 * MB, GUC_UNIT_BYTE},
	{"pg_apm.max_environment_length", "Longest environment in characters; longer ones are cut.",
	&apm_cut_limits.environment, 64, 0},
	{"pg_apm.max_event_size", "Largest event, transaction or feedback.",
	&apm_decode_limits.max_event_size, 1 * MB, GUC_UNIT_BYTE},
	{"pg_apm.max_message_length", "Longest value of an error in characters; longer ones are cut.",
	&apm_cut_limits.message, 8192, 0},
	{"pg_apm.max_name_length", "Longest transaction name, culprit or monitor in characters; longer ones are cut.",
	&apm_cut_limits.name, 200, 0},
	{"pg_apm.max_op_length", "Longest operation of a span in characters; longer ones are cut.",
	&apm_cut_limits.op, 128, 0},
	{"pg_apm.max_origin_length", "Longest origin of a span in characters; longer ones are cut.",
	&apm_cut_limits.origin, 128, 0},
	{"pg_apm.max_profile_size", "Largest profile.",
	&apm_decode_limits.max_profile_size, 50 * MB, GUC_UNIT_BYTE},
	{"pg_apm.max_release_length", "Longest release in characters; longer ones are cut.",
	&apm_cut_limits.release, 200, 0},
	{"pg_apm.max_session_size", "Largest item of sessions.",
	&apm_decode_limits.max_session_size, 10 * MB, GUC_UNIT_BYTE},
	{"pg_apm.max_sessions", "Most session items in a body, and most buckets in an item of sessions.",
	&apm_decode_limits.max_sessions, 100, 0},
	{"pg_apm.max_span_attributes", "Most attributes of a span; further ones are dropped.",
	&apm_cut_limits.attributes, 0, 0},
	{"pg_apm.max_span_size", "Largest span.",
	&apm_decode_limits.max_span_size, 10 * MB, GUC_UNIT_BYTE},
	{"pg_apm.max_spans", "Most spans of one segment in one body; further ones are dropped.",
	&apm_cut_limits.spans, 0, 0},
	{"pg_apm.max_standalone_spans", "Most span items in a body; spans in containers do not count.",
	&apm_decode_limits.max_standalone_spans, 25, 0},
	{"pg_apm.max_tag_length", "Longest key and value of a tag in characters; longer values are cut, longer keys dropped.",
	&apm_cut_limits.tag, 200, 0}
};

/* Steps of apm.ingest that change or add something; each is on and can be switched off. */
static const struct
{
	const char *name;
	const char *description;
	const char *detail;
	bool	   *value;
}			steps[] =
{
	{"pg_apm.correct_clock_drift", "Corrects times of senders whose clock is off by 55 minutes or more.",
	"The difference of arrival and the sender's time of sending is added to every time.",
	&apm_correct_clock_drift},
	{"pg_apm.derive_measurements", "Stores what is computed of measurements beside them.",
	"Performance scores, rates of slow and frozen frames, the share of time stalled.",
	&apm_derive_measurements},
	{"pg_apm.group_spans", "Gives spans a group by their description without its variable parts.",
	NULL,
	&apm_group_spans},
	{"pg_apm.infer_categories", "Gives spans without a category one by their operation.",
	"Groups depend on the category.",
	&apm_infer_categories},
	{"pg_apm.infer_ops", "Gives spans without an operation one by their attributes.",
	NULL,
	&apm_infer_ops},
	{"pg_apm.infer_statuses", "Gives spans and transactions without a status one by their HTTP status.",
	NULL,
	&apm_infer_statuses},
	{"pg_apm.name_by_path", "Gives transactions that are called Pageload, Navigation or like a bare method the path of their request.",
	"The name as sent stays in the description of the segment span.",
	&apm_name_by_path},
	{"pg_apm.normalize_names", "Stars ids in transaction names that are URLs.",
	"The name as sent stays in the description of the segment span.",
	&apm_normalize_names},
	{"pg_apm.scrub_data", "Replaces passwords, tokens, card numbers and the like before anything is stored.",
	"The table apm.scrub_rules says what, for each project.",
	&apm_scrub_data}
};

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

static void
define_limits(void)
{
	int			i;

	for (i = 0; i < lengthof(limits); i++)
		DefineCustomIntVariable(limits[i].name, limits[i].description, "0 means no limit.",
								limits[i].value, limits[i].initial, 0, INT_MAX,
								PGC_SUSET, limits[i].unit, NULL, NULL, NULL);
}

static void
define_steps(void)
{
	int			i;

	for (i = 0; i < lengthof(steps); i++)
		DefineCustomBoolVariable(steps[i].name, steps[i].description, steps[i].detail,
								 steps[i].value, true, PGC_SUSET, 0, NULL, NULL, NULL);
}

void
_PG_init(void)
{
	define_limits();
	define_steps();
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
	DefineCustomIntVariable("pg_apm.compact_after",
							"How long a day of spans is over before it is compacted.",
							"-1 turns compaction off.",
							&apm_compact_after_minutes, 2 * 24 * 60, -1, INT_MAX / 60,
							PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_apm.compact_time",
							"Longest time for which one run of apm.maintain() copies spans.",
							NULL,
							&apm_compact_time_ms, 5000, 1, 3600000,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_apm.keep_raw_items",
							 "Keeps items that are not decoded in apm.raw_items.",
							 "When off, they are counted in apm.outcomes with their bytes.",
							 &apm_keep_raw_items, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_apm.lock_timeout",
							"Longest time for which apm.maintain() keeps others waiting for a lock.",
							"A single lock is waited for at most a quarter of it; what did not get its locks is tried again in the next run.",
							&apm_lock_timeout_ms, 2000, 40, 600000,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
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
	DefineCustomIntVariable("pg_apm.max_names",
							"Most transaction names that have rollups of their own, for each project and day.",
							"Further ones are rolled up as << other >>, counted in apm.outcomes, and read from rows.",
							&apm_max_names, 2000, 1, 1000000,
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
	DefineCustomIntVariable("pg_apm.seen_horizon",
							"How long a repeated event or span is recognized.",
							NULL,
							&apm_seen_horizon_minutes, 24 * 60, 1, 60 * 24 * 60,
							PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_apm.use_rollups",
							 "Reads rollups where they give the same answer as rows.",
							 "When off, everything is read from rows.",
							 &apm_use_rollups, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
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
