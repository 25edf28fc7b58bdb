/*
 * metrics/modules.h
 *		Spans of one kind of work - queries, requests, caches, queues - in
 *		packed sets.
 */
#ifndef PG_APM_METRICS_MODULES_H
#define PG_APM_METRICS_MODULES_H

#include "postgres.h"

#include "metrics/span_facts.h"
#include "spanset/spanset.h"

/* The columns that module_span_read() reads. */
#define MODULE_WANTED (SPANSET_HOT | SPANSET_SELF_TIME | SPANSET_STATUS | SPANSET_TEXT)

/* A span of a module, or of none; strings are cut to what rollups hold of them. */
typedef struct ModuleSpan
{
	ApmStr		module;			/* no data: the span belongs to none */
	bool		by_transaction; /* its cells are those of one transaction name */
	ApmStr		op;
	ApmStr		category;
	ApmStr		group;
	ApmStr		label;			/* what tells the module's spans apart beside the group */
	ApmStr		description;	/* of spans of a module alone */
	int			status;			/* APM_STATUS_NULL or a code */
	int64		duration_us;
	int64		self_time_us;	/* APM_MICROS_NULL: unknown */
	SpanFacts	facts;			/* of spans of a module alone */
} ModuleSpan;

/*
 * Span i of columns read with MODULE_WANTED.  Strings point into them, or are
 * palloc'd.
 */
extern void module_span_read(const SpansetColumns *c, int i, ModuleSpan *span);

#endif							/* PG_APM_METRICS_MODULES_H */
