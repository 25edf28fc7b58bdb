/*
 * sketch/hll.c
 *		Distinct counting: exact to 4,096 values, HyperLogLog beyond.  Pure core.
 */
#include "shim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sketch/hll.h"

#define HLL_MIN_CAPACITY	8
#define HLL_PACKED			(HLL_REGISTERS * 6 / 8)
#define HLL_MARK			UINT64CONST(1)
#define HLL_KEY_FOR_ZERO	UINT64CONST(0x8000000000000000)

/* The part of a hash that tells values apart. */
#define HLL_KEY(hash, marked) ((marked) ? (hash) & ~HLL_MARK : (hash))

/* Sixteen registers at a time; they stay far below the sign. */
typedef uint64 Lanes __attribute__((vector_size(16)));
typedef signed char Ranks __attribute__((vector_size(16)));

static inline void
write_le64(uint8 *p, uint64 v)
{
	int			i;

	for (i = 0; i < 8; i++)
		p[i] = (uint8) (v >> (8 * i));
}

/* The key of a hash, never 0: that is a free slot. */
static inline uint64
usable_hash(uint64 hash, bool marked)
{
	uint64		key = HLL_KEY(hash, marked);

	return key == 0 ? HLL_KEY_FOR_ZERO : key;
}

/* ---- registers ---- */

static inline uint8 *
registers(HllWork *work, bool of_marked)
{
	return (uint8 *) work->slots + (of_marked ? HLL_REGISTERS : 0);
}

static inline const uint8 *
registers_const(const HllWork *work, bool of_marked)
{
	return (const uint8 *) work->slots + (of_marked ? HLL_REGISTERS : 0);
}

/* The first 14 bits choose the register, the rest the rank; not the mark. */
static inline void
register_add(HllWork *work, uint64 key, bool mark)
{
	uint32		index = (uint32) (key >> (64 - HLL_BITS));
	uint64		rest = key << HLL_BITS;
	uint8		rank = rest == 0 ? HLL_MAX_RANK : (uint8) (__builtin_clzll(rest) + 1);
	uint8	   *reg = registers(work, false) + index;

	/* No branch: which rank is higher cannot be foretold. */
	*reg = Max(*reg, rank);
	if (mark)
	{
		reg += HLL_REGISTERS;
		*reg = Max(*reg, rank);
	}
}

static inline Ranks
ranks_load(const uint8 *p)
{
	Ranks		ranks;

	memcpy(&ranks, p, sizeof(ranks));
	return ranks;
}

static inline Ranks
ranks_max(Ranks a, Ranks b)
{
	Ranks		larger = (Ranks) (a > b);

	return (a & larger) | (b & ~larger);
}

/* Sixteen registers out of twelve bytes: 24 bits, 12, 6 move to their places. */
static inline Ranks
ranks_unpack(const uint8 *packed)
{
	Lanes		x;

	x[0] = hll_read_le64(packed) & UINT64CONST(0xFFFFFFFFFFFF);
	x[1] = hll_read_le64(packed + 4) >> 16;
	x = (x & UINT64CONST(0xFFFFFF)) | (x & UINT64CONST(0xFFFFFF000000)) << 8;
	x = (x & UINT64CONST(0x00000FFF00000FFF)) | (x & UINT64CONST(0x00FFF00000FFF000)) << 4;
	x = (x & UINT64CONST(0x003F003F003F003F)) | (x & UINT64CONST(0x0FC00FC00FC00FC0)) << 2;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x[0] = __builtin_bswap64(x[0]);
	x[1] = __builtin_bswap64(x[1]);
#endif
	return (Ranks) x;
}

static void
registers_unpack(const uint8 *packed, uint8 *dst)
{
	int			i;

	for (i = 0; i < HLL_REGISTERS; i += 16, packed += 12)
	{
		Ranks		ranks = ranks_unpack(packed);

		memcpy(dst + i, &ranks, sizeof(ranks));
	}
}

/*
 * Raises registers to those of a compact block, if there are any to raise, and
 * checks the block on the way: NULL if it is sound, else what is wrong.
 */
