/*
 * sketch_error_test.c
 *		Answers of the sketch against the values themselves: exact for small
 *		groups, within the bound for all others; and the size of the bytes.
 */
#include "sketch_samples.h"

#define MAX_N 200000

static double values[MAX_N];
static const double fractions[] = {
	0, 0.001, 0.01, 0.05, 0.1, 0.25, 1.0 / 3, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1
};

#define N_FRACTIONS ((int) lengthof(fractions))

static Bytes
sketch_of(int n)
{
	SketchState *state = sketch_create();
	Bytes		bytes;
	int			i;

	for (i = 0; i < n; i++)
		CHECK(add(&state, values[i]));
	bytes = encode(state);
	free(state);
	return bytes;
}

static void
draw(Shape shape, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		values[i] = random_value(shape);
}

static void
test_exact(void)
{
	int			round;

	for (round = 0; round < 4000; round++)
	{
		int			n = 1 + round % SKETCH_EXACT_MAX;
		double		result[N_FRACTIONS];
		SketchView	view;
		Bytes		bytes;
		int			i;

		draw(random_below(N_SHAPES), n);
		bytes = sketch_of(n);
		CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
		CHECK(sketch_is_exact(&view));
		CHECK(sketch_quantiles(&view, fractions, N_FRACTIONS, result) == SKETCH_OK);
		qsort(values, n, sizeof(double), compare_doubles);
		for (i = 0; i < N_FRACTIONS; i++)
		{
			double		want = percentile_cont(values, n, fractions[i]);

			/* Zeros of either sign are equal, as they are to SQL. */
			CHECK(same_double(want, result[i]) || want == result[i] ||
				  (isnan(want) && isnan(result[i])));
		}
		free(bytes.data);
	}
}

/* Worst relative error of a group of a shape at any of the fractions. */
static double
worst_error(Shape shape, int n)
{
	double		result[N_FRACTIONS];
	double		worst = 0;
	SketchView	view;
	Bytes		bytes;
	int			i;

	draw(shape, n);
	bytes = sketch_of(n);
	CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
	CHECK(sketch_quantiles(&view, fractions, N_FRACTIONS, result) == SKETCH_OK);
	qsort(values, n, sizeof(double), compare_doubles);
	CHECK(result[0] == values[0] && result[N_FRACTIONS - 1] == values[n - 1]);
	CHECK(view.min == values[0] && view.max == values[n - 1] && view.n == (uint64) n);
	for (i = 0; i < N_FRACTIONS; i++)
	{
		double		want = percentile_cont(values, n, fractions[i]);

		worst = fmax(worst, fabs(result[i] - want) / want);
		CHECK(i == 0 || result[i] >= result[i - 1]);
	}
	free(bytes.data);
	return worst;
}

static void
test_bound(bool verbose)
{
	static const int sizes[] = {33, 34, 50, 64, 100, 300, 1000, 10000, 100000};
	size_t		i;
	int			shape;
	int			repeat;

	for (i = 0; i < lengthof(sizes); i++)
		for (shape = 0; shape < POSITIVE_SHAPES; shape++)
		{
			double		worst = 0;

			for (repeat = 0; repeat < Max(1, 20000 / sizes[i]) && repeat < 100; repeat++)
				worst = fmax(worst, worst_error(shape, sizes[i]));
			if (verbose)
				printf("n %d shape %d worst %.5f\n", sizes[i], shape, worst);
			CHECK(worst <= SKETCH_ERROR * (1 + 1e-12));
			CHECK(shape != CONSTANT || worst == 0);
		}
}

/* Where values lie on both sides of zero the bound holds for their ranks. */
static void
test_signed(void)
{
	int			round;

	for (round = 0; round < 60; round++)
	{
		int			n = 33 + (int) random_below(3000);
		SketchView	view;
		Bytes		bytes;
		int			i;

		draw(SIGNED, n);
		bytes = sketch_of(n);
		CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
		qsort(values, n, sizeof(double), compare_doubles);
		for (i = 0; i < 100; i++)
		{
			double		p = random_unit();
			double		position = p * (n - 1);
			double		low = values[(int) floor(position)];
			double		high = values[(int) ceil(position)];
			double		result;

			CHECK(sketch_quantiles(&view, &p, 1, &result) == SKETCH_OK);
			CHECK(fabs(result - percentile_cont(values, n, p)) <=
				  SKETCH_ERROR * fmax(fabs(low), fabs(high)) * (1 + 1e-12));
		}
		free(bytes.data);
	}
}

