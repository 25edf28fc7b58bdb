/*
 * sketch/hll.h
 *		Distinct counting: exact to 4,096 values, HyperLogLog beyond.  Pure core.
 *
 * A value is known by a 64-bit hash.  Up to HLL_EXACT hashes are kept as they
 * are; then 2^14 registers of six bits, one standard error of 0.81 %, read by
 * Ertl's improved estimator, which has no biased range.  Which of the two it
 * is follows from the set alone, so that merging in any order gives the same
 * bytes.
 *
 * Optionally each value carries a mark, set as soon as one occurrence is
 * marked: users, and those of them who were miserable, in one sketch.
 *
 * Two layouts, told apart by the second byte after the length word:
 *
 * compact (stored, sent):
 *		0	length word of the server, 4 bytes
 *		4	version, 1
 *		5	form: 1 set, 2 registers
 *		6	1 if values carry marks, else 0
 *		7	0
 *		8	set: hashes, little-endian, ascending, the lowest bit being the mark;
 *			registers: 6 bits each, lowest bits first; with marks, those of the
 *			marked values follow
 *
 * working (an aggregate's state, never stored): struct HllWork.
 */
#ifndef PG_APM_SKETCH_HLL_H
#define PG_APM_SKETCH_HLL_H

#include "shim.h"

#define HLL_EXACT		4096
#define HLL_BITS		14
#define HLL_REGISTERS	(1 << HLL_BITS)
#define HLL_MAX_RANK	(64 - HLL_BITS + 1)
#define HLL_STANDARD_ERROR 0.0081	/* 1.04 / sqrt(HLL_REGISTERS), relative */
#define HLL_HEADER		8
#define HLL_VERSION		1

typedef enum HllForm
{
	HLL_SET = 1,
	HLL_DENSE = 2,
	HLL_WORK_SET = 3,
	HLL_WORK_DENSE = 4
} HllForm;

/* The layout that is updated in place; the bytes after it are inside VARSIZE. */
typedef struct HllWork
{
	int32		vl_len_;		/* kept by the server glue */
	uint8		version;
	uint8		form;			/* HLL_WORK_SET or HLL_WORK_DENSE */
	uint8		marked;
	uint8		zero;
	uint32		count;			/* hashes in the table; 0 when dense */
	uint32		capacity;		/* slots, a power of two; 0 when dense */
	uint64		slots[];	/* 0: free; or one byte a register */
} HllWork;

/* A checked compact block. */
typedef struct HllView
{
	HllForm		form;
	bool		marked;
	const uint8 *data;			/* after the header */
	uint32		count;			/* HLL_SET: number of hashes */
} HllView;

/* Hash of some bytes, the same on every platform and in every version. */
extern uint64 hll_hash(const void *bytes, size_t len);

/*
 * Checks a compact block of size bytes, header included; NULL if it is sound,
 * else what is wrong with it.
 */
extern const char *hll_view(const void *block, size_t size, HllView *view);

extern HllWork *hll_work_new(bool marked);
extern HllWork *hll_work_from_view(const HllView *view);
extern HllWork *hll_work_copy(const HllWork *work);
extern size_t hll_work_size(const HllWork *work);
extern bool hll_is_work(const void *block, size_t size);

/*
 * These write in place, or return a new and larger block and leave the old
 * one to whoever owns it.
 */
extern HllWork *hll_add(HllWork *work, uint64 hash, bool mark);
extern HllWork *hll_merge_view(HllWork *work, const HllView *view);
extern HllWork *hll_merge_work(HllWork *work, const HllWork *other);

/* A new compact block; *size includes the header, whose length word is 0. */
extern uint8 *hll_compact(const HllWork *work, size_t *size);

/* Number of distinct values, or of the marked ones; exact up to HLL_EXACT. */
extern double hll_view_count(const HllView *view, bool marked_only);
extern double hll_work_count(const HllWork *work, bool marked_only);

#endif							/* PG_APM_SKETCH_HLL_H */
