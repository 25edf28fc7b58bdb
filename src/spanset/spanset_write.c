/*
 * spanset/spanset_write.c
 *		Packing spans into columns.  Pure: no server headers.
 */
#include "spanset/spanset_bits.h"
#include "spanset/spanset_codec.h"
#include "spanset/spanset_format.h"
#include "spanset/spanset_intern.h"

/* The value being written. */
typedef struct Out
{
	uint8	   *data;
	size_t		len;
	size_t		cap;
} Out;

/* Everything about the spans that is known before the first byte. */
typedef struct Plan
{
	const SpansetLexicon *lexicon;	/* or NULL */
	const ApmSpan *spans;
	int			n;
	uint32		flags;
	Strings		op;
	Strings		category;
	Strings		group;
	Strings		origin;
	Strings		description;
	Links		links;
	uint32	   *parents;
	uint32	   *segments;
	uint32	   *traces;
	const uint8 **trace_ids;
	uint32		ntraces;
	uint64	   *starts;			/* each relative to the span before */
	uint64	   *numbers;		/* scratch */
	uint32	   *codes;			/* scratch */
} Plan;

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
	memcpy(o->data + o->len, p, n);
	o->len += n;
}

static void
out_varint(Out *o, uint64 v)
{
	out_reserve(o, VARINT_MAX);
	o->len = write_varint(o->data + o->len, v) - o->data;
}

static void
out_be64(Out *o, uint64 v)
{
	int			i;

	out_reserve(o, 8);
	for (i = 56; i >= 0; i -= 8)
		o->data[o->len++] = (uint8) (v >> i);
}

/* Steps that a number of so many bits takes above the shortest form. */
static inline int
number_steps(int length, int bits)
{
	return length <= bits ? 0 : (length - bits + NUMBERS_STEP - 1) / NUMBERS_STEP;
}

/* Bits of the shortest form that make the column short: tried around the mean length. */
static int
number_bits(const uint64 *v, int n, uint64 base)
{
	int			lengths[65] = {0};
	int			total = 0;
	int			shortest = 64;
	int			longest = 0;
	int			best = 0;
	uint64		best_cost = UINT64_MAX;
	int			low;
	int			high;
	int			bits;
	int			i;
	int			sample = Min(n, 1 << 20);

	for (i = 0; i < sample; i++)
	{
		int			length = bit_length(v[i] - base);

		lengths[length]++;
		total += length;
		shortest = Min(shortest, length);
		longest = Max(longest, length);
	}
	low = Max(total / sample - 5, 0);
	high = Min(total / sample + 2, 63);
	for (bits = low; bits <= high; bits++)
	{
		uint64		cost = 0;
		int			length;

		for (length = shortest; length <= longest; length++)
		{
			int			q = number_steps(length, bits);

			cost += (uint64) lengths[length] * (1 + q + Min(bits + NUMBERS_STEP * q, 64));
		}
		if (cost < best_cost)
		{
			best_cost = cost;
			best = bits;
		}
	}
	return best;
}

/* A column of numbers of any size. */
static void
out_numbers(Out *o, const uint64 *v, int n, bool with_base)
{
	uint64		base = 0;
	BitWriter	w;
	int			bits;
	int			i;

	if (with_base)
	{
		base = v[0];
		for (i = 1; i < n; i++)
			base = Min(base, v[i]);
	}
	bits = number_bits(v, n, base);
	out_byte(o, bits | (base > 0 ? NUMBERS_BASE : 0));
	if (base > 0)
		out_varint(o, base);
	out_reserve(o, (size_t) n * 13 + 8);
	w.pos = o->data + o->len;
	w.acc = 0;
	w.nbits = 0;
	for (i = 0; i < n; i++)
	{
		uint64		number = v[i] - base;
		int			q = number_steps(bit_length(number), bits);
		int			width = Min(bits + NUMBERS_STEP * q, 64);

		bits_put(&w, (UINT64CONST(1) << q) - 1, q + 1);
		if (width > 32)
		{
			bits_put(&w, number & UINT32_MAX, 32);
			bits_put(&w, number >> 32, width - 32);
		}
		else
			bits_put(&w, number, width);
	}
	o->len = bits_finish(&w) - o->data;
}

