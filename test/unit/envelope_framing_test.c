/*
 * envelope_framing_test.c
 *		The grammar of envelopes: what is split how, what is refused and where.
 */
#include "envelope_recorder.h"

#include "envelope/framing.h"

/*
 * A body, the payloads expected (joined by '|'), or the reason and the byte at
 * which it is refused.
 */
typedef struct Vector
{
	const char *body;
	size_t		len;
	const char *payloads;
	const char *reason;
	int			offset;
} Vector;

#define OK(body, payloads) {body, sizeof(body) - 1, payloads, NULL, 0}
#define BAD(body, reason, offset) {body, sizeof(body) - 1, NULL, reason, offset}
#define ID "9ec79c33ec9942ab8353589fcb2e04dc"

static const Vector vectors[] = {
	/* the header alone */
	OK("{\"event_id\":\"" ID "\"}", ""),
	OK("{}\n", ""),
	OK("{}", ""),
	OK("{\"event_id\":null}", ""),
	OK("{\"event_id\":\"9ec79c33-ec99-42ab-8353-589fcb2e04dc\"}", ""),
	OK("{\"event_id\":\"00000000000000000000000000000000\"}", ""),
	OK("{\"event_id\":\"bad\",\"event_id\":\"" ID "\"}", ""),
	BAD("", "empty_body", 0),
	BAD("\n", "header:eof", 1),
	BAD(" \t\r\n", "header:eof", 4),
	BAD("hello", "header:invalid_json", 0),
	BAD("[]", "header:invalid_json", 0),
	BAD("{\"a\":1", "header:invalid_json", 6),
	BAD("{\"a\":\"\xff\"}", "header:invalid_utf8", 6),
	BAD("{\"event_id\":\"x\"}\n{\"type\":\"event\"}\n{}", "header:event_id", 12),
	BAD("{\"event_id\":7}", "header:event_id", 12),
	BAD("{\"event_id\":\"9ec79c33ec99-42ab-8353-589fcb2e04dc--\"}", "header:event_id", 12),
	BAD("{\"event_id\":\"x\",\"b\":}", "header:invalid_json", 20),
	BAD("{}\r\n{\"type\":\"event\"}\n{}", "header:missing_newline", 2),
	BAD("{} \n", "header:missing_newline", 2),
	BAD("{}{}", "header:missing_newline", 2),

	/* explicit lengths */
	OK("{}\n{\"type\":\"attachment\",\"length\":0}\n\n{\"type\":\"attachment\",\"length\":0}\n", "|"),
	OK("{}\n{\"type\":\"attachment\",\"length\":0}\n\n{\"type\":\"attachment\",\"length\":0}", "|"),
	OK("{}\n{\"type\":\"attachment\",\"length\":10}\n\xEF\xBB\xBFHello\r\n\n"
	   "{\"type\":\"event\",\"length\":41}\n{\"message\":\"hello world\",\"level\":\"error\"}\n",
	   "\xEF\xBB\xBFHello\r\n|{\"message\":\"hello world\",\"level\":\"error\"}"),
	OK("{}\n{\"type\":\"x\",\"length\":3}\n\n\n\n", "\n\n\n"),
	OK("{}\n{\"length\":3,\"type\":\"x\"}\na\0b\n", "a"),
	OK("{}\n{\"type\":\"x\",\"length\":1,\"length\":2}\nab", "ab"),
	BAD("{}\n{\"type\":\"event\",\"length\":41}\n{\"a\":1}", "item:truncated", 39),
	BAD("{}\n{\"type\":\"event\",\"length\":10}", "item:truncated", 31),
	BAD("{}\n{\"type\":\"event\",\"length\":5}\n{\"a\":1}\n", "item:missing_newline", 36),
	BAD("{}\n{\"type\":\"event\",\"length\":-1}\n{}", "item_header:bad_length", 28),
	BAD("{}\n{\"type\":\"event\",\"length\":4294967296}\n{}", "item_header:bad_length", 28),
	BAD("{}\n{\"type\":\"event\",\"length\":18446744073709551616}\n{}", "item_header:bad_length", 28),
	BAD("{}\n{\"type\":\"event\",\"length\":1.0}\n{}", "item_header:bad_length", 28),
	BAD("{}\n{\"type\":\"event\",\"length\":\"2\"}\n{}", "item_header:bad_length", 28),
	BAD("{}\n{\"type\":\"event\",\"length\":true}\n{}", "item_header:bad_length", 28),
	BAD("{}\n{\"type\":\"event\",\"length\":4294967295}\n{}", "item:truncated", 42),

	/* implicit lengths */
	OK("{}\n{\"type\":\"attachment\"}\nhelloworld\n", "helloworld"),
	OK("{}\n{\"type\":\"attachment\"}\nhelloworld", "helloworld"),
	OK("{}\n{\"type\":\"attachment\"}", ""),
	OK("{}\n{\"type\":\"attachment\",\"length\":null}\nabc\n", "abc"),
	OK("{}\n{\"type\":\"attachment\"}\nabc\r\n", "abc\r"),
	OK("{}\n{\"type\":\"a\"}\n\n{\"type\":\"b\"}\n\n", "|"),

	/* blank lines: before an item they are white space, at the end an item is missed */
	OK("{}\n{\"type\":\"a\"}\nx\n\n \t\n{\"type\":\"b\"}\ny\n", "x|y"),
	BAD("{}\n\n", "item_header:eof", 4),
	BAD("{}\n{\"type\":\"a\"}\nx\n\n", "item_header:eof", 19),

	/* item headers */
	BAD("{}\nnot json\n", "item_header:invalid_json", 3),
	BAD("{}\n{\"length\":3}\nabc", "item_header:missing_type", 3),
	BAD("{}\n{\"type\":5}\nabc", "item_header:missing_type", 3),
	BAD("{}\n{\"type\":\"a\"} \nabc", "item_header:missing_newline", 15),
	BAD("{}\n{\"type\":\"a\"}\r\nabc", "item_header:missing_newline", 15),
	BAD("{}\n{\"type\":\"event\"\n{}\n", "item_header:invalid_json", 19),
	BAD("{}\n{\"type\":\"a\xc0\x80\"}\nabc", "item_header:invalid_utf8", 13),

	/* bodies that a front end should have opened */
	BAD("\x1f\x8b\x08\x00", "compressed", 0),
	BAD("\x78\x9c\x01\x02", "compressed", 0),
	BAD("\x78\x01\x01\x02", "compressed", 0),
	BAD("\x28\xb5\x2f\xfd\x01", "compressed", 0),
	BAD("x\x00", "header:invalid_json", 0)
};

