/*
 * selftime_test.c
 *		Self time: known vectors, and a second implementation that walks the
 *		children of each parent in order of start.
 */
#include "types/selftime.h"

static int	failures = 0;

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	failures++;
	printf("selftime: %s\n", what);
}

/* Times in milliseconds, as the vectors are given. */
static ApmSpan
span(uint64 id, uint64 parent, int64 start_ms, int64 end_ms)
{
	ApmSpan		s;

	memset(&s, 0, sizeof(s));
	s.span_id = id;
	s.parent_span_id = parent;
	s.start_us = start_ms * 1000;
	s.duration_us = (end_ms - start_ms) * 1000;
	s.self_time_us = APM_MICROS_NULL;
	return s;
}

static void
expect(const char *what, ApmSpan *spans, int n, const int64 *self_ms)
{
	int			i;

	selftime_compute(spans, n);
	for (i = 0; i < n; i++)
	{
		if (spans[i].self_time_us == self_ms[i] * 1000)
			continue;
		printf("span %d: %lld us instead of %lld ms, ", i,
			   (long long) spans[i].self_time_us, (long long) self_ms[i]);
		check(false, what);
	}
}

static void
test_vectors(void)
{
	{
		ApmSpan		s[] = {span(1, 0, 0, 5000), span(2, 1, 1000, 4000),
		span(3, 1, 1000, 3500), span(4, 1, 3000, 4877)};

		expect("overlapping children", s, 4, (int64[]) {1123, 3000, 2500, 1877});
	}
	{
		ApmSpan		s[] = {span(1, 0, 0, 5000), span(2, 1, 1000, 2000),
		span(3, 2, 1200, 1800), span(4, 3, 1400, 1600)};

		expect("chain", s, 4, (int64[]) {4000, 400, 400, 200});
	}
	{
		ApmSpan		s[] = {span(1, 0, 0, 5000), span(2, 1, 1000, 2000),
		span(3, 2, 1200, 1600), span(4, 2, 1400, 1800)};

		expect("overlapping grandchildren", s, 4, (int64[]) {4000, 400, 400, 400});
	}
	{
		ApmSpan		s[] = {span(2, 0, 1000, 2000), span(3, 2, 400, 800), span(4, 2, 2200, 2600)};

		expect("children outside", s, 3, (int64[]) {1000, 400, 400});
	}
	{
		ApmSpan		s[] = {span(2, 0, 1000, 2000), span(3, 2, 800, 1400), span(4, 2, 1600, 2200)};

		expect("children across the edges", s, 3, (int64[]) {200, 600, 600});
	}
}

static void
test_odd_input(void)
{
	selftime_compute(NULL, 0);
	{
		ApmSpan		s[] = {span(1, 1, 0, 100)};

		expect("its own parent", s, 1, (int64[]) {100});
	}
	{
		ApmSpan		s[] = {span(1, 2, 0, 100), span(2, 1, 20, 60)};

		expect("cycle", s, 2, (int64[]) {60, 0});
	}
	{
		ApmSpan		s[] = {span(1, 0, 0, 100), span(1, 0, 50, 100), span(2, 1, 40, 60), span(2, 1, 40, 60)};

		expect("repeated ids", s, 4, (int64[]) {80, 40, 20, 20});
	}
	{
		ApmSpan		s[] = {span(1, 0, 0, 100), span(2, 1, 0, 50), span(3, 1, 50, 100), span(4, 1, 70, 70)};

		expect("touching and empty children", s, 4, (int64[]) {0, 50, 50, 0});
	}
	{
		ApmSpan		s[] = {span(7, 9, 5, 5)};

		expect("no duration, parent missing", s, 1, (int64[]) {0});
	}
}

/* Times at the edges of int64 neither overflow nor give a negative result. */
static void
test_extremes(void)
{
	ApmSpan		s[3];

	s[0] = span(1, 0, 0, 0);
	s[0].start_us = INT64_MIN;
	s[0].duration_us = INT64_MAX;
	s[1] = span(2, 1, 0, 0);
	s[1].start_us = INT64_MAX - 5;
	s[1].duration_us = INT64_MAX;
	s[2] = span(3, 1, 0, 0);
	s[2].start_us = INT64_MIN;
	s[2].duration_us = 10;
	selftime_compute(s, 3);
	check(s[0].self_time_us == INT64_MAX - 10, "earliest start");
	check(s[1].self_time_us == INT64_MAX, "latest start");
	s[0].duration_us = -7;
	selftime_compute(s, 1);
	check(s[0].self_time_us == 0, "negative duration");
}

static int
by_start(const void *a, const void *b)
{
	int64		x = ((const ApmSpan *) a)->start_us;
	int64		y = ((const ApmSpan *) b)->start_us;

	return (x > y) - (x < y);
}

/* The walk of the reference over the direct children of one span. */
static int64
naive(const ApmSpan *spans, int n, int at)
{
	ApmSpan    *children = palloc(sizeof(ApmSpan) * n);
	int64		cur = spans[at].start_us;
	int64		end = cur + spans[at].duration_us;
	int64		self = 0;
	int			m = 0;
	int			i;

	for (i = 0; i < n; i++)
		if (spans[i].parent_span_id == spans[at].span_id && spans[i].span_id != spans[at].span_id)
			children[m++] = spans[i];
	qsort(children, m, sizeof(ApmSpan), by_start);
	for (i = 0; i < m && children[i].start_us < end; i++)
	{
		int64		child_end = children[i].start_us + children[i].duration_us;

		if (children[i].start_us > cur)
			self += children[i].start_us - cur;
		cur = Max(cur, Min(child_end, end));
	}
	pfree(children);
	return self + end - cur;
}

static void
test_random(void)
{
	ApmSpan		spans[40];
	int			round;

	srand(4711);
	for (round = 0; round < 3000; round++)
	{
		int			n = 1 + rand() % (int) lengthof(spans);
		int			ids = 1 + rand() % 12;
		int			i;

		for (i = 0; i < n; i++)
		{
			spans[i] = span(1 + rand() % ids, rand() % (ids + 1), 0, 0);
			spans[i].start_us = rand() % 60 - 20;
			spans[i].duration_us = rand() % 50;
		}
		selftime_compute(spans, n);
		for (i = 0; i < n; i++)
			if (spans[i].self_time_us != naive(spans, n, i))
			{
				check(false, "differs from the walk over children");
				return;
			}
	}
}

/* Half the spans repeat one id, the other half are its children: not quadratic. */
static void
test_many_duplicates(void)
{
	int			n = 400000;
	ApmSpan    *spans = palloc(sizeof(ApmSpan) * n);
	int			i;

	for (i = 0; i < n; i++)
		spans[i] = i % 2 ? span(1, 0, 0, n) : span(2 + i, 1, i, i + 1);
	selftime_compute(spans, n);
	check(spans[1].self_time_us == (int64) n * 500, "children every other millisecond");
	pfree(spans);
}

int
main(void)
{
	test_vectors();
	test_odd_input();
	test_extremes();
	test_random();
	test_many_duplicates();
	return failures != 0;
}
