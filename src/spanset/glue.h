/*
 * spanset/glue.h
 *		apm.spanset as the server sees it.
 */
#ifndef PG_APM_SPANSET_GLUE_H
#define PG_APM_SPANSET_GLUE_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/palloc.h"

#include "spanset/spanset.h"

/* A new datum with the packed spans. */
extern Datum spanset_datum(const ApmSpan *spans, int n);

/*
 * Reads the wanted columns of a datum; what cannot be read is an error.
 * Start from a zeroed struct; hand it in again for the next datum.
 */
extern void spanset_open(SpansetColumns *c, Datum value, uint32 wanted);

/*
 * The same for those who go over many data and keep the columns from call to
 * call in a context that outlives the current one.  Of a value that lies out
 * of line only the beginning is fetched, if that is enough.
 */
extern void spanset_open_again(SpansetColumns *c, Datum value, uint32 wanted, MemoryContext keep);

/*
 * The datum without what aggregates add while they build it.  The result has
 * a header that VARDATA_ANY reads and may be the value itself.
 */
extern struct varlena *spanset_compact(Datum value);

/* The same, and packed so that no lexicon is needed: what may leave the database. */
extern struct varlena *spanset_portable(Datum value);

/* The lexicon of an id, an error if it is missing; the one to pack with, or NULL. */
extern const SpansetLexicon *lexicon_find(uint32 id);
extern const SpansetLexicon *lexicon_newest(void);

/* apm.span_count(). */
extern Datum spanset_span_count(PG_FUNCTION_ARGS);

#endif							/* PG_APM_SPANSET_GLUE_H */
