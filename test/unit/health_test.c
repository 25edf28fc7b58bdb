/*
 * health_test.c
 *		Decoders of sessions, check-ins and client reports; limits; crontab
 *		schedules; cuts.
 */
#include "shim.h"

#include <stdarg.h>

#include "envelope/envelope.h"
#include "store/cron.h"
#include "store/cut.h"
#include "types/hex.h"

const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";	/* decoders leave their memory to a context */
}

static int	failures = 0;
static char text[65536];
static size_t text_len;

static void say(const char *format,...) __attribute__((format(printf, 1, 2)));

static void
say(const char *format,...)
{
	va_list		args;
	int			n;

	va_start(args, format);
	n = vsnprintf(text + text_len, sizeof(text) - text_len, format, args);
	va_end(args);
	text_len = Min(text_len + n, sizeof(text) - 1);
}

#define STR(s) (int) (s).len, (s).data == NULL ? "" : (s).data

static void
on_header(void *arg, const ApmEnvelope *e)
{
	if (e->project_id != 0 || e->sent_us != APM_MICROS_NULL)
		say("header %d %.*s %lld\n", (int) e->project_id, STR(e->public_key),
			(long long) e->sent_us);
}

static void
on_segment(void *arg, const ApmSegment *s)
{
	say("segment %d spans %d\n", (int) s->ordinal, (int) s->nspans);
}

static void
on_error(void *arg, int32 ordinal, const ApmError *e)
{
	say("error %d %.*s\n", (int) ordinal, STR(e->value));
}

static void
on_session(void *arg, int32 ordinal, const ApmSession *s)
{
	say("session %d %s %.*s %.*s %.*s user=%.*s start=%lld ms=%lld seq=%lld errors=%d n=%lld\n",
		(int) ordinal, s->has_session_id ? "id" : "-", STR(s->status), STR(s->release),
		STR(s->environment), STR(s->user), (long long) s->started_us / 1000000,
		s->duration_us == APM_MICROS_NULL ? -1LL : (long long) s->duration_us / 1000,
		(long long) s->sequence, (int) s->errors, (long long) s->quantity);
}

static void
on_check_in(void *arg, int32 ordinal, const ApmCheckIn *c)
{
	say("check_in %d %s %.*s %.*s %lld trace=%d %.*s\n", (int) ordinal,
		c->has_check_in_id ? "id" : "-", STR(c->monitor), STR(c->status),
		c->duration_us == APM_MICROS_NULL ? -1LL : (long long) c->duration_us,
		(int) c->has_trace_id, STR(c->config));
}

static void
on_discard(void *arg, int32 ordinal, const ApmDiscard *d)
{
	say("discard %d %.*s %.*s %lld\n", (int) ordinal, STR(d->reason), STR(d->category),
		(long long) d->quantity);
}

static void
on_item(void *arg, const ApmItem *i)
{
	say("item %d %.*s %u\n", (int) i->ordinal, STR(i->type), (unsigned) i->payload.len);
}

static void
on_problem(void *arg, const ApmProblem *p)
{
	static const char *const outcomes[] = {"rejected", "skipped", "dropped", "repaired"};

	say("%s %d %s %lld\n", outcomes[p->outcome], (int) p->ordinal, p->reason,
		(long long) p->quantity);
}

/* Decodes a copy of exactly that length, so that a read beyond is seen. */
static void
decode(const ApmFormat *format, const char *body, size_t len, const ApmDecodeOptions *options)
{
	ApmSink		sink = {
		.header = on_header, .segment = on_segment, .error = on_error, .session = on_session,
		.check_in = on_check_in, .discard = on_discard, .item = on_item, .problem = on_problem
	};
	char	   *copy = palloc(len);
	uint8		event_id[16];

	memcpy(copy, body, len);
	text_len = 0;
	text[0] = '\0';
	format->decode(copy, len, options, &sink, event_id);
}

static void
expect(int line, const ApmFormat *format, const char *body, bool strict, const char *expected)
{
	ApmDecodeOptions options = {.strict = strict, .max_depth = 128};

	decode(format, body, strlen(body), &options);
	if (strcmp(text, expected) == 0)
		return;
	fprintf(stderr, "health_test.c:%d: expected\n%sfound\n%s", line, expected, text);
	failures++;
}

