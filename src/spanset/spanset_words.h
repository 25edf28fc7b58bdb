/*
 * spanset/spanset_words.h
 *		Words that both sides of the packing know beforehand.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_SPANSET_WORDS_H
#define PG_APM_SPANSET_WORDS_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

#define SPANSET_WORDS 256

extern const ApmStr spanset_words[SPANSET_WORDS];

extern const char spanset_dictionary[];
extern const uint32 spanset_dictionary_len;

#endif							/* PG_APM_SPANSET_WORDS_H */
