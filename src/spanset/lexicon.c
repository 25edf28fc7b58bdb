/*
 * spanset/lexicon.c
 *		Lexicons of this database: finding, learning, and values that need
 *		one made to stand for themselves.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "spanset/glue.h"
#include "spanset/spanset_bits.h"
#include "spanset/spanset_lexicon.h"

#define COLUMN_ID		1
#define COLUMN_WORDS	2
#define COLUMN_MADE_AT	3

/* Lexicons that were read.  An id stands for the content, so they stay true. */
typedef struct Known
{
	SpansetLexicon *lexicon;
	struct Known *next;
} Known;

static Known *known = NULL;

static const SpansetLexicon *
lexicon_known(uint32 id)
{
	Known	   *k;

	for (k = known; k != NULL; k = k->next)
		if (k->lexicon->id == id)
			return k->lexicon;
	return NULL;
}

static const SpansetLexicon *
lexicon_keep(uint32 id, Datum words)
{
	bytea	   *bytes = DatumGetByteaPP(words);
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	SpansetLexicon *l = lexicon_read((uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	Known	   *k;

	if (l != NULL && l->id == id)
	{
		k = palloc(sizeof(Known));
		k->lexicon = l;
		k->next = known;
		known = k;
	}
	MemoryContextSwitchTo(old);
	return l != NULL && l->id == id ? l : NULL;
}

/*
 * Reads the lexicon of an id, or (0) the newest.  Packed spans are read by
 * everybody who may read the rows, so no privilege on this table is asked
 * for.
 */
static const SpansetLexicon *
lexicon_load(uint32 id)
{
	Oid			oid = get_relname_relid("lexicons", get_namespace_oid("_apm", false));
	const SpansetLexicon *found = NULL;
	TimestampTz newest = DT_NOBEGIN;
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	if (!OidIsValid(oid))
		return NULL;
	rel = table_open(oid, AccessShareLock);
	ScanKeyInit(&key, COLUMN_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum((int64) id));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, id == 0 ? 0 : 1, &key);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		bool		isnull;
		uint32		this_id = (uint32) DatumGetInt64(heap_getattr(tuple, COLUMN_ID, RelationGetDescr(rel), &isnull));
		TimestampTz made_at = DatumGetTimestampTz(heap_getattr(tuple, COLUMN_MADE_AT, RelationGetDescr(rel), &isnull));
		const SpansetLexicon *l;

		if (found != NULL && made_at <= newest)
			continue;
		l = lexicon_known(this_id);
		if (l == NULL)
			l = lexicon_keep(this_id, heap_getattr(tuple, COLUMN_WORDS, RelationGetDescr(rel), &isnull));
		if (l == NULL)
			continue;
		newest = made_at;
		found = l;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

const SpansetLexicon *
lexicon_find(uint32 id)
{
	const SpansetLexicon *l = lexicon_known(id);

	if (l == NULL)
		l = lexicon_load(id);
	if (l == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("lexicon %u of packed spans is missing", id),
				 errhint("Rows of _apm.lexicons must not be deleted: stored spans need them.")));
	return l;
}

const SpansetLexicon *
lexicon_newest(void)
{
	return lexicon_load(0);
}

/* A value packed anew with a lexicon, or (NULL) so that it needs none. */
static struct varlena *
spanset_repack(Datum value, const SpansetLexicon *lexicon)
{
	SpansetColumns c = {0};
	struct varlena *result;
	ApmSpan    *spans;
	size_t		len;
	int			i;

	spanset_open(&c, value, SPANSET_ALL);
	spans = MemoryContextAllocHuge(CurrentMemoryContext, (Size) Max(c.n, 1) * sizeof(ApmSpan));
	for (i = 0; i < c.n; i++)
		spanset_get(&c, i, &spans[i]);
	result = (struct varlena *) spanset_pack_with(lexicon, spans, c.n, VARHDRSZ, &len);
	SET_VARSIZE(result, len);
	pfree(spans);
	spanset_free(&c);
	return result;
}

struct varlena *
spanset_portable(Datum value)
{
	struct varlena *v = spanset_compact(value);

	if (spanset_lexicon_id((const uint8 *) VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v)) == 0)
		return v;
	return spanset_repack(PointerGetDatum(v), NULL);
}

PG_FUNCTION_INFO_V1(spanset_with_newest_lexicon);
Datum
spanset_with_newest_lexicon(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(spanset_repack(PG_GETARG_DATUM(0), lexicon_newest()));
}

PG_FUNCTION_INFO_V1(spanset_lexicon);
Datum
spanset_lexicon(PG_FUNCTION_ARGS)
{
	struct varlena *v = spanset_compact(PG_GETARG_DATUM(0));
	uint32		id = spanset_lexicon_id((const uint8 *) VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));

	if (id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(id);
}

