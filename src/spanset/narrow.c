/*
 * spanset/narrow.c
 *		Planner support of apm.unnest.
 *
 * A query rarely uses all columns of a span, and the text of descriptions and
 * attributes takes most of the time.  When the planner simplifies a call of
 * apm.unnest in FROM, the query around it is known: the call is replaced by
 * one that reads only the columns that the query refers to.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "spanset/glue.h"
#include "types/rows.h"

#define DEFAULT_SPANS 10

/* Which column of a packed value holds an attribute of apm.span. */
static uint32
column_of(AttrNumber attno)
{
	static const struct
	{
		const char *name;
		uint32		column;
	}			names[] =
	{
		{"trace_id", SPANSET_TRACE_ID}, {"span_id", SPANSET_SPAN_ID},
		{"parent_span_id", SPANSET_LINKS}, {"segment_id", SPANSET_LINKS},
		{"is_segment", SPANSET_LINKS}, {"op", SPANSET_OP},
		{"description", SPANSET_DESCRIPTION}, {"status", SPANSET_STATUS},
		{"start_time", SPANSET_START}, {"duration_ms", SPANSET_DURATION},
		{"self_time_ms", SPANSET_SELF_TIME}, {"category", SPANSET_CATEGORY},
		{"span_group", SPANSET_GROUP}, {"origin", SPANSET_ORIGIN},
		{"attributes", SPANSET_ATTRIBUTES}
	};
	TupleDesc	desc = rows_span_desc();
	int			i;

	if (attno < 1 || attno > desc->natts)
		return SPANSET_ALL;		/* the whole row */
	for (i = 0; i < lengthof(names); i++)
		if (namestrcmp(&TupleDescAttr(desc, attno - 1)->attname, names[i].name) == 0)
			return names[i].column;
	return SPANSET_ALL;
}

typedef struct UsedColumns
{
	PlannerInfo *root;
	FuncExpr   *call;
	int			level;			/* queries that we are in, counted from root->parse */
	bool		found;			/* the call is a function in FROM */
	uint32		columns;
} UsedColumns;

/* Is this entry of the range table our call? */
static bool
is_call(UsedColumns *used, RangeTblEntry *rte)
{
	FuncExpr   *f;

	if (rte->rtekind != RTE_FUNCTION || list_length(rte->functions) != 1 || rte->funcordinality)
		return false;
	f = (FuncExpr *) ((RangeTblFunction *) linitial(rte->functions))->funcexpr;
	return IsA(f, FuncExpr) && f->funcid == used->call->funcid && equal(f->args, used->call->args);
}

/*
 * Collects the columns of the call that a tree refers to.  A variable of a
 * join may stand for any column; such are gone when it matters.
 */
static bool
collect_columns(Node *node, UsedColumns *used)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;
		RangeTblEntry *rte;

		if (var->varlevelsup != used->level || var->varno < 1 ||
			var->varno > list_length(used->root->parse->rtable))
			return false;
		rte = rt_fetch(var->varno, used->root->parse->rtable);
		if (rte->rtekind == RTE_JOIN)
			used->columns = SPANSET_ALL;
		else if (is_call(used, rte))
			used->columns |= column_of(var->varattno);
		return false;
	}
	if (IsA(node, Query))
	{
		bool		stopped;

		used->level++;
		stopped = query_tree_walker((Query *) node, collect_columns, used, QTW_IGNORE_JOINALIASES);
		used->level--;
		return stopped;
	}
	return expression_tree_walker(node, collect_columns, used);
}

/* The columns that the query around a call uses; all, if that cannot be told. */
static uint32
used_columns(PlannerInfo *root, FuncExpr *call)
{
	UsedColumns used = {0};
	ListCell   *lc;

	if (root == NULL || root->parse->commandType != CMD_SELECT || root->parse->rowMarks != NIL)
		return SPANSET_ALL;
	used.root = root;
	used.call = call;
	foreach(lc, root->parse->rtable)
		used.found |= is_call(&used, lfirst_node(RangeTblEntry, lc));
	if (!used.found)
		return SPANSET_ALL;
	(void) query_tree_walker(root->parse, collect_columns, &used, QTW_IGNORE_JOINALIASES);
	(void) collect_columns((Node *) root->append_rel_list, &used);
	return used.columns;
}

/* apm.unnest(spans) or _apm.unnest_columns(spans, columns), made narrower; NULL: it is narrow. */
static Node *
narrow_call(SupportRequestSimplify *req)
{
	FuncExpr   *call = req->fcall;
	uint32		before = SPANSET_ALL;
	uint32		columns;
	Oid			types[2];
	Oid			function;
	List	   *name;
	Const	   *mask;

	if (list_length(call->args) == 2)
	{
		mask = lsecond(call->args);
		if (!IsA(mask, Const) || mask->constisnull)
			return NULL;
		before = (uint32) DatumGetInt32(mask->constvalue);
	}
	columns = used_columns(req->root, call) & before;
	if (columns == before)
		return NULL;
	types[0] = exprType(linitial(call->args));
	types[1] = INT4OID;
	name = list_make2(makeString(pstrdup("_apm")), makeString(pstrdup("unnest_columns")));
	function = LookupFuncName(name, 2, types, true);
	if (!OidIsValid(function))
		return NULL;
	mask = makeConst(INT4OID, -1, InvalidOid, sizeof(int32), Int32GetDatum((int32) columns), false, true);
	call = makeFuncExpr(function, call->funcresulttype, list_make2(linitial(call->args), mask),
						InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	call->funcretset = true;
	return (Node *) call;
}

PG_FUNCTION_INFO_V1(spanset_unnest_support);
Datum
spanset_unnest_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	SupportRequestRows *req;
	Node	   *arg;

	if (IsA(request, SupportRequestSimplify))
		PG_RETURN_POINTER(narrow_call((SupportRequestSimplify *) request));
	if (!IsA(request, SupportRequestRows))
		PG_RETURN_POINTER(NULL);
	req = (SupportRequestRows *) request;
	req->rows = DEFAULT_SPANS;
	if (is_funcclause(req->node))
	{
		arg = linitial(((FuncExpr *) req->node)->args);
		arg = estimate_expression_value(req->root, arg);
		if (IsA(arg, Const) && ((Const *) arg)->constisnull)
			req->rows = 0;
		else if (IsA(arg, Const))
			req->rows = DatumGetInt32(DirectFunctionCall1(spanset_span_count, ((Const *) arg)->constvalue));
	}
	PG_RETURN_POINTER(req);
}

PG_FUNCTION_INFO_V1(spanset_unnest_columns);
Datum
spanset_unnest_columns(PG_FUNCTION_ARGS)
{
	uint32		columns = (uint32) PG_GETARG_INT32(1);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext row_context;
	MemoryContext old;
	SpansetColumns c = {0};
	ApmSpan		span = {0};
	int			i;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "apm.unnest row", ALLOCSET_SMALL_SIZES);
	span.status = APM_STATUS_NULL;
	spanset_open(&c, PG_GETARG_DATUM(0), columns & SPANSET_ALL);
	old = MemoryContextSwitchTo(row_context);
	for (i = 0; i < c.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		spanset_get_wanted(&c, i, columns, &span);
		tuplestore_puttuple(rsinfo->setResult, rows_span(&span));
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row_context);
	spanset_free(&c);
	PG_RETURN_NULL();
}
