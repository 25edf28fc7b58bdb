/*
 * store/cut.c
 *		Cutting what is longer than allowed.  Pure.
 */
#include "store/cut.h"

#include "json/reader.h"

#define DOTS		"..."
#define DOTS_LEN	3

/* Byte length of the first n characters of UTF-8, or -1 if there are not more than n. */
static int64
prefix_len(ApmStr s, int n)
{
	uint32		i;

	for (i = 0; i < s.len; i++)
		if (((unsigned char) s.data[i] & 0xc0) != 0x80 && n-- == 0)
			return i;
	return -1;
}

bool
cut_text(ApmStr *s, int limit)
{
	int64		keep;
	char	   *data;

	if (limit <= 0 || s->len <= (uint32) limit || prefix_len(*s, limit) < 0)
		return false;
	keep = prefix_len(*s, limit > DOTS_LEN ? limit - DOTS_LEN : limit);
	data = palloc(keep + DOTS_LEN);
	memcpy(data, s->data, keep);
	if (limit > DOTS_LEN)
	{
		memcpy(data + keep, DOTS, DOTS_LEN);
		keep += DOTS_LEN;
	}
	s->data = data;
	s->len = (uint32) keep;
	return true;
}

/* One member of tags; true if it is to be kept. */
static bool
cut_tag(const JsonString *key, JsonReader *r, int limit, ApmStr *value, int64 *cut)
{
	ApmStr		name = json_string_text(key);
	JsonString	string;
	ApmStr		text;
	char	   *quoted;

	if (prefix_len(name, limit) >= 0)
	{
		json_reader_skip(r);
		return false;
	}
	if (json_reader_peek(r) != JSON_KIND_STRING)
		return json_reader_capture(r, value, NULL);
	if (!json_reader_string(r, &string))
		return false;
	value->data = string.data - 1;
	value->len = string.len + 2;
	text = json_string_text(&string);
	if (!cut_text(&text, limit))
		return true;
	quoted = palloc((size_t) text.len * 6 + 2);
	value->len = (uint32) json_quote(text.data, text.len, quoted);
	value->data = quoted;
	(*cut)++;
	return true;
}

/* Anything but an object of short enough strings is copied member by member. */
void
cut_tags(ApmStr *tags, int limit, int64 *cut, int64 *dropped)
{
	JsonReader	r;
	JsonString	key;
	ApmStr		value;
	char	   *out;
	size_t		n = 0;
	int64		cut_before = *cut;
	int64		dropped_before = *dropped;

	if (limit <= 0 || tags->data == NULL || tags->len <= (uint32) limit)
		return;
	json_reader_init(&r, tags->data, tags->len, JSON_DEPTH_LIMIT);
	if (!json_reader_enter_object(&r))
		return;
	/* A cut value may grow by escapes that its sender did not need: six bytes a character. */
	out = palloc((size_t) tags->len * 6 + 2);
	out[n++] = '{';
	while (json_reader_next_key(&r, &key))
	{
		if (!cut_tag(&key, &r, limit, &value, cut))
		{
			(*dropped)++;
			continue;
		}
		if (n > 1)
			out[n++] = ',';
		memcpy(out + n, key.data - 1, key.len + 2);
		n += key.len + 2;
		out[n++] = ':';
		memcpy(out + n, value.data, value.len);
		n += value.len;
	}
	out[n++] = '}';
	if (r.error == JSON_OK && (*cut != cut_before || *dropped != dropped_before))
	{
		tags->data = out;
		tags->len = (uint32) n;
		return;
	}
	pfree(out);
	*cut = cut_before;
	*dropped = dropped_before;
}

int64
cut_members(ApmStr *object, int limit)
{
	JsonReader	r;
	JsonString	key;
	const char *end = NULL;
	int64		n = 0;
	char	   *out;

	if (limit <= 0 || object->data == NULL)
		return 0;
	json_reader_init(&r, object->data, object->len, JSON_DEPTH_LIMIT);
	if (!json_reader_enter_object(&r))
		return 0;
	while (json_reader_next_key(&r, &key))
	{
		if (!json_reader_skip(&r))
			return 0;
		if (++n == limit)
			end = r.pos;
	}
	if (r.error != JSON_OK || n <= limit)
		return 0;
	out = palloc(end - object->data + 1);
	memcpy(out, object->data, end - object->data);
	out[end - object->data] = '}';
	object->len = (uint32) (end - object->data + 1);
	object->data = out;
	return n - limit;
}
