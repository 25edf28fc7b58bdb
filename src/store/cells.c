/*
 * store/cells.c
 *		Cells of rollups, gathered from rows: the table of cells.
 *
 * Rows come straight from the executor, without a copy; cells lie in a hash
 * table and go into the result when the rows end.  When they take more than
 * work_mem, those of the width that takes most go before: mostly minutes, to
 * which nothing will be added, and not days.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "spanset/glue.h"
#include "store/cells.h"
#include "types/types.h"

#define MAX_COLUMNS		40
#define FIRST_SLOTS		1024
#define HASH_FACTOR		UINT64CONST(0x9e3779b97f4a7c15)
#define KEY_NULL		(-1)

/* Buckets are counted from a Monday, as by _apm.bin(). */
#define BUCKET_ORIGIN	((TimestampTz) 2 * USECS_PER_DAY)

static const int64 level_widths[] = {USECS_PER_MINUTE, USECS_PER_HOUR, USECS_PER_DAY};

#define LEVELS			((int) lengthof(level_widths))

/* A cell: this, what it adds up, its keys. */
typedef struct Cell
{
	uint64		hash;
	TimestampTz bucket;
	int32		level;
	int32		key_len;
} Cell;

#define CELL_MEASURES(cell) ((char *) (cell) + MAXALIGN(sizeof(Cell)))
#define CELL_KEY(table, cell) (CELL_MEASURES(cell) + MAXALIGN((table)->kind->size))

struct CellTable
{
	DestReceiver receiver;		/* first: the executor knows us by it */
	const CellKind *kind;
	ReturnSetInfo *result;
	TimestampTz since[LEVELS];	/* rows from since to before until have cells of the level */
	TimestampTz until[LEVELS];
	TimestampTz bucket[LEVELS];	/* of the last row, and whether there was one */
	bool		have_bucket;
	TimestampTz at;				/* of the current row */
	StringInfoData key;
	uint64		seed;			/* of hashes */
	uint64		key_hash;
	Cell	  **slots;			/* open addressing; NULL: free */
	uint32		n_slots;		/* a power of two */
	uint32		n_cells;
	MemoryContext keep;			/* from row to row: slots, columns of spans */
	MemoryContext cells[LEVELS];
	int			level;			/* of the cell that was handed out last */
	MemoryContext row;
	SpansetColumns spans;
};

/* ---- keys ---- */

void
cells_key_int(CellTable *table, int32 value)
{
	appendBinaryStringInfo(&table->key, (char *) &value, sizeof(value));
}

void
cells_key_text(CellTable *table, ApmStr s)
{
	cells_key_int(table, s.data == NULL ? KEY_NULL : (int32) s.len);
	if (s.data != NULL)
		appendBinaryStringInfo(&table->key, s.data, s.len);
}

void
cells_key_status(CellTable *table, Oid label)
{
	cells_key_int(table, (int32) label);
}

int
cells_key_mark(const CellTable *table)
{
	return table->key.len;
}

void
cells_key_back(CellTable *table, int mark)
{
	table->key.len = mark;
}

ApmStr
cells_text(const Datum *row, const bool *isnull, int column)
{
	ApmStr		s = {NULL, 0};
	struct varlena *text;

	if (isnull[column])
		return s;
	text = PG_DETOAST_DATUM_PACKED(row[column]);
	s.data = VARDATA_ANY(text);
	s.len = VARSIZE_ANY_EXHDR(text);
	return s;
}

/* The next key of a cell as a datum; returns where the one after it begins. */
static const char *
read_key(const char *p, char type, Datum *value, bool *isnull)
{
	int32		n;

	memcpy(&n, p, sizeof(n));
	p += sizeof(n);
	*isnull = false;
	if (type == 'i')
		*value = Int32GetDatum(n);
	else if (type == 's')
	{
		*isnull = n == (int32) InvalidOid;
		*value = ObjectIdGetDatum((Oid) n);
	}
	else if (n == KEY_NULL)
		*isnull = true;
	else
	{
		*value = PointerGetDatum(cstring_to_text_with_len(p, n));
		p += n;
	}
	return p;
}

/* ---- the table ---- */

