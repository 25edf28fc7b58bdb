/*
 * sketch/sketch_state.c
 *		The working form: adding, growing, merging.  Pure.
 */
#include <math.h>

#include "sketch/sketch_private.h"

/* A directory has room for this many octaves at least: most never grow it. */
#define DIR_MIN		32
#define DIR_MAX		(2 * SKETCH_OCTAVE_MAX + 1)

/* Blocks come in powers of two between these, and grow by a quarter beyond. */
#define CHUNK_MIN	512
#define CHUNK_MAX	8192

#define EXACT_FIRST 8			/* values of a new state */

static inline double *
exact_values(const SketchState *state)
{
	return (double *) (state + 1);
}

static inline SketchEntry *
exact_entries(const SketchState *state)
{
	return (SketchEntry *) (state + 1);
}

static size_t
bucket_bytes(int dir_size, int width, int capacity)
{
	return sizeof(SketchState) + dir_size * sizeof(uint16) +
		(size_t) capacity * (SKETCH_SUB << width);
}

static size_t
exact_bytes(bool weighted, int capacity)
{
	return sizeof(SketchState) +
		(size_t) capacity * (weighted ? sizeof(SketchEntry) : sizeof(double));
}

size_t
sketch_state_size(const SketchState *state)
{
	if (state->kind == SKETCH_EXACT)
		return exact_bytes(state->weighted, state->capacity);
	return bucket_bytes(state->dir_size, state->width, state->capacity);
}

/* Total weight in 1/1000. */
static inline uint64
total_milli(const SketchState *state)
{
	return state->weighted ? state->weight : state->n * SKETCH_MILLI;
}

static inline bool
has_room(const SketchState *state, uint64 milli)
{
	return milli <= SKETCH_MAX_MILLI - total_milli(state);
}

static inline void
set_counter(SketchState *state, size_t index, uint64 count)
{
	char	   *base = sketch_counters(state);

	switch (state->width)
	{
		case 0:
			((uint8 *) base)[index] = (uint8) count;
			break;
		case 1:
			((uint16 *) base)[index] = (uint16) count;
			break;
		case 2:
			((uint32 *) base)[index] = (uint32) count;
			break;
		default:
			((uint64 *) base)[index] = count;
			break;
	}
}

static inline int
octave_of_key(int32 key)
{
	return key >= 0 ? key >> SKETCH_SUB_BITS : -((-key) >> SKETCH_SUB_BITS);
}

int32
sketch_key(double value)
{
	uint64		bits;
	int32		key;

	if (unlikely(sketch_is_nan(value)))
		return SKETCH_KEY_NAN;
	memcpy(&bits, &value, sizeof(bits));
	key = (int32) ((bits & INT64_MAX) >> SKETCH_KEY_SHIFT);
	if (unlikely(key < SKETCH_SUB))
		return 0;				/* zero and subnormal values */
	return (int64) bits < 0 ? -key : key;
}

/* The interval of values of a bucket, from its lower to its higher end. */
void
sketch_key_bounds(int32 key, double *lower, double *upper)
{
	int32		size = key < 0 ? -key : key;
	uint64		bits = (uint64) size << SKETCH_KEY_SHIFT;
	uint64		next = (uint64) (size + 1) << SKETCH_KEY_SHIFT;
	double		inner;
	double		outer;

	if (key == 0)
	{
		*lower = *upper = 0;
		return;
	}
	if (size == SKETCH_KEY_NAN)
		bits = next = (uint64) SKETCH_KEY_INF << SKETCH_KEY_SHIFT | 1;
	else if (size == SKETCH_KEY_INF)
		next = bits;
	else if (size == SKETCH_KEY_INF - 1)
		next--;					/* the largest number, not infinity */
	memcpy(&inner, &bits, sizeof(inner));
	memcpy(&outer, &next, sizeof(outer));
	*lower = key < 0 ? -outer : inner;
	*upper = key < 0 ? -inner : outer;
}

