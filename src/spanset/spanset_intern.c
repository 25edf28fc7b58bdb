/*
 * spanset/spanset_intern.c
 *		Numbers for the strings and ids of a set that is being packed.
 *		Pure: no server headers.
 */
#include "spanset/spanset_intern.h"
#include "spanset/spanset_words.h"

static void
slots_init(Slots *s, int n)
{
	uint32		size = 16;

	while (size < (uint32) n * 2 && size < UINT32_C(1) << 24)
		size *= 2;
	s->slots = palloc0(size * sizeof(uint32));
	s->mask = size - 1;
}

static inline uint32
hash_u64(uint64 v)
{
	v ^= v >> 32;
	v *= UINT64CONST(0x9e3779b97f4a7c15);
	return (uint32) (v >> 32);
}

uint32
intern_hash(const char *p, size_t len)
{
	uint64		h = len * UINT64CONST(0xd6e8feb86659fd93);
	uint64		w;

	for (; len >= 8; len -= 8, p += 8)
	{
		memcpy(&w, p, 8);
		h = (h ^ w) * UINT64CONST(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	w = 0;
	if (len > 0)
		memcpy(&w, p, len);
	return hash_u64(h ^ w);
}

static inline bool
str_equal(ApmStr a, ApmStr b)
{
	return a.len == b.len && (a.data == b.data || memcmp(a.data, b.data, a.len) == 0);
}

/* Code of a string: looked up, or the next one. */
static uint32
strings_code(Strings *t, Slots *slots, ApmStr s)
{
	uint32		h = intern_hash(s.data, s.len);
	int			i;

	for (i = 0; i < SLOT_PROBES; i++)
	{
		uint32	   *slot = &slots->slots[(h + i) & slots->mask];

		if (*slot == 0)
		{
			*slot = t->count + 1;
			break;
		}
		if (str_equal(t->strings[*slot - 1], s))
			return *slot;
	}
	t->strings[t->count++] = s;
	return t->count;
}

/* Fills a string column from the field at the given offset of each span. */
void
strings_build(Strings *t, const ApmSpan *spans, int n, size_t field)
{
	Slots		slots = {NULL, 0};
	ApmStr		last = {NULL, 0};
	uint32		last_code = 0;
	int			i;

	t->codes = palloc(n * sizeof(uint32));
	t->strings = NULL;
	t->count = 0;
	for (i = 0; i < n; i++)
	{
		ApmStr		s = *(const ApmStr *) ((const char *) &spans[i] + field);

		if (s.data == NULL)
			t->codes[i] = 0;
		else if (last.data != NULL && str_equal(last, s))
			t->codes[i] = last_code;
		else
		{
			if (slots.slots == NULL)
			{
				slots_init(&slots, n);
				t->strings = palloc(n * sizeof(ApmStr));
			}
			last = s;
			t->codes[i] = last_code = strings_code(t, &slots, s);
		}
	}
	if (slots.slots != NULL)
		pfree(slots.slots);
}

void
strings_free(Strings *t)
{
	pfree(t->codes);
	if (t->strings != NULL)
		pfree(t->strings);
}

void
links_init(Links *l, const ApmSpan *spans, int n)
{
	int			i;
	int			j;

	memset(l, 0, sizeof(*l));
	l->spans = spans;
	l->n = n;
	slots_init(&l->slots, n);
	for (i = 0; i < n; i++)
	{
		uint32		h = hash_u64(spans[i].span_id);

		for (j = 0; j < SLOT_PROBES; j++)
		{
			uint32	   *slot = &l->slots.slots[(h + j) & l->slots.mask];

			if (*slot == 0)
			{
				*slot = i + 1;
				break;
			}
			if (spans[*slot - 1].span_id == spans[i].span_id)
				break;
		}
	}
}

/* 0: none; 1 … n: that span; above: an id from outside. */
uint32
links_code(Links *l, uint64 id)
{
	uint32		h = hash_u64(id);
	int			j;

	if (id == 0)
		return 0;
	for (j = 0; j < SLOT_PROBES; j++)
	{
		uint32		k = l->slots.slots[(h + j) & l->slots.mask];

		if (k == 0)
			break;
		if (l->spans[k - 1].span_id == id)
			return k;
	}
	if (l->outside == NULL)
	{
		l->outside = palloc(2 * (size_t) l->n * sizeof(uint64));
		slots_init(&l->outside_slots, l->n);
	}
	for (j = 0; j < SLOT_PROBES; j++)
	{
		uint32	   *slot = &l->outside_slots.slots[(h + j) & l->outside_slots.mask];

		if (*slot == 0)
		{
			*slot = l->noutside + 1;
			break;
		}
		if (l->outside[*slot - 1] == id)
			return l->n + *slot;
	}
	l->outside[l->noutside++] = id;
	return l->n + l->noutside;
}

void
links_free(Links *l)
{
	pfree(l->slots.slots);
	if (l->outside != NULL)
	{
		pfree(l->outside);
		pfree(l->outside_slots.slots);
	}
}

uint32
trace_codes(const ApmSpan *spans, int n, uint32 *codes, const uint8 **ids)
{
	Slots		slots;
	uint32		count = 0;
	int			i;
	int			j;

	for (i = 1; i < n; i++)
		if (memcmp(spans[i].trace_id, spans[0].trace_id, 16) != 0)
			break;
	ids[0] = spans[0].trace_id;
	if (i >= n)
		return 1;
	slots_init(&slots, n);
	for (i = 0; i < n; i++)
	{
		uint32		h = intern_hash((const char *) spans[i].trace_id, 16);

		if (i > 0 && memcmp(spans[i].trace_id, spans[i - 1].trace_id, 16) == 0)
		{
			codes[i] = codes[i - 1];
			continue;
		}
		for (j = 0; j < SLOT_PROBES; j++)
		{
			uint32	   *slot = &slots.slots[(h + j) & slots.mask];

			if (*slot == 0)
				*slot = count + 1;
			else if (memcmp(ids[*slot - 1], spans[i].trace_id, 16) != 0)
				continue;
			codes[i] = *slot - 1;
			break;
		}
		if (j == SLOT_PROBES)
			codes[i] = count;
		if (codes[i] == count)
			ids[count++] = spans[i].trace_id;
	}
	pfree(slots.slots);
	return count;
}


/* Known words by hash, number plus one; filled at first use. */
#define WORD_SLOTS 1024
static uint16 word_slots[WORD_SLOTS];
static uint32 longest_word = 0;

static void
words_prepare(void)
{
	uint32		longest = 0;
	int			i;

	for (i = 0; i < SPANSET_WORDS && spanset_words[i].data != NULL; i++)
	{
		uint32		h = intern_hash(spanset_words[i].data, spanset_words[i].len);

		while (word_slots[h % WORD_SLOTS] != 0)
			h++;
		word_slots[h % WORD_SLOTS] = i + 1;
		longest = Max(longest, spanset_words[i].len);
	}
	longest_word = longest;
}

int
word_number(ApmStr s)
{
	uint32		h;

	if (longest_word == 0)
		words_prepare();
	if (s.len > longest_word)
		return -1;
	for (h = intern_hash(s.data, s.len); word_slots[h % WORD_SLOTS] != 0; h++)
	{
		int			number = word_slots[h % WORD_SLOTS] - 1;

		if (str_equal(spanset_words[number], s))
			return number;
	}
	return -1;
}
