/*
 * metrics/rules.h
 *		Settings that lie in small tables (apm.thresholds, apm.failure_rules)
 *		and are asked for on every row of a query.
 */
#ifndef PG_APM_METRICS_RULES_H
#define PG_APM_METRICS_RULES_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"

/* The head of what a call site remembers; the rest lies in the context. */
typedef struct RuleCache
{
	uint64		completions;	/* of the snapshot the rules were read in */
	CommandId	command;
	MemoryContext context;
} RuleCache;

/*
 * The cache of this call site, a struct of that size that begins with a
 * RuleCache.  load fills it from the table when the site is new or when other
 * changes have become visible: sites in PL/pgSQL outlive a statement.
 */
extern RuleCache *rule_cache_of(FunctionCallInfo fcinfo, size_t size,
								void (*load) (RuleCache *cache));

/* Status codes 0 to 2, ok, cancelled and unknown, are no failures. */
#define FAILURE_DEFAULT_MASK (~(uint32) 7)

/* A bit for each status code of an apm.span_status[]; NULLs name none. */
extern uint32 failure_mask(ArrayType *statuses);

#endif							/* PG_APM_METRICS_RULES_H */
