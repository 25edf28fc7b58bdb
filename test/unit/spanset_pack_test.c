/*
 * spanset_pack_test.c
 *		Packed spans come back equal; bytes from anywhere do no harm.
 */
#include "spanset/spanset.h"
#include "spanset/spanset_bits.h"
#include "spanset_compare.h"

static uint64 rng_state = UINT64CONST(88172645463325252);
static int	failures = 0;

static uint64
rnd(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static uint32
below(uint32 n)
{
	return rnd() % n;
}

static void
fail(const char *what, const char *detail)
{
	printf("spanset_pack: %s: %s\n", what, detail);
	failures++;
}

/* Strings live for the whole program; the heap check of ASan sees overruns. */
static char *pool;
static size_t pool_used;
#define POOL_SIZE (64 << 20)

static ApmStr
keep(const char *data, uint32 len)
{
	ApmStr		s;

	if (pool_used + len > POOL_SIZE)
		pool_used = 0;
	memcpy(pool + pool_used, data, len);
	s.data = pool + pool_used;
	s.len = len;
	pool_used += len;
	return s;
}

static ApmStr
text(const char *s)
{
	return keep(s, strlen(s));
}

/* What sort of spans a round makes. */
typedef struct Shape
{
	const char *name;
	int			n;
	int			traces;
	int			strings;		/* how many different ones of each column */
	bool		nulls;
	bool		extreme;		/* times and ids of any size */
	bool		json;			/* attributes are JSON, ids not zero: valid for SQL */
	uint32		long_string;
} Shape;

static ApmStr
random_text(const Shape *shape, const char *prefix)
{
	char		buf[64];
	ApmStr		null = {NULL, 0};

	if (shape->nulls && below(4) == 0)
		return null;
	if (shape->nulls && below(6) == 0)
		return text("");
	if (shape->long_string > 0 && below(8) == 0)
	{
		char	   *s = malloc(shape->long_string);
		ApmStr		kept;
		uint32		i;

		for (i = 0; i < shape->long_string; i++)
			s[i] = 'a' + (below(3) == 0 ? below(26) : i % 7);
		kept = keep(s, shape->long_string);
		free(s);
		return kept;
	}
	switch (below(5))
	{
		case 0:
			snprintf(buf, sizeof(buf), "%016llx",
					 (unsigned long long) (below(shape->strings) * UINT64CONST(0x9e3779b97f4a7c15)));
			break;
		case 1:
			snprintf(buf, sizeof(buf), "http.client");
			break;
		default:
			snprintf(buf, sizeof(buf), "%s number %u", prefix, below(shape->strings));
	}
	return text(buf);
}

static ApmStr
random_json(const Shape *shape)
{
	char		buf[256];
	ApmStr		null = {NULL, 0};

	if (shape->nulls && below(3) == 0)
		return null;
	if (!shape->json && below(8) == 0)
		return text("");
	if (shape->long_string > 0 && below(8) == 0)
	{
		char	   *s = malloc(shape->long_string + 8);
		ApmStr		kept;
		uint32		i;

		memcpy(s, "{\"k\":\"", 6);
		for (i = 0; i < shape->long_string - 8; i++)
			s[6 + i] = 'a' + (i * i + below(2)) % 26;
		memcpy(s + 6 + i, "\"}", 2);
		kept = keep(s, 8 + i);
		free(s);
		return kept;
	}
	snprintf(buf, sizeof(buf),
			 "{\"db.system\":\"postgresql\",\"http.response.status_code\":%u,\"x%u\":\"caf\303\251 %llx\"}",
			 200 + below(300), below(5), (unsigned long long) rnd());
	return text(buf);
}

static int64
random_micros(const Shape *shape)
{
	if (!shape->extreme)
		return (int64) (rnd() >> (35 + below(28)));
	switch (below(4))
	{
		case 0:
			return 0;
		case 1:
			return INT64CONST(1) << below(62);
		case 2:
			return INT64CONST(4000000000000000000) - 1 - below(2);
		default:
			return (int64) (rnd() >> (3 + below(61)));
	}
}

static void
random_links(const Shape *shape, ApmSpan *spans, int n, int i)
{
	ApmSpan    *s = &spans[i];

	switch (below(8))
	{
		case 0:
			s->parent_span_id = rnd() | 1;
			break;
		case 1:
			s->parent_span_id = 0;
			break;
		case 2:
			s->parent_span_id = s->span_id;
			break;
		case 3:
			s->parent_span_id = spans[below(n)].span_id;	/* makes cycles */
			break;
		default:
			s->parent_span_id = spans[below(i + 1)].span_id;
	}
	s->segment_id = spans[0].span_id;
	if (shape->nulls)
		s->segment_id = below(3) == 0 ? 0 : below(3) == 0 ? rnd() | 1 : spans[below(n)].span_id;
	s->is_segment = shape->nulls ? below(5) == 0 : i == 0;
}

static ApmSpan *
random_spans(const Shape *shape)
{
	ApmSpan    *spans = calloc(shape->n + 1, sizeof(ApmSpan));
	uint8		traces[8][16];
	int64		base = INT64CONST(1767571200000000);
	int			i;
	int			j;

	for (i = 0; i < 8; i++)
		for (j = 0; j < 16; j++)
			traces[i][j] = (uint8) rnd() | 1;
	for (i = 0; i < shape->n; i++)
	{
		ApmSpan    *s = &spans[i];

		memcpy(s->trace_id, traces[below(shape->traces)], 16);
		s->span_id = rnd() | 1;
		if (shape->nulls && i > 0 && below(20) == 0)
			s->span_id = spans[below(i)].span_id;
	}
	for (i = 0; i < shape->n; i++)
	{
		ApmSpan    *s = &spans[i];

		random_links(shape, spans, shape->n, i);
		s->status = shape->nulls ? (int) below(18) - 1 : 0;
		s->duration_us = random_micros(shape);
		s->start_us = base + random_micros(shape);
		if (shape->extreme && !shape->json)
			s->start_us = below(3) == 0 ? INT64_MIN : below(3) == 0 ? INT64_MAX : (int64) rnd();
		else if (shape->extreme)
			s->start_us = below(2) == 0 ? INT64CONST(-210866803200000000) : INT64_MAX - s->duration_us;
		s->self_time_us = below(3) == 0 ? random_micros(shape) :
			below(2) == 0 ? s->duration_us : (int64) (s->duration_us * 0.3);
		if (shape->nulls && below(5) == 0)
			s->self_time_us = APM_MICROS_NULL;
		if (shape->extreme && !shape->json && below(3) == 0)
		{
			s->duration_us = (int64) rnd();
			s->self_time_us = (int64) rnd();
		}
		s->op = random_text(shape, "op");
		s->description = random_text(shape, "SELECT * FROM table WHERE");
		s->category = random_text(shape, "cat");
		s->span_group = random_text(shape, "group");
		s->origin = random_text(shape, "auto.db");
		s->attributes = random_json(shape);
	}
	return spans;
}

/* A copy that ends where the value ends, so that ASan sees any over-read. */
static uint8 *
exact_copy(const uint8 *data, size_t len)
{
	uint8	   *copy = malloc(len ? len : 1);

	memcpy(copy, data, len);
	return copy;
}

/* True if all spans can be read. */
static bool
readable(const uint8 *data, size_t len)
{
	const char *problem = read_every_way(data, len);

	if (problem != NULL && problem[0] != '\0')
		fail("subset of columns", problem);
	return problem == NULL;
}

/*
 * A lexicon of what some spans hold: every other string of their columns as a
 * word, descriptions and attributes as text.
 */
static SpansetLexicon *
learn(const ApmSpan *spans, int n)
{
	uint8	   *bytes = malloc(1 << 20);
	uint8	   *p = write_varint(bytes, n);
	SpansetLexicon *l;
	int			i;

	for (i = 0; i < n; i++)
	{
		ApmStr		word = i % 3 == 0 ? spans[i].op : i % 3 == 1 ? spans[i].span_group : spans[i].origin;

		word.len = Min(word.len, 500);
		p = write_varint(p, word.len);
		if (word.len > 0)
			memcpy(p, word.data, word.len);
		p += word.len;
	}
	for (i = 0; i < n && p < bytes + 30000; i++)
	{
		ApmStr		piece = i % 2 == 0 ? spans[i].description : spans[i].attributes;

		if (piece.data == NULL || piece.len > 10000)
			continue;
		memcpy(p, piece.data, piece.len);
		p += piece.len;
	}
	l = lexicon_read(bytes, p - bytes);
	if (l == NULL)
		fail("lexicon", "cannot be read");
	else if (l->id != lexicon_id(bytes, p - bytes))
		fail("lexicon", "has another id");
	free(bytes);
	return l;
}

/* With a lexicon, without it, with another one. */
static void
need_lexicon(const char *name, const uint8 *value, size_t len)
{
	SpansetLexicon *other = lexicon_read((const uint8 *) "\001\003abc", 5);
	SpansetColumns c;

	memset(&c, 0, sizeof(c));
	if (spanset_read(&c, value, len, SPANSET_DURATION) == NULL)
		fail(name, "was read without its lexicon");
	c.lexicon = other;
	if (spanset_read(&c, value, len, SPANSET_DURATION) == NULL)
		fail(name, "was read with another lexicon");
	if (spanset_check(value, len) == NULL)
		fail(name, "passes the check though it needs a lexicon");
	spanset_free(&c);
	lexicon_free(other);
}

static void
round_trip(const Shape *shape, bool with_lexicon)
{
	ApmSpan    *spans = random_spans(shape);
	SpansetColumns c;
	size_t		len;
	SpansetLexicon *lexicon = with_lexicon ? learn(spans, shape->n) : NULL;
	uint8	   *packed = spanset_pack_with(lexicon, spans, shape->n, 4, &len);
	uint8	   *value = exact_copy(packed + 4, len - 4);
	const char *error;
	int			i;

	free(packed);
	len -= 4;
	memset(&c, 0, sizeof(c));
	compare_lexicon = c.lexicon = lexicon;
	error = spanset_read(&c, value, len, SPANSET_ALL);
	if (error != NULL)
		fail(shape->name, error);
	else if (c.n != shape->n || spanset_count(value, Min(len, SPANSET_HEADER), len) != shape->n)
		fail(shape->name, "count");
	for (i = 0; error == NULL && i < shape->n; i++)
	{
		ApmSpan		span;
		const char *field;

		spanset_get(&c, i, &span);
		if ((field = difference(&span, &spans[i])) != NULL)
		{
			fail(shape->name, field);
			break;
		}
	}
	spanset_free(&c);
	if (!readable(value, len))
		fail(shape->name, "read");
	error = spanset_check(value, len);
	if (with_lexicon)
	{
		need_lexicon(shape->name, value, len);
		lexicon_free(lexicon);
		compare_lexicon = NULL;
	}
	else if (shape->json && error != NULL)
		fail(shape->name, error);
	free(value);
	free(spans);
}

/* Every shorter value is refused, every mutation is refused or decodes. */
static void
damage(const Shape *shape, bool with_lexicon, int mutations)
{
	ApmSpan    *spans = random_spans(shape);
	size_t		len;
	SpansetLexicon *lexicon = with_lexicon ? learn(spans, shape->n) : NULL;
	uint8	   *value = spanset_pack_with(lexicon, spans, shape->n, 0, &len);
	size_t		i;

	compare_lexicon = lexicon;
	for (i = 0; i < len; i++)
	{
		uint8	   *cut = exact_copy(value, i);

		if (readable(cut, i))
			fail(shape->name, "a truncated value was read");
		free(cut);
	}
	for (i = 0; i < (size_t) mutations; i++)
	{
		uint8	   *bad = exact_copy(value, len);
		int			k = 1 + below(2);

		while (k-- > 0)
			bad[below(len)] = below(3) == 0 ? 0xff : (uint8) rnd();
		readable(bad, len);
		free(bad);
	}
	free(value);
	free(spans);
	if (with_lexicon)
		lexicon_free(lexicon);
	compare_lexicon = NULL;
}

static const Shape shapes[] = {
	/* name, n, traces, strings, nulls, extreme, json, long_string */
	{"empty", 0, 1, 1, false, false, true, 0},
	{"one", 1, 1, 1, false, false, true, 0},
	{"ten", 10, 1, 3, false, false, true, 0},
	{"ten with nulls", 10, 2, 3, true, false, true, 0},
	{"ten extreme", 10, 1, 3, true, true, true, 0},
	{"wild", 17, 8, 5, true, true, false, 0},
	{"hundred", 100, 3, 20, true, false, true, 0},
	{"fifteen hundred", 1500, 1, 300, false, false, true, 0},
	{"fifteen hundred wild", 1500, 8, 1500, true, true, false, 0},
	{"long strings", 6, 1, 3, true, false, true, 1 << 20},
};

int
main(void)
{
	int			i;
	int			round;

	pool = malloc(POOL_SIZE);
	for (i = 0; i < (int) lengthof(shapes); i++)
		for (round = 0; round < (shapes[i].n > 100 || shapes[i].long_string ? 5 : 200); round++)
			round_trip(&shapes[i], round % 2 == 1);
	for (i = 0; i < (int) lengthof(shapes); i++)
		if (shapes[i].n <= 17 && shapes[i].long_string == 0)
			for (round = 0; round < 5; round++)
				damage(&shapes[i], round % 2 == 1, 1000);
	free(pool);
	if (failures == 0)
		printf("spanset_pack: ok\n");
	return failures != 0;
}
