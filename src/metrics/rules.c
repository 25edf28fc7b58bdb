/*
 * metrics/rules.c
 *		What a call site remembers of a table of settings, and the definition
 *		of failure of a project.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "metrics/rules.h"
#include "types/types.h"

/* A row of apm.failure_rules. */
typedef struct FailureRule
{
	int32		project_id;
	uint32		mask;
} FailureRule;

typedef struct FailureCache
{
	RuleCache	head;
	uint32		any_project;	/* mask where no rule names the project */
	int			nrules;
	FailureRule *rules;			/* by project_id */
	bool		has_last;
	FailureRule last;			/* the project of the row before, and its mask */
} FailureCache;

RuleCache *
rule_cache_of(FunctionCallInfo fcinfo, size_t size, void (*load) (RuleCache *cache))
{
	RuleCache  *cache = fcinfo->flinfo->fn_extra;
	Snapshot	snapshot = GetActiveSnapshot();

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, size);
		cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "apm metric rules",
											   ALLOCSET_SMALL_SIZES);
	}
	else if (cache->completions == snapshot->snapXactCompletionCount &&
			 cache->command == snapshot->curcid)
		return cache;
	else
	{
		MemoryContextReset(cache->context);
		/* Should reading fail, nothing of it is used again. */
		fcinfo->flinfo->fn_extra = NULL;
	}
	load(cache);
	cache->completions = snapshot->snapXactCompletionCount;
	cache->command = snapshot->curcid;
	fcinfo->flinfo->fn_extra = cache;
	return cache;
}

uint32
failure_mask(ArrayType *statuses)
{
	uint32		mask = 0;
	Datum	   *labels;
	bool	   *nulls;
	int			n;
	int			i;

	deconstruct_array(statuses, ARR_ELEMTYPE(statuses), sizeof(Oid), true, TYPALIGN_INT,
					  &labels, &nulls, &n);
	for (i = 0; i < n; i++)
		if (!nulls[i])
			mask |= (uint32) 1 << types_status_code(DatumGetObjectId(labels[i]));
	return mask;
}

static void
load_failure_rules(RuleCache *head)
{
	FailureCache *cache = (FailureCache *) head;
	uint64		i;

	SPI_connect();
	if (SPI_execute("SELECT project_id, failing FROM apm.failure_rules ORDER BY project_id",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read apm.failure_rules");
	cache->rules = MemoryContextAlloc(head->context, Max(1, SPI_processed) * sizeof(FailureRule));
	cache->nrules = 0;
	cache->any_project = FAILURE_DEFAULT_MASK;
	cache->has_last = false;
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		any_project;
		bool		isnull;
		Datum		project_id = SPI_getbinval(tuple, desc, 1, &any_project);
		uint32		mask = failure_mask(DatumGetArrayTypeP(SPI_getbinval(tuple, desc, 2, &isnull)));

		if (any_project)
			cache->any_project = mask;
		else
		{
			cache->rules[cache->nrules].project_id = DatumGetInt32(project_id);
			cache->rules[cache->nrules++].mask = mask;
		}
	}
	SPI_finish();
}

static uint32
mask_of_project(const FailureCache *cache, int32 project_id)
{
	int			low = 0;
	int			high = cache->nrules;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (cache->rules[middle].project_id == project_id)
			return cache->rules[middle].mask;
		if (cache->rules[middle].project_id < project_id)
			low = middle + 1;
		else
			high = middle;
	}
	return cache->any_project;
}

/*
 * apm.is_failure(project_id, status): by apm.failure_rules.  A row without
 * status is no failure, so that all rows count in a rate.
 */
PG_FUNCTION_INFO_V1(is_failure);
Datum
is_failure(PG_FUNCTION_ARGS)
{
	FailureCache *cache;
	int32		project_id;

	if (PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	cache = (FailureCache *) rule_cache_of(fcinfo, sizeof(FailureCache), load_failure_rules);
	/* No rule can have 0, where a NULL project leads. */
	project_id = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);
	if (!cache->has_last || cache->last.project_id != project_id)
	{
		cache->last.project_id = project_id;
		cache->last.mask = mask_of_project(cache, project_id);
		cache->has_last = true;
	}
	PG_RETURN_BOOL((cache->last.mask >> types_status_code(PG_GETARG_OID(1))) & 1);
}
