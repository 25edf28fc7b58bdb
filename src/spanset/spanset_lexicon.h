/*
 * spanset/spanset_lexicon.h
 *		Words and text that a database has learned from its own spans.
 *
 * Pure: no server headers.
 *
 * A set of ten spans repeats little within itself, but the next set repeats
 * all of it: the same queries, groups and attributes.  A lexicon holds what
 * came often; a value that was packed with it refers to it by id and cannot
 * be read without.  Lexicons never change, and an id stands for the content.
 *
 * As bytes: varint of how many words; for each a varint of its length and the
 * word; the rest is text.
 */
#ifndef PG_APM_SPANSET_LEXICON_H
#define PG_APM_SPANSET_LEXICON_H

#include "spanset/spanset.h"
#include "spanset/spanset_codec.h"

/* More words than this are refused: one takes at most two bytes. */
#define LEXICON_MAX_WORDS	16384

struct SpansetLexicon
{
	uint32		id;				/* not 0 */
	uint32		nwords;
	ApmStr	   *words;			/* of the columns of strings */
	uint32	   *slots;			/* word numbers by hash, plus one */
	uint32		mask;
	CodecDictionary text;		/* what the code knows, then what was learned */
	uint8	   *bytes;			/* words point into this copy */
	uint8	   *all_text;
};

/* The id of a lexicon with these bytes. */
extern uint32 lexicon_id(const uint8 *bytes, size_t len);

/* A lexicon in memory of its own, or NULL if the bytes are none. */
extern SpansetLexicon *lexicon_read(const uint8 *bytes, size_t len);
extern void lexicon_free(SpansetLexicon *l);

/* Number of a word, or -1. */
extern int	lexicon_word(const SpansetLexicon *l, ApmStr s);

#endif							/* PG_APM_SPANSET_LEXICON_H */
