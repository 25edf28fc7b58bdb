/*
 * json/jsonb.c
 *		JSON text to jsonb, without ever failing on content.
 *
 * The server's own input function refuses \u0000, lone surrogates, numbers
 * beyond numeric and strings beyond jsonb's limits.  Here the text has been
 * accepted already, so whatever jsonb cannot hold is replaced or cut.
 *
 * The text is read into a flat list of nodes, the members of a container
 * behind it, and written from there in jsonb's own format: a header, an entry
 * for each key and value, then the bytes of the keys in order and those of the
 * values.  The server's builder would make a tree of it first and take three
 * times as long.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "compat.h"
#include "json/jsonb.h"
#include "json/reader.h"

/*
 * What one document may take.  A jsonb container holds 2^28 bytes at most
 * (less some slack for the last number).  Charging each member no less than
 * 32 bytes keeps entries within that, too, and the list of nodes within one
 * allocation.
 */
#define ROOM_OF_DOCUMENT	(JENTRY_OFFLENMASK - 64 * 1024)
#define ROOM_OF_MEMBER		32

/*
 * Longest number and largest exponent that become numeric.  "1e100000" is
 * eight bytes of text and, as numeric, prints as 100,000 digits.
 */
#define NUMERIC_TEXT_LIMIT	1000
#define NUMERIC_EXPONENT_LIMIT	400

/* Bytes around a value, for the first guess at the size: entries, header, padding. */
#define OVERHEAD_OF_NODE	24

/* A value and, in an object, its key; strings as they will be stored. */
typedef struct JsonbNode
{
	const char *key;
	const char *text;			/* of a string or number */
	uint32		key_len;
	uint32		len;			/* of the text; of a container, its members */
	uint32		next;			/* node behind this one and all inside it */
	JsonKind	kind;
} JsonbNode;

/* A member to be sorted by its key, of which the length decides first. */
typedef struct JsonbMember
{
	uint32		key_len;
	uint32		at;				/* its node */
} JsonbMember;

typedef struct JsonbBuilder
{
	JsonReader	reader;
	int64		room;			/* bytes left of ROOM_OF_DOCUMENT */
	JsonbNode  *nodes;
	uint32		nnodes;
	uint32		nodes_cap;
	int			depth;
	uint32		open[JSON_DEPTH_LIMIT + 1]; /* nodes of the open containers, from 1 */

	/* members of objects being written, those of the innermost last */
	JsonbMember *members;
	uint32		nmembers;

	/* the jsonb being written */
	char	   *out;
	uint32		len;
	uint32		cap;
} JsonbBuilder;

static JEntry write_value(JsonbBuilder *b, uint32 at);

/*
 * Members in jsonb's order of keys, those of equal keys as they were sent:
 * nodes are numbered in the order of the text.
 */
static inline int
compare_members(const JsonbMember *a, const JsonbMember *b, const JsonbNode *nodes)
{
	int			c;

	if (a->key_len != b->key_len)
		return a->key_len < b->key_len ? -1 : 1;
	c = memcmp(nodes[a->at].key, nodes[b->at].key, a->key_len);
	return c != 0 ? c : (a->at > b->at) - (a->at < b->at);
}

#define ST_SORT sort_members
#define ST_ELEMENT_TYPE JsonbMember
#define ST_COMPARE(a, b, nodes) compare_members(a, b, nodes)
#define ST_COMPARE_ARG_TYPE const JsonbNode
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* As much of the text as there is room for. */
static ApmStr
cut_string(JsonbBuilder *b, ApmStr text)
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
	text.len = (uint32) len;
	return text;
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

/* Room for one more node, and the node. */
static JsonbNode *
add_node(JsonbBuilder *b)
{
	if (b->nnodes == b->nodes_cap)
	{
		b->nodes_cap *= 2;
		b->nodes = repalloc_huge(b->nodes, b->nodes_cap * sizeof(JsonbNode));
	}
	return &b->nodes[b->nnodes++];
}

/* What is stored of a scalar that was read. */
static void
set_scalar(JsonbBuilder *b, JsonbNode *node, const JsonString *scalar)
{
	ApmStr		text = {scalar->data, scalar->len};

	if (node->kind == JSON_KIND_STRING)
		text = cut_string(b, json_string_text(scalar));
	else if (node->kind == JSON_KIND_NUMBER)
	{
		if (suits_numeric(text))
			b->room -= text.len;
		else
		{
			node->kind = JSON_KIND_STRING;
			text = cut_string(b, text);
		}
	}
	node->text = text.data;
	node->len = text.len;
}

