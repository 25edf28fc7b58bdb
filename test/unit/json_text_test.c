/*
 * json_text_test.c
 *		Values of JSON numbers and strings.
 *
 * Doubles are held against strtod(), microseconds against 128-bit integer
 * arithmetic, over tables and over random texts from a fixed seed.
 */
#include <math.h>

#include "json/reader.h"

static int	failures = 0;

#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			failures++; \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)

static uint64 random_state = 88172645463325252u;

static uint64
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static ApmStr
str(const char *text)
{
	ApmStr		s = {text, (uint32_t) strlen(text)};

	return s;
}

static const struct
{
	const char *text;
	bool		ok;
	int64		micros;
}			micros_cases[] = {
	{"0", true, 0},
	{"-0", true, 0},
	{"0.000000", true, 0},
	{"0e999999999999", true, 0},
	{"1", true, 1000000},
	{"1767581155", true, INT64CONST(1767581155000000)},
	{"1767581155.029869", true, INT64CONST(1767581155029869)},
	{"1795353187.5358999", true, INT64CONST(1795353187535900)},
	{"1795353187.5358994", true, INT64CONST(1795353187535899)},
	{"1795353187.5358995", true, INT64CONST(1795353187535900)},
	{"1795353187.53589949999999999999999999999999", true, INT64CONST(1795353187535899)},
	{"1.767581155029869e9", true, INT64CONST(1767581155029869)},
	{"1767581155029.869E-3", true, INT64CONST(1767581155029869)},
	{"17675811550298690000e-10", true, INT64CONST(1767581155029869)},
	{"0.000001", true, 1},
	{"0.0000005", true, 1},
	{"0.00000049999", true, 0},
	{"0.0000004", true, 0},
	{"5e-7", true, 1},
	{"49e-8", true, 0},
	{"5e-8", true, 0},
	{"9999999999999999999999e-28", true, 1},
	{"1e-400", true, 0},
	{"1e-99999999999999999999", true, 0},
	{"-1.5", true, -1500000},
	{"-0.0000005", true, -1},
	{"-0.0000004", true, 0},
	{"-1795353187.5358995", true, INT64CONST(-1795353187535900)},
	{"9223372036854.775807", true, INT64_MAX},
	{"9223372036854.7758074", true, INT64_MAX},
	{"9223372036854.77580749999999999999", true, INT64_MAX},
	{"-9223372036854.775807", true, -INT64_MAX},
	{"9223372036854.7758075", false, 0},
	{"9223372036854.775808", false, 0},
	{"-9223372036854.775808", false, 0},	/* APM_MICROS_NULL */
	{"-9223372036854.7758075", false, 0},
	{"-9223372036854.775809", false, 0},
	{"9999999999999.999999", false, 0},
	{"9223372036866653004", false, 0},	/* digits alone, beyond 64 bits when one more is read */
	{"9999999999999999999", false, 0},
	{"99999999999999", false, 0},
	{"1e13", false, 0},
	{"1e12", true, INT64CONST(1000000000000000000)},
	{"0.000000000000000000000000000001e42", true, INT64CONST(1000000000000000000)},
	{"1e300", false, 0},
	{"1e99999999999999999999", false, 0},
	{"-1e99999999999999999999", false, 0},
	{"", false, 0},
	{"-", false, 0},
	{"+1", false, 0},
	{" 1", false, 0},
	{"1 ", false, 0},
	{"01", false, 0},
	{"1.", false, 0},
	{".5", false, 0},
	{"1e", false, 0},
	{"1e+", false, 0},
	{"1.5.5", false, 0},
	{"0x1", false, 0},
	{"NaN", false, 0},
	{"Infinity", false, 0},
	{"2026-01-05T00:00:00Z", false, 0},
};

static void
test_micros_table(void)
{
	int			i;

	for (i = 0; i < (int) lengthof(micros_cases); i++)
	{
		int64		micros = 42;
		bool		ok = json_number_micros(str(micros_cases[i].text), &micros);

		if (ok != micros_cases[i].ok || micros != (ok ? micros_cases[i].micros : 42))
		{
			failures++;
			printf("micros of %s: %d, %lld\n", micros_cases[i].text, ok, (long long) micros);
		}
	}
}