/* Small numbers, all in the same number of bits above the smallest. */
static void
out_codes(Out *o, const uint32 *codes, int n)
{
	uint32		min = codes[0];
	uint32		max = codes[0];
	BitWriter	w;
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
	if (width == 0)
		return;
	out_reserve(o, ((size_t) n * width + 7) / 8 + 8);
	w.pos = o->data + o->len;
	w.acc = 0;
	w.nbits = 0;
	for (i = 0; i < n; i++)
		bits_put(&w, codes[i] - min, width);
	o->len = bits_finish(&w) - o->data;
}

/* 16 lower-case hex digits as a number; false if the string is anything else. */
static bool
hex_number(ApmStr s, uint64 *v)
{
	int			i;

	if (s.len != 16)
		return false;
	*v = 0;
	for (i = 0; i < 16; i++)
	{
		char		c = s.data[i];

		if (c >= '0' && c <= '9')
			*v = *v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			*v = *v << 4 | (c - 'a' + 10);
		else
			return false;
	}
	return true;
}

static void
out_string(Out *o, const SpansetLexicon *lexicon, ApmStr s)
{
	uint64		hex;
	int			word;

	if ((word = word_number(s)) >= 0)
	{
		out_varint(o, STRING_WORD);
		out_byte(o, word);
	}
	else if (lexicon != NULL && (word = lexicon_word(lexicon, s)) >= 0)
	{
		out_varint(o, STRING_LEARNED);
		out_varint(o, word);
	}
	else if (hex_number(s, &hex))
	{
		out_varint(o, STRING_HEX);
		out_be64(o, hex);
	}
	else
	{
		out_varint(o, (uint64) s.len + (lexicon != NULL ? STRING_LITERAL_LEXICON : STRING_LITERAL));
		out_bytes(o, s.data, s.len);
	}
}

static void
out_strings(Out *o, const Plan *p, const Strings *t)
{
	uint32		i;

	if (t->count == 0)
		return;
	out_varint(o, t->count);
	out_codes(o, t->codes, p->n);
	for (i = 0; i < t->count; i++)
		out_string(o, p->lexicon, t->strings[i]);
}

static void
out_durations(Out *o, Plan *p)
{
	int			i;

	for (i = 0; i < p->n; i++)
		p->numbers[i] = (uint64) p->spans[i].duration_us;
	out_numbers(o, p->numbers, p->n, false);
}

/* One bit a span: is its code other than 0? */
static void
out_bitmap(Out *o, const uint32 *codes, int n)
{
	size_t		bytes = ((size_t) n + 7) / 8;
	int			i;

	out_reserve(o, bytes);
	memset(o->data + o->len, 0, bytes);
	for (i = 0; i < n; i++)
		if (codes[i] != 0)
			o->data[o->len + i / 8] |= 1 << (i % 8);
	o->len += bytes;
}

/* Which differ from the duration, and for each of these: 0 for unknown, else by how much. */
static void
out_self_times(Out *o, Plan *p)
{
	int			i;

	for (i = 0; i < p->n; i++)
		p->codes[i] = p->spans[i].self_time_us != p->spans[i].duration_us;
	out_bitmap(o, p->codes, p->n);
	for (i = 0; i < p->n; i++)
	{
		const ApmSpan *s = &p->spans[i];

		if (s->self_time_us == s->duration_us)
			continue;
		out_varint(o, s->self_time_us == APM_MICROS_NULL ? 0 :
				   zigzag((int64) ((uint64) s->duration_us - (uint64) s->self_time_us)));
	}
}

static void
out_traces(Out *o, const Plan *p)
{
	uint32		i;

	if (p->ntraces > 1)
	{
		out_varint(o, p->ntraces);
		out_codes(o, p->traces, p->n);
	}
	for (i = 0; i < p->ntraces; i++)
		out_bytes(o, p->trace_ids[i], 16);
}

static void
out_status(Out *o, Plan *p)
{
	int			i;

	for (i = 0; i < p->n; i++)
		p->codes[i] = p->spans[i].status + 1;
	out_codes(o, p->codes, p->n);
}

static void
out_starts(Out *o, Plan *p)
{
	uint64		first = zigzag(p->spans[0].start_us);
	int			i;

	for (i = 0; i < (p->flags & SF_WIDE_START ? 8 : 7); i++)
		out_byte(o, (uint8) (first >> (8 * i)));
	out_numbers(o, p->starts, p->n, false);
}

