/*
 * sketch/glue.h
 *		apm.sketch as the server sees it; for every room that aggregates into
 *		sketches.
 *
 * An aggregate of another room keeps a SketchState as its state, adds with
 * sketch_state_add, and has sketch_datum_compact in its final function.
 */
#ifndef PG_APM_SKETCH_GLUE_H
#define PG_APM_SKETCH_GLUE_H

#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "sketch/sketch.h"

/* Raises the error of a status other than SKETCH_OK. */
extern pg_attribute_noreturn() void sketch_raise(SketchStatus status);

static inline void
sketch_ok(SketchStatus status)
{
	if (unlikely(status != SKETCH_OK))
		sketch_raise(status);
}

/*
 * A view of a datum, which must outlive it.  Working forms are states of
 * aggregates: refused unless the caller may meet one.
 */
extern void sketch_view_datum(SketchView *view, Datum datum, bool working);

/* The compact form, as a datum, of a state or a view. */
extern Datum sketch_datum_compact(const SketchState *state);
extern Datum sketch_view_compact(const SketchView *view);

/*
 * Argument 0 of a transition function as a state that may be written to: the
 * block in place if it is a working form, else a decoded copy, or a new one
 * if it is NULL.  An error outside an aggregate.
 */
extern SketchState *sketch_arg_state(FunctionCallInfo fcinfo);

/* A state as the result of a transition function. */
static inline Datum
sketch_state_datum(SketchState *state)
{
	SET_VARSIZE(state, sketch_state_size(state));
	return PointerGetDatum(state);
}

static inline void
sketch_state_add(SketchState **state, double value)
{
	if (unlikely(!sketch_add_fast(*state, value)) && !sketch_add(state, value))
		sketch_raise(SKETCH_OVERFLOW);
}

#endif							/* PG_APM_SKETCH_GLUE_H */
