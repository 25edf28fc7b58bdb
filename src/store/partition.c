/*
 * store/partition.c
 *		Daily partitions, made when the first row of a day arrives.
 */
#include "postgres.h"

#include "access/xact.h"
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

/* The day of a time, since 2000-01-01; those beyond the limits are one each. */
static int
day_of(TimestampTz time)
{
	int64		day = time / USECS_PER_DAY;

	if (time < 0 && time % USECS_PER_DAY != 0)
		day--;
	return (int) Max(Min(day, (int64) LAST_DAY), (int64) FIRST_DAY - 1);
}

/* Oid of the new partition, or of one that another session just made. */
static PartitionState
partition_make(StoreTable table, int day, Oid *oid)
{
	static Statement make = {
		"SELECT _apm.make_partition($1, $2)", 2, {TEXTOID, DATEOID}, NULL, NULL, NULL, InvalidOid
	};
	Datum		values[2];
	bool		isnull;

	values[0] = CStringGetTextDatum(table_names[table]);
	values[1] = DateADTGetDatum(day);
	statement_run(&make, values, NULL, SPI_OK_SELECT);
	*oid = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	if (isnull)
		return PARTITION_LIMIT;
	return OidIsValid(*oid) ? PARTITION_READY : PARTITION_RETIRED;
}

/*
 * Batches mostly stay within a day: by table, the last day is remembered
 * together with what was found.  A partition counts while it exists; a
 * refusal counts for the statement, since a setting may change afterwards.
 */
PartitionState
partition_ensure(StoreTable table, TimestampTz time)
{
	static struct
	{
		int			day;
		Oid			oid;
		PartitionState state;
		TimestampTz refused_at;
	}			last[lengthof(table_names)];
	char		name[NAMEDATALEN];
	int			day = day_of(time);
	PartitionState state = PARTITION_READY;
	Oid			oid;

	if (last[table].day == day)
	{
		if (OidIsValid(last[table].oid) && get_rel_name(last[table].oid) != NULL)
			return PARTITION_READY;
		if (last[table].refused_at == GetCurrentStatementStartTimestamp())
			return last[table].state;
	}

	partition_name(table, day, name);
	oid = get_relname_relid(name, get_namespace_oid("_apm", false));
	if (!OidIsValid(oid))
		state = partition_make(table, day, &oid);
	last[table].day = day;
	last[table].oid = state == PARTITION_READY ? oid : InvalidOid;
	last[table].state = state;
	last[table].refused_at = state == PARTITION_READY ? 0 : GetCurrentStatementStartTimestamp();
	return state;
}
