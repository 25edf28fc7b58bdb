/*
 * trace_bar_test.c
 *		Bars and durations of the text waterfall.
 */
#include "trace/bar.h"

static int	failures = 0;

static void
expect(const char *got, const char *want)
{
	if (strcmp(got, want) == 0)
		return;
	failures++;
	printf("trace_bar: got \"%s\", want \"%s\"\n", got, want);
}

static const char *
bar(int width, double lo, double hi, const char *note)
{
	static char text[4 * 64];
	uint32		cells[64];
	int			i;

	for (i = 0; i < width; i++)
		cells[i] = ' ';
	bar_draw(cells, width, lo, hi);
	if (note)
		bar_note(cells, width, note);
	text[bar_utf8(cells, width, text)] = 0;
	return text;
}

static const char *
shade(int width, double lo, double hi)
{
	static char text[4 * 64];
	uint32		cells[64];
	int			i;

	for (i = 0; i < width; i++)
		cells[i] = ' ';
	bar_shade(cells, width, lo, hi);
	text[bar_utf8(cells, width, text)] = 0;
	return text;
}

static const char *
duration(int64 us)
{
	static char text[BAR_DURATION_SIZE];

	bar_duration(us, text);
	if (strlen(text) > 8)
	{
		failures++;
		printf("trace_bar: \"%s\" is too long\n", text);
	}
	return text;
}

static void
test_bars(void)
{
	expect(bar(10, 0, 1, NULL), "██████████");
	expect(bar(10, 0, 0.5, NULL), "█████");
	expect(bar(10, 0.5, 1, NULL), "     █████");
	expect(bar(4, 0.25, 0.53125, NULL), " █▏");
	expect(bar(4, 0.125, 0.5, NULL), "▐█");
	expect(bar(4, 0.21875, 0.5, NULL), "▕█");
	expect(bar(4, 0, 0, NULL), "▏");
	expect(bar(4, 0.625, 0.625, NULL), "  ▕");
	expect(bar(4, 0.65, 0.75, NULL), "  ▐");
	expect(bar(4, 1, 1, NULL), "   ▕");
}

static void
test_hostile_bars(void)
{
	expect(bar(4, -3, 9e300, NULL), "████");
	expect(bar(4, 2, 1, NULL), "   ▕");
	expect(bar(4, 0.5, 0, NULL), "  ▏");
	expect(bar(1, 0, 1, NULL), "█");
	expect(bar(0, 0, 1, NULL), "");
	/* Not a number counts as the beginning. */
	expect(bar(4, 0.0 / 0.0, 0.0 / 0.0, NULL), "▏");
}

static void
test_notes(void)
{
	expect(bar(10, 0, 0.5, "fail"), "█████ fail");
	expect(bar(10, 0, 0.6, "fail"), "██████");
	expect(bar(10, 0.5, 1, "fail"), "fail █████");
	expect(bar(10, 0.4, 1, "fail"), "    ██████");
	expect(bar(10, 0.2, 0.3, "fail"), "  █ fail");
	expect(shade(8, 0.25, 0.6), "  ░░░");
}

static void
test_durations(void)
{
	expect(duration(-5), "0 ms");
	expect(duration(0), "0 ms");
	expect(duration(9), "0.009 ms");
	expect(duration(420), "0.42 ms");
	expect(duration(9994), "9.99 ms");
	expect(duration(9995), "10.0 ms");
	expect(duration(99949), "99.9 ms");
	expect(duration(99950), "100 ms");
	expect(duration(999499), "999 ms");
	expect(duration(999500), "1.00 s");
	expect(duration(1240000), "1.24 s");
	expect(duration(59949999), "59.9 s");
	expect(duration(59950000), "1m 00s");
	expect(duration(INT64CONST(3599500000)), "1h 00m");
	expect(duration(INT64CONST(125000000)), "2m 05s");
	expect(duration(INT64CONST(86400000000)), "1d 00h");
	expect(duration(INT64CONST(86400000000) * 999), "999d 00h");
	expect(duration(INT64CONST(86400000000) * 1000), "2y");
	expect(duration(INT64_MAX), "292271y");
}

int
main(void)
{
	test_bars();
	test_hostile_bars();
	test_notes();
	test_durations();
	return failures != 0;
}
