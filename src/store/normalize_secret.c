/*
 * store/normalize_secret.c
 *		What secrets look like in a text: card numbers, keys, tokens,
 *		credentials in URLs and in key=value pairs, addresses.  Pure.
 */
#include "store/normalize.h"
#include "store/normalize_scrub.h"

typedef struct TextScrub
{
	const ScrubRules *rules;
	const char *s;
	size_t		len;
	NormalizeBuffer out;
	size_t		copied;			/* how much of s is in out, or replaced */
	int64		found;
} TextScrub;

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
}

static inline bool
is_alnum(char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static inline bool
is_hex(char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Does s, of len bytes, have the lower-case word at i, in any case? */
static bool
word_at(const char *s, size_t len, size_t i, const char *word)
{
	for (; *word != '\0'; word++, i++)
		if (i >= len || lower(s[i]) != *word)
			return false;
	return true;
}

/* Card numbers. */

/* Do the first digits and the length belong to a card company? */
static bool
card_issuer(const char *d, int n)
{
	int			two = (d[0] - '0') * 10 + (d[1] - '0');
	int			four = two * 100 + (d[2] - '0') * 10 + (d[3] - '0');

	if (d[0] == '4')
		return n == 13 || n == 16 || n == 19;
	if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720))
		return n == 16;
	if (two == 34 || two == 37)
		return n == 15;
	if (two == 36 || two == 38 || two == 39 || (four >= 3000 && four <= 3059))
		return n >= 14 && n <= 19;
	if (four == 6011 || two == 65 || (four >= 6440 && four <= 6499) ||
		(four >= 3528 && four <= 3589) || two == 62)
		return n >= 16 && n <= 19;
	return false;
}

static bool
luhn(const char *d, int n)
{
	int			sum = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		int			v = d[n - 1 - i] - '0';

		if (i % 2 == 1)
			v = v * 2 > 9 ? v * 2 - 9 : v * 2;
		sum += v;
	}
	return sum % 10 == 0;
}

/* Four digits, of which the first may be that of a card, begin one. */
static inline bool
may_be_card(const char *s, size_t len)
{
	return len >= 13 && s[0] >= '2' && s[0] <= '6' && is_digit(s[1]) && is_digit(s[2]) && is_digit(s[3]);
}

/*
 * Is there a card number at the start of s: digits, maybe in groups parted by
 * single blanks or dashes, the first group of four or more?  Then *end is behind it, which may be before
 * further groups, such as a date.
 */
bool
scrub_is_card(const char *s, size_t len, size_t *end)
{
	char		digits[19];
	int			n = 0;
	size_t		i = 0;
	size_t		card = 0;

	*end = 0;
	if (!may_be_card(s, len))
		return false;
	for (;;)
	{
		while (i < len && is_digit(s[i]))
		{
			if (n < (int) sizeof(digits))
				digits[n] = s[i];
			n++;
			i++;
		}
		if (n > (int) sizeof(digits))
			break;
		if (n >= 13 && !(i < len && (is_alnum(s[i]) || s[i] == '_')) &&
			!(i + 1 < len && s[i] == '.' && is_digit(s[i + 1])) &&
			card_issuer(digits, n) && luhn(digits, n))
			card = i;
		if (n == 0 || n == (int) sizeof(digits) || i + 1 >= len ||
			(s[i] != ' ' && s[i] != '-') || !is_digit(s[i + 1]))
			break;
		i++;
	}
	*end = card;
	return card > 0;
}

/* Names of secrets. */

/* Words that make a key secret wherever they stand in it. */
static const char *const anywhere[] = {
	"password", "passwd", "passphrase", "secret", "api_key", "apikey", "api-key",
	"auth", "credential", "mysql_pwd", "private_key", "privatekey", "private-key",
	"access_key", "accesskey", "access-key", "token", "bearer", "cookie", "csrf", "xsrf",
	"card_number", "cardnumber", "card-number", "card[number", "creditcard", "credit_card",
	"credit-card", "two_factor", "two-factor", "twofactor"
};

/* Words that do so as a whole part of it, between signs or changes of case. */
static const char *const parts[] = {"pass", "otp", "jwt", "cvv", "cvc"};

static bool
is_part(ApmStr key, size_t i, size_t n)
{
	size_t		end = i + n;

	if (i > 0 && is_alnum(key.data[i - 1]) &&
		!(key.data[i] >= 'A' && key.data[i] <= 'Z' && lower(key.data[i - 1]) == key.data[i - 1]))
		return false;
	return end == key.len || !is_alnum(key.data[end]) ||
		(key.data[end] >= 'A' && key.data[end] <= 'Z' &&
		 lower(key.data[end - 1]) == key.data[end - 1]);
}

