/*
 * store/partition.c
 *		Daily partitions, made when the first row of a day arrives.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "store/statement.h"
#include "store/store.h"

/* Days outside of this range share one partition at either end. */
#define FIRST_DAY	(date2j(1970, 1, 1) - POSTGRES_EPOCH_JDATE)
#define LAST_DAY	(date2j(2100, 1, 1) - POSTGRES_EPOCH_JDATE)

static const char *const table_names[] = {"transactions", "span_batches", "errors"};

/* Name of the partition for a day (since 2000-01-01, UTC). */
static void
partition_name(StoreTable table, int day, char *name)
{
	int			year;
	int			month;
	int			mday;

	if (day < FIRST_DAY)
		snprintf(name, NAMEDATALEN, "%s_past", table_names[table]);
	else if (day >= LAST_DAY)
		snprintf(name, NAMEDATALEN, "%s_future", table_names[table]);
	else
	{
		j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
		snprintf(name, NAMEDATALEN, "%s_%04d%02d%02d", table_names[table], year, month, mday);
	}
}

bool
partition_ensure(StoreTable table, TimestampTz time)
{
	static Statement make = {
		"SELECT _apm.make_partition($1, $2)", 2, {TEXTOID, DATEOID}, NULL, NULL, NULL, InvalidOid
	};

	/* Batches mostly stay within a day: remember the last one found, by table. */
	static Oid	last_oid[lengthof(table_names)];
	static int	last_day[lengthof(table_names)];
	char		name[NAMEDATALEN];
	int64		day64 = time / USECS_PER_DAY;
	int			day;
	Oid			oid;
	Datum		values[2];

	if (time < 0 && time % USECS_PER_DAY != 0)
		day64--;
	day = (int) Max(Min(day64, (int64) LAST_DAY), (int64) FIRST_DAY - 1);

	if (OidIsValid(last_oid[table]) && last_day[table] == day &&
		get_rel_name(last_oid[table]) != NULL)
		return true;

	partition_name(table, day, name);
	oid = get_relname_relid(name, get_namespace_oid("_apm", false));
	if (!OidIsValid(oid))
	{
		bool		isnull;

		values[0] = CStringGetTextDatum(table_names[table]);
		values[1] = DateADTGetDatum(day);
		statement_run(&make, values, NULL, SPI_OK_SELECT);
		oid = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		if (isnull)
			return false;
	}
	last_oid[table] = oid;
	last_day[table] = day;
	return true;
}