static void
out_ids_and_links(Out *o, Plan *p)
{
	uint32		k;
	int			i;

	for (i = 0; i < p->n; i++)
		out_be64(o, p->spans[i].span_id);
	if (p->flags & SF_OUTSIDE)
	{
		out_varint(o, p->links.noutside);
		for (k = 0; k < p->links.noutside; k++)
			out_be64(o, p->links.outside[k]);
	}
	if (p->flags & SF_PARENTS)
		out_codes(o, p->parents, p->n);
	if (p->flags & SF_SEGMENTS)
		out_codes(o, p->segments, p->n);
	if (!(p->flags & SF_SEGMENT_BITS))
		return;
	for (i = 0; i < p->n; i++)
		p->codes[i] = p->spans[i].is_segment;
	out_bitmap(o, p->codes, p->n);
}

/* Descriptions and attributes: lengths, then all text in one block. */
static void
out_block(Out *o, Plan *p)
{
	size_t		len = 0;
	size_t		used = 0;
	size_t		packed;
	char	   *text;
	uint32		k;
	int			i;

	if (p->flags & SF_DESCRIPTION)
	{
		out_varint(o, p->description.count);
		out_codes(o, p->description.codes, p->n);
		for (k = 0; k < p->description.count; k++)
		{
			out_varint(o, p->description.strings[k].len);
			len += p->description.strings[k].len;
		}
	}
	if (p->flags & SF_ATTRIBUTES)
	{
		for (i = 0; i < p->n; i++)
		{
			ApmStr		a = p->spans[i].attributes;

			p->numbers[i] = a.data == NULL ? 0 : (uint64) a.len + 1;
			len += a.data == NULL ? 0 : a.len;
		}
		out_numbers(o, p->numbers, p->n, true);
	}
	if (!(p->flags & (SF_DESCRIPTION | SF_ATTRIBUTES)))
		return;

	text = palloc(len);
	for (k = 0; k < p->description.count; k++)
	{
		memcpy(text + used, p->description.strings[k].data, p->description.strings[k].len);
		used += p->description.strings[k].len;
	}
	for (i = 0; p->flags & SF_ATTRIBUTES && i < p->n; i++)
	{
		ApmStr		a = p->spans[i].attributes;

		if (a.data == NULL)
			continue;
		memcpy(text + used, a.data, a.len);
		used += a.len;
	}
	out_reserve(o, len + 1);
	packed = codec_compress(p->lexicon != NULL ? &p->lexicon->text : codec_known_text(),
							(const uint8 *) text, len, o->data + o->len + 1);
	o->data[o->len++] = packed > 0 ? BLOCK_COMPRESSED : 0;
	if (packed == 0)
		memcpy(o->data + o->len, text, len);
	o->len += packed > 0 ? packed : len;
	pfree(text);
}

/*
 * Starts relative to the start of the span before, or to its end: children
 * that follow one another lie close to the latter.  Whichever is smaller.
 */
static void
plan_starts(Plan *p)
{
	uint64		after_start = 0;
	uint64		after_end = 0;
	int			i;

	p->starts[0] = 0;
	for (i = 1; i < p->n; i++)
	{
		const ApmSpan *s = &p->spans[i];
		uint64		gap = (uint64) s->start_us - (uint64) s[-1].start_us;

		p->starts[i] = zigzag((int64) gap);
		p->numbers[i] = zigzag((int64) (gap - (uint64) s[-1].duration_us));
		after_start += bit_length(p->starts[i]);
		after_end += bit_length(p->numbers[i]);
	}
	if (after_end < after_start)
	{
		p->flags |= SF_START_AFTER;
		memcpy(p->starts + 1, p->numbers + 1, (p->n - 1) * sizeof(uint64));
	}
	if (zigzag(p->spans[0].start_us) >> 56 != 0)
		p->flags |= SF_WIDE_START;
}

