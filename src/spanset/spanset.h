/*
 * spanset/spanset.h
 *		Packed, columnar, versioned set of spans.  Pure core.
 */
#ifndef PG_APM_SPANSET_H
#define PG_APM_SPANSET_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/*
 * Packs n spans (n >= 0) into a palloc'd block and returns it; *len is its
 * size.  The first headroom bytes are left for the caller's header (VARHDRSZ
 * for a datum) and counted in *len.  Every field of every span comes back
 * equal from the reader, and in the same order.
 */
extern uint8 *spanset_pack(const ApmSpan *spans, int n, size_t headroom, size_t *len);

#endif							/* PG_APM_SPANSET_H */
