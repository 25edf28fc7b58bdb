/*
 * breakdown/glue.h
 *		apm.breakdown as the server sees it.
 */
#ifndef PG_APM_BREAKDOWN_GLUE_H
#define PG_APM_BREAKDOWN_GLUE_H

#include "postgres.h"

#include "fmgr.h"

#include "breakdown/breakdown.h"
#include "compat.h"

/* Raises the error of a status other than BREAKDOWN_OK. */
extern void breakdown_ok(BreakdownStatus status);

/*
 * The working form in a datum, NULL if it is a compact one.  Outside of an
 * aggregate it may have come through a tuple and is checked.
 */
extern const BreakdownState *breakdown_working(struct varlena *value);

/* The compact form of a datum, which may be the datum itself. */
extern struct varlena *breakdown_compact(Datum value);

/*
 * Argument 0 of a transition function as a state that may be written to.  An
 * error outside of an aggregate.
 */
extern BreakdownState *breakdown_arg_state(FunctionCallInfo fcinfo);

/* A state as the result of a transition function. */
static inline Datum
breakdown_state_datum(BreakdownState *state)
{
	SET_VARSIZE(state, state->size);
	return PointerGetDatum(state);
}

#endif							/* PG_APM_BREAKDOWN_GLUE_H */
