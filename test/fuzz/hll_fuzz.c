/*
 * hll_fuzz.c
 *		Bytes taken for a distinct count: refused, or counted and merged without
 *		harm and without loss.
 */
#include "shim.h"

#include <math.h>

#include "sketch/hll.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first 4 bytes stand for the length word; then two blocks of one half. */
static HllWork *
work_of(const uint8 *bytes, size_t size)
{
	uint8	   *copy = palloc(size);
	HllWork    *work = NULL;
	HllView		view;

	memcpy(copy, bytes, size);
	if (hll_view_frame(copy, size, &view) == NULL)
	{
		HllWork    *empty = hll_work_new(view.marked);
		const char *problem;
		HllWork    *merged = hll_merge_view(empty, &view, &problem);

		assert((problem == NULL) == (hll_view(copy, size, &view) == NULL));
		if (merged != empty)
			pfree(merged);
		pfree(empty);
	}
	if (hll_view(copy, size, &view) == NULL)
	{
		size_t		again_size;
		uint8	   *again;

		work = hll_work_from_view(&view);
		assert(hll_work_count(work, false) == hll_view_count(&view, false));
		assert(hll_work_count(work, true) == hll_view_count(&view, true));
		assert(!isnan(hll_work_count(work, false)));
		again = hll_compact(work, &again_size);
		assert(again_size == size && memcmp(again + 4, copy + 4, size - 4) == 0);
		pfree(again);
	}
	pfree(copy);
	return work;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t		half = size / 2;
	HllWork    *whole;
	HllWork    *a;
	HllWork    *b;

	if (size < 2)
		return 0;
	whole = work_of(data, size);
	a = work_of(data, half);
	b = work_of(data + half, size - half);
	if (whole != NULL)
		pfree(whole);
	if (a != NULL && b != NULL && a->marked == b->marked)
	{
		HllWork    *first = hll_work_copy(a);
		HllWork    *ab = hll_merge_work(first, b);
		size_t		ab_size;
		uint8	   *ab_bytes = hll_compact(ab, &ab_size);
		HllView		view;

		assert(hll_view(ab_bytes, ab_size, &view) == NULL);
		pfree(ab_bytes);
		pfree(ab);
		if (ab != first)
			pfree(first);
	}
	if (a != NULL)
		pfree(a);
	if (b != NULL)
		pfree(b);
	return 0;
}