/*
 * A value as a multiple of 1e-9, of 1e-3 beyond 2^22, where doubles are too
 * coarse for more to mean anything.  0 for what the sum does not keep.
 */
static SketchSum
fixed_point(double value)
{
	double		size = sketch_abs(value);

	if (size < SKETCH_SUM_FINE)
		return (int64) (value * 1e9 + (value < 0 ? -0.5 : 0.5));
	if (size <= SKETCH_SUM_LARGEST)
		return (SketchSum) (int64) (value * 1e3 + (value < 0 ? -0.5 : 0.5)) * 1000000;
	return 0;
}

static inline void
add_to_sum(SketchState *state, SketchSum amount)
{
	SketchSum	sum = sketch_sum_pack(state->sum_lo, state->sum_hi) + amount;

	state->sum_lo = (uint64) sum;
	state->sum_hi = (int64) (sum >> 64);
}

static inline void
widen_range(SketchState *state, int64 min_key, int64 max_key)
{
	if (min_key < state->min_key)
		state->min_key = min_key;
	if (max_key > state->max_key)
		state->max_key = max_key;
}

static SketchState *
new_state(SketchKind kind, bool weighted, size_t size)
{
	SketchState *state = palloc0(size);

	state->form = SKETCH_WORKING;
	state->kind = kind;
	state->weighted = weighted;
	state->min_key = INT64_MAX;
	state->max_key = INT64_MIN;
	return state;
}

static SketchState *
new_exact(bool weighted, int capacity)
{
	SketchState *state = new_state(SKETCH_EXACT, weighted, exact_bytes(weighted, capacity));

	state->capacity = capacity;
	return state;
}

/* An empty state with buckets for at least so many octaves from first on. */
static SketchState *
new_buckets(bool weighted, int width, int first, int dir_size, int blocks)
{
	size_t		need = bucket_bytes(dir_size, width, blocks);
	size_t		size = CHUNK_MIN;
	int			capacity;
	SketchState *state;

	while (size < need)
		size = size < CHUNK_MAX ? size * 2 : need + need / 4;
	capacity = (size - bucket_bytes(dir_size, width, 0)) / (SKETCH_SUB << width);
	if (capacity > DIR_MAX)
		capacity = DIR_MAX;
	state = new_state(SKETCH_BUCKETS, weighted, bucket_bytes(dir_size, width, capacity));
	state->width = width;
	state->first_octave = first;
	state->dir_size = dir_size;
	state->capacity = capacity;
	memset(sketch_directory(state), 0xFF, dir_size * sizeof(uint16));
	return state;
}

SketchState *
sketch_create(void)
{
	return new_exact(false, EXACT_FIRST);
}

/*
 * A directory that covers octaves lo..hi with room on both sides; its size is
 * a multiple of 4, so that the counters stay aligned.
 */
static void
plan_directory(int lo, int hi, int *first, int *dir_size)
{
	int			size = hi - lo + 1;

	if (size <= DIR_MIN - 8)
		size = DIR_MIN;
	else
		size = Min(size + size / 4 + 8, DIR_MAX);
	*first = lo - (size - (hi - lo + 1)) / 2;
	*first = Max(*first, -SKETCH_OCTAVE_MAX);
	*dir_size = (size + 3) / 4 * 4;
	Assert(*first <= lo && *first + *dir_size > hi);
}

/*
 * A copy of a state with buckets, changed in what the caller asks: octave
 * covered, blocks to have, width of counters, counts in 1/1000 instead of
 * values.
 */
