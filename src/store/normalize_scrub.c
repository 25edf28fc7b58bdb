/*
 * store/normalize_scrub.c
 *		Secrets out of JSON.  Pure.
 *
 * A text in which nothing tells of a secret is looked at once, byte by byte,
 * and stays as it is.  Only the others are read as JSON, and copied from the
 * first value on that has to go.
 */
#include "json/reader.h"
#include "store/normalize.h"
#include "store/normalize_scrub.h"

/* The decoders wrap what they were given, so this is more than they allow. */
#define SCRUB_MAX_DEPTH 256

/* Parts of longer keys are not tried against rules: it would take too long. */
#define CUSTOM_KEY_MAX 200

#define SPAN_ID_DIGITS 16

typedef struct JsonScrub
{
	const ScrubRules *rules;
	JsonReader	r;
	NormalizeBuffer out;
	const char *copied;			/* up to where the input is in out, or replaced */
	int64		found;
} JsonScrub;

/* Is a value of this kind, under a key, to be replaced? */
typedef enum Verdict
{
	VERDICT_KEEP,
	VERDICT_FILTER,
	VERDICT_FILTER_TEXT			/* unless it is a number or an object */
} Verdict;

static inline char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
}

/* Lower-case pattern, in which * stands for anything, against a key in any case. */
static bool
wildcard_match(ApmStr pattern, const char *s, size_t len)
{
	size_t		p = 0;
	size_t		i = 0;
	size_t		star = SIZE_MAX;
	size_t		mark = 0;

	while (i < len)
	{
		if (p < pattern.len && pattern.data[p] == '*')
		{
			star = p++;
			mark = i;
		}
		else if (p < pattern.len && pattern.data[p] == lower(s[i]))
		{
			p++;
			i++;
		}
		else if (star != SIZE_MAX)
		{
			p = star + 1;
			i = ++mark;
		}
		else
			return false;
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

/* The whole key, or what follows one of its points: "email" is "user.email". */
static bool
custom_key(const ScrubRules *rules, ApmStr key)
{
	size_t		i;
	int			k;

	for (k = 0; k < rules->nkeys; k++)
	{
		if (wildcard_match(rules->keys[k], key.data, key.len))
			return true;
		for (i = 0; i < key.len && key.len <= CUSTOM_KEY_MAX; i++)
			if (key.data[i] == '.' &&
				wildcard_match(rules->keys[k], key.data + i + 1, key.len - i - 1))
				return true;
	}
	return false;
}

static Verdict
key_verdict(const ScrubRules *rules, ApmStr key)
{
	bool		plural_token;

	if (rules->nkeys > 0 && custom_key(rules, key))
		return VERDICT_FILTER;
	if ((rules->builtin & SCRUB_PASSWORD) && scrub_secret_name(key, &plural_token))
		return plural_token ? VERDICT_FILTER_TEXT : VERDICT_FILTER;
	return VERDICT_KEEP;
}

bool
scrub_key(const ScrubRules *rules, ApmStr key)
{
	return key_verdict(rules, key) != VERDICT_KEEP;
}

/* Replaces the value that began at start and was just read. */
static void
put(JsonScrub *j, const char *start, const char *s, size_t len)
{
	if (j->found == 0)
		normalize_buffer_init(&j->out, (size_t) (j->r.end - j->r.start) + 16);
	normalize_append(&j->out, j->copied, start - j->copied);
	normalize_append(&j->out, s, len);
	j->copied = j->r.pos;
}

static void
put_mark(JsonScrub *j, const char *start)
{
	put(j, start, "\"" SCRUB_MARK "\"", SCRUB_MARK_LEN + 2);
	j->found++;
}

/* A value under a secret key.  Empty ones, true, false and null tell nothing. */
static bool
filter_value(JsonScrub *j, Verdict verdict)
{
	JsonKind	kind = json_reader_peek(&j->r);
	const char *start = j->r.pos;
	JsonString	s;
	const char *p;

	if (kind == JSON_KIND_STRING)
	{
		if (!json_reader_string(&j->r, &s))
			return false;
		if (s.len > 0 && !json_string_is(&s, SCRUB_MARK))
			put_mark(j, start);
		return true;
	}
	if (!json_reader_skip(&j->r))
		return false;
	if (kind == JSON_KIND_NUMBER)
	{
		if (verdict == VERDICT_FILTER)
			put_mark(j, start);
	}
	else if (kind == JSON_KIND_ARRAY || kind == JSON_KIND_OBJECT)
	{
		for (p = start + 1; *p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'; p++)
			;
		if (*p != ']' && *p != '}' && (verdict == VERDICT_FILTER || kind == JSON_KIND_ARRAY))
			put_mark(j, start);
	}
	return true;
}

static bool
scrub_string(JsonScrub *j)
{
	const char *start = j->r.pos;
	JsonString	s;
	ApmStr		text;
	int64		found;
	char	   *quoted;

	if (!json_reader_string(&j->r, &s))
		return false;
	text = json_string_text(&s);
	found = scrub_text(j->rules, &text);
	if (found > 0)
	{
		quoted = palloc((size_t) text.len * 6 + 2);
		put(j, start, quoted, json_quote(text.data, text.len, quoted));
		pfree(quoted);
		j->found += found;
	}
	return true;
}

static bool
scrub_number(JsonScrub *j)
{
	const char *start = j->r.pos;
	ApmStr		text;
	size_t		end;

	if (!json_reader_number(&j->r, &text))
		return false;
	if ((j->rules->builtin & SCRUB_CREDITCARD) && text.len >= 13 &&
		scrub_is_card(text.data, text.len, &end) && end == text.len)
		put_mark(j, start);
	return true;
}

static bool scrub_value(JsonScrub *j);

/* Versions of packages go by their names: nothing in there is a secret. */
static bool
is_inventory(const JsonScrub *j, const JsonString *key)
{
	return j->r.depth == 1 &&
		(json_string_is(key, "modules") || json_string_is(key, "sdk") ||
		 json_string_is(key, "debug_meta") || json_string_is(key, "_meta"));
}

/*
 * Ids of spans that are nothing but digits may be right card numbers by
 * chance: under the keys that name them they stay.
 */
static bool
is_span_id(const JsonScrub *j, const JsonString *key)
{
	static const char *const names[] = {"span_id", "span.id", "segment_id", "segment.id"};
	JsonReader	ahead = j->r;
	ApmStr		text = json_string_text(key);
	JsonString	value;
	int			i;

	if (json_reader_peek(&ahead) != JSON_KIND_STRING || !json_reader_string(&ahead, &value) ||
		json_string_text(&value).len != SPAN_ID_DIGITS)
		return false;
	for (i = 0; i < lengthof(names); i++)
	{
		size_t		len = strlen(names[i]);

		if (text.len >= len && memcmp(text.data + text.len - len, names[i], len) == 0)
			return true;
	}
	return false;
}

/* The next string, without consuming it, is the name of a secret. */
static Verdict
named_verdict(const JsonScrub *j)
{
	JsonReader	ahead = j->r;
	JsonString	s;

	if (json_reader_peek(&ahead) != JSON_KIND_STRING || !json_reader_string(&ahead, &s))
		return VERDICT_KEEP;
	return key_verdict(j->rules, json_string_text(&s));
}

/* A value under a key that tells nothing. */
static bool
scrub_member(JsonScrub *j, const JsonString *key)
{
	const ScrubRules *rules = j->rules;
	ScrubRules	id_rules = *rules;
	bool		ok;

	if (is_inventory(j, key))
		return json_reader_skip(&j->r);
	if (is_span_id(j, key))
	{
		id_rules.builtin &= ~SCRUB_CREDITCARD;
		j->rules = &id_rules;
	}
	ok = scrub_value(j);
	j->rules = rules;
	return ok;
}

/* Members; also {"key": name, "value": …} and the same with "name". */
static bool
scrub_object(JsonScrub *j)
{
	Verdict		named = VERDICT_KEEP;
	JsonString	key;

	if (!json_reader_enter_object(&j->r))
		return false;
	while (json_reader_next_key(&j->r, &key))
	{
		Verdict		verdict = key_verdict(j->rules, json_string_text(&key));

		if (named != VERDICT_KEEP && json_string_is(&key, "value"))
			verdict = named;
		if (json_string_is(&key, "key") || json_string_is(&key, "name"))
			named = named_verdict(j);
		if (verdict != VERDICT_KEEP && !is_inventory(j, &key) ? !filter_value(j, verdict) : !scrub_member(j, &key))
			return false;
	}
	return j->r.error == JSON_OK;
}

/* Elements; in a pair [name, value], as headers are sent, the name is a key. */
static bool
scrub_array(JsonScrub *j)
{
	Verdict		named = VERDICT_KEEP;
	int			n = 0;

	if (!json_reader_enter_array(&j->r))
		return false;
	while (json_reader_next_element(&j->r))
	{
		if (n == 0)
			named = named_verdict(j);
		if (n == 1 && named != VERDICT_KEEP)
		{
			JsonReader	ahead = j->r;

			if (!json_reader_skip(&ahead) || json_reader_next_element(&ahead))
				named = VERDICT_KEEP;
		}
		if (n == 1 && named != VERDICT_KEEP ? !filter_value(j, named) : !scrub_value(j))
			return false;
		n++;
	}
	return j->r.error == JSON_OK;
}

static bool
scrub_value(JsonScrub *j)
{
	switch (json_reader_peek(&j->r))
	{
		case JSON_KIND_STRING:
			return scrub_string(j);
		case JSON_KIND_NUMBER:
			return scrub_number(j);
		case JSON_KIND_OBJECT:
			return scrub_object(j);
		case JSON_KIND_ARRAY:
			return scrub_array(j);
		default:
			return json_reader_skip(&j->r);
	}
}

int64
scrub_json(const ScrubRules *rules, ApmStr *json)
{
	JsonScrub	j;

	if (json->data == NULL)
		return 0;
	if (rules->nkeys == 0 && rules->pattern == NULL && !(rules->builtin & SCRUB_IP) &&
		(rules->builtin == 0 || !scrub_suspect(*json)))
		return 0;
	memset(&j, 0, sizeof(j));
	j.rules = rules;
	json_reader_init(&j.r, json->data, json->len, SCRUB_MAX_DEPTH);
	j.copied = json->data;
	if (!scrub_value(&j) || !json_reader_finish(&j.r))
	{
		json->data = NULL;
		json->len = 0;
		return 1;
	}
	if (j.found > 0)
	{
		normalize_append(&j.out, j.copied, (size_t) (j.r.end - j.copied));
		*json = normalize_buffer_str(&j.out);
	}
	return j.found;
}
