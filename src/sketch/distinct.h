/*
 * sketch/distinct.h
 *		Aggregate states of type apm.hll, for the aggregates of other rooms.
 */
#ifndef PG_APM_SKETCH_DISTINCT_H
#define PG_APM_SKETCH_DISTINCT_H

#include "postgres.h"

#include "fmgr.h"

#include "sketch/hll.h"

/*
 * The first argument of a transition or combine function as a state to write
 * to: the state itself inside an aggregate, else a copy; a new one if NULL.
 */
extern HllWork *distinct_state(FunctionCallInfo fcinfo, bool marked);

/* Adds a text value and returns the state, which may be a new block. */
extern HllWork *distinct_add(HllWork *state, const text *value, bool mark);

/* The compact form of a state as a datum. */
extern Datum distinct_datum_compact(const HllWork *state);

/* Counts of an apm.hll datum in either layout, after checking its bytes. */
extern double distinct_count_of(Datum hll, bool marked_only);

#endif							/* PG_APM_SKETCH_DISTINCT_H */
