/*
 * breakdown/prefetch.h
 *		Fetches rows of a table into the cache before the scan comes to them.
 *
 * A row that is read for the first time stalls a scan for longer than its
 * spans take to be counted.  Who aggregates values of a table sees where they
 * lie: in a page of the shared buffers, whose other rows are likely to be
 * next.  When a table was read in order, its next page lies in the next buffer
 * or in that before; the step from the last page tells.
 *
 * This looks at line pointers of a page that is not pinned and may be another
 * one a moment later.  Nothing depends on them but what is fetched ahead, and
 * that never faults: a wrong guess costs a little time.
 */
#ifndef PG_APM_BREAKDOWN_PREFETCH_H
#define PG_APM_BREAKDOWN_PREFETCH_H

#include "postgres.h"

#include "storage/bufmgr.h"
#include "storage/bufpage.h"

#define PREFETCH_LINE	64
#define PREFETCH_ROWS	32		/* of a page: those of many rows are read in their order anyway */
#define PREFETCH_FRONT	96		/* bytes of a row in front of its spans, at most */
#define PREFETCH_BYTES	512		/* of a row, at most */
#define PREFETCH_STEP	(4 * BLCKSZ)

/* What a call site keeps.  Start from zeroed memory. */
typedef struct Prefetch
{
	const char *page;			/* of the last value */
	bool		fetched;		/* its rows are, or are on their way */
	const char *next;			/* page that is expected after it, or NULL */
	OffsetNumber row;			/* of that page, the next to be fetched */
	size_t		bytes;			/* of the last value, that were looked at */
} Prefetch;

static inline bool
prefetch_in_buffers(const char *p)
{
	return (size_t) (p - BufferBlocks) < (size_t) NBuffers * BLCKSZ;
}

/*
 * Rows first to last of a page, or those of them that it has.  Inline or
 * nothing: the compiler drops calls of functions that only fetch ahead.
 */
static pg_attribute_always_inline void
prefetch_rows(const char *page, OffsetNumber first, OffsetNumber last, size_t bytes)
{
	size_t		at;

	last = Min(last, PageGetMaxOffsetNumber((Page) page));
	bytes = Min(bytes + PREFETCH_FRONT, PREFETCH_BYTES);
	for (; first <= last; first++)
	{
		const char *row = page + ItemIdGetOffset(PageGetItemId((Page) page, first));

		for (at = 0; at < bytes; at += PREFETCH_LINE)
			__builtin_prefetch(row + at);
	}
}

/*
 * Call it with each value, before looking at it.  Each time one row of the
 * next page is fetched: the cache takes only so many at once.
 */
static pg_attribute_always_inline void
prefetch_around(Prefetch *f, const char *value)
{
	const char *page;
	ptrdiff_t	step;

	if (unlikely(!prefetch_in_buffers(value)))
		return;
	page = BufferBlocks + (size_t) (value - BufferBlocks) / BLCKSZ * BLCKSZ;
	if (page != f->page)
	{
		step = f->page != NULL ? page - f->page : 0;
		f->page = page;
		f->fetched = page == f->next;
		if (f->fetched)
			prefetch_rows(page, f->row, PREFETCH_ROWS, f->bytes);
		f->next = NULL;
		if (step != 0 && step >= -PREFETCH_STEP && step <= PREFETCH_STEP && prefetch_in_buffers(page + step))
		{
			f->next = page + step;
			f->row = FirstOffsetNumber;
			__builtin_prefetch(f->next + step);
		}
	}
	else if (unlikely(!f->fetched))
	{
		/* A second row of a page that nobody expected: it is read as a whole, it seems. */
		prefetch_rows(page, FirstOffsetNumber, PREFETCH_ROWS, f->bytes);
		f->fetched = true;
	}
	if (likely(f->next != NULL && f->row <= PREFETCH_ROWS))
	{
		prefetch_rows(f->next, f->row, f->row, f->bytes);
		f->row++;
	}
}

#endif							/* PG_APM_BREAKDOWN_PREFETCH_H */
