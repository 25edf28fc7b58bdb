/*
 * json_reader_fuzz.c
 *		Any bytes: skip, capture and a full walk agree in verdict, position and
 *		counts, jansson agrees about verdict and values, and number texts
 *		convert alike by all ways.
 *
 * A control character in front sets the depth limit, the rest is the document.
 * Its first lines are documents, too, so that envelopes serve as seeds.
 */
#include <math.h>

#include "json_oracle.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text as a number: what the conversions say fits together. */
static const char *
check_conversions(ApmStr text)
{
	double		value = json_number_double(text);
	int64		integer;
	int64		micros;
	JsonReader	r;
	ApmStr		number;
	bool		is_number;

	json_reader_init(&r, text.data, text.len, 0);
	is_number = json_reader_number(&r, &number) && number.len == text.len;
	if (isnan(value) == is_number)
		return "reader and conversion disagree about what is a number";
	if (json_number_int64(text, &integer) && (!is_number || (double) integer != value))
		return "int64 and double disagree";
	if (json_number_micros(text, &micros))
	{
		/* Half a microsecond by rounding, the rest is the double's error. */
		if (!is_number || !(fabs(value * 1e6 - (double) micros) <= 0.51 + fabs((double) micros) * 1e-15))
			return "microseconds and double disagree";
	}
	else if (is_number && fabs(value) < 9.2e12)
		return "microseconds do not fit, but the double would";
	return NULL;
}

static void
check(const char *data, size_t len, int max_depth)
{
	ApmStr		text = {data, (uint32_t) len};
	const char *problem = json_oracle_check(data, len, max_depth, NULL);

	if (problem == NULL)
		problem = check_conversions(text);
	if (problem != NULL)
	{
		fprintf(stderr, "json_reader_fuzz: %s\n", problem);
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *) data;
	const char *end = p + size;
	int			max_depth = JSON_DEPTH_LIMIT;
	int			lines;

	if (size > 0 && data[0] < ' ')
	{
		max_depth = data[0];
		p++;
	}
	check(p, end - p, max_depth);
	for (lines = 0; lines < 4 && p < end; lines++)
	{
		const char *newline = memchr(p, '\n', end - p);

		if (newline == NULL && lines == 0)
			break;
		check(p, (newline != NULL ? newline : end) - p, max_depth);
		p = newline != NULL ? newline + 1 : end;
	}
	return 0;
}
