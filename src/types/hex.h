/*
 * types/hex.h
 *		Ids as hex digits and status names; shared by decoders and types.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_HEX_H
#define PG_APM_HEX_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/*
 * Reads nbytes bytes from hex digits of either case.  With dashes allowed,
 * they may stand anywhere between digits.  False unless exactly nbytes came
 * and they are not all zero.
 */
extern bool hex_read_id(const char *s, size_t len, bool dashes, uint8 *dst, int nbytes);

/* 16 hex digits to a number; false on anything else and on zero. */
extern bool hex_read_span_id(const char *s, size_t len, uint64 *id);

/* Lower-case digits of nbytes bytes; writes 2 * nbytes characters, no NUL. */
extern void hex_write(const uint8 *src, int nbytes, char *dst);

/* Big-endian bytes of a span id. */
extern void hex_span_id_bytes(uint64 id, uint8 dst[8]);

/* Name of a status code 0..16, as in apm.span_status. */
extern const char *const apm_status_names[APM_STATUS_COUNT];

/* Code of a status name or alias; APM_STATUS_NULL if it is none. */
extern int	hex_status_code(const char *s, size_t len);

#endif							/* PG_APM_HEX_H */
