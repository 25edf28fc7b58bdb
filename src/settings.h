/*
 * settings.h
 *		The settings (GUCs) of pg_apm, defined in pg_apm.c.
 */
#ifndef PG_APM_SETTINGS_H
#define PG_APM_SETTINGS_H

#include "plugin/pg_apm_plugin.h"

typedef enum ApmValidation
{
	APM_VALIDATION_LENIENT,
	APM_VALIDATION_STRICT
} ApmValidation;

extern int	apm_validation;
extern int	apm_max_json_depth;
extern bool apm_auto_create_projects;
extern int	apm_seen_horizon_minutes;
extern int	apm_max_partitions;
extern int	apm_lock_timeout_ms;
extern int	apm_compact_after_minutes;
extern int	apm_compact_time_ms;
extern bool apm_correct_clock_drift;
extern bool apm_derive_measurements;
extern bool apm_group_spans;
extern bool apm_infer_categories;
extern bool apm_infer_ops;
extern bool apm_infer_statuses;
extern bool apm_name_by_path;
extern bool apm_normalize_names;
extern int	apm_max_past_seconds;
extern int	apm_max_names;
extern bool apm_use_rollups;
extern int	apm_max_future_seconds;
extern bool apm_scrub_data;
extern char *apm_databases;
extern int	apm_worker_interval_ms;

extern bool apm_keep_raw_items;

/* Limits of sizes and counts; strict and max_depth of it are not kept up, see below. */
extern ApmDecodeOptions apm_decode_limits;

/* Longest texts that apm.ingest stores, in characters, and other cuts; 0: none. */
typedef struct ApmCutLimits
{
	int			op;
	int			origin;
	int			environment;
	int			release;
	int			name;
	int			tag;
	int			message;
	int			spans;			/* of one segment */
	int			attributes;		/* of one span */
} ApmCutLimits;

extern ApmCutLimits apm_cut_limits;

/* What decoders are to obey now. */
static inline ApmDecodeOptions
apm_decode_options(void)
{
	ApmDecodeOptions options = apm_decode_limits;

	options.strict = apm_validation == APM_VALIDATION_STRICT;
	options.max_depth = apm_max_json_depth;
	return options;
}

#endif							/* PG_APM_SETTINGS_H */
