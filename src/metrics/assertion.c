/*
 * metrics/assertion.c
 *		The verdict of apm.assert.
 *
 * apm.assert is one SQL expression that the planner puts in place, and the
 * error is raised here: a pipeline's log shows it without the context lines
 * that PL/pgSQL would add.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "common/shortest_dec.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"

/* A column of the measurement; NULL for NULL. */
static char *
column_text(HeapTupleHeader row, const char *name)
{
	bool		isnull;
	Datum		value = GetAttributeByName(row, name, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static double
column_number(HeapTupleHeader row, const char *name, bool *isnull)
{
	Datum		value = GetAttributeByName(row, name, isnull);

	return *isnull ? 0 : DatumGetFloat8(value);
}

static int64
column_count(HeapTupleHeader row, const char *name)
{
	bool		isnull;
	Datum		value = GetAttributeByName(row, name, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static pg_attribute_noreturn() void
too_few(HeapTupleHeader row, int64 samples, int64 min_samples)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("assertion \"%s\" has %lld samples, fewer than %lld",
					column_text(row, "assertion"), (long long) samples, (long long) min_samples),
			 errdetail("The window is %s.", column_text(row, "period")),
			 errhint("Widen the window, check the filters, or lower min_samples.")));
	pg_unreachable();
}

static pg_attribute_noreturn() void
does_not_hold(HeapTupleHeader row, double value, int64 samples)
{
	char	   *example = column_text(row, "example");
	bool		isnull;
	double		bound = column_number(row, "bound", &isnull);
	char	   *within = "";

	/* Three digits say enough of an error. */
	if (!isnull && bound > 0)
		within = psprintf(" ± %s", isinf(bound) ? "infinity" :
						  double_to_shortest_decimal(strtod(psprintf("%.2e", bound), NULL)));
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("assertion failed: %s is %s%s, not %s %s%s%s",
					column_text(row, "metric"), double_to_shortest_decimal(value), within,
					column_text(row, "comparison"),
					double_to_shortest_decimal(column_number(row, "wanted", &isnull)),
					example ? "; for example trace " : "", example ? example : ""),
			 errdetail("Measured on %lld transactions in the window %s.",
					   (long long) samples, column_text(row, "period")),
			 example ? errhint("SELECT * FROM apm.waterfall('%s') shows that trace.", example) : 0));
	pg_unreachable();
}

/* _apm.assertion_verdict(measured): the value, or an error that says why not. */
PG_FUNCTION_INFO_V1(assertion_verdict);
Datum
assertion_verdict(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	int64		samples = column_count(row, "samples");
	int64		min_samples = column_count(row, "min_samples");
	bool		no_value;
	double		value = column_number(row, "value", &no_value);
	bool		isnull;
	bool		holds;

	if (samples < min_samples)
		too_few(row, samples, min_samples);
	if (no_value)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("assertion \"%s\" has no value", column_text(row, "assertion")),
				 errdetail("The window is %s.", column_text(row, "period"))));
	holds = DatumGetBool(GetAttributeByName(row, "holds", &isnull));
	if (isnull || !holds)
		does_not_hold(row, value, samples);
	PG_RETURN_FLOAT8(value);
}
