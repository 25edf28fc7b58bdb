/*
 * json/jsonb.c
 *		JSON text to jsonb, without ever failing on content.
 *
 * The server's own input function refuses \u0000, lone surrogates, numbers
 * beyond numeric and strings beyond jsonb's limits.  Here the text has been
 * accepted already, so whatever jsonb cannot hold is replaced or cut.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "json/jsonb.h"
#include "json/reader.h"

/*
 * What one document may take.  A jsonb container holds 2^28 bytes at most
 * (less some slack for the last number), and the server collects an object's
 * members in one allocation, which cannot hold 2^23 of them.  Charging each
 * member no less than 32 bytes respects both limits with one account.
 */
#define ROOM_OF_DOCUMENT	(JENTRY_OFFLENMASK - 64 * 1024)
#define ROOM_OF_MEMBER		32

/*
 * Longest number and largest exponent that become numeric.  "1e100000" is
 * eight bytes of text and, as numeric, prints as 100,000 digits.
 */
#define NUMERIC_TEXT_LIMIT	1000
#define NUMERIC_EXPONENT_LIMIT	400

typedef struct JsonbBuilder
{
	JsonReader	reader;
	JsonbParseState *state;
	int64		room;			/* bytes left of ROOM_OF_DOCUMENT */
	int			depth;
	bool		in_object[JSON_DEPTH_LIMIT + 1];
} JsonbBuilder;

/* Sets a jsonb string to at most as much of the text as there is room for. */
static void
set_string(JsonbBuilder *b, JsonbValue *value, ApmStr text)
{
	int64		len = text.len;

	if (len > b->room)
	{
		len = Max(b->room, 0);
		/* Not in the middle of a character. */
		while (len > 0 && ((unsigned char) text.data[len] & 0xc0) == 0x80)
			len--;
	}
	b->room -= len;
	value->type = jbvString;
	value->val.string.val = (char *) text.data;
	value->val.string.len = (int) len;
}

/* Is this number small enough, written out, to be numeric? */
static bool
suits_numeric(ApmStr text)
{
	const char *p = text.data;
	const char *end = text.data + text.len;
	int			exponent = 0;

	if (text.len > NUMERIC_TEXT_LIMIT)
		return false;
	while (p < end && *p != 'e' && *p != 'E')
		p++;
	for (; p < end && exponent <= NUMERIC_EXPONENT_LIMIT; p++)
	{
		if (*p >= '0' && *p <= '9')
			exponent = exponent * 10 + (*p - '0');
	}
	return exponent <= NUMERIC_EXPONENT_LIMIT;
}

static void
set_number(JsonbBuilder *b, JsonbValue *value, ApmStr text)
{
	int64		integer;

	if (!suits_numeric(text))
	{
		set_string(b, value, text);
		return;
	}
	b->room -= text.len;
	value->type = jbvNumeric;
	if (json_number_int64(text, &integer))
		value->val.numeric = int64_to_numeric(integer);
	else
		value->val.numeric =
			DatumGetNumeric(DirectFunctionCall3(numeric_in,
												CStringGetDatum(pnstrdup(text.data, text.len)),
												ObjectIdGetDatum(InvalidOid),
												Int32GetDatum(-1)));
}

/* Reads a value that is no container; nothing is set if the reader fails. */
static void
read_scalar(JsonbBuilder *b, JsonKind kind, JsonbValue *value)
{
	JsonString	string;
	ApmStr		number;

	switch (kind)
	{
		case JSON_KIND_STRING:
			if (json_reader_string(&b->reader, &string))
				set_string(b, value, json_string_text(&string));
			break;
		case JSON_KIND_NUMBER:
			if (json_reader_number(&b->reader, &number))
				set_number(b, value, number);
			break;
		case JSON_KIND_TRUE:
		case JSON_KIND_FALSE:
			value->type = jbvBool;
			(void) json_reader_bool(&b->reader, &value->val.boolean);
			break;
		default:
			value->type = jbvNull;
			(void) json_reader_null(&b->reader);
			break;
	}
}

/*
 * Goes to the next member of the innermost container and, in an object,
 * pushes its key.  False at the container's end.  When the document's room is
 * used up, the members that remain are passed over.
 */
static bool
next_member(JsonbBuilder *b)
{
	JsonString	string;
	JsonbValue	key;

	while (b->in_object[b->depth] ? json_reader_next_key(&b->reader, &string) :
		   json_reader_next_element(&b->reader))
	{
		if (b->room < 2 * ROOM_OF_MEMBER)
		{
			(void) json_reader_skip(&b->reader);
			continue;
		}
		b->room -= ROOM_OF_MEMBER;
		if (b->in_object[b->depth])
		{
			set_string(b, &key, json_string_text(&string));
			(void) pushJsonbValue(&b->state, WJB_KEY, &key);
		}
		return true;
	}
	return false;
}

/* Builds the document.  The result points into the text and to allocations. */
static JsonbValue *
build(JsonbBuilder *b)
{
	JsonbValue *root = palloc0(sizeof(JsonbValue));

	for (;;)
	{
		JsonKind	kind;

		CHECK_FOR_INTERRUPTS();
		kind = json_reader_peek(&b->reader);
		if (kind == JSON_KIND_OBJECT || kind == JSON_KIND_ARRAY)
		{
			bool		object = kind == JSON_KIND_OBJECT;

			if (!(object ? json_reader_enter_object(&b->reader) :
				  json_reader_enter_array(&b->reader)))
				return NULL;
			b->in_object[++b->depth] = object;
			(void) pushJsonbValue(&b->state, object ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
		}
		else
		{
			JsonbValue	value;

			memset(&value, 0, sizeof(value));
			read_scalar(b, kind, &value);
			if (b->reader.error != JSON_OK)
				return NULL;
			if (b->depth == 0)
			{
				*root = value;
				return root;
			}
			(void) pushJsonbValue(&b->state, b->in_object[b->depth] ? WJB_VALUE : WJB_ELEM, &value);
		}

		while (!next_member(b))
		{
			if (b->reader.error != JSON_OK)
				return NULL;
			root = pushJsonbValue(&b->state,
								  b->in_object[b->depth] ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
			if (--b->depth == 0)
				return root;
		}
	}
}

Jsonb *
json_text_to_jsonb(ApmStr text)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_apm jsonb",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	JsonbBuilder b;
	JsonbValue *value;
	Jsonb	   *result;

	json_reader_init(&b.reader, text.data, text.len, JSON_DEPTH_LIMIT);
	b.state = NULL;
	b.room = ROOM_OF_DOCUMENT;
	b.depth = 0;
	value = build(&b);
	if (value == NULL || !json_reader_finish(&b.reader))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("text for jsonb is not JSON: %s", json_error_text(b.reader.error))));

	MemoryContextSwitchTo(caller);
	result = JsonbValueToJsonb(value);
	MemoryContextDelete(context);
	return result;
}
