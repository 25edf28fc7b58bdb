/*
 * envelope/decode_json.c
 *		Small JSON texts that decoders build: tags, measurements, and the
 *		like.  Pure.
 *
 * Names and strings are copied as they stand in the payload, escapes
 * included; what jsonb cannot hold is repaired where the text becomes jsonb.
 */
#include "envelope/decode.h"

void
buf_append(DecodeBuf *buf, const char *s, size_t len)
{
	if (len > buf->cap - buf->len)
	{
		/* Doubling ends below the largest allocation of the server. */
		size_t		cap = Min(Max(buf->cap * 2, 256), ((size_t) 1 << 30) - 1);

		cap = Max(cap, buf->len + len);
		buf->data = buf->data == NULL ? palloc(cap) : repalloc(buf->data, cap);
		buf->cap = cap;
	}
	if (len > 0)
		memcpy(buf->data + buf->len, s, len);
	buf->len += len;
}

void
buf_append_char(DecodeBuf *buf, char c)
{
	buf_append(buf, &c, 1);
}

ApmStr
buf_str(const DecodeBuf *buf)
{
	return str_slice(buf->data, buf->data + buf->len);
}

/* True for {} and [], whatever white space is inside. */
bool
json_is_empty(ApmStr container)
{
	uint32		i;

	for (i = 1; i + 1 < container.len; i++)
		if (strchr(" \t\r\n", container.data[i]) == NULL)
			return false;
	return true;
}

/* A comma, if the object being written has a member already. */
static void
separate(DecodeBuf *buf)
{
	if (buf->len > 0 && buf->data[buf->len - 1] != '{')
		buf_append_char(buf, ',');
}

/* The members of an object, without its braces. */
void
buf_append_inner(DecodeBuf *buf, ApmStr object)
{
	if (object.data == NULL || json_is_empty(object))
		return;
	separate(buf);
	buf_append(buf, object.data + 1, object.len - 2);
}

/* A member whose key needs no escaping; nothing if the value is NULL. */
void
buf_append_member(DecodeBuf *buf, const char *key, ApmStr value)
{
	if (value.data == NULL)
		return;
	separate(buf);
	buf_append_char(buf, '"');
	buf_append(buf, key, strlen(key));
	buf_append(buf, "\":", 2);
	buf_append(buf, value.data, value.len);
}

/* A string as it stands in the payload, quotes included. */
static ApmStr
quoted(const JsonString *s)
{
	return str_slice(s->data - 1, s->data + s->len + 1);
}

/*
 * A value as a JSON string: strings as they are, numbers and booleans in
 * quotes; *raw says that the quotes are to be added.  NULL for the rest.
 */
static bool
stringified(JsonReader *r, ApmStr *text, bool *raw)
{
	JsonString	s;

	*raw = true;
	switch (json_reader_peek(r))
	{
		case JSON_KIND_STRING:
			if (!json_reader_string(r, &s))
				return false;
			*text = quoted(&s);
			*raw = false;
			return true;
		case JSON_KIND_NUMBER:
		case JSON_KIND_TRUE:
		case JSON_KIND_FALSE:
			return json_reader_capture(r, text, NULL);
		default:
			*text = str_null();
			return json_reader_skip(r);
	}
}

static void
append_stringified(DecodeBuf *buf, ApmStr text, bool raw)
{
	if (raw)
		buf_append_char(buf, '"');
	buf_append(buf, text.data, text.len);
	if (raw)
		buf_append_char(buf, '"');
}

/* Three digits, in quotes or not, of the tag http.status_code. */
static void
note_http_status(ApmStr text, bool raw, int32 *http_status)
{
	JsonReader	r;
	int32		status;

	(void) raw;
	json_reader_init(&r, text.data, text.len, 1);
	if (value_http_status(&r, &status) && status != 0)
		*http_status = status;
}

