/*
 * envelope/decode_credentials.c
 *		The public key of a request: in a header, a query string or a DSN.
 *		Pure.
 */
#include "envelope/credentials.h"
#include "envelope/dsn.h"

#define KEY_LEN 32

/* What pairs of a header or a query string say. */
typedef struct Pairs
{
	bool		any;			/* some name begins with "sentry_" */
	bool		malformed;
	bool		unsupported;
	ApmStr		key;
} Pairs;

static inline char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
}

static ApmStr
trim(ApmStr s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s.data++, s.len--;
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cuts a word off the start, in any case; false if s does not begin with it. */
static bool
cut_word(ApmStr *s, const char *word)
{
	uint32		n = (uint32) strlen(word);
	uint32		i;

	if (s->len < n)
		return false;
	for (i = 0; i < n; i++)
		if (lower(s->data[i]) != word[i])
			return false;
	s->data += n;
	s->len -= n;
	return true;
}

static bool
str_is(ApmStr s, const char *word)
{
	return cut_word(&s, word) && s.len == 0;
}

/* Up to the sign, which is cut off as well. */
static ApmStr
cut_until(ApmStr *s, char sign)
{
	const char *at = s->len > 0 ? memchr(s->data, sign, s->len) : NULL;
	ApmStr		head = *s;

	if (at == NULL)
	{
		s->data += s->len;
		s->len = 0;
		return head;
	}
	head.len = (uint32) (at - s->data);
	s->data = at + 1;
	s->len -= head.len + 1;
	return head;
}

/* The key without the flags that may follow a point; NULL unless it is one. */
static ApmStr
read_key(ApmStr s)
{
	ApmStr		key = cut_until(&s, '.');
	char	   *copy;
	uint32		i;

	if (key.len != KEY_LEN)
	{
		key.data = NULL;
		key.len = 0;
		return key;
	}
	copy = palloc(KEY_LEN);
	for (i = 0; i < KEY_LEN; i++)
	{
		copy[i] = lower(key.data[i]);
		if (!((copy[i] >= '0' && copy[i] <= '9') || (copy[i] >= 'a' && copy[i] <= 'f')))
		{
			key.data = NULL;
			key.len = 0;
			return key;
		}
	}
	key.data = copy;
	return key;
}

/* "7", or "2.0" as old clients wrote it. */
static void
read_version(ApmStr s, Pairs *pairs)
{
	uint32		version = 0;
	uint32		i;

	for (i = 0; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++)
		version = Min(version * 10 + (uint32) (s.data[i] - '0'), 1000);
	if (i == 0)
		pairs->malformed = true;
	if (version > CREDENTIALS_VERSION)
		pairs->unsupported = true;
	for (; i < s.len; i++)
		if (s.data[i] != '.' && (s.data[i] < '0' || s.data[i] > '9'))
			pairs->malformed = true;
}

static void
read_pair(ApmStr name, ApmStr value, Pairs *pairs)
{
	ApmStr		rest = name;

	if (!cut_word(&rest, "sentry_"))
		return;
	pairs->any = true;
	if (str_is(name, "sentry_key"))
	{
		if (pairs->key.data != NULL)
			pairs->malformed = true;
		pairs->key = read_key(value);
		if (pairs->key.data == NULL)
			pairs->malformed = true;
	}
	else if (str_is(name, "sentry_version"))
		read_version(value, pairs);
}

static int
hex_digit(char c)
{
	c = lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %41 and + of a query string; a wrong escape stays as it is. */
static ApmStr
url_decode(ApmStr s)
{
	char	   *out = palloc(Max(s.len, 1));
	ApmStr		result;
	uint32		n = 0;
	uint32		i;

	for (i = 0; i < s.len; i++)
	{
		if (s.data[i] == '%' && i + 2 < s.len && hex_digit(s.data[i + 1]) >= 0 &&
			hex_digit(s.data[i + 2]) >= 0)
		{
			out[n++] = (char) (hex_digit(s.data[i + 1]) * 16 + hex_digit(s.data[i + 2]));
			i += 2;
		}
		else
			out[n++] = s.data[i] == '+' ? ' ' : s.data[i];
	}
	result.data = out;
	result.len = n;
	return result;
}

static void
read_query(ApmStr query, Pairs *pairs)
{
	if (query.len > 0 && query.data[0] == '?')
		cut_until(&query, '?');
	while (query.len > 0)
	{
		ApmStr		value = cut_until(&query, '&');
		ApmStr		name = cut_until(&value, '=');

		read_pair(url_decode(name), url_decode(value), pairs);
	}
}

/* Sentry k=v, k=v */
static void
read_sentry_header(ApmStr s, Pairs *pairs)
{
	while (s.len > 0)
	{
		ApmStr		value = cut_until(&s, ',');
		ApmStr		name = cut_until(&value, '=');

		read_pair(trim(name), trim(value), pairs);
	}
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* Basic base64(key:): the key is the user's name. */
static void
read_basic_header(ApmStr s, Pairs *pairs)
{
	char	   *out = palloc(Max(s.len, 1));
	ApmStr		text;
	uint32		bits = 0;
	int			nbits = 0;
	uint32		n = 0;
	uint32		i;

	while (s.len > 0 && s.data[s.len - 1] == '=')
		s.len--;
	for (i = 0; i < s.len; i++)
	{
		int			digit = base64_digit(s.data[i]);

		if (digit < 0)
		{
			pairs->malformed = true;
			return;
		}
		bits = (bits << 6 | (uint32) digit) & 0xffffff;
		nbits += 6;
		if (nbits >= 8)
		{
			nbits -= 8;
			out[n++] = (char) (bits >> nbits & 0xff);
		}
	}
	text.data = out;
	text.len = n;
	pairs->key = read_key(cut_until(&text, ':'));
}

static void
read_header(ApmStr header, Pairs *pairs)
{
	ApmStr		s = trim(header);

	/* The name may have been left in front of the value. */
	if (cut_word(&s, "x-sentry-auth:") || cut_word(&s, "authorization:"))
		s = trim(s);
	pairs->any = true;
	if (cut_word(&s, "sentry ") || cut_word(&s, "sentry\t"))
		read_sentry_header(s, pairs);
	else if (cut_word(&s, "basic ") || cut_word(&s, "basic\t"))
		read_basic_header(trim(s), pairs);
	else
		pairs->malformed = true;
}

const char *
credentials_read(ApmStr header, ApmStr query, ApmStr dsn, Credentials *out)
{
	Pairs		pairs;
	Pairs		of_query;
	EnvelopeDsn parts;
	ApmStr		key;

	memset(out, 0, sizeof(*out));
	memset(&pairs, 0, sizeof(pairs));
	memset(&of_query, 0, sizeof(of_query));
	if (header.len > 0)
		read_header(header, &pairs);
	if (query.len > 0)
		read_query(query, &of_query);
	if (pairs.any && of_query.any)
		return "multiple_credentials";
	if (of_query.any)
		pairs = of_query;
	if (!pairs.any && dsn.len == 0)
		return "missing_credentials";
	if (pairs.any)
	{
		if (pairs.unsupported && !pairs.malformed)
			return "unsupported_version";
		if (pairs.malformed || pairs.key.data == NULL)
			return "malformed";
		out->public_key = pairs.key;
	}
	if (dsn.len == 0)
		return NULL;

	if (!envelope_parse_dsn(dsn, &parts))
		return "malformed";
	key = read_key(parts.public_key);
	if (key.data == NULL)
		return "malformed";
	if (pairs.any && memcmp(key.data, pairs.key.data, KEY_LEN) != 0)
		return "key_mismatch";
	out->public_key = key;
	out->project_id = parts.project_id;
	return NULL;
}
