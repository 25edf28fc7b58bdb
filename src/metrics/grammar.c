/*
 * metrics/grammar.c
 *		Recursive descent over the three small grammars of grammar.h.
 *
 * Pure: no server header, so that unit tests and fuzzers run it alone.
 */
#include "shim.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/grammar.h"

typedef struct Cursor
{
	const char *text;
	int			len;
	int			pos;
	MetricError *error;
} Cursor;

static bool
fail_at(Cursor *c, int pos, const char *message)
{
	c->error->message = message;
	c->error->pos = pos;
	return false;
}

static bool
fail(Cursor *c, const char *message)
{
	return fail_at(c, c->pos, message);
}

static char
peek(const Cursor *c)
{
	return c->pos < c->len ? c->text[c->pos] : '\0';
}

static void
skip_space(Cursor *c)
{
	while (c->pos < c->len && strchr(" \t\r\n", c->text[c->pos]) != NULL &&
		   c->text[c->pos] != '\0')
		c->pos++;
}

static bool
is_word_start(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static bool
is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

static bool
is_word_part(char ch)
{
	return is_word_start(ch) || is_digit(ch) || ch == '.' || ch == '-';
}

static bool
accept(Cursor *c, char ch)
{
	skip_space(c);
	if (c->pos >= c->len || c->text[c->pos] != ch)
		return false;
	c->pos++;
	return true;
}

static bool
parse_word(Cursor *c, MetricText *word, const char *expected)
{
	int			start;

	skip_space(c);
	start = c->pos;
	if (!is_word_start(peek(c)))
		return fail(c, expected);
	while (c->pos < c->len && is_word_part(c->text[c->pos]))
		c->pos++;
	word->data = c->text + start;
	word->len = c->pos - start;
	return true;
}

/* A decimal number; "1." and ".5" are accepted, hexadecimal and inf are not. */
static bool
parse_number(Cursor *c, MetricText *text, double *number)
{
	char		buf[64];
	int			start = c->pos;
	int			digits = 0;

	if (peek(c) == '-' || peek(c) == '+')
		c->pos++;
	for (; is_digit(peek(c)); digits++)
		c->pos++;
	if (peek(c) == '.')
		for (c->pos++; is_digit(peek(c)); digits++)
			c->pos++;
	if (digits == 0)
		return fail_at(c, start, "a number is expected");
	if (peek(c) == 'e' || peek(c) == 'E')
	{
		c->pos++;
		if (peek(c) == '-' || peek(c) == '+')
			c->pos++;
		if (!is_digit(peek(c)))
			return fail(c, "digits of an exponent are expected");
		while (is_digit(peek(c)))
			c->pos++;
	}
	if (c->pos - start >= (int) sizeof(buf))
		return fail_at(c, start, "the number is too long");
	text->data = c->text + start;
	text->len = c->pos - start;
	memcpy(buf, text->data, text->len);
	buf[text->len] = '\0';
	*number = strtod(buf, NULL);
	if (!isfinite(*number))
		return fail_at(c, start, "the number is out of range");
	return true;
}

/* A string with one kind of quote inside is written between the other kind. */
static bool
parse_string(Cursor *c, char quote, MetricText *text)
{
	int			start = c->pos++;

	while (c->pos < c->len && c->text[c->pos] != quote)
		c->pos++;
	if (c->pos >= c->len)
		return fail_at(c, start, "the string is not closed");
	text->data = c->text + start + 1;
	text->len = c->pos - start - 1;
	c->pos++;
	return true;
}

static bool
parse_argument(Cursor *c, MetricArg *arg)
{
	char		ch;

	skip_space(c);
	memset(arg, 0, sizeof(*arg));
	arg->pos = c->pos;
	ch = peek(c);
	if (ch == '\'' || ch == '"')
	{
		arg->form = METRIC_ARG_STRING;
		return parse_string(c, ch, &arg->text);
	}
	if (is_digit(ch) || ch == '-' || ch == '+' || ch == '.')
	{
		arg->form = METRIC_ARG_NUMBER;
		if (!parse_number(c, &arg->text, &arg->number))
			return false;
		if (is_word_part(peek(c)))
			return fail(c, "a number ends here and something else follows");
		return true;
	}
	if (!parse_word(c, &arg->text, "a column, a measurement, a number or a string is expected"))
		return false;
	arg->form = METRIC_ARG_WORD;
	if (peek(c) == '[')
	{
		int			start = ++c->pos;

		while (c->pos < c->len && c->text[c->pos] != ']')
			c->pos++;
		if (c->pos >= c->len)
			return fail_at(c, start - 1, "the bracket is not closed");
		if (c->pos == start)
			return fail(c, "a key is expected between the brackets");
		arg->form = METRIC_ARG_KEYED;
		arg->key.data = c->text + start;
		arg->key.len = c->pos - start;
		c->pos++;
	}
	return true;
}

static bool
parse_call(Cursor *c, MetricCall *call)
{
	memset(call, 0, sizeof(*call));
	skip_space(c);
	call->name_pos = c->pos;
	if (!parse_word(c, &call->name, "the name of a metric is expected"))
		return false;
	if (!accept(c, '('))
		return fail(c, "\"(\" is expected after the name of the metric");
	if (accept(c, ')'))
		return true;
	for (;;)
	{
		if (call->nargs == METRIC_MAX_ARGS)
			return fail(c, "there are too many arguments");
		if (!parse_argument(c, &call->args[call->nargs]))
			return false;
		call->nargs++;
		if (accept(c, ')'))
			return true;
		if (!accept(c, ','))
			return fail(c, "\",\" or \")\" is expected");
	}
}

static bool
parse_end(Cursor *c)
{
	skip_space(c);
	if (c->pos < c->len)
		return fail(c, "nothing is expected after the end");
	return true;
}

bool
metric_parse_call(const char *text, int len, MetricCall *call, MetricError *error)
{
	Cursor		c = {text, len, 0, error};

	return parse_call(&c, call) && parse_end(&c);
}

static bool
parse_comparison(Cursor *c, MetricComparison *comparison)
{
	char		first;
	char		second;

	skip_space(c);
	first = peek(c);
	second = c->pos + 1 < c->len ? c->text[c->pos + 1] : '\0';
	if (first == '<')
		*comparison = second == '=' ? METRIC_LE : second == '>' ? METRIC_NE : METRIC_LT;
	else if (first == '>')
		*comparison = second == '=' ? METRIC_GE : METRIC_GT;
	else if (first == '=')
		*comparison = METRIC_EQ;
	else if (first == '!' && second == '=')
		*comparison = METRIC_NE;
	else
		return fail(c, "one of <, <=, >, >=, = and <> is expected");
	c->pos += *comparison == METRIC_LT || *comparison == METRIC_GT ||
		*comparison == METRIC_EQ ? 1 : 2;
	return true;
}

bool
metric_parse_assertion(const char *text, int len, MetricAssertion *assertion,
					   MetricError *error)
{
	Cursor		c = {text, len, 0, error};
	MetricText	number;

	if (!parse_call(&c, &assertion->call))
		return false;
	assertion->call_len = c.pos;
	if (!parse_comparison(&c, &assertion->comparison))
		return false;
	skip_space(&c);
	if (!parse_number(&c, &number, &assertion->bound))
		return false;
	if (accept(&c, '%'))
		assertion->bound /= 100;
	return parse_end(&c);
}

bool
metric_parse_signature(const char *text, int len, MetricSignature *signature,
					   MetricError *error)
{
	Cursor		c = {text, len, 0, error};

	memset(signature, 0, sizeof(*signature));
	skip_space(&c);
	if (c.pos >= c.len)
		return true;
	for (;;)
	{
		MetricParam *param = &signature->params[signature->nparams];

		if (signature->nparams == METRIC_MAX_ARGS)
			return fail(&c, "there are too many arguments");
		if (!parse_word(&c, &param->name, "the name of an argument is expected") ||
			!parse_word(&c, &param->kind, "the kind of the argument is expected"))
			return false;
		signature->nparams++;
		if (accept(&c, '='))
		{
			if (!parse_argument(&c, &param->def))
				return false;
			param->has_default = true;
		}
		else if (signature->nparams > 1 && param[-1].has_default)
			return fail(&c, "an argument without default cannot follow one that has a default");
		if (!accept(&c, ','))
			return parse_end(&c);
	}
}

const char *
metric_comparison_sql(MetricComparison comparison)
{
	static const char *const sql[] = {"<", "<=", ">", ">=", "=", "<>"};

	return sql[comparison];
}

bool
metric_comparison_holds(MetricComparison comparison, double value, double bound)
{
	switch (comparison)
	{
		case METRIC_LT:
			return value < bound;
		case METRIC_LE:
			return value <= bound;
		case METRIC_GT:
			return value > bound;
		case METRIC_GE:
			return value >= bound;
		case METRIC_EQ:
			return value == bound;
		case METRIC_NE:
			return value != bound;
	}
	return false;
}

bool
metric_text_is(MetricText text, const char *word)
{
	return (int) strlen(word) == text.len && memcmp(text.data, word, text.len) == 0;
}
