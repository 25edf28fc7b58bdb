/*
 * store/ingest.c
 *		apm.ingest and apm.ingest_batch: bodies in, one result row each.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "plugin/registry.h"
#include "settings.h"
#include "store/adjust.h"
#include "store/scrub.h"
#include "store/store.h"

#define RESULT_COLUMNS 5

/*
 * The DSN in a body's header may name another project than the request.
 * Strict refuses the body, as Relay does; lenient stores it for the project
 * of the request, which is the one that was authenticated.
 */
static void
check_dsn(StoreBatch *batch, StoreBody *body, const StoreMark *mark, bool strict)
{
	static const char *const reason = "project_mismatch";

	if (body->dsn_project_id == 0 || body->dsn_project_id == body->project_id)
		return;
	if (!strict)
	{
		store_note(body, APM_OUTCOME_REPAIRED, 0, "envelope", reason,
				   "The DSN in the header names another project than the request, which counts.", 1);
		return;
	}
	receive_forget(batch, body, mark);
	body->refused = true;
	body->rejected = 1;
	store_note(body, APM_OUTCOME_REJECTED, 0, "envelope", reason,
			   "The DSN in the header names another project than the request.", 1);
}

static void
batch_decode(StoreBatch *batch, const ApmFormat *format)
{
	ApmDecodeOptions options = apm_decode_options();
	ApmSink		sink;

	receive_sink(batch, &sink);
	for (batch->current = 0; batch->current < batch->nbodies; batch->current++)
	{
		StoreBody  *body = &batch->bodies[batch->current];
		StoreMark	mark = receive_mark(batch);
		struct varlena *bytes;

		body->sent_us = APM_MICROS_NULL;
		body->dsn_project_id = 0;
		if (body->refused)
			continue;
		if (body->is_null)
		{
			body->refused = true;
			body->rejected = 1;
			store_note(body, APM_OUTCOME_REJECTED, 0, "envelope", "null_body",
					   "The body is null.", 1);
			continue;
		}
		bytes = pg_detoast_datum_packed(body->bytes);
		body->has_event_id = format->decode(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes),
											&options, &sink, body->event_id);
		check_dsn(batch, body, &mark, options.strict);
	}
}

/* Each item counts once, whatever parts of it were stored, skipped or refused. */
static void
batch_count_items(StoreBatch *batch)
{
	int			i;

	for (i = 0; i < batch->nitems; i++)
	{
		const StoreItem *item = &batch->items[i];
		StoreBody  *body = &batch->bodies[item->body];

		if (item->stored)
			body->accepted++;
		else if (item->skipped)
			body->skipped++;
		else
			body->rejected++;
	}
}

/* Stores the bodies; everything it allocates stays in the current context. */
static void
batch_run(StoreBody *bodies, int nbodies, const ApmFormat *format)
{
	StoreBatch	batch = {0};

	batch.bodies = bodies;
	batch.nbodies = nbodies;
	persist_check_projects(&batch);
	batch_decode(&batch, format);
	adjust_times(&batch);
	adjust_inferred(&batch);
	limits_count(&batch);
	persist_check_partitions(&batch);
	identity_claim(&batch);
	scrub_batch(&batch);
	limits_cut(&batch);
	persist_rows(&batch);
	batch_count_items(&batch);
	persist_outcomes(&batch);
}

/* Forgets what a failed attempt left in a body. */
static void
body_reset(StoreBody *body)
{
	body->refused = false;
	body->has_event_id = false;
	body->accepted = body->rejected = body->skipped = 0;
	body->problems = NULL;
	body->nproblems = 0;
}

/* An error of the data alone, worth trying the other bodies without it? */
static bool
error_is_of_data(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			return true;
		default:
			return false;
	}
}

/*
 * Runs the bodies in a subtransaction.  True if it went through; false if
 * it failed because of the data, and everything is as before.  Any other
 * error (out of disk, cancelled, deadlock) is the caller's.
 */
static bool
batch_try(StoreBody *bodies, int nbodies, const ApmFormat *format, char **message)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool ok = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		batch_run(bodies, nbodies, format);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (!error_is_of_data(error->sqlerrcode))
			ReThrowError(error);
		*message = error->message;
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

/*
 * Stores a batch.  Decoders answer for what payloads may hold, so an error
 * out of the statements is not expected; should one come, each body is tried
 * alone and only the guilty one is refused.
 */
static void
store_bodies(StoreBody *bodies, int nbodies, const ApmFormat *format)
{
	char	   *message;
	int			i;

	if (nbodies == 0 || batch_try(bodies, nbodies, format, &message))
		return;
	for (i = 0; i < nbodies; i++)
	{
		body_reset(&bodies[i]);
		if (nbodies > 1 && batch_try(&bodies[i], 1, format, &message))
			continue;
		body_reset(&bodies[i]);
		bodies[i].rejected = 1;
		store_note(&bodies[i], APM_OUTCOME_REJECTED, 0, "envelope", "internal", message, 1);
		ereport(LOG,
				(errmsg("pg_apm refused a body that could not be stored: %s", message)));
		{
			StoreBatch	failed = {0};

			failed.bodies = &bodies[i];
			failed.nbodies = 1;
			persist_outcomes(&failed);
		}
	}
}

/* Results. */

static void
push_pair(JsonbParseState **state, const char *key, JsonbValue *value)
{
	JsonbValue	k;

	k.type = jbvString;
	k.val.string.val = unconstify(char *, key);
	k.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &k);
	pushJsonbValue(state, WJB_VALUE, value);
}

static void
push_text(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, text);
	v.val.string.len = strlen(text);
	push_pair(state, key, &v);
}

