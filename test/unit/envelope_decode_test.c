/*
 * envelope_decode_test.c
 *		Decoders of item payloads: values, faults, both modes; and that no
 *		prefix or mutation of a body makes them read where they must not.
 */
#define _GNU_SOURCE
#include "envelope_recorder.h"

#include <math.h>

#include "envelope/decode.h"
#include "envelope/dsn.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define OTHER "0af7651916cd43dd8448eb211c80319c"
#define CONTEXTS "\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000a1\"}}"
#define TIMES "\"start_timestamp\":100.25,\"timestamp\":100.5"
#define TX(rest) "{}\n{\"type\":\"transaction\"}\n{\"transaction\":\"t\"," TIMES "," CONTEXTS rest "}\n"
#define SPAN(id, rest) "{\"trace_id\":\"" TRACE "\",\"span_id\":\"" id "\"," TIMES rest "}"
#define V2(items) "{}\n{\"type\":\"span\",\"item_count\":1,\"content_type\":\"application/vnd.sentry.items.span.v2+json\"}\n" \
	"{\"version\":2,\"items\":[" items "]}\n"
#define SPAN2(trace, id, rest) "{\"trace_id\":\"" trace "\",\"span_id\":\"" id "\",\"name\":\"n\",\"status\":\"ok\"," \
	"\"start_timestamp\":100.25,\"end_timestamp\":100.5" rest "}"
#define ATTR(key, value) "\"" key "\":{\"type\":\"string\",\"value\":" value "}"

static Recorder rec;

#define EXPECT(body, strict, expected) \
	do { \
		decode_text(&rec, body, strict); \
		if (strcmp(rec.text, expected) != 0) \
		{ \
			fprintf(stderr, "%s:%d: got\n%s", __FILE__, __LINE__, rec.text); \
			failures++; \
		} \
	} while (0)

static void
times(void)
{
	static const struct
	{
		const char *text;
		int64		us;			/* -1: refused */
	}			vectors[] = {
		{"2011-05-02T17:41:36Z", INT64CONST(1304358096000000)},
		{"2011-05-02T17:41:36", INT64CONST(1304358096000000)},
		{"2011-05-02 17:41:36.000", INT64CONST(1304358096000000)},
		{"2011-05-02t18:41:36.5+01:00", INT64CONST(1304358096500000)},
		{"2011-05-02T18:41:36+0100", INT64CONST(1304358096000000)},
		{"2011-05-02T16:41:36-01", INT64CONST(1304358096000000)},
		{"2011-05-02T23:11:36.123456+05:30", INT64CONST(1304358096123456)},
		{"2011-05-02T17:41:36.123456499Z", INT64CONST(1304358096123456)},
		{"2011-05-02T17:41:36.123456500z", INT64CONST(1304358096123457)},
		{"2011-05-02T17:41:36.999999999Z", INT64CONST(1304358097000000)},
		{"2011-05-02T17:41:36.12345678901234567890Z", INT64CONST(1304358096123457)},
		{"2016-12-31T23:59:60Z", INT64CONST(1483228800000000)},
		{"1970-01-01T00:00:00Z", 0},
		{"2000-02-29T00:00:00Z", INT64CONST(951782400000000)},
		{"2024-02-29T12:00:00Z", INT64CONST(1709208000000000)},
		{"9999-12-31T23:59:59Z", INT64CONST(253402300799000000)},
		{"2100-02-29T00:00:00Z", -1},
		{"2023-02-29T00:00:00Z", -1},
		{"2011-13-02T17:41:36Z", -1},
		{"2011-00-02T17:41:36Z", -1},
		{"2011-04-31T17:41:36Z", -1},
		{"2011-05-02T24:00:00Z", -1},
		{"2011-05-02T17:60:36Z", -1},
		{"2011-05-02T17:41:61Z", -1},
		{"2011-05-02T17:41:36.Z", -1},
		{"2011-05-02T17:41:36 Z", -1},
		{"2011-05-02T17:41:36+1:00", -1},
		{"2011-05-02T17:41:36+01:0", -1},
		{"2011-05-02T17:41:36+01:60", -1},
		{"2011-05-02T17:41", -1},
		{"2011-05-02", -1},
		{"1773480413.5", -1},
		{"", -1}
	};
	size_t		i;

	for (i = 0; i < lengthof(vectors); i++)
	{
		DecodeTime	t;
		bool		ok = decode_rfc3339(vectors[i].text, strlen(vectors[i].text), &t);

		if (ok != (vectors[i].us >= 0) || (ok && t.us != vectors[i].us))
		{
			fprintf(stderr, "%s: %d %lld\n", vectors[i].text, ok, (long long) t.us);
			failures++;
		}
	}
}