static SketchState *
rebuild(const SketchState *from, int octave, int blocks, int width, bool weighted)
{
	uint64		factor = weighted && !from->weighted ? SKETCH_MILLI : 1;
	int			first = from->first_octave;
	int			dir_size = from->dir_size;
	SketchState *state;
	size_t		i;

	if (octave < first || octave >= first + dir_size)
	{
		int			lo = octave;
		int			hi = octave;
		int			j;

		for (j = 0; j < dir_size; j++)
			if (sketch_directory(from)[j] != SKETCH_NO_BLOCK)
			{
				lo = Min(lo, first + j);
				hi = Max(hi, first + j);
			}
		plan_directory(lo, hi, &first, &dir_size);
	}
	state = new_buckets(weighted, width, first, dir_size, blocks);
	for (i = 0; i < from->dir_size; i++)
		if (sketch_directory(from)[i] != SKETCH_NO_BLOCK)
			sketch_directory(state)[from->first_octave + (int) i - first] = sketch_directory(from)[i];
	if (width == from->width && factor == 1)
		memcpy(sketch_counters(state), sketch_counters(from), (size_t) from->blocks * (SKETCH_SUB << width));
	else
		for (i = 0; i < (size_t) from->blocks * SKETCH_SUB; i++)
			set_counter(state, i, sketch_counter(from, i) * factor);
	state->blocks = from->blocks;
	state->n = from->n;
	state->weight = weighted ? total_milli(from) : 0;
	add_to_sum(state, sketch_sum_pack(from->sum_lo, from->sum_hi) * (SketchSum) factor);
	widen_range(state, from->min_key, from->max_key);
	return state;
}

/* Puts a new block in the place of *state; frees the old one if it is ours. */
static void
replace(SketchState **state, const SketchState *callers, SketchState *now)
{
	if (*state != callers)
		pfree(*state);
	*state = now;
}

/* Adds to the counter of a key, growing whatever is too small for that. */
static void
add_to_counter(SketchState **state, const SketchState *callers, int32 key, uint64 count)
{
	SketchState *s = *state;
	int			octave = octave_of_key(key);
	size_t		at;
	size_t		index;
	uint64		now;

	if (octave < s->first_octave || octave >= s->first_octave + s->dir_size ||
		(sketch_directory(s)[octave - s->first_octave] == SKETCH_NO_BLOCK && s->blocks == s->capacity))
	{
		replace(state, callers, rebuild(s, octave, s->blocks + 1, s->width, s->weighted));
		s = *state;
	}
	at = octave - s->first_octave;
	if (sketch_directory(s)[at] == SKETCH_NO_BLOCK)
		sketch_directory(s)[at] = s->blocks++;
	index = (size_t) sketch_directory(s)[at] * SKETCH_SUB +
		((key < 0 ? -key : key) & (SKETCH_SUB - 1));
	now = sketch_counter(s, index) + count;
	if (unlikely(s->width < 3 && now >> (8 << s->width) != 0))
	{
		int			width = now > UINT32_MAX ? 3 : now > UINT16_MAX ? 2 : 1;

		replace(state, callers, rebuild(s, octave, s->blocks, width, s->weighted));
		s = *state;
	}
	set_counter(s, index, now);
}

/* times values of a weight each, into the buckets. */
static void
add_to_buckets(SketchState **state, const SketchState *callers, double value,
			   uint64 milli, uint64 times)
{
	uint64		count = times * ((*state)->weighted ? milli : 1);
	int64		sort_key = sketch_sort_key(value);

	add_to_counter(state, callers, sketch_key(value), count);
	(*state)->n += times;
	if ((*state)->weighted)
		(*state)->weight += count;
	add_to_sum(*state, fixed_point(value) * (SketchSum) count);
	widen_range(*state, sort_key, sort_key);
}

static SketchEntry
exact_entry(const SketchState *state, int i)
{
	SketchEntry entry;

	if (state->weighted)
		return exact_entries(state)[i];
	entry.value = exact_values(state)[i];
	entry.milli = SKETCH_MILLI;
	return entry;
}

static void
append_exact(SketchState *state, double value, uint64 milli)
{
	if (state->weighted)
	{
		exact_entries(state)[state->n].value = value;
		exact_entries(state)[state->n].milli = milli;
		state->weight += milli;
	}
	else
		exact_values(state)[state->n] = value;
	state->n++;
}

/* A copy of an exact state with another capacity, or with weights. */
static SketchState *
rebuild_exact(const SketchState *from, int capacity, bool weighted)
{
	SketchState *state = new_exact(weighted, capacity);
	int			i;

	for (i = 0; i < (int) from->n; i++)
	{
		SketchEntry entry = exact_entry(from, i);

		append_exact(state, entry.value, entry.milli);
	}
	return state;
}

