/*
 * store/cron.h
 *		Crontab schedules: five fields, lists, ranges, steps and names.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_CRON_H
#define PG_APM_CRON_H

#include "shim.h"

#define CRON_NEVER	INT64_MIN

typedef struct CronSchedule
{
	uint64		minutes;		/* bit n: minute n */
	uint32		hours;
	uint32		days;			/* of the month, 1..31 */
	uint16		months;			/* 1..12 */
	uint8		weekdays;		/* 0 is Sunday */
	bool		any_day;		/* day of the month begins with a star */
	bool		any_weekday;	/* day of the week begins with a star */
} CronSchedule;

/* False if the text is no schedule.  @hourly and the like are schedules too. */
extern bool cron_parse(const char *s, size_t len, CronSchedule *schedule);

/*
 * The first matching minute after a local time, both in minutes since
 * 2000-01-01 00:00; CRON_NEVER if there is none within eight years (30 February).
 */
extern int64 cron_next(const CronSchedule *schedule, int64 after);

#endif							/* PG_APM_CRON_H */