/* "auth" means something else in author and authority, not in authorization. */
static bool
is_author(ApmStr key, size_t i)
{
	return word_at(key.data, key.len, i, "author") &&
		!word_at(key.data, key.len, i, "authoriz") && !word_at(key.data, key.len, i, "authoris");
}

/*
 * Does this name a secret?  *plural_token tells that nothing but "tokens"
 * says so, which counts the words of a language model as often as not.
 */
bool
scrub_secret_name(ApmStr key, bool *plural_token)
{
	bool		plural = false;
	size_t		w;
	size_t		i;

	*plural_token = false;
	if (!scrub_suspect(key))
		return false;
	for (i = 0; i + 3 <= key.len; i++)
	{
		char		c = lower(key.data[i]);

		for (w = 0; w < lengthof(anywhere); w++)
		{
			if (anywhere[w][0] != c || !word_at(key.data, key.len, i, anywhere[w]))
				continue;
			if (c == 'a' && is_author(key, i))
				continue;
			if (c != 't' || !word_at(key.data, key.len, i, "tokens"))
				return true;
			plural = true;
		}
		for (w = 0; w < lengthof(parts); w++)
			if (parts[w][0] == c && word_at(key.data, key.len, i, parts[w]) &&
				is_part(key, i, strlen(parts[w])))
				return true;
	}
	*plural_token = plural;
	return plural;
}

/* Does an @ end what follows "://", which is the way from it to a / without a sign that ends it? */
static bool
ends_userinfo(const char *s, size_t at)
{
	size_t		i = at;

	while (i > 0 && at - i < 256)
	{
		char		c = s[--i];

		if (c == '/')
			return i > 0 && (s[i - 1] == '/' || s[i - 1] == '\\');
		if (c == '"' || c == ' ')
			return false;
	}
	return i > 0;
}

/* Do the bytes around s[i], the rarest letter of a word that tells, spell one? */
static bool
tells(const char *s, size_t len, size_t i)
{
#define AT(k)		(i + (k) < len ? lower(s[i + (k)]) : '\0')
#define BEFORE(k)	(i >= (k) ? lower(s[i - (k)]) : '\0')
	char		before;

	switch (lower(s[i]))
	{
		case 'p':			/* pass, otp */
			return (AT(1) == 'a' && AT(2) == 's') || (BEFORE(1) == 't' && BEFORE(2) == 'o');
		case 'w':			/* pwd, two factor */
			return BEFORE(1) == 'p' || (BEFORE(1) == 't' && AT(1) == 'o' && AT(2) != '\0');
		case 'c':			/* secret, credential, card, credit, cvv, cvc */
			return (AT(1) == 'r' && AT(2) == 'e' && (AT(3) == 'd' || AT(3) == 't')) ||
				(AT(1) == 'a' && AT(2) == 'r' && AT(3) == 'd') || AT(1) == 'v';
		case 'k':			/* token, cookie; api key, access key */
			before = BEFORE(1) == '_' || BEFORE(1) == '-' ? BEFORE(2) : BEFORE(1);
			return (BEFORE(1) == 'o' && (AT(1) == 'e' || AT(1) == 'i')) ||
				(AT(1) == 'e' && AT(2) == 'y' && (before == 'i' || before == 's'));
		case 'u':			/* auth */
			return BEFORE(1) == 'a' && AT(1) == 't' && AT(2) == 'h';
		case 'f':			/* csrf, xsrf */
			return BEFORE(1) == 'r' && BEFORE(2) == 's';
		case 'v':			/* private */
			return BEFORE(1) == 'i' && AT(1) == 'a';
		case 'j':			/* jwt, and the eyJ that one begins with */
			return AT(1) == 'w' || BEFORE(1) == 'y';
		case 'b':			/* bearer */
			return AT(1) == 'e' && AT(2) == 'a' && AT(3) == 'r';
		case '-':			/* PEM */
			return AT(1) == '-' && AT(2) == '-';
		case '@':			/* URL with credentials */
			return ends_userinfo(s, i);
		case '\\':			/* may hide a letter */
			return AT(1) == 'u';
	}
#undef AT
#undef BEFORE
	return false;
}

/*
 * May this text, plain or JSON, hold anything that a built-in rule but
 * SCRUB_IP looks for?  One look at every byte, and at its neighbours where a
 * letter is the rarest of a word that tells.  Wrong answers are of one kind:
 * true.
 */