/* Buckets in the place of exact values; octaves lo..hi are about to come. */
static void
leave_exact(SketchState **state, const SketchState *callers, int lo, int hi)
{
	SketchState *from = *state;
	SketchState *now;
	int			first;
	int			dir_size;
	int			i;

	for (i = 0; i < (int) from->n; i++)
	{
		int			octave = octave_of_key(sketch_key(exact_entry(from, i).value));

		lo = Min(lo, octave);
		hi = Max(hi, octave);
	}
	plan_directory(lo, hi, &first, &dir_size);
	now = new_buckets(from->weighted, from->weighted ? 2 : 0, first, dir_size, 1);
	for (i = 0; i < (int) from->n; i++)
	{
		SketchEntry entry = exact_entry(from, i);

		add_to_buckets(&now, NULL, entry.value, entry.milli, 1);
	}
	replace(state, callers, now);
}

/* Weights from here on: counts become 1/1000. */
static void
become_weighted(SketchState **state, const SketchState *callers)
{
	SketchState *s = *state;
	uint64		most = 0;
	size_t		i;

	if (s->weighted)
		return;
	if (s->kind == SKETCH_EXACT)
	{
		replace(state, callers, rebuild_exact(s, s->capacity, true));
		return;
	}
	for (i = 0; i < (size_t) s->blocks * SKETCH_SUB; i++)
		most = Max(most, sketch_counter(s, i));
	replace(state, callers, rebuild(s, s->first_octave, s->blocks,
									most > UINT32_MAX / SKETCH_MILLI ? 3 : 2, true));
}

/* times values of one weight each; the sum of all additions. */
static bool
add_values(SketchState **state, const SketchState *callers, double value,
		   uint64 milli, uint64 times)
{
	if (milli == 0 || times == 0)
		return true;			/* carries no weight, so it is not there */
	if (times > SKETCH_MAX_MILLI / milli || !has_room(*state, milli * times))
		return false;
	value = sketch_is_nan(value) ? (double) NAN : value + 0.0;	/* no -0 */
	if (milli != SKETCH_MILLI)
		become_weighted(state, callers);
	if ((*state)->kind == SKETCH_EXACT)
	{
		int			octave = octave_of_key(sketch_key(value));

		if ((*state)->n + times <= SKETCH_EXACT_MAX)
		{
			if ((*state)->n + times > (*state)->capacity)
				replace(state, callers,
						rebuild_exact(*state, SKETCH_EXACT_MAX, (*state)->weighted));
			while (times-- > 0)
				append_exact(*state, value, milli);
			return true;
		}
		leave_exact(state, callers, octave, octave);
	}
	add_to_buckets(state, callers, value, milli, times);
	return true;
}

bool
sketch_add(SketchState **state, double value)
{
	return add_values(state, *state, value, SKETCH_MILLI, 1);
}

bool
sketch_add_weighted(SketchState **state, double value, uint64 milli)
{
	return add_values(state, *state, value, milli, 1);
}

bool
sketch_add_repeated(SketchState **state, double value, uint64 times)
{
	return add_values(state, *state, value, SKETCH_MILLI, times);
}

void
sketch_widen(SketchState **state, int width)
{
	const SketchState *s = *state;

	if (s->kind == SKETCH_BUCKETS && s->width < width)
		*state = rebuild(s, s->first_octave, s->blocks, width, s->weighted);
}

/*
 * A weight is rounded once, to 1/1000, but never to nothing: a value that
 * was given a weight stays in the group.
 */
bool
sketch_weight_milli(double weight, uint64 *milli)
{
	if (!(weight >= 0 && weight <= (double) SKETCH_MAX_UNITS))
		return false;
	*milli = (uint64) (weight * SKETCH_MILLI + 0.5);
	if (*milli == 0 && weight > 0)
		*milli = 1;
	return true;
}

