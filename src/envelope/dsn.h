/*
 * envelope/dsn.h
 *		Data source names: scheme://key[:secret]@host[:port][/path]/project.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_ENVELOPE_DSN_H
#define PG_APM_ENVELOPE_DSN_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/* Parts of a DSN, slices of its text; data == NULL: not there. */
typedef struct EnvelopeDsn
{
	ApmStr		scheme;
	ApmStr		public_key;		/* without the flags that may follow a dot */
	ApmStr		secret;
	ApmStr		host;			/* an IPv6 address keeps its brackets */
	int32		port;			/* 0: the scheme's */
	ApmStr		path;			/* with its first slash, without the last */
	int32		project_id;
} EnvelopeDsn;

/* False if text is no DSN. */
extern bool envelope_parse_dsn(ApmStr text, EnvelopeDsn *dsn);

#endif							/* PG_APM_ENVELOPE_DSN_H */