/* The object form of tags. */
static bool
tags_object(JsonReader *r, DecodeBuf *buf, bool *as_sent, int32 *http_status)
{
	JsonString	key;
	ApmStr		text;
	bool		raw;

	if (!json_reader_enter_object(r))
		return false;
	while (json_reader_next_key(r, &key))
	{
		if (!stringified(r, &text, &raw))
			return false;
		if (raw)
			*as_sent = false;
		if (text.data == NULL)
			continue;
		if (KEY_IS(&key, "http.status_code"))
			note_http_status(text, raw, http_status);
		separate(buf);
		buf_append(buf, key.data - 1, key.len + 2);
		buf_append_char(buf, ':');
		append_stringified(buf, text, raw);
	}
	return r->error == JSON_OK;
}

typedef struct TagPair
{
	ApmStr		key;
	ApmStr		value;
	bool		raw;
} TagPair;

/* One [key, value]; key.data stays NULL if it is something else. */
static bool
tag_pair(JsonReader *r, TagPair *pair, int32 *http_status)
{
	JsonString	key;
	int			i = 0;

	pair->key = str_null();
	pair->value = str_null();
	key.data = NULL;
	if (json_reader_peek(r) != JSON_KIND_ARRAY)
		return json_reader_skip(r);
	if (!json_reader_enter_array(r))
		return false;
	for (; json_reader_next_element(r); i++)
	{
		bool		ok;

		if (i == 0 && json_reader_peek(r) == JSON_KIND_STRING)
			ok = json_reader_string(r, &key);
		else if (i == 1)
			ok = stringified(r, &pair->value, &pair->raw);
		else
			ok = json_reader_skip(r);
		if (!ok)
			return false;
	}
	if (i == 2 && key.data != NULL && pair->value.data != NULL)
	{
		pair->key = quoted(&key);
		if (*http_status == 0 && KEY_IS(&key, "http.status_code"))
			note_http_status(pair->value, pair->raw, http_status);
	}
	return r->error == JSON_OK;
}

/* What a list holds beyond this many tags is left out: nobody tags that much. */
#define MAX_TAG_PAIRS	100000

/*
 * The list form of tags.  The first of equal keys counts there, while in an
 * object the last does: so the pairs are written backwards.
 */
static bool
tags_list(JsonReader *r, DecodeBuf *buf, int32 *http_status, int64 *dropped)
{
	TagPair    *pairs = NULL;
	int			n = 0;
	int			cap = 0;

	if (!json_reader_enter_array(r))
		return false;
	while (json_reader_next_element(r))
	{
		if (n == cap)
		{
			cap = cap == 0 ? 16 : cap * 2;
			pairs = pairs == NULL ? palloc(cap * sizeof(TagPair)) :
				repalloc(pairs, cap * sizeof(TagPair));
		}
		if (!tag_pair(r, &pairs[n], http_status))
			return false;
		if (pairs[n].key.data == NULL)
			continue;
		if (n < MAX_TAG_PAIRS)
			n++;
		else
			(*dropped)++;
	}
	while (n-- > 0)
	{
		separate(buf);
		buf_append(buf, pairs[n].key.data, pairs[n].key.len);
		buf_append_char(buf, ':');
		append_stringified(buf, pairs[n].value, pairs[n].raw);
	}
	if (pairs != NULL)
		pfree(pairs);
	return r->error == JSON_OK;
}

/*
 * Tags, an object or a list of pairs, as a JSON object of strings: numbers
 * and booleans become strings, the rest is dropped.  An object of strings is
 * handed back as it stands.
 */
bool
value_tags(JsonReader *r, ApmStr *tags, int32 *http_status, int64 *dropped)
{
	DecodeBuf	buf = {0};
	JsonKind	kind = json_reader_peek(r);
	const char *start = r->pos;
	bool		as_sent = true;

	*tags = str_null();
	*http_status = 0;
	*dropped = 0;
	if (kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY)
		return json_reader_skip(r);
	buf_append_char(&buf, '{');
	if (kind == JSON_KIND_OBJECT ? !tags_object(r, &buf, &as_sent, http_status) :
		!tags_list(r, &buf, http_status, dropped))
		return false;
	if (kind == JSON_KIND_OBJECT && as_sent)
	{
		*tags = str_slice(start, r->pos);
		pfree(buf.data);
		return true;
	}
	buf_append_char(&buf, '}');
	*tags = buf_str(&buf);
	return true;
}

