/*
 * store/commit_order.h
 *		The mark that says when a row was stored, in the order of transactions.
 *
 * Rollups hold every row whose mark lies below a bound.  The bound is a
 * snapshot's xmin: every transaction below it has ended, so that no row with a
 * lower mark can appear later.
 */
#ifndef PG_APM_COMMIT_ORDER_H
#define PG_APM_COMMIT_ORDER_H

#include "postgres.h"

/* Mark of rows that were rolled up before they were stored again. */
#define STORE_XID_ROLLED	((uint64) 0)

/*
 * Rows that the current transaction stores from now on are marked with xid,
 * and what it updates and deletes marks no hour as stale.  Ends with the
 * transaction, or with the rollback of the subtransaction that called it.
 * Whoever calls this answers for the rows: together they must say what those
 * said that are deleted in the same transaction.
 */
extern void store_set_storing_xid(uint64 xid);

/* Back to the transaction's own id. */
extern void store_reset_storing_xid(void);

/* Whether store_set_storing_xid() is in force. */
extern bool store_storing_xid_is_set(void);

#endif							/* PG_APM_COMMIT_ORDER_H */
