/*
 * breakdown_packed_test.c
 *		Counting packed durations at once gives what reading the columns and
 *		adding them one by one gives, byte for byte; what cannot be read by one
 *		way is not taken by the other.
 */
#include "breakdown/breakdown.h"
#include "sketch_samples.h"
#include "spanset/spanset_hot.h"
#include "spanset/spanset_lexicon.h"

#define MAX_SET 600

/* What is counted: one of the columns of keys, durations or self times. */
typedef struct Question
{
	uint32		column;
	bool		self_time;
} Question;

static const Question questions[] = {
	{SPANSET_OP, false}, {SPANSET_OP, true}, {SPANSET_CATEGORY, false},
	{SPANSET_CATEGORY, true}, {SPANSET_GROUP, false}, {SPANSET_GROUP, true}
};

static const SpansetLexicon *lexicon;
static int	taken_sets = 0;

static ApmStr
text(const char *s)
{
	ApmStr		t = {s, (uint32) strlen(s)};

	return t;
}

static bool
same_word(uint8 number, const char *s)
{
	return spanset_words[number].len == strlen(s) && memcmp(spanset_words[number].data, s, strlen(s)) == 0;
}

/* Ops and categories: known words, now and then another string or none. */
static ApmStr
random_key(int kind)
{
	static const char *const words[] = {
		"db", "http.client", "http.server", "cache.get", "view.render", "middleware", "serialize",
		"queue.publish", "file.read", "template.render", "http", "cache", "queue"
	};
	static const char *const others[] = {"", "op of nobody", "0123456789abcdef", "learned one"};
	ApmStr		null = {NULL, 0};

	if (kind == 1 && random_below(4) == 0)
		return null;
	if (kind == 2 && random_below(20) == 0)
		return text(others[random_below(lengthof(others))]);
	if (kind == 3)
		return spanset_words[random_below(SPANSET_WORDS)];
	if (kind == 4)
		return text(words[0]);
	return text(words[random_below(lengthof(words))]);
}

static int64
random_duration(int kind)
{
	switch (kind)
	{
		case 0:
			return (int64) (random_bits() >> (36 + random_below(28)));
		case 1:
			return 0;
		case 2:
			return 77;
		case 3:
			return 1000 + (int64) random_below(16);
		case 4:
			return (int64) random_below(3);
		case 5:
			/* around what is taken */
			return ((INT64CONST(1) << (26 + random_below(6))) + (int64) random_below(3)) - 1;
		case 6:
			return (INT64CONST(1) << random_below(63)) - 1;
		default:
			return 1 + (int64) (50000 * exp(0.7 * random_normal()));
	}
}

/* Mostly hexadecimal digits, of which each byte comes. */
static ApmStr
random_group(int kind, char *digits)
{
	ApmStr		s = {digits, 16};

	if (kind == 0 || random_below(8) == 0)
		return random_key(kind == 0 ? 2 : 1 + (int) random_below(2));
	snprintf(digits, 17, "%08x%08x", (unsigned int) random_bits() & (kind == 1 ? 0x70000u : 0xffffffffu),
			 (unsigned int) random_below(4) * 0x1234567);
	return s;
}

static int64
random_self_time(int kind, int64 duration)
{
	switch (random_below(kind == 0 ? 7 : 4))
	{
		case 0:
			return duration - (int64) random_below((uint64) duration + 1);
		case 1:
			return 0;
		case 4:
			return APM_MICROS_NULL;
		case 5:
			return -1 - (int64) random_below(100);
		case 6:
			return random_duration(6);
		default:
			return duration;
	}
}

static uint8 *
random_set(size_t *len)
{
	static ApmSpan spans[MAX_SET];
	static char digits[MAX_SET][17];
	const int	durations = random_below(3) == 0 ? (int) random_below(8) : 7;
	const int	keys = random_below(3) == 0 ? (int) random_below(5) : 0;
	const int	groups = (int) random_below(4);
	const int	self_times = (int) random_below(4);
	int			n = 1 + (int) random_below(random_below(20) == 0 ? MAX_SET : 24);
	int			i;

	memset(spans, 0, sizeof(spans));
	for (i = 0; i < n; i++)
	{
		memset(spans[i].trace_id, 1, sizeof(spans[i].trace_id));
		spans[i].span_id = random_bits() | 1;
		spans[i].segment_id = spans[0].span_id;
		spans[i].duration_us = random_duration(durations);
		spans[i].self_time_us = self_times == 3 ? spans[i].duration_us :
			random_self_time(self_times, spans[i].duration_us);
		spans[i].op = random_key(keys);
		spans[i].category = random_key(random_below(30) == 0 ? 2 : keys);
		spans[i].span_group = random_group(groups, digits[i]);
	}
	return spanset_pack_with(random_below(3) == 0 ? lexicon : NULL, spans, n, 0, len);
}