static void
test_int64_table(void)
{
	static const struct
	{
		const char *text;
		bool		ok;
		int64		value;
	}			cases[] = {
		{"0", true, 0},
		{"-0", true, 0},
		{"7", true, 7},
		{"-7", true, -7},
		{"1234567890123456789", true, INT64CONST(1234567890123456789)},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"9999999999999999999", false, 0},
		{"10000000000000000000", false, 0},
		{"18446744073709551617", false, 0},
		{"1.0", false, 0},
		{"1e0", false, 0},
		{"0.0", false, 0},
		{"01", false, 0},
		{"-", false, 0},
		{"", false, 0},
		{"1a", false, 0},
	};
	int			i;

	for (i = 0; i < (int) lengthof(cases); i++)
	{
		int64		value = 42;
		bool		ok = json_number_int64(str(cases[i].text), &value);

		if (ok != cases[i].ok || value != (ok ? cases[i].value : 42))
		{
			failures++;
			printf("int64 of %s: %d, %lld\n", cases[i].text, ok, (long long) value);
		}
	}
}

static void
check_double(const char *text)
{
	double		expected = strtod(text, NULL);
	double		got = json_number_double(str(text));

	if (memcmp(&expected, &got, sizeof(double)) != 0)
	{
		failures++;
		printf("double of %.60s: %.17g, not %.17g\n", text, got, expected);
	}
}

static void
test_double_table(void)
{
	static const char *const cases[] = {
		"0", "-0", "-0.0e5", "1", "0.1", "-0.1", "1e22", "1e23", "1e-22", "1e-23",
		"9007199254740992", "9007199254740993", "9007199254740993.0000000000000000001",
		"9007199254740991e22", "9007199254740993e-22", "123456789012345678e-5",
		"1767581155.029869", "1795353187.5358999", "3.141592653589793238462643383279",
		"1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
		"1e308", "1e309", "-1e309", "1e400", "1e401", "1e999999999999999999999",
		"2.2250738585072014e-308", "2.2250738585072011e-308", "5e-324", "2.4e-324",
		"2.5e-324", "1e-400", "-1e-401", "1e-999999999999999999999",
		"0.000000000000000000000000000000000000000000000000000001e54",
		"100000000000000000000000000000000000000000000000000000e-53",
	};
	char		text[3000];
	int			i;

	for (i = 0; i < (int) lengthof(cases); i++)
		check_double(cases[i]);

	/* Digits by the thousand, on either side of the point. */
	memset(text, '0', sizeof(text));
	text[0] = '1';
	strcpy(text + 2500, "e-2490");
	check_double(text);
	memset(text, '0', sizeof(text));
	text[1] = '.';
	strcpy(text + 2500, "7e2500");
	check_double(text);

	CHECK(isnan(json_number_double(str(""))));
	CHECK(isnan(json_number_double(str("NaN"))));
	CHECK(isnan(json_number_double(str("1 "))));
	CHECK(isnan(json_number_double(str("0x10"))));
}

/*
 * The hardest texts there are: points halfway between two doubles, written
 * out in full, and the nearest ones above and below.
 */
static void
test_double_halfway(void)
{
	static char text[6000];
	int			i;

	for (i = 0; i < 400; i++)
	{
		uint64		bits = next_random() & ~(UINT64CONST(1) << 63);
		double		value;
		long double middle;
		size_t		len;

		if (i % 4 == 0)
			bits &= (UINT64CONST(1) << 54) - 1;	/* denormal, or nearly so */
		if (i % 4 == 1)
			bits = (bits & ((UINT64CONST(1) << 56) - 1)) | UINT64CONST(0x3f) << 56;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value) || !isfinite(nextafter(value, INFINITY)))
			continue;
		middle = ((long double) value + (long double) nextafter(value, INFINITY)) / 2;
		snprintf(text, sizeof(text), "%.1100Lf", middle);
		check_double(text);
		len = strlen(text);
		memset(text + len, '0', 1000);
		strcpy(text + len + 1000, "1");
		check_double(text);

		/* Below: the last digit that is not zero is 5; take 4 and nines. */
		while (len > 0 && (text[len - 1] == '0' || text[len - 1] == '.'))
			len--;
		if (memchr(text, '.', len) != NULL && text[len - 1] == '5')
		{
			text[len - 1] = '4';
			memset(text + len, '9', 1500);
			text[len + 1500] = '\0';
			check_double(text);
		}
	}
}