#define EXPECT(body, strict, expected) expect(__LINE__, &envelope_format_sentry, body, strict, expected)
#define SESSION(s) "{}\n{\"type\":\"session\"}\n" s
#define SESSIONS(s) "{}\n{\"type\":\"sessions\"}\n" s
#define SID "\"sid\":\"96cd1ac8d3b64bc5b7655a7925ba5fa6\""
#define REQUIRED "\"started\":1000,\"attrs\":{\"release\":\"r\"}"

static void
sessions(void)
{
	EXPECT(SESSION("{" SID ",\"init\":true,\"started\":\"1970-01-01T00:16:40Z\",\"timestamp\":1001.5,\"status\":\"ok\",\"errors\":0,\"duration\":1.5,\"attrs\":{\"release\":\"r@1\",\"environment\":\"e\",\"ip_address\":\"192.0.2.1\"}}"), true,
		   "session 1 id ok r@1 e user= start=1000 ms=1500 seq=0 errors=0 n=1\n");
	/* without seq the clock of the update counts, then that of sending, then the start */
	EXPECT(SESSION("{" SID ",\"did\":7,\"timestamp\":1001.5,\"status\":\"exited\"," REQUIRED "}"), true,
		   "session 1 id exited r  user=7 start=1000 ms=-1 seq=1001500 errors=0 n=1\n");
	EXPECT("{\"sent_at\":\"1970-01-01T01:00:00.25Z\"}\n{\"type\":\"session\"}\n{" SID "," REQUIRED "}", true,
		   "header 0  3600250000\nsession 1 id ok r  user= start=1000 ms=-1 seq=3600250 errors=0 n=1\n");
	EXPECT("{\"sent_at\":\"1013-11-22T13:10:23Z\"}\n{\"type\":\"session\"}\n{" SID "," REQUIRED "}", true,
		   "session 1 id ok r  user= start=1000 ms=-1 seq=1000000 errors=0 n=1\n");
	EXPECT(SESSION("{" SID "," REQUIRED "}"), true,
		   "session 1 id ok r  user= start=1000 ms=-1 seq=1000000 errors=0 n=1\n");
	EXPECT(SESSION("{" SID ",\"seq\":0,\"timestamp\":5," REQUIRED "}"), true,
		   "session 1 id ok r  user= start=1000 ms=-1 seq=0 errors=0 n=1\n");
	EXPECT(SESSION("{" SID ",\"seq\":3,\"status\":\"crashed\",\"errors\":0,\"duration\":-1," REQUIRED "}"), true,
		   "session 1 id crashed r  user= start=1000 ms=-1 seq=3 errors=1 n=1\n");
	EXPECT(SESSION("{" SID ",\"seq\":-3,\"errors\":99999999999,\"duration\":1e300," REQUIRED "}"), true,
		   "session 1 id ok r  user= start=1000 ms=-1 seq=1000000 errors=2147483647 n=1\n");
	/* an ended one needs no id */
	EXPECT(SESSION("{\"status\":\"exited\"," REQUIRED "}"), true,
		   "session 1 - exited r  user= start=1000 ms=-1 seq=1000000 errors=0 n=1\n");
	EXPECT(SESSION("{\"sid\":\"00000000-0000-0000-0000-000000000000\",\"seq\":1,\"status\":\"abnormal\"," REQUIRED "}"), true,
		   "session 1 - abnormal r  user= start=1000 ms=-1 seq=1 errors=0 n=1\n");
	EXPECT(SESSION("{" REQUIRED "}"), true, "rejected 1 session_id 1\n");
	EXPECT(SESSION("{\"sid\":\"xyz\",\"status\":\"exited\"," REQUIRED "}"), true, "rejected 1 session_id 1\n");
	EXPECT(SESSION("{" SID ",\"status\":\"gone\"," REQUIRED "}"), false, "rejected 1 status 1\n");
	EXPECT(SESSION("{" SID ",\"status\":7," REQUIRED "}"), false, "rejected 1 status 1\n");
	EXPECT(SESSION("{" SID ",\"attrs\":{\"release\":\"r\"}}"), false, "rejected 1 started 1\n");
	EXPECT(SESSION("{" SID ",\"started\":-5,\"attrs\":{\"release\":\"r\"}}"), false, "rejected 1 started 1\n");
	EXPECT(SESSION("{" SID ",\"started\":5,\"attrs\":{\"release\":\"\"}}"), false, "rejected 1 release 1\n");
	EXPECT(SESSION("{" SID ",\"started\":5}"), false, "rejected 1 release 1\n");
	EXPECT(SESSION("[]"), false, "rejected 1 not_object 1\n");
	EXPECT(SESSION("{\"sid\":"), false, "rejected 1 invalid_json 1\n");
	EXPECT(SESSION("{" SID ",\"did\":\"\\ud800\"," REQUIRED "}"), true, "rejected 1 lone_surrogate 1\n");
	EXPECT(SESSION("{" SID ",\"seq\":1,\"did\":\"\\ud800\"," REQUIRED "}"), false,
		   "session 1 id ok r  user=\xef\xbf\xbd start=1000 ms=-1 seq=1 errors=0 n=1\nrepaired 1 repaired_surrogate 1\n");
}

