/*
 * alerts/launcher.c
 *		The launcher: one for the server, starts a worker for each database
 *		that has the extension.
 *
 * It is connected to no database and cannot see which of them have the
 * extension, so it starts a worker in each; a worker that finds none leaves
 * at once, and the launcher looks there again when CREATE EXTENSION says so,
 * or after a long while.  README.md in this directory has the whole story.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "alerts/alerts.h"
#include "alerts/shmem.h"
#include "settings.h"

#define RESTART_SECONDS			5
#define ABSENT_RECHECK_MS		300000	/* nobody said that the extension came */
#define HELD_RECHECK_MS			200 /* a command wants the database for itself */
#define NO_WORKER_RECHECK_MS	10000
#define BACKOFF_FIRST_MS		1000
#define BACKOFF_MAX_MS			300000
#define HEALTHY_MS				60000	/* lived so long: the next failure is the first */

/* What the launcher knows of a database; entries live as long as those do. */
typedef struct Known
{
	Oid			dboid;
	char		name[NAMEDATALEN];
	bool		wanted;			/* exists, can be served and is listed */
	bool		active;			/* has a slot whose worker starts or runs */
	uint32		generation;
	BackgroundWorkerHandle *handle; /* NULL: of a launcher before this one */
	TimestampTz next_start;
	TimestampTz started_at;
	int			failures;
} Known;

/* A list, since scans of a hash table do not outlive a transaction. */
static List *known_databases = NIL;
static shmem_request_hook_type previous_shmem_request = NULL;
static shmem_startup_hook_type previous_shmem_startup = NULL;

static void
request_shmem(void)
{
	if (previous_shmem_request != NULL)
		previous_shmem_request();
	alerts_request_shmem();
}

static void
startup_shmem(void)
{
	if (previous_shmem_startup != NULL)
		previous_shmem_startup();
	alerts_attach_shmem();
}

void
alerts_register_launcher(void)
{
	BackgroundWorker worker;

	if (IsBinaryUpgrade)
		return;
	previous_shmem_request = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
	alerts_follow_database_commands();

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	strlcpy(worker.bgw_library_name, "pg_apm", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "alerts_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "pg_apm launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "pg_apm launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}

static void
launcher_exit(int code, Datum arg)
{
	alerts_lock(LW_EXCLUSIVE);
	if (alerts_shared->launcher_pid == MyProcPid)
	{
		alerts_shared->launcher_pid = 0;
		alerts_shared->launcher_latch = NULL;
	}
	alerts_unlock();
}

static Known *
find_known(Oid dboid)
{
	ListCell   *lc;

	foreach(lc, known_databases)
	{
		Known	   *known = lfirst(lc);

		if (known->dboid == dboid)
			return known;
	}
	return NULL;
}

static Known *
know(Oid dboid)
{
	Known	   *known = find_known(dboid);

	if (known == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		known = palloc0(sizeof(Known));
		known->dboid = dboid;
		known_databases = lappend(known_databases, known);
		MemoryContextSwitchTo(old);
	}
	return known;
}

/*
 * Takes the shared state over from a launcher before this one.  Workers that
 * run go on; one that has not claimed its slot yet will find it changed.
 */
static void
adopt_slots(void)
{
	int			i;

	alerts_lock(LW_EXCLUSIVE);
	alerts_shared->launcher_pid = MyProcPid;
	alerts_shared->launcher_latch = MyLatch;
	for (i = 0; i < alerts_shared->nslots; i++)
	{
		WorkerSlot *slot = &alerts_shared->slots[i];

		if (!OidIsValid(slot->dboid))
			continue;
		if (slot->pid != 0)
		{
			Known	   *known = know(slot->dboid);

			known->active = true;
			known->generation = slot->generation;
			known->started_at = slot->started_at;
		}
		else
		{
			slot->generation++;
			slot->dboid = InvalidOid;
		}
	}
	alerts_unlock();
}

/*
 * Marks which databases are to be served: those that exist, accept
 * connections, are no templates and are listed in pg_apm.databases.
 */
static void
read_databases(void)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	Known	   *known;
	ListCell   *lc;

	foreach(lc, known_databases)
		((Known *) lfirst(lc))->wanted = false;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		/* below -1: a DROP DATABASE that was cut short */
		if (!database->datallowconn || database->datistemplate ||
			database->datconnlimit < -1 ||
			!alerts_database_listed(NameStr(database->datname)))
			continue;
		known = know(database->oid);
		known->wanted = true;
		strlcpy(known->name, NameStr(database->datname), NAMEDATALEN);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
}

/* CREATE EXTENSION ran there: look at once. */
static void
read_wake_requests(void)
{
	ListCell   *lc;
	int			i;

	alerts_lock(LW_EXCLUSIVE);
	for (i = 0; i < alerts_shared->nwake; i++)
	{
		Known	   *known = find_known(alerts_shared->wake[i]);

		if (known != NULL)
			known->next_start = 0;
	}
	if (alerts_shared->wake_all)
		foreach(lc, known_databases)
			((Known *) lfirst(lc))->next_start = 0;
	alerts_shared->nwake = 0;
	alerts_shared->wake_all = false;
	alerts_unlock();
}

/* Sees how a worker ended, and when to try again. */
static void
note_end(Known *known, TimestampTz now)
{
	WorkerSlot *slot;
	WorkerResult result = WORKER_FAILED;
	int			delay = BACKOFF_FIRST_MS;

	alerts_lock(LW_EXCLUSIVE);
	slot = alerts_find_slot(known->dboid);
	if (slot != NULL && slot->generation == known->generation)
	{
		result = slot->result;
		/* the extension was created after the worker had looked for it */
		if (result == WORKER_ABSENT && slot->tick)
			result = WORKER_STOPPED;
		/* the last error stays readable unless there is nothing to serve */
		if (result == WORKER_ABSENT || !known->wanted)
			slot->dboid = InvalidOid;
	}
	alerts_unlock();

	known->active = false;
	if (known->handle != NULL)
		pfree(known->handle);
	known->handle = NULL;

	if (result == WORKER_FAILED)
	{
		if (TimestampDifferenceExceeds(known->started_at, now, HEALTHY_MS))
			known->failures = 0;
		if (known->failures < 16)
			known->failures++;
		delay = Min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS << (known->failures - 1));
	}
	else
		known->failures = 0;
	if (result == WORKER_STOPPED)
		delay = 0;
	if (result == WORKER_ABSENT)
		delay = ABSENT_RECHECK_MS;
	known->next_start = TimestampTzPlusMilliseconds(now, delay);
}

