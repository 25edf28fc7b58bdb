/*
 * metrics/expression.c
 *		From the text of a metric to SQL, by way of the registry apm.metrics.
 *
 * A registry row holds an SQL expression in which {name} stands for an
 * argument.  What is put there is a column of a fixed list or a quoted
 * literal, so that no text of the caller ever becomes SQL by itself.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "metrics/columns.h"
#include "metrics/expression.h"
#include "metrics/nearest.h"
#include "plugin/pg_apm_plugin.h"
#include "types/hex.h"

/* The registry row, copied out of SPI. */
typedef struct MetricDef
{
	char	   *arguments;
	char	   *expression;
	char	   *samples;
	char	   *rollup;
	char	   *rollup_samples;
	char	   *rollup_bound;
	char	   *unit;
	char	   *bound;
	bool		has_empty;
	double		empty;
} MetricDef;

typedef struct Resolver
{
	const char *text;
	int			len;
	MetricCall	call;
	MetricSignature signature;
	char	   *sql[METRIC_MAX_ARGS];	/* what replaces each argument */
	char	   *word[METRIC_MAX_ARGS];	/* canonical form of each argument */
	const char *rolled[METRIC_MAX_ARGS];	/* the same over cells; NULL: as in sql */
	bool		not_rolled;		/* some argument is not in the rollups */
	bool		of_transactions;	/* some argument is of a transaction itself */
	const char *vital;			/* or of a web vital */
	bool		over_cells;		/* what placeholders are replaced for */
	bool		threshold_configured;
	bool		column_numeric; /* type of the column argument, for a literal */
	bool		has_unit;
	const char *column_unit;
	double		seconds;
	const char *window_sql;
} Resolver;

/* A kind of argument; resolve may put the canonical form into arg. */
typedef struct ArgKind
{
	const char *name;
	const char *example;
	void		(*resolve) (Resolver *r, int i, MetricArg *arg);
} ArgKind;

/* Adds the metric's text and the position in it to the error being raised. */
static int
metric_errposition(const char *text, int len, int pos)
{
	internalerrquery(pnstrdup(text, len));
	return internalerrposition(pg_mbstrlen_with_len(text, pos) + 1);
}

void
metric_syntax_error(const char *text, int len, const MetricError *error)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("invalid metric: %s", _(error->message)),
			 errhint("A metric is a name with arguments, such as p95(duration), failure_rate() or apdex(300)."),
			 metric_errposition(text, len, error->pos)));
	pg_unreachable();
}

/* "Perhaps you meant …" if a name was near, else the fallback. */
static int
nearest_hint(const Nearest *nearest, const char *fallback)
{
	if (nearest->name != NULL)
		return errhint("Perhaps you meant \"%s\".", nearest->name);
	return errhint("%s", fallback);
}

static void
bad_argument(Resolver *r, int i, const MetricArg *arg, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%.*s\" of metric %.*s must be %s",
					r->signature.params[i].name.len, r->signature.params[i].name.data,
					r->call.name.len, r->call.name.data, expected),
			 metric_errposition(r->text, r->len, arg->pos)));
}

static void
unknown_column(Resolver *r, const MetricArg *arg, bool want_numeric, bool want_text)
{
	const MetricColumn *column;
	const MetricMeasurement *m;
	Nearest		nearest;

	nearest_init(&nearest, arg->text);
	for (column = metric_columns; column->name != NULL; column++)
		if (column->numeric ? want_numeric : want_text)
			nearest_offer(&nearest, column->name);
	if (want_numeric)
		for (m = metric_measurements; m->name != NULL; m++)
			nearest_offer(&nearest, m->name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%.*s\" is not a %s that metric %.*s can take",
					arg->text.len, arg->text.data,
					want_text ? (want_numeric ? "column or measurement" : "column")
					: "numeric column or measurement",
					r->call.name.len, r->call.name.data),
			 nearest_hint(&nearest, want_numeric ?
						  "A measurement of your own is written measurements.name." :
						  "A tag is written tags[key]."),
			 metric_errposition(r->text, r->len, arg->pos)));
}

static char *
quote_text(const char *data, int len)
{
	return psprintf("%s::pg_catalog.text", quote_literal_cstr(pnstrdup(data, len)));
}

static char *
quote_number(double number)
{
	return psprintf("'%s'::pg_catalog.float8", double_to_shortest_decimal(number));
}

