/*
 * store/normalize_scrub.h
 *		Secrets out of JSON and text, by the name of a key and by what a value
 *		looks like; each becomes "[Filtered]", the mark that Sentry's tools know.
 *
 * Pure: no server headers.  New strings are palloc'd.
 */
#ifndef PG_APM_NORMALIZE_SCRUB_H
#define PG_APM_NORMALIZE_SCRUB_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

#define SCRUB_MARK		"[Filtered]"
#define SCRUB_MARK_LEN	(sizeof(SCRUB_MARK) - 1)

/* The built-in rules. */
#define SCRUB_PASSWORD		0x01	/* keys that name secrets, and key=value in texts */
#define SCRUB_CREDITCARD	0x02	/* card numbers with a right check digit */
#define SCRUB_PEMKEY		0x04	/* PEM blocks of keys */
#define SCRUB_BEARER		0x08	/* bearer tokens and JSON web tokens */
#define SCRUB_URLAUTH		0x10	/* user and password in URLs */
#define SCRUB_IP			0x20	/* IP addresses */
#define SCRUB_DEFAULT		(SCRUB_PASSWORD | SCRUB_CREDITCARD | SCRUB_PEMKEY | \
							 SCRUB_BEARER | SCRUB_URLAUTH)

typedef struct ScrubRules
{
	uint32		builtin;
	const ApmStr *keys;			/* further names of keys, lower-case; * stands for anything */
	int			nkeys;
	/* Further patterns: puts the scrubbed text into *result if there was something. */
	bool		(*pattern) (void *arg, ApmStr text, ApmStr *result);
	void	   *arg;
} ScrubRules;

/*
 * Scrubs a JSON text, or a plain one, and returns how many values were
 * replaced; 0: it is what it was.  A text that is no JSON becomes NULL, since
 * nobody can tell what is in it.
 */
extern int64 scrub_json(const ScrubRules *rules, ApmStr *json);
extern int64 scrub_text(const ScrubRules *rules, ApmStr *text);

/* Is a text under this key to be replaced, whatever it is? */
extern bool scrub_key(const ScrubRules *rules, ApmStr key);

/* normalize_secret.c: what texts are searched for; shared by the two files. */
extern bool scrub_is_card(const char *s, size_t len, size_t *end);
extern bool scrub_secret_name(ApmStr key, bool *plural_token);
extern bool scrub_suspect(ApmStr text);

#endif							/* PG_APM_NORMALIZE_SCRUB_H */
