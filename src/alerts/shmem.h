/*
 * alerts/shmem.h
 *		Shared memory between the launcher, the workers and sessions.
 *
 * There is one slot for each database that has, or is about to get, a worker.
 * The launcher hands slots out and takes them back; a worker writes only to
 * the slot it was started for, and sessions set the request flags.  Plain
 * data only: latches point into shared memory themselves.
 */
#ifndef PG_APM_ALERTS_SHMEM_H
#define PG_APM_ALERTS_SHMEM_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#define WORKER_ERROR_LEN	256
#define WAKE_REQUESTS		16

/* How a worker ended; read by the launcher. */
typedef enum WorkerResult
{
	WORKER_FAILED,				/* anything unforeseen: try again later */
	WORKER_ABSENT,				/* the database does not have the extension */
	WORKER_STOPPED				/* was asked to go: may come back at once */
} WorkerResult;

typedef struct WorkerSlot
{
	Oid			dboid;			/* InvalidOid: the slot is free */
	uint32		generation;		/* of the worker that may claim the slot */
	pid_t		pid;			/* 0: no worker, or not yet */
	Latch	   *latch;			/* the worker's, while pid is set */
	bool		stop;			/* please exit */
	bool		tick;			/* please look at the rules now */
	bool		busy;			/* in a tick, so an interrupt finds a query */
	WorkerResult result;
	TimestampTz started_at;
	TimestampTz last_tick;		/* 0: none yet */
	TimestampTz last_error_at;	/* 0: none */
	char		last_error[WORKER_ERROR_LEN];
} WorkerSlot;

typedef struct AlertsShared
{
	pid_t		launcher_pid;	/* 0: none */
	Latch	   *launcher_latch;
	int			nwake;			/* databases in which the extension was created */
	Oid			wake[WAKE_REQUESTS];
	bool		wake_all;		/* there were more */
	int			nslots;
	WorkerSlot	slots[FLEXIBLE_ARRAY_MEMBER];
} AlertsShared;

/* NULL when the library was not preloaded. */
extern AlertsShared *alerts_shared;

extern void alerts_request_shmem(void);
extern void alerts_attach_shmem(void);
extern void alerts_lock(LWLockMode mode);
extern void alerts_unlock(void);

/* With the lock held. */
extern WorkerSlot *alerts_find_slot(Oid dboid);
extern void alerts_ask_to_stop(WorkerSlot *slot);
extern void alerts_wake_launcher(void);

/* A database's worker, or the launcher if it has none, should look now. */
extern void alerts_wake_database(Oid dboid);

/*
 * Commands that need a database for themselves hold a lock on its name here
 * until their transaction ends, however it ends.  While it is held no worker
 * starts, and one that just has leaves again.
 */
extern void alerts_hold_database(Oid dboid);
extern bool alerts_database_held(Oid dboid);

/* Is the database in the setting pg_apm.databases? */
extern bool alerts_database_listed(const char *name);

/* status.c: a NOTICE if this database has no worker and will get none. */
extern void alerts_say_no_worker(void);

/* dbcommands.c */
extern void alerts_follow_database_commands(void);

/* launcher.c, worker.c: entry points */
extern PGDLLEXPORT void alerts_launcher_main(Datum arg);
extern PGDLLEXPORT void alerts_worker_main(Datum arg);

#endif							/* PG_APM_ALERTS_SHMEM_H */
