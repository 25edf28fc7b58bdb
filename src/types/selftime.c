/*
 * types/selftime.c
 *		Self time of the spans of one segment.  Pure.
 *
 * The reference walks the children of each parent in order of start.  Here
 * the children of one parent id are first merged into disjoint runs that
 * carry a running total of covered time, so that each parent costs two binary
 * searches: many spans that repeat one id stay n log n.
 */
#include "types/selftime.h"

typedef struct ChildRun
{
	uint64		parent;
	int64		start;
	int64		end;
	uint64		covered;		/* time covered by earlier runs, modulo 2^64 */
} ChildRun;

static int
child_cmp(const void *a, const void *b)
{
	const ChildRun *x = a;
	const ChildRun *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return 0;
}

/* End of a span; a hostile duration saturates instead of overflowing. */
static int64
span_end(const ApmSpan *span)
{
	if (span->duration_us <= 0)
		return span->start_us;
	if (span->start_us > INT64_MAX - span->duration_us)
		return INT64_MAX;
	return span->start_us + span->duration_us;
}

/* The intervals of all children, sorted by parent and start. */
static int
collect_children(const ApmSpan *spans, int n, ChildRun *children)
{
	int			nchildren = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		ChildRun   *c = &children[nchildren];

		/* A span that names itself as parent is nobody's child. */
		if (spans[i].parent_span_id == 0 || spans[i].parent_span_id == spans[i].span_id)
			continue;
		c->parent = spans[i].parent_span_id;
		c->start = spans[i].start_us;
		c->end = span_end(&spans[i]);
		if (c->end > c->start)
			nchildren++;
	}
	qsort(children, nchildren, sizeof(ChildRun), child_cmp);
	return nchildren;
}

/* Merges overlapping and touching intervals of the same parent, in place. */
static int
merge_children(ChildRun *children, int nchildren)
{
	int			nruns = 0;
	int			i;

	for (i = 0; i < nchildren; i++)
	{
		ChildRun   *last = nruns > 0 ? &children[nruns - 1] : NULL;

		if (last && last->parent == children[i].parent && children[i].start <= last->end)
		{
			last->end = Max(last->end, children[i].end);
			continue;
		}
		children[nruns] = children[i];
		children[nruns].covered = 0;
		if (last && last->parent == children[nruns].parent)
			children[nruns].covered = last->covered + ((uint64) last->end - (uint64) last->start);
		nruns++;
	}
	return nruns;
}

/*
 * Time covered by the runs of a parent up to the moment t, modulo 2^64: only
 * differences mean anything.
 */
static uint64
covered_until(const ChildRun *runs, int nruns, uint64 parent, int64 t)
{
	int			lo = 0;
	int			hi = nruns;
	const ChildRun *run;

	/* First run that is behind (parent, t). */
	while (lo < hi)
	{
		int			mid = lo + (hi - lo) / 2;

		if (runs[mid].parent < parent ||
			(runs[mid].parent == parent && runs[mid].start < t))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || runs[lo - 1].parent != parent)
		return 0;
	run = &runs[lo - 1];
	return run->covered + ((uint64) Min(run->end, t) - (uint64) run->start);
}

void
selftime_compute(ApmSpan *spans, int n)
{
	ChildRun   *runs;
	int			nruns;
	int			i;

	if (n <= 0)
		return;
	runs = palloc(sizeof(ChildRun) * n);
	nruns = merge_children(runs, collect_children(spans, n, runs));
	for (i = 0; i < n; i++)
	{
		uint64		id = spans[i].span_id;
		int64		end = span_end(&spans[i]);
		uint64		covered = covered_until(runs, nruns, id, end) -
			covered_until(runs, nruns, id, spans[i].start_us);

		spans[i].self_time_us = Max(spans[i].duration_us, 0) - (int64) covered;
	}
	pfree(runs);
}
