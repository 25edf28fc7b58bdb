/*
 * json/number.c
 *		Values of JSON numbers.  Pure.
 */
#include "json/reader.h"

#include <float.h>
#include <math.h>

/* Significant digits that always fit into 64 bits. */
#define HEAD_DIGITS			19

/*
 * Digits after which all that matters for the nearest double is whether any
 * of the others is not zero: a point halfway between two doubles has at most
 * 767.
 */
#define DECIDING_DIGITS		800

/* An exponent beyond any that the digits of the longest input could offset. */
#define EXPONENT_LIMIT		INT64CONST(1000000000000)

/* A number taken apart; its value is 0.DDD… * 10^point. */
typedef struct Decimal
{
	bool		negative;
	bool		integer;		/* neither fraction nor exponent */
	const char *first;			/* first digit that is not zero */
	int64		ndigits;		/* from there on; 0 for zero */
	int64		point;
	uint64		head;			/* the first Min(ndigits, HEAD_DIGITS) of them */
	int			next;			/* the one after the head */
} Decimal;

static const int64 powers_of_ten[HEAD_DIGITS] = {
	INT64CONST(1), INT64CONST(10), INT64CONST(100), INT64CONST(1000),
	INT64CONST(10000), INT64CONST(100000), INT64CONST(1000000),
	INT64CONST(10000000), INT64CONST(100000000), INT64CONST(1000000000),
	INT64CONST(10000000000), INT64CONST(100000000000),
	INT64CONST(1000000000000), INT64CONST(10000000000000),
	INT64CONST(100000000000000), INT64CONST(1000000000000000),
	INT64CONST(10000000000000000), INT64CONST(100000000000000000),
	INT64CONST(1000000000000000000)
};

/* Reads a run of digits of the integer part or of the fraction. */
static const char *
take_digits(Decimal *d, const char *p, const char *end, bool fraction)
{
	for (; p < end && *p >= '0' && *p <= '9'; p++)
	{
		int			digit = *p - '0';

		if (d->ndigits == 0 && digit == 0)
		{
			/* Zeros in front: those of the fraction move the point. */
			d->point -= fraction;
			continue;
		}
		if (d->ndigits == 0)
			d->first = p;
		if (d->ndigits < HEAD_DIGITS)
			d->head = d->head * 10 + digit;
		else if (d->ndigits == HEAD_DIGITS)
			d->next = digit;
		d->ndigits++;
		d->point += !fraction;
	}
	return p;
}

/* Reads an exponent, p behind the letter.  NULL if it has no digits. */
static const char *
take_exponent(Decimal *d, const char *p, const char *end)
{
	bool		negative = p < end && *p == '-';
	const char *digits;
	int64		exponent = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	digits = p;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
	{
		if (exponent < EXPONENT_LIMIT)
			exponent = exponent * 10 + (*p - '0');
	}
	d->point += negative ? -exponent : exponent;
	return p > digits ? p : NULL;
}

/* Takes a number apart; false if the text is not a JSON number. */
static bool
decimal_parse(ApmStr text, Decimal *d)
{
	const char *p = text.data;
	const char *end;
	const char *digits;

	memset(d, 0, sizeof(Decimal));
	d->integer = true;
	if (text.len == 0)
		return false;
	end = p + text.len;
	if (*p == '-')
	{
		d->negative = true;
		p++;
	}
	digits = p;
	p = take_digits(d, p, end, false);
	if (p == digits || (*digits == '0' && p > digits + 1))
		return false;
	if (p < end && *p == '.')
	{
		d->integer = false;
		digits = ++p;
		p = take_digits(d, p, end, true);
		if (p == digits)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		d->integer = false;
		p = take_exponent(d, p + 1, end);
		if (p == NULL)
			return false;
	}
	return p == end;
}

/*
 * Nearest double by strtod(), from a copy of bounded length: the deciding
 * digits, one more that says whether something follows, and the exponent.
 */
static double
decimal_strtod(const Decimal *d)
{
	char		buf[DECIDING_DIGITS + 64];
	char	   *out = buf;
	const char *p = d->first;
	int64		left = d->ndigits;

	/* Beyond these every double is infinite or zero. */
	if (d->point > 400)
		return HUGE_VAL;
	if (d->point < -400)
		return 0.0;

	/* An integer of digits; the exponent says how far the point is off. */
	for (; left > 0 && out < buf + DECIDING_DIGITS; p++)
	{
		if (*p == '.')
			continue;
		*out++ = *p;
		left--;
	}
	for (; left > 0; p++)
	{
		if (*p == '.')
			continue;
		left--;
		if (*p != '0')
		{
			*out++ = '1';
			break;
		}
	}
	snprintf(out, buf + sizeof(buf) - out, "e%d", (int) (d->point - (out - buf)));
	return strtod(buf, NULL);
}

