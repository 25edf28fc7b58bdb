/*
 * spanset/spanset_format.h
 *		What writer and reader of packed spans agree on.  README.md has the
 *		layout in words.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_SPANSET_FORMAT_H
#define PG_APM_SPANSET_FORMAT_H

#include "spanset/spanset.h"
#include "spanset/spanset_lexicon.h"

/*
 * Flags, after version and count.  A column that is absent holds the same
 * default everywhere.  Those that real data seldom has stand high, so that
 * the flags take two bytes.
 */
#define SF_OP				0x0001
#define SF_CATEGORY			0x0002
#define SF_GROUP			0x0004
#define SF_ORIGIN			0x0008
#define SF_DESCRIPTION		0x0010
#define SF_ATTRIBUTES		0x0020
#define SF_SELF				0x0040	/* absent: self time is the duration */
#define SF_STATUS			0x0080
#define SF_ALL_OK			0x0100	/* no status column, and not NULL but ok */
#define SF_PARENTS			0x0200
#define SF_SEGMENTS			0x0400
#define SF_START_AFTER		0x0800	/* starts count from the end of the span before */
#define SF_OUTSIDE			0x1000	/* links to spans that are not in the set */
#define SF_SEGMENT_BITS		0x2000	/* absent: the span whose segment is itself */
#define SF_TRACES			0x4000	/* several trace ids */
#define SF_WIDE_START		0x8000	/* first start in 8 bytes instead of 7 */
#define SF_KNOWN			0xffff

/* Bytes before the count in a value that needs a lexicon: version and id. */
#define SPANSET_LEXICON_HEADER 5

/* Longest varint. */
#define VARINT_MAX			10

/* Head of a column of codes: width in bits, and whether a base follows. */
#define CODES_WIDTH			0x3f
#define CODES_BASE			0x40
#define CODES_MAX_WIDTH		32

/*
 * Head of a column of numbers: bits of the shortest form, and whether a base
 * follows.  A number is q ones, a zero, and (least significant bit first) its
 * bits in a field that is 2 q wider than the shortest, at most 64.
 */
#define NUMBERS_BITS		0x3f
#define NUMBERS_BASE		0x40
#define NUMBERS_STEP		2
#define NUMBERS_MAX_STEPS	32

/*
 * Head of a string in a table; above these: its length plus the number of
 * heads that the version knows.
 */
#define STRING_HEX			0	/* 16 lower-case hex digits as 8 bytes */
#define STRING_WORD			1	/* one byte, number of a known word */
#define STRING_LEARNED		2	/* with a lexicon: varint, number of its word */
#define STRING_LITERAL		2
#define STRING_LITERAL_LEXICON 3

/* Lowest bit of the block's head; the rest is the length it has as text. */
#define BLOCK_COMPRESSED	1

#endif							/* PG_APM_SPANSET_FORMAT_H */
