/*
 * spanset/spanset_format.h
 *		What writer and reader of packed spans agree on.  See README.md.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_SPANSET_FORMAT_H
#define PG_APM_SPANSET_FORMAT_H

#include "spanset/spanset.h"

/* Presence flags, after version and count; an absent column is all default. */
#define SF_OP				0x0001
#define SF_CATEGORY			0x0002
#define SF_GROUP			0x0004
#define SF_ORIGIN			0x0008
#define SF_DESCRIPTION		0x0010
#define SF_ATTRIBUTES		0x0020
#define SF_SELF				0x0040	/* absent: self time is the duration */
#define SF_STATUS			0x0080
#define SF_PARENTS			0x0100
#define SF_SEGMENTS			0x0200
#define SF_SEGMENT_BITS		0x0400	/* absent: is_segment is false */
#define SF_TRACES			0x0800	/* several trace ids */
#define SF_KNOWN			0x0fff

/* Longest varint. */
#define VARINT_MAX			10

/* A code column's head: width in bits, and whether a base follows. */
#define CODES_WIDTH			0x3f
#define CODES_BASE			0x40
#define CODES_MAX_WIDTH		32

/* How the block of text is stored. */
#define CODEC_RAW			0

static inline int
bit_length(uint64 v)
{
	return v == 0 ? 0 : 64 - __builtin_clzll(v);
}

static inline uint64
zigzag(int64 v)
{
	return ((uint64) v << 1) ^ (uint64) (v >> 63);
}

static inline int64
unzigzag(uint64 v)
{
	return (int64) (v >> 1) ^ -(int64) (v & 1);
}

#endif							/* PG_APM_SPANSET_FORMAT_H */