static void
buckets(void)
{
	EXPECT(SESSIONS("{\"aggregates\":[{\"started\":60,\"exited\":18,\"errored\":0,\"crashed\":3},{\"started\":120,\"did\":\"u\",\"errored\":1,\"abnormal\":2,\"unhandled\":4}],\"attrs\":{\"release\":\"r\",\"environment\":\"e\"}}"), true,
		   "session 1 - exited r e user= start=60 ms=-1 seq=0 errors=0 n=18\n"
		   "session 1 - crashed r e user= start=60 ms=-1 seq=0 errors=1 n=3\n"
		   "session 1 - abnormal r e user=u start=120 ms=-1 seq=0 errors=0 n=2\n"
		   "session 1 - errored r e user=u start=120 ms=-1 seq=0 errors=1 n=1\n"
		   "session 1 - unhandled r e user=u start=120 ms=-1 seq=0 errors=1 n=4\n");
	EXPECT(SESSIONS("{\"aggregates\":[],\"attrs\":{\"release\":\"r\"}}"), true, "skipped 1 empty 1\n");
	EXPECT(SESSIONS("{\"attrs\":{\"release\":\"r\"}}"), true, "skipped 1 empty 1\n");
	EXPECT(SESSIONS("{\"aggregates\":[{\"started\":60,\"exited\":-1,\"crashed\":\"5\"}],\"attrs\":{\"release\":\"r\"}}"), true, "skipped 1 empty 1\n");
	EXPECT(SESSIONS("{\"aggregates\":[{\"started\":60,\"exited\":9000000000000000000}],\"attrs\":{\"release\":\"r\"}}"), true,
		   "session 1 - exited r  user= start=60 ms=-1 seq=0 errors=0 n=4294967295\n");
	EXPECT(SESSIONS("{\"aggregates\":[{\"started\":60,\"exited\":1}]}"), true, "rejected 1 release 1\n");
	EXPECT(SESSIONS("{\"aggregates\":[{\"exited\":1},{\"started\":60,\"exited\":2}],\"attrs\":{\"release\":\"r\"}}"), true, "rejected 1 started 1\n");
	EXPECT(SESSIONS("{\"aggregates\":[{\"exited\":1},7,{\"started\":60,\"exited\":2}],\"attrs\":{\"release\":\"r\"}}"), false,
		   "session 1 - exited r  user= start=60 ms=-1 seq=0 errors=0 n=2\ndropped 1 started 2\n");
	EXPECT(SESSIONS("{\"aggregates\":[{\"exited\":1}],\"attrs\":{\"release\":\"r\"}}"), false, "rejected 1 started 1\n");
}

#define CHECK_IN(s) "{}\n{\"type\":\"check_in\"}\n" s
#define CID "\"check_in_id\":\"576fe915-7232-46b5-a9c9-73596334e090\""

