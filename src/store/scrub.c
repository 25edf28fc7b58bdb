/*
 * store/scrub.c
 *		Secrets out of what is about to be stored, by the rules of its project.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "json/jsonb.h"
#include "settings.h"
#include "store/normalize_scrub.h"
#include "store/scrub.h"
#include "store/statement.h"
#include "types/hex.h"

/* Bytes of a hash that stands for a user. */
#define USER_HASH_LEN 8

/* A row of apm.scrub_rules. */
typedef struct RuleRow
{
	int32		project_id;		/* 0: all */
	bool		is_pattern;
	ApmStr		expression;
	bool		enabled;
} RuleRow;

/* The rules of one project. */
typedef struct ProjectRules
{
	int32		project_id;
	ScrubRules	rules;
	ApmStr	   *keys;
	text	  **patterns;
	int			npatterns;
} ProjectRules;

/* The rules of all projects of a batch, the salt once it is needed. */
typedef struct Scrubber
{
	RuleRow    *rows;
	int			nrows;
	ProjectRules *projects;
	int			nprojects;
	bytea	   *salt;
} Scrubber;

static const struct
{
	const char *name;
	bool		is_pattern;
	uint32		bit;
}			builtin_rules[] =
{
	{"@password", false, SCRUB_PASSWORD},
	{"@creditcard", true, SCRUB_CREDITCARD},
	{"@pemkey", true, SCRUB_PEMKEY},
	{"@bearer", true, SCRUB_BEARER},
	{"@urlauth", true, SCRUB_URLAUTH},
	{"@ip", true, SCRUB_IP}
};

