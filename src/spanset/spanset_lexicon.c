/*
 * spanset/spanset_lexicon.c
 *		Words and text that a database has learned from its own spans.
 *		Pure: no server headers.
 */
#include "spanset/spanset_intern.h"
#include "spanset/spanset_lexicon.h"
#include "spanset/spanset_words.h"

uint32
lexicon_id(const uint8 *bytes, size_t len)
{
	uint32		id = intern_hash((const char *) bytes, len);

	return id == 0 ? 1 : id;
}

/* A number of at most 28 bits; false at the end of the bytes. */
static bool
take_varint(const uint8 **p, const uint8 *end, uint32 *v)
{
	int			shift;

	*v = 0;
	for (shift = 0; shift < 28 && *p < end; shift += 7)
	{
		uint8		b = *(*p)++;

		*v |= (uint32) (b & 0x7f) << shift;
		if (b < 0x80)
			return true;
	}
	return false;
}

static void
add_word(SpansetLexicon *l, uint32 number)
{
	uint32		h = intern_hash(l->words[number].data, l->words[number].len);

	while (l->slots[h & l->mask] != 0)
		h++;
	l->slots[h & l->mask] = number + 1;
}

SpansetLexicon *
lexicon_read(const uint8 *bytes, size_t len)
{
	SpansetLexicon *l;
	const uint8 *p;
	const uint8 *end;
	uint8	   *text;
	uint8	   *copy;
	uint32		i;

	copy = palloc(len);
	memcpy(copy, bytes, len);
	p = copy;
	end = copy + len;
	l = palloc0(sizeof(SpansetLexicon));
	l->id = lexicon_id(bytes, len);
	if (!take_varint(&p, end, &l->nwords) || l->nwords > LEXICON_MAX_WORDS)
		l->nwords = UINT32_MAX;
	for (l->mask = 15; l->nwords != UINT32_MAX && l->mask < 2 * l->nwords;)
		l->mask = l->mask * 2 + 1;
	l->slots = palloc0(sizeof(uint32) * (l->mask + 1));
	l->words = palloc0(sizeof(ApmStr) * (l->nwords == UINT32_MAX ? 1 : l->nwords));
	for (i = 0; l->nwords != UINT32_MAX && i < l->nwords; i++)
	{
		if (!take_varint(&p, end, &l->words[i].len) || l->words[i].len > (size_t) (end - p))
			l->nwords = UINT32_MAX;
		else
		{
			l->words[i].data = (const char *) p;
			p += l->words[i].len;
			add_word(l, i);
		}
	}
	if (l->nwords == UINT32_MAX || spanset_dictionary_len + (size_t) (end - p) > CODEC_MAX_DICTIONARY)
	{
		pfree(copy);
		pfree(l->slots);
		pfree(l->words);
		pfree(l);
		return NULL;
	}
	text = palloc(spanset_dictionary_len + (end - p));
	memcpy(text, spanset_dictionary, spanset_dictionary_len);
	memcpy(text + spanset_dictionary_len, p, end - p);
	codec_dictionary_init(&l->text, text, spanset_dictionary_len + (end - p));
	l->bytes = copy;
	l->all_text = text;
	return l;
}

void
lexicon_free(SpansetLexicon *l)
{
	pfree(l->bytes);
	pfree(l->slots);
	pfree(l->words);
	pfree(l->all_text);
	pfree(l->text.heads);
	pfree(l->text.before);
	pfree(l);
}

int
lexicon_word(const SpansetLexicon *l, ApmStr s)
{
	uint32		h;

	for (h = intern_hash(s.data, s.len); l->slots[h & l->mask] != 0; h++)
	{
		uint32		number = l->slots[h & l->mask] - 1;

		if (l->words[number].len == s.len && memcmp(l->words[number].data, s.data, s.len) == 0)
			return number;
	}
	return -1;
}
