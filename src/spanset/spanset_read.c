/*
 * spanset/spanset_read.c
 *		Columns out of a packed value.  Pure: no server headers.
 *
 * The bytes may come from anybody.  Every read is checked against the end,
 * counts are checked against what the bytes left could hold, and codes
 * against their table, so that a decoded column is always safe to use.
 */
#include "spanset/spanset_format.h"

typedef struct In
{
	const uint8 *pos;
	const uint8 *end;
	const char *error;			/* sticky */
	int			n;
	uint32		flags;
} In;

static void
in_fail(In *in, const char *error)
{
	if (in->error == NULL)
		in->error = error;
	in->pos = in->end;
}

static inline size_t
in_left(const In *in)
{
	return in->end - in->pos;
}

static uint64
in_varint(In *in)
{
	uint64		v = 0;
	int			shift;

	for (shift = 0; shift < 64 && in->pos < in->end; shift += 7)
	{
		uint8		b = *in->pos++;

		if (shift == 63 && b > 1)
			break;
		v |= (uint64) (b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	in_fail(in, "a number is cut short or too long");
	return 0;
}

/* n bytes, or NULL. */
static const uint8 *
in_bytes(In *in, uint64 n)
{
	const uint8 *p = in->pos;

	if (n > in_left(in))
	{
		in_fail(in, "it is cut short");
		return NULL;
	}
	in->pos += n;
	return p;
}

static uint64
get_id(const uint8 *p)
{
	uint64		id = 0;
	int			i;

	for (i = 0; i < 8; i++)
		id = id << 8 | p[i];
	return id;
}

static void
in_numbers(In *in, uint64 *v)
{
	int			i;

	for (i = 0; i < in->n; i++)
	{
		if (in->pos < in->end && *in->pos < 0x80)
			v[i] = *in->pos++;
		else
			v[i] = in_varint(in);
	}
}

/* A code column; codes is NULL to pass over it.  Every code is below limit. */
static void
in_codes(In *in, uint32 *codes, uint64 limit)
{
	const uint8 *head = in_bytes(in, 1);
	const uint8 *p;
	uint64		base = 0;
	uint64		acc = 0;
	uint64		mask;
	int			bits = 0;
	int			width;
	int			i;

	if (head == NULL)
		return;
	width = *head & CODES_WIDTH;
	if (width > CODES_MAX_WIDTH || *head & ~(CODES_WIDTH | CODES_BASE))
	{
		in_fail(in, "a column has an unknown form");
		return;
	}
	if (*head & CODES_BASE)
		base = in_varint(in);
	p = in_bytes(in, ((uint64) in->n * width + 7) / 8);
	if (p == NULL || codes == NULL)
		return;
	mask = (UINT64CONST(1) << width) - 1;
	for (i = 0; i < in->n; i++)
	{
		uint64		code;

		while (bits < width)
		{
			acc |= (uint64) *p++ << bits;
			bits += 8;
		}
		code = (acc & mask) + base;
		acc >>= width;
		bits -= width;
		if (base >= limit || code >= limit)
		{
			in_fail(in, "a code points outside of its table");
			return;
		}
		codes[i] = (uint32) code;
	}
}

/*
 * Memory for tables whose size is only known while reading.  The caller has
 * checked the count against the bytes that are left.
 */
static void *
table_alloc(SpansetColumns *c, size_t size)
{
	typedef struct Chunk
	{
		struct Chunk *next;
	} Chunk;
	Chunk	   *chunk = palloc(sizeof(Chunk) + size);

	chunk->next = c->tables;
	c->tables = chunk;
	return chunk + 1;
}

static void
tables_free(SpansetColumns *c)
{
	while (c->tables != NULL)
	{
		void	  **chunk = c->tables;

		c->tables = *chunk;
		pfree(chunk);
	}
}

/* A string column; column is NULL to pass over it. */
static void
in_strings(In *in, SpansetColumns *c, SpansetStrings *column, uint32 flag)
{
	uint64		count;
	uint64		total = 0;
	In			lengths;
	uint64		i;

	if (column != NULL)
		column->count = 0;
	if (!(in->flags & flag))
	{
		if (column != NULL)
			memset(column->codes, 0, in->n * sizeof(uint32));
		return;
	}
	count = in_varint(in);
	if (count == 0 || count > (uint64) in->n || count > in_left(in))
	{
		in_fail(in, "a table of strings has a wrong size");
		return;
	}
	lengths = *in;
	for (i = 0; i < count; i++)
	{
		uint64		len = in_varint(in);

		if (len > in_left(in))
		{
			in_fail(in, "a string is cut short");
			return;
		}
		total += len;
	}
	if (column != NULL && total <= in_left(in))
	{
		const char *p = (const char *) in->pos;

		column->strings = table_alloc(c, count * sizeof(ApmStr));
		column->count = count;
		for (i = 0; i < count; i++)
		{
			column->strings[i].data = p;
			column->strings[i].len = in_varint(&lengths);
			p += column->strings[i].len;
		}
	}
	in_bytes(in, total);
	in_codes(in, column ? column->codes : NULL, count + 1);
}

static void
in_self_times(In *in, SpansetColumns *c, bool wanted)
{
	int			i;

	if (!(in->flags & SF_SELF))
	{
		if (wanted)
			memcpy(c->self_time_us, c->duration_us, in->n * sizeof(int64));
		return;
	}
	in_numbers(in, (uint64 *) c->self_time_us);
	for (i = 0; wanted && i < in->n; i++)
	{
		uint64		v = (uint64) c->self_time_us[i];

		c->self_time_us[i] = v == 0 ? APM_MICROS_NULL :
			(int64) ((uint64) c->duration_us[i] - (uint64) unzigzag(v - 1));
	}
}

static void
in_traces(In *in, SpansetColumns *c)
{
	uint64		count = 1;

	if (in->flags & SF_TRACES)
	{
		count = in_varint(in);
		if (count == 0 || count > (uint64) in->n)
			in_fail(in, "a table of trace ids has a wrong size");
		in_codes(in, c->trace, count);
	}
	else
		memset(c->trace, 0, in->n * sizeof(uint32));
	c->ntraces = count;
	c->trace_ids = in_bytes(in, count * 16);
}

static void
in_status(In *in, SpansetColumns *c, uint32 *scratch)
{
	int			i;

	if (in->flags & SF_STATUS)
		in_codes(in, scratch, APM_STATUS_COUNT + 1);
	for (i = 0; i < in->n && in->error == NULL; i++)
		c->status[i] = in->flags & SF_STATUS ? (int) scratch[i] - 1 : APM_STATUS_NULL;
}

static void
in_starts(In *in, SpansetColumns *c)
{
	uint64		base = (uint64) unzigzag(in_varint(in));
	int			i;

	in_numbers(in, (uint64 *) c->start_us);
	for (i = 0; i < in->n; i++)
		c->start_us[i] = (int64) (base + (uint64) c->start_us[i]);
}

/* Codes of links to ids. */
static void
in_links(In *in, const SpansetColumns *c, uint64 *ids, uint32 *scratch, uint32 flag,
		 const uint8 *outside, uint64 noutside)
{
	int			i;

	memset(ids, 0, in->n * sizeof(uint64));
	if (!(in->flags & flag))
		return;
	in_codes(in, scratch, noutside + in->n + 1);
	for (i = 0; i < in->n && in->error == NULL; i++)
	{
		uint32		code = scratch[i];

		if (code > (uint32) in->n)
			ids[i] = get_id(outside + 8 * (size_t) (code - in->n - 1));
		else if (code > 0)
			ids[i] = c->span_id[code - 1];
	}
}

static void
in_all_links(In *in, SpansetColumns *c, uint32 *scratch)
{
	const uint8 *outside = NULL;
	uint64		noutside = 0;
	int			i;

	if (in->flags & (SF_PARENTS | SF_SEGMENTS))
	{
		noutside = in_varint(in);
		if (noutside > 2 * (uint64) in->n)
			in_fail(in, "a table of span ids has a wrong size");
		else
			outside = in_bytes(in, noutside * 8);
	}
	in_links(in, c, c->parent_span_id, scratch, SF_PARENTS, outside, noutside);
	in_links(in, c, c->segment_id, scratch, SF_SEGMENTS, outside, noutside);
	memset(c->is_segment, 0, in->n * sizeof(bool));
	if (in->flags & SF_SEGMENT_BITS)
	{
		const uint8 *p = in_bytes(in, ((uint64) in->n + 7) / 8);

		for (i = 0; p != NULL && i < in->n; i++)
			c->is_segment[i] = (p[i / 8] >> (i % 8)) & 1;
	}
}

static void
in_attributes(In *in, SpansetColumns *c)
{
	uint64		total = 0;
	const char *p;
	int			i;

	memset(c->attributes, 0, in->n * sizeof(ApmStr));
	if (!(in->flags & SF_ATTRIBUTES))
		return;
	for (i = 0; i < in->n; i++)
	{
		uint64		len = in_varint(in);

		if (len == 0)
			continue;
		if (len - 1 > in_left(in))
		{
			in_fail(in, "attributes are cut short");
			return;
		}
		c->attributes[i].len = len - 1;
		c->attributes[i].data = "";
		total += len - 1;
	}
	p = (const char *) in_bytes(in, total);
	for (i = 0; p != NULL && i < in->n; i++)
	{
		if (c->attributes[i].data == NULL)
			continue;
		c->attributes[i].data = p;
		p += c->attributes[i].len;
	}
}

/* Arrays for n spans, all in one block. */
static uint32 *
arrays_prepare(SpansetColumns *c, int n)
{
	const size_t per = 6 * 8 + sizeof(ApmStr) + 7 * sizeof(uint32) + 2;
	char	   *p;

	if (n > c->capacity || c->arrays == NULL)
	{
		if (c->arrays != NULL)
			pfree(c->arrays);
		c->capacity = Max(n, 16);
		c->arrays = palloc(per * c->capacity);
	}
	p = c->arrays;
#define TAKE(field, type) \
	(c->field = (type *) p, p += c->capacity * sizeof(type))
	TAKE(duration_us, int64);
	TAKE(self_time_us, int64);
	TAKE(start_us, int64);
	TAKE(span_id, uint64);
	TAKE(parent_span_id, uint64);
	TAKE(segment_id, uint64);
	TAKE(attributes, ApmStr);
	TAKE(op.codes, uint32);
	TAKE(category.codes, uint32);
	TAKE(group.codes, uint32);
	TAKE(origin.codes, uint32);
	TAKE(description.codes, uint32);
	TAKE(trace, uint32);
	p += c->capacity * sizeof(uint32);
	TAKE(is_segment, bool);
	TAKE(status, int8);
#undef TAKE
	/* The scratch array lies between trace and is_segment. */
	return c->trace + c->capacity;
}

static const char *
in_header(In *in, const uint8 *data, size_t len)
{
	uint64		n;

	in->pos = data;
	in->end = data + len;
	in->error = NULL;
	in->n = 0;
	in->flags = 0;
	if (len < 2)
		return "it is cut short";
	if (*in->pos++ != SPANSET_VERSION)
		return "its version is unknown";
	n = in_varint(in);
	if (in->error != NULL)
		return in->error;
	if (n > in_left(in) / 8 || n > INT32_MAX)
		return "it is too short for the number of spans it claims";
	in->n = n;
	return NULL;
}

const char *
spanset_read(SpansetColumns *c, const uint8 *data, size_t len, uint32 wanted)
{
	In			in;
	const char *error = in_header(&in, data, len);
	uint32	   *scratch;
	uint64		flags;

	tables_free(c);
	c->n = 0;
	if (error != NULL)
		return error;
	scratch = arrays_prepare(c, in.n);
	c->op.count = c->category.count = c->group.count = 0;
	c->origin.count = c->description.count = c->ntraces = 0;
	if (in.n == 0)
		return in_left(&in) == 0 ? NULL : "it goes on after its end";
	flags = in_varint(&in);
	if (flags & ~(uint64) SF_KNOWN)
		return "it has columns of an unknown kind";
	in.flags = flags;

	in_numbers(&in, (uint64 *) c->duration_us);
	in_strings(&in, c, wanted & SPANSET_OP ? &c->op : NULL, SF_OP);
	in_strings(&in, c, wanted & SPANSET_CATEGORY ? &c->category : NULL, SF_CATEGORY);
	in_strings(&in, c, wanted & SPANSET_GROUP ? &c->group : NULL, SF_GROUP);
	if (wanted & ~(SPANSET_DURATION | SPANSET_OP | SPANSET_CATEGORY | SPANSET_GROUP))
	{
		in_self_times(&in, c, (wanted & SPANSET_SELF_TIME) != 0);
		in_traces(&in, c);
		in_status(&in, c, scratch);
		in_starts(&in, c);
	}
	if (wanted & (SPANSET_SPAN_ID | SPANSET_LINKS | SPANSET_ORIGIN | SPANSET_DESCRIPTION | SPANSET_ATTRIBUTES))
	{
		const uint8 *ids = in_bytes(&in, 8 * (uint64) in.n);
		int			i;

		for (i = 0; ids != NULL && i < in.n; i++)
			c->span_id[i] = get_id(ids + 8 * i);
		in_all_links(&in, c, scratch);
		in_strings(&in, c, wanted & SPANSET_ORIGIN ? &c->origin : NULL, SF_ORIGIN);
		in_strings(&in, c, wanted & SPANSET_DESCRIPTION ? &c->description : NULL, SF_DESCRIPTION);
	}
	if (wanted & SPANSET_ATTRIBUTES)
	{
		in_attributes(&in, c);
		if (in.error == NULL && in.pos != in.end)
			in_fail(&in, "it goes on after its end");
	}
	if (in.error == NULL)
		c->n = in.n;
	return in.error;
}

int
spanset_count(const uint8 *data, size_t len)
{
	In			in;

	return in_header(&in, data, len) == NULL ? in.n : -1;
}

static ApmStr
string_of(const SpansetStrings *column, int i)
{
	ApmStr		null = {NULL, 0};

	return column->codes[i] == 0 ? null : column->strings[column->codes[i] - 1];
}

void
spanset_get(const SpansetColumns *c, int i, ApmSpan *span)
{
	memcpy(span->trace_id, c->trace_ids + 16 * (size_t) c->trace[i], 16);
	span->span_id = c->span_id[i];
	span->parent_span_id = c->parent_span_id[i];
	span->segment_id = c->segment_id[i];
	span->is_segment = c->is_segment[i];
	span->status = c->status[i];
	span->start_us = c->start_us[i];
	span->duration_us = c->duration_us[i];
	span->self_time_us = c->self_time_us[i];
	span->op = string_of(&c->op, i);
	span->description = string_of(&c->description, i);
	span->category = string_of(&c->category, i);
	span->span_group = string_of(&c->group, i);
	span->origin = string_of(&c->origin, i);
	span->attributes = c->attributes[i];
}

void
spanset_free(SpansetColumns *c)
{
	tables_free(c);
	if (c->arrays != NULL)
		pfree(c->arrays);
	memset(c, 0, sizeof(*c));
}
