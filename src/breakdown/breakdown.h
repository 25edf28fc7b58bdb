/*
 * breakdown/breakdown.h
 *		Quantile sketches by key.  Pure core.
 *
 * A breakdown holds one sketch for each key, a string or NULL, that has a
 * value.  It has two forms, as sketches have: the working form, one
 * contiguous block that is also a varlena, and the compact form, a version
 * byte and the keys in ascending order, each with its compact sketch.  Equal
 * sets of (key, value) encode to equal bytes.
 *
 * Growing follows the rule of sketches: a function that takes a
 * BreakdownState ** may replace *state by a larger block from palloc and
 * leaves the one that it was given alone, for the executor owns that.
 */
#ifndef PG_APM_BREAKDOWN_H
#define PG_APM_BREAKDOWN_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"
#include "sketch/sketch.h"
#include "spanset/spanset.h"

#define BREAKDOWN_VERSION	1	/* first byte of the compact form */
#define BREAKDOWN_WORKING	0xFF	/* same place, in the working form */

/* No block is larger: what a datum holds at most. */
#define BREAKDOWN_MAX_SIZE	((size_t) 0x3fffffff)

typedef enum BreakdownStatus
{
	BREAKDOWN_OK,
	BREAKDOWN_MALFORMED,		/* bytes that no encoder wrote */
	BREAKDOWN_FUTURE,			/* a version this code does not know */
	BREAKDOWN_OVERFLOW,			/* one key has more values than a sketch counts */
	BREAKDOWN_FULL				/* more keys than one block holds */
} BreakdownStatus;

/*
 * The working form: this header; an index of 2 * capacity slot numbers, each
 * plus 1, 0 where it is empty; capacity slots, count of them in use; then
 * keys and working forms of sketches, up to "used" bytes from the start of
 * the block.  A sketch that has grown leaves a hole, which goes when the
 * block grows.
 */
typedef struct BreakdownState
{
	int32		vl_len_;		/* varlena header, set by the server's glue */
	uint8		form;			/* BREAKDOWN_WORKING */
	uint8		unused[3];
	uint32		count;
	uint32		capacity;		/* a power of two */
	uint32		used;
	uint32		size;			/* of the whole block */
	uint16		words[SPANSET_MAX_WORD];	/* slots of known words, plus 1; 0: look it up */
} BreakdownState;

extern BreakdownState *breakdown_create(void);

/* Where values of one key go. */
typedef struct BreakdownTarget
{
	SketchState *sketch;
	uint32		slot;
} BreakdownTarget;

/*
 * Adds n durations of packed spans, in microseconds, under their keys, as
 * milliseconds; APM_MICROS_NULL is passed over.  targets is scratch memory
 * for keys->count + 1 of them.
 */
extern BreakdownStatus breakdown_add_column(BreakdownState **state, const SpansetStrings *keys,
											const int64 *us, int n, BreakdownTarget *targets);

/*
 * Adds the durations or self times of a packed value by op, category or group
 * (SPANSET_OP and so on) without reading columns, if it has the form that
 * nearly all have: see spanset_hot.h.  *taken is how many of its bytes were
 * looked at; if it is 0, the caller has to read the columns, with the same
 * lexicon, and breakdown_add_column() them.  Part of a value may have been
 * added then, but only of one that cannot be read.
 */
extern BreakdownStatus breakdown_add_packed(BreakdownState **state, uint32 column, bool self_time,
											const uint8 *data, size_t len,
											const SpansetLexicon *lexicon, size_t *taken);

/* Merges a state, or the bytes of a compact form, into another state. */
extern BreakdownStatus breakdown_merge_state(BreakdownState **state, const BreakdownState *other);
extern BreakdownStatus breakdown_merge_bytes(BreakdownState **state, const uint8 *bytes, size_t len);

/* Whether a working form of so many bytes is sound enough to be read. */
extern bool breakdown_state_valid(const BreakdownState *state, size_t size);

/*
 * Compact form in a new block whose first headroom bytes are the caller's
 * and counted in *len.  NULL if it would be larger than a datum can be.
 */
extern uint8 *breakdown_encode(const BreakdownState *state, size_t headroom, size_t *len);

/* Whether these are bytes that breakdown_encode writes: the whole check. */
extern BreakdownStatus breakdown_check(const uint8 *bytes, size_t len);

/* Walks over a compact form: key, with data NULL for NULL, and its sketch. */
typedef struct BreakdownReader
{
	const uint8 *pos;
	const uint8 *end;
	uint64		left;			/* keys to come */
	ApmStr		key;
	const uint8 *sketch;
	size_t		sketch_len;
} BreakdownReader;

extern BreakdownStatus breakdown_open(BreakdownReader *r, const uint8 *bytes, size_t len);

/* The next key; false at the end and where the bytes are malformed (*status). */
extern bool breakdown_next(BreakdownReader *r, BreakdownStatus *status);

#endif							/* PG_APM_BREAKDOWN_H */
