/*
 * metrics/columns.h
 *		The names that a metric's argument may have, and the SQL behind them.
 *		Pure: tables of constants.
 */
#ifndef PG_APM_METRICS_COLUMNS_H
#define PG_APM_METRICS_COLUMNS_H

#include "metrics/grammar.h"

/* A column of apm.transactions (alias t) under the name analysts use. */
typedef struct MetricColumn
{
	const char *name;
	const char *sql;
	bool		numeric;
	const char *unit;			/* NULL: none */
} MetricColumn;

/* A measurement that SDKs send by themselves. */
typedef struct MetricMeasurement
{
	const char *name;
	const char *unit;
} MetricMeasurement;

/* A word with the SQL it stands for, for arguments from a closed list. */
typedef struct MetricWord
{
	const char *name;
	const char *sql;
} MetricWord;

/* Each list ends with an entry whose name is NULL. */
extern const MetricColumn metric_columns[];
extern const MetricMeasurement metric_measurements[];
extern const MetricWord metric_comparisons[];
extern const MetricWord metric_vitals[];
extern const MetricWord metric_qualities[];

extern const MetricColumn *metric_find_column(MetricText name);
extern const MetricMeasurement *metric_find_measurement(MetricText name);
extern const MetricWord *metric_find_word(const MetricWord *list, MetricText name);

#endif							/* PG_APM_METRICS_COLUMNS_H */
