/*
 * envelope/decode_group.c
 *		Hands out spans in groups of equal trace and segment.  Pure.
 */
#include "envelope/decode.h"

/* Where a span stands: its trace, an id to sort by, its place in the array. */
typedef struct SpanKey
{
	uint8		trace_id[16];
	uint64		id;
	int32		index;
} SpanKey;

/* A run of equal keys. */
typedef struct SpanRun
{
	int32		first;			/* place in the array: of its segment span, else its first */
	int32		start;			/* in the sorted keys */
	int32		n;
} SpanRun;

static int
compare_ids(const SpanKey *a, const SpanKey *b)
{
	int			c = memcmp(a->trace_id, b->trace_id, 16);

	if (c != 0)
		return c;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int
compare_keys(const void *a, const void *b)
{
	const SpanKey *x = a;
	const SpanKey *y = b;
	int			c = compare_ids(x, y);

	return c != 0 ? c : (x->index > y->index) - (x->index < y->index);
}

static int
compare_runs(const void *a, const void *b)
{
	const SpanRun *x = a;
	const SpanRun *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Keys of all spans, sorted by trace and either span id or segment id. */
static SpanKey *
sorted_keys(const ApmSpan *spans, int32 n, bool by_segment)
{
	SpanKey    *keys = palloc(n * sizeof(SpanKey));
	int32		i;

	for (i = 0; i < n; i++)
	{
		memcpy(keys[i].trace_id, spans[i].trace_id, 16);
		keys[i].id = by_segment ? spans[i].segment_id : spans[i].span_id;
		keys[i].index = i;
	}
	qsort(keys, n, sizeof(SpanKey), compare_keys);
	return keys;
}

/* Index of the span with this id in this trace, -1 if there is none. */
static int32
find_span(const SpanKey *keys, int32 n, const uint8 *trace_id, uint64 span_id)
{
	SpanKey		wanted;
	int32		low = 0;
	int32		high = n;

	memcpy(wanted.trace_id, trace_id, 16);
	wanted.id = span_id;
	while (low < high)
	{
		int32		middle = low + (high - low) / 2;

		if (compare_ids(&keys[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && compare_ids(&keys[low], &wanted) == 0 ? keys[low].index : -1;
}

/*
 * Finds the segment of spans that do not name it by following their parents
 * to one that does.  Each span is settled once: a walk stops at the first
 * settled one and hands its segment to all it passed.
 */
void
group_resolve(ApmSpan *spans, SpanExtra *extra, int32 n)
{
	SpanKey    *keys = NULL;
	int32	   *path = NULL;
	int32		i;

	for (i = 0; i < n; i++)
	{
		int32		length = 0;
		int32		at = i;
		uint64		segment_id;

		if (!extra[i].orphan)
			continue;
		if (keys == NULL)
		{
			keys = sorted_keys(spans, n, false);
			path = palloc(n * sizeof(int32));
		}
		while (at >= 0 && extra[at].orphan)
		{
			extra[at].orphan = false;	/* a cycle ends where it began */
			path[length++] = at;
			at = spans[at].parent_span_id == 0 ? -1 :
				find_span(keys, n, spans[at].trace_id, spans[at].parent_span_id);
		}
		segment_id = at >= 0 ? spans[at].segment_id : 0;
		while (length > 0)
			spans[path[--length]].segment_id = segment_id;
	}
	if (keys != NULL)
	{
		pfree(keys);
		pfree(path);
	}
}

/* One group, its spans side by side. */
static void
emit_run(Decoder *d, const ApmSpan *spans, const SpanExtra *extra, int32 n,
		 ApmTransaction *transactions)
{
	ApmSegment	segment;
	int32		i;

	memset(&segment, 0, sizeof(segment));
	segment.ordinal = d->item.ordinal;
	memcpy(segment.trace_id, spans[0].trace_id, 16);
	segment.segment_id = spans[0].segment_id;
	segment.spans = spans;
	segment.nspans = n;
	for (i = 0; i < n; i++)
	{
		if (extra[i].transaction >= 0)
		{
			ApmTransaction *t = &transactions[extra[i].transaction];

			if (t->span_count == 0)
				t->span_count = n;
			segment.transaction = t;
			segment.has_event_id = t->has_event_id;
			segment.transaction_name = t->name;
			segment.environment = t->environment;
			segment.release = t->release;
			break;
		}
		if (segment.transaction_name.data == NULL)
			segment.transaction_name = extra[i].segment_name;
		if (segment.environment.data == NULL)
			segment.environment = extra[i].environment;
		if (segment.release.data == NULL)
			segment.release = extra[i].release;
	}
	d->sink->segment(d->sink->arg, &segment);
}

/*
 * A group, less segment spans that repeat the id of an earlier one: each of
 * those gets a group of its own, so that none of the transactions is lost.
 */
static void
emit_group(Decoder *d, ApmSpan *spans, SpanExtra *extra, int32 n, ApmTransaction *transactions)
{
	bool		have_transaction = false;
	int32		kept = 0;
	int32		i;

	for (i = 0; i < n; i++)
	{
		if (extra[i].transaction >= 0)
		{
			if (have_transaction)
			{
				ApmSpan    *alone = palloc(sizeof(ApmSpan));	/* its place is taken below */

				*alone = spans[i];
				emit_run(d, alone, &extra[i], 1, transactions);
				continue;
			}
			have_transaction = true;
		}
		if (kept != i)
		{
			spans[kept] = spans[i];
			extra[kept] = extra[i];
		}
		kept++;
	}
	emit_run(d, spans, extra, kept, transactions);
}

/*
 * Groups the spans by trace and segment and hands the groups to the sink, in
 * the order of their segment spans; a group without one counts as standing
 * where its first span does.
 */
void
group_emit(Decoder *d, ApmSpan *spans, SpanExtra *extra, int32 n, ApmTransaction *transactions)
{
	SpanKey    *keys;
	SpanRun    *runs;
	ApmSpan    *group;
	SpanExtra  *group_extra;
	int32		nruns = 0;
	int32		i;
	int32		j;

	for (i = 1; i < n; i++)
		if (spans[i].segment_id != spans[0].segment_id ||
			memcmp(spans[i].trace_id, spans[0].trace_id, 16) != 0)
			break;
	if (i >= n)
	{
		if (n > 0)
			emit_group(d, spans, extra, n, transactions);
		return;
	}

	keys = sorted_keys(spans, n, true);
	runs = palloc(n * sizeof(SpanRun));
	for (i = 0; i < n; i = j)
	{
		int32		k;

		for (j = i + 1; j < n && compare_ids(&keys[i], &keys[j]) == 0; j++)
			;
		runs[nruns].first = keys[i].index;
		for (k = i; k < j; k++)
			if (extra[keys[k].index].transaction >= 0)
			{
				runs[nruns].first = keys[k].index;
				break;
			}
		runs[nruns].start = i;
		runs[nruns++].n = j - i;
	}
	qsort(runs, nruns, sizeof(SpanRun), compare_runs);

	group = palloc(n * sizeof(ApmSpan));	/* the receiver keeps it */
	group_extra = palloc(n * sizeof(SpanExtra));
	for (i = 0; i < nruns; i++)
	{
		for (j = 0; j < runs[i].n; j++)
		{
			group[j] = spans[keys[runs[i].start + j].index];
			group_extra[j] = extra[keys[runs[i].start + j].index];
		}
		emit_group(d, group, group_extra, runs[i].n, transactions);
		group += runs[i].n;
	}
	pfree(keys);
	pfree(runs);
	pfree(group_extra);
}
