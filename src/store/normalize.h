/*
 * store/normalize.h
 *		Descriptions and names without their variable parts, so that equal
 *		work groups together.
 *
 * Pure: no server headers.  Results are palloc'd.  Rules: the published
 * behaviour of Sentry's Relay (see docs/normalization.md for where we differ).
 */
#ifndef PG_APM_NORMALIZE_H
#define PG_APM_NORMALIZE_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/* Output under construction. */
typedef struct NormalizeBuffer
{
	char	   *data;
	size_t		len;
	size_t		max;
} NormalizeBuffer;

extern void normalize_buffer_init(NormalizeBuffer *b, size_t expected);
extern void normalize_append(NormalizeBuffer *b, const char *s, size_t len);
extern ApmStr normalize_buffer_str(const NormalizeBuffer *b);

/* Which family an op belongs to: "db", "http", "ui.react", …; NULL data: none. */
extern ApmStr normalize_category(ApmStr op);

/*
 * SQL text with literals, parameters and numbers as %s, comments gone, white
 * space and quotes evened out, long lists folded.  mysql: double quotes are
 * strings and # starts a comment.
 */
extern ApmStr normalize_sql(ApmStr sql, bool mysql);

/* "GET https://api.shop.test/x?y" to "GET https:// *.shop.test" (without the blank). */
extern ApmStr normalize_http(ApmStr description);

/* "GET user:17 x" to "GET *": the command word stays. */
extern ApmStr normalize_redis(ApmStr description);

/* URL of a script, style sheet or image: host and variable segments scrubbed. */
extern ApmStr normalize_resource(ApmStr description);

/* "/var/x/report.pdf" to "*.pdf". */
extern ApmStr normalize_file(ApmStr description);

/*
 * The description of a span without its variable parts, by its op and
 * category and its database system; NULL data when there is no rule for it.
 */
extern ApmStr normalize_description(ApmStr op, ApmStr category, ApmStr description,
									ApmStr db_system);

/*
 * A transaction name that looks like a URL with ids in its segments: each
 * segment that holds a UUID, a long hash, a date, hex, or an integer of two
 * or more digits becomes "*".  Returns the name itself when nothing changed
 * or nothing but stars would be left.
 */
extern ApmStr normalize_name(ApmStr name);

#endif							/* PG_APM_NORMALIZE_H */
