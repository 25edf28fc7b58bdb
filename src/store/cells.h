/*
 * store/cells.h
 *		Cells of rollups, gathered from rows in one pass for minutes, hours and
 *		days at once.
 *
 * A kind of cells says what rows it takes, what tells its cells apart and
 * what they add up.  It is driven by cells_gather(), which runs a query and
 * returns cells as rows (minutes of the bucket's width, bucket, keys,
 * measures).  The same cell may come several times, each with a part of its
 * rows: whoever reads cells merges them anyway.
 */
#ifndef PG_APM_STORE_CELLS_H
#define PG_APM_STORE_CELLS_H

#include "postgres.h"

#include "fmgr.h"

#include "plugin/pg_apm_plugin.h"

typedef struct CellTable CellTable;

typedef struct CellKind
{
	/*
	 * Types of the query's columns: i integer, z timestamptz, t text, f
	 * float8, s apm.span_status, p apm.spanset.  The second is the moment
	 * that says which buckets a row belongs to.
	 */
	const char *row;
	const char *keys;			/* types of the keys: i, t or s */
	int			n_measures;		/* columns that put() fills */
	size_t		size;			/* of what a cell adds up; zeroed when it is new */

	/* Takes a row: sets the keys, then adds to each cell of cells_next(). */
	void		(*take) (CellTable *table, const Datum *row, const bool *isnull);

	/* The measures of a cell. */
	void		(*put) (const void *measures, Datum *values, bool *isnull);
} CellKind;

/*
 * The keys of the cells that the current row adds to, in order.  A row with
 * several of them goes back to where they begin to differ.
 */
extern void cells_key_int(CellTable *table, int32 value);
extern void cells_key_text(CellTable *table, ApmStr s);
extern void cells_key_status(CellTable *table, Oid label);	/* InvalidOid: NULL */
extern int	cells_key_mark(const CellTable *table);
extern void cells_key_back(CellTable *table, int mark);

/* A text datum as a string; no data if it is NULL. */
extern ApmStr cells_text(const Datum *row, const bool *isnull, int column);

/*
 * What the cells of the current keys add up, one width after the other; NULL
 * when there are no more.  Start with *level = 0.  What is allocated for a cell
 * belongs into cells_context(), which is that of the last one.
 */
extern void *cells_next(CellTable *table, int *level);
extern MemoryContext cells_context(CellTable *table);

/* Columns of the spans of a row, whose arrays serve row after row. */
struct SpansetColumns;
extern struct SpansetColumns *cells_spans(CellTable *table, Datum spans, uint32 wanted);

/*
 * A set-returning function (query text, minutes_since, hours_until,
 * days_until timestamptz): minutes of rows from minutes_since on, hours and
 * days of those before hours_until and days_until.
 */
extern Datum cells_gather(FunctionCallInfo fcinfo, const CellKind *kind);

#endif							/* PG_APM_STORE_CELLS_H */