/* Durations use all digits that were sent. */
static void
durations(void)
{
	static const struct
	{
		const char *start;
		const char *end;
		int64		us;
	}			vectors[] = {
		{"1795353031.9894674", "1795353032.0060265", 16559},
		{"1795353032.4602766", "1795353032.6187723", 158496},
		{"\"2026-11-22T13:18:09.85449606Z\"", "\"2026-11-22T13:18:09.863542987Z\"", 9047},
		{"1.0000004", "1.0000006", 0},
		{"1.0000004", "1.000001", 1},
		{"1.0000009", "1.0000001", -1},
		{"1.0000006", "1.0000004", 0},
		{"1e3", "1000.5", 500000},
		{"1", "1", 0}
	};
	size_t		i;

	for (i = 0; i < lengthof(vectors); i++)
	{
		DecodeTime	start;
		DecodeTime	end;
		JsonReader	r;

		json_reader_init(&r, vectors[i].start, strlen(vectors[i].start), 1);
		CHECK(value_time(&r, &start));
		json_reader_init(&r, vectors[i].end, strlen(vectors[i].end), 1);
		CHECK(value_time(&r, &end));
		if (decode_duration(start, end) != vectors[i].us)
		{
			fprintf(stderr, "%s to %s: %lld\n", vectors[i].start, vectors[i].end,
					(long long) decode_duration(start, end));
			failures++;
		}
	}
}

static void
transactions(void)
{
	static const char full[] =
		"{\"event_id\":\"11111111111111111111111111111111\",\"dsn\":\"https://k@h.test/42\","
		"\"trace\":{\"sample_rate\":\"0.25\"},\"sdk\":{\"name\":\"header\"}}\n"
		"{\"type\":\"transaction\"}\n"
		"{\"event_id\":\"22222222222222222222222222222222\",\"transaction\":\"GET \\/a\\u0000\","
		"\"transaction_info\":{\"source\":\"route\"}," TIMES ",\"release\":\"r@1\",\"environment\":\"prod\","
		"\"platform\":\"node\",\"sdk\":{\"name\":\"s\",\"version\":\"1.2\"},"
		"\"user\":{\"id\":42,\"email\":\"e\"},\"request\":{\"method\":\"POST\"},"
		"\"tags\":[[\"a\",1],[\"b\",true],[\"a\",\"2\"],[\"n\",null],[\"x\"]],"
		"\"measurements\":{\" lcp \":{\"value\":2.5,\"unit\":\"second\"},\"bad\":{\"value\":\"x\"},\"cls\":{\"value\":0}},"
		"\"contexts\":{\"response\":{\"status_code\":404},\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000A1\","
		"\"parent_span_id\":\"00000000000000b1\",\"op\":\"http.server\",\"status\":\"internal_error\",\"origin\":\"auto\","
		"\"exclusive_time\":1.5,\"data\":{\"k\":1}}},"
		"\"spans\":[" SPAN("00000000000000c1", ",\"op\":\"db\",\"status\":13,\"data\":{\"a\":1},\"tags\":{\"t\":\"v\"}") "]}\n";
	const ApmTransaction *t = &rec.transaction;

	EXPECT(full, true,
		   "segment 00000000000000a1 with transaction: \"GET /a\xEF\xBF\xBD\" a1,c1\n"
		   "dropped 1 measurement 1\n"
		   "repaired 1 repaired_nul 1\n");
	CHECK(t->project_id == 42);
	CHECK(t->has_event_id && t->event_id[0] == 0x11);
	CHECK(t->span_id == 0xa1 && t->parent_span_id == 0xb1);
	CHECK(str_is(t->source, "route"));
	CHECK(str_is(t->op, "http.server"));
	CHECK(t->status == 13);
	CHECK(t->start_us == 100250000 && t->duration_us == 250000);
	CHECK(str_is(t->environment, "prod"));
	CHECK(str_is(t->release, "r@1"));
	CHECK(str_is(t->platform, "node"));
	CHECK(str_is(t->sdk, "s@1.2"));
	CHECK(str_is(t->user_key, "id:42"));
	CHECK(str_is(t->http_method, "POST"));
	CHECK(t->http_status == 404);
	CHECK(str_is(t->measurements, "{\"lcp\":{\"value\":2.5,\"unit\":\"second\"},\"cls\":{\"value\":0}}"));
	CHECK(str_is(t->tags, "{\"a\":\"2\",\"b\":\"true\",\"a\":\"1\"}"));
	CHECK(t->sample_rate == 0.25 && t->weight == 4);
	CHECK(t->span_count == 2);
	CHECK(str_is(rec.span.attributes, "{\"a\":1,\"tags\":{\"t\":\"v\"}}"));
	CHECK(rec.span.status == 13 && !rec.span.is_segment);
	CHECK(rec.span.self_time_us == APM_MICROS_NULL);

	/* The order of keys does not matter; of equal ones the last counts. */
	EXPECT("{}\n{\"type\":\"transaction\"}\n{\"spans\":[" SPAN("00000000000000c1", "") "],\"spans\":["
		   SPAN("00000000000000c2", "") "],\"contexts\":{\"trace\":7}," CONTEXTS ",\"transaction\":\"x\","
		   "\"transaction\":404,\"timestamp\":1," TIMES "}", true,
		   "segment 00000000000000a1 with transaction: \"404\" a1,c2\n");
	EXPECT("{}\n{\"type\":\"transaction\"}\n{" TIMES "," CONTEXTS "}", true,
		   "segment 00000000000000a1 with transaction: \"<unlabeled transaction>\" a1\n");
	CHECK(!t->has_event_id && t->status == APM_STATUS_NULL && isnan(t->sample_rate) && t->weight == 1);
	CHECK(t->contexts.data != NULL && t->tags.data == NULL && t->measurements.data == NULL);

	/* An event that calls itself a transaction is one. */
	EXPECT("{}\n{\"type\":\"event\"}\n{" TIMES "," CONTEXTS ",\"type\":\"transaction\"}", true,
		   "segment 00000000000000a1 with transaction: \"<unlabeled transaction>\" a1\n");

	/* A child of another trace goes with that. */
	EXPECT(TX(",\"spans\":[{\"trace_id\":\"" OTHER "\",\"span_id\":\"00000000000000c1\"," TIMES "},"
			  SPAN("00000000000000c2", "") "]"), true,
		   "segment 00000000000000a1 with transaction: \"t\" a1,c2\n"
		   "segment 00000000000000a1: c1\n");
	CHECK(t->span_count == 3);
}