static void
check_ins(void)
{
	EXPECT(CHECK_IN("{" CID ",\"monitor_slug\":\"m\",\"status\":\"in_progress\",\"monitor_config\":{\"schedule\":1},\"contexts\":{\"trace\":{\"trace_id\":\"330cef3cbf0640cea4c34de045c6bf1f\"}}}"), true,
		   "check_in 1 id m in_progress -1 trace=1 {\"schedule\":1}\n");
	EXPECT(CHECK_IN("{" CID ",\"monitor_slug\":\"m\",\"status\":\"ok\",\"duration\":12.7,\"monitor_config\":null,\"contexts\":[]}"), true,
		   "check_in 1 id m ok 12700000 trace=0 \n");
	EXPECT(CHECK_IN("{\"monitor_slug\":\"m\",\"status\":\"error\",\"duration\":null}"), true,
		   "check_in 1 - m error -1 trace=0 \n");
	EXPECT(CHECK_IN("{\"check_in_id\":\"00000000000000000000000000000000\",\"monitor_slug\":\"m\",\"status\":\"ok\"}"), true,
		   "check_in 1 - m ok -1 trace=0 \n");
	EXPECT(CHECK_IN("{\"check_in_id\":7,\"monitor_slug\":\"m\",\"status\":\"ok\"}"), false, "rejected 1 check_in_id 1\n");
	EXPECT(CHECK_IN("{\"monitor_slug\":\"\",\"status\":\"ok\"}"), false, "rejected 1 monitor_slug 1\n");
	EXPECT(CHECK_IN("{\"monitor_slug\":\"m\"}"), false, "rejected 1 status 1\n");
	EXPECT(CHECK_IN("{\"monitor_slug\":\"m\",\"status\":\"missed\"}"), false, "rejected 1 status 1\n");
	EXPECT(CHECK_IN("7"), false, "rejected 1 not_object 1\n");
}

#define REPORT(s) "{}\n{\"type\":\"client_report\"}\n" s

static void
reports(void)
{
	EXPECT(REPORT("{\"timestamp\":1,\"discarded_events\":[{\"reason\":\"sample_rate\",\"category\":\"transaction\",\"quantity\":3},{\"reason\":\"x\",\"category\":\"error\",\"quantity\":0}],"
				  "\"rate_limited_events\":[{\"reason\":\"key:7\",\"category\":\"span\",\"quantity\":4}],\"filtered_events\":[{\"reason\":\"web-crawlers\",\"category\":\"error\",\"quantity\":5}],"
				  "\"filtered_sampling_events\":[{\"reason\":\"Sampled:12\",\"category\":\"transaction\",\"quantity\":6}]}"), true,
		   "discard 1 sample_rate transaction 3\ndiscard 1 rate_limited span 4\n"
		   "discard 1 filtered error 5\ndiscard 1 filtered_sampling transaction 6\n");
	EXPECT(REPORT("{}"), true, "skipped 1 empty 1\n");
	EXPECT(REPORT("{\"discarded_events\":null}"), true, "skipped 1 empty 1\n");
	EXPECT(REPORT("{\"discarded_events\":[{\"reason\":\"a\",\"category\":\"b\",\"quantity\":1},{}]}"), true, "rejected 1 discard 1\n");
	EXPECT(REPORT("{\"discarded_events\":[{\"reason\":\"a\",\"category\":\"b\",\"quantity\":1},{},{\"reason\":\"a\",\"category\":\"b\",\"quantity\":4294967296},3]}"), false,
		   "discard 1 a b 1\ndropped 1 discard 3\n");
	EXPECT(REPORT("{\"discarded_events\":[{\"quantity\":1}]}"), false, "rejected 1 discard 1\n");
	EXPECT(REPORT("{"), false, "rejected 1 invalid_json 1\n");
}

#define SPAN "{\"trace_id\":\"330cef3cbf0640cea4c34de045c6bf1f\",\"span_id\":\"8d2bb1a077abdf49\",\"start_timestamp\":1,\"timestamp\":2}"

static void
expect_limited(int line, const char *body, const ApmDecodeOptions *options, const char *expected)
{
	decode(&envelope_format_sentry, body, strlen(body), options);
	if (strcmp(text, expected) == 0)
		return;
	fprintf(stderr, "health_test.c:%d: expected\n%sfound\n%s", line, expected, text);
	failures++;
}