static inline const char *
registers_merge(uint8 *regs, const HllView *view)
{
	const uint8 *packed = view->data;
	Ranks		highest = {0};
	Ranks		exceeding = {0};
	uint8		bytes[2][sizeof(Ranks)];
	uint8		over = 0;
	size_t		i;

	for (i = 0; i < HLL_REGISTERS; i += 16, packed += 12)
	{
		Ranks		all = ranks_unpack(packed);
		Ranks		now;

		highest = ranks_max(highest, all);
		if (regs != NULL)
		{
			now = ranks_max(ranks_load(regs + i), all);
			memcpy(regs + i, &now, sizeof(now));
		}
		if (view->marked)
		{
			Ranks		marked = ranks_unpack(packed + HLL_PACKED);

			exceeding |= (Ranks) (marked > all);
			if (regs != NULL)
			{
				now = ranks_max(ranks_load(regs + HLL_REGISTERS + i), marked);
				memcpy(regs + HLL_REGISTERS + i, &now, sizeof(now));
			}
		}
	}
	memcpy(bytes[0], &highest, sizeof(highest));
	memcpy(bytes[1], &exceeding, sizeof(exceeding));
	for (i = 0; i < sizeof(Ranks); i++)
	{
		if (bytes[0][i] > HLL_MAX_RANK)
			return "a register is out of range";
		over |= bytes[1][i];
	}
	return over ? "a register of marked values exceeds that of all" : NULL;
}

static void
registers_pack(const uint8 *src, uint8 *packed)
{
	int			i;

	for (i = 0; i < HLL_REGISTERS; i += 4, packed += 3)
	{
		uint32		v = src[i] | (uint32) src[i + 1] << 6 |
			(uint32) src[i + 2] << 12 | (uint32) src[i + 3] << 18;

		packed[0] = (uint8) v;
		packed[1] = (uint8) (v >> 8);
		packed[2] = (uint8) (v >> 16);
	}
}

/* n is a multiple of 16. */
static void
registers_max(uint8 *dst, const uint8 *src, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i += 16)
	{
		Ranks		now = ranks_max(ranks_load(dst + i), ranks_load(src + i));

		memcpy(dst + i, &now, sizeof(now));
	}
}

/* Ertl's sigma: the share that registers still at 0 add, x = their share. */
static double
ertl_sigma(double x)
{
	double		y = 1;
	double		z = x;
	double		before;

	if (x >= 1)
		return INFINITY;
	do
	{
		x *= x;
		before = z;
		z += x * y;
		y += y;
	} while (z != before);
	return z;
}

/* Ertl's tau: the same for registers at their maximum, x = share of others. */
static double
ertl_tau(double x)
{
	double		y = 1;
	double		z = 1 - x;
	double		before;

	if (x <= 0 || x >= 1)
		return 0;
	do
	{
		x = sqrt(x);
		before = z;
		y /= 2;
		z -= (1 - x) * (1 - x) * y;
	} while (z != before);
	return z / 3;
}

static double
registers_estimate(const uint8 *regs)
{
	const double m = HLL_REGISTERS;
	int			histogram[HLL_MAX_RANK + 1] = {0};
	int			parts[4][HLL_MAX_RANK + 1] = {{0}};
	double		z;
	int			i;

	/* Neighbours are often equal: each waits for no other's count. */
	for (i = 0; i < HLL_REGISTERS; i += 4)
	{
		parts[0][regs[i]]++;
		parts[1][regs[i + 1]]++;
		parts[2][regs[i + 2]]++;
		parts[3][regs[i + 3]]++;
	}
	for (i = 0; i <= HLL_MAX_RANK; i++)
		histogram[i] = parts[0][i] + parts[1][i] + parts[2][i] + parts[3][i];
	z = m * ertl_tau(1 - histogram[HLL_MAX_RANK] / m);
	for (i = HLL_MAX_RANK - 1; i >= 1; i--)
		z = (z + histogram[i]) / 2;
	z += m * ertl_sigma(histogram[0] / m);
	return m * m / (2 * log(2) * z);
}

/* ---- the working form ---- */

static size_t
work_size(bool marked, uint32 capacity)
{
	return capacity > 0 ? capacity * sizeof(uint64) :
		sizeof(HllWork) + (marked ? 2 : 1) * (size_t) HLL_REGISTERS;
}

/* Slots of a table. */
static inline uint32
slot_count(const HllWork *work)
{
	return work->capacity - HLL_HEAD_SLOTS;
}

