/*
 * store/measure.h
 *		Measurements: web vitals that arrive on spans of their own, and what is
 *		computed from measurements before they are stored.
 *
 * Pure: no server headers.  Results are palloc'd or point into the input.
 */
#ifndef PG_APM_MEASURE_H
#define PG_APM_MEASURE_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/* One measurement, texts as they stand in JSON. */
typedef struct Measurement
{
	ApmStr		name;			/* between its quotes */
	ApmStr		value;			/* a number */
	ApmStr		unit;			/* with its quotes; data == NULL: not sent */
	double		number;
} Measurement;

/* All zero is the empty set. */
typedef struct MeasureSet
{
	Measurement *list;
	int			n;
	int			max;
} MeasureSet;

/* What a span says of the page that it belongs to. */
typedef struct SpanVitals
{
	MeasureSet	vitals;
	uint64		page_span_id;	/* span of the page load; 0: not said */
	ApmStr		browser;		/* data == NULL: not said */
} SpanVitals;

/*
 * Adds the members of {"name": {"value": number, "unit": text}}; of equal
 * names the last counts.  What has no number is passed over.
 */
extern void measure_read(MeasureSet *set, ApmStr json);

/*
 * Adds web vitals, and nothing else, of the same form.  Of two values of one
 * vital the larger counts: vitals only grow while a page is open, and the
 * order in which they arrive must not matter.
 */
extern void measure_merge_vitals(MeasureSet *set, ApmStr json);

/* The same with vitals that were read before. */
extern void measure_merge_set(MeasureSet *set, const MeasureSet *vitals);

/*
 * Adds what is computed: names that are known but for their case are put
 * into it, rates of slow and frozen frames, the share of time stalled, and
 * the performance score with its parts.
 */
extern void measure_derive(MeasureSet *set, int64 duration_us, ApmStr browser);

/* The set as JSON; data == NULL if it is empty. */
extern ApmStr measure_write(const MeasureSet *set);

/* Is this the op of a span that brings a web vital of its page? */
extern bool measure_is_vital_op(ApmStr op);

/* Web vitals in the attributes of such a span; false if there is none. */
extern bool measure_span_vitals(ApmStr attributes, SpanVitals *result);

/* The browser that a header User-Agent stands for, if it has a profile; else data == NULL. */
extern ApmStr measure_user_agent_browser(ApmStr agent);

/*
 * The browser's name, as contexts or attributes tell it, else as the agent
 * in them stands for it; data == NULL if they do not.
 */
extern ApmStr measure_context_browser(ApmStr contexts);
extern ApmStr measure_attribute_browser(ApmStr attributes);

#endif							/* PG_APM_MEASURE_H */