static void
push_int(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	v;

	v.type = jbvNumeric;
	v.val.numeric = int64_to_numeric(number);
	push_pair(state, key, &v);
}

/* [{"item", "type", "outcome", "reason", "detail", "offset", "quantity"}, …] */
static Jsonb *
body_problems(const StoreBody *body)
{
	static const char *const names[] = {"rejected", "skipped", "dropped", "repaired"};
	JsonbParseState *state = NULL;
	int			i;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (i = 0; i < body->nproblems; i++)
	{
		const StoreProblem *p = &body->problems[i];

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		if (p->ordinal > 0)
			push_int(&state, "item", p->ordinal);
		push_text(&state, "type", p->type);
		push_text(&state, "outcome", names[p->outcome]);
		push_text(&state, "reason", p->reason);
		if (p->detail != NULL)
			push_text(&state, "detail", p->detail);
		if (p->offset >= 0)
			push_int(&state, "offset", p->offset);
		push_int(&state, "quantity", p->quantity);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

static void
put_results(ReturnSetInfo *rsinfo, const StoreBody *bodies, int nbodies)
{
	int			i;

	for (i = 0; i < nbodies; i++)
	{
		const StoreBody *body = &bodies[i];
		Datum		values[RESULT_COLUMNS];
		bool		nulls[RESULT_COLUMNS] = {0};

		nulls[0] = !body->has_event_id;
		values[0] = PointerGetDatum(body->event_id);
		values[1] = Int32GetDatum(body->accepted);
		values[2] = Int32GetDatum(body->rejected);
		values[3] = Int32GetDatum(body->skipped);
		nulls[4] = (body->nproblems == 0);
		if (!nulls[4])
			values[4] = JsonbPGetDatum(body_problems(body));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* Runs in a context of its own, that a batch's memory goes with it. */
static void
ingest_bodies(FunctionCallInfo fcinfo, StoreBody *bodies, int nbodies, text *format)
{
	MemoryContext context;
	MemoryContext old;

	if (format == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"format\" must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "pg_apm batch", ALLOCSET_DEFAULT_SIZES);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	old = MemoryContextSwitchTo(context);
	store_bodies(bodies, nbodies, registry_format(text_to_cstring(format)));
	MemoryContextSwitchTo(old);
	SPI_finish();
	put_results((ReturnSetInfo *) fcinfo->resultinfo, bodies, nbodies);
	MemoryContextDelete(context);
}

static pg_attribute_noreturn() void
null_argument(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not contain null", name)));
}

static void
check_received(TimestampTz t)
{
	if (TIMESTAMP_NOT_FINITE(t))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("argument \"received_at\" must be finite")));
}

/* apm.ingest(body, project_id, received_at, format) */
PG_FUNCTION_INFO_V1(apm_ingest);
Datum
apm_ingest(PG_FUNCTION_ARGS)
{
	StoreBody	body = {0};

	if (PG_ARGISNULL(1))
		null_argument("project_id");
	body.is_null = PG_ARGISNULL(0);
	if (!body.is_null)
		body.bytes = (struct varlena *) PG_GETARG_POINTER(0);
	body.project_id = PG_GETARG_INT32(1);
	body.received_at = PG_ARGISNULL(2) ? GetCurrentTransactionStartTimestamp() :
		PG_GETARG_TIMESTAMPTZ(2);
	check_received(body.received_at);
	ingest_bodies(fcinfo, &body, 1, PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3));
	return (Datum) 0;
}

static ArrayType *
array_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	ArrayType  *array;

	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	array = PG_GETARG_ARRAYTYPE_P(n);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must be a one-dimensional array", name)));
	return array;
}

static void
check_length(const char *name, int n, int nbodies)
{
	if (n != nbodies)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" has %d elements, but \"bodies\" has %d",
						name, n, nbodies),
				 errhint("All arrays must be of the same length, one element for each body.")));
}

/* apm.ingest_batch(bodies, project_ids, received_at, format) */
PG_FUNCTION_INFO_V1(apm_ingest_batch);
Datum
apm_ingest_batch(PG_FUNCTION_ARGS)
{
	ArrayType  *arrays[3];
	Datum	   *elements[3];
	bool	   *nulls[3];
	int			n[3];
	StoreBody  *bodies;
	int			i;

	arrays[0] = array_argument(fcinfo, 0, "bodies");
	arrays[1] = array_argument(fcinfo, 1, "project_ids");
	arrays[2] = array_argument(fcinfo, 2, "received_at");
	deconstruct_array(arrays[0], BYTEAOID, -1, false, TYPALIGN_INT, &elements[0], &nulls[0], &n[0]);
	deconstruct_array(arrays[1], INT4OID, 4, true, TYPALIGN_INT, &elements[1], &nulls[1], &n[1]);
	deconstruct_array(arrays[2], TIMESTAMPTZOID, 8, true, TYPALIGN_DOUBLE,
					  &elements[2], &nulls[2], &n[2]);
	check_length("project_ids", n[1], n[0]);
	check_length("received_at", n[2], n[0]);

	bodies = palloc0(sizeof(StoreBody) * Max(n[0], 1));
	for (i = 0; i < n[0]; i++)
	{
		if (nulls[1][i])
			null_argument("project_ids");
		bodies[i].is_null = nulls[0][i];
		bodies[i].bytes = nulls[0][i] ? NULL : (struct varlena *) DatumGetPointer(elements[0][i]);
		bodies[i].project_id = DatumGetInt32(elements[1][i]);
		bodies[i].received_at = nulls[2][i] ? GetCurrentTransactionStartTimestamp() :
			DatumGetTimestampTz(elements[2][i]);
		check_received(bodies[i].received_at);
	}
	ingest_bodies(fcinfo, bodies, n[0], PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3));
	return (Datum) 0;
}
