/*
 * store/cron.c
 *		Crontab schedules.  Pure.
 */
#include "store/cron.h"

#define MINUTES_PER_DAY	1440

/* Two leap years lie at most eight years apart (1896, 1904). */
#define MAX_DAYS		(8 * 366 + 1)

static const char *const month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"
};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* A field: what numbers may stand in it, and which names for them. */
typedef struct CronField
{
	int			low;
	int			high;
	const char *const *names;
	int			nnames;
	int			first_name;		/* number of the first name */
} CronField;

static const CronField fields[] = {
	{0, 59, NULL, 0, 0},
	{0, 23, NULL, 0, 0},
	{1, 31, NULL, 0, 0},
	{1, 12, month_names, 12, 1},
	{0, 7, weekday_names, 7, 0}
};

static const struct
{
	const char *name;
	const char *schedule;
}			shorthands[] =
{
	{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"}
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* A number of one or two digits, or a name of three letters. */
static bool
read_number(const char **p, const char *end, const CronField *field, int *value)
{
	int			i;

	if (*p < end && **p >= '0' && **p <= '9')
	{
		*value = 0;
		for (i = 0; i < 3 && *p < end && **p >= '0' && **p <= '9'; i++)
			*value = *value * 10 + *(*p)++ - '0';
		return i < 3;
	}
	if (end - *p < 3)
		return false;
	for (i = 0; i < field->nnames; i++)
	{
		const char *name = field->names[i];

		if (lower((*p)[0]) == name[0] && lower((*p)[1]) == name[1] && lower((*p)[2]) == name[2])
		{
			*p += 3;
			*value = i + field->first_name;
			return true;
		}
	}
	return false;
}

/* *, n, n-m, each with an optional /step; "n/step" runs to the field's end. */
static bool
read_range(const char **p, const char *end, const CronField *field, uint64 *bits)
{
	int			low = field->low;
	int			high = field->high;
	int			step = 1;
	int			i;
	bool		single = false;

	if (*p < end && **p == '*')
		(*p)++;
	else
	{
		if (!read_number(p, end, field, &low))
			return false;
		single = true;
		if (*p < end && **p == '-')
		{
			(*p)++;
			single = false;
			if (!read_number(p, end, field, &high))
				return false;
			if (field->nnames == 7 && high == 0 && low > 0)
				high = 7;		/* fri-sun */
		}
	}
	if (*p < end && **p == '/')
	{
		(*p)++;
		single = false;
		if (*p == end || **p < '0' || **p > '9' ||
			!read_number(p, end, field, &step) || step == 0)
			return false;
	}
	if (single)
		high = low;
	if (low < field->low || high > field->high || low > high)
		return false;
	for (i = low; i <= high; i += step)
		*bits |= UINT64CONST(1) << i;
	return true;
}

static bool
read_field(const char **p, const char *end, const CronField *field, uint64 *bits)
{
	*bits = 0;
	for (;;)
	{
		if (!read_range(p, end, field, bits))
			return false;
		if (*p == end || is_blank(**p))
			return true;
		if (**p != ',')
			return false;
		(*p)++;
	}
}

static bool
shorthand(const char *s, size_t len, CronSchedule *schedule)
{
	size_t		i;

	for (i = 0; i < lengthof(shorthands); i++)
		if (len == strlen(shorthands[i].name) && memcmp(s, shorthands[i].name, len) == 0)
			return cron_parse(shorthands[i].schedule, strlen(shorthands[i].schedule), schedule);
	return false;
}

bool
cron_parse(const char *s, size_t len, CronSchedule *schedule)
{
	const char *p = s;
	const char *end = s + len;
	uint64		bits[lengthof(fields)];
	bool		star[lengthof(fields)];
	size_t		i;

	while (p < end && is_blank(*p))
		p++;
	while (p < end && is_blank(end[-1]))
		end--;
	if (p < end && *p == '@')
		return shorthand(p, end - p, schedule);
	for (i = 0; i < lengthof(fields); i++)
	{
		while (p < end && is_blank(*p))
			p++;
		star[i] = p < end && *p == '*';
		if (!read_field(&p, end, &fields[i], &bits[i]))
			return false;
	}
	if (p != end)
		return false;
	schedule->minutes = bits[0];
	schedule->hours = (uint32) bits[1];
	schedule->days = (uint32) bits[2];
	schedule->months = (uint16) bits[3];
	schedule->weekdays = (uint8) ((bits[4] | bits[4] >> 7) & 0x7f);	/* 7 is Sunday too */
	schedule->any_day = star[2];
	schedule->any_weekday = star[4];
	return true;
}

/* Year, month and day of a number of days since 2000-01-01. */
static void
civil_from_days(int64 days, int *month, int *mday)
{
	/* Counted from 1 March of year 0 of the 400 year cycle, so that leap days come last. */
	int64		d = days + 730425;
	int64		era = (d >= 0 ? d : d - 146096) / 146097;
	int			doe = (int) (d - era * 146097);
	int			yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int			doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int			mp = (5 * doy + 2) / 153;

	*mday = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
}

/*
 * Where both day fields are restricted, either may match; a star in one leaves
 * the other to decide.
 */
static bool
day_matches(const CronSchedule *s, int64 day)
{
	int			month;
	int			mday;
	int			weekday = (int) (((day + 6) % 7 + 7) % 7);	/* 2000-01-01 was a Saturday */
	bool		by_day;
	bool		by_weekday;

	civil_from_days(day, &month, &mday);
	if ((s->months & (1u << month)) == 0)
		return false;
	by_day = (s->days & (1u << mday)) != 0;
	by_weekday = (s->weekdays & (1u << weekday)) != 0;
	if (s->any_day || s->any_weekday)
		return by_day && by_weekday;
	return by_day || by_weekday;
}

int64
cron_next(const CronSchedule *s, int64 after)
{
	int64		next = after + 1;
	int64		day = next >= 0 ? next / MINUTES_PER_DAY : -((-next + MINUTES_PER_DAY - 1) / MINUTES_PER_DAY);
	int			minute = (int) (next - day * MINUTES_PER_DAY);
	int			i;

	for (i = 0; i < MAX_DAYS; i++, day++, minute = 0)
	{
		if (!day_matches(s, day))
			continue;
		for (; minute < MINUTES_PER_DAY; minute++)
			if ((s->hours & (1u << (minute / 60))) != 0 &&
				(s->minutes & (UINT64CONST(1) << (minute % 60))) != 0)
				return day * MINUTES_PER_DAY + minute;
	}
	return CRON_NEVER;
}
