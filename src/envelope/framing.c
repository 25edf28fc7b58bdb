/*
 * envelope/framing.c
 *		Splits the body of an envelope into its header and items.  Pure.
 */
#include "envelope/framing.h"

#include "types/hex.h"

const char *
envelope_json_reason(JsonErrorCode code)
{
	switch (code)
	{
		case JSON_ERR_NAN:
			return "nan_literal";
		case JSON_ERR_UTF8:
			return "invalid_utf8";
		case JSON_ERR_SURROGATE:
			return "lone_surrogate";
		case JSON_ERR_DEPTH:
			return "too_deep";
		default:
			return "invalid_json";
	}
}

bool
envelope_read_event_id(const char *s, size_t len, uint8 event_id[16], bool *nil)
{
	size_t		i;

	*nil = false;
	if (len == 36)
	{
		if (s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-')
			return false;
	}
	else if (len != 32)
		return false;
	if (hex_read_id(s, len, len == 36, event_id, 16))
		return true;

	/* Refused: either not hex, or nothing but zeros. */
	for (i = 0; i < len; i++)
		if (s[i] != '0' && s[i] != '-')
			return false;
	*nil = true;
	return true;
}

/* Records a failure; always returns false. */
static bool
fail(EnvelopeFrame *frame, const char *reason, const char *detail, size_t offset)
{
	frame->reason = reason;
	frame->detail = detail;
	frame->error_offset = offset;
	frame->error_ordinal = frame->ordinal;
	return false;
}

/* A failure of the JSON reader in a header that starts at byte base. */
static bool
fail_json(EnvelopeFrame *frame, const JsonReader *r, size_t base)
{
	bool		item = frame->ordinal > 0;
	const char *reason;

	switch (r->error)
	{
		case JSON_ERR_UTF8:
			reason = item ? "item_header:invalid_utf8" : "header:invalid_utf8";
			break;
		case JSON_ERR_SURROGATE:
			reason = item ? "item_header:lone_surrogate" : "header:lone_surrogate";
			break;
		case JSON_ERR_DEPTH:
			reason = item ? "item_header:too_deep" : "header:too_deep";
			break;
		default:
			reason = item ? "item_header:invalid_json" : "header:invalid_json";
			break;
	}
	return fail(frame, reason,
				r->error == JSON_OK ? "header is not a JSON object" : json_error_text(r->error),
				base + json_reader_offset(r));
}

/*
 * Bodies that a front end should have decompressed.  A brotli stream has no
 * mark of its own and fails as a header that is not JSON.
 */
bool
envelope_looks_compressed(const unsigned char *p, size_t len)
{
	if (len >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		return true;			/* gzip */
	if (len >= 2 && p[0] == 0x78 && (p[0] * 256 + p[1]) % 31 == 0)
		return true;			/* zlib */
	if (len >= 4 && p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd)
		return true;			/* zstd */
	return false;
}

/* Takes a value if it is a string, else passes over it. */
static bool
string_or_skip(JsonReader *r, JsonString *s)
{
	if (json_reader_peek(r) == JSON_KIND_STRING)
		return json_reader_string(r, s);
	s->data = NULL;
	return json_reader_skip(r);
}

/* Takes the text of an object, else passes over the value. */
static bool
object_or_skip(JsonReader *r, ApmStr *text)
{
	if (json_reader_peek(r) == JSON_KIND_OBJECT)
		return json_reader_capture(r, text, NULL);
	text->data = NULL;
	text->len = 0;
	return json_reader_skip(r);
}

/*
 * event_id of the envelope's header: null counts as absent, as does the nil
 * id; anything else that is no id refuses the envelope.
 */
static bool
header_event_id(EnvelopeFrame *frame, JsonReader *r)
{
	JsonString	s;
	ApmStr		text;
	bool		nil;
	size_t		offset;

	frame->has_event_id = false;
	if (json_reader_peek(r) == JSON_KIND_NULL)
		return json_reader_null(r);
	offset = json_reader_offset(r);
	if (!string_or_skip(r, &s))
		return false;
	if (s.data != NULL)
	{
		text = json_string_text(&s);
		if (envelope_read_event_id(text.data, text.len, frame->event_id, &nil))
		{
			frame->has_event_id = !nil;
			return true;
		}
	}
	fail(frame, "header:event_id", "event_id of the envelope is not a UUID", offset);
	return true;				/* JSON itself is fine so far */
}

/* Reads the envelope's header, which must start the body. */
static bool
read_header(EnvelopeFrame *frame)
{
	JsonReader	r;
	JsonString	key;
	size_t		start;
	bool		ok = true;

	json_reader_init(&r, frame->body, frame->len, frame->max_depth);
	r.strict_surrogates = frame->strict;
	if (json_reader_peek(&r) == JSON_KIND_ERROR && json_reader_offset(&r) == frame->len)
		return fail(frame, "header:eof", "body holds no header", frame->len);
	start = json_reader_offset(&r);
	if (!json_reader_enter_object(&r))
		return fail_json(frame, &r, 0);
	while (ok && json_reader_next_key(&r, &key))
	{
		if (KEY_IS(&key, "event_id"))
		{
			frame->reason = NULL;	/* of duplicate keys the last counts */
			ok = header_event_id(frame, &r);
		}
		else if (KEY_IS(&key, "dsn"))
			ok = string_or_skip(&r, &frame->dsn);
		else if (KEY_IS(&key, "sent_at"))
			ok = string_or_skip(&r, &frame->sent_at);
		else if (KEY_IS(&key, "sdk"))
			ok = object_or_skip(&r, &frame->sdk);
		else if (KEY_IS(&key, "trace"))
			ok = object_or_skip(&r, &frame->trace);
		else
			ok = json_reader_skip(&r);
	}
	if (r.error != JSON_OK)
		return fail_json(frame, &r, 0);
	if (frame->reason != NULL)
		return false;			/* event_id */

	frame->pos = json_reader_offset(&r);
	frame->header.data = frame->body + start;
	frame->header.len = (uint32) (frame->pos - start);
	frame->nul_escapes = r.nul_escapes;
	frame->lone_surrogates = r.lone_surrogates;
	if (frame->pos < frame->len && frame->body[frame->pos] != '\n')
		return fail(frame, "header:missing_newline",
					"header is not followed by a newline", frame->pos);
	if (frame->pos < frame->len)
		frame->pos++;
	frame->first_item = frame->pos;
	return true;
}

/* length of an item header: absent or null, or an unsigned 32-bit number. */
static bool
item_length(EnvelopeFrame *frame, JsonReader *r, size_t base, bool *has_length,
			size_t *length, bool *bad)
{
	ApmStr		text;
	int64		value;

	*has_length = false;
	*bad = false;
	switch (json_reader_peek(r))
	{
		case JSON_KIND_NULL:
			return json_reader_null(r);
		case JSON_KIND_NUMBER:
			if (!json_reader_number(r, &text))
				return false;
			if (json_number_int64(text, &value) && value >= 0 && value <= (int64) UINT32_MAX)
			{
				*has_length = true;
				*length = (size_t) value;
				return true;
			}
			frame->error_offset = base + (text.data - r->start);
			*bad = true;
			return true;
		default:
			frame->error_offset = base + json_reader_offset(r);
			*bad = true;
			return json_reader_skip(r);
	}
}

/* Where the payload of an item lies, given the position after its header. */
static bool
item_payload(EnvelopeFrame *frame, EnvelopeItem *item, size_t pos,
			 bool has_length, size_t length)
{
	const char *nl;

	if (pos < frame->len && frame->body[pos] != '\n')
		return fail(frame, "item_header:missing_newline",
					"item header is not followed by a newline", pos);
	if (pos < frame->len)
		pos++;

	item->payload = frame->body + pos;
	if (has_length)
	{
		if (length > frame->len - pos)
			return fail(frame, "item:truncated",
						"body ends before the length of the item", frame->len);
		item->length = length;
		pos += length;
		if (pos < frame->len && frame->body[pos] != '\n')
			return fail(frame, "item:missing_newline",
						"payload is not followed by a newline", pos);
	}
	else
	{
		nl = pos < frame->len ? memchr(item->payload, '\n', frame->len - pos) : NULL;
		item->length = nl != NULL ? (size_t) (nl - item->payload) : frame->len - pos;
		pos += item->length;
	}
	if (pos < frame->len)
		pos++;
	frame->pos = pos;
	return true;
}

/* Reads one item at frame->pos. */
static bool
read_item(EnvelopeFrame *frame, EnvelopeItem *item)
{
	size_t		base = frame->pos;
	JsonReader	r;
	JsonString	key;
	size_t		start;
	size_t		length = 0;
	bool		has_length = false;
	bool		bad_length = false;
	bool		ok = true;

	frame->ordinal++;
	item->ordinal = frame->ordinal;
	item->type.data = NULL;
	item->content_type.data = NULL;

	json_reader_init(&r, frame->body + base, frame->len - base, frame->max_depth);
	r.strict_surrogates = frame->strict;
	if (json_reader_peek(&r) == JSON_KIND_ERROR && json_reader_offset(&r) == frame->len - base)
		return fail(frame, "item_header:eof",
					"an item is expected after the newline, the body ends", frame->len);
	start = json_reader_offset(&r);
	if (!json_reader_enter_object(&r))
		return fail_json(frame, &r, base);
	while (ok && json_reader_next_key(&r, &key))
	{
		if (KEY_IS(&key, "type"))
			ok = string_or_skip(&r, &item->type);
		else if (KEY_IS(&key, "length"))
			ok = item_length(frame, &r, base, &has_length, &length, &bad_length);
		else if (KEY_IS(&key, "content_type"))
			ok = string_or_skip(&r, &item->content_type);
		else
			ok = json_reader_skip(&r);
	}
	if (r.error != JSON_OK)
		return fail_json(frame, &r, base);
	item->header.data = frame->body + base + start;
	item->header.len = (uint32) (json_reader_offset(&r) - start);
	item->nul_escapes = r.nul_escapes;
	item->lone_surrogates = r.lone_surrogates;
	if (bad_length)
		return fail(frame, "item_header:bad_length",
					"length of the item is not an unsigned 32-bit number",
					frame->error_offset);
	if (item->type.data == NULL)
		return fail(frame, "item_header:missing_type",
					"item header has no type, or one that is not a string", base + start);
	return item_payload(frame, item, base + json_reader_offset(&r), has_length, length);
}

bool
envelope_frame(EnvelopeFrame *frame, const char *body, size_t len, bool strict, int max_depth)
{
	EnvelopeItem item;

	memset(frame, 0, sizeof(*frame));
	frame->body = body;
	frame->len = len;
	frame->strict = strict;
	frame->max_depth = max_depth;

	if (len == 0)
		return fail(frame, "empty_body", "body is empty", 0);
	if (envelope_looks_compressed((const unsigned char *) body, len))
		return fail(frame, "compressed",
					"body is compressed; a front end must decompress it first", 0);
	if (!read_header(frame))
		return false;
	while (frame->pos < frame->len)
	{
		if (!read_item(frame, &item))
			return false;
		if (frame->ordinal == 1)
		{
			frame->first = item;
			frame->behind_first = frame->pos;
		}
		frame->nul_escapes += item.nul_escapes;
		frame->lone_surrogates += item.lone_surrogates;
	}
	frame->pos = frame->first_item;
	frame->ordinal = 0;
	return true;
}

bool
envelope_next_item(EnvelopeFrame *frame, EnvelopeItem *item)
{
	if (frame->pos >= frame->len)
		return false;
	if (frame->ordinal > 0)
		return read_item(frame, item);
	*item = frame->first;
	frame->pos = frame->behind_first;
	frame->ordinal = 1;
	return true;
}
