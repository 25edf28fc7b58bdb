/*
 * store/enrich.c
 *		What apm.ingest adds to spans before they are packed.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/md5.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "json/reader.h"
#include "settings.h"
#include "store/enrich.h"
#include "store/normalize.h"
#include "types/hex.h"

#define GROUP_LEN 16

/*
 * Descriptions repeat: a direct-mapped cache of their groups spares the
 * lexer and MD5.  Long descriptions are not worth keeping.
 */
#define CACHE_SLOTS 1024
#define CACHE_MAX_LEN 1000

typedef struct GroupSlot
{
	char	   *key;			/* the description; NULL: free slot */
	uint32		len;
	uint32		kind;			/* hash of op and system, on which the rules depend */
	bool		has_group;
	char		group[GROUP_LEN];
} GroupSlot;

static GroupSlot *group_cache = NULL;

/* A string attribute, read only from spans whose group depends on it. */
static ApmStr
attribute_text(ApmStr attributes, const char *name)
{
	JsonReader	r;
	JsonString	key;
	JsonString	value;
	ApmStr		result = {NULL, 0};

	if (attributes.data == NULL)
		return result;
	json_reader_init(&r, attributes.data, attributes.len, 128);
	if (!json_reader_enter_object(&r))
		return result;
	while (json_reader_next_key(&r, &key))
	{
		if (json_string_is(&key, name) && json_reader_peek(&r) == JSON_KIND_STRING)
		{
			if (json_reader_string(&r, &value))
				result = json_string_text(&value);
		}
		else
			json_reader_skip(&r);
	}
	return result;
}

static bool
group_of(ApmStr normalized, char *group)
{
	uint8		digest[MD5_DIGEST_LENGTH];
	const char *error;

	if (normalized.data == NULL)
		return false;
	if (!pg_md5_binary(normalized.data, normalized.len, digest, &error))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute an MD5 hash: %s", error)));
	hex_write(digest, GROUP_LEN / 2, group);
	return true;
}

/* The one slot where a description may be. */
static GroupSlot *
cache_slot(uint32 kind, ApmStr description, bool *found)
{
	uint32		hash = hash_bytes((const unsigned char *) description.data, description.len) ^ kind;
	GroupSlot  *slot;

	if (group_cache == NULL)
		group_cache = MemoryContextAllocZero(TopMemoryContext, sizeof(GroupSlot) * CACHE_SLOTS);
	slot = &group_cache[hash % CACHE_SLOTS];
	*found = slot->key != NULL && slot->len == description.len && slot->kind == kind &&
		memcmp(slot->key, description.data, description.len) == 0;
	return slot;
}

static void
cache_fill(GroupSlot *slot, uint32 kind, ApmStr description, bool has_group, const char *group)
{
	char	   *key = MemoryContextAlloc(TopMemoryContext, description.len);

	memcpy(key, description.data, description.len);
	if (slot->key != NULL)
		pfree(slot->key);
	slot->key = key;
	slot->len = description.len;
	slot->kind = kind;
	slot->has_group = has_group;
	if (has_group)
		memcpy(slot->group, group, GROUP_LEN);
}

static void
enrich_group(ApmSpan *span)
{
	static const ApmStr none = {NULL, 0};
	ApmStr		system = none;
	GroupSlot  *slot = NULL;
	char		group[GROUP_LEN];
	bool		has_group;
	uint32		kind;

	if (span->category.len == 2 && memcmp(span->category.data, "db", 2) == 0)
		system = attribute_text(span->attributes, "db.system");

	kind = hash_bytes((const unsigned char *) span->op.data, span->op.len);
	if (system.data != NULL)
		kind = hash_combine(kind, hash_bytes((const unsigned char *) system.data, system.len));
	if (span->description.len <= CACHE_MAX_LEN)
	{
		bool		found;

		slot = cache_slot(kind, span->description, &found);
		if (found)
		{
			if (slot->has_group)
			{
				span->span_group.data = pnstrdup(slot->group, GROUP_LEN);
				span->span_group.len = GROUP_LEN;
			}
			return;
		}
	}
	has_group = group_of(normalize_description(span->op, span->category, span->description, system),
						 group);
	if (slot != NULL)
		cache_fill(slot, kind, span->description, has_group, group);
	if (has_group)
	{
		span->span_group.data = pnstrdup(group, GROUP_LEN);
		span->span_group.len = GROUP_LEN;
	}
}

void
enrich_spans(ApmSpan *spans, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (apm_infer_categories && spans[i].category.data == NULL)
			spans[i].category = normalize_category(spans[i].op);
		if (apm_group_spans && spans[i].span_group.data == NULL && spans[i].description.len > 0 &&
			spans[i].category.data != NULL)
			enrich_group(&spans[i]);
	}
}

static ApmStr
text_argument(FunctionCallInfo fcinfo, int n)
{
	ApmStr		s = {NULL, 0};

	if (!PG_ARGISNULL(n))
	{
		text	   *t = PG_GETARG_TEXT_PP(n);

		s.data = VARDATA_ANY(t);
		s.len = VARSIZE_ANY_EXHDR(t);
	}
	return s;
}

static text *
text_of(ApmStr s)
{
	return cstring_to_text_with_len(s.data, s.len);
}

/* apm.normalize_description(op, description, db_system) */
PG_FUNCTION_INFO_V1(apm_normalize_description);
Datum
apm_normalize_description(PG_FUNCTION_ARGS)
{
	ApmStr		op = text_argument(fcinfo, 0);
	ApmStr		result = normalize_description(op, normalize_category(op), text_argument(fcinfo, 1),
											   text_argument(fcinfo, 2));

	if (result.data == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(text_of(result));
}

/* apm.normalize_name(name) */
PG_FUNCTION_INFO_V1(apm_normalize_name);
Datum
apm_normalize_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(text_of(normalize_name(text_argument(fcinfo, 0))));
}
