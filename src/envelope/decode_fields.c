/*
 * envelope/decode_fields.c
 *		The objects inside an event: user, request, contexts, exceptions.
 *		Pure.
 *
 * Each is read in place while its text is kept as a slice, so that nothing is
 * passed over twice.  Of duplicate keys the last counts: every function
 * starts by forgetting what an earlier one left.
 */
#include "envelope/decode.h"

#include <math.h>

bool
event_user(JsonReader *r, EventPayload *e)
{
	JsonString	key;
	const char *start;
	bool		ok = true;

	memset(&e->user, 0, sizeof(e->user));
	e->user_json = str_null();
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	start = r->pos;
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "id"))
			ok = value_text(r, &e->user.id);
		else if (KEY_IS(&key, "username"))
			ok = value_text(r, &e->user.username);
		else if (KEY_IS(&key, "email"))
			ok = value_text(r, &e->user.email);
		else if (KEY_IS(&key, "ip_address"))
			ok = value_text(r, &e->user.ip);
		else
			ok = json_reader_skip(r);
	}
	e->user_json = str_slice(start, r->pos);
	return r->error == JSON_OK;
}

bool
event_request(JsonReader *r, EventPayload *e)
{
	JsonString	key;
	const char *start;
	bool		ok = true;

	e->request_json = str_null();
	e->request_method = str_null();
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	start = r->pos;
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "method"))
			ok = value_string(r, &e->request_method);
		else
			ok = json_reader_skip(r);
	}
	e->request_json = str_slice(start, r->pos);
	return r->error == JSON_OK;
}

/* data of the trace context: attributes of the root span. */
static bool
trace_data(JsonReader *r, TraceContext *t)
{
	JsonString	key;
	const char *start;
	ApmStr		old_method = str_null();
	int32		old_status = 0;
	bool		ok = true;

	t->data = str_null();
	t->data_sample_rate = NAN;
	t->data_method = str_null();
	t->data_http_status = 0;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	start = r->pos;
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "sentry.sample_rate"))
			ok = value_rate(r, &t->data_sample_rate);
		else if (KEY_IS(&key, "http.request.method"))
			ok = value_string(r, &t->data_method);
		else if (KEY_IS(&key, "http.method"))
			ok = value_string(r, &old_method);
		else if (KEY_IS(&key, "http.response.status_code"))
			ok = value_http_status(r, &t->data_http_status);
		else if (KEY_IS(&key, "http.status_code") || KEY_IS(&key, "status_code"))
			ok = value_http_status(r, &old_status);
		else
			ok = json_reader_skip(r);
	}
	if (t->data_method.len == 0)
		t->data_method = old_method;
	if (t->data_http_status == 0)
		t->data_http_status = old_status;
	t->data = str_slice(start, r->pos);
	return r->error == JSON_OK;
}

static bool
trace_context(JsonReader *r, TraceContext *t)
{
	JsonString	key;
	bool		ok = true;

	memset(t, 0, sizeof(*t));
	t->status = APM_STATUS_NULL;
	t->self_time_us = APM_MICROS_NULL;
	t->client_sample_rate = NAN;
	t->data_sample_rate = NAN;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	t->present = true;
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "trace_id"))
			ok = value_trace_id(r, t->trace_id, &t->has_trace_id);
		else if (KEY_IS(&key, "span_id"))
			ok = value_span_id(r, &t->span_id);
		else if (KEY_IS(&key, "parent_span_id"))
			ok = value_span_id(r, &t->parent_span_id);
		else if (KEY_IS(&key, "op"))
			ok = value_text(r, &t->op);
		else if (KEY_IS(&key, "status"))
			ok = value_status(r, &t->status);
		else if (KEY_IS(&key, "origin"))
			ok = value_text(r, &t->origin);
		else if (KEY_IS(&key, "data"))
			ok = trace_data(r, t);
		else if (KEY_IS(&key, "exclusive_time"))
			ok = value_millis(r, &t->self_time_us);
		else if (KEY_IS(&key, "client_sample_rate"))
			ok = value_rate(r, &t->client_sample_rate);
		else
			ok = json_reader_skip(r);
	}
	t->op = str_nonempty(t->op);
	t->origin = str_nonempty(t->origin);
	return r->error == JSON_OK;
}

/* contexts.response */
static bool
response_context(JsonReader *r, int32 *status)
{
	JsonString	key;
	bool		ok = true;

	*status = 0;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "status_code"))
			ok = value_http_status(r, status);
		else
			ok = json_reader_skip(r);
	}
	return r->error == JSON_OK;
}