static void
free_if_grown(BreakdownState **state, BreakdownState *before)
{
	if (*state != before)
		free(before);
}

/* By columns; false if the value cannot be read. */
static bool
add_plainly(BreakdownState **state, const uint8 *data, size_t len, const Question *q)
{
	static SpansetColumns c;
	static BreakdownTarget targets[SPANSET_MAX_WORD * 64];
	BreakdownState *before = *state;

	c.lexicon = lexicon;
	if (spanset_read(&c, data, len, q->column | (q->self_time ? SPANSET_SELF_TIME : SPANSET_DURATION)) != NULL)
		return false;
	CHECK(breakdown_add_column(state, q->column == SPANSET_OP ? &c.op : q->column == SPANSET_GROUP ? &c.group : &c.category,
							   q->self_time ? c.self_time_us : c.duration_us, c.n, targets) == BREAKDOWN_OK);
	free_if_grown(state, before);
	return true;
}

/* At once where that is possible. */
static bool
add_packed(BreakdownState **state, const uint8 *data, size_t len, const Question *q)
{
	BreakdownState *before = *state;
	size_t		taken;

	CHECK(breakdown_add_packed(state, q->column, q->self_time, data, len, lexicon, &taken) == BREAKDOWN_OK);
	free_if_grown(state, before);
	CHECK(taken <= len);
	taken_sets += taken > 0;
	return taken > 0 || add_plainly(state, data, len, q);
}

static void
require_same(const BreakdownState *a, const BreakdownState *b)
{
	size_t		len_a;
	size_t		len_b;
	uint8	   *bytes_a = breakdown_encode(a, 0, &len_a);
	uint8	   *bytes_b = breakdown_encode(b, 0, &len_b);

	CHECK(len_a == len_b && memcmp(bytes_a, bytes_b, len_a) == 0);
	CHECK(breakdown_state_valid(b, b->size));
	free(bytes_a);
	free(bytes_b);
}

/* Sets of all kinds into one breakdown, which is compared from time to time. */
static void
test_random_sets(const Question *q)
{
	BreakdownState *plain = breakdown_create();
	BreakdownState *packed = breakdown_create();
	int			i;

	taken_sets = 0;
	for (i = 0; i < 3000; i++)
	{
		size_t		len;
		uint8	   *value = random_set(&len);

		CHECK(add_plainly(&plain, value, len, q));
		CHECK(add_packed(&packed, value, len, q));
		if (i < 60 || i % 600 == 599)
			require_same(plain, packed);
		free(value);
	}
	CHECK(taken_sets > 1500 && taken_sets < 3000);
	free(plain);
	free(packed);
}

/* One value again and again, until its counters have grown through all widths. */
static void
test_many_of_one(void)
{
	BreakdownState *plain = breakdown_create();
	BreakdownState *packed = breakdown_create();
	size_t		len;
	uint8	   *value = random_set(&len);
	int			i;

	for (i = 0; i < 66000; i++)
	{
		add_plainly(&plain, value, len, &questions[0]);
		add_packed(&packed, value, len, &questions[0]);
	}
	require_same(plain, packed);
	free(value);
	free(plain);
	free(packed);
}

/*
 * A table may hold one word twice.  As its sketch grows, and moves, spans of
 * either entry have to find it.
 */
static void
test_word_twice(void)
{
	BreakdownState *plain = breakdown_create();
	BreakdownState *packed = breakdown_create();
	ApmSpan		spans[500];
	BreakdownReader r;
	BreakdownStatus status;
	SketchView	view;
	uint8	   *value;
	size_t		len;
	size_t		i;

	memset(spans, 0, sizeof(spans));
	for (i = 0; i < lengthof(spans); i++)
	{
		spans[i].span_id = i + 1;
		spans[i].duration_us = spans[i].self_time_us = 1000;
		spans[i].op = text(i % 2 ? "db" : "cache");
	}
	value = spanset_pack(spans, lengthof(spans), 0, &len);
	for (i = 0; i + 4 < len; i++)
		if (value[i] == STRING_WORD && value[i + 2] == STRING_WORD && i > 2 &&
			same_word(value[i + 1], "cache") && same_word(value[i + 3], "db"))
			break;
	value[i + 1] = value[i + 3];
	CHECK(add_plainly(&plain, value, len, &questions[0]));
	CHECK(add_packed(&packed, value, len, &questions[0]));
	require_same(plain, packed);
	free(value);
	value = breakdown_encode(packed, 0, &len);
	CHECK(breakdown_open(&r, value, len) == BREAKDOWN_OK);
	CHECK(breakdown_next(&r, &status) && r.key.len == 2);
	CHECK(sketch_view_bytes(&view, r.sketch, r.sketch_len) == SKETCH_OK && view.n == lengthof(spans));
	CHECK(!breakdown_next(&r, &status));
	free(value);
	free(plain);
	free(packed);
}

