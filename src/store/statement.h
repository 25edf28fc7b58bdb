/*
 * store/statement.h
 *		SQL statements that are prepared once a session.
 */
#ifndef PG_APM_STATEMENT_H
#define PG_APM_STATEMENT_H

#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"

#define STATEMENT_MAX_ARGS 12

/*
 * A statement with its argument types.  InvalidOid stands for an array of
 * the row type row_type, which is looked up by name at each run, because a
 * dropped and created extension has types of other oids.
 */
typedef struct Statement
{
	const char *sql;
	int			nargs;
	Oid			types[STATEMENT_MAX_ARGS];
	const char *row_schema;		/* NULL: no such argument */
	const char *row_type;
	SPIPlanPtr	plan;			/* kept; NULL: not prepared */
	Oid			array_type;		/* the one the plan was prepared with */
} Statement;

/*
 * Runs it inside the caller's SPI connection, preparing it the first time.
 * nulls may be NULL.  An error unless SPI answers expected.  The current
 * memory context stays what it was.
 */
extern void statement_run(Statement *s, Datum *values, const char *nulls, int expected);

/* Oid of a row type by schema and name; an error if it is missing. */
extern Oid	statement_row_type(const char *schema, const char *name);

#endif							/* PG_APM_STATEMENT_H */
