/*
 * store/scrub.h
 *		Secrets out of what is about to be stored, by the rules of its project.
 */
#ifndef PG_APM_SCRUB_H
#define PG_APM_SCRUB_H

#include "store/store.h"

/*
 * Replaces secrets in everything of the batch that is going to be stored, as
 * apm.scrub_rules says, and says how many.  A user_key whose source falls
 * under a rule is hashed, so that users can still be counted.
 */
extern void scrub_batch(StoreBatch *batch);

#endif							/* PG_APM_SCRUB_H */
