/*
 * envelope/decode_session.c
 *		Session updates, and sessions counted by their sender.  Pure.
 */
#include "envelope/decode.h"

/* How sessions end; the first is the one that goes on. */
static const char *const statuses[] = {
	"ok", "exited", "crashed", "abnormal", "errored", "unhandled"
};

/* What an update says. */
typedef struct Update
{
	ApmSession	session;
	UuidKind	id;
	DecodeTime	started;
	DecodeTime	timestamp;
	int64		sequence;		/* -1: not sent */
	int64		errors;
	bool		bad_status;
} Update;

/* attrs: release and environment; the client's address is not kept. */
static bool
read_attributes(JsonReader *r, ApmSession *s)
{
	JsonString	key;
	bool		ok = true;

	s->release = str_null();
	s->environment = str_null();
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "release"))
			ok = value_text(r, &s->release);
		else if (KEY_IS(&key, "environment"))
			ok = value_text(r, &s->environment);
		else
			ok = json_reader_skip(r);
	}
	s->release = str_nonempty(s->release);
	s->environment = str_nonempty(s->environment);
	return r->error == JSON_OK;
}

/* A status that is not known is none; one that is not sent is ok. */
static bool
read_status(JsonReader *r, Update *u)
{
	ApmStr		text;
	size_t		i;

	u->session.status = str_literal(statuses[0]);
	u->bad_status = false;
	if (json_reader_peek(r) == JSON_KIND_NULL)
		return json_reader_null(r);
	if (!value_string(r, &text))
		return false;
	u->bad_status = true;
	for (i = 0; i < lengthof(statuses); i++)
		if (text.len == strlen(statuses[i]) && memcmp(text.data, statuses[i], text.len) == 0)
		{
			u->session.status = str_literal(statuses[i]);
			u->bad_status = false;
		}
	return true;
}

static bool
read_update(JsonReader *r, Update *u)
{
	JsonString	key;
	ApmSession *s = &u->session;
	int8		init = -1;
	bool		ok;

	ok = json_reader_enter_object(r);
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "sid"))
			ok = value_uuid(r, s->session_id, &u->id);
		else if (KEY_IS(&key, "did"))
			ok = value_text(r, &s->user);
		else if (KEY_IS(&key, "seq"))
			ok = value_count(r, &u->sequence);
		else if (KEY_IS(&key, "init"))
			ok = value_bool(r, &init);
		else if (KEY_IS(&key, "started"))
			ok = value_time(r, &u->started);
		else if (KEY_IS(&key, "timestamp"))
			ok = value_time(r, &u->timestamp);
		else if (KEY_IS(&key, "duration"))
			ok = value_seconds(r, &s->duration_us);
		else if (KEY_IS(&key, "status"))
			ok = read_status(r, u);
		else if (KEY_IS(&key, "errors"))
			ok = value_count(r, &u->errors);
		else if (KEY_IS(&key, "attrs"))
			ok = read_attributes(r, s);
		else
			ok = json_reader_skip(r);
	}
	s->init = (init == 1);
	s->user = str_nonempty(s->user);
	return json_reader_finish(r);
}

/*
 * The place of an update among those of its session.  SDKs that send no number
 * mean their clock in milliseconds, and 0 for the first.
 */
static int64
update_sequence(const Decoder *d, const Update *u)
{
	if (u->sequence >= 0)
		return u->sequence;
	if (u->session.init)
		return 0;
	if (u->timestamp.us != APM_MICROS_NULL)
		return u->timestamp.us / 1000;
	if (d->sent_us > 0)
		return d->sent_us / 1000;
	return u->started.us / 1000;
}

/* An item of type session: the state of one session, as a whole. */
bool
session_decode(Decoder *d)
{
	JsonReader	r;
	Update		u;
	ApmSession *s = &u.session;
	int64		offset = decode_offset(d, d->item.payload);

	memset(&u, 0, sizeof(u));
	u.started.us = APM_MICROS_NULL;
	u.timestamp.us = APM_MICROS_NULL;
	u.sequence = -1;
	s->status = str_literal(statuses[0]);
	s->duration_us = APM_MICROS_NULL;
	json_reader_init(&r, d->item.payload, d->item.length, d->options->max_depth);
	r.strict_surrogates = d->options->strict;
	if (!read_update(&r, &u))
		return decode_reject_json(d, &r);
	if (u.started.us == APM_MICROS_NULL)
		return decode_reject(d, "started", "session lacks a valid start time", offset);
	if (s->release.data == NULL)
		return decode_reject(d, "release", "session lacks a release", offset);
	if (u.bad_status)
		return decode_reject(d, "status", "status of the session is unknown", offset);
	/* One that has ended needs no identity: no update of it will come. */
	if (u.id == UUID_MALFORMED || (u.id != UUID_GIVEN && s->status.data == statuses[0]))
		return decode_reject(d, "session_id", "session lacks a valid id", offset);

	s->has_session_id = (u.id == UUID_GIVEN);
	s->started_us = u.started.us;
	s->sequence = update_sequence(d, &u);
	s->errors = (int32) Min(Max(u.errors, 0), INT32_MAX);
	if (s->status.data == statuses[2])
		s->errors = Max(s->errors, 1);
	s->quantity = 1;
	d->sink->session(d->sink->arg, d->item.ordinal, s);
	decode_repairs(d, &r);
	return true;
}