/* Values with a few bytes changed, or cut, in blocks of their own so that ASan sees overruns. */
static void
test_hostile(const Question *q)
{
	int			i;

	for (i = 0; i < 10000; i++)
	{
		BreakdownState *plain = breakdown_create();
		BreakdownState *packed = breakdown_create();
		size_t		len;
		uint8	   *value = random_set(&len);
		size_t		cut = random_below(4) == 0 ? random_below(len + 1) : len;
		uint8	   *bytes = malloc(cut + (cut == 0));
		int			changes = (int) random_below(4);

		memcpy(bytes, value, cut);
		while (changes-- > 0 && cut > 0)
		{
			size_t		within = 1 + random_below(80);

			bytes[random_below(Min(cut, within))] = (uint8) random_bits();
		}
		if (add_plainly(&plain, bytes, cut, q))
		{
			CHECK(add_packed(&packed, bytes, cut, q));
			require_same(plain, packed);
		}
		else
			CHECK(!add_packed(&packed, bytes, cut, q));
		free(bytes);
		free(value);
		free(plain);
		free(packed);
	}
}

/* What sketch_add_us() relies on, for one duration. */
static void
check_micros(uint32 us)
{
	const double value = (double) us / 1000.0;
	const double about = (double) (int32) us * 0.001;

	CHECK(sketch_key(about) == sketch_key(value));
	CHECK(about == value || about == nextafter(value, INFINITY));
	CHECK((int64) (value * 1e9 + 0.5) == (int64) us * 1000000);
}

static void
test_micros(void)
{
	int32		key;
	int			i;

	for (i = 0; i < 1000000; i++)
		check_micros((uint32) (random_bits() >> (34 + random_below(30))));
	for (key = sketch_key(0.001); key <= sketch_key(SKETCH_US_LIMIT / 1000.0); key++)
	{
		double		lower;
		double		upper;
		uint32		us;

		sketch_key_bounds(key, &lower, &upper);
		us = (uint32) (lower * 1000);
		for (i = -3; i <= 3; i++)
			if ((int64) us + i >= 0 && us + i < SKETCH_US_LIMIT)
				check_micros(us + i);
	}
	check_micros(SKETCH_US_LIMIT - 1);
}

/* A sketch whose counters have two or four bytes, against one that is added to plainly. */
static void
test_sketch(int width)
{
	SketchState *plain = sketch_create();
	SketchState *fast = sketch_create();
	SketchState *before;
	SketchView	view;
	size_t		len[2];
	uint8	   *bytes[2];
	int			quick = 0;
	int			i;

	for (i = 0; i < 200000; i++)
	{
		const uint32 us = (uint32) random_bits() % (i < 100000 ? 9000u : SKETCH_US_LIMIT);

		before = plain;
		CHECK(sketch_add(&plain, us / 1000.0));
		if (before != plain)
			free(before);
		before = fast;
		if (sketch_add_us(fast, us))
			quick++;
		else
		{
			CHECK(sketch_add(&fast, us / 1000.0));
			if (before != fast)
				free(before);
			before = fast;
			sketch_widen(&fast, width);
			if (before != fast)
				free(before);
		}
	}
	CHECK(quick > 199000);
	sketch_view_state(&view, plain);
	bytes[0] = sketch_encode(&view, 0, &len[0]);
	sketch_view_state(&view, fast);
	bytes[1] = sketch_encode(&view, 0, &len[1]);
	CHECK(len[0] == len[1] && memcmp(bytes[0], bytes[1], len[0]) == 0);
	free(bytes[0]);
	free(bytes[1]);
	free(plain);
	free(fast);
}

int
main(void)
{
	size_t		i;
	static const char learned[] = "\002\013learned one\003abctext of the lexicon";

	lexicon = lexicon_read((const uint8 *) learned, sizeof(learned) - 1);
	CHECK(lexicon != NULL);
	test_micros();
	test_sketch(1);
	test_sketch(2);
	for (i = 0; i < lengthof(questions); i++)
	{
		test_random_sets(&questions[i]);
		test_hostile(&questions[i]);
	}
	test_many_of_one();
	test_word_twice();
	if (failures == 0)
		printf("breakdown_packed: ok\n");
	return failures != 0;
}