/* Microseconds of digits * 10^exponent in 128-bit integers. */
static bool
naive_micros(unsigned __int128 digits, int exponent, bool negative, int64 *micros)
{
	const unsigned __int128 limit = INT64_MAX;

	for (exponent += 6; exponent > 0; exponent--)
	{
		if (digits > limit)
			return false;
		digits *= 10;
	}
	if (exponent < 0)
	{
		unsigned __int128 unit = 1;

		for (; exponent < 0 && unit <= digits; exponent++)
			unit *= 10;
		/* If the exponent is not used up, digits are less than a tenth of the unit. */
		digits = exponent < 0 ? 0 : digits / unit + (digits % unit * 2 >= unit);
	}
	if (digits > limit)
		return false;
	*micros = negative ? -(int64) digits : (int64) digits;
	return true;
}

static void
test_random_numbers(void)
{
	int			i;

	for (i = 0; i < 200000; i++)
	{
		char		text[128];
		char	   *out = text;
		unsigned __int128 digits = 0;
		int			exponent = 0;
		int			nwhole = 1 + next_random() % 14;
		int			nfraction = next_random() % 3 == 0 ? 0 : next_random() % 18;
		bool		negative = next_random() % 4 == 0;
		bool		ok;
		bool		expected_ok;
		int64		micros = 0;
		int64		expected = 0;
		int			j;

		if (negative)
			*out++ = '-';
		for (j = 0; j < nwhole + nfraction; j++)
		{
			int			digit = next_random() % 3 == 0 ? (next_random() % 2) * 9 : next_random() % 10;

			if (j == 0 && nwhole > 1 && digit == 0)
				digit = 1;
			if (j == nwhole)
				*out++ = '.';
			*out++ = '0' + digit;
			digits = digits * 10 + digit;
		}
		*out = '\0';
		exponent = -nfraction;
		if (next_random() % 3 == 0)
		{
			int			e = (int) (next_random() % 51) - 25;

			sprintf(out, "%c%s%d", next_random() % 2 ? 'e' : 'E', e >= 0 && next_random() % 2 ? "+" : "", e);
			exponent += e;
		}
		ok = json_number_micros(str(text), &micros);
		expected_ok = naive_micros(digits, exponent, negative, &expected);
		if (ok != expected_ok || micros != expected)
		{
			failures++;
			printf("micros of %s: %d, %lld, not %d, %lld\n", text, ok, (long long) micros,
				   expected_ok, (long long) expected);
		}
		check_double(text);
	}
}

/* Reads a string document. */
static JsonString
string_of(const char *document)
{
	JsonReader	r;
	JsonString	s = {"", 0, 0};

	json_reader_init(&r, document, strlen(document), 0);
	CHECK(json_reader_string(&r, &s) && json_reader_finish(&r));
	return s;
}

