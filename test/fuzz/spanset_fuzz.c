/*
 * spanset_fuzz.c
 *		Any bytes as a packed value, as a compressed block, as a lexicon, and
 *		as a recipe for spans: what can be read packs to a value that reads
 *		the same, with and without a lexicon.
 *
 * The first byte says which of the four; the rest is the input.
 */
#include "spanset/spanset.h"
#include "spanset_compare.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
stop(const char *problem)
{
	fprintf(stderr, "spanset_fuzz: %s\n", problem);
	abort();
}

/* Packs spans and compares what comes back with them. */
static void
pack_and_compare(const SpansetLexicon *lexicon, const ApmSpan *spans, int n, bool valid)
{
	SpansetColumns c;
	size_t		len;
	uint8	   *value = spanset_pack_with(lexicon, spans, n, 0, &len);
	const char *problem = read_every_way(value, len);
	int			i;

	if (problem != NULL)
		stop(problem[0] != '\0' ? problem : "what was packed cannot be read");
	if (valid && spanset_check(value, len) != NULL)
		stop("valid spans do not pass the check when packed");
	memset(&c, 0, sizeof(c));
	c.lexicon = compare_lexicon;
	spanset_read(&c, value, len, SPANSET_ALL);
	if (c.n != n)
		stop("another number of spans");
	for (i = 0; i < n; i++)
	{
		ApmSpan		span;

		spanset_get(&c, i, &span);
		if ((problem = difference(&span, &spans[i])) != NULL)
			stop(problem);
	}
	spanset_free(&c);
	free(value);
}

static void
as_value(const uint8 *data, size_t size)
{
	const char *problem = read_every_way(data, size);
	SpansetColumns c;
	ApmSpan    *spans;
	int			i;

	if (problem != NULL)
	{
		if (problem[0] != '\0')
			stop(problem);
		return;
	}
	memset(&c, 0, sizeof(c));
	c.lexicon = compare_lexicon;
	spanset_read(&c, data, size, SPANSET_ALL);
	spans = calloc(c.n + 1, sizeof(ApmSpan));
	for (i = 0; i < c.n; i++)
		spanset_get(&c, i, &spans[i]);
	pack_and_compare(NULL, spans, c.n, spanset_check(data, size) == NULL);
	pack_and_compare(compare_lexicon, spans, c.n, false);
	free(spans);
	spanset_free(&c);
}

static void
as_block(const uint8 *data, size_t size)
{
	uint8	   *out = malloc(size + 4096);
	uint8	   *back = malloc(size + 1);
	size_t		packed = codec_compress(codec_known_text(), data, size, out);

	if (packed > 0 && (packed >= size || size > packed * CODEC_MAX_RATIO))
		stop("a block has a wrong size");
	if (packed > 0 && (!codec_restore(codec_known_text(), out, packed, back, size) || memcmp(back, data, size) != 0))
		stop("a block comes back changed");
	if (size > 2)
		codec_restore(codec_known_text(), data + 2, size - 2, out, data[0] | (data[1] & 15) << 8);
	free(out);
	free(back);
}

static uint8
take(const uint8 **p, const uint8 *end)
{
	return *p < end ? *(*p)++ : 0;
}

static uint64
take_number(const uint8 **p, const uint8 *end)
{
	int			bytes = take(p, end) % 9;
	uint64		v = 0;

	while (bytes-- > 0)
		v = v << 8 | take(p, end);
	return v;
}

/* A string that is a slice of the input, so that strings overlap and repeat. */
static ApmStr
take_string(const uint8 **p, const uint8 *start, const uint8 *end)
{
	ApmStr		s = {NULL, 0};
	uint32		at = take(p, end);

	if (at < 64 || start + at > end)
		return s;
	s.data = (const char *) start + at - 64;
	s.len = take(p, end);
	s.len = Min(s.len, (uint32) (end - start) - (at - 64));
	return s;
}

static void
as_recipe(const uint8 *data, size_t size)
{
	const uint8 *p = data;
	const uint8 *end = data + size;
	int			n = take(&p, end) % 40;
	ApmSpan    *spans = calloc(n + 1, sizeof(ApmSpan));
	int			i;

	for (i = 0; i < n; i++)
	{
		ApmSpan    *s = &spans[i];
		uint8		kind = take(&p, end);

		s->trace_id[0] = kind & 3;
		s->span_id = take_number(&p, end);
		s->parent_span_id = kind & 4 ? take_number(&p, end) : spans[kind >> 4 < i ? kind >> 4 : 0].span_id;
		s->segment_id = kind & 8 ? take_number(&p, end) : spans[0].span_id;
		s->is_segment = take(&p, end) % 7 == 0 ? i != 0 : i == 0;
		s->status = (int) (take(&p, end) % (APM_STATUS_COUNT + 1)) - 1;
		s->start_us = (int64) take_number(&p, end);
		s->duration_us = (int64) take_number(&p, end);
		s->self_time_us = kind & 16 ? s->duration_us : kind & 32 ? APM_MICROS_NULL :
			(int64) take_number(&p, end);
		s->op = take_string(&p, data, end);
		s->description = take_string(&p, data, end);
		s->category = take_string(&p, data, end);
		s->span_group = take_string(&p, data, end);
		s->origin = take_string(&p, data, end);
		s->attributes = take_string(&p, data, end);
	}
	pack_and_compare(NULL, spans, n, false);
	pack_and_compare(compare_lexicon, spans, n, false);
	free(spans);
}

/* What values that name it are read with: a word of each kind, some text. */
static void
prepare_lexicon(void)
{
	static const char bytes[] = "\004\002db\005a b c\000\0200123456789abcdef"
		"SELECT id FROM orders WHERE \"rows\":77,\"db.name\":\"shop\",";

	if (compare_lexicon == NULL)
		compare_lexicon = lexicon_read((const uint8 *) bytes, sizeof(bytes) - 1);
	if (compare_lexicon == NULL)
		stop("the lexicon cannot be read");
}

static void
as_lexicon(const uint8 *data, size_t size)
{
	SpansetLexicon *l = lexicon_read(data, size);

	if (l == NULL)
		return;
	for (uint32 i = 0; i < l->nwords; i++)
		if (lexicon_word(l, l->words[i]) < 0)
			stop("a lexicon does not know its own word");
	lexicon_free(l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	prepare_lexicon();
	switch (data[0] % 4)
	{
		case 3:
			as_lexicon(data + 1, size - 1);
			break;
		case 0:
			as_value(data + 1, size - 1);
			break;
		case 1:
			as_block(data + 1, size - 1);
			break;
		default:
			as_recipe(data + 1, size - 1);
	}
	return 0;
}