static void
limits(void)
{
	static const char item[] = "{}\n{\"type\":\"%s\"%s}\n%s\n";
	static const struct
	{
		const char *type;
		size_t		offset;
	}			sizes[] =
	{
		{"event", offsetof(ApmDecodeOptions, max_event_size)},
		{"transaction", offsetof(ApmDecodeOptions, max_event_size)},
		{"feedback", offsetof(ApmDecodeOptions, max_event_size)},
		{"span", offsetof(ApmDecodeOptions, max_span_size)},
		{"log", offsetof(ApmDecodeOptions, max_container_size)},
		{"session", offsetof(ApmDecodeOptions, max_session_size)},
		{"sessions", offsetof(ApmDecodeOptions, max_session_size)},
		{"check_in", offsetof(ApmDecodeOptions, max_check_in_size)},
		{"client_report", offsetof(ApmDecodeOptions, max_client_report_size)},
		{"profile", offsetof(ApmDecodeOptions, max_profile_size)},
		{"attachment", offsetof(ApmDecodeOptions, max_attachment_size)},
		{"anything", offsetof(ApmDecodeOptions, max_attachment_size)}
	};
	ApmDecodeOptions options;
	char		body[500];
	size_t		i;

	for (i = 0; i < lengthof(sizes); i++)
	{
		memset(&options, 0, sizeof(options));
		options.max_depth = 128;
		*(int32 *) ((char *) &options + sizes[i].offset) = 5;
		snprintf(body, sizeof(body), item, sizes[i].type, "", "{1234}");
		expect_limited(__LINE__, body, &options, "rejected 1 too_large 1\n");
		snprintf(body, sizeof(body), item, sizes[i].type, "", "{123}");
		decode(&envelope_format_sentry, body, strlen(body), &options);
		if (strstr(text, "too_large") != NULL)
			failures++, fprintf(stderr, "limit of %s\n", sizes[i].type);
	}
	memset(&options, 0, sizeof(options));
	options.max_depth = 128;
	options.max_container_size = 8;
	snprintf(body, sizeof(body), item, "span", ",\"content_type\":\"application/vnd.sentry.items.span.v2+json\"", "{\"items\":[]}");
	expect_limited(__LINE__, body, &options, "rejected 1 too_large 1\n");
	options.max_container_size = 0;
	expect_limited(__LINE__, body, &options, "skipped 1 empty 1\n");
	options.max_span_size = 5;
	snprintf(body, sizeof(body), item, "span", ",\"content_type\":\"application/vnd.sentry.items.span.v2+json\"",
			 "{\"items\":[" "{\"trace_id\":\"330cef3cbf0640cea4c34de045c6bf1f\",\"span_id\":\"8d2bb1a077abdf49\",\"start_timestamp\":1,\"end_timestamp\":2}" "]}");
	options.max_envelope_size = (int32) strlen(body) - 1;
	expect_limited(__LINE__, body, &options, "rejected 0 too_large 1\n");
	options.max_envelope_size++;
	expect_limited(__LINE__, body, &options, "dropped 1 too_large 1\n");

	memset(&options, 0, sizeof(options));
	options.max_depth = 128;
	options.max_standalone_spans = 1;
	expect_limited(__LINE__, "{}\n{\"type\":\"span\"}\n" SPAN "\n{\"type\":\"span\"}\n" SPAN, &options,
				   "segment 1 spans 1\nrejected 2 too_many 1\n");
	options.max_sessions = 1;
	expect_limited(__LINE__, SESSION("{" SID ",\"seq\":1," REQUIRED "}\n{\"type\":\"sessions\"}\n{}"), &options,
				   "session 1 id ok r  user= start=1000 ms=-1 seq=1 errors=0 n=1\nrejected 2 too_many 1\n");
	expect_limited(__LINE__, SESSIONS("{\"aggregates\":[{\"started\":1,\"exited\":1},{\"started\":2,\"exited\":1},{\"x\":[[7]]}],\"attrs\":{\"release\":\"r\"}}"), &options,
				   "rejected 1 too_many 1\n");
}

