/*
 * envelope/credentials.h
 *		Who sends this?  The public key that came with a request.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_ENVELOPE_CREDENTIALS_H
#define PG_APM_ENVELOPE_CREDENTIALS_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/* Newest version of the protocol. */
#define CREDENTIALS_VERSION 7

typedef struct Credentials
{
	ApmStr		public_key;		/* 32 lower-case hex digits, palloc'd */
	int32		project_id;		/* of the DSN; 0: none said */
} Credentials;

/*
 * Reads the value of X-Sentry-Auth or Authorization, a query string and a
 * DSN; each may be NULL or empty.  A header and a query string exclude each
 * other; a DSN may stand beside one of them, and must agree.  Returns NULL, or
 * a word that says what is wrong.
 */
extern const char *credentials_read(ApmStr header, ApmStr query, ApmStr dsn, Credentials *out);

#endif							/* PG_APM_ENVELOPE_CREDENTIALS_H */
