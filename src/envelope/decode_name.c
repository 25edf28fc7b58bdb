/*
 * envelope/decode_name.c
 *		Better names for transactions that are called like their kind.  Pure.
 */
#include "envelope/decode.h"
#include "envelope/envelope.h"

static bool
is_one_of(ApmStr s, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strlen(*names) == s.len && memcmp(*names, s.data, s.len) == 0)
			return true;
	return false;
}

/* The path of the URL among the attributes; NULL if there is none. */
static ApmStr
url_path(ApmStr attributes)
{
	JsonReader	r;
	JsonString	key;
	ApmStr		path = str_null();
	ApmStr		target = str_null();
	const char *query;
	bool		ok;

	if (attributes.data == NULL)
		return path;
	json_reader_init(&r, attributes.data, attributes.len, JSON_DEPTH_LIMIT);
	ok = json_reader_enter_object(&r);
	while (ok && json_reader_next_key(&r, &key))
	{
		if (KEY_IS(&key, "url.path"))
			ok = value_string(&r, &path);
		else if (KEY_IS(&key, "http.target"))
			ok = value_string(&r, &target);
		else
			ok = json_reader_skip(&r);
	}
	if (path.len > 0 || target.len == 0)
		return str_nonempty(path);
	query = memchr(target.data, '?', target.len);
	return str_nonempty(query == NULL ? target : str_slice(target.data, query));
}

ApmStr
envelope_better_name(const ApmTransaction *t, ApmStr attributes)
{
	static const char *const kinds[] = {"Pageload", "Navigation", NULL};
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", NULL
	};
	DecodeBuf	buf = {0};
	bool		method = is_one_of(t->name, methods);
	bool		url;
	ApmStr		path;

	/* A name taken from the URL is good enough once it shows a path. */
	url = t->source.len == 3 && memcmp(t->source.data, "url", 3) == 0 &&
		memchr(t->name.data, '/', t->name.len) == NULL;
	if (!method && !url && !is_one_of(t->name, kinds))
		return t->name;
	path = url_path(attributes);
	if (path.data == NULL)
		return t->name;
	if (!method)
		return path;
	buf_append(&buf, t->name.data, t->name.len);
	buf_append_char(&buf, ' ');
	buf_append(&buf, path.data, path.len);
	return buf_str(&buf);
}
