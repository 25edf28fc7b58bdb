/*
 * hll_core_test.c
 *		Distinct counting: exact where it says so, within its error beyond,
 *		the same bytes in whatever order it was put together, and no harm from
 *		damaged bytes.
 */
#include "shim.h"

#include <math.h>

#include "sketch/hll.h"

static int	failures = 0;

#define CHECK(c) \
	do { \
		if (!(c)) \
		{ \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); \
			failures++; \
		} \
	} while (0)

static uint64 random_state = 1;

/* xorshift64*: repeatable. */
static uint64
next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64CONST(2685821657736338717);
}

/* Adds and frees the block that was outgrown. */
static HllWork *
add(HllWork *work, uint64 hash, bool mark)
{
	HllWork    *next = hll_add(work, hash, mark);

	if (next != work)
		pfree(work);
	return next;
}

/* The n-th user of a seed, as text, as user keys look. */
static uint64
user_hash(int seed, int n)
{
	char		key[40];

	return hll_hash(key, snprintf(key, sizeof(key), "id:%d-%d", seed, n));
}

static HllWork *
range_of(int seed, int first, int end, bool marked, int mark_every)
{
	HllWork    *work = hll_work_new(marked);
	int			i;

	for (i = first; i < end; i++)
		work = add(work, user_hash(seed, i), marked && i % mark_every == 0);
	return work;
}

static bool
same_bytes(const HllWork *a, const HllWork *b)
{
	size_t		asize;
	size_t		bsize;
	uint8	   *x = hll_compact(a, &asize);
	uint8	   *y = hll_compact(b, &bsize);
	bool		same = asize == bsize && memcmp(x, y, asize) == 0;

	pfree(x);
	pfree(y);
	return same;
}

static void
exact_to_the_bound(void)
{
	static const int sizes[] = {0, 1, 5, 6, 7, 100, 3071, 3072, 3073, 4095, 4096};
	int			i;
	int			marked;

	for (i = 0; i < (int) lengthof(sizes); i++)
		for (marked = 0; marked < 2; marked++)
		{
			HllWork    *work = range_of(i, 0, sizes[i], marked, 3);
			HllWork    *again = hll_work_copy(work);
			HllView		view;
			size_t		size;
			uint8	   *block;
			int			n;

			for (n = 0; n < sizes[i]; n += 7)
				again = add(again, user_hash(i, n), false);
			CHECK(same_bytes(work, again));
			CHECK(hll_work_count(again, false) == sizes[i]);
			CHECK(hll_work_count(work, true) == (marked ? (sizes[i] + 2) / 3 : 0));
			block = hll_compact(work, &size);
			CHECK(size == HLL_HEADER + (size_t) sizes[i] * 8);
			CHECK(hll_view(block, size, &view) == NULL);
			CHECK(hll_view_count(&view, false) == sizes[i]);
			CHECK(hll_view_count(&view, true) == (marked ? (sizes[i] + 2) / 3 : 0));
			pfree(block);
			pfree(work);
			pfree(again);
		}
}

/* Root mean square of the relative error over several sets of n values. */
static void
error_within_one_percent(void)
{
	static const struct
	{
		int			n;
		int			sets;
	}			cases[] = {
		{4097, 40}, {6000, 40}, {10000, 40}, {20000, 40}, {40000, 40},
		{80000, 40}, {200000, 40}, {1000000, 24}, {10000000, 3}
	};
	int			i;
	int			set;

	for (i = 0; i < (int) lengthof(cases); i++)
	{
		double		squares = 0;
		double		worst = 0;

		for (set = 0; set < cases[i].sets; set++)
		{
			HllWork    *work = hll_work_new(false);
			double		error;
			int			n;

			for (n = 0; n < cases[i].n; n++)
			{
				uint64		value = (uint64) (set + 1) << 40 | (uint64) n;

				work = add(work, hll_hash(&value, sizeof(value)), false);
			}
			error = hll_work_count(work, false) / cases[i].n - 1;
			squares += error * error;
			worst = Max(worst, fabs(error));
			pfree(work);
		}
		printf("n = %d: error %.3f %% (root mean square of %d sets), worst %.3f %%\n",
			   cases[i].n, 100 * sqrt(squares / cases[i].sets), cases[i].sets, 100 * worst);
		CHECK(sqrt(squares / cases[i].sets) <= 0.01);
		CHECK(worst <= 0.04);
	}
}