static void
sample_rates(void)
{
	decode_text(&rec, TX(",\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000a1\","
						 "\"client_sample_rate\":0.5,\"data\":{\"sentry.sample_rate\":0.1}}}"), true);
	CHECK(rec.transaction.weight == 2);
	decode_text(&rec, TX(",\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000a1\","
						 "\"data\":{\"sentry.sample_rate\":0.1}}}"), true);
	CHECK(rec.transaction.sample_rate == 0.1 && fabs(rec.transaction.weight - 10) < 1e-9);
	decode_text(&rec, "{\"trace\":{\"sample_rate\":0.125}}\n" "{\"type\":\"transaction\"}\n{" TIMES "," CONTEXTS "}", true);
	CHECK(rec.transaction.weight == 8);
	decode_text(&rec, "{\"trace\":{\"sample_rate\":\"0\"}}\n" "{\"type\":\"transaction\"}\n{" TIMES "," CONTEXTS "}", true);
	CHECK(rec.transaction.sample_rate == 0 && rec.transaction.weight == 1);
	decode_text(&rec, "{\"trace\":{\"sample_rate\":\"x\"}}\n" "{\"type\":\"transaction\"}\n{" TIMES "," CONTEXTS "}", true);
	CHECK(isnan(rec.transaction.sample_rate) && rec.transaction.weight == 1);
}

#define REFUSED(payload, reason) \
	EXPECT("{}\n{\"type\":\"transaction\"}\n" payload, true, "rejected 1 " reason " 1\n"); \
	EXPECT("{}\n{\"type\":\"transaction\"}\n" payload, false, "rejected 1 " reason " 1\n")

static void
refused_transactions(void)
{
	REFUSED("{not json!}", "invalid_json");
	REFUSED("", "invalid_json");
	REFUSED("{} {}", "invalid_json");
	REFUSED("[]", "not_object");
	REFUSED("null", "not_object");
	REFUSED("[", "invalid_json");
	REFUSED("{\"transaction\":\"\xc3(\"}", "invalid_utf8");
	REFUSED("{\"timestamp\":NaN}", "nan_literal");
	REFUSED("{\"timestamp\":-Infinity}", "nan_literal");
	REFUSED("{\"start_timestamp\":1," CONTEXTS "}", "timestamp");
	REFUSED("{\"start_timestamp\":1,\"timestamp\":\"1773480413.5\"," CONTEXTS "}", "timestamp");
	REFUSED("{\"start_timestamp\":-1,\"timestamp\":1," CONTEXTS "}", "timestamp");
	REFUSED("{\"start_timestamp\":1,\"timestamp\":1e300," CONTEXTS "}", "timestamp");
	REFUSED("{\"start_timestamp\":1,\"timestamp\":null," CONTEXTS "}", "timestamp");
	REFUSED("{\"start_timestamp\":2,\"timestamp\":1," CONTEXTS "}", "negative_duration");
	REFUSED("{" TIMES "}", "missing_trace_context");
	REFUSED("{" TIMES ",\"contexts\":{\"trace\":null}}", "missing_trace_context");
	REFUSED("{" TIMES ",\"contexts\":{\"trace\":{}}}", "trace_id");
	REFUSED("{" TIMES ",\"contexts\":{\"trace\":{\"trace_id\":\"00000000000000000000000000000000\","
			"\"span_id\":\"00000000000000a1\"}}}", "trace_id");
	REFUSED("{" TIMES ",\"contexts\":{\"trace\":{\"trace_id\":12345,\"span_id\":\"00000000000000a1\"}}}", "trace_id");
	REFUSED("{" TIMES ",\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\"}}}", "span_id");
	REFUSED("{" TIMES ",\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"a1\"}}}", "span_id");

	/* The offset is that of the error in the body. */
	decode_text(&rec, "{}\n{\"type\":\"transaction\"}\n{\"a\":?}", true);
	CHECK(rec.offset == 31);
	/* A lone surrogate refuses in strict mode and is repaired in lenient. */
	EXPECT(TX(",\"x\":\"\\ud83d\""), true, "rejected 1 lone_surrogate 1\n");
	EXPECT(TX(",\"x\":\"\\ud83d\""), false,
		   "segment 00000000000000a1 with transaction: \"t\" a1\nrepaired 1 repaired_surrogate 1\n");
	EXPECT("{\"x\":\"\\ud83d\"}", true, "rejected 0 header:lone_surrogate 1\n");
	EXPECT("{\"x\":\"\\ud83d\"}", false, "repaired 0 repaired_surrogate 1\nskipped 0 empty_envelope 1\n");
}

