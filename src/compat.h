/*
 * compat.h
 *		Differences between server versions; the only place that looks at
 *		PG_VERSION_NUM.
 */
#ifndef PG_APM_COMPAT_H
#define PG_APM_COMPAT_H

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#endif							/* PG_APM_COMPAT_H */