/* A whole weight counts as so many equal values: the same answers. */
static void
test_whole_weights(void)
{
	int			round;

	for (round = 0; round < 400; round++)
	{
		int			n = 1 + (int) random_below(round % 2 ? 12 : 200);
		SketchState *state = sketch_create();
		double		result[N_FRACTIONS];
		SketchView	view;
		int			total = 0;
		int			i;

		for (i = 0; i < n; i++)
		{
			int			weight = 1 + (int) random_below(9);
			double		value = random_value(HEAVY_TAIL);

			CHECK(add_weighted(&state, value, 1000 * weight));
			while (weight-- > 0)
				values[total++] = value;
		}
		sketch_view_state(&view, state);
		CHECK(view.n == (uint64) n && view.milli == (uint64) total * 1000);
		CHECK(sketch_quantiles(&view, fractions, N_FRACTIONS, result) == SKETCH_OK);
		qsort(values, total, sizeof(double), compare_doubles);
		for (i = 0; i < N_FRACTIONS; i++)
		{
			double		want = percentile_cont(values, total, fractions[i]);

			if (n <= SKETCH_EXACT_MAX)
				CHECK(same_double(result[i], want));
			else
				CHECK(fabs(result[i] - want) <= SKETCH_ERROR * want * (1 + 1e-12));
		}
		free(state);
	}
}

/*
 * Fractions of weights: the mean over one unit of weight, from all the
 * thousandths one by one.
 */
static void
test_fractional_weights(void)
{
	int			round;

	for (round = 0; round < 300; round++)
	{
		int			n = 1 + (int) random_below(round % 2 ? 20 : 60);
		SketchState *state = sketch_create();
		SketchEntry entries[60];
		SketchView	view;
		int			total = 0;
		int			window;
		int			i;

		for (i = 0; i < n; i++)
		{
			entries[i].value = 10 + 5 * random_unit();
			entries[i].milli = 1 + random_below(2500);
			CHECK(add_weighted(&state, entries[i].value, entries[i].milli));
			total += (int) entries[i].milli;
		}
		for (total = i = 0; i < n; i++)
			while (entries[i].milli-- > 0)
				values[total++] = entries[i].value;
		qsort(values, total, sizeof(double), compare_doubles);
		window = Min(total, 1000);
		sketch_view_state(&view, state);
		for (i = 1; i < 20; i++)
		{
			double		p = i / 20.0;
			double		from = p * (total - window);
			double		want = 0;
			double		got;
			int			j;

			for (j = (int) floor(from); j < total && j < from + window; j++)
				want += values[j] * (fmin(j + 1, from + window) - fmax(j, from));
			want /= window;
			CHECK(sketch_quantiles(&view, &p, 1, &got) == SKETCH_OK);
			CHECK(fabs(got - want) <= (n <= SKETCH_EXACT_MAX ? 1e-9 : SKETCH_ERROR) * want);
		}
		free(state);
	}
}

static void
test_ranks(void)
{
	int			round;

	for (round = 0; round < 200; round++)
	{
		int			n = 1 + (int) random_below(round % 3 ? 5000 : 32);
		SketchView	view;
		Bytes		bytes;
		double		previous = 0;
		int			i;

		draw(LOG_NORMAL, n);
		bytes = sketch_of(n);
		CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
		qsort(values, n, sizeof(double), compare_doubles);
		for (i = 0; i < 50; i++)
		{
			double		value = 20.0 * i + 0.5;
			double		low = value * (1 - 1.0 / 64);
			double		high = value * (1 + 1.0 / 64);
			int			below = 0;
			int			exact = 0;
			int			above = 0;
			double		got;
			int			j;

			for (j = 0; j < n; j++)
			{
				below += values[j] <= low;
				exact += values[j] <= value;
				above += values[j] <= high;
			}
			CHECK(sketch_weight_up_to(&view, value, &got) == SKETCH_OK);
			got /= SKETCH_MILLI;
			if (view.exact)
				CHECK(got == exact);
			CHECK(got >= below && got <= above && got >= previous);
			previous = got;
		}
		CHECK(sketch_weight_up_to(&view, values[n - 1], &previous) == SKETCH_OK);
		CHECK(previous == n * 1000.0);
		free(bytes.data);
	}
}