/* A metric that has the unit of a column has that of its first one. */
static void
note_unit(Resolver *r, const char *unit)
{
	if (!r->has_unit)
		r->column_unit = unit;
	r->has_unit = true;
}

/* Rollups hold the values of one web vital, or those of transactions. */
static void
note_rolled_vital(Resolver *r, MetricText name)
{
	const MetricWord *word = metric_find_word(metric_vitals, name);

	if (word == NULL || (r->vital != NULL && strcmp(r->vital, word->name) != 0))
		r->not_rolled = true;
	else
		r->vital = word->name;
}

/* Of the columns, rollups hold the duration and the users. */
static void
note_rolled_column(Resolver *r, int i, const MetricColumn *column)
{
	if (strcmp(column->sql, "t.duration_ms") == 0)
		r->rolled[i] = "c.sketch";
	else if (strcmp(column->sql, "t.user_key") == 0)
		r->rolled[i] = "c.users";
	else
		r->not_rolled = true;
	r->of_transactions = true;
}

/* A measurement, known by name or written measurements.name. */
static bool
resolve_measurement(Resolver *r, int i, const MetricArg *arg)
{
	static const char prefix[] = "measurements.";
	const int	prefix_len = sizeof(prefix) - 1;
	MetricText	name = arg->text;
	const MetricMeasurement *m;

	if (name.len > prefix_len && memcmp(name.data, prefix, prefix_len) == 0)
	{
		name.data += prefix_len;
		name.len -= prefix_len;
	}
	m = metric_find_measurement(name);
	if (m == NULL && name.data == arg->text.data)
		return false;
	r->sql[i] = psprintf("apm.measurement(t.measurements, %s)",
						 quote_text(name.data, name.len));
	r->column_numeric = true;
	r->rolled[i] = "c.sketch";
	note_rolled_vital(r, name);
	note_unit(r, m ? m->unit : NULL);
	return true;
}

static void
resolve_column(Resolver *r, int i, const MetricArg *arg, bool want_numeric, bool want_text)
{
	const MetricColumn *column;

	if (arg->form == METRIC_ARG_KEYED && want_text && metric_text_is(arg->text, "tags"))
	{
		r->sql[i] = psprintf("(t.tags OPERATOR(pg_catalog.->>) %s)",
							 quote_text(arg->key.data, arg->key.len));
		r->column_numeric = false;
		r->not_rolled = true;
		note_unit(r, NULL);
		return;
	}
	if (arg->form != METRIC_ARG_WORD)
		bad_argument(r, i, arg, want_text ? "a column, or a tag written tags[key]" :
					 "a numeric column or a measurement");
	column = metric_find_column(arg->text);
	if (column != NULL && (column->numeric ? want_numeric : want_text))
	{
		r->sql[i] = pstrdup(column->sql);
		r->column_numeric = column->numeric;
		note_rolled_column(r, i, column);
		note_unit(r, column->unit);
		return;
	}
	if (!want_numeric || !resolve_measurement(r, i, arg))
		unknown_column(r, arg, want_numeric, want_text);
}

static void
resolve_value(Resolver *r, int i, MetricArg *arg)
{
	resolve_column(r, i, arg, true, false);
}

static void
resolve_text(Resolver *r, int i, MetricArg *arg)
{
	resolve_column(r, i, arg, false, true);
}

static void
resolve_any_column(Resolver *r, int i, MetricArg *arg)
{
	resolve_column(r, i, arg, true, true);
}

static void
resolve_number(Resolver *r, int i, MetricArg *arg)
{
	if (arg->form != METRIC_ARG_NUMBER)
		bad_argument(r, i, arg, "a number");
	r->sql[i] = quote_number(arg->number);
}

static void
resolve_positive(Resolver *r, int i, MetricArg *arg)
{
	if (arg->form != METRIC_ARG_NUMBER || arg->number <= 0)
		bad_argument(r, i, arg, "a number above 0");
	r->sql[i] = quote_number(arg->number);
}

static bool
is_configured(const MetricArg *arg)
{
	return arg->form == METRIC_ARG_WORD && metric_text_is(arg->text, "configured");
}