/* Whether a table of this capacity has room for so many, a quarter staying free. */
static inline bool
has_room(uint32 capacity, uint32 count)
{
	return count * 4 <= (capacity - HLL_HEAD_SLOTS) * 3;
}

static HllWork *
work_new(HllForm form, bool marked, uint32 capacity)
{
	HllWork    *work = palloc0(work_size(marked, capacity));

	work->version = HLL_VERSION;
	work->form = form;
	work->marked = marked;
	work->capacity = capacity;
	return work;
}

HllWork *
hll_work_new(bool marked)
{
	return work_new(HLL_WORK_SET, marked, HLL_MIN_CAPACITY);
}

size_t
hll_work_size(const HllWork *work)
{
	return work_size(work->marked, work->capacity);
}

HllWork *
hll_work_copy(const HllWork *work)
{
	size_t		size = hll_work_size(work);

	return memcpy(palloc(size), work, size);
}

/* As many slots are taken as are counted: looking for a free one ends. */
static bool
table_is_sound(const HllWork *work)
{
	uint32		taken = 0;
	uint32		i;

	for (i = 0; i < slot_count(work); i++)
		taken += work->slots[i] != 0;
	return taken == work->count && work->count <= HLL_EXACT;
}

static bool
registers_are_sound(const HllWork *work)
{
	const uint8 *regs = registers_const(work, false);
	size_t		n = (work->marked ? 2 : 1) * (size_t) HLL_REGISTERS;
	uint8		highest = 0;
	size_t		i;

	for (i = 0; i < n; i++)
		highest = Max(highest, regs[i]);
	return highest <= HLL_MAX_RANK;
}

bool
hll_is_work(const void *block, size_t size)
{
	const HllWork *work = block;

	if (size < sizeof(HllWork) || work->version != HLL_VERSION || work->marked > 1)
		return false;
	if (work->form == HLL_WORK_SET)
		return work->capacity > HLL_HEAD_SLOTS && (work->capacity & (work->capacity - 1)) == 0 &&
			work->count < slot_count(work) && size == hll_work_size(work) &&
			table_is_sound(work);
	return work->form == HLL_WORK_DENSE && work->capacity == 0 &&
		size == hll_work_size(work) && registers_are_sound(work);
}

/* The slot of a key: its own, or the free one where it belongs. */
static uint64 *
slot_of(HllWork *work, uint64 key)
{
	uint32		n = slot_count(work);
	uint32		i = (uint32) (key >> 1) & (work->capacity - 1);

	if (i >= n)
		i -= n;
	while (work->slots[i] != 0 && HLL_KEY(work->slots[i], work->marked) != key)
		if (++i == n)
			i = 0;
	return &work->slots[i];
}

/* Puts an entry, mark included, into a table that has room. */
static void
set_put(HllWork *work, uint64 entry)
{
	uint64	   *slot = slot_of(work, HLL_KEY(entry, work->marked));

	if (*slot == 0)
		work->count++;
	*slot |= entry;
}

static HllWork *
set_to_dense(const HllWork *work)
{
	HllWork    *dense = work_new(HLL_WORK_DENSE, work->marked, 0);
	uint32		i;

	for (i = 0; i < slot_count(work); i++)
		if (work->slots[i] != 0)
			register_add(dense, HLL_KEY(work->slots[i], work->marked),
						 work->marked && (work->slots[i] & HLL_MARK));
	return dense;
}

/* The table itself, or a copy that is large enough for so many. */
static HllWork *
set_with_room(HllWork *work, uint32 count)
{
	uint32		capacity = work->capacity;
	HllWork    *larger;
	uint32		i;

	while (!has_room(capacity, count))
		capacity *= 2;
	if (capacity == work->capacity)
		return work;
	larger = work_new(HLL_WORK_SET, work->marked, capacity);
	for (i = 0; i < slot_count(work); i++)
		if (work->slots[i] != 0)
			set_put(larger, work->slots[i]);
	return larger;
}