static void
check_vector(const Vector *v)
{
	EnvelopeFrame frame;
	EnvelopeItem item;
	char	   *copy = palloc(v->len);
	char		payloads[256];
	size_t		n = 0;
	bool		ok;

	memcpy(copy, v->body, v->len);
	ok = envelope_frame(&frame, copy, v->len, true, 128);
	if (!ok)
	{
		if (v->reason == NULL || strcmp(v->reason, frame.reason) != 0 ||
			v->offset != (int) frame.error_offset)
		{
			fprintf(stderr, "%s: refused for %s at %d\n", v->body, frame.reason,
					(int) frame.error_offset);
			failures++;
		}
		pfree(copy);
		return;
	}
	payloads[0] = '\0';
	while (envelope_next_item(&frame, &item))
	{
		if (item.ordinal > 1)
			payloads[n++] = '|';
		CHECK(n + item.length < sizeof(payloads));
		memcpy(payloads + n, item.payload, item.length);
		n += item.length;
		payloads[n] = '\0';
	}
	if (v->reason != NULL || strcmp(v->payloads, payloads) != 0)
	{
		fprintf(stderr, "%s: accepted with %s\n", v->body, payloads);
		failures++;
	}
	pfree(copy);
}

/* A lone surrogate in a header refuses the envelope in strict mode only. */
static void
surrogates_in_headers(void)
{
	static const char header[] = "{\"trace\":{\"transaction\":\"a\\ud800b\\u0000\"}}\n{\"type\":\"x\"}\n1";
	static const char item_header[] = "{}\n{\"type\":\"x\",\"filename\":\"\\udc00\"}\n1";
	EnvelopeFrame frame;

	CHECK(!envelope_frame(&frame, header, sizeof(header) - 1, true, 128));
	CHECK(strcmp(frame.reason, "header:lone_surrogate") == 0);
	CHECK(frame.error_offset == 26);
	CHECK(envelope_frame(&frame, header, sizeof(header) - 1, false, 128));
	CHECK(frame.lone_surrogates == 1 && frame.nul_escapes == 1);
	CHECK(!envelope_frame(&frame, item_header, sizeof(item_header) - 1, true, 128));
	CHECK(strcmp(frame.reason, "item_header:lone_surrogate") == 0);
	CHECK(envelope_frame(&frame, item_header, sizeof(item_header) - 1, false, 128));
	CHECK(frame.lone_surrogates == 1);
}

