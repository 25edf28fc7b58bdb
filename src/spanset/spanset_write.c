/*
 * spanset/spanset_write.c
 *		Packing spans into columns.  Pure: no server headers.
 */
#include "spanset/spanset_format.h"

/* The value being written. */
typedef struct Out
{
	uint8	   *data;
	size_t		len;
	size_t		cap;
} Out;

static void
out_reserve(Out *o, size_t more)
{
	if (o->cap - o->len >= more)
		return;
	o->cap = Max(o->cap * 2, o->len + more);
	o->data = repalloc(o->data, o->cap);
}

static void
out_byte(Out *o, uint8 b)
{
	out_reserve(o, 1);
	o->data[o->len++] = b;
}

static void
out_bytes(Out *o, const void *p, size_t n)
{
	out_reserve(o, n);
	if (n > 0)
		memcpy(o->data + o->len, p, n);
	o->len += n;
}

static inline uint8 *
write_varint(uint8 *p, uint64 v)
{
	while (v >= 0x80)
	{
		*p++ = (uint8) v | 0x80;
		v >>= 7;
	}
	*p++ = (uint8) v;
	return p;
}

static void
out_varint(Out *o, uint64 v)
{
	out_reserve(o, VARINT_MAX);
	o->len = write_varint(o->data + o->len, v) - o->data;
}

static void
out_id(Out *o, uint64 id)
{
	int			i;

	out_reserve(o, 8);
	for (i = 56; i >= 0; i -= 8)
		o->data[o->len++] = (uint8) (id >> i);
}

/* Numbers of any size. */
static void
out_numbers(Out *o, const uint64 *v, int n)
{
	uint8	   *p;
	int			i;

	out_reserve(o, (size_t) n * VARINT_MAX);
	p = o->data + o->len;
	for (i = 0; i < n; i++)
		p = write_varint(p, v[i]);
	o->len = p - o->data;
}

/* Small numbers, all in the same number of bits above the smallest. */
static void
out_codes(Out *o, const uint32 *codes, int n)
{
	uint32		min = codes[0];
	uint32		max = codes[0];
	uint64		acc = 0;
	int			bits = 0;
	int			width;
	int			i;

	for (i = 1; i < n; i++)
	{
		min = Min(min, codes[i]);
		max = Max(max, codes[i]);
	}
	width = bit_length(max - min);
	out_byte(o, width | (min != 0 ? CODES_BASE : 0));
	if (min != 0)
		out_varint(o, min);
	out_reserve(o, ((size_t) n * width + 7) / 8 + 8);
	for (i = 0; i < n && width > 0; i++)
	{
		acc |= (uint64) (codes[i] - min) << bits;
		bits += width;
		while (bits >= 8)
		{
			o->data[o->len++] = (uint8) acc;
			acc >>= 8;
			bits -= 8;
		}
	}
	if (bits > 0)
		o->data[o->len++] = (uint8) acc;
}

/*
 * Table of things met so far, from hash to number.  Open addressing with few
 * probes: what finds no slot is simply not recognized again, which costs
 * bytes but bounds the time whatever the input.
 */
#define PROBES 8

typedef struct Slots
{
	uint32	   *slots;			/* 0: free, else number + 1 */
	uint32		mask;
} Slots;

static void
slots_init(Slots *s, int n)
{
	uint32		size = 16;

	while (size < (uint32) n * 2 && size < UINT32_C(1) << 24)
		size *= 2;
	s->slots = palloc0(size * sizeof(uint32));
	s->mask = size - 1;
}

static inline uint32
hash_u64(uint64 v)
{
	v ^= v >> 32;
	v *= UINT64CONST(0x9e3779b97f4a7c15);
	return (uint32) (v >> 32);
}

