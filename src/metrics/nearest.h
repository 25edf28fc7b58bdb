/*
 * metrics/nearest.h
 *		The nearest of several names, for "Perhaps you meant" hints.
 */
#ifndef PG_APM_METRICS_NEAREST_H
#define PG_APM_METRICS_NEAREST_H

#include "metrics/grammar.h"

typedef struct Nearest
{
	MetricText	wanted;
	int			distance;
	const char *name;			/* NULL: nothing near enough so far */
} Nearest;

extern void nearest_init(Nearest *nearest, MetricText wanted);
extern void nearest_offer(Nearest *nearest, const char *name);

#endif							/* PG_APM_METRICS_NEAREST_H */
