/*
 * types/hex.c
 *		Ids as hex digits and status names.  Pure.
 */
#include "types/hex.h"

const char *const apm_status_names[APM_STATUS_COUNT] = {
	"ok", "cancelled", "unknown", "invalid_argument", "deadline_exceeded",
	"not_found", "already_exists", "permission_denied", "resource_exhausted",
	"failed_precondition", "aborted", "out_of_range", "unimplemented",
	"internal_error", "unavailable", "data_loss", "unauthenticated"
};

/* A hex digit: its value and DIGIT; 0 for every other byte. */
#define DIGIT	0x80

static const uint8 digit_values[256] = {
	['0'] = DIGIT | 0, ['1'] = DIGIT | 1, ['2'] = DIGIT | 2, ['3'] = DIGIT | 3,
	['4'] = DIGIT | 4, ['5'] = DIGIT | 5, ['6'] = DIGIT | 6, ['7'] = DIGIT | 7,
	['8'] = DIGIT | 8, ['9'] = DIGIT | 9,
	['a'] = DIGIT | 10, ['b'] = DIGIT | 11, ['c'] = DIGIT | 12,
	['d'] = DIGIT | 13, ['e'] = DIGIT | 14, ['f'] = DIGIT | 15,
	['A'] = DIGIT | 10, ['B'] = DIGIT | 11, ['C'] = DIGIT | 12,
	['D'] = DIGIT | 13, ['E'] = DIGIT | 14, ['F'] = DIGIT | 15
};

/* Digits and nothing else, the form in which nearly all ids come. */
static bool
read_plain_id(const char *s, uint8 *dst, int nbytes)
{
	uint8		all = DIGIT;
	uint8		any = 0;
	int			i;

	for (i = 0; i < nbytes; i++)
	{
		uint8		high = digit_values[(unsigned char) s[2 * i]];
		uint8		low = digit_values[(unsigned char) s[2 * i + 1]];

		all &= high & low;
		dst[i] = (uint8) (high << 4 | (low & 0x0f));
		any |= dst[i];
	}
	return (all & DIGIT) != 0 && any != 0;
}

/* Digits with dashes between them, in pairs of digits or elsewhere. */
static bool
read_dashed_id(const char *s, size_t len, uint8 *dst, int nbytes)
{
	int			ndigits = 0;
	uint8		any = 0;
	size_t		i;

	for (i = 0; i < len; i++)
	{
		uint8		d = digit_values[(unsigned char) s[i]];

		if (d == 0)
		{
			if (s[i] == '-' && i > 0 && i + 1 < len && s[i - 1] != '-')
				continue;
			return false;
		}
		if (ndigits == nbytes * 2)
			return false;
		if (ndigits % 2 == 0)
			dst[ndigits / 2] = (uint8) (d << 4);
		else
			dst[ndigits / 2] |= d & 0x0f;
		any |= d & 0x0f;
		ndigits++;
	}
	return ndigits == nbytes * 2 && any != 0;
}

bool
hex_read_id(const char *s, size_t len, bool dashes, uint8 *dst, int nbytes)
{
	if (len == (size_t) nbytes * 2)
		return read_plain_id(s, dst, nbytes);
	return dashes && len > (size_t) nbytes * 2 && read_dashed_id(s, len, dst, nbytes);
}

bool
hex_read_span_id(const char *s, size_t len, uint64 *id)
{
	uint8		bytes[8];
	int			i;

	if (!hex_read_id(s, len, false, bytes, 8))
		return false;
	*id = 0;
	for (i = 0; i < 8; i++)
		*id = (*id << 8) | bytes[i];
	return true;
}

void
hex_write(const uint8 *src, int nbytes, char *dst)
{
	static const char digits[] = "0123456789abcdef";
	int			i;

	for (i = 0; i < nbytes; i++)
	{
		dst[2 * i] = digits[src[i] >> 4];
		dst[2 * i + 1] = digits[src[i] & 15];
	}
}

void
hex_span_id_bytes(uint64 id, uint8 dst[8])
{
	int			i;

	for (i = 7; i >= 0; i--)
	{
		dst[i] = (uint8) id;
		id >>= 8;
	}
}

int
hex_status_code(const char *s, size_t len)
{
	static const struct
	{
		const char *name;
		int			code;
	}			aliases[] = {
		{"success", 0}, {"unknown_error", 2}, {"failure", 13}, {"canceled", 1}
	};
	size_t		i;

	for (i = 0; i < APM_STATUS_COUNT; i++)
		if (strlen(apm_status_names[i]) == len && memcmp(apm_status_names[i], s, len) == 0)
			return (int) i;
	for (i = 0; i < lengthof(aliases); i++)
		if (strlen(aliases[i].name) == len && memcmp(aliases[i].name, s, len) == 0)
			return aliases[i].code;
	return APM_STATUS_NULL;
}
