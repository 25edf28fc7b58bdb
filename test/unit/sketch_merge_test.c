/*
 * sketch_merge_test.c
 *		Neither the order of adding nor the way of merging shows: the bytes of
 *		a sketch, and with them every answer, follow from the values alone.
 */
#include "sketch_samples.h"

#define MAX_GROUPS 12

typedef struct Sample
{
	int			n;
	bool		weighted;
	double		values[3000];
	uint64		milli[3000];
} Sample;

static Sample sample;

static uint64
random_weight(int kind)
{
	switch (kind)
	{
		case 0:
			return 1000 * (1 + random_below(4));
		case 1:
			return 10000;
		case 2:
			return 1 + random_below(5000);
		case 3:
			return random_below(2) ? 500 : 1500;
		default:
			return random_below(10) ? 1000 : 1 + random_below(UINT64CONST(1) << 34);
	}
}

static void
draw_sample(int round)
{
	static const int sizes[] = {1, 2, 10, 31, 32, 33, 34, 40, 100, 400, 1500, 3000};
	Shape		shape = round % N_SHAPES;
	int			kind = (int) random_below(5);
	int			i;

	sample.n = random_below(2) ? 1 + (int) random_below(70) : sizes[random_below(lengthof(sizes))];
	sample.weighted = random_below(2);
	for (i = 0; i < sample.n; i++)
	{
		sample.values[i] = random_value(shape);
		sample.milli[i] = sample.weighted ? random_weight(kind) : SKETCH_MILLI;
	}
}

static void
shuffle_sample(void)
{
	int			i;

	for (i = sample.n - 1; i > 0; i--)
	{
		int			j = (int) random_below(i + 1);
		double		value = sample.values[i];
		uint64		milli = sample.milli[i];

		sample.values[i] = sample.values[j];
		sample.milli[i] = sample.milli[j];
		sample.values[j] = value;
		sample.milli[j] = milli;
	}
}

static void
put(SketchState **state, int i)
{
	if (sample.weighted || random_below(8) == 0)
		CHECK(add_weighted(state, sample.values[i], sample.milli[i]));
	else
		CHECK(add(state, sample.values[i]));
}

/* The first sketch takes the second in, as a state or through its bytes. */
static void
merge_one(SketchState **into, SketchState *other)
{
	SketchView	view;
	Bytes		bytes = {NULL, 0};

	if (random_below(2))
		sketch_view_state(&view, other);
	else
	{
		bytes = encode(other);
		CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
	}
	CHECK(merge(into, &view) == SKETCH_OK);
	free(bytes.data);
	free(other);
}

/* The sample in a random order, split and merged at random. */
static Bytes
encode_at_random(void)
{
	SketchState *groups[MAX_GROUPS];
	int			n_groups = 1 + (int) random_below(Min(MAX_GROUPS, sample.n));
	Bytes		bytes;
	int			i;

	shuffle_sample();
	for (i = 0; i < n_groups; i++)
		groups[i] = sketch_create();
	for (i = 0; i < sample.n; i++)
		put(&groups[i < n_groups ? i : (int) random_below(n_groups)], i);
	while (n_groups > 1)
	{
		int			a = (int) random_below(n_groups);
		SketchState *other = groups[a];

		groups[a] = groups[--n_groups];
		merge_one(&groups[random_below(n_groups)], other);
	}
	CHECK(sketch_state_valid(groups[0], sketch_state_size(groups[0])));
	bytes = encode(groups[0]);
	free(groups[0]);
	return bytes;
}

/* Answers of the state and of its bytes are the same. */
static void
check_answers(const SketchState *state, Bytes bytes)
{
	double		fractions[9] = {0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.999, 1};
	double		first[9];
	double		second[9];
	SketchView	working;
	SketchView	compact;
	int			i;

	sketch_view_state(&working, state);
	CHECK(sketch_view_bytes(&compact, bytes.data, bytes.len) == SKETCH_OK);
	CHECK(working.n == compact.n && working.milli == compact.milli);
	CHECK(same_double(working.min, compact.min) && same_double(working.max, compact.max));
	CHECK(sketch_quantiles(&working, fractions, 9, first) == SKETCH_OK);
	CHECK(sketch_quantiles(&compact, fractions, 9, second) == SKETCH_OK);
	CHECK(memcmp(first, second, sizeof(first)) == 0);
	for (i = 0; i < 9; i++)
	{
		double		one;

		CHECK(sketch_quantiles(&compact, &fractions[i], 1, &one) == SKETCH_OK);
		CHECK(same_double(one, first[i]));
		CHECK(sketch_weight_up_to(&working, one, &first[i]) == SKETCH_OK);
		CHECK(sketch_weight_up_to(&compact, one, &second[i]) == SKETCH_OK);
		CHECK(same_double(first[i], second[i]));
	}
	CHECK(sketch_sum(&working, &first[0]) == SKETCH_OK);
	CHECK(sketch_sum(&compact, &second[0]) == SKETCH_OK);
	CHECK(same_double(first[0], second[0]) || (isnan(first[0]) && isnan(second[0])));
}