static void
others(void)
{
	EXPECT("{\"dsn\":\"https://0123456789abcdef0123456789abcdef@h.test/42\"}\n{\"type\":\"attachment\",\"length\":3}\na\nb\n{\"type\":\"new\"}\n", true,
		   "header 42 0123456789abcdef0123456789abcdef " "-9223372036854775808\nitem 1 attachment 3\nitem 2 new 0\n");
	expect(__LINE__, &envelope_format_sentry_store, "{\"message\":\"m\"}", true, "error 1 m\n");
	expect(__LINE__, &envelope_format_sentry_store, "{\"message\":\"m\",\n\"level\":\"info\"}\n", true, "error 1 m\n");
	expect(__LINE__, &envelope_format_sentry_store, "{\"type\":\"transaction\",\"start_timestamp\":1,\"timestamp\":2,\"contexts\":{\"trace\":{\"trace_id\":\"330cef3cbf0640cea4c34de045c6bf1f\",\"span_id\":\"8d2bb1a077abdf49\"}}}", true,
		   "segment 1 spans 1\n");
	expect(__LINE__, &envelope_format_sentry_store, "", true, "rejected 0 empty_body 1\n");
	expect(__LINE__, &envelope_format_sentry_store, "\x1f\x8b", true, "rejected 0 compressed 1\n");
	expect(__LINE__, &envelope_format_sentry_store, "{}{}", true, "rejected 1 invalid_json 1\n");
	expect(__LINE__, &envelope_format_sentry_store, "[]", true, "rejected 1 not_object 1\n");
}

/* Schedules. */

#define DAY 1440

static void
next(int line, const char *schedule, int64 after, int64 expected)
{
	CronSchedule s;
	int64		found = INT64_MAX;

	if (cron_parse(schedule, strlen(schedule), &s))
		found = cron_next(&s, after);
	if (found == expected)
		return;
	fprintf(stderr, "health_test.c:%d: \"%s\" after %lld: %lld, not %lld\n", line, schedule,
			(long long) after, (long long) found, (long long) expected);
	failures++;
}

#define NEXT(schedule, after, expected) next(__LINE__, schedule, after, expected)

static void
cron(void)
{
	static const char *const bad[] = {
		"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *",
		"* * * 13 *", "* * * * 8", "5-2 * * * *", "*/0 * * * *", "*/x * * * *", "1, * * * *", ", * * * *", "1-",
		"-1 * * * *", "a * * * *", "* * * foo *", "100 * * * *", "@often", "1-2-3 * * * *", "* * * jan-feb-mar *", "**  * * * *"
	};
	CronSchedule s;
	size_t		i;

	for (i = 0; i < lengthof(bad); i++)
		if (cron_parse(bad[i], strlen(bad[i]), &s))
			failures++, fprintf(stderr, "schedule \"%s\" was taken\n", bad[i]);

	/* 2000-01-01 00:00, minute 0, was a Saturday */
	NEXT("* * * * *", 0, 1);
	NEXT("* * * * *", -5, -4);
	NEXT("0 3 * * *", 0, 180);
	NEXT("0 3 * * *", 180, DAY + 180);
	NEXT("0 3 * * *", -1, 180);
	NEXT("0 3 * * *", -DAY, -DAY + 180);
	NEXT("*/15 * * * *", 15, 30);
	NEXT("5/20 * * * *", 0, 5);
	NEXT("5/20 * * * *", 45, 65);
	NEXT("1,3-5 * * * *", 1, 3);
	NEXT("1,3-5 * * * *", 5, 61);
	NEXT("10-40/15 * * * *", 10, 25);
	NEXT("10-40/15 * * * *", 40, 70);
	NEXT("0 0 * * mon", 0, 2 * DAY);
	NEXT("0 0 * * MON-Fri", 0, 2 * DAY);
	NEXT("0 0 * * 0", 0, DAY);
	NEXT("0 0 * * 7", 0, DAY);
	NEXT("0 0 * * fri-sun", 0, DAY);
	NEXT("0 0 * * 6", 0, 7 * DAY);
	NEXT("0 0 1 feb *", 0, 31 * DAY);
	NEXT("0 0 29 2 *", 0, 59 * DAY);
	NEXT("0 0 29 2 *", 59 * DAY, 59 * DAY + 1461 * DAY);
	NEXT("0 0 30 2 *", 0, CRON_NEVER);
	NEXT("0 0 31 4,6,9,11 *", 0, CRON_NEVER);
	/* either day matches if both are given */
	NEXT("0 0 13 * fri", 0, 6 * DAY);
	NEXT("0 0 13 * fri", 6 * DAY, 12 * DAY);
	/* a star with a step leaves the other field to decide */
	NEXT("0 0 */2 * sun", 0, 8 * DAY);
	NEXT("  0   0  *  * * ", 0, DAY);
	NEXT("@hourly", 0, 60);
	NEXT("@daily", 0, DAY);
	NEXT("@weekly", 0, DAY);
	NEXT("@monthly", 0, 31 * DAY);
	NEXT("@yearly", 0, 366 * DAY);
	/* 1900 was no leap year: from 1896-02-29 to 1904-02-29 */
	NEXT("0 0 29 2 *", INT64CONST(-37926) * DAY, INT64CONST(-35005) * DAY);
}

