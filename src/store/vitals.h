/*
 * store/vitals.h
 *		Web vitals that arrive apart from their page.
 */
#ifndef PG_APM_VITALS_STORE_H
#define PG_APM_VITALS_STORE_H

#include "store/store.h"

/*
 * Brings the vitals of the batch to their pages and the pages of the batch to
 * their vitals, whichever came first; to be called when identities are
 * claimed and before transactions are stored.
 */
extern void vitals_persist(StoreBatch *batch);

/* Gives a transaction its late vitals, and with pg_apm.derive_measurements what is computed. */
extern void vitals_measure(StoreSegment *s);

#endif							/* PG_APM_VITALS_STORE_H */
