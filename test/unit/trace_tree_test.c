/*
 * trace_tree_test.c
 *		Waterfall order: hand-made trees, and random forests with cycles and
 *		repeated ids against a plain recursive second implementation.
 */
#include "trace/tree.h"

static int	failures = 0;

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	failures++;
	printf("trace_tree: %s\n", what);
}

static TraceNode
node(uint64 id, uint64 parent, int64 start)
{
	TraceNode	t;

	memset(&t, 0, sizeof(t));
	t.id = id;
	t.parent = parent;
	t.start = start;
	return t;
}

/*
 * Orders the nodes and compares with a line "id:depth id:depth* …", where an
 * asterisk marks an orphan.
 */
static void
expect(const char *what, TraceNode *nodes, int n, const char *want)
{
	int32	   *order = palloc(sizeof(int32) * n);
	char		got[1024] = "";
	int			i;

	trace_order(nodes, n, order);
	for (i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%d:%d%s", i ? " " : "",
				 (int) nodes[order[i]].id, nodes[order[i]].depth,
				 nodes[order[i]].orphan ? "*" : "");
	if (strcmp(got, want) != 0)
		printf("got  %s\nwant %s\n", got, want);
	check(strcmp(got, want) == 0, what);
	pfree(order);
}

static void
test_shapes(void)
{
	trace_order(NULL, 0, NULL);
	{
		TraceNode	t[] = {node(3, 1, 30), node(4, 2, 25), node(1, 0, 0), node(2, 1, 20)};

		expect("siblings by start, depth first", t, 4, "1:0 2:1 4:2 3:1");
	}
	{
		TraceNode	t[] = {node(5, 9, 1), node(2, 0, 7), node(1, 0, 3), node(6, 5, 0), node(4, 8, 0)};

		expect("roots, then orphans", t, 5, "1:0 2:0 4:0* 5:0* 6:1");
	}
	{
		TraceNode	t[] = {node(1, 0, 10), node(3, 1, 5), node(2, 1, 5)};

		expect("ties by id, a child may start before its parent", t, 3, "1:0 2:1 3:1");
	}
	{
		TraceNode	t[] = {node(1, 0, 0), node(7, 1, 4), node(0, 1, 2)};

		t[1].detached = true;
		expect("detached, and without id", t, 3, "1:0 0:1 7:0*");
	}
}

static void
test_cycles(void)
{
	{
		TraceNode	t[] = {node(1, 1, 0)};

		expect("its own parent", t, 1, "1:0*");
	}
	{
		TraceNode	t[] = {node(1, 1, 5), node(1, 1, 0), node(2, 1, 1)};

		expect("its own parent twice", t, 3, "1:0* 2:1 1:0*");
	}
	{
		TraceNode	t[] = {node(9, 2, 0), node(1, 3, 4), node(2, 1, 3), node(3, 2, 5), node(8, 0, 7)};

		expect("cut at the earliest of the cycle, not of what hangs on it", t, 5,
			   "8:0 2:0* 9:1 3:1 1:2");
	}
	{
		TraceNode	t[] = {node(1, 2, 0), node(2, 1, 1), node(3, 4, 2), node(4, 3, 3), node(5, 6, 1)};

		expect("two cycles among orphans", t, 5, "1:0* 2:1 5:0* 3:0* 4:1");
	}
}

static void
test_repeated_ids(void)
{
	TraceNode	t[] = {node(1, 0, 5), node(1, 0, 3), node(2, 1, 6), node(3, 1, 7)};

	expect("children of a repeated id stay together on the earliest", t, 4, "1:0 2:1 3:1 1:0");
	t[0].group = 7;
	t[2].group = 7;
	t[3].group = 8;
	expect("children prefer their own group", t, 4, "1:0 3:1 1:0 2:1");
}

static void
test_find(void)
{
	TraceNode	t[] = {node(5, 0, 2), node(5, 0, 1), node(5, 0, 0), node(0, 0, 0), node(UINT64_MAX, 0, 0)};
	TraceIndex	index;

	t[2].group = 3;
	trace_index_build(&index, t, 5);
	check(trace_index_find(&index, 5, 0) == 1, "earliest of the group");
	check(trace_index_find(&index, 5, 3) == 2, "other group");
	check(trace_index_find(&index, 5, 99) == 1, "no such group");
	check(trace_index_find(&index, 5, -1) == 1, "group below all");
	check(trace_index_find(&index, 0, 0) == -1, "no id is never found");
	check(trace_index_find(&index, 6, 0) == -1, "missing id");
	check(trace_index_find(&index, UINT64_MAX, 0) == 4, "largest id");
	trace_index_free(&index);
}

