/*
 * trace/tree.c
 *		The spans of a trace as a forest, flattened in waterfall order.  Pure.
 */
#include "trace/tree.h"

/* A copy of what nodes are sorted by: qsort passes no context. */
typedef struct SortKey
{
	uint64		id;
	int64		start;
	int32		group;
	int32		node;
} SortKey;

static int
start_cmp(const void *a, const void *b)
{
	const SortKey *x = a;
	const SortKey *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

static int
id_cmp(const void *a, const void *b)
{
	const SortKey *x = a;
	const SortKey *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return start_cmp(a, b);
}

/* Indexes of the nodes (all, or those with an id) in the order of cmp. */
static int
sort_nodes(const TraceNode *nodes, int n, bool with_id,
		   int (*cmp) (const void *, const void *), int32 *sorted)
{
	SortKey    *keys = palloc(sizeof(SortKey) * (n + 1));
	int			nkeys = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (with_id && nodes[i].id == 0)
			continue;
		keys[nkeys].id = nodes[i].id;
		keys[nkeys].start = nodes[i].start;
		keys[nkeys].group = nodes[i].group;
		keys[nkeys].node = i;
		nkeys++;
	}
	qsort(keys, nkeys, sizeof(SortKey), cmp);
	for (i = 0; i < nkeys; i++)
		sorted[i] = keys[i].node;
	pfree(keys);
	return nkeys;
}

void
trace_index_build(TraceIndex *index, const TraceNode *nodes, int n)
{
	index->nodes = nodes;
	index->sorted = palloc(sizeof(int32) * (n + 1));
	index->n = sort_nodes(nodes, n, true, id_cmp, index->sorted);
}

void
trace_index_free(TraceIndex *index)
{
	pfree(index->sorted);
}

/* Position of the first node at or behind (id, group). */
static int
index_lower_bound(const TraceIndex *index, uint64 id, int32 group)
{
	int			lo = 0;
	int			hi = index->n;

	while (lo < hi)
	{
		int			mid = lo + (hi - lo) / 2;
		const TraceNode *node = &index->nodes[index->sorted[mid]];

		if (node->id < id || (node->id == id && node->group < group))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
trace_index_find(const TraceIndex *index, uint64 id, int32 group)
{
	int			at;

	if (id == 0)
		return -1;
	at = index_lower_bound(index, id, group);
	if (at < index->n)
	{
		const TraceNode *node = &index->nodes[index->sorted[at]];

		if (node->id == id && node->group == group)
			return index->sorted[at];
	}
	at = index_lower_bound(index, id, INT32_MIN);
	if (at < index->n && index->nodes[index->sorted[at]].id == id)
		return index->sorted[at];
	return -1;
}

/* Finds the parent of each node. */
static void
link_parents(TraceNode *nodes, int n)
{
	TraceIndex	index;
	int			i;

	trace_index_build(&index, nodes, n);
	for (i = 0; i < n; i++)
	{
		TraceNode  *node = &nodes[i];

		node->up = -1;
		node->orphan = node->detached || node->parent != 0;

		/* A node that names itself is a cycle of one, whatever shares its id. */
		if (node->detached || node->parent == node->id)
			continue;
		node->up = trace_index_find(&index, node->parent, node->group);
		if (node->up >= 0)
			node->orphan = false;
	}
	trace_index_free(&index);
}

/* The earliest node of the cycle that at lies on becomes an orphan. */
static void
cut_cycle(TraceNode *nodes, int32 at)
{
	int32		first = at;
	int32		i;

	for (i = nodes[at].up; i != at; i = nodes[i].up)
	{
		const TraceNode *a = &nodes[i];
		const TraceNode *b = &nodes[first];

		if (a->start < b->start ||
			(a->start == b->start && (a->id < b->id || (a->id == b->id && i < first))))
			first = i;
	}
	nodes[first].up = -1;
	nodes[first].orphan = true;
}

/*
 * Cuts every cycle once, at its earliest node.  Each node has one parent, so
 * a walk upwards either ends at top level, meets an earlier walk, or closes a
 * cycle when it meets itself.
 */
static void
cut_cycles(TraceNode *nodes, int n)
{
	int32	   *walk = palloc0(sizeof(int32) * (n + 1));
	int32		i;

	for (i = 0; i < n; i++)
	{
		int32		at = i;

		while (at >= 0 && walk[at] == 0)
		{
			walk[at] = i + 1;
			at = nodes[at].up;
		}
		if (at >= 0 && walk[at] == i + 1)
			cut_cycle(nodes, at);
	}
	pfree(walk);
}

/*
 * Flattens a list of siblings and their subtrees, depth first.  The way back
 * up goes through the nodes' parents, so it needs no stack.
 */
static int
flatten(TraceNode *nodes, int32 first, const int32 *child, const int32 *next,
		int32 *order, int norder)
{
	int32		at = first;
	int32		depth = 0;

	while (at >= 0)
	{
		nodes[at].depth = depth;
		order[norder++] = at;
		if (child[at] >= 0)
		{
			at = child[at];
			depth++;
			continue;
		}
		while (next[at] < 0 && nodes[at].up >= 0)
		{
			at = nodes[at].up;
			depth--;
		}
		at = next[at];
	}
	return norder;
}

void
trace_order(TraceNode *nodes, int n, int32 *order)
{
	int32	   *sorted = palloc(sizeof(int32) * (n + 1));
	int32	   *child = palloc(sizeof(int32) * (n + 1));
	int32	   *next = palloc(sizeof(int32) * (n + 1));
	int32		roots = -1;
	int32		orphans = -1;
	int			norder;
	int			i;

	link_parents(nodes, n);
	cut_cycles(nodes, n);

	/* Latest first, each put in front: lists in ascending order. */
	sort_nodes(nodes, n, false, start_cmp, sorted);
	for (i = 0; i < n; i++)
		child[i] = -1;
	for (i = n - 1; i >= 0; i--)
	{
		int32		at = sorted[i];
		int32	   *list = nodes[at].up >= 0 ? &child[nodes[at].up] :
			nodes[at].orphan ? &orphans : &roots;

		next[at] = *list;
		*list = at;
	}
	norder = flatten(nodes, roots, child, next, order, 0);
	norder = flatten(nodes, orphans, child, next, order, norder);
	Assert(norder == n);
	(void) norder;

	pfree(sorted);
	pfree(child);
	pfree(next);
}