/* Which columns are needed, but for those of strings. */
static void
plan_flags(Plan *p)
{
	bool		all_ok = true;
	bool		all_null = true;
	int			i;

	for (i = 0; i < p->n; i++)
	{
		const ApmSpan *s = &p->spans[i];

		if (p->parents[i] != 0)
			p->flags |= SF_PARENTS;
		if (p->segments[i] != 0)
			p->flags |= SF_SEGMENTS;
		if (s->is_segment != (s->segment_id == s->span_id))
			p->flags |= SF_SEGMENT_BITS;
		if (s->self_time_us != s->duration_us)
			p->flags |= SF_SELF;
		if (s->attributes.data != NULL)
			p->flags |= SF_ATTRIBUTES;
		all_ok &= s->status == 0;
		all_null &= s->status == APM_STATUS_NULL;
	}
	if (all_ok)
		p->flags |= SF_ALL_OK;
	else if (!all_null)
		p->flags |= SF_STATUS;
	if (p->links.noutside > 0)
		p->flags |= SF_OUTSIDE;
	if (p->ntraces > 1)
		p->flags |= SF_TRACES;
}

static void
plan_make(Plan *p, const SpansetLexicon *lexicon, const ApmSpan *spans, int n)
{
	int			i;

	p->lexicon = lexicon;
	p->spans = spans;
	p->n = n;
	p->flags = 0;
	p->parents = palloc(n * sizeof(uint32));
	p->segments = palloc(n * sizeof(uint32));
	p->traces = palloc(n * sizeof(uint32));
	p->codes = palloc(n * sizeof(uint32));
	p->trace_ids = palloc(n * sizeof(uint8 *));
	p->starts = palloc(n * sizeof(uint64));
	p->numbers = palloc(n * sizeof(uint64));
	strings_build(&p->op, spans, n, offsetof(ApmSpan, op));
	strings_build(&p->category, spans, n, offsetof(ApmSpan, category));
	strings_build(&p->group, spans, n, offsetof(ApmSpan, span_group));
	strings_build(&p->origin, spans, n, offsetof(ApmSpan, origin));
	strings_build(&p->description, spans, n, offsetof(ApmSpan, description));
	links_init(&p->links, spans, n);
	for (i = 0; i < n; i++)
	{
		p->parents[i] = links_code(&p->links, spans[i].parent_span_id);
		p->segments[i] = links_code(&p->links, spans[i].segment_id);
	}
	p->ntraces = trace_codes(spans, n, p->traces, p->trace_ids);
	plan_starts(p);
	plan_flags(p);
	p->flags |= (p->op.count > 0 ? SF_OP : 0) |
		(p->category.count > 0 ? SF_CATEGORY : 0) |
		(p->group.count > 0 ? SF_GROUP : 0) |
		(p->origin.count > 0 ? SF_ORIGIN : 0) |
		(p->description.count > 0 ? SF_DESCRIPTION : 0);
}

static void
plan_free(Plan *p)
{
	strings_free(&p->op);
	strings_free(&p->category);
	strings_free(&p->group);
	strings_free(&p->origin);
	strings_free(&p->description);
	links_free(&p->links);
	pfree(p->parents);
	pfree(p->segments);
	pfree(p->traces);
	pfree(p->codes);
	pfree(p->trace_ids);
	pfree(p->starts);
	pfree(p->numbers);
}

uint8 *
spanset_pack(const ApmSpan *spans, int n, size_t headroom, size_t *len)
{
	return spanset_pack_with(NULL, spans, n, headroom, len);
}

uint8 *
spanset_pack_with(const SpansetLexicon *lexicon, const ApmSpan *spans, int n,
				  size_t headroom, size_t *len)
{
	Out			o;
	Plan		p;
	int			i;

	o.cap = headroom + 64 + (size_t) n * 32;
	o.data = palloc(o.cap);
	o.len = headroom;
	out_byte(&o, lexicon != NULL ? SPANSET_LEXICON : SPANSET_VERSION);
	for (i = 24; lexicon != NULL && i >= 0; i -= 8)
		out_byte(&o, (uint8) (lexicon->id >> i));
	out_varint(&o, n);
	if (n > 0)
	{
		plan_make(&p, lexicon, spans, n);
		out_varint(&o, p.flags);
		out_durations(&o, &p);
		out_strings(&o, &p, &p.op);
		out_strings(&o, &p, &p.category);
		out_strings(&o, &p, &p.group);
		if (p.flags & SF_SELF)
			out_self_times(&o, &p);
		out_traces(&o, &p);
		if (p.flags & SF_STATUS)
			out_status(&o, &p);
		out_starts(&o, &p);
		out_ids_and_links(&o, &p);
		out_strings(&o, &p, &p.origin);
		out_block(&o, &p);
		plan_free(&p);
	}
	*len = o.len;
	return o.data;
}
