/*
 * envelope/envelope.h
 *		The public interface of this room: Sentry envelopes as a format.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_ENVELOPE_H
#define PG_APM_ENVELOPE_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/*
 * Decodes an envelope into sink, as ApmFormat.decode wants it.  What was sent
 * is handed out as it was sent.  Memory is palloc'd in the current context
 * and left to its reset.
 *
 * The event id returned is the header's, else the first one in a payload.
 */
extern bool envelope_decode(const char *body, size_t len, const ApmDecodeOptions *options,
							const ApmSink *sink, uint8_t event_id[16]);

/* The format "sentry". */
extern const ApmFormat envelope_format_sentry;

/*
 * The format "sentry_store": the JSON of one event or transaction, as older
 * SDKs post it.  It is decoded like an item of that kind with ordinal 1.
 */
extern const ApmFormat envelope_format_sentry_store;

/*
 * Why items of a type that is not decoded are passed over: "not_stored" or
 * "unknown_type".
 */
extern const char *envelope_skip_reason(ApmStr type, const char **detail);

/*
 * A better name for a transaction whose name says little: "Pageload" and
 * "Navigation" become the path of the page, "GET" becomes "GET /path".  The
 * path is url.path (or http.target) of attributes, those of its own span as the
 * text of a JSON object; without it the name stays.  The result may be
 * palloc'd.
 */
extern ApmStr envelope_better_name(const ApmTransaction *t, ApmStr attributes);

#endif							/* PG_APM_ENVELOPE_H */