/* Cuts. */

static void
cut(int line, const char *s, int limit, const char *expected)
{
	ApmStr		t = {s, (uint32) strlen(s)};
	bool		cut = cut_text(&t, limit);

	if (cut == (strcmp(s, expected) != 0) && t.len == strlen(expected) && memcmp(t.data, expected, t.len) == 0)
		return;
	fprintf(stderr, "health_test.c:%d: \"%s\" was cut to \"%.*s\"\n", line, s, STR(t));
	failures++;
}

static void
tags(int line, const char *s, int limit, const char *expected, int64 ncut, int64 ndropped)
{
	ApmStr		t = {s, (uint32) strlen(s)};
	int64		found_cut = 0;
	int64		found_dropped = 0;

	cut_tags(&t, limit, &found_cut, &found_dropped);
	if (t.len == strlen(expected) && memcmp(t.data, expected, t.len) == 0 &&
		found_cut == ncut && found_dropped == ndropped)
		return;
	fprintf(stderr, "health_test.c:%d: %s became %.*s, %lld cut, %lld dropped\n", line, s, STR(t),
			(long long) found_cut, (long long) found_dropped);
	failures++;
}

static void
members(int line, const char *s, int limit, const char *expected, int64 ndropped)
{
	ApmStr		t = {s, (uint32) strlen(s)};
	int64		found = cut_members(&t, limit);

	if (t.len == strlen(expected) && memcmp(t.data, expected, t.len) == 0 && found == ndropped)
		return;
	fprintf(stderr, "health_test.c:%d: %s became %.*s, %lld dropped\n", line, s, STR(t), (long long) found);
	failures++;
}

static void
cuts(void)
{
	ApmStr		null = {NULL, 0};

	cut(__LINE__, "abcdef", 6, "abcdef");
	cut(__LINE__, "abcdefg", 6, "abc...");
	cut(__LINE__, "abcdefg", 0, "abcdefg");
	cut(__LINE__, "abcdefg", 3, "abc");
	cut(__LINE__, "abcdefg", 4, "a...");
	cut(__LINE__, "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac", 4, "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac");
	cut(__LINE__, "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", 4, "\xc3\xa4...");
	cut(__LINE__, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 2, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
	if (cut_text(&null, 5) || null.data != NULL)
		failures++;
	tags(__LINE__, "{\"a\":\"12345\",\"b\":\"123456\"}", 5, "{\"a\":\"12345\",\"b\":\"12...\"}", 1, 0);
	tags(__LINE__, "{\"abcdef\":\"1\",\"b\":\"2\"}", 5, "{\"b\":\"2\"}", 0, 1);
	tags(__LINE__, "{\"abcdef\":\"1\"}", 5, "{}", 0, 1);
	tags(__LINE__, "{\"a\":\"\\u00e4\\n345\"}", 5, "{\"a\":\"\\u00e4\\n345\"}", 0, 0);
	tags(__LINE__, "{\"a\":\"\\u00e4\\n3456\"}", 5, "{\"a\":\"\xc3\xa4\\n...\"}", 1, 0);
	tags(__LINE__, "{\"a\":\"123456\"}", 0, "{\"a\":\"123456\"}", 0, 0);
	members(__LINE__, "{\"a\":1,\"b\":[2,{}],\"c\":3}", 2, "{\"a\":1,\"b\":[2,{}]}", 1);
	members(__LINE__, "{\"a\":1,\"b\":2}", 2, "{\"a\":1,\"b\":2}", 0);
	members(__LINE__, "{\"a\":1,\"b\":2}", 0, "{\"a\":1,\"b\":2}", 0);
	members(__LINE__, "{}", 2, "{}", 0);
}

int
main(void)
{
	sessions();
	buckets();
	check_ins();
	reports();
	limits();
	others();
	cron();
	cuts();
	if (failures == 0)
		printf("health: ok\n");
	return failures != 0;
}