/*
 * All buckets of a compact form.  Nearly all of them go to counters in being
 * that have room: no call for these.
 */
static void
merge_bytes(SketchState **state, const SketchState *callers, SketchWalk *begun, uint64 factor)
{
	SketchWalk	walk = *begun;	/* its address is not taken: registers */

	while (sketch_walk_bytes(&walk))
	{
		const SketchState *s = *state;
		unsigned int at = (unsigned int) (octave_of_key(walk.key) - s->first_octave);
		uint64		count = walk.count * factor;

		if (likely(s->width == 1 && at < s->dir_size && walk.key >= 0 &&
				   sketch_directory(s)[at] != SKETCH_NO_BLOCK))
		{
			uint16	   *counter = (uint16 *) sketch_counters(s) +
				sketch_directory(s)[at] * SKETCH_SUB + (walk.key & (SKETCH_SUB - 1));

			if (likely(count <= (uint64) (UINT16_MAX - *counter)))
			{
				*counter += (uint16) count;
				continue;
			}
		}
		add_to_counter(state, callers, walk.key, count);
	}
	begun->malformed = walk.malformed;
}

/* The buckets of a view into those of a state that leaves room for them. */
static SketchStatus
merge_buckets(SketchState **state, const SketchState *callers, const SketchView *other)
{
	SketchSum	sum = sketch_sum_pack(other->sum_lo, other->sum_hi);
	SketchWalk	walk;
	uint64		factor;

	if ((*state)->kind == SKETCH_EXACT)
		leave_exact(state, callers, octave_of_key(sketch_key(other->min)),
					octave_of_key(sketch_key(other->max)));
	factor = (*state)->weighted ? other->tick : other->tick / SKETCH_MILLI;
	sketch_walk_begin(&walk, other);
	if (other->state != NULL)
		while (sketch_walk_next(&walk))
			add_to_counter(state, callers, walk.key, walk.count * factor);
	else
		merge_bytes(state, callers, &walk, factor);
	if (walk.malformed)
		return SKETCH_MALFORMED;
	(*state)->n += other->n;
	if ((*state)->weighted)
		(*state)->weight += other->milli;
	else
		sum /= SKETCH_MILLI;
	add_to_sum(*state, sum);
	widen_range(*state, sketch_sort_key(other->min), sketch_sort_key(other->max));
	return SKETCH_OK;
}

/*
 * Whether a view with buckets needs a weighted state: unless every count, and
 * the sum, is that of as many values of weight 1.
 */
static bool
view_weighted(const SketchView *view)
{
	return view->tick % SKETCH_MILLI != 0 ||
		view->milli != view->n * SKETCH_MILLI ||
		sketch_sum_pack(view->sum_lo, view->sum_hi) % SKETCH_MILLI != 0;
}

/*
 * Merges another sketch into a state.  On any status but SKETCH_OK the
 * contents of *state are undefined, and it may be a new block nonetheless.
 */
SketchStatus
sketch_merge(SketchState **state, const SketchView *other)
{
	const SketchState *callers = *state;
	int			i;

	if (!has_room(*state, other->milli))
		return SKETCH_OVERFLOW;
	if (!other->exact)
	{
		if (view_weighted(other))
			become_weighted(state, callers);
		return merge_buckets(state, callers, other);
	}
	for (i = 0; i < other->n_entries; i++)
		(void) add_values(state, callers, other->entries[i].value, other->entries[i].milli, 1);
	return SKETCH_OK;
}

/* A new working form of what a view shows; *state is NULL unless SKETCH_OK. */
SketchStatus
sketch_from_view(const SketchView *view, SketchState **state)
{
	SketchState *empty = sketch_create();
	SketchStatus status;

	*state = empty;
	status = sketch_merge(state, view);
	if (*state != empty)
		pfree(empty);
	if (status != SKETCH_OK)
	{
		pfree(*state);
		*state = NULL;
	}
	return status;
}

