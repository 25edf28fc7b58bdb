/*
 * store/commit_order.c
 *		Marks stored rows with the transaction that stores them.
 *
 * apm.transactions and _apm.span_batches have a generated column of this mark:
 * nobody can write it, COPY and plain INSERT fill it, and a dump leaves it out,
 * so that restored rows get marks that mean something where they are.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"

#include "store/commit_order.h"

PG_FUNCTION_INFO_V1(storing_xid);
PG_FUNCTION_INFO_V1(store_as_rolled);
PG_FUNCTION_INFO_V1(stores_as_rolled);
PG_FUNCTION_INFO_V1(system_identifier);

/* Nesting level at which the mark was overridden; 0: it is not. */
static int	override_level = 0;
static uint64 override_xid;

static void
end_override(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PARALLEL_PRE_COMMIT &&
		event != XACT_EVENT_PRE_PREPARE)
		override_level = 0;
}

/* What a subtransaction began ends with its rollback, else passes to its parent. */
static void
end_sub_override(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (override_level < level)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		override_level = 0;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		override_level = level - 1;
}

void
store_set_storing_xid(uint64 xid)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(end_override, NULL);
		RegisterSubXactCallback(end_sub_override, NULL);
		registered = true;
	}
	override_xid = xid;
	if (override_level == 0)
		override_level = GetCurrentTransactionNestLevel();
}

void
store_reset_storing_xid(void)
{
	override_level = 0;
}

bool
store_storing_xid_is_set(void)
{
	return override_level > 0;
}

/* The top transaction's id, 64 bits wide: subtransactions end with it. */
Datum
storing_xid(PG_FUNCTION_ARGS)
{
	if (override_level > 0)
		PG_RETURN_INT64((int64) override_xid);
	PG_RETURN_INT64((int64) U64FromFullTransactionId(GetTopFullTransactionId()));
}

Datum
store_as_rolled(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_BOOL(0))
		store_set_storing_xid(STORE_XID_ROLLED);
	else
		store_reset_storing_xid();
	PG_RETURN_VOID();
}

Datum
stores_as_rolled(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(store_storing_xid_is_set());
}

/* Transaction ids of another cluster mean nothing here. */
Datum
system_identifier(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) GetSystemIdentifier());
}
