/*
 * metrics/measurement.c
 *		Numbers out of the measurements of a transaction.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "compat.h"
#include "metrics/measurement.h"

bool
measurement_value(Jsonb *measurements, const char *name, int len, double *value)
{
	JsonbValue	entry;
	JsonbValue	inner;
	JsonbValue *found;

	if (!JB_ROOT_IS_OBJECT(measurements))
		return false;
	found = getKeyJsonValueFromContainer(&measurements->root, name, len, &entry);
	if (found != NULL && found->type == jbvBinary &&
		JsonContainerIsObject(found->val.binary.data))
		found = getKeyJsonValueFromContainer(found->val.binary.data, "value", 5, &inner);
	if (found == NULL || found->type != jbvNumeric)
		return false;
	*value = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												NumericGetDatum(found->val.numeric)));
	return true;
}

/* apm.measurement(measurements, name) */
PG_FUNCTION_INFO_V1(measurement);
Datum
measurement(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(1);
	double		value;

	if (!measurement_value(PG_GETARG_JSONB_P(0), VARDATA_ANY(name),
						   VARSIZE_ANY_EXHDR(name), &value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}
