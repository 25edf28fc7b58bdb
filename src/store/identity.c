/*
 * store/identity.c
 *		The same event or span twice is stored once.
 *
 * The identity of an event or transaction is its event id, that of a span
 * outside of a transaction item its trace and span id, that of an item that
 * has no id its content and the time at which it was sent: two senders may
 * well count the same numbers, but not send them in the same microsecond.  It
 * is hashed to 128 bits together with its kind and claimed in _apm.seen before anything is
 * stored: of two connections that bring the same thing at once, the second
 * waits there for the first.  Keys are claimed in sorted order, so that two
 * batches cannot deadlock.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "store/statement.h"
#include "store/store.h"

typedef struct IdentityKey
{
	int32		project_id;
	pg_uuid_t	key;
	int			sequence;		/* order of arrival: of equal ones the first is kept */
	bool	   *duplicate;		/* where to say that it was there before */
} IdentityKey;

typedef struct KeyList
{
	IdentityKey *keys;
	int			n;
	int			max;
} KeyList;

static void
key_add(KeyList *list, int32 project_id, char kind, const void *id1, int len1,
		uint64 id2, bool *duplicate)
{
	unsigned char buf[1 + 16 + 8];
	IdentityKey *k;
	uint64		h;

	if (list->n == list->max)
	{
		list->max *= 2;
		list->keys = repalloc_huge(list->keys, sizeof(IdentityKey) * list->max);
	}
	k = &list->keys[list->n];
	buf[0] = (unsigned char) kind;
	memcpy(buf + 1, id1, len1);
	memcpy(buf + 1 + len1, &id2, sizeof(id2));
	h = hash_bytes_extended(buf, 1 + len1 + sizeof(id2), UINT64CONST(0x9ae16a3b2f90404f));
	memcpy(k->key.data, &h, 8);
	h = hash_bytes_extended(buf, 1 + len1 + sizeof(id2), UINT64CONST(0xc949d7c7509e6557));
	memcpy(k->key.data + 8, &h, 8);
	k->project_id = project_id;
	k->sequence = list->n++;
	k->duplicate = duplicate;
}

static int
key_cmp(const void *a, const void *b)
{
	const IdentityKey *x = a;
	const IdentityKey *y = b;
	int			c;

	if (x->project_id != y->project_id)
		return x->project_id < y->project_id ? -1 : 1;
	c = memcmp(x->key.data, y->key.data, UUID_LEN);
	if (c != 0)
		return c;
	return x->sequence - y->sequence;
}

static bool
key_equal(const IdentityKey *a, const IdentityKey *b)
{
	return a->project_id == b->project_id &&
		memcmp(a->key.data, b->key.data, UUID_LEN) == 0;
}

/* Marks repetitions within the batch and squeezes them out; returns how many are left. */
static int
keys_unique(KeyList *list)
{
	int			kept = 0;
	int			i;

	qsort(list->keys, list->n, sizeof(IdentityKey), key_cmp);
	for (i = 0; i < list->n; i++)
	{
		if (kept > 0 && key_equal(&list->keys[kept - 1], &list->keys[i]))
			*list->keys[i].duplicate = true;
		else
			list->keys[kept++] = list->keys[i];
	}
	return kept;
}

