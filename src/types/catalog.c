/*
 * types/catalog.c
 *		Oids of our types and of the labels of apm.span_status, cached.
 *
 * Labels are found by name, never by position: stored data holds codes, and
 * a dump and restore gives the labels other oids.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "utils/inval.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "types/hex.h"
#include "types/types.h"

#define UNIX_TO_PG_EPOCH_US \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

static Oid	status_oids[APM_STATUS_COUNT];
static bool status_valid = false;
static bool callback_registered = false;

/* DROP and CREATE EXTENSION in one session give the labels new oids. */
static void
status_invalidate(Datum arg, int cacheid, uint32 hashvalue)
{
	status_valid = false;
}

Oid
types_apm_type(const char *name)
{
	Oid			nsp = get_namespace_oid("apm", false);
	Oid			oid = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									  PointerGetDatum(name), ObjectIdGetDatum(nsp));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type \"apm.%s\" does not exist", name),
				 errhint("Run CREATE EXTENSION pg_apm in this database.")));
	return oid;
}

static void
status_load(void)
{
	Oid			type = types_apm_type("span_status");
	int			i;

	if (!callback_registered)
	{
		CacheRegisterSyscacheCallback(TYPEOID, status_invalidate, (Datum) 0);
		callback_registered = true;
	}
	for (i = 0; i < APM_STATUS_COUNT; i++)
	{
		status_oids[i] = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
										 ObjectIdGetDatum(type),
										 CStringGetDatum(apm_status_names[i]));
		if (!OidIsValid(status_oids[i]))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("type \"apm.span_status\" has no label \"%s\"",
							apm_status_names[i])));
	}
	status_valid = true;
}

Oid
types_status_oid(int code)
{
	Assert(code >= 0 && code < APM_STATUS_COUNT);
	if (!status_valid)
		status_load();
	return status_oids[code];
}

int
types_status_code(Oid label)
{
	int			i;

	if (!status_valid)
		status_load();
	for (i = 0; i < APM_STATUS_COUNT; i++)
		if (status_oids[i] == label)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("unknown label of type apm.span_status")));
}

TimestampTz
types_timestamp(int64 unix_us)
{
	return unix_us - UNIX_TO_PG_EPOCH_US;
}

int64
types_unix_micros(TimestampTz t)
{
	return t + UNIX_TO_PG_EPOCH_US;
}