/* A bad span: strict mode refuses its transaction, lenient mode drops it. */
#define BAD_SPAN(span, reason) \
	EXPECT(TX(",\"spans\":[" span "," SPAN("00000000000000c1", "") "]"), true, \
		   "rejected 1 " reason " 1\n"); \
	EXPECT(TX(",\"spans\":[" span "," SPAN("00000000000000c1", "") "]"), false, \
		   "segment 00000000000000a1 with transaction: \"t\" a1,c1\ndropped 1 " reason " 1\n")

static void
bad_spans(void)
{
	BAD_SPAN("null", "span_not_object");
	BAD_SPAN("[1,{}]", "span_not_object");
	BAD_SPAN("{}", "span_timestamp");
	BAD_SPAN("{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000c2\",\"start_timestamp\":1}", "span_timestamp");
	BAD_SPAN("{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000c2\",\"start_timestamp\":-1,\"timestamp\":1}",
			 "span_timestamp");
	BAD_SPAN("{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000c2\",\"start_timestamp\":2,\"timestamp\":1}",
			 "span_negative_duration");
	BAD_SPAN("{\"span_id\":\"00000000000000c2\"," TIMES "}", "span_trace_id");
	BAD_SPAN("{\"trace_id\":\"" TRACE "\",\"span_id\":\"0000000000000000\"," TIMES "}", "span_span_id");
	BAD_SPAN("{\"trace_id\":\"" TRACE "\",\"span_id\":\"4584593a-5d9b-4a55-931f-cfe89c93907d\"," TIMES "}", "span_span_id");

	/* Different faults are told apart, the strict reason is the first. */
	EXPECT(TX(",\"spans\":[{},null,null]"), true, "rejected 1 span_timestamp 1\n");
	EXPECT(TX(",\"spans\":[{},null,null]"), false,
		   "segment 00000000000000a1 with transaction: \"t\" a1\n"
		   "dropped 1 span_not_object 2\ndropped 1 span_timestamp 1\n");
	/* What is not a list is no list of spans. */
	EXPECT(TX(",\"spans\":{\"a\":1}"), true, "segment 00000000000000a1 with transaction: \"t\" a1\n");
	/* Neighbours of a bad item stay. */
	EXPECT(TX("") "{\"type\":\"transaction\"}\n{}\n{\"type\":\"event\"}\n{\"message\":\"m\"}\n", true,
		   "segment 00000000000000a1 with transaction: \"t\" a1\nrejected 2 timestamp 1\nerror 3: \n");
}

static void
standalone_spans(void)
{
	const ApmSpan *s = &rec.span;

	EXPECT("{}\n{\"type\":\"span\"}\n" SPAN("00000000000000c1", ",\"op\":\"ui.interaction.press\",\"exclusive_time\":2160,"
											"\"data\":{\"release\":\"r\"},\"measurements\":{\"inp\":{\"value\":1}}"), true,
		   "segment 0000000000000000: c1\n");
	CHECK(s->segment_id == 0 && !s->is_segment && s->self_time_us == 2160000);
	CHECK(str_is(s->attributes, "{\"release\":\"r\",\"measurements\":{\"inp\":{\"value\":1}}}"));
	EXPECT("{}\n{\"type\":\"span\"}\n" SPAN("00000000000000c1", ",\"is_segment\":true"), true,
		   "segment 00000000000000c1: c1\n");
	CHECK(s->is_segment);
	EXPECT("{}\n{\"type\":\"span\"}\n" SPAN("00000000000000c1", ",\"segment_id\":\"00000000000000c1\""), true,
		   "segment 00000000000000c1: c1\n");
	CHECK(s->is_segment);
	EXPECT("{}\n{\"type\":\"span\"}\n" SPAN("00000000000000c1", ",\"segment_id\":\"00000000000000a1\""), true,
		   "segment 00000000000000a1: c1\n");
	CHECK(!s->is_segment);
	EXPECT("{}\n{\"type\":\"span\"}\n{}", true, "rejected 1 timestamp 1\n");
	EXPECT("{}\n{\"type\":\"span\"}\n[]", true, "rejected 1 not_object 1\n");
	EXPECT("{}\n{\"type\":\"span\"}\n{", false, "rejected 1 invalid_json 1\n");
}

