/*
 * spanset/glue.c
 *		SQL functions of apm.spanset: input and output, reading.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "spanset/glue.h"
#include "spanset/spanset_lexicon.h"
#include "types/rows.h"
#include "types/types.h"

static pg_attribute_noreturn() void
spanset_bytes_error(int code, const char *reason)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("invalid bytes for type apm.spanset"),
			 errdetail("The packed spans cannot be read: %s.", reason)));
}

/* Input, output. */

static Datum
spanset_from_outside(const char *data, size_t len)
{
	const char *error = spanset_check((const uint8 *) data, len);
	struct varlena *value;

	if (error != NULL)
		spanset_bytes_error(ERRCODE_INVALID_BINARY_REPRESENTATION, error);
	value = palloc(VARHDRSZ + len);
	SET_VARSIZE(value, VARHDRSZ + len);
	memcpy(VARDATA(value), data, len);
	return PointerGetDatum(value);
}

PG_FUNCTION_INFO_V1(spanset_in);
Datum
spanset_in(PG_FUNCTION_ARGS)
{
	const char *s = PG_GETARG_CSTRING(0);
	size_t		len = strlen(s);
	char	   *data;

	if (len < 2 || s[0] != '\\' || s[1] != 'x')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type apm.spanset"),
				 errdetail("It takes \\x and hexadecimal digits.")));
	data = palloc(len / 2);
	len = hex_decode(s + 2, len - 2, data);
	return spanset_from_outside(data, len);
}

PG_FUNCTION_INFO_V1(spanset_out);
Datum
spanset_out(PG_FUNCTION_ARGS)
{
	struct varlena *value = spanset_portable(PG_GETARG_DATUM(0));
	size_t		len = VARSIZE_ANY_EXHDR(value);
	char	   *s = palloc(2 * len + 3);

	s[0] = '\\';
	s[1] = 'x';
	s[2 + hex_encode(VARDATA_ANY(value), len, s + 2)] = '\0';
	PG_RETURN_CSTRING(s);
}

PG_FUNCTION_INFO_V1(spanset_recv);
Datum
spanset_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len = buf->len - buf->cursor;

	return spanset_from_outside(pq_getmsgbytes(buf, len), len);
}

static bytea *
spanset_bytes(Datum datum)
{
	struct varlena *value = spanset_portable(datum);
	size_t		len = VARSIZE_ANY_EXHDR(value);
	bytea	   *bytes = palloc(VARHDRSZ + len);

	SET_VARSIZE(bytes, VARHDRSZ + len);
	memcpy(VARDATA(bytes), VARDATA_ANY(value), len);
	return bytes;
}

PG_FUNCTION_INFO_V1(spanset_send);
Datum
spanset_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(spanset_bytes(PG_GETARG_DATUM(0)));
}

PG_FUNCTION_INFO_V1(spanset_to_bytea);
Datum
spanset_to_bytea(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(spanset_bytes(PG_GETARG_DATUM(0)));
}

PG_FUNCTION_INFO_V1(spanset_from_bytea);
Datum
spanset_from_bytea(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);

	return spanset_from_outside(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/* For C callers. */

Datum
spanset_datum(const ApmSpan *spans, int n)
{
	size_t		len;
	uint8	   *value;

	if (n > SPANSET_MAX_SPANS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many spans for one apm.spanset"),
				 errdetail("It holds at most %d.", SPANSET_MAX_SPANS)));
	value = spanset_pack(spans, n, VARHDRSZ, &len);
	SET_VARSIZE(value, len);
	return PointerGetDatum(value);
}

/* Gives the reader the lexicon that a value needs, of which v is the start at least. */
static void
provide_lexicon(SpansetColumns *c, const struct varlena *v)
{
	uint32		id = spanset_lexicon_id((const uint8 *) VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));

	if (id != 0 && (c->lexicon == NULL || c->lexicon->id != id))
		c->lexicon = lexicon_find(id);
}

