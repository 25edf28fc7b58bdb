/*
 * metrics/columns.c
 *		The names that a metric's argument may have, and the SQL behind them.
 *
 * A name that Sentry's own functions use is accepted beside our column name
 * (transaction.duration, user), so that queries move over unchanged.
 */
#include "shim.h"

#include "metrics/columns.h"

const MetricColumn metric_columns[] = {
	{"duration", "t.duration_ms", true, "millisecond"},
	{"duration_ms", "t.duration_ms", true, "millisecond"},
	{"transaction.duration", "t.duration_ms", true, "millisecond"},
	{"span_count", "t.span_count::pg_catalog.float8", true, NULL},
	{"weight", "t.weight", true, NULL},
	{"sample_rate", "t.sample_rate", true, "ratio"},
	{"user", "t.user_key", false, NULL},
	{"user_key", "t.user_key", false, NULL},
	{"transaction", "t.name", false, NULL},
	{"name", "t.name", false, NULL},
	{"source", "t.source", false, NULL},
	{"op", "t.op", false, NULL},
	{"transaction.op", "t.op", false, NULL},
	{"status", "t.status::pg_catalog.text", false, NULL},
	{"transaction.status", "t.status::pg_catalog.text", false, NULL},
	{"environment", "t.environment", false, NULL},
	{"release", "t.release", false, NULL},
	{"platform", "t.platform", false, NULL},
	{"sdk", "t.sdk", false, NULL},
	{"http_method", "t.http_method", false, NULL},
	{"http.method", "t.http_method", false, NULL},
	{"http_status", "t.http_status::pg_catalog.text", false, NULL},
	{"http.status_code", "t.http_status::pg_catalog.text", false, NULL},
	{"project_id", "t.project_id::pg_catalog.text", false, NULL},
	{"event_id", "t.event_id::pg_catalog.text", false, NULL},
	{"trace", "t.trace_id::pg_catalog.text", false, NULL},
	{"trace_id", "t.trace_id::pg_catalog.text", false, NULL},
	{"span_id", "t.span_id::pg_catalog.text", false, NULL},
	{NULL, NULL, false, NULL}
};

const MetricMeasurement metric_measurements[] = {
	{"fp", "millisecond"},
	{"fcp", "millisecond"},
	{"lcp", "millisecond"},
	{"fid", "millisecond"},
	{"inp", "millisecond"},
	{"ttfb", "millisecond"},
	{"ttfb.requesttime", "millisecond"},
	{"cls", NULL},
	{"app_start_cold", "millisecond"},
	{"app_start_warm", "millisecond"},
	{"time_to_initial_display", "millisecond"},
	{"time_to_full_display", "millisecond"},
	{"frames_total", NULL},
	{"frames_slow", NULL},
	{"frames_frozen", NULL},
	{"frames_slow_rate", "ratio"},
	{"frames_frozen_rate", "ratio"},
	{"stall_count", NULL},
	{"stall_percentage", "ratio"},
	{"stall_total_time", "millisecond"},
	{"stall_longest_time", "millisecond"},
	{NULL, NULL}
};

const MetricWord metric_comparisons[] = {
	{"equals", "="},
	{"notEquals", "<>"},
	{"less", "<"},
	{"greater", ">"},
	{"lessOrEquals", "<="},
	{"greaterOrEquals", ">="},
	{NULL, NULL}
};

const MetricWord metric_vitals[] = {
	{"lcp", "'lcp'::pg_catalog.text"},
	{"fcp", "'fcp'::pg_catalog.text"},
	{"fp", "'fp'::pg_catalog.text"},
	{"fid", "'fid'::pg_catalog.text"},
	{"cls", "'cls'::pg_catalog.text"},
	{"inp", "'inp'::pg_catalog.text"},
	{"ttfb", "'ttfb'::pg_catalog.text"},
	{NULL, NULL}
};

const MetricWord metric_qualities[] = {
	{"good", "'good'::pg_catalog.text"},
	{"meh", "'meh'::pg_catalog.text"},
	{"poor", "'poor'::pg_catalog.text"},
	{"any", "'any'::pg_catalog.text"},
	{NULL, NULL}
};

const MetricColumn *
metric_find_column(MetricText name)
{
	const MetricColumn *column;

	for (column = metric_columns; column->name != NULL; column++)
		if (metric_text_is(name, column->name))
			return column;
	return NULL;
}

const MetricMeasurement *
metric_find_measurement(MetricText name)
{
	const MetricMeasurement *m;

	for (m = metric_measurements; m->name != NULL; m++)
		if (metric_text_is(name, m->name))
			return m;
	return NULL;
}

const MetricWord *
metric_find_word(const MetricWord *list, MetricText name)
{
	for (; list->name != NULL; list++)
		if (metric_text_is(name, list->name))
			return list;
	return NULL;
}