/* A chain deeper than any recursion would survive, given backwards. */
static void
test_deep_chain(void)
{
	int			n = 1000000;
	TraceNode  *t = palloc(sizeof(TraceNode) * n);
	int32	   *order = palloc(sizeof(int32) * n);
	bool		ok = true;
	int			i;

	for (i = 0; i < n; i++)
		t[i] = node(n - i, n - i - 1, 0);
	trace_order(t, n, order);
	for (i = 0; i < n; i++)
		ok = ok && t[order[i]].id == (uint64) i + 1 && t[order[i]].depth == i && !t[order[i]].orphan;
	check(ok, "chain of a million");

	/* The same as one cycle. */
	t[n - 1].parent = n;
	t[500000].start = -1;
	trace_order(t, n, order);
	check(order[0] == 500000 && t[order[0]].orphan && t[order[n - 1]].depth == n - 1 &&
		  !t[order[n - 1]].orphan, "cycle of a million");
	pfree(t);
	pfree(order);
}

/* The second implementation: quadratic, recursive, by the words of the header. */

typedef struct Naive
{
	const TraceNode *nodes;
	int			n;
	int			up[24];
	bool		orphan[24];
	int			order[24];
	int			depth[24];
	int			norder;
} Naive;

static bool
before(const Naive *v, int a, int b)
{
	const TraceNode *x = &v->nodes[a];
	const TraceNode *y = &v->nodes[b];

	if (x->start != y->start)
		return x->start < y->start;
	if (x->id != y->id)
		return x->id < y->id;
	return a < b;
}

static int
naive_parent(const Naive *v, int i)
{
	int			best = -1;
	int			j;

	if (v->nodes[i].detached || v->nodes[i].parent == 0 || v->nodes[i].parent == v->nodes[i].id)
		return -1;
	for (j = 0; j < v->n; j++)
	{
		bool		mine = v->nodes[j].group == v->nodes[i].group;
		bool		best_mine = best >= 0 && v->nodes[best].group == v->nodes[i].group;

		if (v->nodes[j].id != v->nodes[i].parent)
			continue;
		if (best < 0 || (mine && !best_mine) ||
			(mine == best_mine &&
			 (v->nodes[j].group < v->nodes[best].group ||
			  (v->nodes[j].group == v->nodes[best].group && before(v, j, best)))))
			best = j;
	}
	return best;
}

static void
naive_emit(Naive *v, int parent, bool orphans, int depth)
{
	bool		done[24] = {false};

	for (;;)
	{
		int			best = -1;
		int			i;

		for (i = 0; i < v->n; i++)
			if (!done[i] && v->up[i] == parent && (parent >= 0 || v->orphan[i] == orphans) &&
				(best < 0 || before(v, i, best)))
				best = i;
		if (best < 0)
			return;
		done[best] = true;
		v->depth[v->norder] = depth;
		v->order[v->norder++] = best;
		naive_emit(v, best, false, depth + 1);
	}
}

static void
naive_order(Naive *v)
{
	int			i;

	for (i = 0; i < v->n; i++)
	{
		v->up[i] = naive_parent(v, i);
		v->orphan[i] = v->up[i] < 0 && (v->nodes[i].detached || v->nodes[i].parent != 0);
	}
	for (i = 0; i < v->n; i++)
	{
		int			first = i;
		int			steps = 0;
		int			at = v->up[i];

		for (; at >= 0 && at != i && steps <= v->n; at = v->up[at], steps++)
			if (before(v, at, first))
				first = at;
		if (at == i)
		{
			v->up[first] = -1;
			v->orphan[first] = true;
		}
	}
	v->norder = 0;
	naive_emit(v, -1, false, 0);
	naive_emit(v, -1, true, 0);
}

static void
test_random(void)
{
	int			round;

	srand(99);
	for (round = 0; round < 20000; round++)
	{
		TraceNode	t[24];
		int32		order[24];
		Naive		v;
		int			ids = 1 + rand() % 24;
		int			i;

		v.n = 1 + rand() % 24;
		v.nodes = t;
		for (i = 0; i < v.n; i++)
		{
			t[i] = node(rand() % (ids + 1), rand() % (ids + 2), rand() % 10);
			t[i].group = rand() % 3 - 1;
			t[i].detached = rand() % 20 == 0;
		}
		naive_order(&v);
		trace_order(t, v.n, order);
		for (i = 0; i < v.n; i++)
			if (v.norder != v.n || order[i] != v.order[i] || t[order[i]].depth != v.depth[i] ||
				t[order[i]].orphan != v.orphan[order[i]] || t[order[i]].up != v.up[order[i]])
			{
				check(false, "differs from the plain implementation");
				return;
			}
	}
}

int
main(void)
{
	test_shapes();
	test_cycles();
	test_repeated_ids();
	test_find();
	test_deep_chain();
	test_random();
	return failures != 0;
}
