/*
 * metrics/span_facts.c
 *		Reading attributes of spans.  Pure: no server headers.
 */
#include "metrics/span_facts.h"

#include <math.h>

#include "json/reader.h"

#define MAX_DEPTH 128
#define MAX_NUMBER 9e15

typedef enum FactKind
{
	FACT_STRING,
	FACT_KEY,					/* of a cache: a string, or the first of several */
	FACT_NUMBER,
	FACT_BOOL
} FactKind;

typedef struct FactName
{
	const char *name;
	FactKind	kind;
	size_t		offset;
} FactName;

#define FACT(field) offsetof(SpanFacts, field)

/* What SDKs send, newer names and older ones. */
static const FactName fact_names[] = {
	{"db.system", FACT_STRING, FACT(system)},
	{"db.system.name", FACT_STRING, FACT(system)},
	{"http.response.status_code", FACT_NUMBER, FACT(http_status)},
	{"http.status_code", FACT_NUMBER, FACT(http_status)},
	{"status_code", FACT_NUMBER, FACT(http_status)},
	{"cache.hit", FACT_BOOL, FACT(hit)},
	{"cache.key", FACT_KEY, FACT(key_prefix)},
	{"cache.item_size", FACT_NUMBER, FACT(item_size)},
	{"messaging.destination.name", FACT_STRING, FACT(destination)},
	{"messaging.message.receive.latency", FACT_NUMBER, FACT(latency_ms)},
	{"messaging.message.retry.count", FACT_NUMBER, FACT(retries)}
};

static const FactName *
find_name(const JsonString *key)
{
	int			i;

	/* No name is shorter, and most keys begin otherwise. */
	if (key->len < 9 || memchr("dhscm", key->data[0], 5) == NULL)
		return NULL;
	for (i = 0; i < (int) lengthof(fact_names); i++)
		if (json_string_is(key, fact_names[i].name))
			return &fact_names[i];
	return NULL;
}

/* The part of a cache's key that says what is cached: before the first : or /. */
static ApmStr
prefix_of(ApmStr key)
{
	uint32		i;
	ApmStr		none = {NULL, 0};

	for (i = 0; i < key.len; i++)
		if (key.data[i] == ':' || key.data[i] == '/')
		{
			key.len = i;
			return i > 0 ? key : none;
		}
	return none;
}

static double
bool_of(ApmStr text)
{
	if (text.len == 4 && (memcmp(text.data, "true", 4) == 0 || memcmp(text.data, "True", 4) == 0))
		return 1;
	if (text.len == 5 && (memcmp(text.data, "false", 5) == 0 || memcmp(text.data, "False", 5) == 0))
		return 0;
	return NAN;
}

/* A scalar as text: of a string, a number or a boolean; else none, passed over. */
static ApmStr
read_scalar(JsonReader *r)
{
	ApmStr		none = {NULL, 0};
	ApmStr		text = none;
	JsonString	s;

	switch (json_reader_peek(r))
	{
		case JSON_KIND_STRING:
			return json_reader_string(r, &s) ? json_string_text(&s) : none;
		case JSON_KIND_NUMBER:
		case JSON_KIND_TRUE:
		case JSON_KIND_FALSE:
			return json_reader_capture(r, &text, NULL) ? text : none;
		default:
			json_reader_skip(r);
			return none;
	}
}

/* The first element of an array, or the scalar itself. */
static ApmStr
read_first(JsonReader *r)
{
	ApmStr		first = {NULL, 0};
	bool		have = false;

	if (json_reader_peek(r) != JSON_KIND_ARRAY)
		return read_scalar(r);
	if (!json_reader_enter_array(r))
		return first;
	while (json_reader_next_element(r))
	{
		if (have)
			json_reader_skip(r);
		else
			first = read_scalar(r);
		have = true;
	}
	return first;
}

/* A value, which may stand in an object with its type. */
static ApmStr
read_value(JsonReader *r)
{
	ApmStr		value = {NULL, 0};
	JsonString	key;

	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return read_first(r);
	if (!json_reader_enter_object(r))
		return value;
	while (json_reader_next_key(r, &key))
	{
		if (json_string_is(&key, "value"))
			value = read_first(r);
		else
			json_reader_skip(r);
	}
	return value;
}

static void
set_fact(SpanFacts *facts, const FactName *name, ApmStr value)
{
	void	   *field = (char *) facts + name->offset;
	double		number;

	if (value.data == NULL)
		return;
	if (name->kind == FACT_STRING)
		*(ApmStr *) field = value;
	else if (name->kind == FACT_KEY)
		*(ApmStr *) field = prefix_of(value);
	else
	{
		number = name->kind == FACT_BOOL ? bool_of(value) : json_number_double(value);
		/* Sizes, counts and times: neither below 0 nor beyond what adds up. */
		if (number >= 0 && number <= MAX_NUMBER)
			*(double *) field = number;
	}
}

void
span_facts_read(ApmStr attributes, SpanFacts *facts)
{
	JsonReader	r;
	JsonString	key;

	memset(facts, 0, sizeof(*facts));
	facts->http_status = facts->hit = facts->item_size = facts->latency_ms = facts->retries = NAN;
	if (attributes.data == NULL)
		return;
	json_reader_init(&r, attributes.data, attributes.len, MAX_DEPTH);
	if (!json_reader_enter_object(&r))
		return;
	while (json_reader_next_key(&r, &key))
	{
		const FactName *name = find_name(&key);

		if (name == NULL)
			json_reader_skip(&r);
		else
			set_fact(facts, name, read_value(&r));
	}
}