/* An entry is a usable key with its mark. */
static HllWork *
add_entry(HllWork *work, uint64 entry)
{
	uint64		key = HLL_KEY(entry, work->marked);

	if (work->form == HLL_WORK_SET)
	{
		uint64	   *slot = slot_of(work, key);

		if (*slot != 0)
		{
			*slot |= entry;
			return work;
		}
		if (work->count < HLL_EXACT)
		{
			if (!has_room(work->capacity, work->count + 1))
			{
				work = set_with_room(work, work->count + 1);
				slot = slot_of(work, key);
			}
			*slot = entry;
			work->count++;
			return work;
		}
		work = set_to_dense(work);
	}
	register_add(work, key, work->marked && (entry & HLL_MARK));
	return work;
}

HllWork *
hll_add(HllWork *work, uint64 hash, bool mark)
{
	return add_entry(work, usable_hash(hash, work->marked) |
					 (mark && work->marked ? HLL_MARK : 0));
}

/* ---- the compact form ---- */

static const char *const not_ascending = "hashes are not ascending";

static const char *
check_set(const HllView *view)
{
	uint64		before = 0;
	uint32		i;

	for (i = 0; i < view->count; i++)
	{
		uint64		key = HLL_KEY(hll_read_le64(view->data + i * 8), view->marked);

		if (key <= before)
			return not_ascending;
		before = key;
	}
	return NULL;
}

const char *
hll_view_frame(const void *block, size_t size, HllView *view)
{
	const uint8 *bytes = block;
	size_t		rest = size - HLL_HEADER;

	if (size < HLL_HEADER)
		return "too short";
	if (bytes[4] != HLL_VERSION)
		return "unknown version";
	if (bytes[6] > 1 || bytes[7] != 0)
		return "unknown flags";
	view->form = bytes[5];
	view->marked = bytes[6];
	view->data = bytes + HLL_HEADER;
	view->count = 0;
	if (view->form == HLL_SET)
	{
		if (rest % 8 != 0 || rest / 8 > HLL_EXACT)
			return "wrong length";
		view->count = rest / 8;
		return NULL;
	}
	if (view->form != HLL_DENSE)
		return "unknown form";
	if (rest != (view->marked ? 2 : 1) * (size_t) HLL_PACKED)
		return "wrong length";
	return NULL;
}

const char *
hll_view(const void *block, size_t size, HllView *view)
{
	const char *problem = hll_view_frame(block, size, view);

	if (problem != NULL)
		return problem;
	return view->form == HLL_SET ? check_set(view) : registers_merge(NULL, view);
}

HllWork *
hll_work_from_view(const HllView *view)
{
	HllWork    *work;
	uint32		capacity = HLL_MIN_CAPACITY;
	uint32		i;

	if (view->form == HLL_DENSE)
	{
		work = work_new(HLL_WORK_DENSE, view->marked, 0);
		(void) registers_merge(registers(work, false), view);
		return work;
	}
	while (!has_room(capacity, view->count + 1))
		capacity *= 2;
	work = work_new(HLL_WORK_SET, view->marked, capacity);
	for (i = 0; i < view->count; i++)
		set_put(work, hll_read_le64(view->data + i * 8));
	return work;
}

/*
 * Merging goes through blocks of its own.  first is the caller's; what was made
 * since is given back when another one takes its place.
 */
static HllWork *
in_place_of(HllWork *work, const HllWork *first, HllWork *next)
{
	if (next != work && work != first)
		pfree(work);
	return next;
}

static inline HllWork *
merge_entry(HllWork *work, const HllWork *first, uint64 entry)
{
	if (work->form == HLL_WORK_DENSE)
	{
		register_add(work, HLL_KEY(entry, work->marked), work->marked && (entry & HLL_MARK));
		return work;
	}
	return in_place_of(work, first, add_entry(work, entry));
}

/* Both carry marks or neither does: the caller has checked. */
HllWork *
hll_merge_work(HllWork *work, const HllWork *other)
{
	HllWork    *first = work;
	uint32		i;

	Assert(work->marked == other->marked);
	if (other->form == HLL_WORK_SET)
	{
		/* At least as many as the other's: growing step by step costs more. */
		if (work->form == HLL_WORK_SET)
			work = set_with_room(work, Max(work->count, other->count));
		for (i = 0; i < slot_count(other); i++)
			if (other->slots[i] != 0)
				work = merge_entry(work, first, other->slots[i]);
		return work;
	}
	if (work->form == HLL_WORK_SET)
		work = set_to_dense(work);
	registers_max(registers(work, false), registers_const(other, false),
				  (work->marked ? 2 : 1) * (size_t) HLL_REGISTERS);
	return work;
}

