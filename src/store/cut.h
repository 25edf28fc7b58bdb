/*
 * store/cut.h
 *		Cutting what is longer than allowed.
 *
 * Pure: no server headers.  Lengths are in characters; a limit of 0 is none.
 * New text is palloc'd.
 */
#ifndef PG_APM_CUT_H
#define PG_APM_CUT_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/*
 * Cuts a text on a character boundary, so that it ends in "..." and has limit
 * characters.  True if it was longer.
 */
extern bool cut_text(ApmStr *s, int limit);

/*
 * Tags, a JSON object of strings: values that are too long are cut, members
 * whose keys are too long are dropped.  Adds to the counters.
 */
extern void cut_tags(ApmStr *tags, int limit, int64 *cut, int64 *dropped);

/* The first limit members of a JSON object; returns how many were dropped. */
extern int64 cut_members(ApmStr *object, int limit);

#endif							/* PG_APM_CUT_H */