/* The rows that concern these projects, those for all projects first. */
static void
load_rows(Scrubber *s, Datum *projects, int n)
{
	static Statement rules = {
		"SELECT project_id, kind, expression, enabled FROM apm.scrub_rules"
		" WHERE project_id IS NULL OR project_id OPERATOR(pg_catalog.=) ANY ($1)"
		" ORDER BY project_id NULLS FIRST, kind, expression",
		1, {INT4ARRAYOID}, NULL, NULL, NULL, InvalidOid
	};
	Datum		value = PointerGetDatum(construct_array(projects, n, INT4OID, sizeof(int32),
														true, TYPALIGN_INT));
	uint64		i;

	statement_run(&rules, &value, NULL, SPI_OK_SELECT);
	s->nrows = (int) SPI_processed;
	s->rows = palloc(sizeof(RuleRow) * Max(s->nrows, 1));
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	t = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		RuleRow    *row = &s->rows[i];
		bool		isnull;
		Datum		id = SPI_getbinval(t, desc, 1, &isnull);
		char	   *expression = text_to_cstring(DatumGetTextPP(SPI_getbinval(t, desc, 3, &isnull)));

		SPI_getbinval(t, desc, 1, &isnull);
		row->project_id = isnull ? 0 : DatumGetInt32(id);
		row->is_pattern = TextDatumGetCString(SPI_getbinval(t, desc, 2, &isnull))[0] == 'p';
		row->expression.data = expression;
		row->expression.len = strlen(expression);
		row->enabled = DatumGetBool(SPI_getbinval(t, desc, 4, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Does a later row, of the project itself, say something else? */
static bool
is_overridden(const Scrubber *s, int i, int32 project_id)
{
	const RuleRow *row = &s->rows[i];
	int			j;

	for (j = i + 1; j < s->nrows; j++)
		if (s->rows[j].project_id == project_id && s->rows[j].is_pattern == row->is_pattern &&
			strcmp(s->rows[j].expression.data, row->expression.data) == 0)
			return true;
	return false;
}

static void
set_builtin(ScrubRules *rules, const RuleRow *row)
{
	int			i;

	for (i = 0; i < lengthof(builtin_rules); i++)
		if (builtin_rules[i].is_pattern == row->is_pattern &&
			strcmp(builtin_rules[i].name, row->expression.data) == 0)
		{
			if (row->enabled)
				rules->builtin |= builtin_rules[i].bit;
			else
				rules->builtin &= ~builtin_rules[i].bit;
		}
}

/* Replaces what the regular expressions of a project find. */
static bool
replace_patterns(void *arg, ApmStr value, ApmStr *result)
{
	const ProjectRules *project = arg;
	Datum		current = PointerGetDatum(cstring_to_text_with_len(value.data, value.len));
	bool		found = false;
	int			i;

	for (i = 0; i < project->npatterns; i++)
	{
		Datum		pattern = PointerGetDatum(project->patterns[i]);
		Datum		replaced;

		if (!DatumGetBool(DirectFunctionCall2Coll(textregexeq, DEFAULT_COLLATION_OID,
												  current, pattern)))
			continue;
		replaced = DirectFunctionCall4Coll(textregexreplace, DEFAULT_COLLATION_OID, current, pattern,
										   CStringGetTextDatum(SCRUB_MARK), CStringGetTextDatum("g"));
		if (VARSIZE_ANY(DatumGetPointer(replaced)) == VARSIZE_ANY(DatumGetPointer(current)) &&
			memcmp(DatumGetPointer(replaced), DatumGetPointer(current),
				   VARSIZE_ANY(DatumGetPointer(current))) == 0)
			continue;			/* it only found our mark */
		pfree(DatumGetPointer(current));
		current = replaced;
		found = true;
	}
	if (!found)
	{
		pfree(DatumGetPointer(current));
		return false;
	}
	result->data = VARDATA_ANY(DatumGetPointer(current));
	result->len = VARSIZE_ANY_EXHDR(DatumGetPointer(current));
	return true;
}

static void
build_rules(const Scrubber *s, int32 project_id, ProjectRules *project)
{
	int			i;

	memset(project, 0, sizeof(*project));
	project->project_id = project_id;
	project->rules.builtin = SCRUB_DEFAULT;
	project->keys = palloc(sizeof(ApmStr) * Max(s->nrows, 1));
	project->patterns = palloc(sizeof(text *) * Max(s->nrows, 1));
	for (i = 0; i < s->nrows; i++)
	{
		const RuleRow *row = &s->rows[i];

		if ((row->project_id != 0 && row->project_id != project_id) ||
			(row->project_id == 0 && is_overridden(s, i, project_id)))
			continue;
		if (row->expression.data[0] == '@')
			set_builtin(&project->rules, row);
		else if (!row->enabled)
			continue;
		else if (row->is_pattern)
			project->patterns[project->npatterns++] = cstring_to_text(row->expression.data);
		else
		{
			char	   *key = asc_tolower(row->expression.data, row->expression.len);

			project->keys[project->rules.nkeys].data = key;
			project->keys[project->rules.nkeys++].len = strlen(key);
		}
	}
	project->rules.keys = project->keys;
	if (project->npatterns > 0)
		project->rules.pattern = replace_patterns;
}

/* Rules of a project; there are few projects in a batch. */
static const ScrubRules *
rules_of(Scrubber *s, int32 project_id)
{
	int			i;

	for (i = 0; i < s->nprojects; i++)
		if (s->projects[i].project_id == project_id)
		{
			/* The array has its final place: only now may anything point into it. */
			s->projects[i].rules.arg = &s->projects[i];
			return &s->projects[i].rules;
		}
	elog(ERROR, "no scrubbing rules for project %d", project_id);
	return NULL;
}

static int
compare_ids(const void *a, const void *b)
{
	int32		x = DatumGetInt32(*(const Datum *) a);
	int32		y = DatumGetInt32(*(const Datum *) b);

	return x < y ? -1 : x > y;
}

/* Loads the rules of n projects, which may repeat; ids is sorted in place. */
static void
scrubber_init(Scrubber *s, Datum *ids, int n)
{
	int			kept = 0;
	int			i;

	memset(s, 0, sizeof(*s));
	qsort(ids, n, sizeof(Datum), compare_ids);
	for (i = 0; i < n; i++)
		if (kept == 0 || DatumGetInt32(ids[kept - 1]) != DatumGetInt32(ids[i]))
			ids[kept++] = ids[i];
	load_rows(s, ids, kept);
	s->projects = palloc(sizeof(ProjectRules) * Max(kept, 1));
	s->nprojects = kept;
	for (i = 0; i < kept; i++)
		build_rules(s, DatumGetInt32(ids[i]), &s->projects[i]);
}

/* The salt of this database, which no role but its owner may read. */
static void
load_salt(Scrubber *s)
{
	static Statement salt = {
		"SELECT value FROM _apm.secrets WHERE name OPERATOR(pg_catalog.=) 'user_key'",
		0, {0}, NULL, NULL, NULL, InvalidOid
	};
	bool		isnull;

	statement_run(&salt, NULL, NULL, SPI_OK_SELECT);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table _apm.secrets has no row \"user_key\"")));
	s->salt = DatumGetByteaPCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
											   &isnull));
	SPI_freetuptable(SPI_tuptable);
}