static void
make_slots(CellTable *table, uint32 n)
{
	table->slots = MemoryContextAllocExtended(table->keep, n * sizeof(Cell *),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	table->n_slots = n;
}

static Cell **
free_slot(CellTable *table, uint64 hash)
{
	uint32		i = (uint32) hash & (table->n_slots - 1);

	while (table->slots[i] != NULL)
		i = (i + 1) & (table->n_slots - 1);
	return &table->slots[i];
}

static void
grow(CellTable *table)
{
	Cell	  **old = table->slots;
	uint32		n = table->n_slots;
	uint32		i;

	make_slots(table, 2 * n);
	for (i = 0; i < n; i++)
		if (old[i] != NULL)
			*free_slot(table, old[i]->hash) = old[i];
	pfree(old);
}

static Cell *
new_cell(CellTable *table, uint64 hash, TimestampTz bucket, int level)
{
	size_t		head = MAXALIGN(sizeof(Cell)) + MAXALIGN(table->kind->size);
	Cell	   *cell;

	if (2 * table->n_cells >= table->n_slots)
		grow(table);
	cell = MemoryContextAlloc(table->cells[level], head + table->key.len);
	memset(cell, 0, head);
	cell->hash = hash;
	cell->bucket = bucket;
	cell->level = level;
	cell->key_len = table->key.len;
	memcpy(CELL_KEY(table, cell), table->key.data, table->key.len);
	*free_slot(table, hash) = cell;
	table->n_cells++;
	return cell;
}

/* The cell of the current keys in a bucket, a new one if there is none. */
static Cell *
find_cell(CellTable *table, TimestampTz bucket, int level)
{
	uint64		hash = hash_combine64(table->key_hash, ((uint64) bucket + level) * HASH_FACTOR);
	uint32		i;

	for (i = (uint32) hash & (table->n_slots - 1); table->slots[i] != NULL;
		 i = (i + 1) & (table->n_slots - 1))
	{
		Cell	   *cell = table->slots[i];

		if (cell->hash == hash && cell->bucket == bucket && cell->level == level &&
			cell->key_len == table->key.len &&
			memcmp(CELL_KEY(table, cell), table->key.data, table->key.len) == 0)
			return cell;
	}
	return new_cell(table, hash, bucket, level);
}

MemoryContext
cells_context(CellTable *table)
{
	return table->cells[table->level];
}

void *
cells_next(CellTable *table, int *level)
{
	int			k;

	if (*level == 0)
		table->key_hash = hash_bytes_extended((unsigned char *) table->key.data, table->key.len,
											  table->seed);
	for (k = *level; k < LEVELS; k++)
		if (table->at >= table->since[k] && table->at < table->until[k])
		{
			*level = k + 1;
			table->level = k;
			return CELL_MEASURES(find_cell(table, table->bucket[k], k));
		}
	return NULL;
}

SpansetColumns *
cells_spans(CellTable *table, Datum spans, uint32 wanted)
{
	spanset_open_again(&table->spans, spans, wanted, table->keep);
	return &table->spans;
}

/* ---- the result ---- */

static void
put_cell(CellTable *table, const Cell *cell)
{
	const CellKind *kind = table->kind;
	const char *key = CELL_KEY(table, cell);
	Datum		values[MAX_COLUMNS];
	bool		isnull[MAX_COLUMNS] = {false};
	int			i;

	values[0] = Int32GetDatum((int32) (level_widths[cell->level] / USECS_PER_MINUTE));
	values[1] = TimestampTzGetDatum(cell->bucket);
	for (i = 0; kind->keys[i] != '\0'; i++)
		key = read_key(key, kind->keys[i], &values[2 + i], &isnull[2 + i]);
	kind->put(CELL_MEASURES(cell), &values[2 + i], &isnull[2 + i]);
	tuplestore_putvalues(table->result->setResult, table->result->setDesc, values, isnull);
}

/* The cells of a level into the result, and out of the table. */
static void
flush(CellTable *table, int level)
{
	MemoryContext old = MemoryContextSwitchTo(table->row);
	Cell	  **slots = table->slots;
	uint32		n = table->n_slots;
	uint32		i;

	make_slots(table, n);
	table->n_cells = 0;
	for (i = 0; i < n; i++)
	{
		if (slots[i] == NULL)
			continue;
		if (slots[i]->level != level)
		{
			*free_slot(table, slots[i]->hash) = slots[i];
			table->n_cells++;
			continue;
		}
		CHECK_FOR_INTERRUPTS();
		put_cell(table, slots[i]);
		MemoryContextReset(table->row);
	}
	pfree(slots);
	MemoryContextSwitchTo(old);
	MemoryContextReset(table->cells[level]);
}

/* Makes room if the cells take more memory than they may. */
static void
keep_to_memory(CellTable *table)
{
	Size		total = 0;
	int			largest = 0;
	int			k;

	for (k = 0; k < LEVELS; k++)
	{
		total += MemoryContextMemAllocated(table->cells[k], true);
		if (MemoryContextMemAllocated(table->cells[k], true) >
			MemoryContextMemAllocated(table->cells[largest], true))
			largest = k;
	}
	if (total > (Size) work_mem * 1024)
		flush(table, largest);
}

/* ---- rows ---- */

/*
 * Buckets of the current row; those of the row before are right for most.  A
 * moment lies in no other's bucket if it is infinite, or the other is: then a
 * difference has more than 63 bits.
 */
static void
find_buckets(CellTable *table)
{
	int			k;

	for (k = 0; k < LEVELS; k++)
		if (!table->have_bucket || table->at < table->bucket[k] ||
			(uint64) table->at - (uint64) table->bucket[k] >= (uint64) level_widths[k])
		{
			Interval	width = {.time = level_widths[k]};

			table->bucket[k] = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_bin,
																	   IntervalPGetDatum(&width),
																	   TimestampTzGetDatum(table->at),
																	   TimestampTzGetDatum(BUCKET_ORIGIN)));
		}
	table->have_bucket = true;
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	CellTable  *table = (CellTable *) self;
	MemoryContext old;

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	if (slot->tts_isnull[1])
		return true;
	old = MemoryContextSwitchTo(table->row);
	table->at = DatumGetTimestampTz(slot->tts_values[1]);
	find_buckets(table);
	table->key.len = 0;
	table->kind->take(table, slot->tts_values, slot->tts_isnull);
	MemoryContextReset(table->row);
	MemoryContextSwitchTo(old);
	keep_to_memory(table);
	return true;
}