/* The hash as its definition reads, byte by byte. */
static uint64
plain_hash(const uint8 *p, size_t len)
{
	const uint64 k1 = UINT64CONST(0x9e3779b97f4a7c15);
	const uint64 k2 = UINT64CONST(0xc2b2ae3d27d4eb4f);
	uint64		h = k2 ^ ((uint64) len * k1);
	size_t		at = 0;

	for (;;)
	{
		size_t		n = len - at < 8 ? len - at : 8;
		uint64		word = 0;
		size_t		i;

		for (i = 0; i < n; i++)
			word |= (uint64) p[at + i] << (8 * i);
		word *= k2;
		word = word << 31 | word >> 33;
		h ^= word * k1;
		h = (h << 27 | h >> 37) * k1 + k2;
		at += n;
		if (n < 8)
			break;
	}
	h = (h ^ h >> 33) * UINT64CONST(0xff51afd7ed558ccd);
	h = (h ^ h >> 29) * UINT64CONST(0xc4ceb9fe1a85ec53);
	return h ^ h >> 32;
}

/* Of every length, in a block of just that size: nothing beside it is read. */
static void
hash_follows_its_definition(void)
{
	int			round;
	size_t		len;
	size_t		i;

	for (round = 0; round < 200; round++)
		for (len = 0; len <= 40; len++)
		{
			uint8	   *block = palloc(len);

			for (i = 0; i < len; i++)
				block[i] = (uint8) next_random();
			CHECK(hll_hash(block, len) == plain_hash(block, len));
			pfree(block);
		}
}

/* Registers come out the same by the short way and by the long one. */
static void
fast_way_is_the_same(void)
{
	HllWork    *slow = range_of(7, 0, 5000, false, 1);
	HllWork    *fast = hll_work_copy(slow);
	HllWork    *set = hll_work_new(false);
	HllWork    *marked = range_of(7, 0, 5000, true, 1);
	int			n;

	for (n = 0; n < 200000; n++)
	{
		uint64		hash = n == 0 ? 0 : n < 64 ? UINT64CONST(1) << n : next_random() >> n % 40;

		slow = add(slow, hash, false);
		if (!hll_add_fast(fast, hash))
			fast = add(fast, hash, false);
	}
	CHECK(hll_work_size(slow) == hll_work_size(fast) && memcmp(slow, fast, hll_work_size(slow)) == 0);
	CHECK(!hll_add_fast(set, 1) && !hll_add_fast(marked, 1));
	pfree(slow);
	pfree(fast);
	pfree(set);
	pfree(marked);
}

/* Hashes of close keys are spread: no register is far from its share. */
static void
hash_spreads(void)
{
	static int	seen[1 << 10];
	int			n;
	int			i;

	for (n = 0; n < 1 << 20; n++)
		seen[user_hash(0, n) >> 54]++;
	for (i = 0; i < 1 << 10; i++)
		CHECK(seen[i] > 824 && seen[i] < 1224);
	CHECK(hll_hash("", 0) != hll_hash("\0", 1));
	CHECK(hll_hash("\0\0", 2) != hll_hash("\0", 1));
	/* Stored values depend on these. */
	CHECK(hll_hash("", 0) == UINT64CONST(0x0bcaf042a3074b36));
	CHECK(hll_hash("id:42", 5) == UINT64CONST(0x70d387a89a88b4a7));
	CHECK(hll_hash("email:someone@example.test", 26) == UINT64CONST(0x6d133baac1112bd0));
}

