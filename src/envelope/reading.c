/*
 * envelope/reading.c
 *		The body that was read last, decoded.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "fmgr.h"
#include "utils/memutils.h"

#include "compat.h"
#include "envelope/envelope.h"
#include "envelope/reading.h"

/*
 * Longest body that is kept; what is decoded from it takes a few times as
 * much.  Of larger ones nothing is kept, that memory stays small.
 */
#define KEPT_BODY_BYTES		(64 * 1024)

/* A growing list of structs that a decoder has handed out. */
typedef struct ReadingList
{
	void	   *data;
	int32		n;
	int32		cap;
} ReadingList;

typedef struct KeptError
{
	int32		ordinal;
	ApmError	error;
} KeptError;

/*
 * Where a body is stored.  Within one statement of one transaction, whose
 * first snapshot lasts and keeps rows from being removed, a TOAST pointer
 * stands for the bytes: they need not be fetched again to be compared.
 */
typedef struct StoredBody
{
	struct varatt_external pointer;
	TimestampTz statement;
	TimestampTz transaction;	/* a procedure may have several */
} StoredBody;

typedef struct Reading
{
	bool		complete;
	StoredBody	stored;			/* all zero if it was not */
	const char *body;
	size_t		len;
	ApmDecodeOptions options;
	bool		items;			/* did somebody take items of other types? */
	ReadingList segments;
	ReadingList errors;
	ReadingList problems;
} Reading;

static MemoryContext reading_context = NULL;	/* of all that last points to */
static Reading last;

static void
add(ReadingList *list, const void *element, size_t size)
{
	if (list->n == list->cap)
	{
		list->cap = Max(list->cap * 2, 4);
		list->data = list->data == NULL ? palloc(list->cap * size) :
			repalloc(list->data, list->cap * size);
	}
	memcpy((char *) list->data + list->n++ * size, element, size);
}

static void
keep_segment(void *arg, const ApmSegment *segment)
{
	add(&((Reading *) arg)->segments, segment, sizeof(ApmSegment));
}

static void
keep_error(void *arg, int32 ordinal, const ApmError *error)
{
	KeptError	kept;

	kept.ordinal = ordinal;
	kept.error = *error;
	add(&((Reading *) arg)->errors, &kept, sizeof(KeptError));
}

static void
keep_problem(void *arg, const ApmProblem *problem)
{
	add(&((Reading *) arg)->problems, problem, sizeof(ApmProblem));
}

/* False if the body is not stored out of line. */
static bool
find_stored(Datum body, StoredBody *stored)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(body);

	memset(stored, 0, sizeof(StoredBody));
	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return false;
	VARATT_EXTERNAL_GET_POINTER(stored->pointer, value);
	stored->statement = GetCurrentStatementStartTimestamp();
	stored->transaction = GetCurrentTransactionStartTimestamp();
	return true;
}

/* Was the last body decoded in the same way? */
static bool
is_same_way(const ApmDecodeOptions *options, const ApmSink *sink)
{
	return last.complete && last.items == (sink->item != NULL) &&
		memcmp(&last.options, options, sizeof(ApmDecodeOptions)) == 0;
}

/* Hands out what was kept. */
static void
replay(const ApmSink *sink)
{
	const ApmSegment *segments = last.segments.data;
	const KeptError *errors = last.errors.data;
	const ApmProblem *problems = last.problems.data;
	int32		i;

	for (i = 0; i < last.segments.n; i++)
		sink->segment(sink->arg, &segments[i]);
	for (i = 0; i < last.errors.n; i++)
		sink->error(sink->arg, errors[i].ordinal, &errors[i].error);
	for (i = 0; i < last.problems.n; i++)
		sink->problem(sink->arg, &problems[i]);
}

/* Decodes a body that is too large to be kept. */
static void
decode_large(const char *body, size_t len, const ApmDecodeOptions *options, const ApmSink *sink)
{
	MemoryContext decoding = AllocSetContextCreate(CurrentMemoryContext, "envelope",
												   ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(decoding);
	uint8		event_id[16];

	envelope_decode(body, len, options, sink, event_id);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(decoding);
}

/* Decodes a body, to be kept. */
static void
read_body(const char *body, size_t len, const ApmDecodeOptions *options, const ApmSink *sink)
{
	ApmSink		keeper = *sink;
	MemoryContext caller;
	char	   *copy;
	uint8		event_id[16];

	if (reading_context == NULL)
		reading_context = AllocSetContextCreate(TopMemoryContext, "pg_apm envelope", 0,
												4 * ALLOCSET_DEFAULT_INITSIZE,
												ALLOCSET_DEFAULT_MAXSIZE);
	/* Not complete before the end: decoding may be interrupted. */
	memset(&last, 0, sizeof(last));
	MemoryContextReset(reading_context);
	caller = MemoryContextSwitchTo(reading_context);
	copy = palloc(len + 1);
	memcpy(copy, body, len);
	keeper.arg = &last;
	keeper.segment = keep_segment;
	keeper.error = keep_error;
	keeper.problem = keep_problem;
	envelope_decode(copy, len, options, &keeper, event_id);
	MemoryContextSwitchTo(caller);

	last.body = copy;
	last.len = len;
	last.options = *options;
	last.items = sink->item != NULL;
	last.complete = true;
}

void
reading_decode(Datum body, const ApmDecodeOptions *options, const ApmSink *sink)
{
	bool		same_way = is_same_way(options, sink);
	StoredBody	stored;
	bytea	   *bytes;
	const char *data;
	size_t		len;

	if (find_stored(body, &stored) && same_way &&
		memcmp(&last.stored, &stored, sizeof(StoredBody)) == 0)
	{
		replay(sink);
		return;
	}

	bytes = DatumGetByteaPP(body);
	data = VARDATA_ANY(bytes);
	len = VARSIZE_ANY_EXHDR(bytes);
	if (len > KEPT_BODY_BYTES)
		decode_large(data, len, options, sink);
	else
	{
		if (!same_way || last.len != len || memcmp(last.body, data, len) != 0)
			read_body(data, len, options, sink);
		last.stored = stored;
		replay(sink);
	}
	if ((Pointer) bytes != DatumGetPointer(body))
		pfree(bytes);
}