static void
test_sums(void)
{
	int			shape;

	for (shape = 0; shape < ANY_BITS; shape++)
	{
		int			n;

		for (n = 1; n < 20000; n = n * 3 + 7)
		{
			long double want = 0;
			long double size = 0;
			SketchView	view;
			Bytes		bytes;
			double		got;
			int			i;

			draw(shape, n);
			for (i = 0; i < n; i++)
			{
				want += values[i];
				size += fabsl(values[i]);
			}
			bytes = sketch_of(n);
			CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
			CHECK(sketch_sum(&view, &got) == SKETCH_OK);
			if (shape == ZEROS_AND_TINY && n > SKETCH_EXACT_MAX)
				CHECK(fabsl(got - want) <= 0.01L * size + n * DBL_MIN);
			else
				CHECK(fabsl(got - want) <= n * 0.5e-9L + size * 1e-9L);
			if (shape == LOG_NORMAL)
				CHECK(fabsl(got - want) <= size * 1e-15L);
			free(bytes.data);
		}
	}
}

/* Beyond fixed point the sum is an estimate, and infinity stays infinity. */
static void
test_large_sums(void)
{
	SketchView	view;
	Bytes		bytes;
	double		got;
	int			i;

	for (i = 0; i < 100; i++)
		values[i] = 1e15 * (i + 1);
	bytes = sketch_of(100);
	CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
	CHECK(sketch_sum(&view, &got) == SKETCH_OK);
	CHECK(fabs(got / 5.05e18 - 1) < SKETCH_ERROR);
	CHECK(sketch_mean(&view, &got) == SKETCH_OK);
	CHECK(fabs(got / 5.05e16 - 1) < SKETCH_ERROR);
	free(bytes.data);

	values[7] = INFINITY;
	bytes = sketch_of(100);
	CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
	CHECK(sketch_sum(&view, &got) == SKETCH_OK && got == INFINITY);
	free(bytes.data);
	values[8] = -INFINITY;
	bytes = sketch_of(100);
	CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
	CHECK(sketch_sum(&view, &got) == SKETCH_OK && isnan(got));
	free(bytes.data);
	values[8] = -NAN;
	bytes = sketch_of(100);
	CHECK(sketch_view_bytes(&view, bytes.data, bytes.len) == SKETCH_OK);
	CHECK(sketch_sum(&view, &got) == SKETCH_OK && isnan(got));
	CHECK(isnan(view.max) && view.min == 1e15);
	free(bytes.data);
}

/* Whole microseconds, with the four bytes of a varlena header. */
static void
test_sizes(bool verbose)
{
	static const int sizes[][2] = {{10, 30}, {100, 95}, {1000, 260}, {10000, 600}, {200000, 1000}};
	size_t		i;

	for (i = 0; i < lengthof(sizes); i++)
	{
		double		mean = 0;
		int			rounds = i < 2 ? 100 : 4;
		int			round;

		for (round = 0; round < rounds; round++)
		{
			Bytes		bytes;

			draw(LOG_NORMAL, sizes[i][0]);
			bytes = sketch_of(sizes[i][0]);
			mean += (double) (bytes.len + 4) / rounds;
			free(bytes.data);
		}
		if (verbose)
			printf("n %d: %.1f bytes\n", sizes[i][0], mean);
		CHECK(mean <= sizes[i][1]);
	}
}

int
main(int argc, char **argv)
{
	test_exact();
	test_bound(argc > 1);
	test_signed();
	test_whole_weights();
	test_fractional_weights();
	test_ranks();
	test_sums();
	test_large_sums();
	test_sizes(argc > 1);
	return failures != 0;
}
