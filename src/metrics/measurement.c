/*
 * metrics/measurement.c
 *		A number out of the measurements of a transaction.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "compat.h"

/* The value if it is a number, else NULL; too large for float8 is infinite. */
static bool
number_of(const JsonbValue *v, double *number)
{
	if (v == NULL || v->type != jbvNumeric)
		return false;
	*number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												 NumericGetDatum(v->val.numeric)));
	return true;
}

/*
 * apm.measurement(measurements, name): {"lcp": {"value": 2500, "unit": …}} as
 * stored, or a bare number under the name.  Anything else is unknown.
 */
PG_FUNCTION_INFO_V1(measurement);
Datum
measurement(PG_FUNCTION_ARGS)
{
	Jsonb	   *all = PG_GETARG_JSONB_P(0);
	text	   *name = PG_GETARG_TEXT_PP(1);
	JsonbValue	entry;
	JsonbValue	value;
	JsonbValue *found;
	double		number;

	if (!JB_ROOT_IS_OBJECT(all))
		PG_RETURN_NULL();
	found = getKeyJsonValueFromContainer(&all->root, VARDATA_ANY(name),
										 VARSIZE_ANY_EXHDR(name), &entry);
	if (found != NULL && found->type == jbvBinary &&
		JsonContainerIsObject(found->val.binary.data))
		found = getKeyJsonValueFromContainer(found->val.binary.data, "value", 5, &value);
	if (!number_of(found, &number))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(number);
}