void
spanset_open(SpansetColumns *c, Datum value, uint32 wanted)
{
	struct varlena *v = spanset_compact(value);
	const char *error;

	provide_lexicon(c, v);
	error = spanset_read(c, (const uint8 *) VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v), wanted);
	if (error != NULL)
		spanset_bytes_error(ERRCODE_DATA_CORRUPTED, error);
}

/*
 * A value that lies out of line is read from its first piece, if that holds
 * the wanted columns to their ends; where it does not, which the reader sees,
 * from one four times as long, and so on.  Strings point into the piece.
 */
static bool
open_start(SpansetColumns *c, Datum value, uint32 wanted, MemoryContext keep)
{
	const size_t len = toast_raw_datum_size(value) - VARHDRSZ;
	size_t		size;
	bool		done = false;

	for (size = TOAST_MAX_CHUNK_SIZE; !done && size < len; size *= 4)
	{
		struct varlena *piece = PG_DETOAST_DATUM_SLICE(value, 0, size);
		MemoryContext old;

		provide_lexicon(c, piece);
		old = MemoryContextSwitchTo(keep);
		done = spanset_read_start(c, (const uint8 *) VARDATA_ANY(piece), VARSIZE_ANY_EXHDR(piece),
								  len, wanted) == NULL;
		MemoryContextSwitchTo(old);
		if (!done)
			pfree(piece);
	}
	return done;
}

void
spanset_open_again(SpansetColumns *c, Datum value, uint32 wanted, MemoryContext keep)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);
	MemoryContext old;
	const char *error;

	if (VARATT_IS_EXTERNAL_ONDISK(v) && !(wanted & ~(SPANSET_HOT | SPANSET_SELF_TIME)) &&
		open_start(c, value, wanted, keep))
		return;
	v = spanset_compact(value);
	provide_lexicon(c, v);
	old = MemoryContextSwitchTo(keep);
	error = spanset_read(c, (const uint8 *) VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v), wanted);
	MemoryContextSwitchTo(old);
	if (error != NULL)
		spanset_bytes_error(ERRCODE_DATA_CORRUPTED, error);
}

/* Reading. */

/*
 * The spans of a value as rows of a set-returning function: all, or with an
 * op those that have it.
 */
static void
return_spans(FunctionCallInfo fcinfo, SpansetColumns *c, const bool *wanted_codes)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "apm.unnest row",
													  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(row_context);
	int			i;

	for (i = 0; i < c->n; i++)
	{
		ApmSpan		span;

		if (wanted_codes != NULL && !wanted_codes[c->op.codes[i]])
			continue;
		CHECK_FOR_INTERRUPTS();
		spanset_get(c, i, &span);
		rows_put_span(rsinfo->setResult, &span);
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row_context);
	spanset_free(c);
}

