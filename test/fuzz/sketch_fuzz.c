/*
 * sketch_fuzz.c
 *		libFuzzer target: the compact form of apm.sketch as hostile bytes, and
 *		sequences of additions and merges that must not depend on their order.
 *
 *		clang -g -O1 -fsanitize=fuzzer,address,undefined -DAPM_STANDALONE -Isrc \
 *			-o sketch_fuzz test/fuzz/sketch_fuzz.c src/sketch/sketch*.c -lm
 */
#include "sketch/sketch.h"

static void
keep(SketchState *old, SketchState *now)
{
	if (old != now)
		free(old);
}

static void
require(bool condition)
{
	if (!condition)
		abort();
}

/* Whatever the bytes are, every question comes to an end. */
static void
read_bytes(const uint8 *data, size_t size)
{
	static const double fractions[3] = {0, 0.5, 0.95};
	SketchBucket *buckets;
	SketchState *state;
	SketchView	view;
	double		result[3];
	uint8	   *again;
	size_t		len;
	int			n;

	if (sketch_view_bytes(&view, data, size) != SKETCH_OK)
	{
		require(sketch_check(data, size) != SKETCH_OK);
		return;
	}
	(void) sketch_quantiles(&view, fractions, 3, result);
	(void) sketch_weight_up_to(&view, 1, result);
	(void) sketch_mean(&view, result);
	if (sketch_buckets(&view, &buckets, &n) == SKETCH_OK)
		free(buckets);
	again = sketch_encode(&view, 0, &len);
	if (sketch_check(data, size) == SKETCH_OK)
	{
		require(again != NULL && len == size && memcmp(again, data, size) == 0);
		require(sketch_from_view(&view, &state) == SKETCH_OK);
		require(sketch_state_valid(state, sketch_state_size(state)));
		free(state);
	}
	free(again);
}

/* Records of 10 bytes: a double and a weight; every other one goes elsewhere. */
static void
split_and_merge(const uint8 *data, size_t size)
{
	SketchState *parts[3] = {sketch_create(), sketch_create(), sketch_create()};
	uint8	   *bytes[2];
	size_t		len[2];
	SketchState *old;
	SketchView	view;
	size_t		at;
	int			i;

	for (at = 0; at + 10 <= size; at += 10)
	{
		double		value;
		uint64		milli = data[at + 8] == 0 ? 1000 : data[at + 8] * (uint64) (data[at + 9] + 1);

		memcpy(&value, data + at, sizeof(value));
		for (i = 0; i < 3; i++)
		{
			if (i == (data[at + 9] & 1))
				continue;		/* parts 1 and 0 share what part 2 has whole */
			old = parts[i];
			require(sketch_add_weighted(&parts[i], value, milli));
			keep(old, parts[i]);
		}
	}
	sketch_view_state(&view, parts[1]);
	if (view.n > 0)
	{
		old = parts[0];
		require(sketch_merge(&parts[0], &view) == SKETCH_OK);
		keep(old, parts[0]);
	}
	if (size >= 10)
	{
		for (i = 0; i < 2; i++)
		{
			sketch_view_state(&view, parts[2 * i]);
			bytes[i] = sketch_encode(&view, 0, &len[i]);
			require(sketch_check(bytes[i], len[i]) == SKETCH_OK);
		}
		require(len[0] == len[1] && memcmp(bytes[0], bytes[1], len[0]) == 0);
		free(bytes[0]);
		free(bytes[1]);
	}
	for (i = 0; i < 3; i++)
		free(parts[i]);
}

int			LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == SKETCH_VERSION)
		read_bytes(data, size);
	else
		split_and_merge(data + 1, size - 1);
	return 0;
}
