/*
 * trace/waterfall.h
 *		State of one text waterfall.
 *
 * Private to this room.
 */
#ifndef PG_APM_WATERFALL_H
#define PG_APM_WATERFALL_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "trace/trace.h"

typedef struct Waterfall
{
	Trace		trace;
	ReturnSetInfo *rsinfo;
	MemoryContext line_context; /* reset after each line */
	int			width;

	/* layout */
	int			label_columns;
	int			bar_columns;
	int			max_levels;		/* deeper levels are not indented any further */
	int64		total;			/* microseconds, at least 1 */

	/* services, by ascending project id */
	int			nservices;
	int32	   *services;
	char	  **service_names;

	/* per node */
	bool	   *last;			/* no later sibling */
	bool	   *has_children;
	bool	   *browser;		/* runs in a browser, where idle time means nothing */
	int64	   *busy_until;		/* latest end of the children shown so far */

	/* while lines are written */
	bool		in_orphan;		/* below an orphan */
	bool	   *more;			/* per level: the guide goes on below */
	uint32	   *cells;			/* of the bar */
} Waterfall;

/* Reads names of services and which spans ran in a browser; SPI is connected. */
extern void waterfall_services(Waterfall *w);
extern void waterfall_browsers(Waterfall *w, Datum trace_id);

/* Name of the service of a node. */
extern const char *waterfall_service_name(const Waterfall *w, int32 project);

/* The lines above the first span. */
extern void waterfall_header(Waterfall *w, Datum trace_id);

/* Writes a line, without blanks at its end. */
extern void waterfall_put(Waterfall *w, StringInfo line);

#endif							/* PG_APM_WATERFALL_H */
