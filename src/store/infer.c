/*
 * store/infer.c
 *		Ops and statuses that were not sent, by what else was.  Pure.
 */
#include "store/infer.h"

#include "json/reader.h"

/* What the attributes of a span tell of its kind. */
typedef struct Hints
{
	bool		db;
	bool		http;
	bool		server;
	bool		client;
	bool		resource;
	bool		queue;
	bool		rpc;
	bool		ui;
} Hints;

static ApmStr
str_of(const char *s)
{
	ApmStr		result;

	result.data = s;
	result.len = (uint32) strlen(s);
	return result;
}

static bool
is_one_of(const JsonString *s, const char *const *names, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
		if (json_string_is(s, names[i]))
			return true;
	return false;
}

/* One attribute whose value is a text. */
static void
read_hint(const JsonString *key, const JsonString *value, Hints *h)
{
	static const char *const db[] = {"db.system", "db.system.name"};
	static const char *const http[] = {"http.request.method", "http.method", "http.request_method"};
	static const char *const kind[] = {"sentry.kind", "otel.kind", "span.kind"};
	static const char *const server[] = {"server", "SERVER"};
	static const char *const client[] = {"client", "CLIENT"};

	h->db = h->db || is_one_of(key, db, lengthof(db));
	h->http = h->http || is_one_of(key, http, lengthof(http));
	h->resource = h->resource || json_string_is(key, "resource.render_blocking_status");
	h->queue = h->queue || json_string_is(key, "messaging.system");
	h->rpc = h->rpc || json_string_is(key, "rpc.system");
	h->ui = h->ui || json_string_is(key, "ui.component_name");
	if (is_one_of(key, kind, lengthof(kind)))
	{
		h->server = is_one_of(value, server, lengthof(server));
		h->client = is_one_of(value, client, lengthof(client));
	}
}

ApmStr
infer_op(ApmStr attributes, bool is_segment)
{
	ApmStr		none = {NULL, 0};
	JsonReader	r;
	JsonString	key;
	JsonString	value;
	Hints		h = {0};

	if (attributes.data == NULL)
		return none;
	json_reader_init(&r, attributes.data, attributes.len, JSON_DEPTH_LIMIT);
	if (!json_reader_enter_object(&r))
		return none;
	while (json_reader_next_key(&r, &key))
	{
		if (json_reader_peek(&r) != JSON_KIND_STRING)
			json_reader_skip(&r);
		else if (json_reader_string(&r, &value))
			read_hint(&key, &value, &h);
	}
	if (h.db)
		return str_of("db");
	if (h.resource)
		return str_of("resource");
	if (h.queue)
		return str_of("queue");
	if (h.rpc)
		return str_of("rpc");
	if (h.http)
		return str_of(h.server || (is_segment && !h.client) ? "http.server" : "http.client");
	if (h.ui)
		return str_of("ui");
	return none;
}

int8
infer_http_status(int32 http_status)
{
	static const struct
	{
		int32		http;
		int8		status;
	}			named[] = {
		{401, 16}, {403, 7}, {404, 5}, {409, 6}, {413, 9}, {429, 8}, {499, 1},
		{501, 12}, {503, 14}, {504, 4}
	};
	size_t		i;

	if (http_status < 100 || http_status > 599)
		return APM_STATUS_NULL;
	for (i = 0; i < lengthof(named); i++)
		if (named[i].http == http_status)
			return named[i].status;
	return http_status < 400 ? 0 : http_status < 500 ? 3 : 13;
}

/* A number, or one in quotes; 0: neither. */
static int32
read_status(JsonReader *r)
{
	ApmStr		text = {NULL, 0};
	JsonString	s;
	int64		value;

	if (json_reader_peek(r) == JSON_KIND_NUMBER)
		json_reader_number(r, &text);
	else if (json_reader_peek(r) != JSON_KIND_STRING)
		json_reader_skip(r);
	else if (json_reader_string(r, &s))
	{
		text.data = s.data;
		text.len = s.len;
	}
	if (text.data == NULL || !json_number_int64(text, &value) || value < 0 || value > 999)
		return 0;
	return (int32) value;
}

int8
infer_span_status(ApmStr attributes)
{
	static const char *const older[] = {"http.status_code", "status_code"};
	JsonReader	r;
	JsonString	key;
	int32		status = 0;
	int32		old_status = 0;

	if (attributes.data == NULL)
		return APM_STATUS_NULL;
	json_reader_init(&r, attributes.data, attributes.len, JSON_DEPTH_LIMIT);
	if (!json_reader_enter_object(&r))
		return APM_STATUS_NULL;
	while (json_reader_next_key(&r, &key))
	{
		if (json_string_is(&key, "http.response.status_code"))
			status = read_status(&r);
		else if (is_one_of(&key, older, lengthof(older)))
			old_status = read_status(&r);
		else
			json_reader_skip(&r);
	}
	return infer_http_status(status != 0 ? status : old_status);
}
