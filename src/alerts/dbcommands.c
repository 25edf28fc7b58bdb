/*
 * alerts/dbcommands.c
 *		Commands that need a database for themselves.
 *
 * DROP DATABASE, a rename, a move to another tablespace and use as a template
 * are refused while anybody is connected to the database.  A connected worker
 * must not be the reason: before such a command runs, its database's worker is
 * asked to leave, and a lock of the command's transaction keeps it away until
 * the command has ended, failed, or died with its session.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"

#include "alerts/shmem.h"
#include "compat.h"

#define HOLD_POLL_MS		20
#define HOLD_REPEAT_MS		1000	/* interrupt again: a rule may have begun */
#define HOLD_TIMEOUT_MS		10000

static ProcessUtility_hook_type previous_process_utility = NULL;
static bool wake_launcher_at_end = false;

/* The value of an option of CREATE or ALTER DATABASE, or NULL. */
static const char *
option_value(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

/* May the current user copy this database?  As createdb() decides. */
static bool
may_copy(Oid dboid)
{
	HeapTuple	role;
	HeapTuple	database;
	bool		createdb = false;
	bool		template = false;

	role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (HeapTupleIsValid(role))
	{
		createdb = ((Form_pg_authid) GETSTRUCT(role))->rolcreatedb;
		ReleaseSysCache(role);
	}
	database = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(dboid));
	if (HeapTupleIsValid(database))
	{
		template = ((Form_pg_database) GETSTRUCT(database))->datistemplate;
		ReleaseSysCache(database);
	}
	return createdb && (template || apm_database_ownercheck(dboid, GetUserId()));
}

/*
 * The database whose worker must go for this statement, or InvalidOid.  A
 * statement that will be refused for lack of rights moves nobody.
 */
static Oid
database_wanted_alone(Node *stmt)
{
	const char *name = NULL;
	bool		copy = false;
	Oid			dboid;

	if (IsA(stmt, DropdbStmt))
		name = ((DropdbStmt *) stmt)->dbname;
	else if (IsA(stmt, RenameStmt) && ((RenameStmt *) stmt)->renameType == OBJECT_DATABASE)
		name = ((RenameStmt *) stmt)->subname;
	else if (IsA(stmt, AlterDatabaseStmt))
	{
		if (option_value(((AlterDatabaseStmt *) stmt)->options, "tablespace") != NULL)
			name = ((AlterDatabaseStmt *) stmt)->dbname;
	}
	else if (IsA(stmt, CreatedbStmt))
	{
		name = option_value(((CreatedbStmt *) stmt)->options, "template");
		if (name == NULL)
			name = "template1";
		copy = true;
	}

	if (name == NULL)
		return InvalidOid;
	dboid = get_database_oid(name, true);
	if (!OidIsValid(dboid) || superuser())
		return dboid;
	if (copy ? may_copy(dboid) : apm_database_ownercheck(dboid, GetUserId()))
		return dboid;
	return InvalidOid;
}

/* Asks the database's worker to leave, if it has one; false when it has none. */
static bool
has_worker(Oid dboid, bool ask)
{
	WorkerSlot *slot;
	bool		present;

	alerts_lock(LW_EXCLUSIVE);
	slot = alerts_find_slot(dboid);
	present = slot != NULL && slot->pid != 0;
	if (slot != NULL && ask)
		alerts_ask_to_stop(slot);
	alerts_unlock();
	return present;
}

/*
 * Keeps new workers away until the transaction ends, and makes the one that is
 * there leave.  The wait is bounded: if the worker does not leave, the command
 * itself reports who is connected.
 */
static void
hold_database(Oid dboid)
{
	int			waited;

	wake_launcher_at_end = true;
	alerts_hold_database(dboid);
	for (waited = 0; waited < HOLD_TIMEOUT_MS; waited += HOLD_POLL_MS)
	{
		if (!has_worker(dboid, waited % HOLD_REPEAT_MS == 0))
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 HOLD_POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Locks are released a moment after this runs; a launcher that is faster finds
 * the database held and looks again soon.
 */
static void
wake_at_end(XactEvent event, void *arg)
{
	if (!wake_launcher_at_end ||
		(event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
		return;
	wake_launcher_at_end = false;
	alerts_lock(LW_SHARED);
	alerts_wake_launcher();
	alerts_unlock();
}

/*
 * Will the server run this statement here?  All but a rename refuse to run in
 * a transaction block or a function.
 */
static bool
may_run(Node *stmt, ProcessUtilityContext context)
{
	if (IsAbortedTransactionBlockState())
		return false;
	if (IsA(stmt, RenameStmt))
		return context != PROCESS_UTILITY_SUBCOMMAND;
	return (IsA(stmt, DropdbStmt) || IsA(stmt, AlterDatabaseStmt) || IsA(stmt, CreatedbStmt)) &&
		context == PROCESS_UTILITY_TOPLEVEL && !IsTransactionBlock();
}

static void
follow_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			   ProcessUtilityContext context, ParamListInfo params,
			   QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	Node	   *stmt = pstmt->utilityStmt;

	if (may_run(stmt, context) && !RecoveryInProgress())
	{
		Oid			dboid = database_wanted_alone(stmt);

		if (OidIsValid(dboid))
			hold_database(dboid);
	}

	if (previous_process_utility != NULL)
		previous_process_utility(pstmt, query, read_only_tree, context, params, env, dest, qc);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest, qc);
}

void
alerts_follow_database_commands(void)
{
	previous_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = follow_utility;
	RegisterXactCallback(wake_at_end, NULL);
}