static Oid
type_of_letter(char letter)
{
	switch (letter)
	{
		case 'i':
			return INT4OID;
		case 'z':
			return TIMESTAMPTZOID;
		case 't':
			return TEXTOID;
		case 'f':
			return FLOAT8OID;
		case 's':
			return types_apm_type("span_status");
		default:
			return types_apm_type("spanset");
	}
}

/* What is about to be read as such must have these types. */
static void
check_columns(DestReceiver *self, int operation, TupleDesc desc)
{
	const char *types = ((CellTable *) self)->kind->row;
	bool		same = desc->natts == (int) strlen(types);
	int			i;

	for (i = 0; same && i < desc->natts; i++)
		same = TupleDescAttr(desc, i)->atttypid == type_of_letter(types[i]);
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the query has other columns than the cells are made of")));
}

static void
no_end(DestReceiver *self)
{
}

static void
set_bounds(CellTable *table, FunctionCallInfo fcinfo)
{
	table->since[0] = PG_GETARG_TIMESTAMPTZ(1);
	table->until[0] = DT_NOEND;
	table->since[1] = table->since[2] = DT_NOBEGIN;
	table->until[1] = PG_GETARG_TIMESTAMPTZ(2);
	table->until[2] = PG_GETARG_TIMESTAMPTZ(3);
}

Datum
cells_gather(FunctionCallInfo fcinfo, const CellKind *kind)
{
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	SPIExecuteOptions options = {0};
	CellTable  *table = palloc0(sizeof(CellTable));
	int			k;

	InitMaterializedSRF(fcinfo, 0);
	table->kind = kind;
	table->result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (table->result->setDesc->natts != 2 + (int) strlen(kind->keys) + kind->n_measures ||
		table->result->setDesc->natts > MAX_COLUMNS)
		elog(ERROR, "cells have %d columns, the function's result has %d",
			 2 + (int) strlen(kind->keys) + kind->n_measures, table->result->setDesc->natts);
	set_bounds(table, fcinfo);
	/* Keys come from outside: nobody can know which of them would share a slot. */
	table->seed = pg_prng_uint64(&pg_global_prng_state);
	initStringInfo(&table->key);
	table->keep = CurrentMemoryContext;
	for (k = 0; k < LEVELS; k++)
		table->cells[k] = AllocSetContextCreate(CurrentMemoryContext, "apm cells", ALLOCSET_DEFAULT_SIZES);
	table->row = AllocSetContextCreate(CurrentMemoryContext, "apm row of cells", ALLOCSET_DEFAULT_SIZES);
	make_slots(table, FIRST_SLOTS);

	table->receiver.receiveSlot = receive_row;
	table->receiver.rStartup = check_columns;
	table->receiver.rShutdown = no_end;
	table->receiver.rDestroy = no_end;
	table->receiver.mydest = DestTuplestore;	/* any but DestNone: rows are wanted */
	options.read_only = true;
	options.dest = &table->receiver;
	SPI_connect();
	if (SPI_execute_extended(query, &options) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cells are made of the rows of a query")));
	SPI_finish();
	for (k = 0; k < LEVELS; k++)
		flush(table, k);
	spanset_free(&table->spans);
	PG_RETURN_NULL();
}
