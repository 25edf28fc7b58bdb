/*
 * alerts/atcommit.c
 *		What a transaction wants done once it has committed: a look at the
 *		rules by the worker, lines in the server log about incidents, and the
 *		notice of CREATE EXTENSION that there is no worker.
 *
 * A log line about an incident that was rolled back would be a lie, so lines
 * wait for the commit, and those of a subtransaction that failed are dropped.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "alerts/shmem.h"

typedef struct LogLine
{
	slist_node	node;
	SubTransactionId subid;
	char		text[FLEXIBLE_ARRAY_MEMBER];
} LogLine;

/* Newest first; memory of TopTransactionContext. */
static slist_head log_lines = SLIST_STATIC_INIT(log_lines);
static bool wake_worker = false;
static bool say_no_worker = false;
static bool callbacks_registered = false;

/* Prints the oldest line first: the list is the other way round. */
static void
print_lines(void)
{
	slist_head	oldest_first;
	slist_mutable_iter iter;

	slist_init(&oldest_first);
	slist_foreach_modify(iter, &log_lines)
	{
		slist_node *node = iter.cur;

		slist_delete_current(&iter);
		slist_push_head(&oldest_first, node);
	}
	slist_foreach_modify(iter, &oldest_first)
	{
		LogLine    *line = slist_container(LogLine, node, iter.cur);

		ereport(LOG,
				errmsg_internal("%s", line->text),
				errhidestmt(true),
				errhidecontext(true));
	}
}

static void
transaction_ended(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			/* the extension may have gone with a savepoint */
			if (say_no_worker && OidIsValid(get_extension_oid("pg_apm", true)))
				alerts_say_no_worker();
			return;
		case XACT_EVENT_COMMIT:
			print_lines();
			if (wake_worker)
				alerts_wake_database(MyDatabaseId);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	slist_init(&log_lines);
	wake_worker = false;
	say_no_worker = false;
}

static void
subtransaction_ended(SubXactEvent event, SubTransactionId subid,
					 SubTransactionId parent, void *arg)
{
	slist_mutable_iter iter;

	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	slist_foreach_modify(iter, &log_lines)
		if (slist_container(LogLine, node, iter.cur)->subid >= subid)
		slist_delete_current(&iter);
}

static void
register_callbacks(void)
{
	if (callbacks_registered)
		return;
	RegisterXactCallback(transaction_ended, NULL);
	RegisterSubXactCallback(subtransaction_ended, NULL);
	callbacks_registered = true;
}

/* _apm.log_at_commit(line): a line in the server log if this commits. */
PG_FUNCTION_INFO_V1(alerts_log_at_commit);
Datum
alerts_log_at_commit(PG_FUNCTION_ARGS)
{
	char	   *message = text_to_cstring(PG_GETARG_TEXT_PP(0));
	LogLine    *line;

	line = MemoryContextAlloc(TopTransactionContext,
							  offsetof(LogLine, text) + strlen(message) + 1);
	line->subid = GetCurrentSubTransactionId();
	strcpy(line->text, message);
	register_callbacks();
	slist_push_head(&log_lines, &line->node);
	PG_RETURN_VOID();
}

/* _apm.wake_worker(): a look at the rules as soon as this commits. */
PG_FUNCTION_INFO_V1(alerts_wake_worker);
Datum
alerts_wake_worker(PG_FUNCTION_ARGS)
{
	register_callbacks();
	wake_worker = true;
	PG_RETURN_VOID();
}

/* _apm.notice_no_worker(at_commit): a notice if rules wait for nobody. */
PG_FUNCTION_INFO_V1(alerts_notice_no_worker);
Datum
alerts_notice_no_worker(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_BOOL(0))
	{
		register_callbacks();
		say_no_worker = true;
	}
	else
		alerts_say_no_worker();
	PG_RETURN_VOID();
}
