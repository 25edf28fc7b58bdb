/*
 * metrics/registry.c
 *		SQL functions over metric expressions and the registry apm.metrics.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/builtins.h"

#include "compat.h"
#include "metrics/expression.h"

static Datum
text_or_null(const char *s, bool *isnull)
{
	*isnull = s == NULL;
	return s ? CStringGetTextDatum(s) : (Datum) 0;
}

/*
 * _apm.metric_parse(metric, seconds, window_sql): a metric's text to SQL and what else the
 * registry says about it.  Not STRICT: unknown seconds are allowed.
 */
PG_FUNCTION_INFO_V1(metric_parse);
Datum
metric_parse(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[12];
	bool		nulls[12];
	text	   *metric;
	MetricSql  *sql;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("metric must not be NULL"),
				 errhint("A metric is a name with arguments, such as p95(duration), failure_rate() or apdex(300).")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	metric = PG_GETARG_TEXT_PP(0);
	sql = metric_to_sql(VARDATA_ANY(metric), VARSIZE_ANY_EXHDR(metric),
						PG_ARGISNULL(1) ? (double) NAN : PG_GETARG_FLOAT8(1),
						PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	values[0] = text_or_null(sql->name, &nulls[0]);
	values[1] = text_or_null(sql->canonical, &nulls[1]);
	values[2] = text_or_null(sql->value, &nulls[2]);
	values[3] = text_or_null(sql->samples, &nulls[3]);
	values[4] = text_or_null(sql->rollup, &nulls[4]);
	values[5] = Float8GetDatum(sql->empty);
	nulls[5] = !sql->has_empty;
	values[6] = text_or_null(sql->unit, &nulls[6]);
	values[7] = text_or_null(sql->expression, &nulls[7]);
	values[8] = text_or_null(sql->bound, &nulls[8]);
	values[9] = text_or_null(sql->rollup_samples, &nulls[9]);
	values[10] = text_or_null(sql->rollup_bound, &nulls[10]);
	values[11] = text_or_null(sql->vital, &nulls[11]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* _apm.assertion_parse(text): metric, operator and bound of an assertion. */
PG_FUNCTION_INFO_V1(assertion_parse);
Datum
assertion_parse(PG_FUNCTION_ARGS)
{
	text	   *arg = PG_GETARG_TEXT_PP(0);
	const char *data = VARDATA_ANY(arg);
	int			len = VARSIZE_ANY_EXHDR(arg);
	MetricAssertion assertion;
	MetricError error;
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!metric_parse_assertion(data, len, &assertion, &error))
		metric_syntax_error(data, len, &error);
	values[0] = PointerGetDatum(cstring_to_text_with_len(data, assertion.call_len));
	values[1] = CStringGetTextDatum(metric_comparison_sql(assertion.comparison));
	values[2] = Float8GetDatum(assertion.bound);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* _apm.metric_example(name, arguments): a call that the signature allows. */
PG_FUNCTION_INFO_V1(metric_example);
Datum
metric_example(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(metric_example_call(text_to_cstring(PG_GETARG_TEXT_PP(0)),
														 text_to_cstring(PG_GETARG_TEXT_PP(1)))));
}

/* A position in text of ours is not one in the client's query. */
static void
expression_error_callback(void *arg)
{
	int			pos = geterrposition();

	if (pos > 0)
	{
		errposition(0);
		internalerrposition(pos);
		internalerrquery((const char *) arg);
	}
}

static List *
parse_text(char *text, RawParseMode mode)
{
	ErrorContextCallback context;
	List	   *result;

	context.callback = expression_error_callback;
	context.arg = text;
	context.previous = error_context_stack;
	error_context_stack = &context;
	result = raw_parser(text, mode);
	error_context_stack = context.previous;
	return result;
}

/*
 * _apm.is_expression(metric, arguments, template): is it, with arguments put
 * in, one SQL expression and nothing else?
 *
 * A definition is put between other text and run with the rights of whoever
 * reads the metric.  What is not a single expression (a second statement, a
 * FROM clause, a closing parenthesis too many) must not get into the registry.
 */
PG_FUNCTION_INFO_V1(is_expression);
Datum
is_expression(PG_FUNCTION_ARGS)
{
	char	   *body = metric_trial_expansion(text_to_cstring(PG_GETARG_TEXT_PP(0)),
											  text_to_cstring(PG_GETARG_TEXT_PP(1)),
											  text_to_cstring(PG_GETARG_TEXT_PP(2)));
	List	   *alone = parse_text(body, RAW_PARSE_PLPGSQL_EXPR);
	List	   *wrapped = parse_text(psprintf("SELECT (%s)", body), RAW_PARSE_DEFAULT);
	SelectStmt *select;

	if (list_length(alone) != 1 || list_length(wrapped) != 1)
		PG_RETURN_BOOL(false);
	select = (SelectStmt *) linitial_node(RawStmt, alone)->stmt;
	PG_RETURN_BOOL(IsA(select, SelectStmt) &&
				   list_length(select->targetList) == 1 &&
				   linitial_node(ResTarget, select->targetList)->name == NULL &&
				   select->distinctClause == NIL && select->fromClause == NIL &&
				   select->whereClause == NULL && select->groupClause == NIL &&
				   select->havingClause == NULL && select->windowClause == NIL &&
				   select->sortClause == NIL && select->limitCount == NULL &&
				   select->limitOffset == NULL && select->lockingClause == NIL &&
				   select->op == SETOP_NONE);
}
