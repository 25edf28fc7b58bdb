/*
 * trace/bar.c
 *		Bars and durations of a text waterfall.  Pure.
 */
#include "trace/bar.h"

#define BLANK			' '
#define FULL_BLOCK		0x2588	/* the left blocks of 7/8 … 1/8 follow it */
#define RIGHT_HALF		0x2590
#define LIGHT_SHADE		0x2591
#define RIGHT_EIGHTH	0x2595

/* A fraction in eighths of a cell, within the cells. */
static int
to_eighths(double fraction, int width)
{
	double		x = fraction * width * 8 + 0.5;

	if (!(x > 0))
		return 0;
	if (x >= width * 8)
		return width * 8;
	return (int) x;
}

/* The interval in eighths of a cell; never empty. */
static void
clip_bar(int width, double lo, double hi, int *lo8, int *hi8)
{
	*lo8 = Min(to_eighths(lo, width), width * 8 - 1);
	*hi8 = Max(to_eighths(hi, width), *lo8 + 1);
}

/* Block filled from the left with 1 to 8 eighths. */
static uint32
left_block(int eighths)
{
	return FULL_BLOCK + 8 - eighths;
}

/* Block that begins off eighths into its cell and runs to the cell's end. */
static uint32
right_block(int off)
{
	return off <= 2 ? FULL_BLOCK : off <= 6 ? RIGHT_HALF : RIGHT_EIGHTH;
}

void
bar_draw(uint32 *cells, int width, double lo, double hi)
{
	int			lo8;
	int			hi8;
	int			first;
	int			last;
	int			i;

	if (width <= 0)
		return;
	clip_bar(width, lo, hi, &lo8, &hi8);
	first = lo8 / 8;
	last = (hi8 - 1) / 8;
	if (first == last)
	{
		/* There are no blocks for the middle of a cell: lean to the nearer side. */
		if (lo8 % 8 < 4)
			cells[first] = left_block(hi8 - lo8);
		else
			cells[first] = hi8 - lo8 >= 3 ? RIGHT_HALF : RIGHT_EIGHTH;
		return;
	}
	cells[first] = right_block(lo8 % 8);
	for (i = first + 1; i < last; i++)
		cells[i] = FULL_BLOCK;
	cells[last] = left_block(hi8 - last * 8);
}

void
bar_shade(uint32 *cells, int width, double lo, double hi)
{
	int			lo8;
	int			hi8;
	int			i;

	if (width <= 0)
		return;
	clip_bar(width, lo, hi, &lo8, &hi8);
	for (i = lo8 / 8; i <= (hi8 - 1) / 8; i++)
		cells[i] = LIGHT_SHADE;
}

void
bar_note(uint32 *cells, int width, const char *note)
{
	int			len = (int) strlen(note);
	int			first = 0;
	int			end = width;
	int			at;
	int			i;

	while (first < width && cells[first] == BLANK)
		first++;
	while (end > first && cells[end - 1] == BLANK)
		end--;
	if (end + 1 + len <= width)
		at = end + 1;
	else if (first - 1 - len >= 0)
		at = first - 1 - len;
	else
		return;
	for (i = 0; i < len; i++)
		cells[at + i] = (unsigned char) note[i];
}

int
bar_utf8(const uint32 *cells, int width, char *dst)
{
	char	   *p = dst;
	int			i;

	while (width > 0 && cells[width - 1] == BLANK)
		width--;
	for (i = 0; i < width; i++)
	{
		if (cells[i] < 0x80)
			*p++ = (char) cells[i];
		else
		{
			*p++ = (char) (0xe0 | (cells[i] >> 12));
			*p++ = (char) (0x80 | ((cells[i] >> 6) & 0x3f));
			*p++ = (char) (0x80 | (cells[i] & 0x3f));
		}
	}
	return (int) (p - dst);
}

void
bar_duration(int64 us, char *dst)
{
	double		ms = us / 1000.0;
	long long	s = (long long) (us / 1000000 + (us % 1000000 >= 500000));

	if (us <= 0)
		snprintf(dst, BAR_DURATION_SIZE, "0 ms");
	else if (us < 10)
		snprintf(dst, BAR_DURATION_SIZE, "%.3f ms", ms);
	else if (us < 9995)
		snprintf(dst, BAR_DURATION_SIZE, "%.2f ms", ms);
	else if (us < 99950)
		snprintf(dst, BAR_DURATION_SIZE, "%.1f ms", ms);
	else if (us < 999500)
		snprintf(dst, BAR_DURATION_SIZE, "%.0f ms", ms);
	else if (us < 9995000)
		snprintf(dst, BAR_DURATION_SIZE, "%.2f s", ms / 1000);
	else if (us < 59950000)
		snprintf(dst, BAR_DURATION_SIZE, "%.1f s", ms / 1000);
	else if (s < 3600)
		snprintf(dst, BAR_DURATION_SIZE, "%lldm %02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(dst, BAR_DURATION_SIZE, "%lldh %02lldm", s / 3600, s / 60 % 60);
	else if (s < INT64CONST(1000) * 86400)
		snprintf(dst, BAR_DURATION_SIZE, "%lldd %02lldh", s / 86400, s / 3600 % 24);
	else
		snprintf(dst, BAR_DURATION_SIZE, "%lldy", s / 31557600);
}
