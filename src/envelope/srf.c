/*
 * envelope/srf.c
 *		Reading envelopes in SQL: set-returning functions over a body.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "envelope/dsn.h"
#include "envelope/envelope.h"
#include "envelope/framing.h"
#include "envelope/reading.h"
#include "json/jsonb.h"
#include "settings.h"
#include "types/rows.h"

/* Where a reading function puts its rows. */
typedef struct ReaderSink
{
	Tuplestorestate *rows;
	TupleDesc	desc;
	MemoryContext row_context;	/* reset after each row */
} ReaderSink;

static void
end_row(ReaderSink *out, MemoryContext caller)
{
	MemoryContextSwitchTo(caller);
	MemoryContextReset(out->row_context);
}

static void
put_transaction(void *arg, const ApmSegment *segment)
{
	ReaderSink *out = arg;
	MemoryContext caller;

	CHECK_FOR_INTERRUPTS();
	if (segment->transaction == NULL)
		return;
	caller = MemoryContextSwitchTo(out->row_context);
	rows_put_transaction(out->rows, segment->transaction);
	end_row(out, caller);
}

static void
put_spans(void *arg, const ApmSegment *segment)
{
	ReaderSink *out = arg;
	int32		i;

	for (i = 0; i < segment->nspans; i++)
	{
		MemoryContext caller = MemoryContextSwitchTo(out->row_context);

		CHECK_FOR_INTERRUPTS();
		rows_put_span(out->rows, &segment->spans[i]);
		end_row(out, caller);
	}
}

static void
put_error(void *arg, int32 ordinal, const ApmError *error)
{
	ReaderSink *out = arg;
	MemoryContext caller = MemoryContextSwitchTo(out->row_context);

	CHECK_FOR_INTERRUPTS();
	tuplestore_puttuple(out->rows, rows_error(error, 0));
	end_row(out, caller);
}

/* A sentence for the detail column: what became of it, why, how often, where. */
static text *
problem_detail(const ApmProblem *problem)
{
	static const char *const outcomes[] = {"rejected", "skipped", "dropped", "repaired"};
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s: %s", outcomes[problem->outcome], problem->detail);
	if (problem->quantity > 1)
		appendStringInfo(&buf, ", " INT64_FORMAT " times", problem->quantity);
	if (problem->offset >= 0)
		appendStringInfo(&buf, problem->quantity > 1 ? ", first at byte " INT64_FORMAT :
						 ", at byte " INT64_FORMAT, problem->offset);
	return cstring_to_text_with_len(buf.data, buf.len);
}

static void
put_problem(void *arg, const ApmProblem *problem)
{
	ReaderSink *out = arg;
	MemoryContext caller = MemoryContextSwitchTo(out->row_context);
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};

	CHECK_FOR_INTERRUPTS();
	values[0] = Int32GetDatum(problem->ordinal);
	nulls[1] = problem->type.data == NULL;
	values[1] = nulls[1] ? (Datum) 0 :
		PointerGetDatum(cstring_to_text_with_len(problem->type.data, problem->type.len));
	values[2] = CStringGetTextDatum(problem->reason);
	values[3] = PointerGetDatum(problem_detail(problem));
	tuplestore_putvalues(out->rows, out->desc, values, nulls);
	end_row(out, caller);
}

/* Sinks for what a function does not ask for. */
static void
ignore_segment(void *arg, const ApmSegment *segment)
{
	CHECK_FOR_INTERRUPTS();
}

static void
ignore_error(void *arg, int32 ordinal, const ApmError *error)
{
	CHECK_FOR_INTERRUPTS();
}

static void
ignore_problem(void *arg, const ApmProblem *problem)
{
	CHECK_FOR_INTERRUPTS();
}

static void
ignore_session(void *arg, int32 ordinal, const ApmSession *session)
{
	CHECK_FOR_INTERRUPTS();
}

static void
ignore_check_in(void *arg, int32 ordinal, const ApmCheckIn *check_in)
{
	CHECK_FOR_INTERRUPTS();
}

static void
ignore_discard(void *arg, int32 ordinal, const ApmDiscard *discard)
{
	CHECK_FOR_INTERRUPTS();
}

static void
ignore_item(void *arg, const ApmItem *item)
{
	CHECK_FOR_INTERRUPTS();
}

/* A sink that takes what apm.ingest takes, that problems are the same, and keeps nothing. */
static ApmSink
reader_sink(void)
{
	ApmSink		sink = {0};

	sink.segment = ignore_segment;
	sink.error = ignore_error;
	sink.session = ignore_session;
	sink.check_in = ignore_check_in;
	sink.discard = ignore_discard;
	sink.item = apm_keep_raw_items ? ignore_item : NULL;
	sink.problem = ignore_problem;
	return sink;
}

/* Prepares the result set of a function. */
static void
reader_begin(FunctionCallInfo fcinfo, ReaderSink *out)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	out->rows = rsinfo->setResult;
	out->desc = rsinfo->setDesc;
	out->row_context = AllocSetContextCreate(CurrentMemoryContext, "envelope row",
											 ALLOCSET_DEFAULT_SIZES);
}

/*
 * Decodes the body in argument 0 into rows.  Memory does not grow with the
 * calls: one query may read millions of bodies.
 */
static Datum
reader_run(FunctionCallInfo fcinfo, ApmSink *sink)
{
	ReaderSink	out;
	ApmDecodeOptions options = apm_decode_options();

	reader_begin(fcinfo, &out);
	sink->arg = &out;
	reading_decode(PG_GETARG_DATUM(0), &options, sink);
	MemoryContextDelete(out.row_context);
	return (Datum) 0;
}

