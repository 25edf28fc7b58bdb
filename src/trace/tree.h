/*
 * trace/tree.h
 *		The spans of a trace as a forest, flattened in waterfall order.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_TREE_H
#define PG_APM_TREE_H

#include "shim.h"

/* One span, or anything else that has a place of its own in a trace. */
typedef struct TraceNode
{
	/* in */
	uint64		id;				/* 0: none, so nothing hangs on it */
	uint64		parent;			/* id of the parent; 0: a root */
	int64		start;
	int32		group;			/* of nodes with equal id, the child's group is preferred */
	bool		detached;		/* stands at top level whatever its parent says */

	/* out */
	bool		orphan;			/* at top level without being a root */
	int32		up;				/* index of the parent, -1 at top level */
	int32		depth;			/* 0 at top level */
} TraceNode;

/* Nodes by id. */
typedef struct TraceIndex
{
	const TraceNode *nodes;
	int32	   *sorted;			/* indexes of the nodes that have an id */
	int			n;
} TraceIndex;

extern void trace_index_build(TraceIndex *index, const TraceNode *nodes, int n);
extern void trace_index_free(TraceIndex *index);

/*
 * Index of the node with this id, -1 if there is none.  Of several, the
 * earliest of the given group, else the earliest of the lowest group.
 */
extern int	trace_index_find(const TraceIndex *index, uint64 id, int32 group);

/*
 * Writes the indexes of the n nodes to order, each exactly once: roots by
 * start, then orphans by start, each followed by its subtree, depth first,
 * siblings by start.  Ties go by id, then by index.  An orphan is a node whose
 * parent is missing, or the earliest node of a cycle, whose link to its parent
 * is cut.  n log n, and no recursion: depth costs no stack.
 */
extern void trace_order(TraceNode *nodes, int n, int32 *order);

#endif							/* PG_APM_TREE_H */
