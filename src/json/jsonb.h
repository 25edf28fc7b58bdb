/*
 * json/jsonb.h
 *		JSON text to jsonb, without ever failing on content.
 */
#ifndef PG_APM_JSON_JSONB_H
#define PG_APM_JSON_JSONB_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "plugin/pg_apm_plugin.h"

/*
 * Jsonb of a text that json_reader_capture() has passed.  What jsonb cannot
 * hold is replaced, not refused: \u0000 and lone surrogates become U+FFFD,
 * numbers beyond numeric become strings of their digits, keys and strings
 * beyond jsonb's length limit are cut on a character boundary.  Of duplicate
 * keys the last wins.  The result is palloc'd in the current context.
 */
extern Jsonb *json_text_to_jsonb(ApmStr text);

#endif							/* PG_APM_JSON_JSONB_H */
