/*
 * alerts/worker.c
 *		The worker of one database: a thin shell over SQL.
 *
 * Each tick is a transaction of its own that calls _apm.worker_tick(), which
 * evaluates the rules that are due and says when the next one will be.  Now
 * and then another transaction calls apm.maintain().  An error of a tick is
 * kept for apm.worker_status and the next tick goes on.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "alerts/shmem.h"
#include "compat.h"
#include "settings.h"

#define MAINTAIN_INTERVAL_MS	60000
#define EXTENSION_RETRY_MS		500 /* somebody is dropping or altering it */
#define SHORTEST_WAIT_MS		100

typedef enum ExtensionState
{
	EXTENSION_PRESENT,
	EXTENSION_ABSENT,
	EXTENSION_BUSY
} ExtensionState;

static WorkerSlot *my_slot = NULL;
static TimestampTz next_maintain = 0;
static char last_logged[WORKER_ERROR_LEN];

/* Leaves the slot; the launcher reads why. */
static void
worker_exit(int code, Datum arg)
{
	alerts_lock(LW_EXCLUSIVE);
	my_slot->pid = 0;
	my_slot->latch = NULL;
	my_slot->busy = false;
	alerts_wake_launcher();
	alerts_unlock();
}

static void
worker_leave(WorkerResult result)
{
	alerts_lock(LW_EXCLUSIVE);
	my_slot->result = result;
	alerts_unlock();
	proc_exit(0);
}

/*
 * Takes the slot that the launcher prepared.  A worker that comes too late,
 * after the launcher was replaced, finds another generation there and goes.
 */
static Oid
worker_claim(int index)
{
	Oid			dboid;
	uint32		generation;
	bool		mine;

	memcpy(&dboid, MyBgworkerEntry->bgw_extra, sizeof(dboid));
	memcpy(&generation, MyBgworkerEntry->bgw_extra + sizeof(dboid), sizeof(generation));

	alerts_lock(LW_EXCLUSIVE);
	my_slot = &alerts_shared->slots[index];
	mine = my_slot->dboid == dboid && my_slot->generation == generation && my_slot->pid == 0;
	if (mine)
	{
		my_slot->pid = MyProcPid;
		my_slot->latch = MyLatch;
		my_slot->started_at = GetCurrentTimestamp();
		my_slot->result = my_slot->stop ? WORKER_STOPPED : WORKER_FAILED;
	}
	alerts_unlock();
	if (!mine)
		proc_exit(0);
	before_shmem_exit(worker_exit, (Datum) 0);
	if (my_slot->stop)
		proc_exit(0);
	return dboid;
}

/* Notes an error for apm.worker_status, and logs it unless it just was. */
static void
worker_note_error(const ErrorData *error)
{
	alerts_lock(LW_EXCLUSIVE);
	strlcpy(my_slot->last_error, error->message ? error->message : "", WORKER_ERROR_LEN);
	my_slot->last_error_at = GetCurrentTimestamp();
	alerts_unlock();

	if (strcmp(last_logged, my_slot->last_error) == 0)
		return;
	strlcpy(last_logged, my_slot->last_error, WORKER_ERROR_LEN);
	ereport(LOG,
			errmsg("pg_apm worker could not finish its round: %s", last_logged),
			error->hint ? errhint("%s", error->hint) : 0);
}

/*
 * Locks the extension against being dropped under our feet, without waiting:
 * a DROP EXTENSION that is under way must not wait for us either.
 */