bool
scrub_suspect(ApmStr text)
{
	static const uint8 telling[256] = {
		['p'] = 1, ['P'] = 1, ['w'] = 1, ['W'] = 1, ['c'] = 1, ['C'] = 1, ['k'] = 1, ['K'] = 1,
		['u'] = 1, ['U'] = 1, ['f'] = 1, ['F'] = 1, ['v'] = 1, ['V'] = 1, ['j'] = 1, ['J'] = 1,
		['b'] = 1, ['B'] = 1, ['-'] = 1, ['@'] = 1, ['\\'] = 1,
		['0'] = 2, ['1'] = 2, ['2'] = 2, ['3'] = 2, ['4'] = 2, ['5'] = 2, ['6'] = 2, ['7'] = 2,
		['8'] = 2, ['9'] = 2
	};
	const char *s = text.data;
	size_t		len = text.len;
	size_t		i;

	for (i = 0; i < len; i++)
	{
		uint8		kind = telling[(unsigned char) s[i]];
		size_t		end;

		if (likely(kind == 0))
			continue;
		if (kind == 1)
		{
			if (tells(s, len, i))
				return true;
			continue;
		}
		if (may_be_card(s + i, len - i) && scrub_is_card(s + i, len - i, &end))
			return true;
		while (i + 1 < len && is_digit(s[i + 1]))
			i++;
	}
	return false;
}

/* Texts. */

static void
replace(TextScrub *t, size_t from, size_t to)
{
	if (t->found++ == 0)
		normalize_buffer_init(&t->out, t->len + SCRUB_MARK_LEN);
	normalize_append(&t->out, t->s + t->copied, from - t->copied);
	normalize_append(&t->out, SCRUB_MARK, SCRUB_MARK_LEN);
	t->copied = to;
}

/* Was what begins here replaced before? */
static bool
is_marked(const TextScrub *t, size_t i)
{
	return i + SCRUB_MARK_LEN <= t->len && memcmp(t->s + i, SCRUB_MARK, SCRUB_MARK_LEN) == 0;
}

/* -----BEGIN … KEY----- to the end of its -----END … KEY-----, or of the text. */
static size_t
pem_end(const TextScrub *t, size_t i)
{
	static const char begin[] = "-----BEGIN ";
	size_t		p = i + sizeof(begin) - 1;
	size_t		end;

	if (p > t->len || memcmp(t->s + i, begin, sizeof(begin) - 1) != 0)
		return 0;
	while (p < t->len && (t->s[p] == ' ' || (t->s[p] >= 'A' && t->s[p] <= 'Z')))
		p++;
	if (!word_at(t->s, t->len, p - 4, " key") || !word_at(t->s, t->len, p, "-----"))
		return 0;
	for (end = p + 5; end < t->len; end++)
		if (t->s[end] == '-' && word_at(t->s, t->len, end, "-----end "))
		{
			end += 9;
			while (end < t->len && t->s[end] != '-' && t->s[end] != '\n')
				end++;
			while (end < t->len && t->s[end] == '-')
				end++;
			return end;
		}
	return t->len;
}

static bool
ends_token(char c)
{
	return is_blank(c) || c == '"' || c == '\'' || c == ',' || c == ';' || c == '<' || c == '>';
}

/* The token after "bearer" and a blank. */
static size_t
bearer_end(const TextScrub *t, size_t i, size_t *from)
{
	size_t		p = i + 6;

	if (!word_at(t->s, t->len, i, "bearer") || p >= t->len || !is_blank(t->s[p]))
		return 0;
	while (p < t->len && is_blank(t->s[p]))
		p++;
	*from = p;
	while (p < t->len && !ends_token(t->s[p]))
		p++;
	return p > *from ? p : 0;
}

static inline bool
is_quote(char c)
{
	return c == '"' || c == '\'' || c == '`';
}