static void
header_fields(void)
{
	static const char body[] = "{\"event_id\":\"" ID "\",\"dsn\":\"d\",\"sent_at\":\"s\","
		"\"sdk\":{\"name\":\"n\"},\"trace\":{\"t\":1},\"other\":[{}]}\n"
		"{\"type\":\"x\",\"content_type\":\"c\",\"length\":2}\nab";
	EnvelopeFrame frame;
	EnvelopeItem item;

	CHECK(envelope_frame(&frame, body, sizeof(body) - 1, true, 128));
	CHECK(frame.has_event_id && frame.event_id[0] == 0x9e && frame.event_id[15] == 0xdc);
	CHECK(json_string_is(&frame.dsn, "d"));
	CHECK(json_string_is(&frame.sent_at, "s"));
	CHECK(str_is(frame.sdk, "{\"name\":\"n\"}"));
	CHECK(str_is(frame.trace, "{\"t\":1}"));
	CHECK(envelope_next_item(&frame, &item));
	CHECK(item.ordinal == 1 && json_string_is(&item.type, "x"));
	CHECK(json_string_is(&item.content_type, "c"));
	CHECK(str_is(item.header, "{\"type\":\"x\",\"content_type\":\"c\",\"length\":2}"));
	CHECK(item.length == 2 && memcmp(item.payload, "ab", 2) == 0);
	CHECK(!envelope_next_item(&frame, &item));
}

/* Nesting in a header counts as nesting anywhere. */
static void
deep_headers(void)
{
	char		body[600];
	EnvelopeFrame frame;
	size_t		n;

	memset(body, 0, sizeof(body));
	strcpy(body, "{\"a\":");
	memset(body + 5, '[', 200);
	n = 205;
	memset(body + n, ']', 200);
	n += 200;
	body[n++] = '}';
	CHECK(!envelope_frame(&frame, body, n, false, 128));
	CHECK(strcmp(frame.reason, "header:too_deep") == 0);
	CHECK(envelope_frame(&frame, body, n, false, 201));
}

/* A million items cost no memory but the body. */
static void
many_items(void)
{
	static const char item_text[] = "{\"type\":\"x\"}\n\n";
	size_t		each = sizeof(item_text) - 1;
	size_t		len = 3 + 1000000 * each;
	char	   *body = palloc(len);
	EnvelopeFrame frame;
	EnvelopeItem item;
	int			n = 0;

	memcpy(body, "{}\n", 3);
	for (n = 0; n < 1000000; n++)
		memcpy(body + 3 + n * each, item_text, each);
	CHECK(envelope_frame(&frame, body, len, true, 128));
	for (n = 0; envelope_next_item(&frame, &item); n++)
		;
	CHECK(n == 1000000 && item.ordinal == 1000000);
	pfree(body);
}

int
main(void)
{
	size_t		i;

	for (i = 0; i < lengthof(vectors); i++)
		check_vector(&vectors[i]);
	surrogates_in_headers();
	header_fields();
	deep_headers();
	many_items();
	if (failures == 0)
		printf("envelope_framing: %d vectors ok\n", (int) lengthof(vectors));
	return failures != 0;
}
