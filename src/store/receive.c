/*
 * store/receive.c
 *		Receiving what a decoder emits: the sink of a batch.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "envelope/envelope.h"
#include "settings.h"
#include "store/store.h"

/* Kinds of problem kept apart for one body; further ones share an entry. */
#define MAX_PROBLEMS 50

/* Item types are cut to this many bytes where they are repeated. */
#define TYPE_LEN 64

/* Makes room for one more element of an array that grows. */
#define GROW(array, n, max, type) \
	do { \
		if ((n) == (max)) \
		{ \
			(max) = Max(16, (max) * 2); \
			(array) = (array) == NULL ? palloc(sizeof(type) * (max)) : \
				repalloc_huge((array), sizeof(type) * (max)); \
		} \
	} while (0)

static bool
same_type(const char *known, const char *type, uint32 len)
{
	return strlen(known) == len && memcmp(known, type, len) == 0;
}

StoreProblem *
store_add_problem(StoreBody *body, const ApmProblem *problem)
{
	static const char envelope[] = "envelope";
	const char *type = problem->type.data == NULL ? envelope : problem->type.data;
	uint32		len = problem->type.data == NULL ? sizeof(envelope) - 1 : problem->type.len;
	StoreProblem *p;
	int			i;

	if (len > TYPE_LEN)
		len = pg_mbcliplen(type, len, TYPE_LEN);	/* not within a character */
	for (i = 0; i < body->nproblems; i++)
	{
		p = &body->problems[i];
		if ((p->outcome == problem->outcome && strcmp(p->reason, problem->reason) == 0 &&
			 same_type(p->type, type, len)) || i == MAX_PROBLEMS - 1)
		{
			p->quantity += problem->quantity;
			return p;
		}
	}
	if (body->problems == NULL)
		body->problems = palloc(sizeof(StoreProblem) * MAX_PROBLEMS);
	p = &body->problems[body->nproblems++];
	p->outcome = problem->outcome;
	p->ordinal = problem->ordinal;
	p->type = pnstrdup(type, len);
	p->reason = problem->reason;
	p->detail = problem->detail;
	p->offset = problem->offset;
	p->quantity = problem->quantity;
	p->bytes = 0;
	return p;
}

void
store_note(StoreBody *body, ApmOutcome outcome, int32 ordinal, const char *type,
		   const char *reason, const char *detail, int64 quantity)
{
	ApmProblem	p;

	p.outcome = outcome;
	p.ordinal = ordinal;
	p.type.data = type;
	p.type.len = strlen(type);
	p.reason = reason;
	p.detail = detail;
	p.offset = -1;
	p.quantity = quantity;
	store_add_problem(body, &p);
}

/* Decoders go from item to item, so a known one is the last. */
int
receive_item(StoreBatch *batch, int32 ordinal)
{
	StoreItem  *item;

	if (batch->nitems > 0)
	{
		item = &batch->items[batch->nitems - 1];
		if (item->body == batch->current && item->ordinal == ordinal)
			return batch->nitems - 1;
	}
	GROW(batch->items, batch->nitems, batch->maxitems, StoreItem);
	item = &batch->items[batch->nitems];
	memset(item, 0, sizeof(*item));
	item->body = batch->current;
	item->ordinal = ordinal;
	return batch->nitems++;
}

/*
 * Problems of an item make it known, even if nothing of it can be stored.
 * What is said of the body as a whole (ordinal 0) counts only if it refuses it.
 */
static void
sink_problem(void *arg, const ApmProblem *problem)
{
	StoreBatch *batch = arg;
	StoreBody  *body = &batch->bodies[batch->current];

	CHECK_FOR_INTERRUPTS();
	if (problem->ordinal == 0)
		body->rejected += (problem->outcome == APM_OUTCOME_REJECTED);
	else if (problem->outcome != APM_OUTCOME_REPAIRED)
	{
		int			item = receive_item(batch, problem->ordinal);

		if (problem->outcome == APM_OUTCOME_SKIPPED)
			batch->items[item].skipped = true;
	}
	store_add_problem(body, problem);
}

static void
sink_header(void *arg, const ApmEnvelope *envelope)
{
	StoreBatch *batch = arg;
	StoreBody  *body = &batch->bodies[batch->current];

	body->sent_us = envelope->sent_us;
	body->dsn_project_id = envelope->project_id;
}

static void
sink_segment(void *arg, const ApmSegment *segment)
{
	StoreBatch *batch = arg;
	StoreSegment *s;

	CHECK_FOR_INTERRUPTS();
	GROW(batch->segments, batch->nsegments, batch->maxsegments, StoreSegment);
	s = &batch->segments[batch->nsegments++];
	s->item = receive_item(batch, segment->ordinal);
	s->segment = *segment;
	if (segment->transaction != NULL)
		s->transaction = *segment->transaction;
	s->refused = false;
	s->spans_retired = false;
	s->duplicate = false;
	s->late_vitals.data = NULL;
	s->late_vitals.len = 0;
}

static void
sink_error(void *arg, int32 ordinal, const ApmError *error)
{
	StoreBatch *batch = arg;
	StoreError *e;

	CHECK_FOR_INTERRUPTS();
	GROW(batch->errors, batch->nerrors, batch->maxerrors, StoreError);
	e = &batch->errors[batch->nerrors++];
	e->item = receive_item(batch, ordinal);
	e->error = *error;
	e->refused = false;
	e->duplicate = false;
}

/* Adds to the hash by which an item without id is recognized. */
static void
item_hash(StoreBatch *batch, int item, const char *type, const void *data, size_t len)
{
	StoreItem  *it = &batch->items[item];

	it->by_content = true;
	it->type = type;
	it->hash[0] = hash_combine64(it->hash[0], hash_bytes_extended(data, (int) len, 17));
	it->hash[1] = hash_combine64(it->hash[1], hash_bytes_extended(data, (int) len, 4711));
}

