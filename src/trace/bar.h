/*
 * trace/bar.h
 *		Bars and durations of a text waterfall.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_BAR_H
#define PG_APM_BAR_H

#include "shim.h"

/* Room for the longest text of bar_duration, with its NUL. */
#define BAR_DURATION_SIZE 16

/*
 * Draws the interval from lo to hi (fractions of the whole) into width cells
 * that each hold one code point; leaves the other cells alone.  At least one
 * cell is touched.
 */
extern void bar_draw(uint32 *cells, int width, double lo, double hi);

/* The same as a shaded area, for time that no span explains. */
extern void bar_shade(uint32 *cells, int width, double lo, double hi);

/*
 * Puts text of one byte a column beside the drawn part, to its right if
 * there is room, else to its left; else not at all.
 */
extern void bar_note(uint32 *cells, int width, const char *note);

/* UTF-8 of the cells without the blanks at the end; returns the bytes written. */
extern int	bar_utf8(const uint32 *cells, int width, char *dst);

/* "0 ms", "0.42 ms", "12.3 ms", "1.24 s", "2m 05s", …; at most 8 columns. */
extern void bar_duration(int64 us, char *dst);

#endif							/* PG_APM_BAR_H */
