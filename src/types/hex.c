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

static int
hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
hex_read_id(const char *s, size_t len, bool dashes, uint8 *dst, int nbytes)
{
	int			ndigits = 0;
	uint8		any = 0;
	size_t		i;

	for (i = 0; i < len; i++)
	{
		int			d = hex_digit((unsigned char) s[i]);

		if (d < 0)
		{
			if (dashes && s[i] == '-' && i > 0 && i + 1 < len && s[i - 1] != '-')
				continue;
			return false;
		}
		if (ndigits == nbytes * 2)
			return false;
		if (ndigits % 2 == 0)
			dst[ndigits / 2] = (uint8) (d << 4);
		else
			dst[ndigits / 2] |= (uint8) d;
		any |= (uint8) d;
		ndigits++;
	}
	return ndigits == nbytes * 2 && any != 0;
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
