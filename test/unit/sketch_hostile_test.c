/*
 * sketch_hostile_test.c
 *		Bytes that no encoder wrote: refused by sketch_check, harmless
 *		everywhere else.
 */
#include "sketch_samples.h"

static long accepted = 0;

/* Every question, whatever comes of it; the block has no byte to spare. */
static void
ask_everything(const uint8 *data, size_t len)
{
	static const double fractions[3] = {0.01, 0.5, 0.99};
	SketchBucket *buckets;
	SketchState *state;
	SketchView	view;
	double		result[3];
	uint8	   *again;
	size_t		again_len;
	int			n;

	if (sketch_view_bytes(&view, data, len) != SKETCH_OK)
	{
		CHECK(sketch_check(data, len) != SKETCH_OK);
		return;
	}
	(void) sketch_quantiles(&view, fractions, 3, result);
	(void) sketch_quantiles(&view, fractions, 1, result);
	(void) sketch_weight_up_to(&view, 100, result);
	(void) sketch_sum(&view, result);
	(void) sketch_mean(&view, result);
	if (sketch_buckets(&view, &buckets, &n) == SKETCH_OK)
	{
		CHECK(n > 0);
		free(buckets);
	}
	if (sketch_from_view(&view, &state) == SKETCH_OK)
	{
		CHECK(sketch_state_valid(state, sketch_state_size(state)));
		free(state);
	}
	again = sketch_encode(&view, 0, &again_len);
	free(again);
	if (sketch_check(data, len) == SKETCH_OK)
		accepted++;
}

static Bytes
random_sketch(int n)
{
	SketchState *state = sketch_create();
	Shape		shape = random_below(N_SHAPES);
	bool		weighted = random_below(3) == 0;
	Bytes		bytes;
	int			i;

	for (i = 0; i < n; i++)
		CHECK(add_weighted(&state, random_value(shape),
						   weighted ? 1 + random_below(20000) : SKETCH_MILLI));
	bytes = encode(state);
	free(state);
	return bytes;
}

static void
test_truncations(void)
{
	int			round;

	for (round = 0; round < 60; round++)
	{
		Bytes		bytes = random_sketch(1 + (int) random_below(200));
		size_t		len;

		for (len = 0; len < bytes.len; len++)
		{
			uint8	   *copy = exact_copy(bytes.data, len);

			CHECK(sketch_check(copy, len) == SKETCH_MALFORMED);
			ask_everything(copy, len);
			free(copy);
		}
		free(bytes.data);
	}
}

/* A byte more, also of zeros, is not a sketch. */
static void
test_extensions(void)
{
	int			round;

	for (round = 0; round < 300; round++)
	{
		Bytes		bytes = random_sketch(1 + (int) random_below(200));
		uint8	   *copy = palloc0(bytes.len + 1);

		memcpy(copy, bytes.data, bytes.len);
		CHECK(sketch_check(copy, bytes.len + 1) == SKETCH_MALFORMED);
		ask_everything(copy, bytes.len + 1);
		free(copy);
		free(bytes.data);
	}
}

/*
 * One bit changed.  The sketch of other values may come of it, but then it is
 * their only form: sketch_check has encoded it again.
 */
static void
test_bit_flips(void)
{
	int			round;

	for (round = 0; round < 60; round++)
	{
		Bytes		bytes = random_sketch(1 + (int) random_below(round % 2 ? 32 : 150));
		size_t		bit;

		for (bit = 0; bit < bytes.len * 8; bit++)
		{
			uint8	   *copy = exact_copy(bytes.data, bytes.len);

			copy[bit / 8] ^= 1 << bit % 8;
			if (bit < 8)
				CHECK(sketch_check(copy, bytes.len) ==
					  (copy[0] == 0 ? SKETCH_MALFORMED : SKETCH_FUTURE));
			ask_everything(copy, bytes.len);
			free(copy);
		}
		free(bytes.data);
	}
}

/*
 * The smallest value is a NaN of negative sign: first in the order of bits,
 * last in that of buckets.  The walk once began behind its end.
 */
static void
test_negative_nan(void)
{
	static const uint8 data[] = {
		0x01, 0x8c, 0x87, 0xff, 0xff, 0xff, 0xff, 0x20, 0x08, 0x20, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x5b, 0x85, 0xfc, 0xe5, 0x45, 0x0d, 0x00, 0x20, 0x61,
		0x00, 0x00, 0xff, 0x00, 0x00, 0x8c, 0x87, 0xa0, 0x08, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x3f, 0xfc, 0x00, 0x00, 0x00, 0x00, 0x00, 0x42, 0x7c,
		0x01, 0x01, 0x00, 0x01, 0x8c, 0x32, 0x32, 0x19, 0x39
	};
	uint8	   *copy = exact_copy(data, sizeof(data));

	CHECK(sketch_check(copy, sizeof(data)) == SKETCH_MALFORMED);
	ask_everything(copy, sizeof(data));
	free(copy);
}

static void
test_noise(void)
{
	int			round;

	for (round = 0; round < 30000; round++)
	{
		size_t		len = random_below(round % 50 == 0 ? 2000 : 40);
		uint8	   *data = palloc(len);
		size_t		i;

		for (i = 0; i < len; i++)
			data[i] = (uint8) (random_bits() & random_bits());
		if (len > 0 && random_below(20) > 0)
			data[0] = SKETCH_VERSION;
		ask_everything(data, len);
		free(data);
	}
}

static void
test_versions(void)
{
	uint8		data[2] = {0, 0};
	int			version;

	CHECK(sketch_check(data, 0) == SKETCH_MALFORMED);
	for (version = 0; version < 256; version++)
	{
		data[0] = version;
		if (version != SKETCH_VERSION)
			CHECK(sketch_check(data, 2) == (version == 0 || version == SKETCH_WORKING ?
											SKETCH_MALFORMED : SKETCH_FUTURE));
	}
}

/* The working form is no compact form, and only a sound one is read. */
static void
test_working_form(void)
{
	SketchState *state = sketch_create();
	size_t		size;
	int			round;
	int			i;

	CHECK(!sketch_state_valid(state, sketch_state_size(state)));
	for (i = 0; i < 100; i++)
		add(&state, random_value(SIGNED));
	size = sketch_state_size(state);
	CHECK(sketch_state_valid(state, size));
	CHECK(!sketch_state_valid(state, size - 1));
	CHECK(!sketch_state_valid(state, 63));
	CHECK(sketch_check((uint8 *) state + 4, size - 4) == SKETCH_MALFORMED);
	for (round = 0; round < 20000; round++)
	{
		SketchState *copy = palloc(size);
		uint8	   *bytes = (uint8 *) copy;
		SketchView	view;

		memcpy(copy, state, size);
		bytes[4 + random_below(random_below(2) ? 20 : 120)] ^= 1 << random_below(8);
		if (sketch_state_valid(copy, size))
		{
			double		p = 0.5;
			double		result;
			uint8	   *encoded;
			size_t		len;

			sketch_view_state(&view, copy);
			(void) sketch_quantiles(&view, &p, 1, &result);
			encoded = sketch_encode(&view, 0, &len);
			free(encoded);
		}
		free(copy);
	}
	free(state);
}

int
main(void)
{
	test_versions();
	test_truncations();
	test_extensions();
	test_bit_flips();
	test_negative_nan();
	test_noise();
	test_working_form();
	CHECK(accepted > 0);
	return failures != 0;
}