/* Learning. */

/* words text[], text text: the lexicon's bytes; refused if it would be none. */
PG_FUNCTION_INFO_V1(lexicon_make);
Datum
lexicon_make(PG_FUNCTION_ARGS)
{
	ArrayType  *words = PG_GETARG_ARRAYTYPE_P(0);
	text	   *learned = PG_GETARG_TEXT_PP(1);
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	size_t		size = 16 + VARSIZE_ANY_EXHDR(learned);
	bytea	   *bytes;
	uint8	   *p;
	SpansetLexicon *l;
	int			i;

	deconstruct_array(words, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (i = 0; i < n; i++)
		size += nulls[i] ? 0 : 5 + VARSIZE_ANY_EXHDR(DatumGetTextPP(elements[i]));
	bytes = palloc(VARHDRSZ + size);
	p = write_varint((uint8 *) VARDATA(bytes), n);
	for (i = 0; i < n; i++)
	{
		text	   *word = nulls[i] ? NULL : DatumGetTextPP(elements[i]);
		uint32		len = word == NULL ? 0 : VARSIZE_ANY_EXHDR(word);

		p = write_varint(p, len);
		if (len > 0)
			memcpy(p, VARDATA_ANY(word), len);
		p += len;
	}
	memcpy(p, VARDATA_ANY(learned), VARSIZE_ANY_EXHDR(learned));
	p += VARSIZE_ANY_EXHDR(learned);
	SET_VARSIZE(bytes, (char *) p - (char *) bytes);

	l = lexicon_read((uint8 *) VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ);
	if (l == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("lexicon is too large"),
				 errdetail("It holds at most %d words, and with the text that is always known %d bytes of text.",
						   LEXICON_MAX_WORDS, CODEC_MAX_DICTIONARY)));
	lexicon_free(l);
	PG_RETURN_BYTEA_P(bytes);
}

PG_FUNCTION_INFO_V1(lexicon_number);
Datum
lexicon_number(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_INT64(lexicon_id((uint8 *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)));
}

typedef struct Pieces
{
	ReturnSetInfo *rsinfo;
	bool		is_word;
} Pieces;

static void
put_piece(const Pieces *p, const char *data, size_t len)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (len == 0)
		return;
	values[0] = BoolGetDatum(p->is_word);
	values[1] = PointerGetDatum(cstring_to_text_with_len(data, len));
	tuplestore_putvalues(p->rsinfo->setResult, p->rsinfo->setDesc, values, nulls);
}

/*
 * Members of a JSON object as they stand there: key, value and the comma.  It
 * was checked when it was stored, so strings and brackets can be counted.
 */
static void
put_members(const Pieces *p, ApmStr json)
{
	const char *end = json.data + json.len;
	const char *from = json.data + 1;
	const char *s;
	int			depth = 0;
	bool		quoted = false;

	for (s = json.data; s < end; s++)
	{
		if (quoted)
		{
			if (*s == '\\')
				s++;
			else if (*s == '"')
				quoted = false;
			continue;
		}
		if (*s == '"')
			quoted = true;
		else if (*s == '{' || *s == '[')
			depth++;
		else if (*s == '}' || *s == ']')
			depth--;
		else if (*s == ',' && depth == 1)
		{
			put_piece(p, from, s + 1 - from);
			from = s + 1;
		}
		else if (*s == ':' && depth == 1)
			put_piece(p, from, Min(s + 2, end) - from);
	}
	if (end - from > 1)
		put_piece(p, from, end - from);
}

static void
put_strings(const Pieces *p, const SpansetStrings *column)
{
	uint32		k;

	for (k = 0; k < column->count; k++)
		put_piece(p, column->strings[k].data, column->strings[k].len);
}

/* What a lexicon could learn from a value. */
PG_FUNCTION_INFO_V1(spanset_pieces);
Datum
spanset_pieces(PG_FUNCTION_ARGS)
{
	SpansetColumns c = {0};
	Pieces		p;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	p.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	spanset_open(&c, PG_GETARG_DATUM(0), SPANSET_ALL);
	p.is_word = true;
	put_strings(&p, &c.op);
	put_strings(&p, &c.category);
	put_strings(&p, &c.group);
	put_strings(&p, &c.origin);
	p.is_word = false;
	put_strings(&p, &c.description);
	for (i = 0; i < c.n; i++)
		if (c.attributes[i].len > 2 && c.attributes[i].data[0] == '{')
			put_members(&p, c.attributes[i]);
	spanset_free(&c);
	PG_RETURN_NULL();
}
