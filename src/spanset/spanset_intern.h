/*
 * spanset/spanset_intern.h
 *		Numbers for the strings and ids of a set that is being packed.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_SPANSET_INTERN_H
#define PG_APM_SPANSET_INTERN_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/*
 * Hash table of numbers.  Open addressing with few probes: what finds no slot
 * is not recognized when it comes again.  That costs bytes, but bounds the
 * time whatever the input.
 */
#define SLOT_PROBES 8

typedef struct Slots
{
	uint32	   *slots;			/* 0: free, else number + 1 */
	uint32		mask;
} Slots;

/* A column of strings: code 0 is NULL, else strings[code - 1]. */
typedef struct Strings
{
	uint32	   *codes;
	ApmStr	   *strings;
	uint32		count;
} Strings;

/* Ids of spans to their place in the set, and ids from outside of it. */
typedef struct Links
{
	const ApmSpan *spans;
	int			n;
	Slots		slots;
	uint64	   *outside;
	uint32		noutside;
	Slots		outside_slots;
} Links;

extern uint32 intern_hash(const char *p, size_t len);

/* Fills the column from the ApmStr at the given offset of each span. */
extern void strings_build(Strings *t, const ApmSpan *spans, int n, size_t field);
extern void strings_free(Strings *t);

extern void links_init(Links *l, const ApmSpan *spans, int n);

/* 0: none; 1 … n: that span of the set; above: an id from outside. */
extern uint32 links_code(Links *l, uint64 id);
extern void links_free(Links *l);

/*
 * Codes of trace ids from 0, and where each one stands; returns how many
 * there are.  With one, codes are not filled.
 */
extern uint32 trace_codes(const ApmSpan *spans, int n, uint32 *codes, const uint8 **ids);

/* Number of a known word of spanset_words, or -1. */
extern int	word_number(ApmStr s);

#endif							/* PG_APM_SPANSET_INTERN_H */