/* One bucket: how many sessions that began then ended in which way. */
typedef struct Bucket
{
	DecodeTime	started;
	ApmStr		user;
	int64		count[lengthof(statuses)];
} Bucket;

typedef struct Buckets
{
	Bucket	   *list;
	int32		n;
	int32		cap;
	int32		refused;
	bool		has_list;
} Buckets;

static bool
read_bucket(JsonReader *r, Bucket *b)
{
	JsonString	key;
	bool		ok;
	size_t		i;

	memset(b, 0, sizeof(*b));
	b->started.us = APM_MICROS_NULL;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	ok = json_reader_enter_object(r);
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "started"))
			ok = value_time(r, &b->started);
		else if (KEY_IS(&key, "did"))
			ok = value_text(r, &b->user);
		else
		{
			for (i = 1; i < lengthof(statuses); i++)
				if (json_string_is(&key, statuses[i]))
					break;
			ok = i < lengthof(statuses) ? value_count(r, &b->count[i]) : json_reader_skip(r);
		}
	}
	return r->error == JSON_OK;
}

static bool
read_buckets(Decoder *d, JsonReader *r, Buckets *list)
{
	list->n = 0;
	list->refused = 0;
	list->has_list = json_reader_peek(r) == JSON_KIND_ARRAY;
	if (!list->has_list)
		return json_reader_skip(r);
	if (!json_reader_enter_array(r))
		return false;
	while (json_reader_next_element(r))
	{
		/* Beyond the limit the item is refused: nothing more is kept, only checked. */
		if (d->options->max_sessions > 0 && list->n > d->options->max_sessions)
		{
			if (!json_reader_skip(r))
				return false;
			continue;
		}
		if (list->n == list->cap)
		{
			list->cap = list->cap == 0 ? 16 : list->cap * 2;
			list->list = list->list == NULL ? palloc(list->cap * sizeof(Bucket)) :
				repalloc(list->list, list->cap * sizeof(Bucket));
		}
		if (!read_bucket(r, &list->list[list->n]))
			return false;
		if (list->list[list->n].started.us == APM_MICROS_NULL)
			list->refused++;
		else
			list->n++;
	}
	return r->error == JSON_OK;
}

/* Hands out one row for each bucket and status; returns how many. */
static int32
emit_buckets(Decoder *d, const Buckets *list, ApmSession *s)
{
	int32		emitted = 0;
	int32		i;
	size_t		j;

	for (i = 0; i < list->n; i++)
	{
		const Bucket *b = &list->list[i];

		s->user = str_nonempty(b->user);
		s->started_us = b->started.us;
		for (j = 1; j < lengthof(statuses); j++)
		{
			if (b->count[j] <= 0)
				continue;
			s->status = str_literal(statuses[j]);
			/* more than Relay's counters hold is nonsense, and sums must not overflow */
			s->quantity = Min(b->count[j], (int64) UINT32_MAX);
			s->errors = j == 1 || j == 3 ? 0 : 1;
			d->sink->session(d->sink->arg, d->item.ordinal, s);
			emitted++;
		}
	}
	return emitted;
}

/* An item of type sessions: buckets of sessions counted by their sender. */
bool
sessions_decode(Decoder *d)
{
	JsonReader	r;
	JsonString	key;
	Buckets		list;
	ApmSession	s;
	int64		offset = decode_offset(d, d->item.payload);
	bool		ok;

	memset(&list, 0, sizeof(list));
	memset(&s, 0, sizeof(s));
	s.duration_us = APM_MICROS_NULL;
	json_reader_init(&r, d->item.payload, d->item.length, d->options->max_depth);
	r.strict_surrogates = d->options->strict;
	ok = json_reader_enter_object(&r);
	while (ok && json_reader_next_key(&r, &key))
	{
		if (KEY_IS(&key, "aggregates"))
			ok = read_buckets(d, &r, &list);
		else if (KEY_IS(&key, "attrs"))
			ok = read_attributes(&r, &s);
		else
			ok = json_reader_skip(&r);
	}
	if (!ok || !json_reader_finish(&r))
		return decode_reject_json(d, &r);
	if (s.release.data == NULL)
		return decode_reject(d, "release", "sessions lack a release", offset);
	if (d->options->max_sessions > 0 && list.n > d->options->max_sessions)
		return decode_reject(d, "too_many",
							 "item has more buckets of sessions than pg_apm.max_sessions", offset);
	if (list.refused > 0 && (d->options->strict || list.n == 0))
		return decode_reject(d, "started", "bucket of sessions lacks a valid start time", offset);
	if (emit_buckets(d, &list, &s) == 0)
		decode_problem(d, APM_OUTCOME_SKIPPED, "empty", "item counts no sessions", -1, 1);
	if (list.refused > 0)
		decode_problem(d, APM_OUTCOME_DROPPED, "started",
					   "bucket of sessions lacks a valid start time", offset, list.refused);
	decode_repairs(d, &r);
	return true;
}
