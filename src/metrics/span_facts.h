/*
 * metrics/span_facts.h
 *		What the attributes of spans say about queries, requests, caches and
 *		queues.  Pure.
 */
#ifndef PG_APM_METRICS_SPAN_FACTS_H
#define PG_APM_METRICS_SPAN_FACTS_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/* Numbers are NaN, strings have no data, where nothing is known. */
typedef struct SpanFacts
{
	ApmStr		system;			/* of a query: postgresql, mysql, … */
	ApmStr		key_prefix;		/* of a cache's key: what stands before : or / */
	ApmStr		destination;	/* queue or topic */
	double		http_status;
	double		hit;			/* 1 or 0 */
	double		item_size;		/* bytes */
	double		latency_ms;		/* from publishing to receiving */
	double		retries;
} SpanFacts;

/*
 * Reads them out of attributes as JSON.  Values may stand in an object with
 * a type, and numbers in strings; negative or absurd numbers are not known.  Strings point into the text or are
 * palloc'd.  Text that is no JSON gives what stands before the error.
 */
extern void span_facts_read(ApmStr attributes, SpanFacts *facts);

#endif							/* PG_APM_METRICS_SPAN_FACTS_H */