/*
 * Goes to the next member of the innermost container and returns its key,
 * which in an array is empty.  False at the container's end.  When the
 * document's room is used up, the members that remain are passed over.
 */
static bool
next_member(JsonbBuilder *b, ApmStr *key)
{
	JsonbNode  *container = &b->nodes[b->open[b->depth]];
	bool		object = container->kind == JSON_KIND_OBJECT;
	JsonString	string;

	while (object ? json_reader_next_key(&b->reader, &string) :
		   json_reader_next_element(&b->reader))
	{
		if (b->room < 2 * ROOM_OF_MEMBER)
		{
			(void) json_reader_skip(&b->reader);
			continue;
		}
		b->room -= ROOM_OF_MEMBER;
		container->len++;
		if (object)
			*key = cut_string(b, json_string_text(&string));
		return true;
	}
	return false;
}

/* Reads the whole document into nodes; false if the reader fails. */
static bool
read_document(JsonbBuilder *b)
{
	ApmStr		key = {NULL, 0};
	JsonString	scalar;

	for (;;)
	{
		JsonbNode  *node = add_node(b);

		CHECK_FOR_INTERRUPTS();
		node->key = key.data;
		node->key_len = key.len;
		node->kind = json_reader_scalar(&b->reader, &scalar);
		if (node->kind == JSON_KIND_OBJECT || node->kind == JSON_KIND_ARRAY)
		{
			node->len = 0;
			if (!(node->kind == JSON_KIND_OBJECT ? json_reader_enter_object(&b->reader) :
				  json_reader_enter_array(&b->reader)))
				return false;
			b->open[++b->depth] = b->nnodes - 1;
		}
		else if (node->kind != JSON_KIND_ERROR)
		{
			set_scalar(b, node, &scalar);
			node->next = b->nnodes;
		}
		else
			return false;

		for (;;)
		{
			if (b->depth == 0)
				return json_reader_finish(&b->reader);
			if (next_member(b, &key))
				break;
			if (b->reader.error != JSON_OK)
				return false;
			b->nodes[b->open[b->depth--]].next = b->nnodes;
		}
	}
}

/* Room for more bytes of the result; returns where they start. */
static inline uint32
reserve(JsonbBuilder *b, uint32 n)
{
	uint32		start = b->len;

	if (unlikely(n > b->cap - b->len))
	{
		b->cap = Max(b->cap * 2, b->len + n);
		b->out = repalloc(b->out, b->cap);
	}
	b->len += n;
	return start;
}

static inline void
append(JsonbBuilder *b, const char *bytes, uint32 n)
{
	uint32		start = reserve(b, n);

	memcpy(b->out + start, bytes, n);
}

/* Containers and numbers lie on boundaries of four bytes. */
static inline void
pad(JsonbBuilder *b)
{
	while (b->len % ALIGNOF_INT != 0)
		b->out[reserve(b, 1)] = '\0';
}

static void
write_number(JsonbBuilder *b, ApmStr text)
{
	int64		integer;
	Numeric		numeric;

	if (json_number_int64(text, &integer))
		numeric = int64_to_numeric(integer);
	else
		numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in,
													  CStringGetDatum(pnstrdup(text.data, text.len)),
													  ObjectIdGetDatum(InvalidOid),
													  Int32GetDatum(-1)));
	pad(b);
	append(b, (const char *) numeric, VARSIZE_ANY(numeric));
}

/*
 * Sets entry i of a container.  Entries hold lengths, but now and then an
 * offset, *total being what they cover up to here.
 */
static inline void
set_entry(JsonbBuilder *b, uint32 entries, uint32 i, JEntry entry, uint32 *total)
{
	*total += JBE_OFFLENFLD(entry);
	if (i % JB_OFFSET_STRIDE == 0)
		entry = (entry & JENTRY_TYPEMASK) | *total | JENTRY_HAS_OFF;
	memcpy(b->out + entries + i * sizeof(JEntry), &entry, sizeof(JEntry));
}

/* The header of a container and room for its entries; returns where they start. */
static uint32
write_header(JsonbBuilder *b, uint32 flags, uint32 count, uint32 nentries)
{
	uint32		header = flags | count;

	pad(b);
	append(b, (const char *) &header, sizeof(header));
	return reserve(b, nentries * sizeof(JEntry));
}

static void
write_array(JsonbBuilder *b, uint32 at, uint32 count, uint32 flags)
{
	uint32		entries = write_header(b, JB_FARRAY | flags, count, count);
	uint32		total = 0;
	uint32		i;

	for (i = 0; i < count; i++)
	{
		set_entry(b, entries, i, write_value(b, at), &total);
		at = b->nodes[at].next;
	}
}