/* Order of value, then of weight: the order of the compact form. */
static void
sort_entries(SketchEntry *entries, int n)
{
	int			i;

	for (i = 1; i < n; i++)
	{
		SketchEntry entry = entries[i];
		int64		key = sketch_sort_key(entry.value);
		int			j = i;

		while (j > 0)
		{
			int64		before = sketch_sort_key(entries[j - 1].value);

			if (before < key || (before == key && entries[j - 1].milli <= entry.milli))
				break;
			entries[j] = entries[j - 1];
			j--;
		}
		entries[j] = entry;
	}
}

/* Values without weights as sorted entries; by their keys, which is faster. */
static void
sort_values(const double *values, int n, SketchEntry *entries)
{
	int64		keys[SKETCH_EXACT_MAX];
	int			i;

	for (i = 0; i < n; i++)
	{
		int64		key = sketch_sort_key(values[i]);
		int			j;

		for (j = i; j > 0 && keys[j - 1] > key; j--)
			keys[j] = keys[j - 1];
		keys[j] = key;
	}
	for (i = 0; i < n; i++)
	{
		entries[i].value = sketch_sort_value(keys[i]);
		entries[i].milli = SKETCH_MILLI;
	}
}

void
sketch_view_state(SketchView *view, const SketchState *state)
{
	SketchSum	sum;
	uint64		unit = state->weighted ? 1 : SKETCH_MILLI;
	size_t		i;

	view->exact = state->kind == SKETCH_EXACT;
	view->n = state->n;
	view->milli = total_milli(state);
	view->sum_lo = view->sum_hi = 0;
	view->n_entries = 0;
	view->state = state;
	view->bytes = NULL;
	if (view->exact)
	{
		view->n_entries = (int) state->n;
		if (state->weighted)
		{
			memcpy(view->entries, exact_entries(state), state->n * sizeof(SketchEntry));
			sort_entries(view->entries, view->n_entries);
		}
		else
			sort_values(exact_values(state), view->n_entries, view->entries);
		if (view->n_entries > 0)
		{
			view->min = view->entries[0].value;
			view->max = view->entries[view->n_entries - 1].value;
		}
		return;
	}
	view->divisor = 0;
	for (i = 0; i < (size_t) state->blocks * SKETCH_SUB && view->divisor != 1; i++)
		view->divisor = sketch_common_divisor(view->divisor, sketch_counter(state, i));
	if (view->divisor == 0)
		view->divisor = 1;		/* no count at all: bytes that pose as a state */
	view->tick = view->divisor * unit;
	view->min = sketch_sort_value(state->min_key);
	view->max = sketch_sort_value(state->max_key);
	if (!sketch_sum_kept(view->min, view->max))
		return;
	/* Unsigned: bytes that pose as a state may hold any sum. */
	sum = (SketchSum) ((SketchMagnitude) sketch_sum_pack(state->sum_lo, state->sum_hi) * unit);
	view->sum_lo = (uint64) sum;
	view->sum_hi = (int64) (sum >> 64);
}

bool
sketch_state_valid(const SketchState *state, size_t size)
{
	int			i;

	if (size < sizeof(SketchState) || state->form != SKETCH_WORKING || state->weighted > 1)
		return false;
	if (state->kind == SKETCH_EXACT)
		return state->n >= 1 && state->n <= state->capacity &&
			state->capacity <= SKETCH_EXACT_MAX && sketch_state_size(state) == size;
	if (state->kind != SKETCH_BUCKETS || state->width > 3 ||
		state->dir_size > DIR_MAX + 1 || state->dir_size % 4 != 0 ||
		state->blocks > state->capacity || sketch_state_size(state) != size ||
		state->first_octave < -SKETCH_OCTAVE_MAX ||
		state->n <= SKETCH_EXACT_MAX || state->n > SKETCH_MAX_MILLI)
		return false;
	for (i = 0; i < state->dir_size; i++)
		if (sketch_directory(state)[i] != SKETCH_NO_BLOCK &&
			(sketch_directory(state)[i] >= state->blocks ||
			 state->first_octave + i > SKETCH_OCTAVE_MAX))
			return false;
	return true;
}