HllWork *
hll_merge_view(HllWork *work, const HllView *view, const char **problem)
{
	HllWork    *first = work;
	uint64		before = 0;
	uint32		i;

	Assert(work->marked == view->marked);
	*problem = NULL;
	if (view->form == HLL_DENSE)
	{
		if (work->form == HLL_WORK_SET)
			work = set_to_dense(work);
		*problem = registers_merge(registers(work, false), view);
		return work;
	}
	if (work->form == HLL_WORK_SET)
		work = set_with_room(work, Max(work->count, view->count));
	for (i = 0; i < view->count; i++)
	{
		uint64		entry = hll_read_le64(view->data + i * 8);
		uint64		key = HLL_KEY(entry, view->marked);

		if (unlikely(key <= before))
		{
			*problem = not_ascending;
			return work;
		}
		before = key;
		work = merge_entry(work, first, entry);
	}
	return work;
}

/*
 * The entries of a table in order.  Hashes are spread evenly: dealt by their
 * upper bits, about two to a place, they need few steps more.
 */
static void
sorted_entries(const HllWork *work, uint64 *entries)
{
	uint32		starts[HLL_EXACT];
	uint32		places = Min(work->capacity / 2, HLL_EXACT);
	int			shift = 64 - __builtin_ctz(places);
	uint32		sum = 0;
	uint32		i;

	memset(starts, 0, places * sizeof(starts[0]));
	for (i = 0; i < slot_count(work); i++)
		if (work->slots[i] != 0)
			starts[work->slots[i] >> shift]++;
	for (i = 0; i < places; i++)
	{
		uint32		n = starts[i];

		starts[i] = sum;
		sum += n;
	}
	Assert(sum == work->count);
	for (i = 0; i < slot_count(work); i++)
		if (work->slots[i] != 0)
			entries[starts[work->slots[i] >> shift]++] = work->slots[i];
	for (i = 1; i < work->count; i++)
	{
		uint64		entry = entries[i];
		uint32		j = i;

		for (; j > 0 && entries[j - 1] > entry; j--)
			entries[j] = entries[j - 1];
		entries[j] = entry;
	}
}

uint8 *
hll_compact(const HllWork *work, size_t *size)
{
	bool		is_set = work->form == HLL_WORK_SET;
	uint8	   *block;
	uint8	   *p;

	*size = HLL_HEADER + (is_set ? work->count * sizeof(uint64) :
						  (work->marked ? 2 : 1) * (size_t) HLL_PACKED);
	block = palloc0(*size);
	block[4] = HLL_VERSION;
	block[5] = is_set ? HLL_SET : HLL_DENSE;
	block[6] = work->marked;
	p = block + HLL_HEADER;
	if (is_set)
	{
		uint64	   *entries = palloc(Max(work->count, 1) * sizeof(uint64));
		uint32		i;

		sorted_entries(work, entries);
		for (i = 0; i < work->count; i++)
			write_le64(p + i * 8, entries[i]);
		pfree(entries);
	}
	else
	{
		registers_pack(registers_const(work, false), p);
		if (work->marked)
			registers_pack(registers_const(work, true), p + HLL_PACKED);
	}
	return block;
}

double
hll_view_count(const HllView *view, bool marked_only)
{
	uint8		regs[HLL_REGISTERS];
	uint32		count = 0;
	uint32		i;

	if (marked_only && !view->marked)
		return 0;
	if (view->form == HLL_DENSE)
	{
		registers_unpack(view->data + (marked_only ? HLL_PACKED : 0), regs);
		return registers_estimate(regs);
	}
	if (!marked_only)
		return view->count;
	for (i = 0; i < view->count; i++)
		count += hll_read_le64(view->data + i * 8) & HLL_MARK;
	return count;
}

double
hll_work_count(const HllWork *work, bool marked_only)
{
	uint32		count = 0;
	uint32		i;

	if (marked_only && !work->marked)
		return 0;
	if (work->form == HLL_WORK_DENSE)
		return registers_estimate(registers_const(work, marked_only));
	if (!marked_only)
		return work->count;
	for (i = 0; i < slot_count(work); i++)
		count += work->slots[i] & HLL_MARK;
	return count;
}