static void
containers(void)
{
	const ApmTransaction *t = &rec.transaction;

	/* One segment with its child, the child first. */
	EXPECT(V2(SPAN2(TRACE, "00000000000000c1", ",\"parent_span_id\":\"00000000000000a1\",\"attributes\":{"
					ATTR("sentry.segment.id", "\"00000000000000a1\"") "}") ","
			  SPAN2(TRACE, "00000000000000a1", ",\"is_segment\":true,\"attributes\":{"
					ATTR("sentry.op", "\"pageload\"") "," ATTR("sentry.segment.name", "\"\\/shop\"") ","
					ATTR("sentry.segment.name.source", "\"url\"") "," ATTR("sentry.release", "\"r\"") ","
					ATTR("user.email", "\"e\"") "," ATTR("sentry.user.id", "\"u\"") ","
					ATTR("http.response.status_code", "503") "," ATTR("http.request.method", "\"GET\"") ","
					ATTR("browser.web_vital.cls.value", "0.5") "," ATTR("browser.web_vital.lcp.value", "2500") ","
					ATTR("browser.web_vital.lcp.element", "\"div\"") "," ATTR("sentry.client_sample_rate", "0.5") "}")), true,
		   "segment 00000000000000a1 with transaction: \"/shop\" c1,a1\n");
	CHECK(str_is(t->op, "pageload") && str_is(t->source, "url") && str_is(t->release, "r"));
	CHECK(str_is(t->user_key, "id:u") && t->http_status == 503 && str_is(t->http_method, "GET"));
	CHECK(str_is(t->measurements, "{\"cls\":{\"value\":0.5,\"unit\":\"none\"},"
				 "\"lcp\":{\"value\":2500,\"unit\":\"millisecond\"}}"));
	CHECK(t->weight == 2 && t->span_count == 2 && t->status == 0 && !t->has_event_id);
	CHECK(memmem(rec.span.attributes.data, rec.span.attributes.len,
				 "\"http.response.status_code\":503,", 32) != NULL);

	/* Values of any type, untyped ones, and one without a value. */
	decode_text(&rec, V2(SPAN2(TRACE, "00000000000000c1", ",\"attributes\":{\"a\":{\"value\":[1, {}],\"type\":\"array\"},"
							   "\"b\" : {\"type\":\"double\",\"value\":null} ,\"c\":{\"type\":\"string\"},\"d\":5,\"e\":{\"value\":1,\"value\":2}}")), true);
	CHECK(str_is(rec.span.attributes, "{\"a\":[1, {}],\"b\":null,\"d\":5,\"e\":2}"));

	/* Several segments and traces in one container, in the order of their segment spans. */
	EXPECT(V2(SPAN2(TRACE, "00000000000000c1", ",\"attributes\":{" ATTR("sentry.segment.id", "\"00000000000000a2\"") "}") ","
			  SPAN2(TRACE, "00000000000000a1", ",\"is_segment\":true") ","
			  SPAN2(OTHER, "00000000000000a1", ",\"is_segment\":true") ","
			  SPAN2(TRACE, "00000000000000a2", ",\"is_segment\":true") ","
			  SPAN2(OTHER, "00000000000000c2", ",\"attributes\":{" ATTR("sentry.segment.id", "\"00000000000000a1\"") "}")), true,
		   "segment 00000000000000a1 with transaction: \"n\" a1\n"
		   "segment 00000000000000a1 with transaction: \"n\" a1,c2\n"
		   "segment 00000000000000a2 with transaction: \"n\" c1,a2\n");

	/* Without a segment id the parents lead to the segment; cycles and strangers lead nowhere. */
	EXPECT(V2(SPAN2(TRACE, "00000000000000c3", ",\"parent_span_id\":\"00000000000000c2\"") ","
			  SPAN2(TRACE, "00000000000000c2", ",\"parent_span_id\":\"00000000000000a1\"") ","
			  SPAN2(TRACE, "00000000000000a1", ",\"is_segment\":true,\"parent_span_id\":\"00000000000000ff\"") ","
			  SPAN2(TRACE, "00000000000000d1", ",\"parent_span_id\":\"00000000000000d2\"") ","
			  SPAN2(TRACE, "00000000000000d2", ",\"parent_span_id\":\"00000000000000d1\"") ","
			  SPAN2(TRACE, "00000000000000d3", ",\"parent_span_id\":\"00000000000000d3\"") ","
			  SPAN2(TRACE, "00000000000000d4", ",\"parent_span_id\":\"00000000000000ee\"") ","
			  SPAN2(OTHER, "00000000000000d5", ",\"parent_span_id\":\"00000000000000a1\"")), true,
		   "segment 00000000000000a1 with transaction: \"n\" c3,c2,a1\n"
		   "segment 0000000000000000: d1,d2,d3,d4\n"
		   "segment 0000000000000000: d5\n");

	/* The same segment span twice: two transactions. */
	EXPECT(V2(SPAN2(TRACE, "00000000000000a1", ",\"is_segment\":true") ","
			  SPAN2(TRACE, "00000000000000a1", ",\"is_segment\":true")), true,
		   "segment 00000000000000a1 with transaction: \"n\" a1\n"
		   "segment 00000000000000a1 with transaction: \"n\" a1\n");

	/* A bad span costs only itself. */
	EXPECT(V2("null," SPAN2("00000000000000000000000000000000", "00000000000000c1", "") ","
			  SPAN2(TRACE, "00000000000000c2", "") ",{}"), true,
		   "segment 0000000000000000: c2\n"
		   "rejected 1 not_object 1\nrejected 1 timestamp 1\nrejected 1 trace_id 1\n");
	EXPECT(V2("{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000c1\",\"start_timestamp\":1,\"end_timestamp\":2}"), true,
		   "rejected 1 name 1\n");
	EXPECT(V2("{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000c1\",\"start_timestamp\":1,\"end_timestamp\":2}"), false,
		   "segment 0000000000000000: c1\n");
	CHECK(rec.span.status == APM_STATUS_NULL);
	EXPECT(V2(""), true, "skipped 1 empty 1\n");
	EXPECT("{}\n{\"type\":\"span\",\"content_type\":\"Application/vnd.sentry.items.span.v2+JSON; x\"}\n{}", true,
		   "rejected 1 container 1\n");
	EXPECT("{}\n{\"type\":\"span\",\"content_type\":\"application/vnd.sentry.items.span.v2+json\"}\n7", true,
		   "rejected 1 not_object 1\n");
}

