/*
 * envelope/credentials.c
 *		The public key of a request, in SQL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "envelope/credentials.h"

static ApmStr
text_argument(FunctionCallInfo fcinfo, int n)
{
	ApmStr		s = {NULL, 0};

	if (!PG_ARGISNULL(n))
	{
		text	   *t = PG_GETARG_TEXT_PP(n);

		s.data = VARDATA_ANY(t);
		s.len = VARSIZE_ANY_EXHDR(t);
	}
	return s;
}

/* _apm.read_credentials(auth_header, query, dsn) */
PG_FUNCTION_INFO_V1(apm_read_credentials);
Datum
apm_read_credentials(PG_FUNCTION_ARGS)
{
	Credentials credentials;
	const char *reason = credentials_read(text_argument(fcinfo, 0), text_argument(fcinfo, 1),
										  text_argument(fcinfo, 2), &credentials);
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	if (reason != NULL)
	{
		values[2] = CStringGetTextDatum(reason);
		nulls[2] = false;
	}
	else
	{
		values[0] = PointerGetDatum(cstring_to_text_with_len(credentials.public_key.data,
															 credentials.public_key.len));
		nulls[0] = false;
		values[1] = Int32GetDatum(credentials.project_id);
		nulls[1] = (credentials.project_id == 0);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
