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
 * Decodes a body, a bytea that may be toasted, and hands its segments to the
 * sink, then its errors, then its problems.  What the sink keeps of them is
 * gone with the next call, and the sink must not make one.
 */
extern void reading_decode(Datum body, const ApmDecodeOptions *options, const ApmSink *sink);

#endif							/* PG_APM_ENVELOPE_READING_H */
