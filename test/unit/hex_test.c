/*
 * hex_test.c
 *		Ids as hex digits, names of statuses.
 */
#include "types/hex.h"

static int	failures = 0;

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	failures++;
	printf("hex: %s\n", what);
}

/* Whether text is read as the 16 bytes 01 23 … ef fe … 10 or refused. */
static bool
reads(const char *s, bool dashes)
{
	static const uint8 want[16] = {
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
		0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10
	};
	size_t		len = strlen(s);
	char	   *exact = palloc(len);
	uint8		got[16];
	bool		ok;

	/* A copy without a NUL: reading past the length is seen. */
	memcpy(exact, s, len);
	ok = hex_read_id(exact, len, dashes, got, 16);
	pfree(exact);
	return ok && memcmp(got, want, 16) == 0;
}

static void
test_read(void)
{
	check(reads("0123456789abcdeffedcba9876543210", false), "lower case");
	check(reads("0123456789ABCDEFfedcBA9876543210", false), "mixed case");
	check(reads("01234567-89ab-cdef-fedc-ba9876543210", true), "dashes of a uuid");
	check(reads("0-123456789abcdeffedcba987654321-0", true), "dashes elsewhere");
	check(!reads("01234567-89ab-cdef-fedc-ba9876543210", false), "dashes not allowed");
	check(!reads("-0123456789abcdeffedcba9876543210", true), "leading dash");
	check(!reads("0123456789abcdeffedcba9876543210-", true), "trailing dash");
	check(!reads("01234567--89abcdeffedcba9876543210", true), "two dashes");
	check(!reads("", true), "empty");
	check(!reads("0123456789abcdeffedcba987654321", true), "31 digits");
	check(!reads("0123456789abcdeffedcba98765432100", true), "33 digits");
	check(!reads("0123456789abcdeffedcba987654321g", true), "g");
	check(!reads("0123456789abcdeffedcba987654321\xc3", true), "a byte above 127");
	check(!reads(" 123456789abcdeffedcba9876543210", true), "blank");
	check(!reads("00000000000000000000000000000000", true), "all zero");
}

/* Every byte in place of a digit: only the 22 digits pass. */
static void
test_all_bytes(void)
{
	int			c;

	for (c = 0; c < 256; c++)
	{
		char		s[16] = "000000000000000";
		const char *digits = "0123456789abcdefABCDEF";
		uint64		id = 42;
		bool		digit = c != 0 && strchr(digits, c) != NULL;
		bool		got;

		s[15] = (char) c;
		got = hex_read_span_id(s, 16, &id);
		if (got != (digit && c != '0'))
			check(false, "which bytes are digits");
		if (got)
		{
			char		two[2] = {(char) c, 0};

			check(id == strtoul(two, NULL, 16), "value of a digit");
		}
	}
}

static void
test_span_id(void)
{
	uint64		id = 0;
	uint8		bytes[8];
	char		text[16];

	check(hex_read_span_id("00f067aa0ba902b7", 16, &id) && id == UINT64CONST(0x00f067aa0ba902b7), "span id");
	check(hex_read_span_id("FFFFFFFFFFFFFFFF", 16, &id) && id == UINT64_MAX, "largest span id");
	check(!hex_read_span_id("00f067aa-0ba902b7", 17, &id), "a span id has no dashes");
	check(!hex_read_span_id("0000000000000000", 16, &id), "span id zero");
	check(!hex_read_span_id("00f067aa0ba902b", 15, &id), "short span id");
	hex_span_id_bytes(UINT64CONST(0x00f067aa0ba902b7), bytes);
	hex_write(bytes, 8, text);
	check(memcmp(text, "00f067aa0ba902b7", 16) == 0, "digits of a span id");
}

static void
test_status(void)
{
	int			i;

	for (i = 0; i < APM_STATUS_COUNT; i++)
		check(hex_status_code(apm_status_names[i], strlen(apm_status_names[i])) == i, "status by name");
	check(hex_status_code("ok", 1) == APM_STATUS_NULL, "length counts");
	check(hex_status_code("success", 7) == 0, "success");
	check(hex_status_code("unknown_error", 13) == 2, "unknown_error");
	check(hex_status_code("failure", 7) == 13, "failure");
	check(hex_status_code("canceled", 8) == 1, "canceled");
	check(hex_status_code("OK", 2) == APM_STATUS_NULL, "upper case is none");
	check(hex_status_code("", 0) == APM_STATUS_NULL, "empty is none");
	check(hex_status_code("internal_error", 14) == 13, "gRPC number of internal_error");
	check(hex_status_code("unauthenticated", 15) == 16, "gRPC number of unauthenticated");
}

int
main(void)
{
	test_read();
	test_all_bytes();
	test_span_id();
	test_status();
	return failures != 0;
}