static HllWork *
merge_part(HllWork *work, const HllWork *part, bool by_bytes)
{
	HllWork    *next;

	if (by_bytes)
	{
		size_t		size;
		uint8	   *block = hll_compact(part, &size);
		HllView		view;
		const char *problem;

		CHECK(hll_view_frame(block, size, &view) == NULL);
		next = hll_merge_view(work, &view, &problem);
		CHECK(problem == NULL);
		pfree(block);
	}
	else
		next = hll_merge_work(work, part);
	if (next != work)
		pfree(work);
	return next;
}

/*
 * One set of values, dealt to up to eight parts with repetition, merged in
 * any order and grouping, by bytes or by state: always the same bytes.
 */
static void
merging_shows_no_order(void)
{
	int			round;

	for (round = 0; round < 300; round++)
	{
		int			n = (int) (next_random() % (round % 3 == 0 ? 12000 : round % 3 == 1 ? 4200 : 100));
		int			nparts = 1 + (int) (next_random() % 8);
		bool		marked = round & 1;
		HllWork    *whole = range_of(round, 0, n, marked, 5);
		HllWork    *parts[8];
		int			i;

		for (i = 0; i < nparts; i++)
			parts[i] = hll_work_new(marked);
		for (i = 0; i < n; i++)
		{
			int			to = (int) (next_random() % nparts);
			int			also = (int) (next_random() % nparts);

			parts[to] = add(parts[to], user_hash(round, i), marked && i % 5 == 0);
			parts[also] = add(parts[also], user_hash(round, i), false);
		}
		while (nparts > 1)
		{
			int			a = (int) (next_random() % nparts);
			int			b;

			HllWork    *last = parts[nparts - 1];

			parts[nparts - 1] = parts[a];
			parts[a] = last;
			b = (int) (next_random() % (nparts - 1));
			parts[b] = merge_part(parts[b], parts[nparts - 1], next_random() & 1);
			pfree(parts[--nparts]);
		}
		CHECK(same_bytes(parts[0], whole));
		pfree(parts[0]);
		pfree(whole);
	}
}

/* Bytes to state and back: the same bytes. */
static void
bytes_round_trip(void)
{
	static const int sizes[] = {0, 1, 4096, 4097, 50000};
	int			i;

	for (i = 0; i < (int) lengthof(sizes) * 2; i++)
	{
		HllWork    *work = range_of(i, 0, sizes[i / 2], i & 1, 2);
		HllWork    *back;
		HllView		view;
		size_t		size;
		uint8	   *block = hll_compact(work, &size);

		CHECK(hll_view(block, size, &view) == NULL);
		back = hll_work_from_view(&view);
		CHECK(same_bytes(work, back));
		CHECK(hll_work_count(back, false) == hll_view_count(&view, false));
		CHECK(hll_work_count(back, true) == hll_view_count(&view, true));
		CHECK(hll_is_work(work, hll_work_size(work)));
		CHECK(!hll_is_work(block, size));
		CHECK(hll_view(work, hll_work_size(work), &view) != NULL);
		pfree(block);
		pfree(work);
		pfree(back);
	}
}

/* Whatever the bytes, they are refused or count and merge without harm. */
static void
try_bytes(const uint8 *bytes, size_t size)
{
	uint8	   *copy = palloc(size);
	HllView		view;
	const char *problem;
	const char *merging;

	memcpy(copy, bytes, size);
	problem = hll_view(copy, size, &view);
	if (hll_view_frame(copy, size, &view) == NULL)
	{
		HllWork    *empty = hll_work_new(view.marked);
		HllWork    *merged = hll_merge_view(empty, &view, &merging);

		CHECK((merging == NULL) == (problem == NULL));
		if (merged != empty)
			pfree(merged);
		pfree(empty);
	}
	if (problem == NULL)
	{
		HllWork    *work = hll_work_from_view(&view);
		double		count = hll_work_count(work, false);

		CHECK(count >= 0 && !isnan(count));
		CHECK(count == hll_view_count(&view, false));
		work = merge_part(work, work, true);
		CHECK(hll_work_count(work, false) == count);
		pfree(work);
	}
	pfree(copy);
}