/* The first kept bytes as they are, and 16 hex digits of the HMAC-SHA-256 of the user key. */
static ApmStr
hash_user(Scrubber *s, ApmStr user_key, uint32 kept)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_hmac_ctx *ctx;
	ApmStr		result;
	char	   *text;

	if (s->salt == NULL)
		load_salt(s);
	ctx = pg_hmac_create(PG_SHA256);
	if (ctx == NULL ||
		pg_hmac_init(ctx, (uint8 *) VARDATA(s->salt), VARSIZE(s->salt) - VARHDRSZ) < 0 ||
		pg_hmac_update(ctx, (const uint8 *) user_key.data, user_key.len) < 0 ||
		pg_hmac_final(ctx, digest, sizeof(digest)) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not hash a user")));
	pg_hmac_free(ctx);
	text = palloc(kept + 2 * USER_HASH_LEN);
	memcpy(text, user_key.data, kept);
	hex_write(digest, USER_HASH_LEN, text + kept);
	result.data = text;
	result.len = kept + 2 * USER_HASH_LEN;
	return result;
}

static bool
key_is_secret(const ScrubRules *rules, const char *name)
{
	ApmStr		key;

	key.data = name;
	key.len = strlen(name);
	return scrub_key(rules, key);
}

/* Would the value that the key was derived from be replaced? */
static bool
user_is_scrubbed(const ScrubRules *rules, ApmStr user_key, uint32 kind_len)
{
	static const char *const names[][2] = {
		{"id", "user.id"}, {"username", "user.username"}, {"email", "user.email"},
		{"ip", "user.ip_address"}
	};
	ApmStr		value = user_key;
	int			i;

	for (i = 0; i < lengthof(names); i++)
		if (strlen(names[i][0]) == kind_len && memcmp(names[i][0], user_key.data, kind_len) == 0 &&
			key_is_secret(rules, names[i][1]))
			return true;
	value.data += kind_len + 1;
	value.len -= kind_len + 1;
	return scrub_text(rules, &value) > 0;
}

static int64
scrub_user(Scrubber *s, const ScrubRules *rules, ApmStr *user_key)
{
	const char *colon = user_key->len > 0 ? memchr(user_key->data, ':', user_key->len) : NULL;

	if (colon == NULL || !user_is_scrubbed(rules, *user_key, colon - user_key->data))
		return 0;
	*user_key = hash_user(s, *user_key, colon - user_key->data + 1);
	return 1;
}

/* The user of a session comes without saying what it is: id, address of mail or of IP. */
static int64
scrub_session(Scrubber *s, const ScrubRules *rules, ApmSession *session)
{
	ApmStr		user = session->user;

	if (user.len == 0)
		return 0;
	if (!key_is_secret(rules, "did") && !key_is_secret(rules, "user.id") &&
		!(memchr(user.data, '@', user.len) != NULL && key_is_secret(rules, "user.email")) &&
		scrub_text(rules, &user) == 0)
		return 0;
	session->user = hash_user(s, session->user, 0);
	return 1;
}

/* What is said of its schedule: who owns it may be an address. */
static int64
scrub_check_in(const ScrubRules *rules, ApmCheckIn *check_in)
{
	ApmStr		config = check_in->config;
	int64		found = scrub_json(rules, &config);

	if (found > 0 && config.data != NULL)
		check_in->config = config;
	return found;
}

/* The header, and a payload that is JSON; what else is kept stays as it came. */
static int64
scrub_raw(const ScrubRules *rules, StoreRaw *raw)
{
	ApmStr		header = raw->raw.header;
	ApmStr		payload = raw->kept;
	int64		found = scrub_json(rules, &header);
	int64		in_payload;

	if (found > 0 && header.data != NULL)
		raw->raw.header = header;
	if (payload.len == 0 || (payload.data[0] != '{' && payload.data[0] != '['))
		return found;
	in_payload = scrub_json(rules, &payload);
	if (payload.data == NULL)
		return found;
	raw->kept = payload;
	return found + in_payload;
}

static int64
scrub_spans(const ScrubRules *rules, ApmSegment *segment)
{
	ApmSpan    *copy = NULL;
	int64		found = 0;
	int			i;

	for (i = 0; i < segment->nspans; i++)
	{
		ApmStr		description = segment->spans[i].description;
		ApmStr		attributes = segment->spans[i].attributes;
		int64		n = scrub_text(rules, &description) + scrub_json(rules, &attributes);

		if (n == 0)
			continue;
		if (copy == NULL)
		{
			copy = palloc(sizeof(ApmSpan) * segment->nspans);
			memcpy(copy, segment->spans, sizeof(ApmSpan) * segment->nspans);
			segment->spans = copy;
		}
		copy[i].description = description;
		copy[i].attributes = attributes;
		found += n;
	}
	return found;
}

static int64
scrub_segment(Scrubber *s, const ScrubRules *rules, StoreSegment *segment)
{
	int64		found = scrub_spans(rules, &segment->segment);
	ApmTransaction *t = &segment->transaction;

	found += scrub_text(rules, &segment->segment.transaction_name);
	if (segment->segment.transaction == NULL)
		return found;
	scrub_text(rules, &t->name);
	found += scrub_json(rules, &t->tags);
	found += scrub_json(rules, &t->contexts);
	found += scrub_user(s, rules, &t->user_key);
	return found;
}