bool
event_contexts(JsonReader *r, EventPayload *e)
{
	JsonString	key;
	const char *start;
	bool		ok = true;

	e->contexts_json = str_null();
	e->response_status = 0;
	memset(&e->trace, 0, sizeof(e->trace));
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	start = r->pos;
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "trace"))
			ok = trace_context(r, &e->trace);
		else if (KEY_IS(&key, "response"))
			ok = response_context(r, &e->response_status);
		else
			ok = json_reader_skip(r);
	}
	e->contexts_json = str_slice(start, r->pos);
	return r->error == JSON_OK;
}

/* mechanism of an exception: was it handled? */
static bool
exception_mechanism(JsonReader *r, int8 *handled)
{
	JsonString	key;
	bool		ok = true;

	*handled = -1;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
		ok = KEY_IS(&key, "handled") ? value_bool(r, handled) : json_reader_skip(r);
	return r->error == JSON_OK;
}

/* The text of a string, else the JSON of any other value but null. */
static bool
lenient_text(JsonReader *r, ApmStr *text)
{
	switch (json_reader_peek(r))
	{
		case JSON_KIND_STRING:
			return value_text(r, text);
		case JSON_KIND_NULL:
			*text = str_null();
			return json_reader_null(r);
		default:
			return json_reader_capture(r, text, NULL);
	}
}

static bool exception_list(JsonReader *r, ExceptionInfo *info);

/*
 * One exception: or, at the outermost level, the object around the list of
 * them, which is told by its key values.
 */
static bool
one_exception(JsonReader *r, ExceptionInfo *info, bool outermost)
{
	JsonString	key;
	ApmStr		type = str_null();
	ApmStr		value = str_null();
	int8		handled = -1;
	bool		list = false;
	bool		any = false;
	bool		ok = true;

	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (outermost && KEY_IS(&key, "values"))
		{
			list = true;
			ok = exception_list(r, info);
			continue;
		}
		any = true;
		if (KEY_IS(&key, "type"))
			ok = value_text(r, &type);
		else if (KEY_IS(&key, "value"))
			ok = lenient_text(r, &value);
		else if (KEY_IS(&key, "mechanism"))
			ok = exception_mechanism(r, &handled);
		else
			ok = json_reader_skip(r);
	}
	if (r->error != JSON_OK)
		return false;
	if (list || (outermost && !any))
		return true;
	info->count++;
	info->type = type;
	info->value = value;
	info->any_unhandled |= handled == 0;
	info->any_handled |= handled == 1;
	return true;
}

static bool
exception_list(JsonReader *r, ExceptionInfo *info)
{
	memset(info, 0, sizeof(*info));
	if (json_reader_peek(r) != JSON_KIND_ARRAY)
		return json_reader_skip(r);
	if (!json_reader_enter_array(r))
		return false;
	while (json_reader_next_element(r))
		if (!one_exception(r, info, false))
			return false;
	return r->error == JSON_OK;
}

/* {"values": [...]}, a list, or a single exception. */
bool
event_exception(JsonReader *r, ExceptionInfo *info)
{
	memset(info, 0, sizeof(*info));
	if (json_reader_peek(r) == JSON_KIND_ARRAY)
		return exception_list(r, info);
	return one_exception(r, info, true);
}

/* A message: text, or an object with the text formatted or as a template. */
bool
event_logentry(JsonReader *r, ApmStr *text)
{
	JsonString	key;
	ApmStr		message = str_null();
	ApmStr		formatted = str_null();
	bool		ok = true;

	if (json_reader_peek(r) != JSON_KIND_OBJECT)
	{
		if (!value_text(r, text))
			return false;
		*text = str_nonempty(*text);
		return true;
	}
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "formatted"))
			ok = value_text(r, &formatted);
		else if (KEY_IS(&key, "message"))
			ok = value_text(r, &message);
		else
			ok = json_reader_skip(r);
	}
	*text = str_nonempty(formatted.len > 0 ? formatted : message);
	return r->error == JSON_OK;
}

/* {"name", "version"} as "name@version". */
bool
value_sdk(JsonReader *r, ApmStr *sdk)
{
	JsonString	key;
	ApmStr		name = str_null();
	ApmStr		version = str_null();
	bool		ok = true;

	*sdk = str_null();
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "name"))
			ok = value_text(r, &name);
		else if (KEY_IS(&key, "version"))
			ok = value_text(r, &version);
		else
			ok = json_reader_skip(r);
	}
	*sdk = decode_sdk(name, version);
	return r->error == JSON_OK;
}
