/*
 * types/selftime.c
 *		Self time of the spans of one segment.  Pure.
 */
#include "types/selftime.h"

typedef struct ChildInterval
{
	uint64		parent;
	int64		start;
	int64		end;
} ChildInterval;

static int
child_cmp(const void *a, const void *b)
{
	const ChildInterval *x = a;
	const ChildInterval *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return 0;
}

/* Index of the first child of a parent; n if it has none. */
static int
child_first(const ChildInterval *children, int n, uint64 parent)
{
	int			lo = 0;
	int			hi = n;

	while (lo < hi)
	{
		int			mid = lo + (hi - lo) / 2;

		if (children[mid].parent < parent)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
selftime_compute(ApmSpan *spans, int n)
{
	ChildInterval *children;
	int			nchildren = 0;
	int			i;

	if (n <= 0)
		return;
	children = palloc(sizeof(ChildInterval) * n);
	for (i = 0; i < n; i++)
	{
		/* A span that names itself as parent is nobody's child. */
		if (spans[i].parent_span_id == 0 || spans[i].parent_span_id == spans[i].span_id)
			continue;
		children[nchildren].parent = spans[i].parent_span_id;
		children[nchildren].start = spans[i].start_us;
		children[nchildren].end = spans[i].start_us + spans[i].duration_us;
		nchildren++;
	}
	qsort(children, nchildren, sizeof(ChildInterval), child_cmp);

	for (i = 0; i < n; i++)
	{
		int64		end = spans[i].start_us + spans[i].duration_us;
		int64		cur = spans[i].start_us;
		int64		self = 0;
		int			c = child_first(children, nchildren, spans[i].span_id);

		for (; c < nchildren && children[c].parent == spans[i].span_id; c++)
		{
			if (children[c].start >= end)
				break;
			if (children[c].start > cur)
				self += children[c].start - cur;
			cur = Max(cur, Min(children[c].end, end));
		}
		spans[i].self_time_us = self + (end - cur);
	}
	pfree(children);
}
