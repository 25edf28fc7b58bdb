/*
 * breakdown_fuzz.c
 *		libFuzzer target: the compact form of apm.breakdown as hostile bytes;
 *		durations under keys that are added in two parts and merged, which must
 *		give what adding them together gives; and packed sets, which must give
 *		the same whether they are counted at once or column by column.
 */
#include "breakdown/breakdown.h"
#include "context.h"

#define MAX_SPANS 512
#define WIDE_SPANS 700			/* so many that a counter takes two bytes */

/* First bytes of inputs that are packed sets: what is asked of them. */
#define PACKED_FIRST	2
static const struct
{
	uint32		column;
	bool		self_time;
}			questions[] = {
	{SPANSET_OP, false}, {SPANSET_CATEGORY, false}, {SPANSET_GROUP, false},
	{SPANSET_OP, true}, {SPANSET_CATEGORY, true}, {SPANSET_GROUP, true}
};

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
	if (!condition)
		abort();
}

/* Whatever the bytes are, walking and merging come to an end; what passes the check is canonical. */
static void
read_bytes(const uint8 *data, size_t size)
{
	BreakdownState *state = breakdown_create();
	BreakdownReader r;
	BreakdownStatus status = breakdown_open(&r, data, size);
	uint8	   *again;
	size_t		len;

	while (status == BREAKDOWN_OK && breakdown_next(&r, &status))
		require(r.sketch >= data && r.sketch + r.sketch_len <= data + size);
	status = breakdown_merge_bytes(&state, data, size);
	require(breakdown_state_valid(state, state->size));
	again = breakdown_encode(state, 0, &len);
	require(again != NULL && (status != BREAKDOWN_OK || breakdown_check(again, len) == BREAKDOWN_OK ||
							  breakdown_check(data, size) != BREAKDOWN_OK));
	if (breakdown_check(data, size) == BREAKDOWN_OK)
		require(status == BREAKDOWN_OK && len == size && memcmp(again, data, size) == 0);
}

/* keys_checked: what came in under them is text. */
static void
require_same(const BreakdownState *a, const BreakdownState *b, bool keys_checked)
{
	size_t		len[2];
	uint8	   *bytes[2] = {breakdown_encode(a, 0, &len[0]), breakdown_encode(b, 0, &len[1])};

	require(len[0] == len[1] && memcmp(bytes[0], bytes[1], len[0]) == 0);
	require(!keys_checked || breakdown_check(bytes[0], len[0]) == BREAKDOWN_OK);
}

/* Records of 4 bytes: key and duration; keys are ASCII, of lengths around the limits of the hash. */
static void
add_and_merge(const uint8 *data, size_t size)
{
	static char text[256][64];
	static ApmStr strings[256];
	static uint32 codes[MAX_SPANS];
	static int64 us[MAX_SPANS];
	static BreakdownTarget slots[257];
	static uint16 words[256];
	BreakdownState *whole = breakdown_create();
	BreakdownState *parts[2] = {breakdown_create(), breakdown_create()};
	SpansetStrings keys = {codes, strings, words, 256};
	uint8	   *bytes;
	size_t		len;
	int			n = (int) Min(size / 4, MAX_SPANS);
	int			cut = size > 0 && n > 0 ? data[0] % n : 0;
	int			i;

	for (i = 0; i < 256; i++)
	{
		memset(text[i], 'a' + i % 3, sizeof(text[i]));
		text[i][i % 36 / 2] = 'x';
		strings[i].data = text[i];
		strings[i].len = i % 36;
		words[i] = i < 36 && i % 2 == 0 ? i + 1 : 0;
	}
	for (i = 0; i < n; i++)
	{
		const uint8 *p = data + 4 * i;

		codes[i] = p[0];
		us[i] = p[1] == 255 ? APM_MICROS_NULL : ((int64) p[1] << (p[2] % 50)) + p[3];
	}
	require(breakdown_add_column(&whole, &keys, us, n, slots) == BREAKDOWN_OK);
	require(breakdown_add_column(&parts[0], &keys, us, cut, slots) == BREAKDOWN_OK);
	keys.codes += cut;
	require(breakdown_add_column(&parts[1], &keys, us + cut, n - cut, slots) == BREAKDOWN_OK);
	for (i = 0; i < 2; i++)
		require(breakdown_state_valid(parts[i], parts[i]->size));
	/* One part as it lies in memory, the other through its compact form. */
	bytes = breakdown_encode(parts[1], 0, &len);
	require(breakdown_merge_state(&parts[1], parts[0]) == BREAKDOWN_OK);
	require(breakdown_merge_bytes(&parts[0], bytes, len) == BREAKDOWN_OK);
	require_same(whole, parts[0], true);
	require_same(whole, parts[1], true);
}

/* Two-byte counters under one known word, so that all of the ways to count are there. */
static BreakdownState *
busy_state(void)
{
	static char db[] = "db";
	static ApmStr strings[1] = {{db, 2}};
	static uint32 codes[WIDE_SPANS];
	static int64 us[WIDE_SPANS];
	static BreakdownTarget targets[2];
	static uint16 words[1] = {0};
	BreakdownState *state = breakdown_create();
	SpansetStrings keys = {codes, strings, words, 1};
	int			i;

	for (i = 0; i < WIDE_SPANS; i++)
	{
		codes[i] = 1;
		us[i] = i < WIDE_SPANS / 2 ? 1000 : i;
	}
	require(breakdown_add_column(&state, &keys, us, WIDE_SPANS, targets) == BREAKDOWN_OK);
	return state;
}

static void
add_packed(const uint8 *data, size_t size, uint32 column, bool self_time)
{
	static SpansetColumns c;
	static BreakdownTarget targets[8192];
	BreakdownState *plain = busy_state();
	BreakdownState *packed = busy_state();
	const SpansetStrings *keys = column == SPANSET_OP ? &c.op : column == SPANSET_GROUP ? &c.group : &c.category;
	bool		readable;
	size_t		taken;

	memset(&c, 0, sizeof(c));
	readable = spanset_read(&c, data, size, column | (self_time ? SPANSET_SELF_TIME : SPANSET_DURATION)) == NULL;
	require(breakdown_add_packed(&packed, column, self_time, data, size, NULL, &taken) == BREAKDOWN_OK);
	require(taken <= size && (readable || taken == 0));
	if (taken == 0)
		return;
	require(breakdown_add_column(&plain, keys, self_time ? c.self_time_us : c.duration_us, c.n, targets) == BREAKDOWN_OK);
	require(breakdown_state_valid(packed, packed->size));
	require_same(plain, packed, false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	context_begin();
	if (data[0] == BREAKDOWN_VERSION)
		read_bytes(data, size);
	else if (data[0] >= PACKED_FIRST && data[0] < PACKED_FIRST + lengthof(questions))
		add_packed(data + 1, size - 1, questions[data[0] - PACKED_FIRST].column,
				   questions[data[0] - PACKED_FIRST].self_time);
	else
		add_and_merge(data + 1, size - 1);
	context_end();
	return 0;
}