static int64
scrub_error(Scrubber *s, const ScrubRules *rules, ApmError *e)
{
	return scrub_text(rules, &e->value) + scrub_text(rules, &e->culprit) +
		scrub_text(rules, &e->transaction_name) + scrub_json(rules, &e->fingerprint) +
		scrub_json(rules, &e->tags) + scrub_json(rules, &e->data) +
		scrub_user(s, rules, &e->user_key);
}

/* The rules for what an item brought. */
static const ScrubRules *
item_rules(Scrubber *s, StoreBatch *batch, int item)
{
	return rules_of(s, batch->bodies[batch->items[item].body].project_id);
}

static void
note_scrubbed(StoreBatch *batch, int item, const char *type, int64 found)
{
	if (found > 0)
		store_note(&batch->bodies[batch->items[item].body], APM_OUTCOME_REPAIRED,
				   batch->items[item].ordinal, type, "scrubbed",
				   "Values that look like secrets were replaced by " SCRUB_MARK ", see apm.scrub_rules.",
				   found);
}

void
scrub_batch(StoreBatch *batch)
{
	Scrubber	s;
	Datum	   *ids;
	int			i;

	if (!apm_scrub_data || batch->nitems == 0)
		return;
	ids = palloc(sizeof(Datum) * batch->nbodies);
	for (i = 0; i < batch->nbodies; i++)
		ids[i] = Int32GetDatum(batch->bodies[i].project_id);
	scrubber_init(&s, ids, batch->nbodies);
	for (i = 0; i < batch->nsegments; i++)
	{
		StoreSegment *segment = &batch->segments[i];

		if (!segment->refused && !segment->duplicate)
			note_scrubbed(batch, segment->item,
						  segment->segment.has_event_id ? "transaction" : "span",
						  scrub_segment(&s, item_rules(&s, batch, segment->item), segment));
	}
	for (i = 0; i < batch->nerrors; i++)
	{
		StoreError *e = &batch->errors[i];

		if (!e->refused && !e->duplicate)
			note_scrubbed(batch, e->item, "event",
						  scrub_error(&s, item_rules(&s, batch, e->item), &e->error));
	}
	for (i = 0; i < batch->nsessions; i++)
	{
		StoreSession *e = &batch->sessions[i];

		if (!batch->items[e->item].duplicate)
			note_scrubbed(batch, e->item, "session",
						  scrub_session(&s, item_rules(&s, batch, e->item), &e->session));
	}
	for (i = 0; i < batch->ncheck_ins; i++)
	{
		StoreCheckIn *e = &batch->check_ins[i];

		if (!batch->items[e->item].duplicate)
			note_scrubbed(batch, e->item, "check_in",
						  scrub_check_in(item_rules(&s, batch, e->item), &e->check_in));
	}
	for (i = 0; i < batch->nraws; i++)
	{
		StoreRaw   *e = &batch->raws[i];

		if (!batch->items[e->item].duplicate)
			note_scrubbed(batch, e->item, pnstrdup(e->raw.type.data, e->raw.type.len),
						  scrub_raw(item_rules(&s, batch, e->item), e));
	}
}

/* Scrubs one value outside of a batch, by the rules of a project or those for all. */
static void
scrub_one(FunctionCallInfo fcinfo, ApmStr *value, bool json)
{
	Scrubber	s;
	Datum		id = Int32GetDatum(PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1));
	MemoryContext caller = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	MemoryContextSwitchTo(caller);
	scrubber_init(&s, &id, 1);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	if (json)
		scrub_json(rules_of(&s, DatumGetInt32(id)), value);
	else
		scrub_text(rules_of(&s, DatumGetInt32(id)), value);
}

/* apm.scrub_text(value, project_id) */
PG_FUNCTION_INFO_V1(apm_scrub_text);
Datum
apm_scrub_text(PG_FUNCTION_ARGS)
{
	text	   *value;
	ApmStr		s;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	value = PG_GETARG_TEXT_PP(0);
	s.data = VARDATA_ANY(value);
	s.len = VARSIZE_ANY_EXHDR(value);
	scrub_one(fcinfo, &s, false);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(s.data, s.len));
}

/* apm.scrub_json(document, project_id) */
PG_FUNCTION_INFO_V1(apm_scrub_json);
Datum
apm_scrub_json(PG_FUNCTION_ARGS)
{
	Jsonb	   *document;
	ApmStr		s;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	document = PG_GETARG_JSONB_P(0);
	s.data = JsonbToCString(NULL, &document->root, VARSIZE(document));
	s.len = strlen(s.data);
	scrub_one(fcinfo, &s, true);
	if (s.data == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(json_text_to_jsonb(s));
}
