/*
 * trace/bounds.c
 *		When a trace was: the days that hold something of it, found by asking
 *		the index of each partition.
 *
 * A query by trace id alone is planned for every partition, which costs many
 * times what it takes to look: the bounds found here let the planner prune.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "partitioning/partdesc.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "trace/bounds.h"

/* Opens the index of a partition that begins with the column; NULL: there is none. */
static Relation
open_index(Relation rel, AttrNumber column)
{
	List	   *indexes = RelationGetIndexList(rel);
	Relation	found = NULL;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisvalid &&
			index->rd_index->indkey.values[0] == column && RelationGetIndexPredicate(index) == NIL)
		{
			found = index;
			break;
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

static void
widen(TraceBounds *bounds, TimestampTz first, TimestampTz last)
{
	bounds->first = bounds->found ? Min(bounds->first, first) : first;
	bounds->last = bounds->found ? Max(bounds->last, last) : last;
	bounds->found = true;
}

/* Rows of the trace in one partition, by its index. */
static void
probe_index(Relation rel, Relation index, Datum trace_id, AttrNumber time_column, TraceBounds *bounds)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Oid			type = index->rd_opcintype[0];
	Oid			equal = get_opfamily_member(index->rd_opfamily[0], type, type, BTEqualStrategyNumber);
	IndexScanDesc scan = apm_index_beginscan(rel, index, GetActiveSnapshot(), 1, 0);
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, get_opcode(equal), trace_id);
	index_rescan(scan, &key, 1, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		time = slot_getattr(slot, time_column, &isnull);

		if (!isnull)
			widen(bounds, DatumGetTimestampTz(time), DatumGetTimestampTz(time));
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* What cannot be asked may hold the trace at any time. */
static void
probe_partition(Oid oid, Datum trace_id, const char *time_column, TraceBounds *bounds)
{
	Relation	rel = table_open(oid, AccessShareLock);
	Relation	index = NULL;
	AttrNumber	time = get_attnum(oid, time_column);

	if (rel->rd_rel->relkind == RELKIND_RELATION && time != InvalidAttrNumber)
		index = open_index(rel, get_attnum(oid, "trace_id"));
	if (index != NULL)
	{
		probe_index(rel, index, trace_id, time, bounds);
		index_close(index, AccessShareLock);
	}
	else
		widen(bounds, DT_NOBEGIN, DT_NOEND);
	table_close(rel, AccessShareLock);
}

TraceBounds
trace_bounds(const char *schema, const char *relation, const char *time_column, Datum trace_id)
{
	TraceBounds bounds = {0};
	Oid			oid = get_relname_relid(relation, get_namespace_oid(schema, false));
	Relation	parent;

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", schema, relation)));
	parent = table_open(oid, AccessShareLock);
	if (parent->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		PartitionDesc desc = RelationGetPartitionDesc(parent, true);
		int			i;

		for (i = 0; i < desc->nparts; i++)
		{
			CHECK_FOR_INTERRUPTS();
			probe_partition(desc->oids[i], trace_id, time_column, &bounds);
		}
	}
	else
		widen(&bounds, DT_NOBEGIN, DT_NOEND);
	/* the lock stays: what was found cannot be dropped before it is read */
	table_close(parent, NoLock);
	return bounds;
}

/* _apm.trace_bounds(trace_id): first and last end of the segments of a trace. */
PG_FUNCTION_INFO_V1(trace_bounds_of_spans);
Datum
trace_bounds_of_spans(PG_FUNCTION_ARGS)
{
	Oid			relation = get_relname_relid("span_batches", get_namespace_oid("_apm", false));
	TraceBounds bounds;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, "span_batches");
	bounds = trace_bounds("_apm", "span_batches", "end_time", PG_GETARG_DATUM(0));
	values[0] = TimestampTzGetDatum(bounds.first);
	values[1] = TimestampTzGetDatum(bounds.last);
	nulls[0] = nulls[1] = !bounds.found;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
