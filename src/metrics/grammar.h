/*
 * metrics/grammar.h
 *		The text grammar of metrics, shared by all that takes a metric as text:
 *
 *			metric    = name "(" [ argument { "," argument } ] ")"
 *			argument  = number | word | word "[" key "]" | 'string' | "string"
 *			assertion = metric ( "<" | "<=" | ">" | ">=" | "=" | "<>" ) number [ "%" ]
 *
 *		and of the signatures that the registry keeps for each name:
 *
 *			signature = [ parameter { "," parameter } ]
 *			parameter = name kind [ "=" argument ]
 *
 * Pure: no server header, nothing allocated, everything points into the text.
 */
#ifndef PG_APM_METRICS_GRAMMAR_H
#define PG_APM_METRICS_GRAMMAR_H

#include "shim.h"

#define METRIC_MAX_ARGS 8

typedef enum MetricArgForm
{
	METRIC_ARG_NUMBER,			/* 300, 0.95, -1 */
	METRIC_ARG_WORD,			/* duration, measurements.lcp */
	METRIC_ARG_KEYED,			/* tags[key]: text is the word, key the key */
	METRIC_ARG_STRING			/* 'text', "text": text is what lies between */
} MetricArgForm;

/* A piece of the text: not terminated. */
typedef struct MetricText
{
	const char *data;
	int			len;
} MetricText;

typedef struct MetricArg
{
	MetricArgForm form;
	MetricText	text;
	MetricText	key;			/* METRIC_ARG_KEYED */
	double		number;			/* METRIC_ARG_NUMBER: always finite */
	int			pos;			/* byte offset in the text, from 0 */
} MetricArg;

typedef struct MetricCall
{
	MetricText	name;
	int			name_pos;
	int			nargs;
	MetricArg	args[METRIC_MAX_ARGS];
} MetricCall;

typedef enum MetricComparison
{
	METRIC_LT,
	METRIC_LE,
	METRIC_GT,
	METRIC_GE,
	METRIC_EQ,
	METRIC_NE
} MetricComparison;

typedef struct MetricAssertion
{
	MetricCall	call;
	int			call_len;		/* bytes of the metric before the comparison */
	MetricComparison comparison;
	double		bound;
} MetricAssertion;

typedef struct MetricParam
{
	MetricText	name;
	MetricText	kind;
	bool		has_default;
	MetricArg	def;
} MetricParam;

typedef struct MetricSignature
{
	int			nparams;
	MetricParam params[METRIC_MAX_ARGS];
} MetricSignature;

/* What is wrong and where; message is a static sentence part in lower case. */
typedef struct MetricError
{
	const char *message;
	int			pos;			/* byte offset from 0 */
} MetricError;

/* The whole text must be one metric, one assertion, one signature. */
extern bool metric_parse_call(const char *text, int len, MetricCall *call,
							  MetricError *error);
extern bool metric_parse_assertion(const char *text, int len,
								   MetricAssertion *assertion, MetricError *error);
extern bool metric_parse_signature(const char *text, int len,
								   MetricSignature *signature, MetricError *error);

/* The operator as written in SQL. */
extern const char *metric_comparison_sql(MetricComparison comparison);
extern bool metric_comparison_holds(MetricComparison comparison, double value, double bound);

extern bool metric_text_is(MetricText text, const char *word);

#endif							/* PG_APM_METRICS_GRAMMAR_H */
