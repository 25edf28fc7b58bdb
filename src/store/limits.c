/*
 * store/limits.c
 *		Cuts of what apm.ingest stores.  Readers return what was sent.
 */
#include "postgres.h"

#include "settings.h"
#include "store/cut.h"
#include "store/store.h"

/* What was cut of one item. */
typedef struct CutCount
{
	int64		texts;
	int64		tags;
	int64		attributes;
	int64		spans;
} CutCount;

static void
cut(ApmStr *s, int limit, CutCount *count)
{
	if (s->len > (uint32) limit && cut_text(s, limit))
		count->texts++;
}

/* Cut only where the text is not the same as one that was cut already. */
static void
cut_shared(ApmStr *s, int limit)
{
	cut_text(s, limit);
}

static bool
span_needs_cut(const ApmSpan *span)
{
	const ApmCutLimits *limits = &apm_cut_limits;

	return span->op.len > (uint32) limits->op || span->origin.len > (uint32) limits->origin ||
		limits->attributes > 0;
}

static ApmSpan *
copy_spans(const StoreSegment *s)
{
	ApmSpan    *spans = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(ApmSpan) * s->segment.nspans);

	memcpy(spans, s->segment.spans, sizeof(ApmSpan) * s->segment.nspans);
	return spans;
}

static void
limit_segment_spans(StoreSegment *s, CutCount *count)
{
	const ApmCutLimits *limits = &apm_cut_limits;
	ApmSpan    *spans;
	int			i;

	for (i = 0; i < s->segment.nspans; i++)
		if (span_needs_cut(&s->segment.spans[i]))
			break;
	if (i == s->segment.nspans)
		return;
	spans = copy_spans(s);
	for (i = 0; i < s->segment.nspans; i++)
	{
		cut(&spans[i].op, limits->op, count);
		cut(&spans[i].origin, limits->origin, count);
		count->attributes += cut_members(&spans[i].attributes, limits->attributes);
	}
	s->segment.spans = spans;
}

static void
limit_segment(StoreSegment *s, CutCount *count)
{
	const ApmCutLimits *limits = &apm_cut_limits;
	ApmTransaction *t = &s->transaction;

	limit_segment_spans(s, count);
	if (s->segment.transaction == NULL)
	{
		cut(&s->segment.transaction_name, limits->name, count);
		cut(&s->segment.environment, limits->environment, count);
		cut(&s->segment.release, limits->release, count);
		return;
	}
	cut(&t->name, limits->name, count);
	cut(&t->op, limits->op, count);
	cut(&t->environment, limits->environment, count);
	cut(&t->release, limits->release, count);
	cut_tags(&t->tags, limits->tag, &count->texts, &count->tags);
	/* the same texts once more */
	cut_shared(&s->segment.transaction_name, limits->name);
	cut_shared(&s->segment.environment, limits->environment);
	cut_shared(&s->segment.release, limits->release);
}

static void
limit_error(ApmError *e, CutCount *count)
{
	const ApmCutLimits *limits = &apm_cut_limits;

	cut(&e->value, limits->message, count);
	cut(&e->transaction_name, limits->name, count);
	cut(&e->culprit, limits->name, count);
	cut(&e->environment, limits->environment, count);
	cut(&e->release, limits->release, count);
	cut_tags(&e->tags, limits->tag, &count->texts, &count->tags);
}

static void
note_cuts(StoreBatch *batch, int item, const char *type, const CutCount *count)
{
	StoreBody  *body = &batch->bodies[batch->items[item].body];
	int32		ordinal = batch->items[item].ordinal;

	if (count->texts > 0)
		store_note(body, APM_OUTCOME_REPAIRED, ordinal, type, "cut",
				   "A text longer than its limit was cut.", count->texts);
	if (count->tags > 0)
		store_note(body, APM_OUTCOME_REPAIRED, ordinal, type, "cut_tag",
				   "A tag whose key is longer than pg_apm.max_tag_length was left out.", count->tags);
	if (count->attributes > 0)
		store_note(body, APM_OUTCOME_REPAIRED, ordinal, type, "cut_attributes",
				   "Attributes beyond pg_apm.max_span_attributes were left out.", count->attributes);
	if (count->spans > 0)
		store_note(body, APM_OUTCOME_DROPPED, ordinal, type, "span_too_many",
				   "A segment has more spans than pg_apm.max_spans.", count->spans);
}

/* The first of the spans, the segment's own always among them. */
void
limits_count(StoreBatch *batch)
{
	int			limit = apm_cut_limits.spans;
	int			i;
	int			j;

	for (i = 0; i < batch->nsegments && limit > 0; i++)
	{
		StoreSegment *s = &batch->segments[i];
		CutCount	count = {0};
		ApmSpan    *spans;

		if (s->segment.nspans <= limit)
			continue;
		spans = copy_spans(s);
		for (j = limit; j < s->segment.nspans; j++)
			if (s->segment.transaction != NULL && spans[j].span_id == s->transaction.span_id)
				spans[0] = spans[j];
		count.spans = s->segment.nspans - limit;
		s->segment.nspans = limit;
		s->segment.spans = spans;
		note_cuts(batch, s->item, s->segment.has_event_id ? "transaction" : "span", &count);
	}
}

void
limits_cut(StoreBatch *batch)
{
	const ApmCutLimits *limits = &apm_cut_limits;
	int			i;

	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];
		CutCount	count = {0};

		if (s->refused || s->duplicate)
			continue;
		limit_segment(s, &count);
		note_cuts(batch, s->item, s->segment.has_event_id ? "transaction" : "span", &count);
	}
	for (i = 0; i < batch->nerrors; i++)
	{
		CutCount	count = {0};

		if (batch->errors[i].refused || batch->errors[i].duplicate)
			continue;
		limit_error(&batch->errors[i].error, &count);
		note_cuts(batch, batch->errors[i].item, "event", &count);
	}
	for (i = 0; i < batch->nsessions; i++)
	{
		ApmSession *s = &batch->sessions[i].session;
		CutCount	count = {0};

		if (batch->items[batch->sessions[i].item].duplicate)
			continue;
		cut(&s->user, limits->tag, &count);
		cut(&s->environment, limits->environment, &count);
		cut(&s->release, limits->release, &count);
		note_cuts(batch, batch->sessions[i].item, "session", &count);
	}
	for (i = 0; i < batch->ncheck_ins; i++)
	{
		ApmCheckIn *c = &batch->check_ins[i].check_in;
		CutCount	count = {0};

		if (batch->items[batch->check_ins[i].item].duplicate)
			continue;
		cut(&c->monitor, limits->name, &count);
		cut(&c->environment, limits->environment, &count);
		cut(&c->release, limits->release, &count);
		note_cuts(batch, batch->check_ins[i].item, "check_in", &count);
	}
}