/* A number, or the word "configured": what apm.thresholds says. */
static void
resolve_threshold(Resolver *r, int i, MetricArg *arg)
{
	r->threshold_configured = is_configured(arg);
	if (r->threshold_configured)
		r->sql[i] = pstrdup("apm.threshold_ms(t.project_id, t.name)");
	else if (arg->form == METRIC_ARG_NUMBER && arg->number > 0)
		r->sql[i] = quote_number(arg->number);
	else
		bad_argument(r, i, arg, "a number above 0, or \"configured\"");
	/* Rollups were counted at the threshold in force. */
	r->rolled[i] = "NULL";
	r->of_transactions = true;
	if (!r->threshold_configured)
		r->not_rolled = true;
}

/*
 * The column that a threshold is for.  The configured one goes with the
 * configured threshold; a threshold in the text is one of durations unless
 * the text says otherwise.
 */
static void
resolve_measured(Resolver *r, int i, MetricArg *arg)
{
	if (is_configured(arg) && r->threshold_configured)
	{
		r->sql[i] = pstrdup("apm.threshold_value(t.project_id, t.name, t.duration_ms, t.measurements)");
		r->rolled[i] = "NULL";
		return;
	}
	r->not_rolled = true;
	if (is_configured(arg))
	{
		arg->text.data = "duration";
		arg->text.len = strlen(arg->text.data);
	}
	resolve_column(r, i, arg, true, false);
}

static void
resolve_fraction(Resolver *r, int i, MetricArg *arg)
{
	if (arg->form != METRIC_ARG_NUMBER || arg->number < 0 || arg->number > 1)
		bad_argument(r, i, arg, "a number from 0 to 1");
	r->sql[i] = quote_number(arg->number);
}

static void
resolve_class(Resolver *r, int i, MetricArg *arg)
{
	if (arg->form != METRIC_ARG_NUMBER || arg->number < 1 || arg->number > 5 ||
		arg->number != floor(arg->number))
		bad_argument(r, i, arg, "the first digit of an HTTP status, 1 to 5");
	r->sql[i] = psprintf("%d", (int) arg->number);
}

/* Compared with the column argument before it: of the same type. */
static void
resolve_literal(Resolver *r, int i, MetricArg *arg)
{
	if (arg->form == METRIC_ARG_KEYED)
		bad_argument(r, i, arg, "a number or a string");
	if (!r->column_numeric)
		r->sql[i] = quote_text(arg->text.data, arg->text.len);
	else if (arg->form == METRIC_ARG_NUMBER)
		r->sql[i] = quote_number(arg->number);
	else
		bad_argument(r, i, arg, "a number, as the column is");
}

static void
resolve_word(Resolver *r, int i, const MetricArg *arg, const MetricWord *list,
			 const char *expected)
{
	const MetricWord *word;

	word = arg->form == METRIC_ARG_WORD ? metric_find_word(list, arg->text) : NULL;
	if (word == NULL)
		bad_argument(r, i, arg, expected);
	r->sql[i] = pstrdup(word->sql);
}

static void
resolve_vital(Resolver *r, int i, MetricArg *arg)
{
	resolve_word(r, i, arg, metric_vitals, "one of lcp, fcp, fp, fid, cls, inp and ttfb");
	note_rolled_vital(r, arg->text);
}

static void
resolve_quality(Resolver *r, int i, MetricArg *arg)
{
	resolve_word(r, i, arg, metric_qualities, "one of good, meh, poor and any");
}

static void
resolve_comparison(Resolver *r, int i, MetricArg *arg)
{
	resolve_word(r, i, arg, metric_comparisons,
				 "one of equals, notEquals, less, greater, lessOrEquals and greaterOrEquals");
}

static void
resolve_status(Resolver *r, int i, MetricArg *arg)
{
	Nearest		nearest;
	int			code;

	nearest_init(&nearest, arg->text);
	for (code = 0; code < APM_STATUS_COUNT; code++)
	{
		if (arg->form == METRIC_ARG_WORD && metric_text_is(arg->text, apm_status_names[code]))
		{
			r->sql[i] = psprintf("'%s'::apm.span_status", apm_status_names[code]);
			return;
		}
		nearest_offer(&nearest, apm_status_names[code]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%.*s\" is not a status", arg->text.len, arg->text.data),
			 nearest_hint(&nearest, "The type apm.span_status lists them."),
			 metric_errposition(r->text, r->len, arg->pos)));
}

