/*
 * shim.h
 *		What the pure cores need from their surroundings.
 *
 * A pure file includes this header and others of the pure kind, never a
 * server header.  In the server it maps onto postgres.h; with APM_STANDALONE
 * (unit tests, fuzzers) onto the C library.  Pure code reports failure by
 * return value, never by ereport, and allocates with palloc, palloc0,
 * repalloc and pfree only.
 */
#ifndef PG_APM_SHIM_H
#define PG_APM_SHIM_H

#ifndef APM_STANDALONE

#include "postgres.h"

#else

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int8_t int8;
typedef int16_t int16;
typedef int32_t int32;
typedef int64_t int64;
typedef uint8_t uint8;
typedef uint16_t uint16;
typedef uint32_t uint32;
typedef uint64_t uint64;
typedef size_t Size;

#define Assert(c) assert(c)
#define likely(x) __builtin_expect((x) != 0, 1)
#define unlikely(x) __builtin_expect((x) != 0, 0)
#define Min(a, b) ((a) < (b) ? (a) : (b))
#define Max(a, b) ((a) > (b) ? (a) : (b))
#define lengthof(a) (sizeof(a) / sizeof((a)[0]))
#define UINT64CONST(x) UINT64_C(x)
#define INT64CONST(x) INT64_C(x)
#define pg_attribute_noreturn() __attribute__((noreturn))
#define pg_noinline __attribute__((noinline))

static inline void *
apm_alloc_or_die(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

#define palloc(n) apm_alloc_or_die(malloc((n) != 0 ? (n) : 1))
#define palloc0(n) apm_alloc_or_die(calloc(1, (n) != 0 ? (n) : 1))
#define repalloc(p, n) apm_alloc_or_die(realloc((p), (n) != 0 ? (n) : 1))
#define pfree(p) free(p)

#endif							/* APM_STANDALONE */

#endif							/* PG_APM_SHIM_H */
