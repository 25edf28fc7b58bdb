/*
 * metrics_grammar_test.c
 *		The grammars of metrics/grammar.h: what is accepted, and where each
 *		refused text is said to be wrong.
 */
#include "shim.h"

#include <math.h>

#include "metrics/columns.h"
#include "metrics/grammar.h"

static int	failures = 0;

#define CHECK(c) \
	do { \
		if (!(c)) \
		{ \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); \
			failures++; \
		} \
	} while (0)

/* A copy of exact length, so that a read past the end is seen by ASan. */
static char *
exact_copy(const char *text)
{
	int			len = strlen(text);
	char	   *copy = palloc(len);

	memcpy(copy, text, len);
	return copy;
}

static void
accepts_calls(void)
{
	const char *valid = " count_if ( tags[a b], equals ,'x, \"y\"',-1.5e2,.5 ) ";
	char	   *text = exact_copy(valid);
	MetricCall	call;
	MetricError error;

	CHECK(metric_parse_call(text, strlen(valid), &call, &error));
	CHECK(metric_text_is(call.name, "count_if"));
	CHECK(call.name_pos == 1);
	CHECK(call.nargs == 5);
	CHECK(call.args[0].form == METRIC_ARG_KEYED);
	CHECK(metric_text_is(call.args[0].text, "tags"));
	CHECK(metric_text_is(call.args[0].key, "a b"));
	CHECK(call.args[1].form == METRIC_ARG_WORD);
	CHECK(call.args[2].form == METRIC_ARG_STRING);
	CHECK(metric_text_is(call.args[2].text, "x, \"y\""));
	CHECK(call.args[3].form == METRIC_ARG_NUMBER);
	CHECK(call.args[3].number == -150);
	CHECK(call.args[4].number == 0.5);
	pfree(text);
	CHECK(metric_parse_call("count()", 7, &call, &error));
	CHECK(call.nargs == 0);
	CHECK(metric_parse_call("p75(measurements.x-y)", 21, &call, &error));
	CHECK(metric_text_is(call.args[0].text, "measurements.x-y"));
}

static void
refuses_calls(void)
{
	static const struct
	{
		const char *text;
		int			pos;
	}			cases[] = {
		{"", 0},
		{"   ", 3},
		{"p95", 3},
		{"p95(", 4},
		{"p95(duration", 12},
		{"p95(duration,)", 13},
		{"p95(,duration)", 4},
		{"p95(duration))", 13},
		{"p95(duration) x", 14},
		{"9p(duration)", 0},
		{"apdex(300ms)", 9},
		{"apdex(1e)", 8},
		{"apdex(1e999)", 6},
		{"apdex(-)", 6},
		{"apdex(.)", 6},
		{"apdex(nan)x", 10},
		{"p95(tags[])", 9},
		{"p95(tags[a)", 8},
		{"p95('a)", 4},
		{"f(1,2,3,4,5,6,7,8,9)", 18},
		{"p95(a b)", 6},
		{"p95(1111111111111111111111111111111111111111111111111111111111111111)", 4},
		{"p95(\xc3\xa4)", 4}
	};
	int			i;

	for (i = 0; i < (int) lengthof(cases); i++)
	{
		char	   *text = exact_copy(cases[i].text);
		MetricCall	call;
		MetricError error = {NULL, -1};

		if (metric_parse_call(text, strlen(cases[i].text), &call, &error))
		{
			fprintf(stderr, "accepted: %s\n", cases[i].text);
			failures++;
		}
		else if (error.pos != cases[i].pos || error.message == NULL)
		{
			fprintf(stderr, "%s: position %d, expected %d\n", cases[i].text,
					error.pos, cases[i].pos);
			failures++;
		}
		pfree(text);
	}
}

/* Every prefix of a valid text, and every change of one byte: no bad read. */
static void
survives_damage(void)
{
	const char *valid = "count_if(tags[k], equals, 'v', 1.5e-3) <= 10%";
	int			len = strlen(valid);
	MetricAssertion assertion;
	MetricSignature signature;
	MetricError error;
	int			cut;
	int			byte;

	for (cut = 0; cut <= len; cut++)
	{
		char	   *text = palloc(cut);

		memcpy(text, valid, cut);
		metric_parse_assertion(text, cut, &assertion, &error);
		metric_parse_signature(text, cut, &signature, &error);
		for (byte = 0; byte < 256 && cut > 0; byte++)
		{
			text[cut - 1] = (char) byte;
			metric_parse_assertion(text, cut, &assertion, &error);
			metric_parse_signature(text, cut, &signature, &error);
		}
		pfree(text);
	}
}