/* Has the worker of an active database ended? */
static bool
has_ended(const Known *known)
{
	WorkerSlot *slot;
	bool		gone;
	pid_t		pid;

	if (known->handle != NULL)
		return GetBackgroundWorkerPid(known->handle, &pid) == BGWH_STOPPED;
	alerts_lock(LW_SHARED);
	slot = alerts_find_slot(known->dboid);
	gone = slot == NULL || slot->generation != known->generation || slot->pid == 0;
	alerts_unlock();
	return gone;
}

/* Does a command hold the database for itself? */
static bool
is_held(Oid dboid)
{
	bool		held;

	StartTransactionCommand();
	held = alerts_database_held(dboid);
	CommitTransactionCommand();
	return held;
}

/* Prepares a slot; -1 if all are taken. */
static int
prepare_slot(Known *known)
{
	WorkerSlot *slot;
	int			index = -1;

	alerts_lock(LW_EXCLUSIVE);
	slot = alerts_find_slot(known->dboid);
	if (slot == NULL)
	{
		slot = alerts_find_slot(InvalidOid);
		if (slot != NULL)
		{
			slot->last_tick = slot->last_error_at = 0;
			slot->last_error[0] = '\0';
		}
	}
	if (slot != NULL)
	{
		slot->dboid = known->dboid;
		slot->generation++;
		slot->pid = 0;
		slot->latch = NULL;
		slot->stop = slot->tick = slot->busy = false;
		slot->result = WORKER_FAILED;
		known->generation = slot->generation;
		index = slot - alerts_shared->slots;
	}
	alerts_unlock();
	return index;
}

static void
release_slot(Oid dboid)
{
	WorkerSlot *slot;

	alerts_lock(LW_EXCLUSIVE);
	slot = alerts_find_slot(dboid);
	if (slot != NULL)
		slot->dboid = InvalidOid;
	alerts_unlock();
}

static void
stop_worker(Oid dboid)
{
	WorkerSlot *slot;

	alerts_lock(LW_EXCLUSIVE);
	slot = alerts_find_slot(dboid);
	if (slot != NULL)
		alerts_ask_to_stop(slot);
	alerts_unlock();
}

