/*
 * breakdown/breakdown_code.c
 *		The compact form: writing, walking, checking.  Pure.
 *
 *		version		byte: 1
 *		count		varint
 *		for each key, NULL first, then in order of bytes:
 *		key			varint: 0 is NULL, else its length + 1; then its bytes
 *		sketch		varint: its length; then its compact form
 */
#include "breakdown/breakdown_private.h"
#include "spanset/spanset_bits.h"
#include "spanset/spanset_format.h"

typedef struct Entry
{
	ApmStr		key;
	const SketchState *sketch;
	uint8	   *bytes;
	size_t		len;
} Entry;

/* NULL before all others, then in order of bytes. */
static int
compare_keys(ApmStr a, ApmStr b)
{
	int			c;

	if (a.data == NULL || b.data == NULL)
		return (a.data != NULL) - (b.data != NULL);
	c = memcmp(a.data, b.data, Min(a.len, b.len));
	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int
compare_entries(const void *a, const void *b)
{
	return compare_keys(((const Entry *) a)->key, ((const Entry *) b)->key);
}

uint8 *
breakdown_encode(const BreakdownState *state, size_t headroom, size_t *len)
{
	Entry	   *entries = palloc((state->count + 1) * sizeof(Entry));
	size_t		bound = headroom + 1 + VARINT_MAX;
	uint8	   *start = NULL;
	uint8	   *p;
	uint32		i;

	for (i = 0; i < state->count; i++)
	{
		Entry	   *e = &entries[i];
		SketchView	view;

		e->key = breakdown_key(state, i);
		sketch_view_state(&view, (const SketchState *)
						  ((const char *) state + breakdown_slots((BreakdownState *) state)[i].sketch_at));
		e->bytes = sketch_encode(&view, 0, &e->len);
		bound += 2 * VARINT_MAX + e->key.len + e->len;
	}
	if (bound <= BREAKDOWN_MAX_SIZE)
	{
		qsort(entries, state->count, sizeof(Entry), compare_entries);
		start = palloc(bound);
		p = start + headroom;
		*p++ = BREAKDOWN_VERSION;
		p = write_varint(p, state->count);
		for (i = 0; i < state->count; i++)
		{
			Entry	   *e = &entries[i];

			p = write_varint(p, e->key.data == NULL ? 0 : (uint64) e->key.len + 1);
			if (e->key.len > 0)
				memcpy(p, e->key.data, e->key.len);
			p = write_varint(p + e->key.len, e->len);
			memcpy(p, e->bytes, e->len);
			p += e->len;
		}
		*len = p - start;
	}
	for (i = 0; i < state->count; i++)
		pfree(entries[i].bytes);
	pfree(entries);
	return start;
}

/* A varint in its shortest form, the only one that the encoder writes. */
static bool
get_varint(BreakdownReader *r, uint64 *v)
{
	int			shift;

	*v = 0;
	for (shift = 0; shift < 64 && r->pos < r->end; shift += 7)
	{
		uint8		byte = *r->pos++;

		if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1))
			return false;
		*v |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

BreakdownStatus
breakdown_open(BreakdownReader *r, const uint8 *bytes, size_t len)
{
	memset(r, 0, sizeof(*r));
	r->pos = bytes;
	r->end = bytes + len;
	if (len == 0 || *r->pos == BREAKDOWN_WORKING || *r->pos == 0)
		return BREAKDOWN_MALFORMED;
	if (*r->pos++ != BREAKDOWN_VERSION)
		return BREAKDOWN_FUTURE;
	return get_varint(r, &r->left) ? BREAKDOWN_OK : BREAKDOWN_MALFORMED;
}

bool
breakdown_next(BreakdownReader *r, BreakdownStatus *status)
{
	uint64		len;

	*status = BREAKDOWN_OK;
	if (r->left == 0)
	{
		if (r->pos != r->end)
			*status = BREAKDOWN_MALFORMED;
		return false;
	}
	r->left--;
	*status = BREAKDOWN_MALFORMED;
	if (!get_varint(r, &len) || (len > 0 && len - 1 > (size_t) (r->end - r->pos)))
		return false;
	r->key.data = len > 0 ? (const char *) r->pos : NULL;
	r->key.len = len > 0 ? (uint32) (len - 1) : 0;
	r->pos += r->key.len;
	if (!get_varint(r, &len) || len > (size_t) (r->end - r->pos))
		return false;
	r->sketch = r->pos;
	r->sketch_len = len;
	r->pos += len;
	*status = BREAKDOWN_OK;
	return true;
}

BreakdownStatus
breakdown_check(const uint8 *bytes, size_t len)
{
	BreakdownReader r;
	ApmStr		before = {NULL, 0};
	bool		first = true;
	BreakdownStatus status = breakdown_open(&r, bytes, len);

	if (len > BREAKDOWN_MAX_SIZE)
		return BREAKDOWN_MALFORMED;
	while (status == BREAKDOWN_OK && breakdown_next(&r, &status))
	{
		if ((!first && compare_keys(before, r.key) >= 0) || spanset_check_text(r.key) != NULL)
			return BREAKDOWN_MALFORMED;
		before = r.key;
		first = false;
		switch (sketch_check(r.sketch, r.sketch_len))
		{
			case SKETCH_OK:
				break;
			case SKETCH_FUTURE:
				return BREAKDOWN_FUTURE;
			default:
				return BREAKDOWN_MALFORMED;
		}
	}
	return status;
}
