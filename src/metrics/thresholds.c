/*
 * metrics/thresholds.c
 *		The satisfaction threshold in force for a transaction, from
 *		apm.thresholds.
 *
 * The functions are called for every row of a query, so the rules are read
 * once and the answers remembered, for as long as the snapshot is the same.
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "metrics/measurement.h"
#include "metrics/rules.h"
#include "metrics/threshold.h"
#include "sketch/hll.h"

#define REMEMBERED 256			/* a power of two */

/* A row of apm.thresholds; the most specific ones come first. */
typedef struct ThresholdRule
{
	bool		any_project;
	int32		project_id;
	bool		any_name;
	char	   *pattern;
	bool		on_lcp;
	double		threshold_ms;
} ThresholdRule;

typedef struct Remembered
{
	bool		used;
	int32		project_id;
	int			name_len;
	char	   *name;
	int			rule;			/* -1: none applies */
} Remembered;

typedef struct ThresholdCache
{
	RuleCache	head;
	int			nrules;
	ThresholdRule *rules;
	Remembered *remembered;
} ThresholdCache;

static const ThresholdRule default_rule = {
	true, 0, true, NULL, false, METRIC_DEFAULT_THRESHOLD_MS
};

/* Does the text match a pattern in which * stands for any text? */
static bool
glob_matches(const char *pattern, const char *text, const char *end)
{
	const char *star = NULL;
	const char *resume = NULL;

	while (text < end)
	{
		if (*pattern == '*')
		{
			star = pattern++;
			resume = text;
		}
		else if (*pattern == *text)
		{
			pattern++;
			text++;
		}
		else if (star != NULL)
		{
			pattern = star + 1;
			text = ++resume;
		}
		else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static void
read_rule(HeapTuple tuple, TupleDesc desc, ThresholdRule *rule, MemoryContext keep)
{
	bool		isnull;
	char	   *pattern;
	char	   *metric;

	rule->project_id = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &rule->any_project));
	pattern = SPI_getvalue(tuple, desc, 2);
	rule->any_name = pattern == NULL;
	rule->pattern = pattern ? MemoryContextStrdup(keep, pattern) : NULL;
	metric = SPI_getvalue(tuple, desc, 3);
	rule->on_lcp = metric != NULL && strcmp(metric, "lcp") == 0;
	rule->threshold_ms = DatumGetFloat8(SPI_getbinval(tuple, desc, 4, &isnull));
}

static void
load_rules(RuleCache *head)
{
	ThresholdCache *cache = (ThresholdCache *) head;
	uint64		i;

	SPI_connect();
	SPI_execute("SELECT project_id, transaction_pattern, metric, threshold_ms"
				"  FROM apm.thresholds"
				" ORDER BY project_id IS NULL, transaction_pattern IS NULL,"
				" pg_catalog.strpos(transaction_pattern, '*') OPERATOR(pg_catalog.>) 0,"
				" pg_catalog.length(transaction_pattern) DESC,"
				" transaction_pattern COLLATE \"C\"", true, 0);
	cache->nrules = SPI_processed;
	cache->rules = MemoryContextAllocZero(head->context,
										  Max(1, cache->nrules) * sizeof(ThresholdRule));
	for (i = 0; i < SPI_processed; i++)
		read_rule(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &cache->rules[i],
				  head->context);
	SPI_finish();
	cache->remembered = MemoryContextAllocZero(head->context, REMEMBERED * sizeof(Remembered));
}

static int
find_rule(const ThresholdCache *cache, int32 project_id, const char *name, int len)
{
	int			i;

	for (i = 0; i < cache->nrules; i++)
	{
		const ThresholdRule *rule = &cache->rules[i];

		if ((rule->any_project || rule->project_id == project_id) &&
			(rule->any_name || glob_matches(rule->pattern, name, name + len)))
			return i;
	}
	return -1;
}

/* The rule for project and name, the first two arguments; either may be NULL. */
static const ThresholdRule *
rule_for(FunctionCallInfo fcinfo)
{
	ThresholdCache *cache = (ThresholdCache *) rule_cache_of(fcinfo, sizeof(ThresholdCache), load_rules);
	int32		project_id = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);
	text	   *value = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	const char *name = value ? VARDATA_ANY(value) : "";
	int			len = value ? VARSIZE_ANY_EXHDR(value) : 0;
	Remembered *slot;

	if (cache->nrules == 0)
		return &default_rule;
	slot = &cache->remembered[(hll_hash(name, len) ^ (uint64) project_id) & (REMEMBERED - 1)];
	if (!slot->used || slot->project_id != project_id || slot->name_len != len ||
		memcmp(slot->name, name, len) != 0)
	{
		if (slot->used)
			pfree(slot->name);
		slot->used = false;
		slot->name = MemoryContextAlloc(cache->head.context, len + 1);
		memcpy(slot->name, name, len);
		slot->name_len = len;
		slot->project_id = project_id;
		slot->rule = find_rule(cache, project_id, name, len);
		slot->used = true;
	}
	return slot->rule < 0 ? &default_rule : &cache->rules[slot->rule];
}

/* apm.threshold_ms(project_id, transaction_name) */
PG_FUNCTION_INFO_V1(threshold_ms);
Datum
threshold_ms(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(rule_for(fcinfo)->threshold_ms);
}

/*
 * apm.threshold_value(project_id, transaction_name, duration_ms,
 * measurements): what the threshold is compared with.
 */
PG_FUNCTION_INFO_V1(threshold_value);
Datum
threshold_value(PG_FUNCTION_ARGS)
{
	double		lcp;

	if (!rule_for(fcinfo)->on_lcp)
	{
		if (PG_ARGISNULL(2))
			PG_RETURN_NULL();
		PG_RETURN_FLOAT8(PG_GETARG_FLOAT8(2));
	}
	if (PG_ARGISNULL(3) || !measurement_value(PG_GETARG_JSONB_P(3), "lcp", 3, &lcp))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(lcp);
}
