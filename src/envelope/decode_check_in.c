/*
 * envelope/decode_check_in.c
 *		Check-ins of scheduled jobs.  Pure.
 */
#include "envelope/decode.h"

/* contexts.trace.trace_id */
static bool
read_trace(JsonReader *r, ApmCheckIn *c)
{
	JsonString	key;
	bool		ok = true;

	c->has_trace_id = false;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
		ok = KEY_IS(&key, "trace_id") ? value_trace_id(r, c->trace_id, &c->has_trace_id) :
			json_reader_skip(r);
	return r->error == JSON_OK;
}

static bool
read_contexts(JsonReader *r, ApmCheckIn *c)
{
	JsonString	key;
	bool		ok = true;

	c->has_trace_id = false;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
		ok = KEY_IS(&key, "trace") ? read_trace(r, c) : json_reader_skip(r);
	return r->error == JSON_OK;
}

static bool
read_check_in(JsonReader *r, ApmCheckIn *c, UuidKind *id)
{
	JsonString	key;
	bool		ok;

	ok = json_reader_enter_object(r);
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "check_in_id"))
			ok = value_uuid(r, c->check_in_id, id);
		else if (KEY_IS(&key, "monitor_slug"))
			ok = value_text(r, &c->monitor);
		else if (KEY_IS(&key, "status"))
			ok = value_string(r, &c->status);
		else if (KEY_IS(&key, "duration"))
			ok = value_seconds(r, &c->duration_us);
		else if (KEY_IS(&key, "release"))
			ok = value_text(r, &c->release);
		else if (KEY_IS(&key, "environment"))
			ok = value_text(r, &c->environment);
		else if (KEY_IS(&key, "contexts"))
			ok = read_contexts(r, c);
		else if (KEY_IS(&key, "monitor_config"))
			ok = value_object(r, &c->config);
		else
			ok = json_reader_skip(r);
	}
	return json_reader_finish(r);
}

static bool
known_status(ApmStr status)
{
	static const char *const statuses[] = {"in_progress", "ok", "error"};
	size_t		i;

	for (i = 0; i < lengthof(statuses); i++)
		if (status.len == strlen(statuses[i]) &&
			memcmp(status.data, statuses[i], status.len) == 0)
			return true;
	return false;
}

bool
check_in_decode(Decoder *d)
{
	JsonReader	r;
	ApmCheckIn	c;
	UuidKind	id = UUID_ABSENT;
	int64		offset = decode_offset(d, d->item.payload);

	memset(&c, 0, sizeof(c));
	c.duration_us = APM_MICROS_NULL;
	json_reader_init(&r, d->item.payload, d->item.length, d->options->max_depth);
	r.strict_surrogates = d->options->strict;
	if (!read_check_in(&r, &c, &id))
		return decode_reject_json(d, &r);
	if (c.monitor.len == 0)
		return decode_reject(d, "monitor_slug", "check-in lacks the slug of its monitor", offset);
	if (!known_status(c.status))
		return decode_reject(d, "status", "status of the check-in is missing or unknown", offset);
	if (id == UUID_MALFORMED)
		return decode_reject(d, "check_in_id", "id of the check-in is no UUID", offset);

	c.has_check_in_id = (id == UUID_GIVEN);
	c.release = str_nonempty(c.release);
	c.environment = str_nonempty(c.environment);
	d->sink->check_in(d->sink->arg, d->item.ordinal, &c);
	decode_repairs(d, &r);
	return true;
}