/* One measurement: value.data stays NULL unless it is a number. */
static bool
measurement(JsonReader *r, ApmStr *value, ApmStr *unit)
{
	JsonString	key;
	JsonString	s;
	bool		ok = true;

	*value = str_null();
	*unit = str_null();
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "value"))
		{
			*value = str_null();
			ok = json_reader_peek(r) == JSON_KIND_NUMBER ?
				json_reader_number(r, value) : json_reader_skip(r);
		}
		else if (KEY_IS(&key, "unit") && json_reader_peek(r) == JSON_KIND_STRING)
		{
			ok = json_reader_string(r, &s);
			if (ok)
				*unit = quoted(&s);
		}
		else
			ok = json_reader_skip(r);
	}
	return r->error == JSON_OK;
}

/*
 * Measurements as {"name": {"value": number, "unit": text}}.  Names lose
 * blanks at both ends; what has no number is left out and counted.
 */
bool
value_measurements(JsonReader *r, ApmStr *measurements, int64 *dropped)
{
	DecodeBuf	buf = {0};
	JsonString	key;
	ApmStr		value;
	ApmStr		unit;

	*measurements = str_null();
	*dropped = 0;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	if (!json_reader_enter_object(r))
		return false;
	buf_append_char(&buf, '{');
	while (json_reader_next_key(r, &key))
	{
		if (!measurement(r, &value, &unit))
			return false;
		while (key.len > 0 && key.data[0] == ' ')
		{
			key.data++;
			key.len--;
		}
		while (key.len > 0 && key.data[key.len - 1] == ' ')
			key.len--;
		if (value.data == NULL || key.len == 0)
		{
			(*dropped)++;
			continue;
		}
		separate(&buf);
		buf_append_char(&buf, '"');
		buf_append(&buf, key.data, key.len);
		buf_append(&buf, "\":{\"value\":", 11);
		buf_append(&buf, value.data, value.len);
		buf_append_member(&buf, "unit", unit);
		buf_append_char(&buf, '}');
	}
	if (buf.len > 1)
	{
		buf_append_char(&buf, '}');
		*measurements = buf_str(&buf);
	}
	return r->error == JSON_OK;
}

/* A list of scalars as a JSON array of strings; NULL if nothing is in it. */
bool
value_fingerprint(JsonReader *r, ApmStr *fingerprint)
{
	DecodeBuf	buf = {0};
	ApmStr		text;
	bool		raw;

	*fingerprint = str_null();
	if (json_reader_peek(r) != JSON_KIND_ARRAY)
		return json_reader_skip(r);
	if (!json_reader_enter_array(r))
		return false;
	while (json_reader_next_element(r))
	{
		if (!stringified(r, &text, &raw))
			return false;
		if (text.data == NULL)
			continue;
		buf_append_char(&buf, buf.len == 0 ? '[' : ',');
		append_stringified(&buf, text, raw);
	}
	if (buf.len > 0)
	{
		buf_append_char(&buf, ']');
		*fingerprint = buf_str(&buf);
	}
	return r->error == JSON_OK;
}

ApmStr
decode_prefixed(const char *prefix, ApmStr text)
{
	size_t		plen = strlen(prefix);
	char	   *data;

	if (text.len == 0)
		return str_null();
	data = palloc(plen + text.len);
	memcpy(data, prefix, plen);
	memcpy(data + plen, text.data, text.len);
	return str_slice(data, data + plen + text.len);
}

ApmStr
decode_sdk(ApmStr name, ApmStr version)
{
	DecodeBuf	buf = {0};

	if (name.len == 0 || version.len == 0)
		return str_nonempty(name);
	buf_append(&buf, name.data, name.len);
	buf_append_char(&buf, '@');
	buf_append(&buf, version.data, version.len);
	return buf_str(&buf);
}

/* {{auto}} asks the server for the client's address, which is not known here. */
ApmStr
decode_user_key(const UserFields *user)
{
	ApmStr		key = decode_prefixed("id:", user->id);

	if (key.data == NULL)
		key = decode_prefixed("username:", user->username);
	if (key.data == NULL)
		key = decode_prefixed("email:", user->email);
	if (key.data == NULL &&
		!(user->ip.len == 8 && memcmp(user->ip.data, "{{auto}}", 8) == 0))
		key = decode_prefixed("ip:", user->ip);
	return key;
}
