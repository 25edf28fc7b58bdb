/*
 * settings.h
 *		The settings (GUCs) of pg_apm, defined in pg_apm.c.
 */
#ifndef PG_APM_SETTINGS_H
#define PG_APM_SETTINGS_H

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
extern bool apm_correct_clock_drift;
extern bool apm_normalize_names;
extern int	apm_max_past_seconds;
extern int	apm_max_future_seconds;
extern bool apm_scrub_data;
extern char *apm_databases;
extern int	apm_worker_interval_ms;

#endif							/* PG_APM_SETTINGS_H */