static ExtensionState
worker_lock_extension(void)
{
	LOCKTAG		tag;
	Oid			extension = get_extension_oid("pg_apm", true);

	if (!OidIsValid(extension))
		return EXTENSION_ABSENT;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, 0);
	if (LockAcquire(&tag, AccessShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return EXTENSION_BUSY;
	AcceptInvalidationMessages();
	return get_extension_oid("pg_apm", true) == extension ? EXTENSION_PRESENT : EXTENSION_ABSENT;
}

/* From now on an interrupt finds a query; false: we are asked to leave. */
static bool
worker_begin_busy(void)
{
	bool		go_on;

	alerts_lock(LW_EXCLUSIVE);
	go_on = !my_slot->stop;
	my_slot->busy = go_on;
	my_slot->tick = false;
	alerts_unlock();
	return go_on;
}

static void
worker_end_busy(bool finished)
{
	alerts_lock(LW_EXCLUSIVE);
	my_slot->busy = false;
	if (finished)
		my_slot->last_tick = GetCurrentTimestamp();
	alerts_unlock();
}

/*
 * Runs one statement in a transaction of its own and reads its first column
 * as a time.  *result stays as it is when that is NULL.
 */
static ExtensionState
worker_run(const char *sql, TimestampTz *result)
{
	ExtensionState extension;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	extension = worker_lock_extension();
	if (extension == EXTENSION_PRESENT)
	{
		bool		isnull;
		Datum		value;

		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		PushActiveSnapshot(GetTransactionSnapshot());
		pgstat_report_activity(STATE_RUNNING, sql);
		if (SPI_execute(sql, false, 0) == SPI_OK_SELECT && SPI_processed == 1 && result != NULL)
		{
			value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
			if (!isnull)
				*result = DatumGetTimestampTz(value);
		}
		SPI_finish();
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	return extension;
}

/* As worker_run, but an error is noted and does not go further. */
static ExtensionState
worker_try(const char *sql, TimestampTz *result)
{
	MemoryContext context = CurrentMemoryContext;
	volatile ExtensionState extension = EXTENSION_PRESENT;
	volatile bool finished = false;

	if (!worker_begin_busy())
		worker_leave(WORKER_STOPPED);
	PG_TRY();
	{
		extension = worker_run(sql, result);
		finished = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		HOLD_INTERRUPTS();
		AbortCurrentTransaction();
		pgstat_report_activity(STATE_IDLE, NULL);
		RESUME_INTERRUPTS();
		if (!my_slot->stop)
			worker_note_error(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	worker_end_busy(finished && extension == EXTENSION_PRESENT);
	if (extension == EXTENSION_ABSENT)
		worker_leave(WORKER_ABSENT);
	return extension;
}

/* One round.  Returns when the next one should be. */
static TimestampTz
worker_round(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = TimestampTzPlusMilliseconds(now, apm_worker_interval_ms);
	TimestampTz due = next;
	ExtensionState extension;

	extension = worker_try("SELECT _apm.worker_tick()", &due);
	if (extension == EXTENSION_BUSY)
		return TimestampTzPlusMilliseconds(now, EXTENSION_RETRY_MS);
	if (now >= next_maintain)
	{
		next_maintain = TimestampTzPlusMilliseconds(now, MAINTAIN_INTERVAL_MS);
		(void) worker_try("SELECT _apm.worker_maintain()", NULL);
	}
	if (due < next)
		next = due;
	return Max(next, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SHORTEST_WAIT_MS));
}

/* Somebody who needs the database for himself may have been faster. */
static void
worker_check_held(Oid dboid)
{
	bool		held;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	held = alerts_database_held(dboid);
	CommitTransactionCommand();
	if (held)
		worker_leave(WORKER_STOPPED);
}

void
alerts_worker_main(Datum arg)
{
	Oid			dboid;
	TimestampTz next = 0;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	dboid = worker_claim(DatumGetInt32(arg));
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(dboid, InvalidOid, 0);
	worker_check_held(dboid);

	for (;;)
	{
		TimestampTz now;

		ResetLatch(MyLatch);
		if (my_slot->stop)
			worker_leave(WORKER_STOPPED);
		/* a plain end of the server is no news for the log */
		if (ProcDiePending)
			proc_exit(0);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			next = 0;
		}
		now = GetCurrentTimestamp();
		if (now >= next || my_slot->tick)
		{
			next = worker_round();
			continue;
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 TimestampDifferenceMilliseconds(now, next) + 1,
						 PG_WAIT_EXTENSION);
	}
}
