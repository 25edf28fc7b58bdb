/*
 * metrics/nearest.c
 *		The nearest of several names, for hints in error messages.
 */
#include "postgres.h"

#include "utils/varlena.h"

#include "metrics/nearest.h"

/* Names that differ in more than one letter in two are no hint. */
#define NEAREST_MAX_SHARE 2

/* varstr_levenshtein refuses longer ones. */
#define NEAREST_MAX_LEN 255

void
nearest_init(Nearest *nearest, MetricText wanted)
{
	nearest->wanted = wanted;
	nearest->name = NULL;
	nearest->distance = Min(wanted.len, Max(2, wanted.len / NEAREST_MAX_SHARE)) + 1;
}

/* The first of equally near names stays: callers offer in a fixed order. */
void
nearest_offer(Nearest *nearest, const char *name)
{
	int			len = strlen(name);
	int			distance;

	if (nearest->wanted.len > NEAREST_MAX_LEN || len > NEAREST_MAX_LEN)
		return;
	distance = varstr_levenshtein_less_equal(nearest->wanted.data, nearest->wanted.len,
											 name, len, 1, 1, 1,
											 nearest->distance, true);
	if (distance < nearest->distance)
	{
		nearest->distance = distance;
		nearest->name = name;
	}
}