static const ArgKind arg_kinds[] = {
	{"value", "duration", resolve_value},
	{"text", "user", resolve_text},
	{"column", "duration", resolve_any_column},
	{"number", "100", resolve_number},
	{"positive", "300", resolve_positive},
	{"fraction", "0.95", resolve_fraction},
	{"class", "5", resolve_class},
	{"literal", "100", resolve_literal},
	{"vital", "lcp", resolve_vital},
	{"quality", "good", resolve_quality},
	{"comparison", "greater", resolve_comparison},
	{"status", "not_found", resolve_status},
	{"threshold", "300", resolve_threshold},
	{"measured", "duration", resolve_measured},
	{NULL, NULL, NULL}
};

static const ArgKind *
find_kind(MetricText name)
{
	const ArgKind *kind;

	for (kind = arg_kinds; kind->name != NULL; kind++)
		if (metric_text_is(name, kind->name))
			return kind;
	return NULL;
}

/* The argument in the form that parses to itself again. */
static char *
canonical_argument(const MetricArg *arg)
{
	switch (arg->form)
	{
		case METRIC_ARG_NUMBER:
			return double_to_shortest_decimal(arg->number);
		case METRIC_ARG_KEYED:
			return psprintf("%.*s[%.*s]", arg->text.len, arg->text.data,
							arg->key.len, arg->key.data);
		case METRIC_ARG_STRING:
			if (memchr(arg->text.data, '\'', arg->text.len) != NULL)
				return psprintf("\"%.*s\"", arg->text.len, arg->text.data);
			return psprintf("'%.*s'", arg->text.len, arg->text.data);
		case METRIC_ARG_WORD:
			break;
	}
	return pnstrdup(arg->text.data, arg->text.len);
}

/* The signature as an analyst writes a call: p95([column]). */
static char *
signature_text(const Resolver *r)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%.*s(", r->call.name.len, r->call.name.data);
	for (i = 0; i < r->signature.nparams; i++)
		appendStringInfo(&buf, "%s%s%.*s%s", i > 0 ? ", " : "",
						 r->signature.params[i].has_default ? "[" : "",
						 r->signature.params[i].name.len, r->signature.params[i].name.data,
						 r->signature.params[i].has_default ? "]" : "");
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

static void
resolve_arguments(Resolver *r)
{
	int			i;

	if (r->call.nargs > r->signature.nparams)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 r->signature.nparams == 0 ?
				 errmsg("metric %.*s takes no argument",
						r->call.name.len, r->call.name.data) :
				 errmsg_plural("metric %.*s takes at most %d argument",
							   "metric %.*s takes at most %d arguments",
							   r->signature.nparams,
							   r->call.name.len, r->call.name.data, r->signature.nparams),
				 errhint("It is written %s.", signature_text(r)),
				 metric_errposition(r->text, r->len,
									r->call.args[r->signature.nparams].pos)));
	for (i = 0; i < r->signature.nparams; i++)
	{
		const MetricParam *param = &r->signature.params[i];
		MetricArg	arg = i < r->call.nargs ? r->call.args[i] : param->def;

		/* A default has no place in the caller's text. */
		if (i >= r->call.nargs)
			arg.pos = r->call.name_pos;
		if (i >= r->call.nargs && !param->has_default)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("metric %.*s needs the argument \"%.*s\"",
							r->call.name.len, r->call.name.data,
							param->name.len, param->name.data),
					 errhint("It is written %s.", signature_text(r)),
					 metric_errposition(r->text, r->len, r->call.name_pos)));
		find_kind(param->kind)->resolve(r, i, &arg);
		r->word[i] = canonical_argument(&arg);
	}
}

/* What {name} of a template stands for. */
static const char *
placeholder_sql(Resolver *r, MetricText name)
{
	int			i;

	for (i = 0; i < r->signature.nparams; i++)
		if (r->signature.params[i].name.len == name.len &&
			memcmp(r->signature.params[i].name.data, name.data, name.len) == 0)
			return r->over_cells && r->rolled[i] ? r->rolled[i] : r->sql[i];
	if (metric_text_is(name, "window_s"))
	{
		if (r->window_sql != NULL)
			return r->window_sql;
		if (!(r->seconds > 0) || isinf(r->seconds))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("metric %.*s needs a window of known length above 0",
							r->call.name.len, r->call.name.data),
					 metric_errposition(r->text, r->len, r->call.name_pos)));
		return quote_number(r->seconds);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the definition of metric %.*s names an unknown argument \"{%.*s}\"",
					r->call.name.len, r->call.name.data, name.len, name.data),
			 errhint("Arguments are declared in the column \"arguments\" of apm.metrics; {window_s} is the window's length in seconds.")));
}

