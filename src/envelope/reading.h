/*
 * envelope/reading.h
 *		The body that was read last, decoded.
 *
 * A query that reads an envelope asks several functions about one body: its
 * transactions, its spans, its problems.  The body is decoded for the first
 * of them and what came out is kept for the others.
 */
#ifndef PG_APM_ENVELOPE_READING_H
#define PG_APM_ENVELOPE_READING_H

#include "postgres.h"

#include "plugin/pg_apm_plugin.h"

/*
 * Hands segments, errors and problems of a body to the sink, as
 * envelope_decode() does.  All that comes before and after a problem of
 * another kind may come in another order: the segments first, then errors,
 * then problems.  The sink must not read another body meanwhile.
 */
extern void reading_decode(const char *body, size_t len, const ApmDecodeOptions *options,
						   const ApmSink *sink);

#endif							/* PG_APM_ENVELOPE_READING_H */
