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

#include <stddef.h>

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
	uint32		capacity;		/* eight bytes each, these 16 included: a power of
								 * two, as the server's allocator likes it; 0 when
								 * dense */
	uint64		slots[];	/* 0: free; or one byte a register */
} HllWork;

/* Slots of a table whose room the header takes. */
#define HLL_HEAD_SLOTS	((uint32) (offsetof(HllWork, slots) / sizeof(uint64)))

/* A compact block. */
typedef struct HllView
{
	HllForm		form;
	bool		marked;
	const uint8 *data;			/* after the header */
	uint32		count;			/* HLL_SET: number of hashes */
} HllView;

static inline uint64
hll_read_le64(const uint8 *p)
{
	return (uint64) p[0] | (uint64) p[1] << 8 | (uint64) p[2] << 16 |
		(uint64) p[3] << 24 | (uint64) p[4] << 32 | (uint64) p[5] << 40 |
		(uint64) p[6] << 48 | (uint64) p[7] << 56;
}

static inline uint64
hll_read_le32(const uint8 *p)
{
	return (uint64) p[0] | (uint64) p[1] << 8 | (uint64) p[2] << 16 | (uint64) p[3] << 24;
}

static inline uint64
hll_rotate_left(uint64 v, int bits)
{
	return v << bits | v >> (64 - bits);
}

/*
 * The last len % 8 of len bytes that end at end, as a number.  Bytes that are
 * read twice meet themselves; none outside is read.
 */
static inline uint64
hll_read_rest(const uint8 *end, size_t len)
{
	size_t		rest = len % 8;

	if (rest == 0)
		return 0;
	if (len >= 8)
		return hll_read_le64(end - 8) >> (64 - 8 * rest);
	if (rest >= 4)
		return hll_read_le32(end - rest) | hll_read_le32(end - 4) << (8 * (rest - 4));
	return (uint64) end[-(int) rest] | (uint64) end[-(int) rest + (int) rest / 2] << (8 * (rest / 2)) |
		(uint64) end[-1] << (8 * (rest - 1));
}

/*
 * Hash of some bytes, the same on every platform and in every version: stored
 * values depend on it, it must never change.  Eight bytes a step, each mixed
 * by multiplication and rotation before it meets the state; a final avalanche
 * spreads every bit over all others.
 */
static inline uint64
hll_hash(const void *bytes, size_t len)
{
	const uint64 k1 = UINT64CONST(0x9e3779b97f4a7c15);
	const uint64 k2 = UINT64CONST(0xc2b2ae3d27d4eb4f);
	const uint8 *p = bytes;
	uint64		h = k2 ^ ((uint64) len * k1);
	uint64		last = hll_read_rest(p + len, len);

	for (; len >= 8; len -= 8, p += 8)
	{
		h ^= hll_rotate_left(hll_read_le64(p) * k2, 31) * k1;
		h = hll_rotate_left(h, 27) * k1 + k2;
	}
	h ^= hll_rotate_left(last * k2, 31) * k1;
	h = hll_rotate_left(h, 27) * k1 + k2;
	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 29;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	h ^= h >> 32;
	return h;
}

/*
 * Checks a compact block of size bytes, header included; NULL if it is sound,
 * else what is wrong with it.
 */
extern const char *hll_view(const void *block, size_t size, HllView *view);

/* The same for the header and the length alone: only for hll_merge_view. */
extern const char *hll_view_frame(const void *block, size_t size, HllView *view);

extern HllWork *hll_work_new(bool marked);
extern HllWork *hll_work_from_view(const HllView *view);
extern HllWork *hll_work_copy(const HllWork *work);
extern size_t hll_work_size(const HllWork *work);
extern bool hll_is_work(const void *block, size_t size);

/*
 * These write in place, or return a new and larger block and leave the old
 * one to whoever owns it.  hll_merge_view checks what it reads, which costs
 * less than doing so before: if *problem is not NULL, that is what is wrong
 * with the view, and what the block then holds means nothing.
 */
extern HllWork *hll_add(HllWork *work, uint64 hash, bool mark);
extern HllWork *hll_merge_view(HllWork *work, const HllView *view, const char **problem);
extern HllWork *hll_merge_work(HllWork *work, const HllWork *other);

/*
 * The common case of hll_add, inline: registers without marks.  The first 14
 * bits choose the register, the rest the rank.  False, with nothing changed,
 * in every other case; a hash of 0 is one, see hll_add.
 */
static inline bool
hll_add_fast(HllWork *work, uint64 hash)
{
	uint8	   *reg;
	uint64		rest = hash << HLL_BITS;
	uint8		rank;

	if (work->form != HLL_WORK_DENSE || work->marked || rest == 0)
		return false;
	reg = (uint8 *) work->slots + (hash >> (64 - HLL_BITS));
	rank = (uint8) (__builtin_clzll(rest) + 1);
	if (*reg < rank)
		*reg = rank;
	return true;
}

/* A new compact block; *size includes the header, whose length word is 0. */
extern uint8 *hll_compact(const HllWork *work, size_t *size);

/* Number of distinct values, or of the marked ones; exact up to HLL_EXACT. */
extern double hll_view_count(const HllView *view, bool marked_only);
extern double hll_work_count(const HllWork *work, bool marked_only);

#endif							/* PG_APM_SKETCH_HLL_H */
