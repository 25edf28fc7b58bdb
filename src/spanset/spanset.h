/*
 * spanset/spanset.h
 *		Packed, columnar, versioned set of spans.  Pure core.
 */
#ifndef PG_APM_SPANSET_H
#define PG_APM_SPANSET_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/* More spans than this are refused in one value, so that it can be read within memory. */
#define SPANSET_MAX_SPANS	(1 << 22)

/*
 * Packs n spans (0 <= n <= SPANSET_MAX_SPANS) into a palloc'd block and returns it; *len is its
 * size.  The first headroom bytes are left for the caller's header (VARHDRSZ
 * for a datum) and counted in *len.  Every field of every span comes back
 * equal from the reader, and in the same order.
 */
extern uint8 *spanset_pack(const ApmSpan *spans, int n, size_t headroom, size_t *len);

/* Words that a database has learned: see spanset_lexicon.h. */
typedef struct SpansetLexicon SpansetLexicon;

/* The same, shorter; who reads the value needs the lexicon.  NULL: without one. */
extern uint8 *spanset_pack_with(const SpansetLexicon *lexicon, const ApmSpan *spans, int n,
								size_t headroom, size_t *len);

/*
 * The first byte of a packed value: one that stands for itself, or one that
 * needs a lexicon, whose id follows in four bytes.  The server's aggregates
 * mark values that they are still building with the last one; the core does
 * not read those.
 */
#define SPANSET_VERSION		1
#define SPANSET_LEXICON		2
#define SPANSET_WORKING		0xff

/* Which columns spanset_read() shall fill. */
#define SPANSET_DURATION	0x0001
#define SPANSET_OP			0x0002
#define SPANSET_CATEGORY	0x0004
#define SPANSET_GROUP		0x0008
#define SPANSET_SELF_TIME	0x0010
#define SPANSET_STATUS		0x0020
#define SPANSET_START		0x0040
#define SPANSET_TRACE_ID	0x0080
#define SPANSET_SPAN_ID		0x0100
#define SPANSET_LINKS		0x0200	/* parents, segments, is_segment */
#define SPANSET_ORIGIN		0x0400
#define SPANSET_DESCRIPTION 0x0800
#define SPANSET_ATTRIBUTES	0x1000
#define SPANSET_ALL			0x1fff
#define SPANSET_TEXT		(SPANSET_DESCRIPTION | SPANSET_ATTRIBUTES)
#define SPANSET_HOT			(SPANSET_DURATION | SPANSET_OP | SPANSET_CATEGORY | SPANSET_GROUP)

/*
 * A column of strings: codes[i] is 0 for NULL, else strings[codes[i] - 1] is
 * the value.  A string may stand more than once in the table.  words[k] is a
 * number from 1 to SPANSET_MAX_WORD that stands for the same string in every
 * value, for strings that the packing knows by number, else 0.
 */
#define SPANSET_MAX_WORD	256

typedef struct SpansetStrings
{
	uint32	   *codes;
	ApmStr	   *strings;
	uint16	   *words;
	uint32		count;
} SpansetStrings;

/*
 * Columns of an opened value.  Arrays have n elements.  Start from zeroed
 * memory; a reader that goes over many values hands the same struct in again
 * and the arrays are used again.  Strings point into the value or into the
 * struct's own memory and last until the next read or spanset_free().
 */
typedef struct SpansetColumns
{
	int			n;
	int64	   *duration_us;
	int64	   *self_time_us;	/* APM_MICROS_NULL: unknown */
	int64	   *start_us;
	int8	   *status;			/* APM_STATUS_NULL or a code */
	SpansetStrings op;
	SpansetStrings category;
	SpansetStrings group;
	SpansetStrings origin;
	SpansetStrings description;
	uint32	   *trace;			/* index into trace_ids */
	const uint8 *trace_ids;		/* 16 bytes each */
	uint32		ntraces;
	size_t		end;			/* bytes of the value up to the end of the last column read */
	uint64	   *span_id;
	uint64	   *parent_span_id;
	uint64	   *segment_id;
	bool	   *is_segment;
	ApmStr	   *attributes;

	/* Set by the caller for values that need it: see spanset_lexicon_id(). */
	const SpansetLexicon *lexicon;

	/* The reader's own memory. */
	int			capacity;
	char	   *arrays;
	uint64	   *scratch64;
	uint32	   *scratch32;
	char	   *digits;
	char	   *text;
	size_t		text_size;
} SpansetColumns;

/*
 * Reads the wanted columns of a packed value; the others are passed over or
 * never reached.  Returns NULL, or a phrase that says what is wrong with the
 * bytes.  Whatever the bytes are, nothing outside of them is read and the
 * memory taken is bounded by a small multiple of len.
 */
extern const char *spanset_read(SpansetColumns *c, const uint8 *data, size_t len, uint32 wanted);

/*
 * The same when only the first bytes of a value of len bytes are at hand: an
 * error if the wanted columns do not end among them.  Text lies at the end.
 */
extern const char *spanset_read_start(SpansetColumns *c, const uint8 *data, size_t available,
									  size_t len, uint32 wanted);

/*
 * Number of spans by the header alone, which SPANSET_HEADER bytes hold; len
 * is how long the whole value is.  -1 if it is not a header.
 */
#define SPANSET_HEADER		12

extern int	spanset_count(const uint8 *data, size_t available, size_t len);

/* Id of the lexicon that a value needs; 0: none, or it is not a header. */
extern uint32 spanset_lexicon_id(const uint8 *data, size_t available);

/* One span of columns read with SPANSET_ALL. */
extern void spanset_get(const SpansetColumns *c, int i, ApmSpan *span);

/* The fields of one span whose columns were read; leaves the others alone. */
extern void spanset_get_wanted(const SpansetColumns *c, int i, uint32 wanted, ApmSpan *span);

/* Gives back the memory that spanset_read() took; the struct is as new. */
extern void spanset_free(SpansetColumns *c);

/*
 * What a span must fulfil to be kept: ids of trace and span are not zero,
 * start and end lie in what a timestamptz holds, durations are not negative,
 * text is UTF-8 without NUL and attributes are JSON.  Returns NULL or a
 * phrase that says what is wrong.
 */
extern const char *spanset_check_span(const ApmSpan *span);

/* Of these, what a string must fulfil; data NULL is NULL, which does. */
extern const char *spanset_check_text(ApmStr s);

/*
 * The check that a value from outside must pass: it stands for itself, every
 * column decodes, no bytes are left over, and every span passes
 * spanset_check_span().
 */
extern const char *spanset_check(const uint8 *data, size_t len);

#endif							/* PG_APM_SPANSET_H */