static uint32
hash_bytes(const char *p, uint32 len)
{
	uint64		h = len * UINT64CONST(0xd6e8feb86659fd93);
	uint64		w;

	for (; len >= 8; len -= 8, p += 8)
	{
		memcpy(&w, p, 8);
		h = (h ^ w) * UINT64CONST(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	w = 0;
	if (len > 0)
		memcpy(&w, p, len);
	return hash_u64(h ^ w);
}

/* A string column under construction. */
typedef struct Strings
{
	uint32	   *codes;
	ApmStr	   *strings;
	uint32		count;
} Strings;

static inline bool
str_equal(ApmStr a, ApmStr b)
{
	return a.len == b.len && (a.data == b.data || memcmp(a.data, b.data, a.len) == 0);
}

/* Code of a string: looked up, or the next one. */
static uint32
strings_code(Strings *t, Slots *slots, ApmStr s)
{
	uint32		h = hash_bytes(s.data, s.len);
	int			i;

	for (i = 0; i < PROBES; i++)
	{
		uint32	   *slot = &slots->slots[(h + i) & slots->mask];

		if (*slot == 0)
		{
			*slot = t->count + 1;
			break;
		}
		if (str_equal(t->strings[*slot - 1], s))
			return *slot;
	}
	t->strings[t->count++] = s;
	return t->count;
}

/* Fills a string column from the field at the given offset of each span. */
static void
strings_build(Strings *t, const ApmSpan *spans, int n, size_t field)
{
	Slots		slots = {NULL, 0};
	ApmStr		last = {NULL, 0};
	uint32		last_code = 0;
	int			i;

	t->codes = palloc(n * sizeof(uint32));
	t->strings = NULL;
	t->count = 0;
	for (i = 0; i < n; i++)
	{
		ApmStr		s = *(const ApmStr *) ((const char *) &spans[i] + field);

		if (s.data == NULL)
			t->codes[i] = 0;
		else if (last.data != NULL && str_equal(last, s))
			t->codes[i] = last_code;
		else
		{
			if (slots.slots == NULL)
			{
				slots_init(&slots, n);
				t->strings = palloc(n * sizeof(ApmStr));
			}
			last = s;
			t->codes[i] = last_code = strings_code(t, &slots, s);
		}
	}
	if (slots.slots != NULL)
		pfree(slots.slots);
}

static void
strings_free(Strings *t)
{
	pfree(t->codes);
	if (t->strings != NULL)
		pfree(t->strings);
}

static void
out_strings(Out *o, const Strings *t, int n)
{
	uint32		i;

	if (t->count == 0)
		return;
	out_varint(o, t->count);
	for (i = 0; i < t->count; i++)
		out_varint(o, t->strings[i].len);
	for (i = 0; i < t->count; i++)
		out_bytes(o, t->strings[i].data, t->strings[i].len);
	out_codes(o, t->codes, n);
}

/* Ids of spans to their place in the set, and ids from outside of it. */
typedef struct Links
{
	const ApmSpan *spans;
	int			n;
	Slots		slots;
	uint64	   *outside;
	uint32		noutside;
	Slots		outside_slots;
} Links;

static void
links_init(Links *l, const ApmSpan *spans, int n)
{
	int			i;
	int			j;

	memset(l, 0, sizeof(*l));
	l->spans = spans;
	l->n = n;
	slots_init(&l->slots, n);
	for (i = 0; i < n; i++)
	{
		uint32		h = hash_u64(spans[i].span_id);

		for (j = 0; j < PROBES; j++)
		{
			uint32	   *slot = &l->slots.slots[(h + j) & l->slots.mask];

			if (*slot == 0)
			{
				*slot = i + 1;
				break;
			}
			if (spans[*slot - 1].span_id == spans[i].span_id)
				break;
		}
	}
}

/* 0: none; 1 … n: that span; above: an id from outside. */
static uint32
links_code(Links *l, uint64 id)
{
	uint32		h = hash_u64(id);
	int			j;

	if (id == 0)
		return 0;
	for (j = 0; j < PROBES; j++)
	{
		uint32		k = l->slots.slots[(h + j) & l->slots.mask];

		if (k == 0)
			break;
		if (l->spans[k - 1].span_id == id)
			return k;
	}
	if (l->outside == NULL)
	{
		l->outside = palloc(2 * (size_t) l->n * sizeof(uint64));
		slots_init(&l->outside_slots, l->n);
	}
	for (j = 0; j < PROBES; j++)
	{
		uint32	   *slot = &l->outside_slots.slots[(h + j) & l->outside_slots.mask];

		if (*slot == 0)
		{
			*slot = l->noutside + 1;
			break;
		}
		if (l->outside[*slot - 1] == id)
			return l->n + *slot;
	}
	l->outside[l->noutside++] = id;
	return l->n + l->noutside;
}

static void
links_free(Links *l)
{
	pfree(l->slots.slots);
	if (l->outside != NULL)
	{
		pfree(l->outside);
		pfree(l->outside_slots.slots);
	}
}

static bool
any_code(const uint32 *codes, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		if (codes[i] != 0)
			return true;
	return false;
}

static uint32
trace_codes(const ApmSpan *spans, int n, uint32 *codes, const uint8 **ids)
{
	Slots		slots;
	uint32		count = 0;
	int			i;
	int			j;

	for (i = 1; i < n; i++)
		if (memcmp(spans[i].trace_id, spans[0].trace_id, 16) != 0)
			break;
	ids[0] = spans[0].trace_id;
	if (i >= n)
		return 1;
	slots_init(&slots, n);
	for (i = 0; i < n; i++)
	{
		uint32		h = hash_bytes((const char *) spans[i].trace_id, 16);

		if (i > 0 && memcmp(spans[i].trace_id, spans[i - 1].trace_id, 16) == 0)
		{
			codes[i] = codes[i - 1];
			continue;
		}
		for (j = 0; j < PROBES; j++)
		{
			uint32	   *slot = &slots.slots[(h + j) & slots.mask];

			if (*slot == 0)
				*slot = count + 1;
			else if (memcmp(ids[*slot - 1], spans[i].trace_id, 16) != 0)
				continue;
			codes[i] = *slot - 1;
			break;
		}
		if (j == PROBES)
			codes[i] = count;
		if (codes[i] == count)
			ids[count++] = spans[i].trace_id;
	}
	pfree(slots.slots);
	return count;
}

static void
out_attributes(Out *o, const ApmSpan *spans, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		out_varint(o, spans[i].attributes.data == NULL ? 0 : (uint64) spans[i].attributes.len + 1);
	for (i = 0; i < n; i++)
		if (spans[i].attributes.data != NULL)
			out_bytes(o, spans[i].attributes.data, spans[i].attributes.len);
}

static void
out_segment_bits(Out *o, const ApmSpan *spans, int n)
{
	int			i;

	out_reserve(o, n / 8 + 1);
	memset(o->data + o->len, 0, n / 8 + 1);
	for (i = 0; i < n; i++)
		if (spans[i].is_segment)
			o->data[o->len + i / 8] |= 1 << (i % 8);
	o->len += (n + 7) / 8;
}

uint8 *
spanset_pack(const ApmSpan *spans, int n, size_t headroom, size_t *len)
{
	Out			o;
	Strings		op,
				category,
				group,
				origin,
				description;
	Links		links;
	uint64	   *numbers = palloc((n + 1) * sizeof(uint64));
	uint32	   *codes = palloc((n + 1) * sizeof(uint32));
	uint32	   *parents = palloc((n + 1) * sizeof(uint32));
	uint32	   *segments = palloc((n + 1) * sizeof(uint32));
	const uint8 **traces = palloc((n + 1) * sizeof(uint8 *));
	uint32		ntraces = 0;
	uint32		flags = 0;
	int64		base;
	int			i;

	o.cap = headroom + 64 + (size_t) n * 64;
	o.data = palloc(o.cap);
	o.len = headroom;
	out_byte(&o, SPANSET_VERSION);
	out_varint(&o, n);
	if (n == 0)
		goto done;

	strings_build(&op, spans, n, offsetof(ApmSpan, op));
	strings_build(&category, spans, n, offsetof(ApmSpan, category));
	strings_build(&group, spans, n, offsetof(ApmSpan, span_group));
	strings_build(&origin, spans, n, offsetof(ApmSpan, origin));
	strings_build(&description, spans, n, offsetof(ApmSpan, description));
	links_init(&links, spans, n);
	base = spans[0].start_us;
	for (i = 0; i < n; i++)
	{
		parents[i] = links_code(&links, spans[i].parent_span_id);
		segments[i] = links_code(&links, spans[i].segment_id);
		base = Min(base, spans[i].start_us);
		if (spans[i].is_segment)
			flags |= SF_SEGMENT_BITS;
		if (spans[i].self_time_us != spans[i].duration_us)
			flags |= SF_SELF;
		if (spans[i].status != APM_STATUS_NULL)
			flags |= SF_STATUS;
		if (spans[i].attributes.data != NULL)
			flags |= SF_ATTRIBUTES;
	}
	ntraces = trace_codes(spans, n, codes, traces);
	flags |= (op.count ? SF_OP : 0) | (category.count ? SF_CATEGORY : 0) |
		(group.count ? SF_GROUP : 0) | (origin.count ? SF_ORIGIN : 0) |
		(description.count ? SF_DESCRIPTION : 0) |
		(any_code(parents, n) ? SF_PARENTS : 0) | (any_code(segments, n) ? SF_SEGMENTS : 0) |
		(ntraces > 1 ? SF_TRACES : 0);

	out_varint(&o, flags);
	for (i = 0; i < n; i++)
		numbers[i] = (uint64) spans[i].duration_us;
	out_numbers(&o, numbers, n);
	out_strings(&o, &op, n);
	out_strings(&o, &category, n);
	out_strings(&o, &group, n);
	if (flags & SF_SELF)
	{
		/* 0: unknown; else one more than what the duration has above it. */
		for (i = 0; i < n; i++)
			numbers[i] = spans[i].self_time_us == APM_MICROS_NULL ? 0 :
				zigzag((int64) ((uint64) spans[i].duration_us - (uint64) spans[i].self_time_us)) + 1;
		out_numbers(&o, numbers, n);
	}
	if (flags & SF_TRACES)
	{
		out_varint(&o, ntraces);
		out_codes(&o, codes, n);
	}
	for (i = 0; i < (int) ntraces; i++)
		out_bytes(&o, traces[i], 16);
	if (flags & SF_STATUS)
	{
		for (i = 0; i < n; i++)
			codes[i] = spans[i].status + 1;
		out_codes(&o, codes, n);
	}
	out_varint(&o, zigzag(base));
	for (i = 0; i < n; i++)
		numbers[i] = (uint64) spans[i].start_us - (uint64) base;
	out_numbers(&o, numbers, n);
	for (i = 0; i < n; i++)
		out_id(&o, spans[i].span_id);
	if (flags & (SF_PARENTS | SF_SEGMENTS))
	{
		out_varint(&o, links.noutside);
		for (i = 0; i < (int) links.noutside; i++)
			out_id(&o, links.outside[i]);
	}
	if (flags & SF_PARENTS)
		out_codes(&o, parents, n);
	if (flags & SF_SEGMENTS)
		out_codes(&o, segments, n);
	if (flags & SF_SEGMENT_BITS)
		out_segment_bits(&o, spans, n);
	out_strings(&o, &origin, n);
	out_strings(&o, &description, n);
	if (flags & SF_ATTRIBUTES)
		out_attributes(&o, spans, n);

	strings_free(&op);
	strings_free(&category);
	strings_free(&group);
	strings_free(&origin);
	strings_free(&description);
	links_free(&links);
done:
	pfree(numbers);
	pfree(codes);
	pfree(parents);
	pfree(segments);
	pfree(traces);
	*len = o.len;
	return o.data;
}
