/*
 * alerts/shmem.c
 *		Shared memory between the launcher, the workers and sessions.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "alerts/shmem.h"
#include "settings.h"

#define TRANCHE_NAME "pg_apm"

/* Tells our lock tags from advisory locks of users (1, 2) and of others. */
#define DATABASE_LOCK_CLASS 0x4150

AlertsShared *alerts_shared = NULL;
static LWLock *shared_lock = NULL;

/*
 * There cannot be more workers than background workers; some slots more are
 * for databases that wait for one, so that worker_status can say so there.
 */
#define WAITING_SLOTS 128

static int
count_slots(void)
{
	return max_worker_processes + WAITING_SLOTS;
}

static Size
shared_size(void)
{
	return add_size(offsetof(AlertsShared, slots),
					mul_size(count_slots(), sizeof(WorkerSlot)));
}

void
alerts_request_shmem(void)
{
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

void
alerts_attach_shmem(void)
{
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	alerts_shared = ShmemInitStruct("pg_apm workers", shared_size(), &found);
	if (!found)
	{
		memset(alerts_shared, 0, shared_size());
		alerts_shared->nslots = count_slots();
	}
	shared_lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
	LWLockRelease(AddinShmemInitLock);
}

void
alerts_lock(LWLockMode mode)
{
	LWLockAcquire(shared_lock, mode);
}

void
alerts_unlock(void)
{
	LWLockRelease(shared_lock);
}

WorkerSlot *
alerts_find_slot(Oid dboid)
{
	int			i;

	for (i = 0; i < alerts_shared->nslots; i++)
		if (alerts_shared->slots[i].dboid == dboid)
			return &alerts_shared->slots[i];
	return NULL;
}

/*
 * A worker in the middle of a query is interrupted, so that whoever waits for
 * its end does not wait for a slow rule.  The signal is sent with the lock
 * held: the worker takes its pid away under the same lock.
 */
void
alerts_ask_to_stop(WorkerSlot *slot)
{
	slot->stop = true;
	if (slot->pid == 0)
		return;
	SetLatch(slot->latch);
	if (slot->busy)
		kill(slot->pid, SIGINT);
}

void
alerts_wake_launcher(void)
{
	if (alerts_shared->launcher_pid != 0)
		SetLatch(alerts_shared->launcher_latch);
}

void
alerts_wake_database(Oid dboid)
{
	WorkerSlot *slot;

	if (alerts_shared == NULL)
		return;
	alerts_lock(LW_EXCLUSIVE);
	slot = alerts_find_slot(dboid);
	if (slot != NULL)
	{
		/* a worker that is just leaving for want of the extension is sent back */
		slot->tick = true;
		if (slot->pid != 0)
			SetLatch(slot->latch);
	}
	if (slot == NULL || slot->pid == 0)
	{
		if (alerts_shared->nwake < WAKE_REQUESTS)
			alerts_shared->wake[alerts_shared->nwake++] = dboid;
		else
			alerts_shared->wake_all = true;
		alerts_wake_launcher();
	}
	alerts_unlock();
}

void
alerts_hold_database(Oid dboid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, dboid, 0, 0, DATABASE_LOCK_CLASS);
	(void) LockAcquire(&tag, ShareLock, false, false);
}

/* The lock is taken for a moment only, in a mode that disturbs no other test. */
bool
alerts_database_held(Oid dboid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, dboid, 0, 0, DATABASE_LOCK_CLASS);
	if (LockAcquire(&tag, RowExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, RowExclusiveLock, false);
	return false;
}

/* The check hook of the setting has refused lists that cannot be split. */
bool
alerts_database_listed(const char *name)
{
	char	   *copy = pstrdup(apm_databases);
	List	   *names = NIL;
	ListCell   *lc;
	bool		listed = false;

	if (SplitGUCList(copy, ',', &names))
		foreach(lc, names)
		{
			const char *word = lfirst(lc);

			if (strcmp(word, "*") == 0 || strcmp(word, name) == 0)
				listed = true;
		}
	list_free(names);
	pfree(copy);
	return listed;
}
