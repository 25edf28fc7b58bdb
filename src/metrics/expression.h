/*
 * metrics/expression.h
 *		From the text of a metric to SQL, by way of the registry apm.metrics.
 */
#ifndef PG_APM_METRICS_EXPRESSION_H
#define PG_APM_METRICS_EXPRESSION_H

#include "postgres.h"

#include "compat.h"
#include "metrics/grammar.h"

/* A metric in SQL; all strings are palloc'd, NULL where there is none. */
typedef struct MetricSql
{
	char	   *name;			/* of the registry row */
	char	   *canonical;		/* the text with every default written out */
	char	   *expression;		/* as registered, with arguments put in */
	char	   *value;			/* aggregate of type float8 over rows of alias t */
	char	   *samples;		/* aggregate of type bigint: rows that have a value */
	char	   *rollup;			/* value over rollup cells of alias c, or NULL */
	char	   *rollup_samples;
	char	   *rollup_bound;
	const char *vital;			/* whose cells they are; NULL: those of transactions */
	char	   *bound;			/* aggregate of type float8: value plus or minus; or NULL */
	bool		has_empty;
	double		empty;			/* the value without any row */
	char	   *unit;
} MetricSql;

/*
 * The whole of text must be one metric; errors carry the position in it.
 * window_sql is an SQL expression for the window's length in seconds, or NULL:
 * then seconds is, or NaN if it is unknown, where a rate raises an error.
 */
extern MetricSql *metric_to_sql(const char *text, int len, double seconds,
								const char *window_sql);

/* Parses and checks a signature of the registry; raises an error if it is none. */
extern void metric_read_signature(const char *metric, const char *text,
								  MetricSignature *signature);

/* A call that the signature allows, for trying a definition out. */
extern char *metric_example_call(const char *metric, const char *arguments);

/*
 * A definition with something quoted in the place of every argument, so that
 * one inside a string literal shows as a syntax error.
 */
extern char *metric_trial_expansion(const char *metric, const char *arguments,
									const char *template);

/* Raises what a parser of metrics/grammar.h reported, with its position. */
extern pg_attribute_noreturn() void metric_syntax_error(const char *text, int len,
														const MetricError *error);

#endif							/* PG_APM_METRICS_EXPRESSION_H */