static void
test_order_never_shows(int rounds)
{
	int			round;

	for (round = 0; round < rounds && failures < 20; round++)
	{
		SketchState *state = sketch_create();
		SketchState *again;
		SketchView	view;
		Bytes		bytes;
		Bytes		other;
		int			before = failures;
		int			i;

		draw_sample(round);
		for (i = 0; i < sample.n; i++)
			put(&state, i);
		bytes = encode(state);
		CHECK(sketch_check(bytes.data, bytes.len) == SKETCH_OK);
		for (i = 0; i < 3; i++)
		{
			other = encode_at_random();
			CHECK(same_bytes(bytes, other));
			free(other.data);
		}
		check_answers(state, bytes);

		/* Bytes to state to bytes. */
		CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
		CHECK(sketch_from_view(&view, &again) == SKETCH_OK);
		other = encode(again);
		CHECK(same_bytes(bytes, other));
		free(other.data);
		free(again);

		/* Bytes to bytes, without a state. */
		other.data = sketch_encode(&view, 4, &other.len);
		CHECK(other.len == bytes.len + 4 && memcmp(other.data + 4, bytes.data, bytes.len) == 0);
		free(other.data);
		free(bytes.data);
		free(state);
		if (failures > before)
			printf("round %d: shape %d, n %d, weighted %d\n", round, round % N_SHAPES,
				   sample.n, sample.weighted);
	}
}

/* A state is bounded however far apart its values are. */
static void
test_bounded_state(void)
{
	SketchState *state = sketch_create();
	Bytes		bytes;
	int			i;

	for (i = 0; i < 300000; i++)
		add(&state, random_value(ANY_BITS));
	CHECK(sketch_state_size(state) < 3 * 1024 * 1024 / 2);
	bytes = encode(state);
	CHECK(bytes.len < 160 * 1024);
	CHECK(sketch_check(bytes.data, bytes.len) == SKETCH_OK);
	free(bytes.data);
	free(state);

	state = sketch_create();
	for (i = 0; i < 5000; i++)
		add(&state, i % 2 ? 1e-300 : 1e300);
	CHECK(sketch_state_size(state) < 12 * 1024);
	free(state);

	state = sketch_create();
	for (i = 0; i < 1000; i++)
		add(&state, random_value(LOG_NORMAL));
	CHECK(sketch_state_size(state) <= 1024);
	free(state);
}

/* Counters grow from 8 to 16, 32 and 64 bits. */
static void
test_large_counts(void)
{
	static const uint64 counts[] = {
		254, 255, 256, 257, 65535, 65536, 65537, UINT32_MAX - 1, UINT32_MAX, (uint64) UINT32_MAX + 1,
		UINT64CONST(1000000000000)
	};
	size_t		i;

	for (i = 0; i < lengthof(counts); i++)
	{
		SketchState *state = sketch_create();
		SketchState *old;
		SketchView	view;
		Bytes		bytes;
		double		sum;
		int			j;

		for (j = 0; j < 40; j++)
			add(&state, 1 + j);
		old = state;
		CHECK(sketch_add_repeated(&state, 5, counts[i] - 1));
		keep(old, state);
		for (j = 0; j < 3; j++)
		{
			CHECK(add(&state, 5));
			bytes = encode(state);
			CHECK(sketch_check(bytes.data, bytes.len) == SKETCH_OK);
			CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
			CHECK(view.n == counts[i] + 40 + j);
			CHECK(sketch_sum(&view, &sum) == SKETCH_OK);
			CHECK(sum == 820 + 5.0 * (counts[i] + j));
			free(bytes.data);
		}
		CHECK(add_weighted(&state, 5, 1500));
		bytes = encode(state);
		CHECK(sketch_check(bytes.data, bytes.len) == SKETCH_OK);
		free(bytes.data);
		free(state);
	}
}

static void
test_limits(void)
{
	SketchState *state = sketch_create();
	SketchView	view;
	uint64		milli;

	CHECK(add_weighted(&state, 1, SKETCH_MAX_MILLI - 1));
	CHECK(!add_weighted(&state, 1, 2));
	CHECK(add_weighted(&state, 1, 1));
	CHECK(!add(&state, 1));
	CHECK(add_weighted(&state, 1, 0));
	sketch_view_state(&view, state);
	CHECK(view.n == 2 && view.milli == SKETCH_MAX_MILLI);
	CHECK(merge(&state, &view) == SKETCH_OVERFLOW);
	free(state);

	CHECK(sketch_weight_milli(0, &milli) && milli == 0);
	CHECK(sketch_weight_milli(1e-300, &milli) && milli == 1);
	CHECK(sketch_weight_milli(0.0004, &milli) && milli == 1);
	CHECK(sketch_weight_milli(1.0 / 3, &milli) && milli == 333);
	CHECK(sketch_weight_milli(1e9, &milli) && milli == UINT64CONST(1000000000000));
	CHECK(!sketch_weight_milli(-1e-300, &milli));
	CHECK(!sketch_weight_milli(NAN, &milli));
	CHECK(!sketch_weight_milli(INFINITY, &milli));
	CHECK(!sketch_weight_milli(1e13, &milli));
}

int
main(int argc, char **argv)
{
	test_order_never_shows(argc > 1 ? atoi(argv[1]) : 4000);
	test_bounded_state();
	test_large_counts();
	test_limits();
	return failures != 0;
}