static void
parses_assertions(void)
{
	static const struct
	{
		const char *text;
		MetricComparison comparison;
		double		bound;
		int			call_len;
	}			cases[] = {
		{"p95(duration) < 300", METRIC_LT, 300, 13},
		{"p95(duration)<=300", METRIC_LE, 300, 13},
		{"apdex(300) > 0.9", METRIC_GT, 0.9, 10},
		{"apdex(300) >=-1", METRIC_GE, -1, 10},
		{"count() = 0", METRIC_EQ, 0, 7},
		{"count() <> 0", METRIC_NE, 0, 7},
		{"count() != 0", METRIC_NE, 0, 7},
		{"failure_rate() < 1 %", METRIC_LT, 0.01, 14}
	};
	MetricAssertion assertion;
	MetricError error;
	int			i;

	for (i = 0; i < (int) lengthof(cases); i++)
	{
		CHECK(metric_parse_assertion(cases[i].text, strlen(cases[i].text), &assertion, &error));
		CHECK(assertion.comparison == cases[i].comparison);
		CHECK(assertion.bound == cases[i].bound);
		CHECK(assertion.call_len == cases[i].call_len);
	}
	CHECK(!metric_parse_assertion("count()", 7, &assertion, &error) && error.pos == 7);
	CHECK(!metric_parse_assertion("count() ! 3", 11, &assertion, &error) && error.pos == 8);
	CHECK(!metric_parse_assertion("count() < x", 11, &assertion, &error) && error.pos == 10);
	CHECK(!metric_parse_assertion("count() < 3 4", 13, &assertion, &error) && error.pos == 12);
}

/* NaN satisfies no comparison but <>. */
static void
compares(void)
{
	CHECK(metric_comparison_holds(METRIC_LT, 1, 2) && !metric_comparison_holds(METRIC_LT, 2, 2));
	CHECK(metric_comparison_holds(METRIC_LE, 2, 2) && !metric_comparison_holds(METRIC_LE, 3, 2));
	CHECK(metric_comparison_holds(METRIC_GT, 3, 2) && !metric_comparison_holds(METRIC_GT, 2, 2));
	CHECK(metric_comparison_holds(METRIC_GE, 2, 2) && !metric_comparison_holds(METRIC_GE, 1, 2));
	CHECK(metric_comparison_holds(METRIC_EQ, 2, 2) && !metric_comparison_holds(METRIC_EQ, 1, 2));
	CHECK(metric_comparison_holds(METRIC_NE, 1, 2) && !metric_comparison_holds(METRIC_NE, 2, 2));
	CHECK(!metric_comparison_holds(METRIC_LT, NAN, 2) && !metric_comparison_holds(METRIC_GE, NAN, 2));
}

static void
parses_signatures(void)
{
	const char *text = "threshold_ms positive = 300, of_column value = measurements.lcp";
	MetricSignature signature;
	MetricError error;

	CHECK(metric_parse_signature("", 0, &signature, &error) && signature.nparams == 0);
	CHECK(metric_parse_signature(text, strlen(text), &signature, &error));
	CHECK(signature.nparams == 2);
	CHECK(metric_text_is(signature.params[0].name, "threshold_ms"));
	CHECK(metric_text_is(signature.params[0].kind, "positive"));
	CHECK(signature.params[0].has_default && signature.params[0].def.number == 300);
	CHECK(metric_text_is(signature.params[1].def.text, "measurements.lcp"));
	CHECK(!metric_parse_signature("a value = 1, b value", 20, &signature, &error));
	CHECK(!metric_parse_signature("a", 1, &signature, &error) && error.pos == 1);
	CHECK(!metric_parse_signature("a value,", 8, &signature, &error) && error.pos == 8);
}

static void
finds_columns(void)
{
	MetricText	duration = {"duration", 8};
	MetricText	lcp = {"lcp", 3};
	MetricText	prefix = {"duratio", 7};

	CHECK(metric_find_column(duration) != NULL && metric_find_column(duration)->numeric);
	CHECK(metric_find_column(prefix) == NULL);
	CHECK(metric_find_measurement(lcp) != NULL);
	CHECK(metric_find_word(metric_vitals, lcp) != NULL);
	CHECK(metric_find_word(metric_qualities, lcp) == NULL);
}

int
main(void)
{
	accepts_calls();
	refuses_calls();
	survives_damage();
	parses_assertions();
	compares();
	parses_signatures();
	finds_columns();
	return failures == 0 ? 0 : 1;
}
