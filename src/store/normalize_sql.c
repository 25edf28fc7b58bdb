/*
 * store/normalize_sql.c
 *		SQL without its variable parts: a lexer and a few passes over tokens.
 *		Pure.
 *
 * This is no parser: it must make something useful of any dialect and of
 * statements that were cut short.
 */
#include "store/normalize.h"

typedef enum SqlTokenType
{
	SQL_WORD,					/* keyword or plain identifier */
	SQL_NAME,					/* identifier that was quoted */
	SQL_LITERAL,				/* value of any kind, written %s */
	SQL_OPEN,
	SQL_CLOSE,
	SQL_COMMA,
	SQL_DOT,
	SQL_SEMICOLON,
	SQL_OPERATOR,
	SQL_FOLDED					/* a list that was folded, written .. */
} SqlTokenType;

typedef struct SqlToken
{
	SqlTokenType type;
	const char *s;
	size_t		len;
	bool		spaced;			/* white space came before it */
} SqlToken;

typedef struct SqlLexer
{
	const char *pos;
	const char *end;
	bool		mysql;
	SqlToken   *tokens;
	int			n;
	int			max;
} SqlLexer;

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool
is_word(char c)
{
	return is_word_start(c) || is_digit(c) || c == '$';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Case-blind comparison with a lower-case word. */
static bool
token_is(const SqlToken *t, const char *word)
{
	size_t		i;

	if (t->type != SQL_WORD || t->len != strlen(word))
		return false;
	for (i = 0; i < t->len; i++)
		if ((t->s[i] | 0x20) != word[i])
			return false;
	return true;
}

static void
lexer_add(SqlLexer *lx, SqlTokenType type, const char *s, size_t len, bool spaced)
{
	SqlToken   *t;

	if (lx->n == lx->max)
	{
		lx->max *= 2;
		lx->tokens = repalloc(lx->tokens, sizeof(SqlToken) * lx->max);
	}
	t = &lx->tokens[lx->n++];
	t->type = type;
	t->s = s;
	t->len = len;
	t->spaced = spaced;
}

/* Past white space and comments; true if there was any. */
static bool
lexer_space(SqlLexer *lx)
{
	const char *begin = lx->pos;

	while (lx->pos < lx->end)
	{
		const char *p = lx->pos;

		if (is_space(*p))
			lx->pos++;
		else if ((p + 1 < lx->end && p[0] == '-' && p[1] == '-') || (lx->mysql && *p == '#'))
			while (lx->pos < lx->end && *lx->pos != '\n')
				lx->pos++;
		else if (p + 1 < lx->end && p[0] == '/' && p[1] == '*')
		{
			lx->pos += 2;
			while (lx->pos < lx->end &&
				   !(lx->pos[0] == '*' && lx->pos + 1 < lx->end && lx->pos[1] == '/'))
				lx->pos++;
			lx->pos = Min(lx->pos + 2, lx->end);
		}
		else
			break;
	}
	return lx->pos > begin;
}

/* Past a quoted thing whose opening quote is at pos; ends with the text if cut short. */
static void
lexer_quoted(SqlLexer *lx, char quote, bool backslash)
{
	lx->pos++;
	while (lx->pos < lx->end)
	{
		if (*lx->pos == '\\' && backslash)
			lx->pos = Min(lx->pos + 2, lx->end);
		else if (*lx->pos != quote)
			lx->pos++;
		else if (lx->pos + 1 < lx->end && lx->pos[1] == quote)
			lx->pos += 2;
		else
		{
			lx->pos++;
			return;
		}
	}
}

/* $$…$$ or $tag$…$tag$; false if it is not one. */
static bool
lexer_dollar_quoted(SqlLexer *lx)
{
	const char *tag = lx->pos;
	const char *p = tag + 1;
	size_t		len;

	while (p < lx->end && is_word(*p) && *p != '$')
		p++;
	if (p >= lx->end || *p != '$')
		return false;
	len = p + 1 - tag;
	for (p++; p + len <= lx->end; p++)
		if (memcmp(p, tag, len) == 0)
		{
			lx->pos = p + len;
			return true;
		}
	lx->pos = lx->end;
	return true;
}

static void
lexer_number(SqlLexer *lx)
{
	while (lx->pos < lx->end &&
		   (is_word(*lx->pos) || *lx->pos == '.' ||
			((*lx->pos == '+' || *lx->pos == '-') && (lx->pos[-1] | 0x20) == 'e' &&
			 lx->pos + 1 < lx->end && is_digit(lx->pos[1]))))
		lx->pos++;
}

/* Parameter markers: ?, $1, %s, %(x)s, :name, @p1.  False if it is none. */
static bool
lexer_parameter(SqlLexer *lx)
{
	const char *p = lx->pos;
	const char *next = p + 1;

	switch (*p)
	{
		case '?':
			lx->pos++;
			/* jsonb operators ?| and ?& are no parameters */
			return !(next < lx->end && (*next == '|' || *next == '&'));
		case '$':
			if (next < lx->end && is_digit(*next))
				break;
			return lexer_dollar_quoted(lx);
		case '%':
			if (next < lx->end && *next == 's')
			{
				lx->pos += 2;
				return true;
			}
			if (next >= lx->end || *next != '(')
				return false;
			while (next < lx->end && *next != ')')
				next++;
			lx->pos = Min(next + 2, lx->end);
			return true;
		case ':':
		case '@':
			if (next < lx->end && (is_word_start(*next) || is_digit(*next)))
				break;
			return false;
		default:
			return false;
	}
	for (lx->pos++; lx->pos < lx->end && is_word(*lx->pos);)
		lx->pos++;
	return true;
}

static bool
is_operator_char(char c)
{
	return c != '\0' && strchr("+-*/<>=~!@#%^&|?:[]{}\\", c) != NULL;
}

/* Past ::type, ::type(n), ::schema.type[]: casts say nothing about the work. */
static void
lexer_cast(SqlLexer *lx)
{
	lx->pos += 2;
	lexer_space(lx);
	while (lx->pos < lx->end && (is_word(*lx->pos) || *lx->pos == '.' || *lx->pos == '"'))
		lx->pos++;
	if (lx->pos < lx->end && *lx->pos == '(')
	{
		while (lx->pos < lx->end && *lx->pos != ')')
			lx->pos++;
		lx->pos = Min(lx->pos + 1, lx->end);
	}
	while (lx->pos + 1 < lx->end && lx->pos[0] == '[' && lx->pos[1] == ']')
		lx->pos += 2;
}

static void
lexer_word(SqlLexer *lx, bool spaced)
{
	const char *begin = lx->pos;
	SqlToken   *t;

	while (lx->pos < lx->end && is_word(*lx->pos))
		lx->pos++;
	/* E'…', N'…', B'…', X'…', _utf8'…': the word belongs to the string. */
	if (lx->pos < lx->end && *lx->pos == '\'' && lx->pos - begin <= 5)
	{
		lexer_quoted(lx, '\'', lx->mysql || (*begin | 0x20) == 'e');
		lexer_add(lx, SQL_LITERAL, "%s", 2, spaced);
		return;
	}
	lexer_add(lx, SQL_WORD, begin, lx->pos - begin, spaced);
	t = &lx->tokens[lx->n - 1];
	if (token_is(t, "true") || token_is(t, "false"))
	{
		t->type = SQL_LITERAL;
		t->s = "%s";
		t->len = 2;
	}
}

static void
lexer_punctuation(SqlLexer *lx, bool spaced)
{
	const char *begin = lx->pos;
	SqlTokenType type;

	switch (*begin)
	{
		case '(':
			type = SQL_OPEN;
			break;
		case ')':
			type = SQL_CLOSE;
			break;
		case ',':
			type = SQL_COMMA;
			break;
		case '.':
			type = SQL_DOT;
			break;
		case ';':
			type = SQL_SEMICOLON;
			break;
		default:
			type = SQL_OPERATOR;
	}
	lx->pos++;
	if (type == SQL_OPERATOR && strchr("[]{}", *begin) == NULL)
		while (lx->pos < lx->end && is_operator_char(*lx->pos) &&
			   strchr("[]{}?:@%$", *lx->pos) == NULL &&
			   !(lx->pos[0] == '-' && lx->pos + 1 < lx->end && lx->pos[1] == '-') &&
			   !(lx->pos[0] == '-' && lx->pos + 1 < lx->end && is_digit(lx->pos[1])) &&
			   !(lx->pos[0] == '/' && lx->pos + 1 < lx->end && lx->pos[1] == '*'))
			lx->pos++;
	lexer_add(lx, type, begin, lx->pos - begin, spaced);
}

/* May a sign here belong to the number behind it? */
static bool
sign_allowed(const SqlLexer *lx)
{
	const SqlToken *t;

	if (lx->n == 0)
		return true;
	t = &lx->tokens[lx->n - 1];
	return t->type == SQL_OPEN || t->type == SQL_COMMA || t->type == SQL_OPERATOR ||
		(t->type == SQL_WORD && (token_is(t, "limit") || token_is(t, "offset") ||
								 token_is(t, "then") || token_is(t, "else") ||
								 token_is(t, "and") || token_is(t, "between")));
}

static void
lexer_token(SqlLexer *lx, bool spaced)
{
	const char *p = lx->pos;
	bool		digit_next = p + 1 < lx->end && is_digit(p[1]);

	if (*p == '\'' || (*p == '"' && lx->mysql))
	{
		lexer_quoted(lx, *p, lx->mysql);
		lexer_add(lx, SQL_LITERAL, "%s", 2, spaced);
	}
	else if (*p == '"' || *p == '`')
	{
		lexer_quoted(lx, *p, false);
		lexer_add(lx, SQL_NAME, p + 1,
				  Max((ptrdiff_t) (lx->pos - p) - 1 - (lx->pos[-1] == *p && lx->pos - p > 1), 0), spaced);
	}
	else if (is_digit(*p) || (*p == '.' && digit_next &&
							  !(lx->n > 0 && lx->tokens[lx->n - 1].type <= SQL_NAME && !spaced)) ||
			 ((*p == '-' || *p == '+') && digit_next && sign_allowed(lx)))
	{
		lx->pos++;
		lexer_number(lx);
		lexer_add(lx, SQL_LITERAL, "%s", 2, spaced);
	}
	else if (is_word_start(*p))
		lexer_word(lx, spaced);
	else if (*p == ':' && p + 1 < lx->end && p[1] == ':')
		lexer_cast(lx);
	else if (lexer_parameter(lx))
		lexer_add(lx, SQL_LITERAL, "%s", 2, spaced);
	else
	{
		lx->pos = p;
		lexer_punctuation(lx, spaced);
	}
}

/* "t"."c" and s.t.c are c. */
static void
drop_prefixes(SqlLexer *lx)
{
	int			n = 0;
	int			i;

	for (i = 0; i < lx->n; i++)
	{
		SqlToken   *t = &lx->tokens[i];

		if (t->type <= SQL_NAME && i + 2 < lx->n && lx->tokens[i + 1].type == SQL_DOT &&
			(lx->tokens[i + 2].type <= SQL_NAME ||
			 (lx->tokens[i + 2].type == SQL_OPERATOR && lx->tokens[i + 2].s[0] == '*')))
		{
			lx->tokens[i + 2].spaced = t->spaced;
			i++;
			continue;
		}
		lx->tokens[n++] = *t;
	}
	lx->n = n;
}

/* Index behind the bracket that closes the one at i, or the end. */
static int
skip_brackets(const SqlLexer *lx, int i)
{
	int			depth = 0;

	for (; i < lx->n; i++)
	{
		if (lx->tokens[i].type == SQL_OPEN)
			depth++;
		else if (lx->tokens[i].type == SQL_CLOSE && --depth == 0)
			return i + 1;
	}
	return lx->n;
}

static void
set_token(SqlToken *t, SqlTokenType type, const char *s, bool spaced)
{
	t->type = type;
	t->s = s;
	t->len = strlen(s);
	t->spaced = spaced;
}

/* True if everything in (first, last) is literals, NULL, DEFAULT, commas and brackets. */
static bool
only_values(const SqlLexer *lx, int first, int last)
{
	int			i;

	for (i = first; i < last; i++)
	{
		const SqlToken *t = &lx->tokens[i];

		if (t->type != SQL_LITERAL && t->type != SQL_COMMA && t->type != SQL_OPEN &&
			t->type != SQL_CLOSE && !token_is(t, "null") && !token_is(t, "default"))
			return false;
	}
	return true;
}

/* IN (%s, %s) is IN (%s); VALUES with any rows is VALUES (%s). */
static void
fold_values(SqlLexer *lx)
{
	int			n = 0;
	int			i = 0;

	while (i < lx->n)
	{
		bool		values = token_is(&lx->tokens[i], "values") || token_is(&lx->tokens[i], "value");
		bool		in = token_is(&lx->tokens[i], "in");
		int			close;

		lx->tokens[n++] = lx->tokens[i++];
		if ((!values && !in) || i >= lx->n || lx->tokens[i].type != SQL_OPEN)
			continue;
		close = skip_brackets(lx, i);
		if (in && !only_values(lx, i, close))
			continue;
		while (values && close + 1 < lx->n && lx->tokens[close].type == SQL_COMMA &&
			   lx->tokens[close + 1].type == SQL_OPEN)
			close = skip_brackets(lx, close + 1);
		if (close - i < 3)
			continue;			/* () or cut short: as it is */
		set_token(&lx->tokens[n], SQL_OPEN, "(", true);
		set_token(&lx->tokens[n + 1], SQL_LITERAL, "%s", false);
		set_token(&lx->tokens[n + 2], SQL_CLOSE, ")", false);
		n += 3;
		i = close;
	}
	lx->n = n;
}

/*
 * Length in tokens of a plain list item at i: a column, or with assign set a
 * column with "= value"; 0 if it is something else.
 */
static int
plain_item(const SqlLexer *lx, int i, bool assign)
{
	int			len;

	if (i >= lx->n || lx->tokens[i].type > SQL_NAME)
		return 0;
	if (!assign)
	{
		if (i + 2 < lx->n && token_is(&lx->tokens[i + 1], "as") && lx->tokens[i + 2].type <= SQL_NAME)
			len = 3;
		else
			len = 1;
	}
	else if (i + 2 < lx->n && lx->tokens[i + 1].type == SQL_OPERATOR && lx->tokens[i + 1].s[0] == '=' &&
			 lx->tokens[i + 1].len == 1 && lx->tokens[i + 2].type <= SQL_LITERAL)
		len = 3;
	else
		return 0;
	/* The item must end here. */
	if (i + len >= lx->n || lx->tokens[i + len].type == SQL_COMMA ||
		lx->tokens[i + len].type == SQL_CLOSE || lx->tokens[i + len].type == SQL_SEMICOLON ||
		token_is(&lx->tokens[i + len], "from") || token_is(&lx->tokens[i + len], "into") ||
		token_is(&lx->tokens[i + len], "where") || token_is(&lx->tokens[i + len], "returning"))
		return len;
	return 0;
}

/* Length of a run of two or more plain items at i, with its commas; else 0. */
static int
plain_run(const SqlLexer *lx, int i, bool assign)
{
	int			begin = i;
	int			items = 0;
	int			len;

	while ((len = plain_item(lx, i, assign)) > 0)
	{
		items++;
		i += len;
		if (i + 1 >= lx->n || lx->tokens[i].type != SQL_COMMA ||
			plain_item(lx, i + 1, assign) == 0)
			break;
		i++;
	}
	return items >= 2 ? i - begin : 0;
}

/* SELECT a, b FROM and UPDATE t SET a = %s, b = %s and INSERT INTO t (a, b): lists become "..". */
static void
fold_columns(SqlLexer *lx)
{
	bool		insert = false;
	int			n = 0;
	int			i = 0;

	while (i < lx->n)
	{
		SqlToken   *t = &lx->tokens[i];
		bool		list = token_is(t, "select") || token_is(t, "distinct") || token_is(t, "returning");
		bool		set = token_is(t, "set");
		bool		columns = insert && t->type == SQL_OPEN;
		bool		after_comma = t->type == SQL_COMMA;
		int			len = 0;

		insert = (insert && !columns) || token_is(t, "insert") || token_is(t, "replace");
		if (token_is(t, "values") || token_is(t, "select"))
			insert = false;
		lx->tokens[n++] = lx->tokens[i++];
		if (list || set || columns)
			len = plain_run(lx, i, set);
		else if (after_comma)
		{
			/* further runs of a SELECT list, behind an expression */
			len = plain_run(lx, i, false);
			if (len > 0 && !(i + len < lx->n && token_is(&lx->tokens[i + len], "from")))
				len = 0;
		}
		if (len > 0)
		{
			set_token(&lx->tokens[n++], SQL_FOLDED, "..", !columns);
			i += len;
		}
	}
	lx->n = n;
}

/* SAVEPOINT x, DECLARE x CURSOR, FETCH … FROM x: names that clients make up. */
static void
hide_names(SqlLexer *lx)
{
	int			i;

	for (i = 0; i + 1 < lx->n; i++)
	{
		SqlToken   *next = &lx->tokens[i + 1];
		bool		hide;

		hide = token_is(&lx->tokens[i], "savepoint") ||
			(i == 0 && (token_is(&lx->tokens[i], "declare") || token_is(&lx->tokens[i], "close") ||
						token_is(&lx->tokens[i], "deallocate"))) ||
			(token_is(&lx->tokens[0], "fetch") && token_is(&lx->tokens[i], "from"));
		if (hide && next->type <= SQL_NAME)
			set_token(next, SQL_LITERAL, "%s", true);
	}
}

/* Words behind which a bracket stands apart, whatever the writer did. */
static bool
bracket_apart(const SqlToken *t)
{
	static const char *const words[] = {
		"in", "values", "and", "or", "not", "on", "from", "where", "select", "as", "exists",
		"by", "set", "using", "join", "union", "all", "having", "when", "then", "else", "with"
	};
	size_t		i;

	for (i = 0; i < lengthof(words); i++)
		if (token_is(t, words[i]))
			return true;
	return false;
}

static bool
space_between(const SqlToken *a, const SqlToken *b)
{
	if (b->type == SQL_COMMA || b->type == SQL_CLOSE || b->type == SQL_SEMICOLON ||
		b->type == SQL_DOT || a->type == SQL_OPEN || a->type == SQL_DOT)
		return false;
	if (a->type == SQL_OPERATOR && strchr("[{", a->s[0]))
		return false;
	if (b->type == SQL_OPERATOR && strchr("[]{}", b->s[0]))
		return false;
	if (b->type == SQL_OPEN && a->type <= SQL_NAME)
		return b->spaced || bracket_apart(a);
	return true;
}

ApmStr
normalize_sql(ApmStr sql, bool mysql)
{
	SqlLexer	lx;
	NormalizeBuffer out;
	int			i;

	lx.pos = sql.data;
	lx.end = sql.data + sql.len;
	lx.mysql = mysql;
	lx.n = 0;
	lx.max = 64;
	lx.tokens = palloc(sizeof(SqlToken) * lx.max);
	for (;;)
	{
		bool		spaced = lexer_space(&lx);

		if (lx.pos >= lx.end)
			break;
		lexer_token(&lx, spaced);
	}
	drop_prefixes(&lx);
	fold_values(&lx);
	fold_columns(&lx);
	hide_names(&lx);

	normalize_buffer_init(&out, sql.len + 16);
	for (i = 0; i < lx.n; i++)
	{
		if (i > 0 && space_between(&lx.tokens[i - 1], &lx.tokens[i]))
			normalize_append(&out, " ", 1);
		normalize_append(&out, lx.tokens[i].s, lx.tokens[i].len);
	}
	pfree(lx.tokens);
	return normalize_buffer_str(&out);
}