/* apm.envelope_transactions(body bytea) */
PG_FUNCTION_INFO_V1(envelope_transactions);
Datum
envelope_transactions(PG_FUNCTION_ARGS)
{
	ApmSink		sink = reader_sink();

	sink.segment = put_transaction;
	return reader_run(fcinfo, &sink);
}

/* apm.envelope_spans(body bytea) */
PG_FUNCTION_INFO_V1(envelope_spans);
Datum
envelope_spans(PG_FUNCTION_ARGS)
{
	ApmSink		sink = reader_sink();

	sink.segment = put_spans;
	return reader_run(fcinfo, &sink);
}

/* apm.envelope_errors(body bytea) */
PG_FUNCTION_INFO_V1(envelope_errors);
Datum
envelope_errors(PG_FUNCTION_ARGS)
{
	ApmSink		sink = reader_sink();

	sink.error = put_error;
	return reader_run(fcinfo, &sink);
}

/* apm.envelope_problems(body bytea) */
PG_FUNCTION_INFO_V1(envelope_problems);
Datum
envelope_problems(PG_FUNCTION_ARGS)
{
	ApmSink		sink = reader_sink();

	sink.problem = put_problem;
	return reader_run(fcinfo, &sink);
}

/* Splits a body as the current settings say. */
static bool
frame_body(EnvelopeFrame *frame, bytea *body)
{
	ApmDecodeOptions options = apm_decode_options();
	size_t		len = VARSIZE_ANY_EXHDR(body);

	if (options.max_envelope_size > 0 && len > (size_t) options.max_envelope_size)
		return false;
	return envelope_frame(frame, VARDATA_ANY(body), len, options.strict, options.max_depth);
}

/* apm.envelope_header(body bytea): NULL unless the body is an envelope. */
PG_FUNCTION_INFO_V1(envelope_header);
Datum
envelope_header(PG_FUNCTION_ARGS)
{
	EnvelopeFrame frame;

	if (!frame_body(&frame, PG_GETARG_BYTEA_PP(0)))
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(json_text_to_jsonb(frame.header));
}

/* apm.envelope_items(body bytea) */
PG_FUNCTION_INFO_V1(envelope_items);
Datum
envelope_items(PG_FUNCTION_ARGS)
{
	ReaderSink	out;
	EnvelopeFrame frame;
	EnvelopeItem item;

	reader_begin(fcinfo, &out);
	if (!frame_body(&frame, PG_GETARG_BYTEA_PP(0)))
		return (Datum) 0;
	while (envelope_next_item(&frame, &item))
	{
		MemoryContext caller = MemoryContextSwitchTo(out.row_context);
		ApmStr		type = json_string_text(&item.type);
		bytea	   *payload = palloc(VARHDRSZ + item.length);
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};

		CHECK_FOR_INTERRUPTS();
		SET_VARSIZE(payload, VARHDRSZ + item.length);
		memcpy(VARDATA(payload), item.payload, item.length);
		values[0] = Int32GetDatum(item.ordinal);
		values[1] = PointerGetDatum(cstring_to_text_with_len(type.data, type.len));
		values[2] = JsonbPGetDatum(json_text_to_jsonb(item.header));
		values[3] = PointerGetDatum(payload);
		tuplestore_putvalues(out.rows, out.desc, values, nulls);
		end_row(&out, caller);
	}
	MemoryContextDelete(out.row_context);
	return (Datum) 0;
}

static Datum
str_datum(ApmStr s, bool *isnull)
{
	*isnull = s.data == NULL;
	return *isnull ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

/* apm.parse_dsn(dsn text) */
PG_FUNCTION_INFO_V1(parse_dsn);
Datum
parse_dsn(PG_FUNCTION_ARGS)
{
	text	   *arg = PG_GETARG_TEXT_PP(0);
	EnvelopeDsn dsn;
	ApmStr		s;
	TupleDesc	desc;
	Datum		values[8];
	bool		nulls[8];
	StringInfoData endpoint;
	int			i = 0;

	s.data = VARDATA_ANY(arg);
	s.len = VARSIZE_ANY_EXHDR(arg);
	/* The text holds a key: the message does not repeat it. */
	if (!envelope_parse_dsn(s, &dsn))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid DSN"),
				 errhint("A DSN looks like https://public_key@host/project_id.")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	values[i] = str_datum(dsn.scheme, &nulls[i]), i++;
	values[i] = str_datum(dsn.public_key, &nulls[i]), i++;
	values[i] = str_datum(dsn.secret, &nulls[i]), i++;
	values[i] = str_datum(dsn.host, &nulls[i]), i++;
	values[i] = Int32GetDatum(dsn.port), nulls[i] = dsn.port == 0, i++;
	values[i] = str_datum(dsn.path, &nulls[i]), i++;
	values[i] = Int32GetDatum(dsn.project_id), nulls[i] = false, i++;
	initStringInfo(&endpoint);
	appendStringInfo(&endpoint, "%.*s://%.*s", (int) dsn.scheme.len, dsn.scheme.data,
					 (int) dsn.host.len, dsn.host.data);
	if (dsn.port != 0)
		appendStringInfo(&endpoint, ":%d", dsn.port);
	if (dsn.path.data != NULL)
		appendBinaryStringInfo(&endpoint, dsn.path.data, dsn.path.len);
	appendStringInfo(&endpoint, "/api/%d/envelope/", dsn.project_id);
	values[i] = CStringGetTextDatum(endpoint.data), nulls[i] = false;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