/* Claims n sorted keys; those that somebody had before are marked. */
static void
keys_claim(IdentityKey *keys, int n)
{
	static Statement claim = {
		"INSERT INTO _apm.seen (project_id, key, seen_at)"
		" SELECT p, k, pg_catalog.now() FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) u(p, k)"
		" ON CONFLICT DO NOTHING RETURNING project_id, key",
		2, {INT4ARRAYOID, InvalidOid}, "pg_catalog", "uuid", NULL, InvalidOid
	};
	Datum	   *projects = palloc(sizeof(Datum) * n);
	Datum	   *uuids = palloc(sizeof(Datum) * n);
	Datum		values[2];
	uint64		row = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		projects[i] = Int32GetDatum(keys[i].project_id);
		uuids[i] = UUIDPGetDatum(&keys[i].key);
	}
	values[0] = PointerGetDatum(construct_array(projects, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(uuids, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	statement_run(&claim, values, NULL, SPI_OK_INSERT_RETURNING);

	/* What comes back is in the order of what went in. */
	for (i = 0; i < n; i++)
	{
		IdentityKey got;
		bool		isnull;

		if (row < SPI_processed)
		{
			HeapTuple	t = SPI_tuptable->vals[row];

			got.project_id = DatumGetInt32(SPI_getbinval(t, SPI_tuptable->tupdesc, 1, &isnull));
			got.key = *DatumGetUUIDP(SPI_getbinval(t, SPI_tuptable->tupdesc, 2, &isnull));
			if (key_equal(&keys[i], &got))
			{
				row++;
				continue;
			}
		}
		*keys[i].duplicate = true;
	}
	if (row != SPI_processed)
		elog(ERROR, "claimed identities came back out of order");
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Leaves those spans of a segment that are new.  Returns how many were not;
 * the segment is a duplicate when nothing is left.
 */
static int
segment_drop_spans(StoreSegment *s, const bool *duplicate)
{
	ApmSpan    *kept;
	int			n = 0;
	int			i;

	kept = palloc(sizeof(ApmSpan) * Max(s->segment.nspans, 1));
	for (i = 0; i < s->segment.nspans; i++)
	{
		const ApmSpan *span = &s->segment.spans[i];

		if (!duplicate[i])
			kept[n++] = *span;
		else if (span->is_segment && s->segment.transaction != NULL &&
				 span->span_id == s->transaction.span_id)
			s->segment.transaction = NULL;
	}
	i = s->segment.nspans - n;
	s->segment.spans = kept;
	s->segment.nspans = n;
	s->duplicate = (n == 0);
	return i;
}

static void
note_repeated(StoreBatch *batch, int item, const char *type, int64 quantity)
{
	batch->items[item].skipped = true;
	store_note(&batch->bodies[batch->items[item].body], APM_OUTCOME_SKIPPED,
			   batch->items[item].ordinal, type, "duplicate", "It was stored before.", quantity);
}

void
identity_claim(StoreBatch *batch)
{
	KeyList		list;
	bool	  **span_duplicates;
	int			n;
	int			i;
	int			j;

	list.n = 0;
	list.max = 64 + batch->nsegments + batch->nerrors;
	list.keys = palloc(sizeof(IdentityKey) * list.max);
	span_duplicates = palloc0(sizeof(bool *) * Max(batch->nsegments, 1));

	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];
		int32		project = batch->bodies[batch->items[s->item].body].project_id;

		if (s->refused)
			continue;
		if (s->segment.has_event_id)
			key_add(&list, project, 't', s->transaction.event_id, UUID_LEN, 0, &s->duplicate);
		else
		{
			span_duplicates[i] = palloc0(sizeof(bool) * Max(s->segment.nspans, 1));
			for (j = 0; j < s->segment.nspans; j++)
				key_add(&list, project, 's', s->segment.spans[j].trace_id, 16,
						s->segment.spans[j].span_id, &span_duplicates[i][j]);
		}
	}
	for (i = 0; i < batch->nerrors; i++)
	{
		StoreError *e = &batch->errors[i];

		if (e->error.has_event_id && !e->refused)
			key_add(&list, batch->bodies[batch->items[e->item].body].project_id,
					'e', e->error.event_id, 16, 0, &e->duplicate);
	}

	for (i = 0; i < batch->nitems; i++)
	{
		StoreItem  *item = &batch->items[i];

		if (item->by_content)
			key_add(&list, batch->bodies[item->body].project_id, 'c', item->hash,
					sizeof(item->hash), (uint64) batch->bodies[item->body].sent_us,
					&item->duplicate);
	}

	n = keys_unique(&list);
	if (n > 0)
		keys_claim(list.keys, n);

	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *s = &batch->segments[i];
		int			repeated;

		if (s->refused)
			continue;
		if (s->segment.has_event_id)
		{
			if (s->duplicate)
				note_repeated(batch, s->item, "transaction", 1);
			continue;
		}
		repeated = segment_drop_spans(s, span_duplicates[i]);
		if (repeated > 0)
			note_repeated(batch, s->item, "span", repeated);
	}
	for (i = 0; i < batch->nerrors; i++)
		if (batch->errors[i].duplicate)
			note_repeated(batch, batch->errors[i].item, "event", 1);
	for (i = 0; i < batch->nitems; i++)
		if (batch->items[i].duplicate)
			note_repeated(batch, i, batch->items[i].type, 1);
}
