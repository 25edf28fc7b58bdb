/*
 * spanset_codec_test.c
 *		Text comes back equal from the compressed block; damaged blocks do no
 *		harm.
 */
#include "spanset/spanset_codec.h"
#include "spanset/spanset_words.h"

#define MAX_LEN 300000

static uint64 rng_state = UINT64CONST(0x2545f4914f6cdd1d);
static int	failures = 0;

static uint32
below(uint32 n)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32) (rng_state >> 11) % n;
}

static void
fail(const char *what, size_t len)
{
	printf("spanset_codec: %s at %zu bytes\n", what, len);
	failures++;
}

/* A mix of noise, runs, copies of earlier text and pieces of the dictionary. */
static void
random_text(uint8 *text, size_t len, uint32 noise)
{
	size_t		pos = 0;

	while (pos < len)
	{
		size_t		n = 1 + below(below(8) == 0 ? 700 : 20);
		uint32		from;

		n = Min(n, len - pos);
		switch (below(noise))
		{
			case 0:
				memset(text + pos, 'a' + below(4), n);
				break;
			case 1:
				if (pos == 0)
					continue;
				from = Min(pos, 70000);
				for (from = below(from) + 1; n > 0; n--, pos++)
					text[pos] = text[pos - from];
				continue;
			case 2:
				from = below(spanset_dictionary_len);
				n = Min(n, (size_t) (spanset_dictionary_len - from));
				memcpy(text + pos, spanset_dictionary + from, n);
				break;
			default:
				for (from = 0; from < n; from++)
					text[pos + from] = (uint8) below(256);
		}
		pos += n;
	}
}

/* Restores from memory that ends where the block ends, into memory that does, too. */
static bool
restore_exactly(const uint8 *block, size_t len, size_t rawlen, const uint8 *expected)
{
	uint8	   *in = malloc(len + 1);
	uint8	   *out = malloc(rawlen + 1);
	bool		ok;

	memcpy(in + 1, block, len);
	ok = codec_restore(codec_known_text(), in + 1, len, out + 1, rawlen);
	if (ok && expected != NULL)
		ok = memcmp(out + 1, expected, rawlen) == 0;
	free(in);
	free(out);
	return ok;
}

static void
round_trip(size_t len, uint32 noise, int damages)
{
	uint8	   *text = malloc(len + 1);
	uint8	   *block = malloc(len + 1);
	size_t		packed;
	int			i;

	random_text(text, len, noise);
	packed = codec_compress(codec_known_text(), text, len, block);
	if (packed >= len && len > 0)
		fail("grew", len);
	if (packed > 0)
	{
		if (len > packed * CODEC_MAX_RATIO)
			fail("beyond the highest ratio", len);
		if (!restore_exactly(block, packed, len, text))
			fail("differs", len);
		if (restore_exactly(block, packed, len + 1, NULL) ||
			restore_exactly(block, packed, len - 1, NULL) ||
			restore_exactly(block, packed - 1, len, NULL))
			fail("a wrong length was accepted", len);
		for (i = 0; i < damages; i++)
		{
			uint32		at = below(packed);
			uint8		old = block[at];

			block[at] = (uint8) below(256);
			restore_exactly(block, packed, len, NULL);
			block[at] = old;
		}
	}
	free(text);
	free(block);
}

int
main(void)
{
	size_t		len;
	int			i;

	for (len = 0; len < 600; len++)
		for (i = 3; i < 8; i++)
			round_trip(len, i, 20);
	for (i = 0; i < 60; i++)
		round_trip(below(MAX_LEN), 3 + below(4), 20);
	if (failures == 0)
		printf("spanset_codec: ok\n");
	return failures != 0;
}