/* Says that max_worker_processes is too low: in worker_status, at times in the log. */
static void
complain_no_slot(const Known *known, int index, TimestampTz now)
{
	static TimestampTz last_complaint = 0;

	if (index >= 0)
	{
		WorkerSlot *slot = &alerts_shared->slots[index];

		alerts_lock(LW_EXCLUSIVE);
		strlcpy(slot->last_error, "out of background worker slots: increase max_worker_processes",
				WORKER_ERROR_LEN);
		slot->last_error_at = now;
		alerts_unlock();
	}
	if (!TimestampDifferenceExceeds(last_complaint, now, ABSENT_RECHECK_MS))
		return;
	last_complaint = now;
	ereport(LOG,
			errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			errmsg("out of background worker slots for the pg_apm worker of database \"%s\"", known->name),
			errhint("Increase max_worker_processes, or name fewer databases in pg_apm.databases."));
}

static void
start_worker(Known *known, TimestampTz now)
{
	BackgroundWorker worker;
	MemoryContext old;
	int			index;
	bool		started = false;

	if (is_held(known->dboid))
	{
		known->next_start = TimestampTzPlusMilliseconds(now, HELD_RECHECK_MS);
		return;
	}
	index = prepare_slot(known);
	if (index >= 0)
	{
		memset(&worker, 0, sizeof(worker));
		worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
		worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
		worker.bgw_restart_time = BGW_NEVER_RESTART;
		strlcpy(worker.bgw_library_name, "pg_apm", sizeof(worker.bgw_library_name));
		strlcpy(worker.bgw_function_name, "alerts_worker_main", sizeof(worker.bgw_function_name));
		snprintf(worker.bgw_name, sizeof(worker.bgw_name), "pg_apm worker for database \"%s\"", known->name);
		strlcpy(worker.bgw_type, "pg_apm worker", sizeof(worker.bgw_type));
		worker.bgw_main_arg = Int32GetDatum(index);
		memcpy(worker.bgw_extra, &known->dboid, sizeof(Oid));
		memcpy(worker.bgw_extra + sizeof(Oid), &known->generation, sizeof(uint32));
		worker.bgw_notify_pid = MyProcPid;

		old = MemoryContextSwitchTo(TopMemoryContext);
		started = RegisterDynamicBackgroundWorker(&worker, &known->handle);
		MemoryContextSwitchTo(old);
	}
	if (started)
	{
		known->active = true;
		known->started_at = now;
		return;
	}
	known->handle = NULL;
	known->next_start = TimestampTzPlusMilliseconds(now, NO_WORKER_RECHECK_MS);
	complain_no_slot(known, index, now);
}

/*
 * Makes the workers be what they should.  Returns when to look again.
 */
static TimestampTz
reconcile(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = TimestampTzPlusMilliseconds(now, apm_worker_interval_ms);
	ListCell   *lc;

	foreach(lc, known_databases)
	{
		Known	   *known = lfirst(lc);

		if (known->active && has_ended(known))
			note_end(known, now);
		if (!known->wanted)
		{
			if (!known->active)
			{
				release_slot(known->dboid);
				known_databases = foreach_delete_current(known_databases, lc);
				pfree(known);
			}
			else
				stop_worker(known->dboid);
			continue;
		}
		if (known->active)
			continue;
		if (known->next_start <= now)
			start_worker(known, now);
		if (!known->active && known->next_start < next)
			next = known->next_start;
	}
	return next;
}

void
alerts_launcher_main(Datum arg)
{
	MemoryContext context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	context = AllocSetContextCreate(TopMemoryContext, "pg_apm launcher", ALLOCSET_DEFAULT_SIZES);
	before_shmem_exit(launcher_exit, (Datum) 0);
	adopt_slots();

	for (;;)
	{
		TimestampTz next;

		ResetLatch(MyLatch);
		/* a plain end of the server is no news for the log */
		if (ProcDiePending)
			proc_exit(1);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		MemoryContextSwitchTo(context);
		read_databases();
		read_wake_requests();
		next = reconcile();
		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextReset(context);
		pgstat_report_activity(STATE_IDLE, NULL);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next) + 1,
						 PG_WAIT_EXTENSION);
	}
}
