/*
 * spanset_compare.h
 *		What unit tests and the fuzzer of packed spans share.
 */
#ifndef SPANSET_COMPARE_H
#define SPANSET_COMPARE_H

#include "spanset/spanset_lexicon.h"

/* What values of the other version are read with; NULL: nothing. */
static const SpansetLexicon *compare_lexicon = NULL;

static inline bool
same_text(ApmStr a, ApmStr b)
{
	return (a.data == NULL) == (b.data == NULL) && a.len == b.len &&
		(a.data == NULL || memcmp(a.data, b.data, a.len) == 0);
}

/* Name of the first field that differs, or NULL. */
static inline const char *
difference(const ApmSpan *a, const ApmSpan *b)
{
#define SAME(field) if (a->field != b->field) return #field
#define SAME_TEXT(field) if (!same_text(a->field, b->field)) return #field
	if (memcmp(a->trace_id, b->trace_id, 16) != 0)
		return "trace_id";
	SAME(span_id);
	SAME(parent_span_id);
	SAME(segment_id);
	SAME(is_segment);
	SAME(status);
	SAME(start_us);
	SAME(duration_us);
	SAME(self_time_us);
	SAME_TEXT(op);
	SAME_TEXT(description);
	SAME_TEXT(category);
	SAME_TEXT(span_group);
	SAME_TEXT(origin);
	SAME_TEXT(attributes);
	return NULL;
#undef SAME
#undef SAME_TEXT
}

/*
 * Reads a value in each way that a caller may ask for.  NULL if all spans can
 * be read; "" if they cannot; else what is wrong with the reader.
 */
static inline const char *
read_every_way(const uint8 *data, size_t len)
{
	static const uint32 wanted[] = {
		SPANSET_ALL, SPANSET_DURATION, SPANSET_DURATION | SPANSET_OP, SPANSET_SELF_TIME | SPANSET_GROUP,
		SPANSET_CATEGORY, SPANSET_STATUS, SPANSET_START | SPANSET_DURATION, SPANSET_SPAN_ID, SPANSET_LINKS,
		SPANSET_DESCRIPTION, SPANSET_ORIGIN, SPANSET_ATTRIBUTES, SPANSET_TRACE_ID
	};
	SpansetColumns c;
	const char *problem = NULL;
	bool		good = false;
	int			n = 0;
	int			i;

	memset(&c, 0, sizeof(c));
	c.lexicon = compare_lexicon;
	for (i = 0; i < (int) lengthof(wanted); i++)
	{
		bool		ok = spanset_read(&c, data, len, wanted[i]) == NULL;

		if (i == 0)
		{
			good = ok;
			n = c.n;
		}
		else if (good && !ok)
			problem = "some columns are refused where all can be read";
	}
	spanset_free(&c);
	if (good && spanset_count(data, Min(len, SPANSET_HEADER), len) != n)
		problem = "the header says another number of spans";
	if (spanset_check(data, len) == NULL && !good)
		problem = "the check passes what cannot be read";
	return problem != NULL ? problem : good ? NULL : "";
}

#endif							/* SPANSET_COMPARE_H */