static void
test_unescape(void)
{
	static const struct
	{
		const char *document;
		const char *text;
	}			cases[] = {
		{"\"\"", ""},
		{"\"plain\"", "plain"},
		{"\"caf\xc3\xa9\"", "caf\xc3\xa9"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\"", "A"},
		{"\"a\\u0041b\\u0042\"", "aAbB"},
		{"\"\\u007f\\u0080\"", "\x7f\xc2\x80"},
		{"\"\\u07fF\\u0800\"", "\xdf\xbf\xe0\xa0\x80"},
		{"\"\\ud7ff\\ue000\\uFFFF\"", "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"},
		{"\"\\ud800\\udc00\"", "\xf0\x90\x80\x80"},
		{"\"\\uD83D\\ude00\"", "\xf0\x9f\x98\x80"},
		{"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"},
		{"\"\\u0000\"", "\xef\xbf\xbd"},
		{"\"a\\u0000b\"", "a\xef\xbf\xbd" "b"},
		{"\"\\ud800\"", "\xef\xbf\xbd"},
		{"\"\\udc00\"", "\xef\xbf\xbd"},
		{"\"\\ud800x\"", "\xef\xbf\xbdx"},
		{"\"\\ud800\\n\"", "\xef\xbf\xbd\n"},
		{"\"\\ud800\\u0041\"", "\xef\xbf\xbd" "A"},
		{"\"\\ud800\\ue000\"", "\xef\xbf\xbd\xee\x80\x80"},
		{"\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
		{"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\"\\\\u0041\"", "\\u0041"},
		{"\"\\\\\\u0041\\\\\"", "\\A\\"},
	};
	int			i;

	for (i = 0; i < (int) lengthof(cases); i++)
	{
		JsonString	s = string_of(cases[i].document);
		char	   *dst = palloc(s.len);	/* no more than promised */
		size_t		len = json_unescape(&s, dst);
		ApmStr		text = json_string_text(&s);

		if (len != strlen(cases[i].text) || memcmp(dst, cases[i].text, len) != 0 ||
			text.len != len || memcmp(text.data, dst, len) != 0 || !json_string_is(&s, cases[i].text))
		{
			failures++;
			printf("text of %s: %.*s\n", cases[i].document, (int) len, dst);
		}
		CHECK((text.data == s.data) == (strchr(cases[i].document, '\\') == NULL));
		if (text.data != s.data)
			pfree((char *) text.data);
		pfree(dst);
	}
}

static void
test_string_is(void)
{
	JsonString	s = string_of("\"spans\"");

	CHECK(json_string_is(&s, "spans"));
	CHECK(!json_string_is(&s, "span"));
	CHECK(!json_string_is(&s, "spans2"));
	CHECK(!json_string_is(&s, "spanS"));
	CHECK(!json_string_is(&s, ""));
	s = string_of("\"\"");
	CHECK(json_string_is(&s, ""));
	CHECK(!json_string_is(&s, "a"));
	s = string_of("\"sp\\u0061n\\u0073\"");
	CHECK(json_string_is(&s, "spans"));
	CHECK(!json_string_is(&s, "span"));
	CHECK(!json_string_is(&s, "spansx"));
	CHECK(!json_string_is(&s, "sp\\u0061n\\u0073"));
	s = string_of("\"\\u00e9\\ud83d\\ude00\"");
	CHECK(json_string_is(&s, "\xc3\xa9\xf0\x9f\x98\x80"));
	CHECK(!json_string_is(&s, "\xc3\xa9\xf0\x9f\x98"));
	CHECK(!json_string_is(&s, "\xc3"));
	CHECK(!json_string_is(&s, ""));
	s = string_of("\"a\\u0000\"");
	CHECK(!json_string_is(&s, "a"));
	CHECK(json_string_is(&s, "a\xef\xbf\xbd"));
	s = string_of("\"\\/type\"");
	CHECK(json_string_is(&s, "/type"));
}

static void
test_quote(void)
{
	char		text[256];
	char	   *quoted = palloc(6 * 256 + 2);
	size_t		len;
	JsonReader	r;
	JsonString	s;
	ApmStr		back;
	int			i;

	len = json_quote("", 0, quoted);
	CHECK(len == 2 && memcmp(quoted, "\"\"", 2) == 0);
	len = json_quote("a\"b\\c/\n\r\t\b\f\v\x01\x1f\x7f\xc3\xa9", 17, quoted);
	quoted[len] = '\0';
	CHECK(strcmp(quoted, "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u000b\\u0001\\u001f\x7f\xc3\xa9\"") == 0);
	len = json_quote("\0", 1, quoted);
	CHECK(len == 8 && memcmp(quoted, "\"\\u0000\"", 8) == 0);

	/* All of ASCII, back and forth; room to the byte. */
	for (i = 1; i < 128; i++)
		text[i - 1] = (char) i;
	len = json_quote(text, 127, quoted);
	json_reader_init(&r, quoted, len, 0);
	CHECK(json_reader_string(&r, &s) && json_reader_finish(&r));
	back = json_string_text(&s);
	CHECK(back.len == 127 && memcmp(back.data, text, 127) == 0);
	pfree((char *) back.data);
	memset(text, 1, sizeof(text));
	CHECK(json_quote(text, 256, quoted) == 6 * 256 + 2);
	pfree(quoted);
}

int
main(void)
{
	test_micros_table();
	test_int64_table();
	test_double_table();
	test_double_halfway();
	test_random_numbers();
	test_unescape();
	test_string_is();
	test_quote();
	printf("json_text: %d failures\n", failures);
	return failures > 0;
}