static void
item_hash_str(StoreBatch *batch, int item, const char *type, ApmStr s)
{
	item_hash(batch, item, type, &s.len, sizeof(s.len));
	item_hash(batch, item, type, s.data == NULL ? "" : s.data, s.len);
}

static void
sink_session(void *arg, int32 ordinal, const ApmSession *session)
{
	StoreBatch *batch = arg;
	StoreSession *s;

	CHECK_FOR_INTERRUPTS();
	GROW(batch->sessions, batch->nsessions, batch->maxsessions, StoreSession);
	s = &batch->sessions[batch->nsessions++];
	s->item = receive_item(batch, ordinal);
	s->session = *session;
	if (session->has_session_id)
		return;
	item_hash_str(batch, s->item, "sessions", session->user);
	item_hash_str(batch, s->item, "sessions", session->release);
	item_hash_str(batch, s->item, "sessions", session->environment);
	item_hash_str(batch, s->item, "sessions", session->status);
	item_hash(batch, s->item, "sessions", &session->started_us, sizeof(session->started_us));
	item_hash(batch, s->item, "sessions", &session->quantity, sizeof(session->quantity));
}

static void
sink_check_in(void *arg, int32 ordinal, const ApmCheckIn *check_in)
{
	StoreBatch *batch = arg;
	StoreCheckIn *c;

	CHECK_FOR_INTERRUPTS();
	GROW(batch->check_ins, batch->ncheck_ins, batch->maxcheck_ins, StoreCheckIn);
	c = &batch->check_ins[batch->ncheck_ins++];
	c->item = receive_item(batch, ordinal);
	c->check_in = *check_in;
	if (check_in->has_check_in_id)
		return;
	item_hash_str(batch, c->item, "check_in", check_in->monitor);
	item_hash_str(batch, c->item, "check_in", check_in->status);
	item_hash_str(batch, c->item, "check_in", check_in->environment);
	item_hash(batch, c->item, "check_in", &check_in->duration_us, sizeof(check_in->duration_us));
}

static void
sink_discard(void *arg, int32 ordinal, const ApmDiscard *discard)
{
	StoreBatch *batch = arg;
	StoreDiscard *d;

	CHECK_FOR_INTERRUPTS();
	GROW(batch->discards, batch->ndiscards, batch->maxdiscards, StoreDiscard);
	d = &batch->discards[batch->ndiscards++];
	d->item = receive_item(batch, ordinal);
	d->discard = *discard;
	item_hash_str(batch, d->item, "client_report", discard->reason);
	item_hash_str(batch, d->item, "client_report", discard->category);
	item_hash(batch, d->item, "client_report", &discard->reported_us,
			  sizeof(discard->reported_us));
	item_hash(batch, d->item, "client_report", &discard->quantity, sizeof(discard->quantity));
}

/* Kept, or counted with its bytes. */
static void
sink_item(void *arg, const ApmItem *raw)
{
	StoreBatch *batch = arg;
	StoreRaw   *r;
	ApmProblem	p;
	int			item;

	CHECK_FOR_INTERRUPTS();
	if (!apm_keep_raw_items)
	{
		p.outcome = APM_OUTCOME_SKIPPED;
		p.ordinal = raw->ordinal;
		p.type = raw->type;
		p.reason = envelope_skip_reason(raw->type, &p.detail);
		p.offset = -1;
		p.quantity = 1;
		item = receive_item(batch, raw->ordinal);
		batch->items[item].skipped = true;
		store_add_problem(&batch->bodies[batch->current], &p)->bytes += raw->payload.len;
		return;
	}
	GROW(batch->raws, batch->nraws, batch->maxraws, StoreRaw);
	r = &batch->raws[batch->nraws++];
	r->item = receive_item(batch, raw->ordinal);
	r->raw = *raw;
	r->kept = raw->payload;
	if (raw->type.len > TYPE_LEN)
		r->raw.type.len = pg_mbcliplen(raw->type.data, raw->type.len, TYPE_LEN);
	item_hash_str(batch, r->item, pnstrdup(r->raw.type.data, r->raw.type.len), raw->header);
	item_hash_str(batch, r->item, batch->items[r->item].type, raw->payload);
}

void
receive_sink(StoreBatch *batch, ApmSink *sink)
{
	memset(sink, 0, sizeof(*sink));
	sink->arg = batch;
	sink->header = sink_header;
	sink->segment = sink_segment;
	sink->error = sink_error;
	sink->session = sink_session;
	sink->check_in = sink_check_in;
	sink->discard = sink_discard;
	sink->item = sink_item;
	sink->problem = sink_problem;
}

StoreMark
receive_mark(const StoreBatch *batch)
{
	StoreMark	mark;

	mark.nitems = batch->nitems;
	mark.nsegments = batch->nsegments;
	mark.nerrors = batch->nerrors;
	mark.nsessions = batch->nsessions;
	mark.ncheck_ins = batch->ncheck_ins;
	mark.ndiscards = batch->ndiscards;
	mark.nraws = batch->nraws;
	return mark;
}

/* Forgets what the body brought, and what was said of it. */
void
receive_forget(StoreBatch *batch, StoreBody *body, const StoreMark *mark)
{
	batch->nitems = mark->nitems;
	batch->nsegments = mark->nsegments;
	batch->nerrors = mark->nerrors;
	batch->nsessions = mark->nsessions;
	batch->ncheck_ins = mark->ncheck_ins;
	batch->ndiscards = mark->ndiscards;
	batch->nraws = mark->nraws;
	body->accepted = body->rejected = body->skipped = 0;
	body->nproblems = 0;
}
