/*
 * breakdown/breakdown_private.h
 *		Inside of the working form.  Pure.
 */
#ifndef PG_APM_BREAKDOWN_PRIVATE_H
#define PG_APM_BREAKDOWN_PRIVATE_H

#include "breakdown/breakdown.h"

/*
 * Eight bytes from each end of a key, which may overlap: with the length, all
 * there is to know about a key of up to 16 bytes.
 */
typedef struct BreakdownEnds
{
	uint64		first;
	uint64		last;
} BreakdownEnds;

typedef struct BreakdownSlot
{
	BreakdownEnds ends;
	uint32		key_at;			/* from the start of the block; 0: the key is NULL */
	uint32		key_len;
	uint32		sketch_at;
	uint32		sketch_size;	/* bytes that are its own */
} BreakdownSlot;

#define BREAKDOWN_ALIGN(n) (((n) + 7) & ~(size_t) 7)

static inline uint32 *
breakdown_index(BreakdownState *state)
{
	return (uint32 *) (state + 1);
}

static inline BreakdownSlot *
breakdown_slots(BreakdownState *state)
{
	return (BreakdownSlot *) (breakdown_index(state) + 2 * (size_t) state->capacity);
}

/* Bytes of header, index and slots. */
static inline size_t
breakdown_head(uint32 capacity)
{
	return sizeof(BreakdownState) + capacity * (2 * sizeof(uint32) + sizeof(BreakdownSlot));
}

static inline ApmStr
breakdown_key(const BreakdownState *state, uint32 slot)
{
	const BreakdownSlot *s = &breakdown_slots((BreakdownState *) state)[slot];
	ApmStr		key = {NULL, s->key_len};

	if (s->key_at != 0)
		key.data = (const char *) state + s->key_at;
	return key;
}

#endif							/* PG_APM_BREAKDOWN_PRIVATE_H */