static void
span_statuses(void)
{
	static const struct
	{
		const char *status;
		const char *attribute;
		int			code;
	}			vectors[] = {
		{"ok", NULL, 0},
		{"error", NULL, 13},
		{"error", "not_found", 5},
		{"error", "many words", 13},
		{"unset", NULL, APM_STATUS_NULL},
		{"cancelled", NULL, 1},
		{"ok", "ok", 0}
	};
	static const char *const keys[] = {"sentry.status", "sentry.status.message"};
	size_t		i;
	size_t		k;

	for (i = 0; i < lengthof(vectors); i++)
		for (k = 0; k < lengthof(keys); k++)
		{
			char		body[1024];

			snprintf(body, sizeof(body), V2("{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000c1\",\"name\":\"n\","
											"\"start_timestamp\":1,\"end_timestamp\":2,\"status\":\"%s\",\"attributes\":{"
											ATTR("%s", "\"%s\"") "}}"),
					 vectors[i].status, vectors[i].attribute == NULL ? "x" : keys[k],
					 vectors[i].attribute == NULL ? "x" : vectors[i].attribute);
			decode_text(&rec, body, true);
			if (rec.span.status != vectors[i].code)
			{
				fprintf(stderr, "%s %s: %d\n", vectors[i].status, vectors[i].attribute, rec.span.status);
				failures++;
			}
		}
}

#define EVENT(payload) "{}\n{\"type\":\"event\"}\n" payload "\n"