/*
 * Lists the members of an object in the order of their keys, of equal keys
 * only the last.  Returns how many there are.
 */
static uint32
list_members(JsonbBuilder *b, uint32 at, uint32 count, JsonbMember *members)
{
	const JsonbNode *nodes = b->nodes;
	uint32		kept = 0;
	uint32		i;

	for (i = 0; i < count; i++)
	{
		members[i].key_len = nodes[at].key_len;
		members[i].at = at;
		at = nodes[at].next;
	}
	sort_members(members, count, nodes);
	for (i = 0; i < count; i++)
	{
		uint32		len = members[i].key_len;

		if (i + 1 < count && members[i + 1].key_len == len &&
			memcmp(nodes[members[i].at].key, nodes[members[i + 1].at].key, len) == 0)
			continue;
		members[kept++] = members[i];
	}
	return kept;
}

static void
write_object(JsonbBuilder *b, uint32 at, uint32 count)
{
	JsonbMember *members = b->members + b->nmembers;
	uint32		entries;
	uint32		total = 0;
	uint32		i;

	count = list_members(b, at, count, members);
	b->nmembers += count;
	entries = write_header(b, JB_FOBJECT, count, 2 * count);
	for (i = 0; i < count; i++)
	{
		append(b, b->nodes[members[i].at].key, members[i].key_len);
		set_entry(b, entries, i, JENTRY_ISSTRING | members[i].key_len, &total);
	}
	for (i = 0; i < count; i++)
		set_entry(b, entries, count + i, write_value(b, members[i].at), &total);
	b->nmembers -= count;
}

/* Writes a value; returns its entry: kind, and length with padding. */
static JEntry
write_value(JsonbBuilder *b, uint32 at)
{
	const JsonbNode *node = &b->nodes[at];
	uint32		start = b->len;
	ApmStr		text;

	switch (node->kind)
	{
		case JSON_KIND_STRING:
			append(b, node->text, node->len);
			return JENTRY_ISSTRING | node->len;
		case JSON_KIND_NUMBER:
			text.data = node->text;
			text.len = node->len;
			write_number(b, text);
			return JENTRY_ISNUMERIC | (b->len - start);
		case JSON_KIND_TRUE:
			return JENTRY_ISBOOL_TRUE;
		case JSON_KIND_FALSE:
			return JENTRY_ISBOOL_FALSE;
		case JSON_KIND_ARRAY:
			check_stack_depth();
			write_array(b, at + 1, node->len, 0);
			return JENTRY_ISCONTAINER | (b->len - start);
		case JSON_KIND_OBJECT:
			check_stack_depth();
			CHECK_FOR_INTERRUPTS();
			write_object(b, at + 1, node->len);
			return JENTRY_ISCONTAINER | (b->len - start);
		default:
			return JENTRY_ISNULL;
	}
}

Jsonb *
json_text_to_jsonb(ApmStr text)
{
	static MemoryContext scratch = NULL;	/* kept, for there are many small texts */
	MemoryContext caller;
	JsonbBuilder b;

	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "pg_apm jsonb", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(scratch);	/* an error may have left something */
	caller = MemoryContextSwitchTo(scratch);
	json_reader_init(&b.reader, text.data, text.len, JSON_DEPTH_LIMIT);
	b.room = ROOM_OF_DOCUMENT;
	b.nnodes = 0;
	b.nodes_cap = 64;
	b.nodes = palloc(b.nodes_cap * sizeof(JsonbNode));
	b.depth = 0;
	if (!read_document(&b))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("text for jsonb is not JSON: %s", json_error_text(b.reader.error))));

	b.members = palloc_extended(b.nnodes * sizeof(JsonbMember), MCXT_ALLOC_HUGE);
	b.nmembers = 0;
	b.cap = VARHDRSZ + Min(text.len, ROOM_OF_DOCUMENT) + b.nnodes * OVERHEAD_OF_NODE;
	b.out = MemoryContextAlloc(caller, b.cap);
	b.len = VARHDRSZ;
	if (b.nodes[0].kind == JSON_KIND_OBJECT || b.nodes[0].kind == JSON_KIND_ARRAY)
		(void) write_value(&b, 0);
	else
		write_array(&b, 0, 1, JB_FSCALAR);
	SET_VARSIZE(b.out, b.len);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(scratch);
	return (Jsonb *) b.out;
}