/*
 * Replaces {name} in a template; {{ is a brace.  A NULL template stays NULL.
 */
static char *
expand_template(Resolver *r, const char *template)
{
	StringInfoData buf;
	const char *p;

	if (template == NULL)
		return NULL;
	initStringInfo(&buf);
	for (p = template; *p != '\0'; p++)
	{
		const char *close;
		MetricText	name;

		if (*p != '{')
		{
			appendStringInfoChar(&buf, *p);
			continue;
		}
		if (p[1] == '{')
		{
			appendStringInfoChar(&buf, *++p);
			continue;
		}
		close = strchr(p, '}');
		if (close == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the definition of metric %.*s has a brace that is not closed",
							r->call.name.len, r->call.name.data),
					 errhint("Write {{ for a brace that does not name an argument.")));
		name.data = p + 1;
		name.len = close - p - 1;
		appendStringInfoString(&buf, placeholder_sql(r, name));
		p = close;
	}
	return buf.data;
}

static char *
spi_text(HeapTuple tuple, TupleDesc desc, int column, MemoryContext keep)
{
	char	   *value = SPI_getvalue(tuple, desc, column);

	return value ? MemoryContextStrdup(keep, value) : NULL;
}

/* No row of that name: error with the nearest one.  Inside SPI. */
static pg_attribute_noreturn() void
unknown_metric(const Resolver *r)
{
	Nearest		nearest;
	uint64		i;

	nearest_init(&nearest, r->call.name);
	SPI_execute("SELECT name FROM apm.metrics ORDER BY name", true, 0);
	for (i = 0; i < SPI_processed; i++)
		nearest_offer(&nearest, SPI_getvalue(SPI_tuptable->vals[i],
											 SPI_tuptable->tupdesc, 1));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("metric \"%.*s\" does not exist", r->call.name.len, r->call.name.data),
			 nearest_hint(&nearest, "SELECT name, arguments FROM apm.metrics lists all."),
			 metric_errposition(r->text, r->len, r->call.name_pos)));
}

static void
load_definition(const Resolver *r, MetricDef *def)
{
	MemoryContext keep = CurrentMemoryContext;
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	HeapTuple	tuple;
	TupleDesc	desc;
	Datum		empty;
	bool		isnull;

	SPI_connect();
	values[0] = PointerGetDatum(cstring_to_text_with_len(r->call.name.data, r->call.name.len));
	if (SPI_execute_with_args("SELECT arguments, expression, samples, rollup, unit, empty_value, bound,"
							  " rollup_samples, rollup_bound"
							  " FROM apm.metrics WHERE name OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read apm.metrics");
	if (SPI_processed == 0)
		unknown_metric(r);
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	def->arguments = spi_text(tuple, desc, 1, keep);
	def->expression = spi_text(tuple, desc, 2, keep);
	def->samples = spi_text(tuple, desc, 3, keep);
	def->rollup = spi_text(tuple, desc, 4, keep);
	def->unit = spi_text(tuple, desc, 5, keep);
	empty = SPI_getbinval(tuple, desc, 6, &isnull);
	def->bound = spi_text(tuple, desc, 7, keep);
	def->rollup_samples = spi_text(tuple, desc, 8, keep);
	def->rollup_bound = spi_text(tuple, desc, 9, keep);
	def->has_empty = !isnull;
	def->empty = isnull ? 0 : DatumGetFloat8(empty);
	SPI_finish();
}

void
metric_read_signature(const char *metric, const char *text, MetricSignature *signature)
{
	MetricError error;
	int			len = strlen(text);
	int			i;
	int			j;

	if (!metric_parse_signature(text, len, signature, &error))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("invalid arguments of metric %s: %s", metric, _(error.message)),
				 errhint("Arguments are declared as name kind [= default], such as \"threshold_ms positive = 300\"."),
				 metric_errposition(text, len, error.pos)));
	for (i = 0; i < signature->nparams; i++)
	{
		MetricText	name = signature->params[i].name;
		MetricText	kind = signature->params[i].kind;

		if (find_kind(kind) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%.*s\" is not a kind of argument", kind.len, kind.data),
					 errhint("The kinds are value, text, column, number, positive, fraction, class, literal, vital, quality, comparison, status, threshold and measured."),
					 metric_errposition(text, len, kind.data - text)));
		for (j = 0; j < i; j++)
			if (signature->params[j].name.len == name.len &&
				memcmp(signature->params[j].name.data, name.data, name.len) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("argument \"%.*s\" is declared twice", name.len, name.data),
						 metric_errposition(text, len, name.data - text)));
	}
}