static void
errors(void)
{
	const ApmError *e = &rec.error;

	decode_text(&rec, EVENT("{\"event_id\":\"22222222222222222222222222222222\",\"timestamp\":\"2011-05-02T17:41:36Z\","
							"\"exception\":{\"values\":[{\"type\":\"A\",\"value\":\"a\",\"mechanism\":{\"handled\":false}},null,"
							"{\"type\":\"B\",\"value\":{\"x\":1},\"mechanism\":{\"handled\":true}}]},\"level\":\"fatal\","
							"\"transaction\":\"T\"," CONTEXTS ",\"fingerprint\":[\"{{ default }}\",1,null,true],"
							"\"extra\":{\"k\":1},\"tags\":{\"a\":\"b\"},\"user\":{\"username\":\"u\",\"ip_address\":\"{{auto}}\"}}"), true);
	CHECK(rec.errors == 1 && e->has_event_id && e->event_id[0] == 0x22);
	CHECK(str_is(e->type, "B") && str_is(e->value, "{\"x\":1}"));
	CHECK(e->handled == 0 && str_is(e->level, "fatal"));
	CHECK(str_is(e->culprit, "T") && str_is(e->transaction_name, "T"));
	CHECK(e->has_trace_id && e->span_id == 0xa1);
	CHECK(str_is(e->fingerprint, "[\"{{ default }}\",\"1\",\"true\"]"));
	CHECK(str_is(e->tags, "{\"a\":\"b\"}"));
	CHECK(str_is(e->user_key, "username:u"));
	CHECK(e->event_us == INT64CONST(1304358096000000));
	CHECK(memmem(e->data.data, e->data.len, "\"extra\":{\"k\":1}", 15) != NULL);
	CHECK(memmem(e->data.data, e->data.len, "\"tags\"", 6) == NULL);
	CHECK(e->data.data[0] == '{' && e->data.data[e->data.len - 1] == '}');

	/* Exceptions as a list, alone, without a type; handled only if all that say so say true. */
	decode_text(&rec, EVENT("{\"exception\":[{\"type\":\"A\",\"mechanism\":{\"handled\":true}},{\"type\":\"B\"}]}"), true);
	CHECK(str_is(e->type, "B") && e->value.data == NULL && e->handled == 1);
	CHECK(str_is(e->level, "error") && e->event_us == APM_MICROS_NULL && !e->has_event_id);
	decode_text(&rec, EVENT("{\"exception\":{\"type\":\"A\",\"value\":5}}"), true);
	CHECK(str_is(e->type, "A") && str_is(e->value, "5") && e->handled == -1);
	decode_text(&rec, EVENT("{\"exception\":{\"values\":[{\"value\":\"v\"}]},\"message\":\"m\"}"), true);
	CHECK(str_is(e->type, "<unknown>") && str_is(e->value, "v"));

	/* Messages. */
	decode_text(&rec, EVENT("{\"exception\":{\"values\":[]},\"message\":\"m\"}"), true);
	CHECK(e->type.data == NULL && str_is(e->value, "m"));
	decode_text(&rec, EVENT("{\"message\":\"m\",\"logentry\":{\"message\":\"x %s\",\"formatted\":\"x y\"}}"), true);
	CHECK(str_is(e->value, "x y"));
	decode_text(&rec, EVENT("{\"message\":{\"message\":\"old\"},\"exception\":null,\"timestamp\":\"junk\"}"), true);
	CHECK(rec.errors == 1 && str_is(e->value, "old") && e->event_us == APM_MICROS_NULL);
	decode_text(&rec, EVENT("{}"), true);
	CHECK(rec.errors == 1 && e->value.data == NULL && str_is(e->data, "{}"));
	EXPECT(EVENT("{\"timestamp\":-5}"), false, "rejected 1 timestamp 1\n");
	EXPECT(EVENT("[]"), false, "rejected 1 not_object 1\n");
	EXPECT(EVENT("{\"a\":\"\\ud800\"}"), true, "rejected 1 lone_surrogate 1\n");
}

static void
other_items(void)
{
	EXPECT("{}\n{\"type\":\"session\"}\n{}\n{\"type\":\"quantum_flux\"}\nnot json\n{\"type\":\"\\u006cog\"}\n{}", true,
		   "");
	CHECK(rec.item.ordinal == 3 && str_is(rec.item.type, "log") && str_is(rec.item.payload, "{}"));
	CHECK(str_is(rec.item.header, "{\"type\":\"\\u006cog\"}"));
	decode_text(&rec, "{\"sent_at\":\"2011-05-02T17:41:36Z\",\"dsn\":\"https://k@h.test/42\"}", true);
	CHECK(rec.envelope.sent_us == INT64CONST(1304358096000000));
	CHECK(rec.envelope.project_id == 42 && str_is(rec.envelope.public_key, "k") && !rec.envelope.has_event_id);
	decode_text(&rec, "{\"sent_at\":\"junk\",\"dsn\":\"https://k@h.test/x\"}", true);
	CHECK(rec.envelope.sent_us == APM_MICROS_NULL && rec.envelope.project_id == 0);
	CHECK(rec.envelope.public_key.data == NULL);
	EXPECT("{}", true, "skipped 0 empty_envelope 1\n");
	EXPECT("", true, "rejected 0 empty_body 1\n");
}

