/*
 * breakdown/breakdown_state.c
 *		The working form: finding keys, adding, growing, merging.  Pure.
 */
#include "breakdown/breakdown_private.h"
#include "spanset/spanset_hot.h"

#define CAPACITY_FIRST	16
#define ROOM_FIRST		2048	/* bytes for keys and sketches of a new state */
#define NO_SLOT			UINT32_MAX
#define WIDEN_FROM		1024	/* values of a key whose counters take two bytes each */

static const ApmStr null_key = {NULL, 0};

#define HASH_A	UINT64CONST(0x9e3779b97f4a7c15)
#define HASH_B	UINT64CONST(0xd1b54a32d192ed03)

static inline uint64
mix(uint64 a, uint64 b)
{
	unsigned __int128 product = (unsigned __int128) a * b;

	return (uint64) product ^ (uint64) (product >> 64);
}

static inline uint64
load64(const char *p)
{
	uint64		v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64
load32(const char *p)
{
	uint32		v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline BreakdownEnds
ends_of(ApmStr key)
{
	const char *p = key.data;
	uint32		len = key.len;
	BreakdownEnds e = {0, 0};

	if (len >= 8)
	{
		e.first = load64(p);
		e.last = load64(p + len - 8);
	}
	else if (len >= 4)
	{
		e.first = load32(p);
		e.last = load32(p + len - 4);
	}
	else if (len > 0)
		e.first = (uint64) (uint8) p[0] << 16 | (uint64) (uint8) p[len / 2] << 8 | (uint8) p[len - 1];
	return e;
}

/*
 * Names come from outside, and a list of names that share a hash would make
 * every look-up long.  The hash therefore depends on where this code was
 * loaded, which a sender does not know; no result depends on the hash.
 */
static inline uint32
hash_key(ApmStr key, BreakdownEnds ends)
{
	uint64		seed = (uint64) (uintptr_t) &breakdown_create ^ HASH_A;
	uint32		at;

	/* NULL is no empty string. */
	seed ^= key.data == NULL ? HASH_B : key.len;
	if (unlikely(key.len > 16))
		for (at = 8; at + 16 <= key.len; at += 16)
			seed = mix(load64(key.data + at) ^ seed, load64(key.data + at + 8) ^ HASH_B);
	return (uint32) mix(ends.first ^ seed, ends.last ^ HASH_B);
}

static inline SketchState *
sketch_of(BreakdownState *state, uint32 slot)
{
	return (SketchState *) ((char *) state + breakdown_slots(state)[slot].sketch_at);
}

/* An empty state for so many keys with so much room for them and their sketches; NULL: too large. */
static BreakdownState *
new_state(uint32 capacity, size_t room)
{
	size_t		head = breakdown_head(capacity);
	size_t		size = BREAKDOWN_ALIGN(head + room);
	BreakdownState *state;

	if (size > BREAKDOWN_MAX_SIZE)
		return NULL;
	state = palloc(size);
	memset(state, 0, head);
	state->form = BREAKDOWN_WORKING;
	state->capacity = capacity;
	state->used = head;
	state->size = size;
	return state;
}

BreakdownState *
breakdown_create(void)
{
	return new_state(CAPACITY_FIRST, ROOM_FIRST);
}

static void
index_slot(BreakdownState *state, uint32 slot)
{
	uint32	   *index = breakdown_index(state);
	uint32		mask = 2 * state->capacity - 1;
	uint32		at = hash_key(breakdown_key(state, slot), breakdown_slots(state)[slot].ends) & mask;

	while (index[at] != 0)
		at = (at + 1) & mask;
	index[at] = slot + 1;
}

/* Takes so many bytes, which must be there. */
static uint32
take(BreakdownState *state, size_t bytes)
{
	uint32		at = state->used;

	state->used += BREAKDOWN_ALIGN(bytes);
	Assert(state->used <= state->size);
	return at;
}

static void
put_key(BreakdownState *state, uint32 slot, ApmStr key)
{
	BreakdownSlot *s = &breakdown_slots(state)[slot];

	s->ends = ends_of(key);
	s->key_len = key.len;
	s->key_at = 0;
	if (key.data == NULL)
		return;
	s->key_at = take(state, key.len);
	memcpy((char *) state + s->key_at, key.data, key.len);
}

static void
put_sketch(BreakdownState *state, uint32 slot, const SketchState *sketch)
{
	BreakdownSlot *s = &breakdown_slots(state)[slot];
	size_t		size = sketch_state_size(sketch);

	if (size > s->sketch_size)
	{
		s->sketch_at = take(state, size);
		s->sketch_size = size;
	}
	memcpy((char *) state + s->sketch_at, sketch, size);
}

/*
 * Makes room for so many bytes and one more key: a larger block without the
 * holes, twice as large as what it holds.
 */
static BreakdownStatus
reserve(BreakdownState **state, size_t bytes)
{
	BreakdownState *from = *state;
	BreakdownState *to;
	uint32		capacity = from->capacity;
	size_t		live = 0;
	uint32		i;

	if (likely(from->count < from->capacity && from->size - from->used >= bytes))
		return BREAKDOWN_OK;
	if (from->count == from->capacity)
		capacity *= 2;
	for (i = 0; i < from->count; i++)
		live += BREAKDOWN_ALIGN(breakdown_slots(from)[i].key_len) +
			breakdown_slots(from)[i].sketch_size;
	to = new_state(capacity, 2 * live + bytes);
	if (to == NULL)
		to = new_state(capacity, live + bytes);
	if (to == NULL)
		return BREAKDOWN_FULL;
	for (i = 0; i < from->count; i++)
	{
		to->count++;
		put_key(to, i, breakdown_key(from, i));
		put_sketch(to, i, sketch_of(from, i));
		index_slot(to, i);
	}
	memcpy(to->words, from->words, sizeof(to->words));
	*state = to;
	return BREAKDOWN_OK;
}

/* Room for one more key and so many bytes; frees blocks that are not the caller's. */
static BreakdownStatus
make_room(BreakdownState **state, const BreakdownState *callers, size_t bytes)
{
	BreakdownState *before = *state;
	BreakdownStatus status = reserve(state, BREAKDOWN_ALIGN(bytes));

	if (*state != before && before != callers)
		pfree(before);
	return status;
}

/* The slot of a key; NO_SLOT if it has none yet. */
static inline uint32
find(BreakdownState *state, ApmStr key)
{
	const uint32 *index = breakdown_index(state);
	const BreakdownSlot *slots = breakdown_slots(state);
	const BreakdownEnds ends = ends_of(key);
	uint32		mask = 2 * state->capacity - 1;
	uint32		at = hash_key(key, ends) & mask;

	for (; index[at] != 0; at = (at + 1) & mask)
	{
		const BreakdownSlot *s = &slots[index[at] - 1];

		if (s->ends.first == ends.first && s->ends.last == ends.last && s->key_len == key.len &&
			(s->key_at == 0) == (key.data == NULL) &&
			(key.len <= 16 ||
			 memcmp((char *) state + s->key_at + 8, key.data + 8, key.len - 16) == 0))
			return index[at] - 1;
	}
	return NO_SLOT;
}

/* The slot of entry number k of a table of strings, remembered if that is a known word. */
static inline uint32
find_entry(BreakdownState *state, const SpansetStrings *keys, uint32 k)
{
	uint32		word = keys->words[k];
	uint32		slot;

	if (likely(word != 0 && state->words[word - 1] != 0))
		return state->words[word - 1] - 1;
	slot = find(state, keys->strings[k]);
	if (word != 0 && slot < UINT16_MAX)
		state->words[word - 1] = slot + 1;
	return slot;
}

/* A new slot with a sketch that has values. */
static BreakdownStatus
insert(BreakdownState **state, const BreakdownState *callers, ApmStr key,
	   const SketchState *sketch, uint32 *slot)
{
	BreakdownStatus status = make_room(state, callers, BREAKDOWN_ALIGN((size_t) key.len) +
									   sketch_state_size(sketch));

	if (status != BREAKDOWN_OK)
		return status;
	*slot = (*state)->count++;
	put_key(*state, *slot, key);
	put_sketch(*state, *slot, sketch);
	index_slot(*state, *slot);
	return BREAKDOWN_OK;
}

/* Puts a sketch that has grown out of its place into a new one. */
static BreakdownStatus
replace(BreakdownState **state, const BreakdownState *callers, uint32 slot, SketchState *grown)
{
	BreakdownStatus status = make_room(state, callers, sketch_state_size(grown));

	if (status == BREAKDOWN_OK)
		put_sketch(*state, slot, grown);
	pfree(grown);
	return status;
}

/*
 * The rare cases of adding: unknown times, a new key, an entry that stands in
 * its table twice, a sketch that must grow, a value of 0.  *moved if a sketch
 * lies elsewhere now.
 */
static BreakdownStatus
add_slowly(BreakdownState **state, const BreakdownState *callers, ApmStr key, uint32 *slot,
		   int64 us, bool *moved)
{
	BreakdownStatus status = BREAKDOWN_OK;
	double		value = (double) us / 1000.0;
	const BreakdownState *before = *state;
	SketchState *grown;

	*moved = false;
	if (us == APM_MICROS_NULL)
		return BREAKDOWN_OK;
	if (*slot == NO_SLOT)
		*slot = find(*state, key);
	if (*slot == NO_SLOT)
	{
		grown = sketch_create();
		sketch_add(&grown, value);
		status = insert(state, callers, key, grown, slot);
		pfree(grown);
		*moved = *state != before;
		return status;
	}
	grown = sketch_of(*state, *slot);
	if (!sketch_add(&grown, value))
		return BREAKDOWN_OVERFLOW;
	*moved = grown != sketch_of(*state, *slot);
	if (*moved)
		status = replace(state, callers, *slot, grown);
	return status;
}

/* Where the sketches lie now. */
static inline void
locate(BreakdownState *state, BreakdownTarget *targets, uint32 count)
{
	uint32		k;

	for (k = 0; k < count; k++)
		targets[k].sketch = targets[k].slot == NO_SLOT ? NULL : sketch_of(state, targets[k].slot);
}

/*
 * The same after a slow addition to target t.  A string may stand in its table
 * twice, so others than t may point to a sketch that has moved.
 */
static inline void
locate_again(BreakdownState *state, BreakdownTarget *targets, uint32 count, BreakdownTarget *t, bool moved)
{
	if (moved)
		locate(state, targets, count);
	else
		locate(state, t, 1);
}

BreakdownStatus
breakdown_add_column(BreakdownState **state, const SpansetStrings *keys, const int64 *us, int n,
					 BreakdownTarget *targets)
{
	const BreakdownState *callers = *state;
	const uint32 *codes = keys->codes;
	const uint32 count = keys->count;
	uint32		k;
	int			i;

	/* Each string of the table is looked up once, NULL where there is one. */
	targets[0].slot = NO_SLOT;
	for (k = 0; k < count; k++)
		targets[k + 1].slot = find_entry(*state, keys, k);
	locate(*state, targets, count + 1);
	for (i = 0; i < n; i++)
	{
		BreakdownTarget *t = &targets[codes[i]];
		BreakdownStatus status;
		bool		moved;

		if (likely(t->sketch != NULL) &&
			likely(sketch_add_fast(t->sketch, (double) us[i] / 1000.0)))
			continue;
		status = add_slowly(state, callers, codes[i] > 0 ? keys->strings[codes[i] - 1] : null_key,
							&t->slot, us[i], &moved);
		if (status != BREAKDOWN_OK)
			return status;
		locate_again(*state, targets, count + 1, t, moved);
	}
	return BREAKDOWN_OK;
}

/*
 * The sketches of the strings of a set's table, and in front that of NULL,
 * which is looked up when it comes.  Where the table ends, or NULL if it is
 * not taken.
 */
static const uint8 *
targets_of(BreakdownState *state, const SpansetHot *h, BreakdownTarget *targets)
{
	const BreakdownSlot *slots = breakdown_slots(state);
	const uint8 *last = h->end - SPANSET_HOT_AHEAD;
	const uint8 *p = h->table;
	uint32		k;

	targets[0].slot = NO_SLOT;
	targets[0].sketch = NULL;
	for (k = 1; k <= h->count; k++)
	{
		char		digits[16];
		const bool	word = p < last && p[0] == STRING_WORD;
		const uint8 number = p[1];
		ApmStr		key;

		if (likely(word && state->words[number] != 0))
		{
			targets[k].slot = state->words[number] - 1;
			targets[k].sketch = (SketchState *) ((char *) state + slots[targets[k].slot].sketch_at);
			p += 2;
			continue;
		}
		if (unlikely(!hot_string(h, &p, digits, &key)))
			return NULL;
		targets[k].slot = find(state, key);
		if (word && targets[k].slot < UINT16_MAX)
			state->words[number] = targets[k].slot + 1;
		locate(state, &targets[k], 1);
	}
	return p;
}

/* The string of a code; *digits as for hot_string(). */
static ApmStr
hot_key(const SpansetHot *h, uint32 code, char *digits)
{
	const uint8 *p = h->table;
	ApmStr		key = null_key;

	while (code-- > 0)
		(void) hot_string(h, &p, digits, &key);
	return key;
}

/*
 * What sketch_add_us() does not do: small counters, which are widened once
 * the key has come often, and all that add_slowly() is for.
 */
static pg_noinline BreakdownStatus
add_hot_slowly(BreakdownState **state, const BreakdownState *callers, const SpansetHot *h,
			   BreakdownTarget *targets, uint32 code, uint32 us)
{
	BreakdownTarget *t = &targets[code];
	BreakdownStatus status = BREAKDOWN_OK;
	SketchState *sketch = t->sketch;
	bool		moved = false;
	char		digits[16];

	if (sketch == NULL || !sketch_add_fast(sketch, (double) us / 1000.0))
		status = add_slowly(state, callers, hot_key(h, code, digits), &t->slot, us, &moved);
	else if (sketch->kind == SKETCH_BUCKETS && sketch->width == 0 && sketch->n >= WIDEN_FROM)
	{
		sketch_widen(&sketch, 1);
		moved = true;
		status = replace(state, callers, t->slot, sketch);
	}
	locate_again(*state, targets, h->count + 1, t, moved);
	return status;
}

/* The spans of a set that has been taken; *bad if a code points outside of the table. */
static BreakdownStatus
add_hot(BreakdownState **state, const SpansetHot *h, BreakdownTarget *targets, bool *bad)
{
	const BreakdownState *callers = *state;
	const int	n = h->n;
	const int	width = h->width;
	const int	per_load = width <= 7 ? 8 : 7;
	const uint32 mask = (1u << width) - 1;
	const uint32 limit = h->count - h->base;
	const BreakdownTarget *based = targets + h->base;
	size_t		bit = 0;
	int			i;

	*bad = false;
	for (i = 0; i < n; bit += (size_t) per_load * width)
	{
		uint64		codes = load_le64(h->codes + bit / 8) >> bit % 8;
		const int	stop = Min(n, i + per_load);

		for (; i < stop; i++, codes >>= width)
		{
			const uint32 code = codes & mask;
			BreakdownStatus status;

			if (unlikely(code > limit))
			{
				*bad = true;
				return BREAKDOWN_OK;
			}
			if (likely(based[code].sketch != NULL) && likely(sketch_add_us(based[code].sketch, h->us[i])))
				continue;
			status = add_hot_slowly(state, callers, h, targets, h->base + code, h->us[i]);
			if (status != BREAKDOWN_OK)
				return status;
		}
	}
	return BREAKDOWN_OK;
}

BreakdownStatus
breakdown_add_packed(BreakdownState **state, uint32 column, bool self_time, const uint8 *data,
					 size_t len, const SpansetLexicon *lexicon, size_t *taken)
{
	BreakdownTarget targets[SPANSET_HOT_STRINGS + 1];
	SpansetHot	h;
	BreakdownStatus status;
	const uint8 *end;
	bool		bad;

	*taken = 0;
	if (!spanset_hot_open(&h, data, len, lexicon, column, self_time))
		return BREAKDOWN_OK;
	end = targets_of(*state, &h, targets);
	if (end == NULL)
		return BREAKDOWN_OK;
	status = add_hot(state, &h, targets, &bad);
	*taken = bad ? 0 : end - data;
	return status;
}

static BreakdownStatus
of_sketch(SketchStatus status)
{
	switch (status)
	{
		case SKETCH_OK:
			return BREAKDOWN_OK;
		case SKETCH_FUTURE:
			return BREAKDOWN_FUTURE;
		case SKETCH_OVERFLOW:
			return BREAKDOWN_OVERFLOW;
		default:
			return BREAKDOWN_MALFORMED;
	}
}

/* Merges one sketch under its key. */
static BreakdownStatus
merge_sketch(BreakdownState **state, const BreakdownState *callers, ApmStr key, const SketchView *view)
{
	uint32		slot = find(*state, key);
	SketchState *merged;
	BreakdownStatus status;

	if (slot == NO_SLOT)
	{
		status = of_sketch(sketch_from_view(view, &merged));
		if (status != BREAKDOWN_OK)
			return status;
		status = insert(state, callers, key, merged, &slot);
		pfree(merged);
		return status;
	}
	merged = sketch_of(*state, slot);
	status = of_sketch(sketch_merge(&merged, view));
	if (merged != sketch_of(*state, slot))
	{
		if (status == BREAKDOWN_OK)
			return replace(state, callers, slot, merged);
		pfree(merged);
	}
	return status;
}

BreakdownStatus
breakdown_merge_state(BreakdownState **state, const BreakdownState *other)
{
	const BreakdownState *callers = *state;
	BreakdownStatus status = BREAKDOWN_OK;
	SketchView	view;
	uint32		i;

	for (i = 0; i < other->count && status == BREAKDOWN_OK; i++)
	{
		sketch_view_state(&view, sketch_of((BreakdownState *) other, i));
		status = merge_sketch(state, callers, breakdown_key(other, i), &view);
	}
	return status;
}

BreakdownStatus
breakdown_merge_bytes(BreakdownState **state, const uint8 *bytes, size_t len)
{
	const BreakdownState *callers = *state;
	BreakdownReader r;
	SketchView	view;
	BreakdownStatus status = breakdown_open(&r, bytes, len);

	while (status == BREAKDOWN_OK && breakdown_next(&r, &status))
	{
		status = of_sketch(sketch_view_bytes(&view, r.sketch, r.sketch_len));
		if (status == BREAKDOWN_OK)
			status = merge_sketch(state, callers, r.key, &view);
	}
	return status;
}

/* Whether a slot lies inside of the block, with a sound sketch. */
static bool
slot_valid(const BreakdownState *state, const BreakdownSlot *s)
{
	const size_t head = breakdown_head(state->capacity);
	const SketchState *sketch;

	if (s->key_at != 0 && (s->key_at < head || s->key_at > state->used ||
						   s->key_len > state->used - s->key_at))
		return false;
	if (s->key_at == 0 && s->key_len != 0)
		return false;
	if (s->sketch_at < head || s->sketch_at > state->used || s->sketch_at % sizeof(uint64) != 0 ||
		s->sketch_size > state->used - s->sketch_at || s->sketch_size < sizeof(SketchState))
		return false;
	sketch = (const SketchState *) ((const char *) state + s->sketch_at);
	return sketch_state_size(sketch) <= s->sketch_size &&
		sketch_state_valid(sketch, sketch_state_size(sketch));
}

bool
breakdown_state_valid(const BreakdownState *state, size_t size)
{
	uint32		i;

	if (size < sizeof(BreakdownState) || state->form != BREAKDOWN_WORKING || state->size != size ||
		state->capacity == 0 || (state->capacity & (state->capacity - 1)) != 0 ||
		state->capacity > size / sizeof(BreakdownSlot) || breakdown_head(state->capacity) > size ||
		state->count > state->capacity || state->used > size)
		return false;
	for (i = 0; i < SPANSET_MAX_WORD; i++)
		if (state->words[i] > state->count)
			return false;
	for (i = 0; i < 2 * state->capacity; i++)
		if (breakdown_index((BreakdownState *) state)[i] > state->count)
			return false;
	for (i = 0; i < state->count; i++)
		if (!slot_valid(state, &breakdown_slots((BreakdownState *) state)[i]))
			return false;
	return true;
}
