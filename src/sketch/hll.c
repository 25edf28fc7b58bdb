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

	if (registers(work, false)[index] < rank)
		registers(work, false)[index] = rank;
	if (mark && registers(work, true)[index] < rank)
		registers(work, true)[index] = rank;
}

static void
registers_unpack(const uint8 *packed, uint8 *dst)
{
	int			i;

	for (i = 0; i < HLL_REGISTERS; i += 4, packed += 3)
	{
		uint32		v = packed[0] | packed[1] << 8 | (uint32) packed[2] << 16;

		dst[i] = v & 63;
		dst[i + 1] = v >> 6 & 63;
		dst[i + 2] = v >> 12 & 63;
		dst[i + 3] = v >> 18;
	}
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

static void
registers_max(uint8 *dst, const uint8 *src)
{
	int			i;

	for (i = 0; i < HLL_REGISTERS; i++)
		dst[i] = Max(dst[i], src[i]);
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
	double		z;
	int			i;

	for (i = 0; i < HLL_REGISTERS; i++)
		histogram[regs[i]]++;
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

static HllWork *
set_grow(const HllWork *work)
{
	HllWork    *larger = work_new(HLL_WORK_SET, work->marked, work->capacity * 2);
	uint32		i;

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
				work = set_grow(work);
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

/* NULL if the registers are sound, else what is wrong. */
static const char *
check_registers(const HllView *view)
{
	uint8		regs[HLL_REGISTERS];
	uint8		marked[HLL_REGISTERS];
	int			i;

	registers_unpack(view->data, regs);
	if (view->marked)
		registers_unpack(view->data + HLL_PACKED, marked);
	for (i = 0; i < HLL_REGISTERS; i++)
	{
		if (regs[i] > HLL_MAX_RANK)
			return "a register is out of range";
		if (view->marked && marked[i] > regs[i])
			return "a register of marked values exceeds that of all";
	}
	return NULL;
}

static const char *
check_set(const HllView *view)
{
	uint64		before = 0;
	uint32		i;

	for (i = 0; i < view->count; i++)
	{
		uint64		key = HLL_KEY(hll_read_le64(view->data + i * 8), view->marked);

		if (key <= before)
			return "hashes are not ascending";
		before = key;
	}
	return NULL;
}

const char *
hll_view(const void *block, size_t size, HllView *view)
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
		return check_set(view);
	}
	if (view->form != HLL_DENSE)
		return "unknown form";
	if (rest != (view->marked ? 2 : 1) * (size_t) HLL_PACKED)
		return "wrong length";
	return check_registers(view);
}

static HllWork *
dense_from_view(const HllView *view)
{
	HllWork    *work = work_new(HLL_WORK_DENSE, view->marked, 0);

	registers_unpack(view->data, registers(work, false));
	if (view->marked)
		registers_unpack(view->data + HLL_PACKED, registers(work, true));
	return work;
}

HllWork *
hll_work_from_view(const HllView *view)
{
	HllWork    *work;
	uint32		capacity = HLL_MIN_CAPACITY;
	uint32		i;

	if (view->form == HLL_DENSE)
		return dense_from_view(view);
	while (!has_room(capacity, view->count + 1))
		capacity *= 2;
	work = work_new(HLL_WORK_SET, view->marked, capacity);
	for (i = 0; i < view->count; i++)
		set_put(work, hll_read_le64(view->data + i * 8));
	return work;
}

/*
 * Adds an entry during a merge.  first is the caller's block; what was made
 * since is ours, and is given back when a larger one takes its place.
 */
static HllWork *
merge_entry(HllWork *work, const HllWork *first, uint64 entry)
{
	HllWork    *next = add_entry(work, entry);

	if (next != work && work != first)
		pfree(work);
	return next;
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
		for (i = 0; i < slot_count(other); i++)
			if (other->slots[i] != 0)
				work = merge_entry(work, first, other->slots[i]);
		return work;
	}
	if (work->form == HLL_WORK_SET)
		work = set_to_dense(work);
	registers_max(registers(work, false), registers_const(other, false));
	if (work->marked)
		registers_max(registers(work, true), registers_const(other, true));
	return work;
}

HllWork *
hll_merge_view(HllWork *work, const HllView *view)
{
	HllWork    *first = work;
	uint32		i;

	Assert(work->marked == view->marked);
	if (view->form == HLL_DENSE)
	{
		HllWork    *other = dense_from_view(view);

		work = hll_merge_work(work, other);
		pfree(other);
		return work;
	}
	for (i = 0; i < view->count; i++)
		work = merge_entry(work, first, hll_read_le64(view->data + i * 8));
	return work;
}

static int
compare_entries(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y;
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
		uint32		n = 0;
		uint32		i;

		for (i = 0; i < slot_count(work) && n < work->count; i++)
			if (work->slots[i] != 0)
				entries[n++] = work->slots[i];
		qsort(entries, n, sizeof(uint64), compare_entries);
		for (i = 0; i < n; i++)
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