double
json_number_double(ApmStr text)
{
	/* Powers of ten that a double holds exactly. */
	static const double exact[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
	};
	Decimal		d;
	double		value;
	int64		scale;

	if (!decimal_parse(text, &d))
		return NAN;
	scale = d.point - d.ndigits;

	/*
	 * Digits and power both exact: one operation, rounded once, is correct.
	 * That presumes arithmetic in double, which x87 does not do.
	 */
	if (d.ndigits == 0)
		value = 0.0;
	else if (FLT_EVAL_METHOD == 0 && d.ndigits <= HEAD_DIGITS &&
			 d.head <= UINT64CONST(1) << 53 && scale >= -22 && scale <= 22)
		value = scale < 0 ? (double) d.head / exact[-scale] : (double) d.head * exact[scale];
	else
		value = decimal_strtod(&d);
	return d.negative ? -value : value;
}

/* Gives a magnitude its sign; false if the result does not fit. */
static bool
apply_sign(uint64 magnitude, bool negative, int64 *value)
{
	uint64		limit = (uint64) INT64_MAX + (negative ? 1 : 0);

	if (magnitude > limit)
		return false;
	*value = negative ? (int64) (UINT64CONST(0) - magnitude) : (int64) magnitude;
	return true;
}

/* The same for digits alone, few enough to fit. */
static bool
plain_integer(ApmStr text, int64 *value)
{
	const char *p = text.data;
	const char *end = p + text.len;
	int64		sum = 0;

	if (text.len == 0 || text.len >= HEAD_DIGITS || *p == '0')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		sum = sum * 10 + (*p - '0');
	if (p < end)
		return false;
	*value = sum;
	return true;
}

bool
json_number_int64(ApmStr text, int64 *value)
{
	Decimal		d;

	if (plain_integer(text, value))
		return true;
	return decimal_parse(text, &d) && d.integer && d.ndigits <= HEAD_DIGITS &&
		apply_sign(d.head, d.negative, value);
}

/*
 * The form in which nearly all times come: up to twelve digits, and behind the
 * point no more than six.  False, and nothing set, if it is another.
 */
static bool
plain_micros(ApmStr text, int64 *micros)
{
	const char *p = text.data;
	const char *end = text.data + text.len;
	const char *point;
	int64		value = 0;

	if (text.len == 0 || text.len > 12 + 1 + 6 || *p == '0')
		return false;
	/* A thirteenth digit is looked at, so that it is seen; more would overflow. */
	for (; p < end && p - text.data <= 12 && *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (*p - '0');
	point = p;
	if (point == text.data || point - text.data > 12 || end - point < 2 || end - point > 7 ||
		*point != '.')
		return false;
	for (p++; p < end && *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (*p - '0');
	if (p < end)
		return false;
	*micros = value * powers_of_ten[7 - (end - point)];
	return true;
}

bool
json_number_micros(ApmStr text, int64 *micros)
{
	Decimal		d;
	uint64		magnitude;
	int64		whole;			/* digits of the result */
	int			known;			/* digits in d.head */
	int64		result;

	if (plain_micros(text, micros))
		return true;
	if (!decimal_parse(text, &d))
		return false;
	known = (int) Min(d.ndigits, HEAD_DIGITS);
	whole = d.point + 6;
	if (d.ndigits == 0 || whole < 0)
		magnitude = 0;			/* less than a tenth of a microsecond */
	else if (whole > HEAD_DIGITS)
		return false;
	else if (whole == HEAD_DIGITS && known == HEAD_DIGITS)
		magnitude = d.head + (d.next >= 5);
	else if (whole >= known)
		magnitude = d.head * (uint64) powers_of_ten[whole - known];
	else if (known - whole == HEAD_DIGITS)
		magnitude = d.head >= UINT64CONST(5000000000000000000);
	else
	{
		uint64		unit = (uint64) powers_of_ten[known - whole];

		/* The first digit that is cut off decides. */
		magnitude = d.head / unit + (d.head % unit >= unit / 2);
	}

	/* The smallest int64 marks an unknown time, it is not one. */
	if (!apply_sign(magnitude, d.negative, &result) || result == APM_MICROS_NULL)
		return false;
	*micros = result;
	return true;
}