PG_FUNCTION_INFO_V1(spanset_unnest);
Datum
spanset_unnest(PG_FUNCTION_ARGS)
{
	SpansetColumns c = {0};

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	spanset_open(&c, PG_GETARG_DATUM(0), SPANSET_ALL);
	return_spans(fcinfo, &c, NULL);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(spanset_spans_of_op);
Datum
spanset_spans_of_op(PG_FUNCTION_ARGS)
{
	Datum		value = PointerGetDatum(spanset_compact(PG_GETARG_DATUM(0)));
	text	   *op = PG_GETARG_TEXT_PP(1);
	SpansetColumns c = {0};
	bool	   *wanted;
	bool		any = false;
	uint32		k;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	spanset_open(&c, value, SPANSET_OP);
	wanted = palloc0((c.op.count + 1) * sizeof(bool));
	for (k = 0; k < c.op.count; k++)
	{
		wanted[k + 1] = c.op.strings[k].len == VARSIZE_ANY_EXHDR(op) &&
			memcmp(c.op.strings[k].data, VARDATA_ANY(op), c.op.strings[k].len) == 0;
		any |= wanted[k + 1];
	}
	/* Most values do not have it: the rest of them is never looked at. */
	if (any)
	{
		spanset_open(&c, value, SPANSET_ALL);
		return_spans(fcinfo, &c, wanted);
	}
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(spanset_find_span);
Datum
spanset_find_span(PG_FUNCTION_ARGS)
{
	Datum		value = PointerGetDatum(spanset_compact(PG_GETARG_DATUM(0)));
	uint64		id = PG_GETARG_SPAN_ID(1);
	SpansetColumns c = {0};
	int			i;

	spanset_open(&c, value, SPANSET_SPAN_ID);
	for (i = 0; i < c.n; i++)
	{
		ApmSpan		span;

		if (c.span_id[i] != id)
			continue;
		spanset_open(&c, value, SPANSET_ALL);
		spanset_get(&c, i, &span);
		PG_RETURN_DATUM(HeapTupleGetDatum(rows_span(&span)));
	}
	PG_RETURN_NULL();
}

/* Reads the header alone, also of a value that lies out of line. */
PG_FUNCTION_INFO_V1(spanset_span_count);
Datum
spanset_span_count(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	struct varlena *head = PG_DETOAST_DATUM_SLICE(value, 0, SPANSET_HEADER);
	int			n;

	if (VARSIZE_ANY_EXHDR(head) > 0 && *(uint8 *) VARDATA_ANY(head) == SPANSET_WORKING)
		head = spanset_compact(value);
	n = spanset_count((const uint8 *) VARDATA_ANY(head), VARSIZE_ANY_EXHDR(head),
					  toast_raw_datum_size(value) - VARHDRSZ);
	if (n < 0)
		spanset_bytes_error(ERRCODE_DATA_CORRUPTED, "it has no valid header");
	PG_RETURN_INT32(n);
}

/* Earliest start and latest end; false if there are no spans. */
static bool
spanset_times(Datum value, int64 *start, int64 *end)
{
	SpansetColumns c = {0};
	int			i;

	spanset_open(&c, value, SPANSET_START | SPANSET_DURATION);
	for (i = 0; i < c.n; i++)
	{
		*start = i == 0 ? c.start_us[i] : Min(*start, c.start_us[i]);
		*end = i == 0 ? c.start_us[i] + c.duration_us[i] :
			Max(*end, c.start_us[i] + c.duration_us[i]);
	}
	i = c.n;
	spanset_free(&c);
	return i > 0;
}

PG_FUNCTION_INFO_V1(spanset_start_time);
Datum
spanset_start_time(PG_FUNCTION_ARGS)
{
	int64		start;
	int64		end;

	if (!spanset_times(PG_GETARG_DATUM(0), &start, &end))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(types_timestamp(start));
}

PG_FUNCTION_INFO_V1(spanset_end_time);
Datum
spanset_end_time(PG_FUNCTION_ARGS)
{
	int64		start;
	int64		end;

	if (!spanset_times(PG_GETARG_DATUM(0), &start, &end))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(types_timestamp(end));
}

static int
compare_strings(const void *a, const void *b)
{
	const ApmStr *x = a;
	const ApmStr *y = b;
	int			c = memcmp(x->data, y->data, Min(x->len, y->len));

	return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

PG_FUNCTION_INFO_V1(spanset_ops);
Datum
spanset_ops(PG_FUNCTION_ARGS)
{
	SpansetColumns c = {0};
	Datum	   *elements;
	int			n = 0;
	uint32		k;

	spanset_open(&c, PG_GETARG_DATUM(0), SPANSET_OP);
	if (c.op.count == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(TEXTOID));
	qsort(c.op.strings, c.op.count, sizeof(ApmStr), compare_strings);
	elements = palloc(c.op.count * sizeof(Datum));
	for (k = 0; k < c.op.count; k++)
		if (k == 0 || compare_strings(&c.op.strings[k - 1], &c.op.strings[k]) != 0)
			elements[n++] = PointerGetDatum(cstring_to_text_with_len(c.op.strings[k].data,
																	 c.op.strings[k].len));
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}