static void
dsns(void)
{
	static const char *const bad[] = {
		"", "x", "https://", "https://h/1", "https://k@h", "https://k@h/", "https://k@h/0", "https://k@h/x",
		"https://k@h/99999999999", "https://k@h:0/1", "https://k@h:65536/1", "https://k@h:x/1", "https://@h/1",
		"https://:s@h/1", "https://k@/1", "ftp://k@h/1", "https://k@h /1", "https://k@[::1/1", "https://k@[::1]x/1",
		"https://.k@h/1", "https://k@h//", "://k@h/1", "https:/k@h/1", "https://k@h?x/1"
	};
	EnvelopeDsn dsn;
	size_t		i;

	CHECK(envelope_parse_dsn(str_literal("https://key.flag:secret@[::1]:8000/a/b/42/"), &dsn));
	CHECK(str_is(dsn.scheme, "https") && str_is(dsn.public_key, "key") && str_is(dsn.secret, "secret"));
	CHECK(str_is(dsn.host, "[::1]") && dsn.port == 8000 && str_is(dsn.path, "/a/b") && dsn.project_id == 42);
	CHECK(envelope_parse_dsn(str_literal("http://k:@h/1"), &dsn));
	CHECK(dsn.secret.data == NULL && dsn.port == 0 && dsn.path.data == NULL && dsn.project_id == 1);
	for (i = 0; i < lengthof(bad); i++)
		if (envelope_parse_dsn(str_literal(bad[i]), &dsn))
		{
			fprintf(stderr, "accepted DSN %s\n", bad[i]);
			failures++;
		}
}

static void
better_names(void)
{
	static const struct
	{
		const char *name;
		const char *source;
		const char *attributes;
		const char *better;
	}			vectors[] = {
		{"Pageload", "url", "{\"url.path\":\"/shop\"}", "/shop"},
		{"Navigation", "", "{\"a\":1,\"url.path\":\"/x\\/y\"}", "/x/y"},
		{"GET", "url", "{\"url.path\":\"/nosuch\"}", "GET /nosuch"},
		{"POST", "", "{\"http.target\":\"/a?b=1\"}", "POST /a"},
		{"GET /shop", "url", "{\"url.path\":\"/other\"}", "GET /shop"},
		{"task", "url", "{\"url.path\":\"/t\"}", "/t"},
		{"task", "custom", "{\"url.path\":\"/t\"}", "task"},
		{"Pageload", "url", "{}", "Pageload"},
		{"Pageload", "url", NULL, "Pageload"},
		{"GET", "url", "{\"url.path\":\"\"}", "GET"}
	};
	size_t		i;

	for (i = 0; i < lengthof(vectors); i++)
	{
		ApmTransaction t;
		ApmStr		attributes = str_null();

		memset(&t, 0, sizeof(t));
		t.name = str_literal(vectors[i].name);
		t.source = str_nonempty(str_literal(vectors[i].source));
		if (vectors[i].attributes != NULL)
			attributes = str_literal(vectors[i].attributes);
		if (!str_is(envelope_better_name(&t, attributes), vectors[i].better))
		{
			fprintf(stderr, "better name of %s: %.*s\n", vectors[i].name,
					(int) envelope_better_name(&t, attributes).len,
					envelope_better_name(&t, attributes).data);
			failures++;
		}
	}
}

/* Every prefix, and every byte replaced by some troublesome ones. */
static void
mutations(void)
{
	static const char *const bodies[] = {
		TX(",\"tags\":[[\"a\",1]],\"measurements\":{\"m\":{\"value\":1}},\"spans\":["
		   SPAN("00000000000000c1", ",\"data\":{\"a\":1},\"tags\":{\"b\":2}") "]"),
		V2(SPAN2(TRACE, "00000000000000a1", ",\"is_segment\":true,\"links\":[{}],\"attributes\":{"
				 ATTR("sentry.op", "\"x\"") "," ATTR("browser.web_vital.lcp.value", "1") "}")),
		EVENT("{\"exception\":{\"values\":[{\"type\":\"A\",\"value\":\"\\u0041\"}]},\"fingerprint\":[\"f\"]," CONTEXTS "}")
	};
	static const char replacements[] = "\0\"\\{}[],:\n0-\xff";
	size_t		b;
	size_t		i;
	size_t		k;

	for (b = 0; b < lengthof(bodies); b++)
	{
		size_t		len = strlen(bodies[b]);
		char	   *body = palloc(len);

		for (i = 0; i <= len; i++)
		{
			decode_bytes(&rec, bodies[b], i, true);
			decode_bytes(&rec, bodies[b], i, false);
		}
		for (i = 0; i < len; i++)
			for (k = 0; k < sizeof(replacements) - 1; k++)
			{
				memcpy(body, bodies[b], len);
				body[i] = replacements[k];
				decode_bytes(&rec, body, len, k % 2 == 0);
			}
		pfree(body);
	}
}

int
main(void)
{
	times();
	durations();
	transactions();
	sample_rates();
	refused_transactions();
	bad_spans();
	standalone_spans();
	containers();
	span_statuses();
	errors();
	other_items();
	dsns();
	better_names();
	mutations();
	if (failures == 0)
		printf("envelope_decode: ok\n");
	return failures != 0;
}