char *
metric_trial_expansion(const char *metric, const char *arguments, const char *template)
{
	Resolver	r;
	int			i;

	memset(&r, 0, sizeof(r));
	r.call.name.data = metric;
	r.call.name.len = strlen(metric);
	r.seconds = 60;
	metric_read_signature(metric, arguments, &r.signature);
	for (i = 0; i < r.signature.nparams; i++)
		r.sql[i] = metric_text_is(r.signature.params[i].kind, "comparison") ? "=" : "('a')";
	return expand_template(&r, template);
}

char *
metric_example_call(const char *metric, const char *arguments)
{
	MetricSignature signature;
	StringInfoData buf;
	int			i;

	metric_read_signature(metric, arguments, &signature);
	initStringInfo(&buf);
	appendStringInfo(&buf, "%s(", metric);
	for (i = 0; i < signature.nparams; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 signature.params[i].has_default ?
						 canonical_argument(&signature.params[i].def) :
						 find_kind(signature.params[i].kind)->example);
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

static char *
canonical_call(const Resolver *r)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%.*s(", r->call.name.len, r->call.name.data);
	for (i = 0; i < r->signature.nparams; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "", r->word[i]);
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/*
 * The metric over cells c, if they hold all of its arguments.  A metric whose
 * error has a bound must say what that is over cells, too.
 */
static void
roll_up(Resolver *r, const MetricDef *def, MetricSql *result)
{
	const char *bound = def->rollup_bound;
	char	   *value;

	if (bound == NULL && def->bound != NULL && strcmp(def->bound, "0") == 0)
		bound = def->bound;
	if (def->rollup == NULL || r->not_rolled || (r->vital != NULL && r->of_transactions) ||
		(bound == NULL && def->bound != NULL))
		return;
	r->over_cells = true;
	value = expand_template(r, def->rollup);
	result->rollup = psprintf(def->has_empty ? "COALESCE((%s)::pg_catalog.float8, %s)" :
							  "(%s)::pg_catalog.float8", value, quote_number(def->empty));
	result->rollup_samples = psprintf("COALESCE((%s)::pg_catalog.int8, 0)",
									  def->rollup_samples ? expand_template(r, def->rollup_samples) :
									  "pg_catalog.sum(c.n)");
	result->rollup_bound = bound == NULL ? NULL :
		psprintf("(%s)::pg_catalog.float8", expand_template(r, bound));
	result->vital = r->vital;
	r->over_cells = false;
}

MetricSql *
metric_to_sql(const char *text, int len, double seconds, const char *window_sql)
{
	MetricSql  *result = palloc0(sizeof(MetricSql));
	Resolver	r;
	MetricDef	def;
	MetricError error;

	memset(&r, 0, sizeof(r));
	r.text = text;
	r.len = len;
	r.seconds = seconds;
	r.window_sql = window_sql;
	if (!metric_parse_call(text, len, &r.call, &error))
		metric_syntax_error(text, len, &error);
	load_definition(&r, &def);
	result->name = pnstrdup(r.call.name.data, r.call.name.len);
	metric_read_signature(result->name, def.arguments, &r.signature);
	resolve_arguments(&r);
	result->canonical = canonical_call(&r);
	result->expression = expand_template(&r, def.expression);
	result->value = psprintf(def.has_empty ? "COALESCE((%s)::pg_catalog.float8, %s)" :
							 "(%s)::pg_catalog.float8",
							 result->expression, quote_number(def.empty));
	result->samples = psprintf("(%s)::pg_catalog.int8", expand_template(&r, def.samples));
	roll_up(&r, &def, result);
	result->bound = def.bound == NULL ? NULL :
		psprintf("(%s)::pg_catalog.float8", expand_template(&r, def.bound));
	result->has_empty = def.has_empty;
	result->empty = def.empty;
	result->unit = def.unit;
	if (def.unit != NULL && strcmp(def.unit, "column") == 0)
		result->unit = r.column_unit ? pstrdup(r.column_unit) : NULL;
	return result;
}