static void
damage_is_refused(void)
{
	HllWork    *set = range_of(1, 0, 20, true, 2);
	HllWork    *dense = range_of(1, 0, 5000, true, 2);
	HllView		view;
	size_t		size;
	uint8	   *block = hll_compact(set, &size);
	uint8		swap[8];
	size_t		cut;
	int			i;

	for (cut = 0; cut < size; cut++)
	{
		CHECK((hll_view(block, cut, &view) != NULL) == (cut < HLL_HEADER || cut % 8 != 0));
		try_bytes(block, cut);
	}
	memcpy(swap, block + 8, 8);
	memcpy(block + 8, block + 16, 8);
	memcpy(block + 16, swap, 8);
	CHECK(hll_view(block, size, &view) != NULL);
	memcpy(block + 8, block + 16, 8);
	CHECK(hll_view(block, size, &view) != NULL);
	for (i = 4; i < 8; i++)
	{
		uint8	   *fresh = hll_compact(set, &size);

		fresh[i] = 9;
		CHECK(hll_view(fresh, size, &view) != NULL);
		pfree(fresh);
	}
	pfree(block);

	block = hll_compact(dense, &size);
	CHECK(hll_view(block, size - 1, &view) != NULL);
	block[100] = 0xff;
	CHECK(hll_view(block, size, &view) != NULL);
	for (i = 0; i < 2000; i++)
	{
		block[next_random() % size] = (uint8) next_random();
		block[4] = HLL_VERSION;
		block[5] = 1 + next_random() % 2;
		try_bytes(block, next_random() % 2 ? size : next_random() % size);
	}
	for (i = 0; i < 20000; i++)
	{
		uint8		bytes[64];
		int			j;

		for (j = 0; j < 64; j++)
			bytes[j] = (uint8) next_random();
		bytes[4] = HLL_VERSION;
		bytes[5] = HLL_SET;
		bytes[6] &= 1;
		bytes[7] = 0;
		try_bytes(bytes, 8 + 8 * (next_random() % 3));
	}
	pfree(block);
	pfree(set);
	pfree(dense);
}

/* Hashes that meet the special cases of the table and of the ranks. */
static void
edge_hashes(void)
{
	static const uint64 hashes[] = {0, 1, 2, UINT64CONST(0x8000000000000000),
	UINT64CONST(0xffffffffffffffff), UINT64CONST(0xfffc000000000000)};
	HllWork    *work = hll_work_new(false);
	int			i;

	for (i = 0; i < (int) lengthof(hashes); i++)
		work = add(work, hashes[i], false);
	/* 0 shares the key of the fourth. */
	CHECK(hll_work_count(work, false) == 5);
	for (i = 0; i < HLL_EXACT; i++)
		work = add(work, user_hash(0, i), false);
	CHECK(work->form == HLL_WORK_DENSE);
	CHECK(((uint8 *) work->slots)[HLL_REGISTERS - 1] == HLL_MAX_RANK);
	pfree(work);

	work = hll_work_new(true);
	for (i = 0; i < (int) lengthof(hashes); i++)
		work = add(work, hashes[i], i == 1);
	/* Without the lowest bit: 0 and 1 and the fourth; 2; the two last. */
	CHECK(hll_work_count(work, false) == 4);
	CHECK(hll_work_count(work, true) == 1);
	pfree(work);
}

int
main(void)
{
	exact_to_the_bound();
	error_within_one_percent();
	hash_spreads();
	hash_follows_its_definition();
	fast_way_is_the_same();
	merging_shows_no_order();
	bytes_round_trip();
	damage_is_refused();
	edge_hashes();
	return failures == 0 ? 0 : 1;
}
