/*
 * store/enrich.h
 *		What apm.ingest adds to spans before they are packed.
 */
#ifndef PG_APM_ENRICH_H
#define PG_APM_ENRICH_H

#include "postgres.h"

#include "plugin/pg_apm_plugin.h"

/*
 * Sets the category of each span, where none was sent, by its op, and its
 * group: 16 hex digits that are equal for descriptions that differ in their
 * variable parts only (first half of the MD5 of the normalized description).
 * New strings live in the current context.
 */
extern void enrich_spans(ApmSpan *spans, int n);

#endif							/* PG_APM_ENRICH_H */