static bool
is_base64url(char c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

/* Two or more parts of base64 with points between, the first being a JSON object. */
static size_t
jwt_end(const TextScrub *t, size_t i)
{
	size_t		p = i;
	int			points = 0;

	for (;;)
	{
		size_t		part = p;

		while (p < t->len && is_base64url(t->s[p]))
			p++;
		if (p - part < 4)
			break;
		if (p + 1 >= t->len || t->s[p] != '.' || !is_base64url(t->s[p + 1]))
			break;
		points++;
		p++;
	}
	return points >= 2 || (points == 1 && p - i >= 40) ? p : 0;
}

/* After "://": the end of what stands before the last @ of the authority. */
static size_t
userinfo_end(const TextScrub *t, size_t i)
{
	size_t		at = 0;
	size_t		p;

	for (p = i; p < t->len; p++)
	{
		char		c = t->s[p];

		if (c == '@')
			at = p;
		else if (c == '/' || c == '?' || c == '#' || c == '\\' || ends_token(c))
			break;
	}
	return at;
}

/* Stands for a value that is given elsewhere: $1, ?, %s, :name. */
static bool
is_placeholder(const char *s, size_t len)
{
	if (len == 0)
		return true;
	if (s[0] == '$' || s[0] == ':')
		return true;
	return (len == 1 && s[0] == '?') || (len == 2 && s[0] == '%' && s[1] == 's');
}

/* The name that ends at end, and is preceded by something that parts names. */
static ApmStr
name_before(const TextScrub *t, size_t end, bool quoted)
{
	ApmStr		name = {NULL, 0};
	size_t		start = end;

	while (start > t->copied && end - start < 64 &&
		   (is_base64url(t->s[start - 1]) || t->s[start - 1] == '.' || t->s[start - 1] == '%' ||
			t->s[start - 1] == '[' || t->s[start - 1] == ']'))
		start--;
	if (start == end)
		return name;
	if (quoted ? start == 0 || !is_quote(t->s[start - 1]) :
		start > 0 && !is_blank(t->s[start - 1]) && strchr("?&;\"'{(,", t->s[start - 1]) == NULL)
		return name;
	name.data = t->s + start;
	name.len = (uint32) (end - start);
	return name;
}

/*
 * At the = of name=value or the : of "name":value: from *from to the result
 * stands the value, if name is that of a secret.  Values may be quoted, and
 * the quotes be escaped, as in JSON inside of a text.
 */
static size_t
pair_end(const TextScrub *t, size_t sign, size_t *from)
{
	size_t		end = sign;
	size_t		p = sign + 1;
	bool		json = t->s[sign] == ':';
	char		quote = '\0';
	ApmStr		name;
	bool		plural;

	if (json)
	{
		if (end == 0 || !is_quote(t->s[--end]))
			return 0;
		if (end > 0 && t->s[end - 1] == '\\')
			end--;
		while (p < t->len && is_blank(t->s[p]))
			p++;
	}
	name = name_before(t, end, json);
	if (name.data == NULL || !scrub_secret_name(name, &plural) || plural)
		return 0;
	if (p + 1 < t->len && t->s[p] == '\\' && is_quote(t->s[p + 1]))
		quote = t->s[p++];
	if (p < t->len && is_quote(t->s[p]))
	{
		if (quote == '\0')
			quote = t->s[p];
		p++;
	}
	*from = p;
	if (quote != '\0')
		while (p < t->len && t->s[p] != quote)
			p += t->s[p] == '\\' && p + 1 < t->len ? 2 : 1;
	else
		while (p < t->len && strchr("&#)]}", t->s[p]) == NULL && !ends_token(t->s[p]))
			p++;
	if (is_placeholder(t->s + *from, p - *from) || is_marked(t, *from) ||
		(json && quote == '\0' && (word_at(t->s, p, *from, "null") ||
								   word_at(t->s, p, *from, "true") ||
								   word_at(t->s, p, *from, "false") ||
								   t->s[*from] == '{' || t->s[*from] == '[')))
		return 0;
	return p;
}

/* Four numbers up to 255 with points between. */
static size_t
ipv4_end(const char *s, size_t len, size_t i)
{
	int			n;

	for (n = 0; n < 4; n++)
	{
		int			value = 0;
		size_t		start = i;

		if (n > 0)
		{
			if (i >= len || s[i] != '.')
				return 0;
			start = ++i;
		}
		while (i < len && is_digit(s[i]) && i - start < 3)
			value = value * 10 + (s[i++] - '0');
		if (i == start || value > 255)
			return 0;
	}
	if (i < len && (is_alnum(s[i]) || s[i] == '_'))
		return 0;
	if (i + 1 < len && s[i] == '.' && is_digit(s[i + 1]))
		return 0;
	return i;
}

/* Eight groups of hex, or fewer around one "::", maybe with an IPv4 address as the last two. */
static size_t
ipv6_end(const char *s, size_t len, size_t i)
{
	int			groups = 0;
	bool		gap = false;

	if (i + 1 < len && s[i] == ':' && s[i + 1] == ':')
	{
		gap = true;
		i += 2;
	}
	for (;;)
	{
		size_t		start = i;
		size_t		v4;

		if ((groups > 0 || gap) && groups <= 6 && i < len && is_digit(s[i]) &&
			(v4 = ipv4_end(s, len, i)) != 0)
		{
			i = v4;
			groups += 2;
			break;
		}
		while (i < len && is_hex(s[i]) && i - start < 5)
			i++;
		if (i - start > 4)
			return 0;
		if (i == start)
			break;
		groups++;
		if (groups == 8 || i + 1 >= len || s[i] != ':')
			break;
		if (s[i + 1] == ':')
		{
			if (gap)
				return 0;
			gap = true;
			i += 2;
		}
		else if (is_hex(s[i + 1]))
			i++;
		else
			break;
	}
	if (groups < 1 || (gap ? groups > 7 : groups != 8))
		return 0;
	if (i < len && (is_alnum(s[i]) || s[i] == '_' || s[i] == ':'))
		return 0;
	return i;
}

/* Does a word, number or address begin at i, rather than go on? */
static bool
begins(const TextScrub *t, size_t i)
{
	char		c;

	if (i == 0)
		return true;
	c = t->s[i - 1];
	return !is_alnum(c) && c != '_' && (unsigned char) c < 0x80;
}

static size_t
address_end(const TextScrub *t, size_t i)
{
	size_t		end;

	if (i > 0 && t->s[i - 1] == '.')
		return 0;
	end = ipv4_end(t->s, t->len, i);
	if (end == 0 && (i == 0 || t->s[i - 1] != ':'))
		end = ipv6_end(t->s, t->len, i);
	return end;
}

/* What begins at i: the bytes from *from to the result are to be replaced; 0: nothing. */
static size_t
secret_at(const TextScrub *t, size_t i, size_t *from)
{
	uint32		builtin = t->rules->builtin;
	char		c = t->s[i];
	size_t		end = 0;

	*from = i;
	if ((builtin & SCRUB_IP) && (is_hex(c) || c == ':') && begins(t, i))
		end = address_end(t, i);
	if (end != 0)
		return end;
	if (is_digit(c))
	{
		if ((builtin & SCRUB_CREDITCARD) && begins(t, i) && (i == 0 || t->s[i - 1] != '.') &&
			scrub_is_card(t->s + i, t->len - i, &end))
			return i + end;
		return 0;
	}
	switch (c)
	{
		case '-':
			return (builtin & SCRUB_PEMKEY) ? pem_end(t, i) : 0;
		case 'b':
		case 'B':
			return (builtin & SCRUB_BEARER) && begins(t, i) ? bearer_end(t, i, from) : 0;
		case 'e':
			/* Not behind a sign that may stand in one: else -eyJ-eyJ-eyJ is read over and over. */
			return (builtin & SCRUB_BEARER) && begins(t, i) && (i == 0 || t->s[i - 1] != '-') &&
				i + 2 < t->len && t->s[i + 1] == 'y' && t->s[i + 2] == 'J' ? jwt_end(t, i) : 0;
		case ':':
			if (i + 2 < t->len && t->s[i + 1] == '/' && t->s[i + 2] == '/')
			{
				*from = i + 3;
				return (builtin & SCRUB_URLAUTH) ? userinfo_end(t, i + 3) : 0;
			}
			return (builtin & SCRUB_PASSWORD) ? pair_end(t, i, from) : 0;
		case '=':
			return (builtin & SCRUB_PASSWORD) ? pair_end(t, i, from) : 0;
	}
	return 0;
}

int64
scrub_text(const ScrubRules *rules, ApmStr *text)
{
	TextScrub	t;
	ApmStr		replaced;
	size_t		i = 0;
	size_t		from;
	size_t		end;

	if (text->data == NULL || text->len == 0)
		return 0;
	memset(&t, 0, sizeof(t));
	t.rules = rules;
	t.s = text->data;
	t.len = text->len;
	if ((rules->builtin & SCRUB_IP) || scrub_suspect(*text))
		while (i < t.len)
		{
			end = secret_at(&t, i, &from);
			if (end > from && !is_marked(&t, from))
			{
				replace(&t, from, end);
				i = end;
			}
			else if (is_digit(t.s[i]))
				while (i < t.len && is_digit(t.s[i]))
					i++;
			else
				i++;
		}
	if (t.found > 0)
	{
		normalize_append(&t.out, t.s + t.copied, t.len - t.copied);
		*text = normalize_buffer_str(&t.out);
	}
	if (rules->pattern != NULL && rules->pattern(rules->arg, *text, &replaced))
	{
		*text = replaced;
		t.found++;
	}
	return t.found;
}
