/*
 * json/scan.h
 *		Passing over runs of bytes, the reader's inner loops.
 *
 * Each function takes a position and the end of the input and returns the
 * first position that does not belong to the run.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_JSON_SCAN_H
#define PG_APM_JSON_SCAN_H

#include "shim.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static __attribute__((noinline)) const char *
scan_spaces(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* SDKs send compact JSON: one comparison decides nearly always. */
static inline const char *
scan_space(const char *p, const char *end)
{
	if (likely(p < end && (unsigned char) *p > ' '))
		return p;
	return scan_spaces(p, end);
}

#ifdef __SSE2__

/*
 * One bit for each of 16 bytes: does it end a run of printable ASCII other
 * than quote and backslash?
 */
static inline unsigned int
find_special(const char *p)
{
	/* Compared as signed bytes, non-ASCII is less than a space, too. */
	__m128i		v = _mm_loadu_si128((const __m128i *) p);
	__m128i		special = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(' ')),
									   _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
													_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));

	return (unsigned int) _mm_movemask_epi8(special);
}

#endif

/* Passes over printable ASCII other than quote and backslash. */
static inline const char *
scan_plain(const char *p, const char *end)
{
#ifdef __SSE2__
	while (end - p >= 16)
	{
		unsigned int special = find_special(p);

		if (special != 0)
			return p + __builtin_ctz(special);
		p += 16;
	}
#else
	const uint64 ones = UINT64CONST(0x0101010101010101);
	const uint64 highs = UINT64CONST(0x8080808080808080);

	/* Eight bytes at a time while none of them can be special. */
	while (end - p >= 8)
	{
		uint64		v;
		uint64		quote;
		uint64		backslash;

		memcpy(&v, p, sizeof(v));
		quote = v ^ (ones * '"');
		backslash = v ^ (ones * '\\');
		if ((((v - ones * ' ') | (quote - ones) | (backslash - ones) | v) & highs) != 0)
			break;
		p += 8;
	}
#endif
	while (p < end && (signed char) *p >= ' ' && *p != '"' && *p != '\\')
		p++;
	return p;
}

static inline const char *
scan_digits(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i zero = _mm_set1_epi8('0');
	const __m128i nine = _mm_set1_epi8(9);

	while (end - p >= 16)
	{
		__m128i		v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *) p), zero);
		__m128i		digit = _mm_cmpeq_epi8(_mm_min_epu8(v, nine), v);
		unsigned int others = (unsigned int) _mm_movemask_epi8(digit) ^ 0xffff;

		if (others != 0)
			return p + __builtin_ctz(others);
		p += 16;
	}
#endif
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

#endif							/* PG_APM_JSON_SCAN_H */
